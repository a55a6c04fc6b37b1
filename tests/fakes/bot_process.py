"""A process of the bot that a test may kill: `python bot_process.py [STUDIO]`, with a worker when a studio is named.

It is the bot of the platform whose token the environment has.
"""

from __future__ import annotations

import sys

from bots.cli import discord, telegram
from jobs.run import run
from jobs.settings import load

if __name__ == "__main__":
    studio, settings = sys.argv[1:], load()
    run(
        settings,
        [discord if settings.discord_token else telegram],
        work=bool(studio),
        studio=studio[0] if studio else "",
    )
