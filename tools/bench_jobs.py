"""Measure the jobs: how soon work begins, how fast orders are taken, how soon a photo is looked at, how big a bot is.

    python -m tools.bench_jobs [--seconds 20] [--photo FILE]

Real parts throughout: SQLite with fsync, the embedded Valkey, a worker in a process of its own, the real
intake for photos. For the first two measures a stand-in answers at once, since the queue is what is
measured. Prints one JSON object; times in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from jobs import orders, settings
from jobs import tables as t
from jobs.house import House, opened
from jobs.run import run
from jobs.worker import CORE_STUDIO

INSTANT = "tools.bench_jobs:Instant"
FORKS = multiprocessing.get_context("spawn")


class Instant:
    """A studio that has looked already."""

    def warm(self, queue: str) -> None:
        """Load nothing."""

    def look(self, photos: Any) -> dict[str, Any]:
        """Keep every photo."""
        return {"kept": True}


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile in milliseconds of values in seconds."""
    return round(1000 * statistics.quantiles(values, n=100)[percent - 1], 1)


def spread(values: list[float]) -> dict[str, float]:
    """Return median, 95th percentile and the worst."""
    return {"p50": percentile(values, 50), "p95": percentile(values, 95), "max": round(1000 * max(values), 1)}


@contextmanager
def process(config: settings.Settings, work: bool, studio: str) -> Iterator[int]:
    """Run a worker, or a bot without a platform, in a process of its own; gives its id."""
    child = FORKS.Process(target=run, args=(config, (), work, studio), daemon=False)
    child.start()
    try:
        assert child.pid is not None
        yield child.pid
    finally:
        child.terminate()
        child.join()


@contextmanager
def training() -> Iterator[None]:
    """Hold every core but one with arithmetic at nice 10, as a training run does."""
    burners = [FORKS.Process(target=_burn, daemon=True) for _ in range(max(1, (os.cpu_count() or 2) - 1))]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()


def _burn() -> None:
    import numpy as np

    os.nice(10)
    block = np.ones((256, 256), np.float32)
    while True:
        block = np.tanh(block @ block / 256)


async def finished(house: House, order_ids: list[int]) -> dict[int, tuple[float, float, float]]:
    """Wait for orders; return when each was written, begun and done (seconds since 1970)."""
    o = t.orders.c
    while True:
        async with house.ledger.read() as page:
            rows = await page.c.execute(
                select(o.id, o.created_at, o.started_at, o.finished_at).where(o.id.in_(order_ids))
            )
            found = {row[0]: (row[1], row[2], row[3]) for row in rows if row[3] is not None}
        if len(found) == len(order_ids):
            return found
        await asyncio.sleep(0.1)


async def person(house: House, number: int, photo: bytes) -> int:
    """Open an account with one photo."""
    async with house.ledger.write() as page:
        account = (await page.account("console", str(number), str(number))).id
    filed = await house.shelf.put(account, "photos/1", photo)
    async with house.ledger.write() as page:
        await page.add_photo(account, "photos/1", filed.sha256, filed.size)
    return account


async def looks(house: House, account: int, count: int, pause_s: float) -> tuple[list[int], list[float]]:
    """Place looks one after another; return their numbers and the moments they were committed."""
    placed, committed = [], []
    for _ in range(count):
        ticket = await house.desk.place(account, orders.Look("photos/1"), f"b{time.monotonic_ns()}", "console")
        committed.append(time.time())
        placed.append(ticket.order)  # type: ignore[union-attr]
        await asyncio.sleep(pause_s)
    return placed, committed


async def measure(seconds: float, photo: bytes) -> dict[str, Any]:
    """Take all measures, each in a fresh house."""
    found: dict[str, Any] = {"cores": os.cpu_count(), "load_before": [round(x, 1) for x in os.getloadavg()]}
    with tempfile.TemporaryDirectory() as folder:
        config = settings.load(data=Path(folder), look_per_account=10_000, queue_depth=100_000)
        async with opened(config) as house:
            relay = asyncio.create_task(house.desk.relay())
            account = await person(house, 1, b"photo")
            with process(config, True, INSTANT):
                await finished(house, (await looks(house, account, 5, 0.3))[0])
                placed, committed = await looks(house, account, 150, 0.137)
                done = await finished(house, placed)
                waits = [done[order][1] - at for order, at in zip(placed, committed, strict=True)]
                found["commit_to_start_ms"] = spread(waits)
            began, took = time.monotonic(), []
            people = [await person(house, n, b"photo") for n in range(2, 12)]
            began, number = time.monotonic(), 0
            while time.monotonic() - began < seconds:
                at = time.monotonic()
                await house.desk.place(people[number % 10], orders.Look("photos/1"), f"p{number}", "console")
                took.append(time.monotonic() - at)
                number += 1
            found["orders_placed_per_s"] = round(number / (time.monotonic() - began), 1)
            found["place_ms"] = spread(took)
            relay.cancel()
            await asyncio.gather(relay, return_exceptions=True)
    for name, busy in (("look_ms_idle", False), ("look_ms_while_training", True)):
        with tempfile.TemporaryDirectory() as folder:
            config = settings.load(data=Path(folder))
            async with opened(config) as house:
                relay = asyncio.create_task(house.desk.relay())
                with process(config, True, CORE_STUDIO):
                    warm = await person(house, 0, photo)
                    await finished(house, (await looks(house, warm, 1, 0.1))[0])
                    spans = []
                    for number in range(1, 31):
                        account = await person(house, number, photo)
                        if busy:
                            with training():
                                done = await finished(house, (await looks(house, account, 1, 0.0))[0])
                        else:
                            done = await finished(house, (await looks(house, account, 1, 0.0))[0])
                        spans += [end - start for start, _, end in done.values()]
                    found[name] = spread(spans)
                relay.cancel()
                await asyncio.gather(relay, return_exceptions=True)
    with tempfile.TemporaryDirectory() as folder, process(settings.load(data=Path(folder)), False, INSTANT) as pid:
        await asyncio.sleep(5)
        before = _cpu_s(pid)
        await asyncio.sleep(10)
        found["bot_process_rss_mb"] = _rss_mb(pid)
        found["bot_process_idle_cpu_percent"] = round(10 * (_cpu_s(pid) - before), 1)
    found["load_after"] = [round(x, 1) for x in os.getloadavg()]
    return found


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) // 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long orders are placed without a pause")
    parser.add_argument("--photo", type=Path, help="photo to look at (default: matplotlib's sample portrait)")
    options = parser.parse_args()
    if options.photo:
        photo = options.photo.read_bytes()
    else:
        import matplotlib.cbook

        with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
            photo = bytes(file.read())
    print(json.dumps(asyncio.run(measure(options.seconds, photo)), indent=1))


if __name__ == "__main__":
    main()
