"""Whole chats over a loopback Discord: real discord.py, database, queue and worker; only pictures are quick."""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import sys
import zipfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from bots.runtime.session_store import SessionStore
from jobs import settings as s
from jobs.services import Services, open_services
from jobs.storage.keys import signed_by
from tests.chats import STUDIO, begins, has_gallery, running_bot, tries_a_passport_and_applies_to_all
from tests.fakes.discord_messages import V2, pictures_shown
from tests.fakes.discord_person import Person
from tests.fakes.discord_server import TOKEN, DiscordServer
from tests.fakes.hold import Hold
from tests.fakes.picture_studio import picture
from tests.live_services import until

TESTS = Path(__file__).parents[2]


async def test_a_whole_chat_in_the_dm_from_consent_to_receipt(discord_server: DiscordServer, tmp_path: Path) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await ana.says("/start")
        await ana.sees("I am Atelier")
        await ana.sends(picture("gray"))
        await ana.sees("I have not opened your photo")
        assert server.files.fetched == [], "nothing is fetched before consent"
        await ana.presses("I agree")
        await ana.sees("Thank you. Now send me")

        good = [picture("gray", mark=str(i)) for i in range(3)]
        await ana.sends(*good, picture("black"), picture("red"))
        await ana.sees("I have 3 good photos")
        await ana.sees("It is too dark")
        await ana.sees("somebody else")
        assert len([text for text in ana.screen() if "Photo 1" in text]) == 1, "one card for the album"

        await ana.presses("Take back")
        await ana.can_press("Choose looks")
        await ana.presses("Choose looks")
        await ana.presses("Creative")
        await ana.presses("Founder")
        await ana.sees("Picked: Founder")
        await ana.presses("All looks")
        await ana.presses("At work")
        await ana.presses("Office")
        await ana.sees("Picked: Founder, Office")
        await ana.presses("Change details")
        await ana.presses("Outfit")
        await ana.presses("Navy suit")
        await ana.sees("Outfit: Navy suit")
        await ana.presses("◂ Back")
        await ana.can_press("Go: 8")
        await ana.presses("Go: 8", copies=3)

        await ana.sees("Your 6 portraits are ready")
        gallery = await ana.sees("Founder · 97 % of your own baseline")
        assert 1 <= pictures_shown(gallery) <= 10
        assert all(stored.description for stored in gallery.attachments), "every picture has an alt text"
        await ana.presses("▶")
        await ana.sees("2/6")
        await ana.presses("◀")
        await ana.sees("1/6")
        await ana.presses("♡ Favourite")
        await ana.sees("one of your favourites")
        await ana.presses("Edit")
        await ana.presses("Tone")
        await ana.presses("Warmer: a touch")
        await ana.sees("Edited: Warmer: a touch")
        await ana.presses("Brighter: a touch")
        await ana.sees("Edited: Warmer: a touch, Brighter: a touch")
        await ana.presses("↶ Undo")
        await ana.can_press("↷ Redo")
        await ana.presses("Compare")
        await ana.can_press("Show the edit")
        assert pictures_shown(ana.find("Show the edit")[0]) == 2, "before and after, side by side"
        await ana.presses("Show the edit")
        await ana.presses("◂ Back")
        await ana.presses("Backdrop")
        await ana.presses("Backdrop: Park")
        await ana.sees("Edited: Warmer: a touch, Backdrop: Park")  # a branch: what was undone is not under it
        await ana.presses("◂ Back")
        await tries_a_passport_and_applies_to_all(ana)
        await ana.presses("Close edits")
        await ana.presses("All 6 files")
        files = await ana.sees("Your portraits in full quality")
        assert len(files.attachments) == 6

        await ana.says("/export")
        archive = await ana.sees("Everything I keep of you")
        names = zipfile.ZipFile(io.BytesIO(archive.attachments[0].data)).namelist()
        assert {"account.json", "photos/1", "photos/2"} <= set(names)

        await ana.says("/forget")
        await ana.presses("Delete everything")
        last = await ana.sees("Everything is deleted")
        receipt = json.loads(last.attachments[0].data)
        assert signed_by(receipt["public_key"], receipt["body"].encode(), receipt["signature"])
        assert json.loads(receipt["body"])["deleted"]["photos"] == 4
        await server.until(lambda: [m.id for m in ana.chat()] == [last.id])
        assert [file for file in (tmp_path / "shelf").rglob("*") if file.is_file()] == []
        assert server.interactions.unanswered() == []


