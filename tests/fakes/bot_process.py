"""A process of bot and worker that a test may kill: `python bot_process.py STUDIO`, PYTHONPATH from the test."""

from __future__ import annotations

import sys

from bots.__main__ import telegram
from jobs.run import run
from jobs.settings import load

if __name__ == "__main__":
    run(load(), [telegram], studio=sys.argv[1])
