"""Discord's commands: their names in every language, told only when they changed; and the form for photos."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bots.dialogue import events as e
from bots.dialogue.commands import COMMANDS
from bots.dialogue.menu import Look, Menu, default_menu
from bots.dialogue.text import LANGUAGES
from bots.platforms.discord.commands import CHOICES, FORM, Tree, Words, add_commands, form, form_sent, sync
from bots.platforms.discord.updates import Receiver
from tests.fakes.discord_components import check_modal
from tests.fakes.discord_objects import Form
from tests.fakes.discord_server import TOKEN, DiscordServer

NAME = re.compile(r"[-_'\w]{1,32}")  # Discord's rule, which wants lower case as well
LOCALES = {"es": {"es-ES", "es-419"}}
CURRENT = discord.utils.time_snowflake(discord.utils.utcnow())  # ids say when they were made


class Heard(Receiver):
    """Notes what it is handed."""

    def __init__(self) -> None:
        self.events: list[e.Event | str] = []

    async def interaction(self, interaction: discord.Interaction[Any], *events: e.Event | str) -> None:
        self.events += events


async def tree_of(client: discord.Client, menu: Menu | None = None) -> Tree:
    tree = Tree(client)
    add_commands(tree, Heard(), menu or default_menu())
    await tree.set_translator(Words())
    return tree


async def payloads(tree: Tree) -> list[dict[str, Any]]:
    assert tree.translator is not None
    found = tree.get_commands(type=discord.AppCommandType.chat_input)
    menus = tree.get_commands(type=discord.AppCommandType.message)
    return [await c.get_translated_payload(tree, tree.translator) for c in (*found, *menus)]


def client() -> discord.Client:
    return discord.AutoShardedClient(intents=discord.Intents.none())


async def test_every_command_has_a_lawful_name_of_its_own_in_every_language() -> None:
    told = await payloads(await tree_of(client()))
    assert {c["name"] for c in told if c["type"] == 1} == {"headshot", *COMMANDS}
    for command in told:
        for option in (command, *command.get("options", [])):
            names = [option["name"], *option["name_localizations"].values()]
            assert option["type"] == 3 or all(NAME.fullmatch(name) and name == name.lower() for name in names)
            assert set(option["name_localizations"]) >= LOCALES["es"] or option["name"].startswith("photo")
        if command["type"] == 1:
            said = [command["description"], *command["description_localizations"].values()]
            assert all(1 <= len(words) <= 100 for words in said)
    for locale in (None, "es-ES"):
        names = [c["name_localizations"].get(locale, c["name"]) if locale else c["name"] for c in told]
        assert len(set(names)) == len(names)
    assert set(LANGUAGES) == {"en", *LOCALES}


async def test_commands_are_for_servers_private_chats_and_own_accounts() -> None:
    for command in await payloads(await tree_of(client())):
        assert command["contexts"] == [0, 1, 2]
        assert command["integration_types"] == [0, 1]


async def test_ten_photos_have_ten_names_in_every_language() -> None:
    (headshot,) = [c for c in await payloads(await tree_of(client())) if c["name"] == "headshot"]
    photos = [o for o in headshot["options"] if o["type"] == 11]
    assert [o["name"] for o in photos] == [f"photo{i}" for i in range(1, 11)]
    assert [o["name_localizations"]["es-ES"] for o in photos] == [f"foto{i}" for i in range(1, 11)]
    assert not any(o.get("required") for o in headshot["options"])
    assert len(headshot["options"]) <= 25


async def test_commands_are_told_when_they_have_changed_and_only_then(
    discord_server: DiscordServer, tmp_path: Path
) -> None:
    noted, menu = tmp_path / "commands", default_menu()

    async def starts(menu: Menu, application: int = 1) -> bool:
        async with client() as bot:
            await bot.login(TOKEN)
            return await sync(await tree_of(bot, menu), (bot.application_id or 0) * application, noted)

    assert await starts(menu)
    writes = discord_server.commands.writes
    assert not await starts(menu)
    assert discord_server.commands.writes == writes
    other = replace(menu, purposes=menu.purposes[:1])
    assert await starts(other)
    assert await starts(other, 2), "another application knows nothing yet"
    discord_server.fail("PUT", "commands", 400)
    with pytest.raises(discord.HTTPException):
        await starts(menu)
    assert await starts(menu), "what was refused is told the next time"


@pytest.mark.parametrize("language", list(LANGUAGES))
@pytest.mark.parametrize("looks", [1, 4, CHOICES, CHOICES + 1, 60])
async def test_the_form_is_one_that_discord_takes_however_many_looks_there_are(language: str, looks: int) -> None:
    menu = replace(default_menu(), looks=tuple(Look(f"look_{i}", f"Look {i}", "") for i in range(looks)))
    asked = form(menu, language, "look_0", "business")
    assert asked.is_finished(), "the library keeps none of it"
    checked = Form()
    shown: dict[str, Any] = asked.to_dict()
    check_modal(checked, shown, ())
    checked.check()
    upload, look, purpose = [label["component"] for label in shown["components"]]
    assert (upload["min_values"], upload["max_values"]) == (1, 10)
    assert [o["value"] for o in look["options"] if o.get("default")] == ["look_0"]
    assert [o["value"] for o in purpose["options"] if o.get("default")] == ["business"]


@pytest.mark.parametrize("language", list(LANGUAGES))
@pytest.mark.parametrize("purpose", ["", "personal"])
def test_every_look_is_in_the_form_by_family_and_those_for_the_purpose_stand_first(language: str, purpose: str) -> None:
    menu = default_menu()
    checked, shown = Form(), form(menu, language, "noir", purpose).to_dict()
    check_modal(checked, shown, ())
    checked.check()
    selects = [label["component"]["options"] for label in shown["components"][1:-1]]
    assert {option["value"] for options in selects for option in options} == {look.id for look in menu.looks}
    for options in selects:
        families = [menu.look(option["value"]).family for option in options]
        assert families == sorted(families, key=families.index), "a family stands together, on one select"
        assert all(option["description"] for option in options)
    offered = [option["value"] for options in selects for option in options]
    assert offered == [look.id for look in menu.suited_to(purpose).looks]
    assert [option["value"] for options in selects for option in options if option.get("default")] == ["noir"]


async def test_a_look_of_every_family_is_offered_before_a_letter_is_typed_and_a_family_by_its_name() -> None:
    menu, tree = default_menu(), await tree_of(client())
    (headshot,) = [c for c in tree.get_commands(type=discord.AppCommandType.chat_input) if c.name == "headshot"]
    assert isinstance(headshot, discord.app_commands.Command)

    async def offered(typed: str) -> list[str]:
        asked: Any = SimpleNamespace(locale="en-GB", namespace=SimpleNamespace(purpose="personal"))
        complete = headshot._params["look"].autocomplete
        assert callable(complete)
        return [choice.value for choice in await complete(asked, typed)]

    first = await offered("")
    assert len(first) == CHOICES
    assert {menu.look(look).family for look in first} == set(menu.families)
    for family, word in (("drawn", "draWn"), ("editorial", "editorial")):
        assert set(await offered(word)) == {look.id for look in menu.family(family)}
    assert await offered("noir") == ["noir"]


def sent(components: list[dict[str, Any]], attachments: dict[str, Any]) -> discord.Interaction[Any]:
    """A form that comes in, as Discord describes it."""
    data = {"custom_id": FORM, "components": components, "resolved": {"attachments": attachments}}
    raw: Any = {
        "id": str(CURRENT), "application_id": "2", "type": 5, "token": "t", "version": 1, "data": data,
        "attachment_size_limit": 10, "user": {"id": "7", "username": "ana", "discriminator": "0", "avatar": None},
    }  # fmt: skip
    return discord.Interaction(data=raw, state=client()._connection)


def file(number: int, name: str = "a.jpg", kind: str = "image/jpeg") -> dict[str, Any]:
    url = f"https://cdn.example/{number}"
    return {"id": str(number), "filename": name, "size": 9, "url": url, "proxy_url": url, "content_type": kind}


def field(name: str, *values: str) -> dict[str, Any]:
    return {"type": 18, "component": {"type": 3, "custom_id": name, "values": list(values)}}


async def test_a_form_becomes_choices_and_photos_whether_or_not_it_was_made_before_a_restart() -> None:
    heard = Heard()
    files = {"11": file(11), "12": file(12, "b.zip", "application/zip")}
    await form_sent(heard, sent([field("photos", "11", "12"), field("look0", "founder"), field("purpose")], files))
    asked, photo, other = heard.events
    assert asked == e.SittingAsked("founder", "")
    assert isinstance(photo, e.PhotoSent)
    assert (photo.unique, photo.size_bytes, photo.album) == ("11", 9, str(CURRENT))
    assert other == e.OtherSent("file")


async def test_a_form_without_a_choice_is_photos_alone_and_a_strange_one_does_no_harm() -> None:
    heard = Heard()
    await form_sent(heard, sent([field("photos", "11"), field("look0"), field("purpose")], {"11": file(11)}))
    assert [type(event) for event in heard.events] == [e.PhotoSent]
    heard.events.clear()
    fields = [field("photos", "11"), field("look0", "founder"), field("look1", "noir"), field("purpose", "personal")]
    await form_sent(heard, sent(fields, {"11": file(11)}))
    asked = [e.SittingAsked("founder", "personal"), e.SittingAsked("noir", "personal")]
    assert heard.events[:2] == asked, "one look of each select"
    heard.events[:] = heard.events[-1:]
    await form_sent(heard, sent([{"type": 10, "content": "words"}, field("photos", "99")], {}))
    assert len(heard.events) == 1
