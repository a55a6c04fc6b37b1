"""The first portrait in a chat on each platform: on the message of the progress, which becomes the gallery or goes."""

from __future__ import annotations

from pathlib import Path

from tests.chats import Chat, Person, has_picked_office, id_of, portraits, running_bot
from tests.fakes.hold import Hold

FIRST = "Here is the first one. The others are being drawn."


async def sees_first(ana: Person) -> str:
    """Order four portraits, and wait for the first, after which the studio is held; return its message's id."""
    await has_picked_office(ana)
    await ana.presses("Personal")
    await ana.can_press("✓ Personal")
    await ana.presses("Go: 4")
    return id_of(await ana.sees(FIRST))


async def test_it_is_a_picture_with_a_sentence_on_the_message_that_becomes_the_gallery(
    chat: Chat, tmp_path: Path, hold: Hold
) -> None:
    async with running_bot(tmp_path, chat):
        ana = chat.person(7)
        first = await sees_first(ana)
        assert portraits(ana) == [first]
        hold.let_go()
        gallery = await ana.sees("1/3 · Office")
        assert portraits(ana) == [id_of(gallery)] == [first]
        assert FIRST not in "\n".join(ana.screen())


async def test_stopping_takes_it_out_of_the_chat(chat: Chat, tmp_path: Path, hold: Hold) -> None:
    async with running_bot(tmp_path, chat):
        ana = chat.person(7)
        await sees_first(ana)
        await ana.presses("Stop")
        await ana.sees("Stopped. Nothing was delivered.")
        await ana.can_press("Go: 4")
        assert portraits(ana) == []
        assert not any("I am stopping" in text for text in ana.screen())


async def test_bot_and_worker_that_are_started_again_show_it_once(chat: Chat, tmp_path: Path, hold: Hold) -> None:
    ana = chat.person(7)
    async with running_bot(tmp_path, chat):
        first = await sees_first(ana)
    hold.let_go()
    async with running_bot(tmp_path, chat):
        gallery = await ana.sees("1/3 · Office")
        assert portraits(ana) == [id_of(gallery)] == [first]


async def test_forgetting_takes_it_with_everything_else(chat: Chat, tmp_path: Path, hold: Hold) -> None:
    async with running_bot(tmp_path, chat):
        ana = chat.person(7)
        await sees_first(ana)
        await ana.says("/forget")
        await ana.presses("Delete everything")
        receipt = await ana.sees("Everything is deleted")
        assert [id_of(message) for message in ana.chat()] == [id_of(receipt)]
        assert [file for file in (tmp_path / "shelf").rglob("*") if file.is_file()] == []
