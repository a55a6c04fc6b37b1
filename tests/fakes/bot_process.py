"""A process of the bot that a test may kill: `python bot_process.py [STUDIO]`, with a worker when a studio is named."""

from __future__ import annotations

import sys

from bots.cli import telegram
from jobs.run import run
from jobs.settings import load

if __name__ == "__main__":
    studio = sys.argv[1:]
    run(load(), [telegram], work=bool(studio), studio=studio[0] if studio else "")
