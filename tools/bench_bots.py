"""Measure a bot with many people at once, over a loopback Telegram or Discord; the studio's work is stubbed.

    python -m tools.bench_bots [--platform telegram|discord] [--people 200] [--think 15] [--no-chats] [--rounds 1]

Everybody goes through a whole chat (consent, four photos, a look, a gallery, an edit, files), thinking for an
exponentially distributed time between acts; at the end all of them ask for help in the same moment, in as many rounds
as are asked for. The bot with its
database and queue is a process of its own, a worker that closes every job at once is another; the people and the
platform are this one. Time is measured from the moment an update is at the server until the bot's first request for
that person, and until it first shows something; on Discord also until each interaction is acknowledged, which must be
within 3 seconds. Prints one JSON object. With less time to think the people ask for more than the thirty messages a
second that Telegram lets any bot send, or Discord's fifty requests, and wait for those.
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

from tests.chats import Person
from tests.fakes import discord_server, telegram_server
from tests.fakes.discord_server import DiscordServer
from tests.fakes.picture_studio import picture
from tests.fakes.telegram_server import TelegramServer

ROOT = Path(__file__).resolve().parent.parent
BETWEEN_S = 3.0  # from one round's last answer to the next round


class Stopwatch:
    """Times from the moment a person's update is at the server to the first answer, and to the first thing shown."""

    def __init__(self, think_s: float, seed: int) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._think_s, self._dice = think_s, random.Random(seed)

    async def act(self, person: Person, kind: str, acting: Awaitable[object]) -> None:
        """Think, act, and wait until something is shown."""
        await asyncio.sleep(self._dice.expovariate(1 / self._think_s) if self._think_s else 0.0)
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
    for label in ("Choose looks", "At work", "Office", "Go: 4"):
        await watch.press(person, label)
    await person.sees("portraits are ready", 600)
    for label in ("▶", "▶", "♡ Favourite", "Edit", "Tone", "Warmer"):
        await watch.press(person, label)
    await person.sees("Edited: Warmer", 600)
    for label in ("Close edits", "All 4 files"):
        await watch.press(person, label)
    await person.sees("full quality", 120)


async def bench(platform: str, people: int, think_s: float, chats: bool, rounds: int) -> dict[str, object]:
    """Run it and return the figures; without the chats only the rounds in which all ask at once."""
    photos = [picture("gray", mark=str(i)) for i in range(4)]
    async with DiscordServer(checked=False) if platform == "discord" else TelegramServer() as server:
        with tempfile.TemporaryDirectory() as folder:
            token = discord_server.TOKEN if platform == "discord" else telegram_server.TOKEN
            environment = {
                **os.environ, "ATELIER_DATA": folder, f"ATELIER_{platform.upper()}_TOKEN": token,
                f"ATELIER_{platform.upper()}_API": server.url, "PYTHONPATH": str(ROOT),
            }  # fmt: skip
            bot, worker = [
                await asyncio.create_subprocess_exec(
                    sys.executable, str(ROOT / "tests/fakes" / name),
                    env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
                )
                for name in ("bot_process.py", "stub_worker.py")
            ]  # fmt: skip
            try:
                await server.until(lambda: _is_up(server), 120)
                watch, began = Stopwatch(think_s, 1), time.monotonic()
                everybody: list[Person] = [server.person(1000 + i, f"P{i}") for i in range(people)]
                if chats:
                    await asyncio.gather(*(whole_chat(person, watch, photos) for person in everybody))
                took, acknowledged = time.monotonic() - began, _acknowledged(server)
                memory, at_once, last = _resident_kb(bot.pid), [], len(acknowledged)
                for _ in range(rounds):
                    together = Stopwatch(0.0, 1)
                    await asyncio.gather(*(together.act(person, "help", person.says("/help")) for person in everybody))
                    await asyncio.sleep(BETWEEN_S)
                    at_once.append({"answered_ms": _figures(together.seconds["help"])})
                    if waited := _acknowledged(server)[last:]:
                        at_once[-1]["acknowledged_ms"] = _figures(waited)
                        last += len(waited)
            finally:
                for process in (bot, worker):
                    process.terminate()
                    await process.wait()
    everything = [s for kind, seconds in watch.seconds.items() if "shown" not in kind for s in seconds]
    return {
        "platform": platform,
        "people": people,
        "think_s": think_s,
        "took_s": round(took, 1),
        "acts": len(everything),
        "requests": dict(Counter(_kind(call) for call in server.calls).most_common()),
        "violations": server.violations,
        "bot_rss_mb": round(memory / 1024),
        **({"reply_ms": _figures(everything)} if everything else {}),
        **{f"reply_ms_{kind}": _figures(seconds) for kind, seconds in watch.seconds.items()},
        "all_at_once": at_once,
        **_discord_figures(server, acknowledged),
    }


def _is_up(server: TelegramServer | DiscordServer) -> bool:
    if isinstance(server, DiscordServer):
        return server.gateway.listening
    return any(call.method == "setMyShortDescription" for call in server.calls)


def _kind(call: telegram_server.Call | discord_server.Call) -> str:
    if isinstance(call, telegram_server.Call):
        return call.method
    words = (step for step in call.path.split("/") if step.isalpha() and step.islower() and len(step) < 15)
    return f"{call.method} {'/'.join(words)} {call.status}"


def _acknowledged(server: TelegramServer | DiscordServer) -> list[float]:
    """Return how long each interaction so far waited for its acknowledgement, in seconds."""
    if isinstance(server, TelegramServer):
        return []
    return [i.waited_s for i in server.interactions.all.values() if i.acknowledged]


def _discord_figures(server: TelegramServer | DiscordServer, acknowledged: list[float]) -> dict[str, object]:
    """Return what only Discord has: acknowledgements in the chats, and those not in time."""
    if isinstance(server, TelegramServer):
        return {}
    return {
        **({"acknowledged_ms": _figures(acknowledged)} if acknowledged else {}),
        "not_acknowledged": len(server.interactions.unanswered()),
        "rate_limited": server.rates.refused,
    }


def _resident_kb(process: int) -> int:
    return int(Path(f"/proc/{process}/status").read_text().partition("VmRSS:")[2].split()[0])


def _figures(seconds: list[float]) -> dict[str, int]:
    cut = statistics.quantiles(seconds, n=100)
    return {"p50": round(1000 * cut[49]), "p95": round(1000 * cut[94]), "p99": round(1000 * cut[98])}


def main() -> None:
    """Read the command line and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platform", choices=("telegram", "discord"), default="telegram")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--think", type=float, default=15.0, help="mean seconds between acts")
    parser.add_argument("--chats", action=argparse.BooleanOptionalAction, default=True, help="go through whole chats")
    parser.add_argument("--rounds", type=int, default=1, help="how often all ask at once")
    options = parser.parse_args()
    asked = options.platform, options.people, options.think, options.chats, options.rounds
    print(json.dumps(asyncio.run(bench(*asked)), indent=1))


if __name__ == "__main__":
    main()
