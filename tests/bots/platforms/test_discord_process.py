"""The Discord bot as a process of its own: what it loads, and how much memory it takes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chats import begins
from tests.fakes.discord_server import TOKEN, DiscordServer
from tests.fakes.picture_studio import picture

MOST_MB = 150
HEAVY = ("torch", "cv2", "mediapipe", "scipy", "numpy", "telegram", "nacl")
RUN = "from core.cli import main; main(['run', 'discord'])"


def test_the_bot_loads_neither_the_studio_nor_another_platform() -> None:
    script = f"""
import sys, bots.cli, bots.platforms.discord.service
print(*sorted(name for name in {HEAVY!r} if name in sys.modules))
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []


def most_kb(process: int) -> int:
    """The most memory that a process held at any time."""
    return int(Path(f"/proc/{process}/status").read_text().partition("VmHWM:")[2].split()[0])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc, which Linux has")
async def test_a_bot_that_serves_stays_within_its_memory_and_ends_when_told(
    discord_server: DiscordServer, tmp_path: Path
) -> None:
    settings = {"DATA": str(tmp_path), "DISCORD_TOKEN": TOKEN, "DISCORD_API": discord_server.url}
    environment = os.environ | {f"ATELIER_{name}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, env=environment)
    try:
        await discord_server.until(lambda: discord_server.gateway.listening, 120)
        ana = discord_server.person(7, patience_s=120)
        await begins(ana)
        await ana.sends(*(picture("gray", mark=str(i)) for i in range(10)))
        await ana.sees("Photo 10")
        assert most_kb(process.pid) <= MOST_MB * 1024
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
