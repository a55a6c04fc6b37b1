"""Measure the bot with many people at once, over a loopback Bot API; the studio's work is stubbed.

    python -m tools.bench_bots [--people 200] [--think 15]

Everybody goes through a whole chat (consent, four photos, a look, a gallery, an edit, files), thinking for an
exponentially distributed time between acts. The bot with its database and queue is a process of its own, a worker that
closes every job at once is another; the people and the Bot API are this one. Time is measured from the moment an
update is at the server until the bot's first request for that person, and until it first shows something. Prints one
JSON object. With less time to think the people ask for more messages than the thirty a second that Telegram lets any
bot send, and wait for those.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path

from tests.fakes.picture_studio import picture
from tests.fakes.telegram_server import TOKEN, Person, TelegramServer

ROOT = Path(__file__).resolve().parent.parent


class Stopwatch:
    """Times from the moment a person's update is at the server to the first answer, and to the first thing shown."""

    def __init__(self, think_s: float, seed: int) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._think_s, self._dice = think_s, random.Random(seed)

    async def act(self, person: Person, kind: str, acting: Awaitable[None]) -> None:
        """Think, act, and wait until something is shown."""
        await asyncio.sleep(self._dice.expovariate(1 / self._think_s))
        await acting
        async with asyncio.timeout(60):
            while "shown" not in person.waited:
                person.stirred.clear()
                await person.stirred.wait()
        self.seconds.setdefault(kind, []).append(min(person.waited.values()))
        self.seconds.setdefault(f"{kind}_shown", []).append(person.waited["shown"])

    async def press(self, person: Person, label: str) -> None:
        """Wait for a button, think, and press it."""
        await person.can_press(label, 300)
        await self.act(person, "press", person.presses(label))


async def whole_chat(person: Person, watch: Stopwatch, photos: list[bytes]) -> None:
    """Go through a chat as a person does: after each act wait for what it should bring."""
    await watch.act(person, "command", person.says("/start"))
    await watch.press(person, "I agree")
    await person.sees("Thank you", 120)
    await watch.act(person, "photo", person.sends(*photos))
    await person.sees("I have 4 good photos", 300)
    for label in ("Choose looks", "Office", "Go: 4"):
        await watch.press(person, label)
    await person.sees("portraits are ready", 600)
    for label in ("▶", "▶", "♡ Favourite", "Edit", "Warmer"):
        await watch.press(person, label)
    await person.sees("Edited: Warmer", 600)
    for label in ("Close edits", "All 4 files"):
        await watch.press(person, label)
    await person.sees("full quality", 120)


async def bench(people: int, think_s: float) -> dict[str, object]:
    """Run it and return the figures."""
    photos = [picture("gray", mark=str(i)) for i in range(4)]
    with tempfile.TemporaryDirectory() as folder:
        async with TelegramServer() as server:
            environment = {
                **os.environ, "ATELIER_DATA": folder, "ATELIER_TELEGRAM_TOKEN": TOKEN,
                "ATELIER_TELEGRAM_API": server.url, "PYTHONPATH": str(ROOT),
            }  # fmt: skip
            bot, worker = [
                await asyncio.create_subprocess_exec(
                    sys.executable, str(ROOT / "tests/fakes" / name),
                    env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
                )
                for name in ("bot_process.py", "stub_worker.py")
            ]  # fmt: skip
            try:
                await server.until(lambda: any(c.method == "setMyShortDescription" for c in server.calls), 60)
                watch, began = Stopwatch(think_s, 1), time.monotonic()
                everybody = [server.person(1000 + i, f"P{i}") for i in range(people)]
                await asyncio.gather(*(whole_chat(person, watch, photos) for person in everybody))
                took = time.monotonic() - began
                memory = _resident_kb(bot.pid)
            finally:
                for process in (bot, worker):
                    process.terminate()
                    await process.wait()
    everything = [s for kind, seconds in watch.seconds.items() if "shown" not in kind for s in seconds]
    return {
        "people": people,
        "think_s": think_s,
        "took_s": round(took, 1),
        "acts": len(everything),
        "requests": dict(Counter(c.method for c in server.calls).most_common()),
        "violations": server.violations,
        "bot_rss_mb": round(memory / 1024),
        "reply_ms": _figures(everything),
        **{f"reply_ms_{kind}": _figures(seconds) for kind, seconds in watch.seconds.items()},
    }


def _resident_kb(process: int) -> int:
    return int(Path(f"/proc/{process}/status").read_text().partition("VmRSS:")[2].split()[0])


def _figures(seconds: list[float]) -> dict[str, int]:
    cut = statistics.quantiles(seconds, n=100)
    return {"p50": round(1000 * cut[49]), "p95": round(1000 * cut[94]), "p99": round(1000 * cut[98])}


def main() -> None:
    """Read the command line and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--think", type=float, default=15.0, help="mean seconds between acts")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(bench(options.people, options.think)), indent=1))


if __name__ == "__main__":
    main()