async def test_buttons_work_after_a_restart_and_for_their_owner_only(
    discord_server: DiscordServer, tmp_path: Path
) -> None:
    server = discord_server
    ana, ben = server.person(7), server.person(9, "Ben")
    async with running_bot(tmp_path, server):
        await has_gallery(ana)
        await ana.sees("1/3")
        message, button, _ = ana.find("▶")
        await begins(ben)
    async with running_bot(tmp_path, server):
        await ana.presses("▶")
        await ana.sees("2/3")
        await ben.presses_data(button["custom_id"], message)
        await ben.sees("This button is not valid any more")
        assert all(pictures_shown(m) == 0 for m in ben.chat())
        row = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Long ago", "custom_id": "0old:xxxx:1"}]}
        server.messages.send(ana.dm, {"flags": V2, "components": [row]}, {})
        await ana.presses("Long ago")
        await ana.sees("This button is from an earlier version")
        await ana.presses("▶")
        await ana.sees("3/3")


async def until_known(services: Services, ana: Person) -> None:
    """Wait until the bot knows of everything that somebody was shown."""
    store = SessionStore("discord", keep_days=7)

    async def known() -> bool:
        async with services.database.read() as tx:
            account = await tx.known_account("discord", ana.id_text)
            return account is not None and (await store.load(tx, account.id))[0].outbox == ()

    await until(known)


async def test_closed_dms_are_told_in_time_and_the_gallery_waits(discord_server: DiscordServer, tmp_path: Path) -> None:
    server = discord_server
    async with running_bot(tmp_path, server) as services:
        ana = server.person(7)
        team = server.guild(ana)
        await ana.says("/start", team)
        await ana.presses("I agree")
        await ana.sees("Thank you. Now")
        ana.closed = True
        photos = {f"photo{i}": picture("gray", mark=str(i)) for i in (1, 2)}
        await ana.commands("headshot", team, **photos)
        await ana.sees("I have 2 good photos")
        await ana.presses("Choose looks")
        await ana.presses("At work")
        await ana.presses("Office")
        await ana.presses("Go: 4")
        await ana.sees("I cannot write to you in private")
        await ana.sees("1/3 · Office")
        await until_known(services, ana)
        server.interactions.forget()  # fifteen minutes are over
        shown = len(ana.chat())
        await ana.says("/gallery", team)
        await ana.sees("Your portraits:")
        await ana.presses(ana.buttons()[0])
        await server.until(lambda: any("1/3 · Office" in text for text in ana.screen()[shown:]))


async def test_in_a_server_everything_is_for_the_eyes_of_one(discord_server: DiscordServer, tmp_path: Path) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana, ben = server.person(7), server.person(9, "Ben")
        team = server.guild(ana, ben)
        await ana.says("/help", team)
        await ana.sees("How it works")
        await ana.commands("headshot", team, **{name: picture("gray", mark=name) for name in ("photo1", "photo2")})
        await ana.presses("I agree")
        await ana.sees("Thank you")
        assert ben.chat() == []
        assert all(message.ephemeral_for == "7" for message in ana.chat(team))


async def test_the_form_brings_photos_and_a_look(discord_server: DiscordServer, tmp_path: Path) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await begins(ana)
        await ana.commands("headshot")
        await ana.fills(picture("gray", mark="1"), picture("gray", mark="2"), look="founder")
        await ana.sees("I have 2 good photos")
        await ana.presses("Choose looks")
        await ana.sees("Picked: Founder")


async def test_spanish_is_spoken_to_who_comes_with_it(discord_server: DiscordServer, tmp_path: Path) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        luz = server.person(8, "Luz", "es")
        await luz.says("/start")
        await luz.sees("Soy Atelier")
        await luz.presses("English")
        await luz.sees("I am Atelier, an AI system")
        names = {c["name"]: c["name_localizations"] for c in server.commands.all}
        assert names["gallery"]["es-ES"] != "gallery"
    writes = server.commands.writes
    async with running_bot(tmp_path, server):
        await luz.says("/start")
        await luz.sees("I am Atelier, an AI system")
    assert server.commands.writes == writes, "the commands have not changed: they are not written again"


