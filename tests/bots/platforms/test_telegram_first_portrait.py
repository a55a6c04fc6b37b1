"""The first portrait in a Telegram chat: on the message of the progress, which becomes the gallery or goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.chats import has_photos, running_bot
from tests.fakes.telegram_server import Person, TelegramServer

FIRST = "Here is the first one. The others are being drawn."


async def sees_first(ana: Person) -> dict[str, Any]:
    """Order four portraits that take a second each, and wait for the first."""
    await has_photos(ana)
    await ana.presses("Choose looks")
    await ana.sees("Pick one or more looks")
    await ana.presses("Office")
    await ana.can_press("Go: 4")
    await ana.presses("Personal")
    await ana.can_press("✓ Personal")
    await ana.presses("Go: 4")
    return await ana.sees(FIRST)


def pictures(ana: Person) -> list[int]:
    """The messages with a portrait; previews of looks say nothing of own photos."""
    portraits = [m for m in ana.chat() if "photo" in m and "from your own photos" in m["caption"]]
    return [message["message_id"] for message in portraits]


async def test_it_is_a_picture_with_a_sentence_on_the_message_that_becomes_the_gallery(
    server: TelegramServer, tmp_path: Path
) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        first = await sees_first(ana)
        assert "photo" in first
        assert "Made with AI" in first["caption"]
        assert pictures(ana) == [first["message_id"]]
        gallery = await ana.sees("1/3 · Office")
        assert gallery["message_id"] == first["message_id"]
        assert FIRST not in "\n".join(ana.screen())
        assert pictures(ana) == [first["message_id"]]


async def test_stopping_takes_it_out_of_the_chat(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await sees_first(ana)
        await ana.presses("Stop")
        await ana.sees("Stopped. Nothing was delivered.")
        await ana.can_press("Go: 4")
        assert pictures(ana) == []
        assert not any("I am stopping" in text for text in ana.screen())


async def test_bot_and_worker_that_are_started_again_show_it_once(server: TelegramServer, tmp_path: Path) -> None:
    ana = server.person(7)
    async with running_bot(tmp_path, server):
        first = await sees_first(ana)
    async with running_bot(tmp_path, server):
        gallery = await ana.sees("1/3 · Office")
        assert pictures(ana) == [gallery["message_id"]] == [first["message_id"]]


async def test_forgetting_takes_it_with_everything_else(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await sees_first(ana)
        await ana.says("/forget")
        await ana.presses("Delete everything")
        receipt = await ana.sees("Everything is deleted")
        assert [message["message_id"] for message in ana.chat()] == [receipt["message_id"]]
        assert [file for file in (tmp_path / "shelf").rglob("*") if file.is_file()] == []
