"""Stickers on both platforms: one press on a drawn portrait, in the shape each takes, gone with everything else."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from core.deliver.sticker import KINDS
from tests.chats import Person, has_photos, running_bot
from tests.fakes.discord_server import DiscordServer
from tests.fakes.telegram_server import TelegramServer


async def has_anime(person: Person) -> None:
    await has_photos(person)
    await person.presses("Choose looks")
    await person.presses("Drawn")
    await person.presses("Anime")
    await person.can_press("Go: 4")
    await person.presses("Go: 4")
    await person.sees("1/3 · Anime")


async def test_telegram_gets_a_real_sticker_and_says_how_to_keep_it(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await has_anime(ana)
        server.flood("sendSticker", 1)
        await ana.presses("As sticker", copies=2)
        await ana.sees("choose “Add to Favorites”")
        await server.until(lambda: any("sticker" in message for message in ana.chat()))
        (sent,) = (message["sticker"] for message in ana.chat() if "sticker" in message)
        assert (sent["width"], sent["height"]) == (512, 512)
        assert not any("document" in message for message in ana.chat()), "what is no sticker goes out as a file"
        with Image.open(io.BytesIO(server.files[sent["file_id"]].data)) as cut:
            assert (cut.format, cut.mode) == ("WEBP", "RGBA")

        await ana.presses("Edit")  # the portrait is still there, with all that can be done with it
        await ana.can_press("Close edits")
        await ana.says("/forget")
        await ana.presses("Delete everything")
        await ana.sees("Everything is deleted")
        assert not any("sticker" in message for message in ana.chat())
        assert [file for file in (tmp_path / "shelf").rglob("*") if file.is_file()] == []


async def test_discord_gets_files_fit_for_a_server_and_says_where_they_go(
    discord_server: DiscordServer, tmp_path: Path
) -> None:
    async with running_bot(tmp_path, discord_server):
        ana = discord_server.person(7)
        await has_anime(ana)
        await ana.presses("As sticker")
        await ana.sees("open Server Settings")
        await discord_server.until(lambda: len(ana.chat()[-1].attachments) == 2)
        sizes = []
        for stored in ana.chat()[-1].attachments:
            with Image.open(io.BytesIO(stored.data)) as cut:
                assert (cut.format, cut.mode) == ("PNG", "RGBA")
                sizes.append(cut.size)
            assert stored.description == "Your portrait as a sticker. Made with AI."
        assert sizes == [(KINDS[kind].size,) * 2 for kind in ("discord_sticker", "discord_emoji")]


async def test_a_photograph_is_not_offered_as_a_sticker(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await has_photos(ana)
        await ana.presses("Choose looks")
        await ana.presses("At work")
        await ana.presses("Office")
        await ana.presses("Go: 4")
        await ana.can_press("As avatar")
        assert "As sticker" not in ana.buttons()
