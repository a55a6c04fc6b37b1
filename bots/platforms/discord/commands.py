"""Discord's commands, in every language: after a slash, in a message's menu, and the form that asks for photos.

What a command means is the dialogue's (`bots.dialogue.commands`); photos, a look and a purpose that come with
`/headshot` are events of one update. The tree is told to Discord only when it has changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import discord
from discord import app_commands, ui
from discord.app_commands import locale_str

from bots.dialogue import events as e
from bots.dialogue.commands import COMMANDS
from bots.dialogue.menu import Menu
from bots.dialogue.text import said_or, say, spoken
from bots.platforms.discord.interactions import AnyInteraction
from bots.platforms.discord.updates import Receiver, attachments_of, form_of, sent_files

log = logging.getLogger("atelier.discord")

FORM: Final = "headshot"  # the form's id: one that was opened before a restart can still be sent
PHOTOS, LOOK, PURPOSE = "photos", "look", "purpose"  # its fields
CHOICES: Final = 25  # of an autocomplete or a select
LANGUAGES: Final = {locale: spoken(locale.value) for locale in discord.Locale}


class Words(app_commands.Translator):
    """The catalogues as discord.py's translator: a string carries its key."""

    async def translate(
        self, string: locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        """Return the words for a locale, None where the English ones stand."""
        language = LANGUAGES[locale]
        return None if language == "en" else say(language, string.extras["key"]) + string.extras.get("number", "")


def _words(key: str) -> locale_str:
    return locale_str(say("en", key), key=key)


class Tree(app_commands.CommandTree[Any]):
    """The commands. An error in one is logged without its content; the dispatcher tells the person."""

    def __init__(self, client: discord.Client) -> None:
        super().__init__(
            client,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        )

    async def on_error(self, interaction: AnyInteraction, error: app_commands.AppCommandError) -> None:
        """Log; one of an earlier version of the bot, which Discord still offered, is answered like a strange word."""
        log.error("command_failed", extra={"error": type(error.__cause__ or error).__name__}, exc_info=error)


def add_commands(tree: Tree, receiver: Receiver, menu: Menu) -> None:
    """Fill the tree."""
    for name, event in COMMANDS.items():
        take = TAKING.get(name, _plain)(receiver, event)
        tree.add_command(_command(name, take))
    headshot = _command("headshot", _headshot(receiver, menu))
    headshot.autocomplete(LOOK)(_looks(menu))
    tree.add_command(headshot)
    tree.add_command(app_commands.ContextMenu(name=_words("slash.from_message"), callback=_from_message(receiver)))


def _command(name: str, callback: Any) -> app_commands.Command[Any, ..., None]:
    return app_commands.Command(name=_words(f"slash.{name}"), description=_words(f"command.{name}"), callback=callback)


def _plain(receiver: Receiver, event: Callable[[str], e.Event]) -> Any:
    async def take(interaction: discord.Interaction) -> None:
        await receiver.interaction(interaction, event(""))

    return take


def _taking_words(receiver: Receiver, event: Callable[[str], e.Event]) -> Any:
    @app_commands.rename(text=_words("slash.text"))
    @app_commands.describe(text=_words("command.text"))
    async def take(interaction: discord.Interaction, text: app_commands.Range[str, 1, 1000]) -> None:
        await receiver.interaction(interaction, event(text))

    return take


def _taking_code(receiver: Receiver, event: Callable[[str], e.Event]) -> Any:
    @app_commands.rename(code=_words("slash.code"))
    @app_commands.describe(code=_words("command.code"))
    async def take(interaction: discord.Interaction, code: app_commands.Range[str, 1, 40] = "") -> None:
        await receiver.interaction(interaction, event(code))

    return take


TAKING: Final = {"report": _taking_words, "team": _taking_code}
"""Commands that take something written after them."""


def _headshot(receiver: Receiver, menu: Menu) -> Any:
    """Return `/headshot`: with photos it takes them, without any it asks for them in a form."""
    names = [f"photo{number}" for number in range(1, 11)]

    @app_commands.rename(
        look=_words("slash.look"), purpose=_words("slash.purpose"), **{name: _numbered(name) for name in names}
    )
    @app_commands.describe(
        look=_words("command.look"),
        purpose=_words("command.purpose"),
        **{name: _words("command.photo") for name in names},
    )
    @app_commands.choices(purpose=_purposes(menu))
    async def take(
        interaction: discord.Interaction,
        photo1: discord.Attachment | None = None,
        photo2: discord.Attachment | None = None,
        photo3: discord.Attachment | None = None,
        photo4: discord.Attachment | None = None,
        photo5: discord.Attachment | None = None,
        photo6: discord.Attachment | None = None,
        photo7: discord.Attachment | None = None,
        photo8: discord.Attachment | None = None,
        photo9: discord.Attachment | None = None,
        photo10: discord.Attachment | None = None,
        look: str | None = None,
        purpose: str | None = None,
    ) -> None:
        given = (photo1, photo2, photo3, photo4, photo5, photo6, photo7, photo8, photo9, photo10)
        photos = [photo for photo in given if photo is not None]
        if not photos:
            language = spoken(str(interaction.locale))
            await interaction.response.send_modal(form(menu, language, look or "", purpose or ""))
            return
        await receiver.interaction(interaction, *_sitting(look, purpose), *sent_files(interaction.id, photos))

    return take


def _from_message(receiver: Receiver) -> Any:
    async def take(interaction: discord.Interaction, message: discord.Message) -> None:
        if message.author.id != interaction.user.id:
            await receiver.interaction(interaction, e.OtherSent("not_yours"))
            return
        photos = sent_files(interaction.id, attachments_of(message))
        await receiver.interaction(interaction, *photos or [e.OtherSent("no_photo")])

    return take


def _sitting(look: str | None, purpose: str | None) -> list[e.Event]:
    return [e.SittingAsked(look or "", purpose or "")] if look or purpose else []


def _looks(menu: Menu) -> Any:
    async def offered(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        language = spoken(str(interaction.locale))
        titles = {look.id: said_or(language, f"style.{look.id}.title", "value.other", value=look.title)
                  for look in menu.looks}  # fmt: skip
        found = [look for look, title in titles.items() if typed.casefold() in title.casefold()]
        return [app_commands.Choice(name=titles[look], value=look) for look in found[:CHOICES]]

    return offered


def _purposes(menu: Menu) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=_words(f"purpose.{name}"), value=name) for name in menu.purposes[:CHOICES]]


