"""The preview of an edit in a chat on each platform: on the gallery's message, until the whole is there or it ends."""

from __future__ import annotations

from pathlib import Path

from tests.chats import Chat, Person, has_gallery, id_of, portraits, running_bot
from tests.fakes.hold import Hold

PREVIEW = "The whole picture takes its place in a moment."


async def sees_preview(ana: Person, strength: str) -> str:
    """Enlarge a portrait, and wait for the preview; return its message's id."""
    await ana.presses(strength)
    return id_of(await ana.sees(PREVIEW))


async def test_it_is_on_the_gallery_s_message_until_the_whole_is_there_or_the_edit_ends(
    chat: Chat, tmp_path: Path, hold: Hold
) -> None:
    async with running_bot(tmp_path, chat, stop_grace_s=0.3):
        ana = chat.person(7)
        hold.let_go()
        await has_gallery(ana)
        hold.again()
        await ana.presses("Edit")
        await ana.presses("Framing")
        failing = await sees_preview(ana, "four times the size")
        assert portraits(ana) == [failing]
        hold.let_go()
        back = await ana.sees("1/3 · Office")
        assert portraits(ana) == [id_of(back)] == [failing], "an edit that failed leaves none"
        hold.again()
        await sees_preview(ana, "Enlarge: twice the size")
        await ana.says("/cancel")
        await ana.sees("Stopped. Nothing was delivered.")
        back = await ana.sees("1/3 · Office")
        assert portraits(ana) == [id_of(back)] == [failing], "nor does one that was called off"
        await sees_preview(ana, "Enlarge: twice the size")
        hold.let_go()
        whole = await ana.sees("Edited: Enlarge: twice the size")
        assert portraits(ana) == [id_of(whole)] == [failing]
        assert PREVIEW not in "\n".join(ana.screen())


async def test_forgetting_takes_it_with_everything_else(chat: Chat, tmp_path: Path, hold: Hold) -> None:
    async with running_bot(tmp_path, chat, stop_grace_s=0.3):
        ana = chat.person(7)
        hold.let_go()
        await has_gallery(ana)
        hold.again()
        await ana.presses("Edit")
        await ana.presses("Framing")
        await sees_preview(ana, "Enlarge: twice the size")
        await ana.says("/forget")
        await ana.presses("Delete everything")
        receipt = await ana.sees("Everything is deleted")
        assert [id_of(message) for message in ana.chat()] == [id_of(receipt)]
        assert [file for file in (tmp_path / "shelf").rglob("*") if file.is_file()] == []
