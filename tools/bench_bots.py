"""Measure the bot with many people at once, over a loopback Bot API; the studio's work is stubbed.

    python tools/bench_bots.py [--people 200] [--think 3]

Everybody goes through a whole chat (consent, four photos, a look, a gallery, an edit, files), thinking for an
exponentially distributed time between acts. The bot with its ledger and queue is a process of its own, a worker that
closes every order at once is another; the people and the Bot API are this one. Time is measured from the moment an
update is at the server until the bot's first request for that person. Prints one JSON object.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from fakes.picture_studio import picture  # noqa: E402
from fakes.telegram_server import TOKEN, Person, TelegramServer  # noqa: E402


class Stopwatch:
    """Times from a person's act to the bot's first request for them."""

    def __init__(self, think_s: float, seed: int) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._think_s, self._dice = think_s, random.Random(seed)

    async def act(self, person: Person, kind: str, acting: object) -> None:
        """Think, act, and wait for the first answer."""
        await asyncio.sleep(self._dice.expovariate(1 / self._think_s))
        person.stirred.clear()
        began = time.monotonic()
        await acting  # type: ignore[misc]
        await asyncio.wait_for(person.stirred.wait(), 60)
        self.seconds.setdefault(kind, []).append(time.monotonic() - began)


async def whole_chat(person: Person, watch: Stopwatch, photos: list[bytes]) -> None:
    """Go through a chat as a person does: after each act wait for what it should bring."""
    await watch.act(person, "command", person.says("/start"))
    await person.can_tap("I agree", 120)
    await watch.act(person, "tap", person.taps("I agree"))
    await person.sees("Thank you", 120)
    await watch.act(person, "photo", person.sends(*photos))
    await person.sees("I have 4 good photos", 300)
    for label in ("Choose looks", "Office", "Go: 4"):
        await person.can_tap(label, 120)
        await watch.act(person, "tap", person.taps(label))
    await person.sees("portraits are ready", 600)
    await person.can_tap("▶", 120)
    for label in ("▶", "▶", "♡ Favourite", "Edit"):
        await watch.act(person, "tap", person.taps(label, within_s=120))
    await watch.act(person, "tap", person.taps("Warmer", within_s=120))
    await person.sees("Edited: Warmer", 600)
    await watch.act(person, "tap", person.taps("Close edits", within_s=120))
    await watch.act(person, "tap", person.taps("All 4 files", within_s=120))
    await person.sees("full quality", 120)


async def bench(people: int, think_s: float) -> dict[str, object]:
    """Run it and return the figures."""
    photos = [picture("gray", mark=str(i)) for i in range(4)]
    with tempfile.TemporaryDirectory() as folder:
        async with TelegramServer() as server:
            environment = {
                **os.environ, "ATELIER_DATA": folder, "ATELIER_TELEGRAM_TOKEN": TOKEN,
                "ATELIER_TELEGRAM_API": server.url, "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}",
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
    everything = sorted(second for seconds in watch.seconds.values() for second in seconds)
    return {
        "people": people,
        "think_s": think_s,
        "took_s": round(took, 1),
        "acts": len(everything),
        "requests": sum(Counter(c.method for c in server.calls).values()),
        "violations": server.violations,
        "bot_rss_mb": round(memory / 1024),
        "reply_ms": _figures(everything),
        **{f"reply_ms_{kind}": _figures(sorted(seconds)) for kind, seconds in watch.seconds.items()},
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
    parser.add_argument("--think", type=float, default=3.0, help="mean seconds between acts")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(bench(options.people, options.think)), indent=1))


if __name__ == "__main__":
    main()
