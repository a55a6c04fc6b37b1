"""Discord's commands, in every language: after a slash, in a message's menu, and the form that asks for photos.

What a command means is the dialogue's (`bots.dialogue.commands`); photos, a look and a purpose that come with
`/headshot` are events of one update. The tree is told to Discord only when it has changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import discord
from discord import app_commands, ui
from discord.app_commands import locale_str

from bots.dialogue import events as e
from bots.dialogue.commands import COMMANDS
from bots.dialogue.menu import Look, Menu
from bots.dialogue.text import said_or, say, spoken
from bots.platforms.discord.interactions import AnyInteraction
from bots.platforms.discord.updates import Receiver, attachments_of, form_of, sent_files

log = logging.getLogger("atelier.discord")

FORM: Final = "headshot"  # the form's id: one that was opened before a restart can still be sent
PHOTOS, LOOK, PURPOSE = "photos", "look", "purpose"  # its fields
CHOICES: Final = 25  # of an autocomplete or a select
SHELVES: Final = 3  # selects of looks in the form: it has room for five fields
LABEL: Final = 45  # characters above a field
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
    """Return what completes a look's name: by its title or its family's, and before a letter some of every family."""

    async def offered(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        language, taken = spoken(str(interaction.locale)), menu.suited_to(chosen_purpose(interaction))
        families = [[(look.id, ": ".join(filter(None, (_family(language, name), _title(language, look)))))
                     for look in taken.family(name)] for name in taken.families]  # fmt: skip
        turns = itertools.chain.from_iterable(itertools.zip_longest(*families))
        shown = [look for look in turns if look and typed.casefold() in look[1].casefold()][:CHOICES]
        return [app_commands.Choice(name=title, value=look) for look, title in shown]

    return offered


def chosen_purpose(interaction: discord.Interaction) -> str:
    """Return the purpose that was picked before the look in the same command, empty where none was."""
    return str(getattr(interaction.namespace, PURPOSE, None) or "")


def _title(language: str, look: Look) -> str:
    return said_or(language, f"style.{look.id}.title", "value.other", value=look.title)


def _family(language: str, name: str) -> str:
    return said_or(language, f"family.{name}", "value.other", value=name)


def _purposes(menu: Menu) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=_words(f"purpose.{name}"), value=name) for name in menu.purposes[:CHOICES]]


def _numbered(name: str) -> locale_str:
    """Name an option `photo3`; every language has its own word for it."""
    return locale_str(name, key="slash.photo", number=name.removeprefix("photo"))


# --- the form ----------------------------------------------------------------------------------------


def form(menu: Menu, language: str, look: str = "", purpose: str = "") -> ui.Modal:
    """Make the form that asks for photos; what was chosen already is chosen in it.

    Looks stand on up to SHELVES selects, whole families on each, so that every look is there.
    """
    asked = ui.Modal(title=say(language, "discord.form"), custom_id=FORM, timeout=None)
    upload: ui.FileUpload[ui.Modal] = ui.FileUpload(custom_id=PHOTOS, min_values=1, max_values=10)
    asked.add_item(
        ui.Label(
            text=say(language, "discord.photos"), description=say(language, "discord.photos_more"), component=upload
        )
    )
    menu = menu.suited_to(purpose)
    for number, families in enumerate(shelves(menu)):
        options = [
            discord.SelectOption(
                label=_title(language, shown), value=shown.id, description=_family(language, name) or None,
                default=shown.id == look,
            )
            for name in families for shown in menu.family(name)
        ]  # fmt: skip
        title = ", ".join(_family(language, name) for name in families if name) or say(language, "discord.look")
        _add_select(asked, language, f"{LOOK}{number}", title, options)
    purposes = [
        discord.SelectOption(label=say(language, f"purpose.{name}"), value=name, default=name == purpose)
        for name in menu.purposes
    ]
    _add_select(asked, language, PURPOSE, say(language, "discord.purpose"), purposes)
    asked.stop()  # the library need not remember it: `form_sent` reads what is sent
    return asked


def shelves(menu: Menu) -> list[list[str]]:
    """Share a menu's families out on selects of about the same length, in their order; none is torn."""
    wanted, held = -(-len(menu.looks) // SHELVES), 0
    found: list[list[str]] = [[]]
    for name in menu.families:
        more = len(menu.family(name))
        if found[-1] and len(found) < SHELVES and (held >= wanted or held + more > CHOICES):
            found.append([])
            held = 0
        found[-1].append(name)
        held += more
    return found


def _add_select(asked: ui.Modal, language: str, name: str, title: str, options: Sequence[discord.SelectOption]) -> None:
    select: ui.Select[ui.Modal] = ui.Select(
        custom_id=name, required=False, min_values=0, placeholder=say(language, "discord.as_before"),
        options=list(options[:CHOICES]),
    )  # fmt: skip
    short = title if len(title) <= LABEL else title[: LABEL - 1] + "…"
    asked.add_item(ui.Label(text=short, component=select))


async def form_sent(receiver: Receiver, interaction: AnyInteraction) -> None:
    """Take a form that was filled in."""
    sent = form_of(interaction)
    looks = [look for name, values in sent.values.items() if name.startswith(LOOK) for look in values]
    purpose = next(iter(sent.values.get(PURPOSE, ())), "")
    sittings = [event for look in looks or [""] for event in _sitting(look, purpose)]
    await receiver.interaction(interaction, *sittings, *sent.files.get(PHOTOS, ()))


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
