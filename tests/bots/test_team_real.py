"""A team of four with everything real, on both platforms: their sheet is one set, and says how far it is from one."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from sqlalchemy import select

from bots.dialogue.menu import default_menu
from core.judge.consistency import BACKDROP_LIMIT, FRAME_LIMIT
from jobs.kinds.sheet import folder_of
from jobs.services import Services
from jobs.storage import schema as t
from tests import sitters
from tests.chats import Person, begins, running_bot
from tests.fakes.discord_server import DiscordServer
from tests.fakes.telegram_server import TelegramServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1700), pytest.mark.usefixtures("same_pictures")]
STUDIO = "tests.fakes.remembering_studio:RememberingStudio"
MENU = replace(default_menu(), count=1)
GROUP = -100123
SHEETS = "TEAM_SHEETS"
"""The environment variable that names a folder which the sheets are copied to, to be looked at."""
DIFFER = re.compile(r"at most ([\d.]+) % .* line, ([\d.]+) % .* height, and ΔE ([\d.]+) in the backdrop")


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One photo each: Grace Hopper and Eileen Collins, her mirror image, and the other in another light."""
    folder = tmp_path_factory.mktemp("photos")
    hopper = sitters.frames()[0]
    collins = np.asarray(cv2.resize(sitters.collins(), (1024, 1024), interpolation=cv2.INTER_CUBIC), np.uint8)
    files = []
    for name, rgb in {
        "hopper": hopper,
        "collins": collins,
        "mirrored": np.ascontiguousarray(hopper[:, ::-1]),
        "darker": sitters.exposed(collins, -0.5),
    }.items():
        files.append(folder / f"{name}.jpg")
        files[-1].write_bytes(sitters.encoded(rgb, "JPEG", quality=95))
    return files


async def opens(owner: Person) -> None:
    await begins(owner)
    await owner.says("/team")
    await owner.sees("Which look shall it be?")
    await owner.presses("Founder")
    await owner.sees("Your team in the look “Founder”: 0 people")


async def is_drawn_and_releases(member: Person, photo: Path) -> None:
    await member.presses("I agree")
    await member.sees("You are in the team: Founder")
    await member.sends_files([photo])
    await member.sees("I have 1 good photo")
    await member.presses("Choose looks")
    await member.sees("Your team's look: Founder")
    await member.presses("Go: 1")
    await member.sees("Your portrait is ready")
    await member.presses("Release to the team")
    await member.can_press("On the team's sheet")


async def claimed(owner: Person, services: Services, name: str) -> None:
    """The owner is shown one set of four, with how far its portraits are apart; nobody's own gallery."""
    whole = "4 people are in it, 4 on the sheet"
    measured: list[re.Match[str]] = []

    def is_whole() -> bool:
        """The card is counted up first, and says how alike they are once the sheet is drawn."""
        measured[:] = [found for text in owner.screen() if whole in text and (found := DIFFER.search(text))]
        return len(measured) == 1

    await owner.server.until(is_whole, owner.patience_s)
    (said,) = measured
    eyes, heads, backdrop = map(float, said.groups())
    assert max(eyes, heads) <= 100 * FRAME_LIMIT, said.group()
    assert backdrop <= BACKDROP_LIMIT, said.group()
    if folder := os.environ.get(SHEETS):
        async with services.database.read() as tx:
            account, number = (await tx.c.execute(select(t.teams.c.account_id, t.teams.c.id))).one()
        async for _, data in services.blob_store.files_in(account, folder_of(number)):
            await asyncio.to_thread(Path(folder, f"{name}.jpg").write_bytes, data)


async def test_on_discord(team: list[Path], tmp_path: Path) -> None:
    async with DiscordServer() as server, running_bot(tmp_path, server, STUDIO, MENU) as services:
        owner, *members = (server.person(7 + i, f"P{i}", patience_s=1500) for i in range(5))
        await opens(owner)
        await owner.commands("team", server.guild(owner, *members))
        for member, photo in zip(members, team, strict=True):
            await member.presses("Join the team")
            await member.sees("You are invited to a team. Please agree first")
            await is_drawn_and_releases(member, photo)
        await claimed(owner, services, "discord")
        assert server.violations == []


async def test_on_telegram(team: list[Path], tmp_path: Path) -> None:
    async with TelegramServer() as server, running_bot(tmp_path, server, STUDIO, MENU) as services:
        owner, *members = (server.person(7 + i, f"P{i}", patience_s=1500) for i in range(5))
        await opens(owner)
        await owner.says("/team@atelier_test_bot", group=GROUP)
        await server.until(lambda: len(server.group_texts(GROUP)) == 1)
        invitation = next(m for m in server.chats[GROUP].values() if "Press the button to join" in m.get("text", ""))
        payload = invitation["reply_markup"]["inline_keyboard"][0][0]["url"].partition("?start=")[2]
        for member, photo in zip(members, team, strict=True):
            await member.says(f"/start {payload}")
            await member.sees("You are invited to a team. Please agree first")
            await is_drawn_and_releases(member, photo)
        await claimed(owner, services, "telegram")
        assert server.violations == []