@pytest.mark.slow
async def test_a_bot_killed_again_and_again_loses_nothing(discord_server: DiscordServer, tmp_path: Path) -> None:
    """kill -9 at any moment, bot and worker together; who pressed into the void was told so, and presses again."""
    server, dice, over = discord_server, random.Random(5), asyncio.Event()
    environment = {
        **os.environ, "ATELIER_DATA": str(tmp_path), "ATELIER_DISCORD_TOKEN": TOKEN, "ATELIER_DISCORD_API": server.url,
        "ATELIER_LEASE_S": "2",
    }  # fmt: skip
    ana = server.person(7, patience_s=120)

    async def live_and_die() -> None:
        for life in range(100):
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(TESTS / "fakes" / "bot_process.py"), STUDIO, env=environment
            )
            try:
                await server.until(lambda: server.gateway.listening, 120)
                async with asyncio.timeout(dice.uniform(1.0, 5.0) if life < 5 else None):
                    await over.wait()
            except TimeoutError:
                pass
            finally:
                process.kill()
                await process.wait()
            if over.is_set():
                return

    async def gets(acting: Callable[[], Awaitable[None]], words: str) -> None:
        """Do it again while it brings nothing."""
        for _ in range(30):
            with suppress(AssertionError):
                await acting()
                await ana.sees(words, 8)
                return
            if any(words in text for text in ana.screen()):
                return
        raise AssertionError(f"{words!r} never came: {ana.screen()}")

    dying = asyncio.create_task(live_and_die())
    try:
        await gets(lambda: ana.says("/start"), "I am Atelier")
        await gets(lambda: ana.presses("I agree", 1, 8), "Thank you")
        await ana.sends(*(picture("gray", mark=str(i)) for i in range(4)))
        await ana.sees("I have 4 good photos")
        await gets(lambda: ana.presses("Choose looks", 1, 8), "Pick one or more looks")
        await gets(lambda: ana.presses("At work", 1, 8), "1. Office")
        await gets(lambda: ana.presses("Office", 1, 8), "Picked: Office")
        await gets(lambda: ana.presses("Go: 4", 1, 8), "Your 3 portraits are ready")
        await ana.sees("1/3 · Office")
    finally:
        over.set()
        await dying
    galleries = [message for message in ana.chat() if pictures_shown(message) and "1/3 · Office" in message.text]
    assert len(galleries) == 1, "one gallery"
    async with open_services(s.load(data=tmp_path)) as services, services.database.read() as tx:
        account = await tx.account("discord", "7", "7")
        assert len(await tx.photos(account.id)) == 4
        assert len(await tx.portraits(account.id)) == 3, "three kept, none twice"


async def test_a_gallery_that_takes_longer_than_a_token_comes_as_a_message(
    discord_server: DiscordServer, tmp_path: Path, hold: Hold
) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        team = server.guild(ana)
        await ana.says("/start", team)
        await ana.presses("I agree")
        await ana.sees("Thank you. Now")
        await ana.commands("headshot", team, **{f"photo{i}": picture("gray", mark=str(i)) for i in (1, 2)})
        await ana.sees("I have 2 good photos")
        await ana.presses("Choose looks")
        await ana.presses("Personal")
        await ana.presses("At work")
        await ana.presses("Office")
        await ana.presses("Go: 4")
        await ana.sees("Your portraits")
        server.interactions.forget()
        hold.let_go()
        await ana.sees("1/3 · Office")
        assert any("1/3 · Office" in m.text for m in ana.chat(ana.dm)), "in the private chat, where it stays"


async def test_where_the_bot_is_no_member_five_answers_are_followed_by_the_private_chat(
    discord_server: DiscordServer, tmp_path: Path
) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        ana.installed = True
        elsewhere = server.guild(ana, bot=False)
        await ana.says("/start", elsewhere)
        await ana.presses("I agree")
        await ana.sees("Thank you. Now")
        photos = {f"photo{i}": picture(colour, mark=str(i)) for i, colour in enumerate(["gray"] * 8 + ["black"] * 2, 1)}
        await ana.commands("headshot", elsewhere, **photos)
        await ana.sees("I have 8 good photos")
        assert all(m.ephemeral_for == "7" for m in ana.chat(elsewhere))


async def test_a_message_of_somebody_else_is_no_photo_of_mine(discord_server: DiscordServer, tmp_path: Path) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana, ben = server.person(7), server.person(9, "Ben")
        team = server.guild(ana, ben)
        await begins(ana)
        theirs = await ben.sends(picture("gray", mark="Ben"), channel=team)
        mine = await ana.sends(picture("gray", mark="Ana"), channel=team)
        (menu,) = [command["name"] for command in server.commands.all if command["type"] == 3]
        await ana.uses(menu, theirs)
        await ana.sees("That message is not yours")
        await ana.uses(menu, mine)
        await ana.sees("I have 1 good photo")
        assert theirs.attachments[0].id not in server.files.fetched


async def test_looks_are_completed_while_typing(discord_server: DiscordServer, tmp_path: Path) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await ana.types("headshot", "look", "foun")
        await server.until(lambda: bool(ana.choices))
        assert [choice["value"] for choice in ana.choices] == ["founder"]
