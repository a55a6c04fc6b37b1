"""Whole chats with everything real: worker, engine, photos of two real people that ship in packages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bots import cli as front
from bots.dialogue.menu import Menu, default_menu
from bots.platforms.console import Terminal
from bots.platforms.transcript import play, read
from jobs import settings as s
from tests import sitters
from tests.chats import Player, running_bot, shows_picture
from tests.fakes import remembering_studio
from tests.fakes.discord_server import DiscordServer
from tests.fakes.telegram_files import as_telegram
from tests.fakes.telegram_server import TelegramServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1700), pytest.mark.usefixtures("same_pictures")]

CONSENT = """
> /start
< I am Atelier, an AI system
> [I agree]
< Thank you
> + me.jpg me_again.jpg blurred.jpg stranger.jpg
< I no longer use photo 1. It is the same moment as a photo I already have
< Photo 3: ✗ not used. It is a bit blurred
< I no longer use photo 2. These photos show different people
> [Take back]
< photo 2 is good after all
< I have 1 good photo
> [Choose looks]
< Pick one or more looks
> [At work]
> [Office]
< Picked: Office
> [All looks]
> [Creative]
> [Founder]
< Picked: Office, Founder
> [Change details]
< Outfit
> [Outfit]
< What would you like to wear?
"""
DRESSED = """
> [Navy suit]
< Outfit: Navy suit
> [◂ Back]
< Outfit: Navy suit
> [Go: 2]
< Your portraits
"""
GALLERY = """
< Your 2 portraits are ready
> [▶]
< 2/2 ·
> [Edit]
< 2/2
> [Tone]
< 2/2
> [Warmer: a touch]
< Edited: Warmer: a touch
> [Brighter: a touch]
< Edited: Warmer: a touch, Brighter: a touch
> [◂ Back]
< 2/2
> [Light]
< 2/2
> [Light from the left: a touch]
< Edited: Warmer: a touch, Brighter: a touch, Light from the left: a touch
> [↶ Undo]
< Edited: Warmer: a touch, Brighter: a touch
> [◂ Back]
< 2/2
> [Clothes]
< 2/2
> [Wear: Black turtleneck]
< Edited: Warmer: a touch, Brighter: a touch, Wear: Black turtleneck
> [↶ Undo]
< Edited: Warmer: a touch, Brighter: a touch
> [Close edits]
< 2/2
> [All 2 files]
< full quality
> /forget
< Delete everything?
> [Delete everything]
< This is your receipt
"""
STUDIO = "tests.fakes.remembering_studio:RememberingStudio"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grace Hopper at the smallest print's size: a little soft, sharper by a fifth, and out of focus; Collins as the
    stranger.
    """
    folder = tmp_path_factory.mktemp("photos")
    me = sitters.frames()[0]
    stranger = np.asarray(Image.fromarray(sitters.collins()).resize((1024, 1024)))
    named = {
        "me": cv2.GaussianBlur(me, (0, 0), 0.6)[4:, 4:],
        "me_again": me,
        "blurred": sitters.blurred(me, 0.08),
        "stranger": stranger,
    }
    for name, rgb in named.items():
        photo = sitters.encoded(rgb, "JPEG", quality=95)
        (folder / f"{name}.jpg").write_bytes(as_telegram(photo, 1280))  # the same photos in every chat: drawn once
    return folder


@pytest.fixture(autouse=True)
def worn(remembered: Path) -> Iterator[None]:
    """Every portrait that is drawn, on whatever platform, wears the outfit that was picked by its picture."""
    yield
    drawn = [json.loads(file.read_text("utf-8")) for file in remembered.glob("studio-shoot-*/answer.json")]
    outfits = [portrait["recipe"]["settings"]["outfit"] for answer in drawn for portrait in answer["portraits"]]
    assert outfits
    assert set(outfits) == {"navy_suit"}


@pytest.fixture
def menu() -> Menu:
    """The default menu with one portrait a look, to be done sooner."""
    return replace(default_menu(), count=1)


async def test_a_whole_chat_in_the_terminal_from_consent_to_receipt(photos: Path, tmp_path: Path, menu: Menu) -> None:
    record = tmp_path / "record.txt"
    with record.open("w") as out:
        terminal = Terminal(tmp_path / "pictures", out, patience_s=1500)
        config = s.load(data=tmp_path / "data")
        await front.talk(config, terminal, read(CONSENT + DRESSED + GALLERY), photos, STUDIO, menu)
    assert [path for path in (tmp_path / "data" / "shelf").rglob("*") if path.is_file()] == []


async def test_the_same_chat_over_telegram_with_a_restart_while_it_is_at_work(
    photos: Path, tmp_path: Path, menu: Menu, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with TelegramServer() as server:
        ana = server.person(7, patience_s=1500)
        async with running_bot(tmp_path, server, STUDIO, menu):
            await play(read(CONSENT), Player(ana), photos)
            assert shows_picture(ana.find("Navy suit")[0]), "outfits are picked by pictures"
            await play(read(DRESSED), Player(ana), photos)
        monkeypatch.setenv(remembering_studio.NO_PHOTOS, "1")
        async with running_bot(tmp_path, server, STUDIO, menu):
            await play(read(GALLERY), Player(ana), photos)
        galleries = [message for message in ana.chat() if "photo" in message]
        assert server.violations == []
        assert galleries == [], "the receipt is all that is left"
    assert [path for path in (tmp_path / "shelf").rglob("*") if path.is_file()] == []


async def test_a_whole_sitting_on_discord_with_a_restart_while_it_is_at_work(
    photos: Path, tmp_path: Path, menu: Menu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Consent, four photos with a stranger, two looks; then another process: gallery, edits, files, receipt."""
    async with DiscordServer() as server:
        ana = server.person(7, patience_s=1500)
        async with running_bot(tmp_path, server, STUDIO, menu):
            await play(read(CONSENT), Player(ana), photos)
            assert shows_picture(ana.find("Navy suit")[0]), "outfits are picked by pictures"
            await play(read(DRESSED), Player(ana), photos)
        monkeypatch.setenv(remembering_studio.NO_PHOTOS, "1")
        async with running_bot(tmp_path, server, STUDIO, menu):
            await play(read(GALLERY), Player(ana), photos)
            await ana.sees("Everything is deleted")
            await server.until(lambda: len(ana.chat()) == 1)
        assert all(stored.description for stored in server.files.kept.values() if stored.name.startswith("atelier-"))
        assert server.violations == []
        assert server.interactions.unanswered() == []
    assert [path for path in (tmp_path / "shelf").rglob("*") if path.is_file()] == []