def _numbered(name: str) -> locale_str:
    """Name an option `photo3`; every language has its own word for it."""
    return locale_str(name, key="slash.photo", number=name.removeprefix("photo"))


# --- the form ----------------------------------------------------------------------------------------


def form(menu: Menu, language: str, look: str = "", purpose: str = "") -> ui.Modal:
    """Make the form that asks for photos; what was chosen already is chosen in it."""
    titles = [(shown.id, said_or(language, f"style.{shown.id}.title", "value.other", value=shown.title))
              for shown in menu.looks]  # fmt: skip
    purposes = [(name, say(language, f"purpose.{name}")) for name in menu.purposes]
    asked = ui.Modal(title=say(language, "discord.form"), custom_id=FORM, timeout=None)
    upload: ui.FileUpload[ui.Modal] = ui.FileUpload(custom_id=PHOTOS, min_values=1, max_values=10)
    asked.add_item(
        ui.Label(
            text=say(language, "discord.photos"), description=say(language, "discord.photos_more"), component=upload
        )
    )
    for name, options, chosen in ((LOOK, titles, look), (PURPOSE, purposes, purpose)):
        select: ui.Select[ui.Modal] = ui.Select(
            custom_id=name, required=False, min_values=0, placeholder=say(language, "discord.as_before"),
            options=[discord.SelectOption(label=title, value=value, default=value == chosen)
                     for value, title in options[:CHOICES]],
        )  # fmt: skip
        asked.add_item(ui.Label(text=say(language, f"discord.{name}"), component=select))
    asked.stop()  # the library need not remember it: `form_sent` reads what is sent
    return asked


async def form_sent(receiver: Receiver, interaction: AnyInteraction) -> None:
    """Take a form that was filled in."""
    sent = form_of(interaction)
    look, purpose = (next(iter(sent.values.get(name, ())), "") for name in (LOOK, PURPOSE))
    await receiver.interaction(interaction, *_sitting(look, purpose), *sent.files.get(PHOTOS, ()))


# --- telling Discord ---------------------------------------------------------------------------------


async def sync(tree: Tree, application: int, noted: Path) -> bool:
    """Tell Discord the commands if they have changed since the last time; return whether they were told.

    noted: the file that the last ones' hash is kept in.
    """
    assert tree.translator is not None
    payload = [await command.get_translated_payload(tree, tree.translator) for command in _all(tree)]
    told = f"{application} {hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()}"
    if await asyncio.to_thread(_read, noted) == told:
        return False
    await tree.sync()
    await asyncio.to_thread(noted.write_text, told, "utf-8")
    return True


def _read(noted: Path) -> str:
    return noted.read_text("utf-8") if noted.exists() else ""


def _all(tree: Tree) -> Iterable[Any]:
    return tree._get_all_commands(guild=None)
