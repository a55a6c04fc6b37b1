"""Whole chats over a loopback Bot API: real application, database, queue and worker; only pictures are quick."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bots.dialogue.text import LANGUAGES
from jobs import settings as s
from jobs.services import open_services
from jobs.storage.keys import signed_by
from tests.chats import STUDIO, begins, has_gallery, has_picked_office, running_bot, tries_a_passport_and_applies_to_all
from tests.fakes.hold import Hold
from tests.fakes.picture_studio import picture
from tests.fakes.telegram_server import TOKEN, TelegramServer

TESTS = Path(__file__).parents[2]
ACKNOWLEDGED_S = 1.0
"""How soon after its arrival a message is acknowledged, on a slow machine."""


async def test_a_whole_chat_from_consent_to_receipt(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await ana.says("/start style_founder")
        await ana.sees("You came for the look “Founder”")
        await ana.sends(picture("gray"))
        await ana.sees("I have not opened your photo")
        assert not any(call.method == "getFile" for call in server.calls), "nothing is fetched before consent"
        await ana.presses("I agree")
        await ana.sees("Thank you")

        good = [picture("gray", mark=str(i)) for i in range(3)]
        await ana.sends(*good, picture("black"), picture("red"), copies=2, reverse=True)
        card = await ana.sees("I have 3 good photos")
        await ana.sees("It is too dark")
        await ana.sees("somebody else")
        assert "head turned a little to your left" in (await ana.sees("I have 3 good photos"))["text"]
        assert len([m for m in ana.chat() if "Photo 1" in m.get("text", "")]) == 1, "one card for the album"
        assert card["message_id"] == (await ana.sees("I have 3 good photos"))["message_id"]

        await ana.presses("Take back")
        await ana.can_press("Choose looks")
        await ana.presses("Choose looks")
        await ana.sees("Picked: Founder")
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
        gallery = await ana.sees("1/6 · Founder · 97 % of your own baseline")
        assert "photo" in gallery
        assert "I made 8 and left 2 out" in (await ana.sees("Your 6 portraits"))["text"]
        assert (await ana.sees("Your 6 portraits"))["reply_to_message"]["message_id"] == gallery["message_id"]

        uploads = server.count("sendPhoto") + server.count("editMessageMedia")
        await ana.presses("▶")
        await ana.sees("2/6")
        await ana.presses("◀")
        await ana.sees("1/6")
        await ana.presses("♡ Favourite")
        await ana.sees("one of your favourites")
        assert server.count("editMessageMedia") + server.count("sendPhoto") - uploads == 2

        await ana.presses("Edit")
        await ana.presses("Tone")
        await ana.presses("Warmer: a touch")
        await ana.sees("Edited: Warmer: a touch")
        await ana.presses("Brighter: a touch")
        await ana.sees("Edited: Warmer: a touch, Brighter: a touch")
        await ana.sees("cost 4 points of likeness")
        await ana.presses("◂ Back")
        await ana.presses("Backdrop")
        await ana.presses("Backdrop: Park")
        await ana.sees("Edited: Warmer: a touch, Brighter: a touch, Backdrop: Park")
        await ana.presses("↶ Undo")
        await ana.can_press("↷ Redo")
        await ana.presses("Compare")
        await ana.sees("Before and after: as it was first made")
        await ana.presses("Show the edit")
        await ana.sees("Edited: Warmer: a touch, Brighter: a touch")
        await ana.presses("◂ Back")
        await tries_a_passport_and_applies_to_all(ana)
        await ana.presses("▶")
        await ana.sees("Edited: Warmer: a touch + Brighter: a touch")
        await ana.presses("◀")
        await ana.presses("Close edits")
        await ana.presses("All 6 files")
        await ana.sees("Your portraits in full quality")
        await ana.presses("As avatar")
        await ana.sees("cropped to fit a round")
        assert len([m for m in ana.chat() if "document" in m]) == 7

        await ana.says("/export")
        archive = await ana.sees("Everything I keep of you")
        names = server.zip_names(archive["document"]["file_id"])
        assert {"account.json", "photos/1", "photos/2"} <= set(names)

        await ana.says("/forget")
        await ana.presses("Delete everything")
        receipt_message = await ana.sees("Everything is deleted")
        receipt = json.loads(server.files[receipt_message["document"]["file_id"]].data)
        assert signed_by(receipt["public_key"], receipt["body"].encode(), receipt["signature"])
        assert json.loads(receipt["body"])["deleted"]["photos"] == 4
        assert [m["message_id"] for m in ana.chat()] == [receipt_message["message_id"]], "the bot's messages are gone"
        left = [file for file in (tmp_path / "shelf").rglob("*") if file.is_file()]
        assert left == []
        await ana.says("/start")
        await ana.sees("I am Atelier")


async def test_a_stranger_sent_first_is_outvoted_and_the_person_is_told(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await begins(ana)
        await ana.sends(picture("red"))
        await ana.sees("I have 1 good photo")
        await ana.sends(picture("gray", mark="1"))
        await ana.sees("I no longer use photo 1. These photos show different people")
        for number in (2, 3):
            await ana.sends(picture("gray", mark=str(number)))
        await ana.sees("photo 2 is good after all")
        await ana.sees("I have 3 good photos")
        assert any("Photo 1: ✗ not used. This seems to be somebody else" in m.get("text", "") for m in ana.chat())


async def test_taking_back_a_stranger_makes_the_own_photo_good_again(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await begins(ana)
        await ana.sends(picture("gray"))
        await ana.sees("I have 1 good photo")
        await ana.sends(picture("red"))
        await ana.sees("I no longer use photo 1")
        await ana.presses("Take back")
        await ana.sees("photo 1 is good after all")
        await ana.sees("I have 1 good photo.")


async def test_spanish_is_spoken_to_who_comes_with_it(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server):
        luz = server.person(8, "Luz", "es")
        await luz.says("/start")
        await luz.sees("¡Hola! Soy Atelier, un sistema de IA")
        await luz.presses("English")
        await luz.sees("Hello! I am Atelier, an AI system")
    assert {code for _, code in server.commands} == {"", *LANGUAGES}
    assert server.descriptions["setMyDescription:es"].startswith("Soy un estudio")


async def test_everything_else_is_answered_kindly(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await begins(ana)
        contents: list[tuple[dict[str, Any], str]] = [
            ({"sticker": {"file_id": "s", "file_unique_id": "s", "width": 1, "height": 1, "is_animated": False,
                          "is_video": False, "type": "regular"}}, "Nice sticker"),
            ({"voice": {"file_id": "v", "file_unique_id": "v", "duration": 1}}, "cannot listen"),
            ({"document": {"file_id": "d", "file_unique_id": "d", "mime_type": "application/zip"}}, "cannot use this"),
        ]  # fmt: skip
        for content, answer in contents:
            await server.push("message", ana.message(**content))
            await ana.sees(answer)
        await ana.says("is anybody there?")
        await ana.sees("look closely at photos")
        await server.push("edited_message", {**ana.message(text="changed"), "edit_date": 1})
        await ana.sees("I go by what you sent first")
        for command, answer in [
            ("/help", "How it works"), ("/privacy", "What I keep of you"), ("/cancel", "nothing to stop"),
            ("/report", "Write what is wrong"), ("/report it is not me", "on to the operator"),
            ("/language", "Which language"),
        ]:  # fmt: skip
            await ana.says(command)
            await ana.sees(answer)
        await ana.sends(picture("gray"), as_file=True, size=25_000_000)
        await ana.sees("This file is 25 MB, and I can only fetch up to 20 MB")
        assert server.count("getFile") == 0


async def test_a_forwarded_photo_is_looked_at_and_forwarded_words_are_answered(
    server: TelegramServer, tmp_path: Path
) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await begins(ana)
        origin: dict[str, Any] = {"forward_origin": {"type": "hidden_user", "sender_user_name": "Ben", "date": 1}}
        await server.push("message", ana.message(text="look at this", **origin))
        await ana.sees("look closely at photos")
        await ana.sends(picture("gray"), **origin)
        await ana.sees("I have 1 good photo")


async def test_photos_sent_as_files_come_whole(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server) as services:
        ana = server.person(7)
        await begins(ana)
        sent = picture("gray", (3000, 2000))
        await ana.sends(sent, as_file=True)
        await ana.sees("I have 1 good photo")
        async with services.database.read() as tx:
            account = await tx.account("telegram", "7", "7")
        assert await services.blob_store.get(account.id, "photos/1") == sent


async def test_a_flood_delays_and_loses_nothing(server: TelegramServer, tmp_path: Path) -> None:
    server.flood("editMessageMedia", 1, times=2)
    server.flood("sendMessage", 1)
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await has_gallery(ana)
        await ana.sees("1/3 · Office")


async def test_who_blocked_the_bot_finds_the_gallery_on_return(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server) as services:
        ana = server.person(7)
        await has_picked_office(ana)
        ana.blocked = True
        await ana.presses("Go: 4")
        async with services.database.read() as tx:
            account = await tx.account("telegram", "7", "7")

        async def drawn() -> bool:
            async with services.database.read() as tx:
                return len(await tx.portraits(account.id)) == 3 and not (await tx.addresses(account.id))[0].reachable

        await server.until(drawn)
        await ana.blocks(False)
        await ana.sees("Your 3 portraits are ready")
        await ana.sees("1/3 · Office")


async def test_buttons_work_after_a_restart_and_for_their_owner_only(server: TelegramServer, tmp_path: Path) -> None:
    ana, ben = server.person(7), server.person(9, "Ben")
    async with running_bot(tmp_path, server):
        await has_gallery(ana)
        message, button = ana.find("▶")
        await begins(ben)
    async with running_bot(tmp_path, server):
        await ana.presses("▶")
        await ana.sees("2/3")
        await ben.presses_data(button["callback_data"], message)
        await ben.sees("This button is not valid any more")
        assert all("photo" not in m for m in ben.chat())
        server.forget_queries()
        await ana.presses_data("0old:xxxx:1", message)
        await ana.presses_data("", message)
        await ana.presses("▶")
        await ana.sees("3/3")


async def test_a_sitting_is_cancelled_while_it_runs(server: TelegramServer, tmp_path: Path, hold: Hold) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await has_picked_office(ana)
        await ana.presses("Personal")
        await ana.can_press("✓ Personal")
        await ana.presses("Go: 4")
        await ana.can_press("Stop")
        await ana.presses("Stop", copies=2)
        await ana.sees("Stopped. Nothing was delivered.")
        await ana.can_press("Go: 4")


async def test_the_block_list_shuts_the_door(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server) as services:
        async with services.database.write() as tx:
            await tx.block("telegram", "7")
        ana = server.person(7)
        await ana.says("/start")
        await ana.sees("closed this studio for you")
        assert len(ana.chat()) == 1


@pytest.mark.slow
async def test_a_bot_killed_again_and_again_loses_nothing(server: TelegramServer, tmp_path: Path) -> None:
    """kill -9 at any moment, bot and worker together: no photo is lost, one gallery comes, the person only waits.

    Telegram has no key by which a message is sent once: a card of looks or a gallery comes twice where a kill fell
    between the first one's arrival and its acknowledgement, and nowhere else.
    """
    environment = {
        **os.environ, "ATELIER_DATA": str(tmp_path), "ATELIER_TELEGRAM_TOKEN": TOKEN,
        "ATELIER_TELEGRAM_API": server.url, "ATELIER_LEASE_S": "2",
    }  # fmt: skip
    ana, dice, over = server.person(7), random.Random(5), asyncio.Event()
    kills: list[float] = []

    async def live_and_die() -> None:
        for life in range(100):
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(TESTS / "fakes" / "bot_process.py"), STUDIO, env=environment
            )
            try:
                async with asyncio.timeout(dice.uniform(2.0, 5.0) if life < 6 else None):
                    await over.wait()
            except TimeoutError:
                kills.append(time.monotonic())
            finally:
                process.kill()
                await process.wait()
            if over.is_set():
                return

    dying = asyncio.create_task(live_and_die())
    try:
        await ana.says("/start")
        await ana.sees("I am Atelier", 60)
        await ana.presses("I agree")
        await ana.sees("Thank you", 60)
        await ana.sends(*(picture("gray", mark=str(i)) for i in range(4)), copies=2)
        await ana.sees("I have 4 good photos", 60)
        await ana.presses("Choose looks", within_s=60)
        await ana.presses("At work", within_s=60)
        await ana.presses("Office", within_s=60)
        await ana.presses("Go: 4", within_s=60)
        await ana.sees("Your 3 portraits are ready", 60)
        await ana.sees("1/3 · Office", 60)
        await ana.presses("Edit", within_s=60)
        await ana.presses("Tone", within_s=60)
        await ana.presses("Warmer", within_s=60)
        await ana.sees("Edited: Warmer", 60)
    finally:
        over.set()
        await dying
    galleries = [m for m in ana.chat() if "photo" in m and "reply_markup" in m]  # the looks have no buttons any more
    sent = [call.at for call in server.calls if call.method == "sendPhoto"]
    unacknowledged = sum(any(0 <= kill - at < ACKNOWLEDGED_S for at in sent) for kill in kills)
    assert 1 <= len(galleries) <= 1 + unacknowledged, "one gallery"
    async with open_services(s.load(data=tmp_path)) as services, services.database.read() as tx:
        account = await tx.account("telegram", "7", "7")
        assert len(await tx.photos(account.id)) == 4
        assert len(await tx.portraits(account.id)) == 4, "three kept, one edit, none twice"
