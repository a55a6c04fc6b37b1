"""Measure the jobs: how soon work begins, how fast jobs are taken, how soon a photo is looked at, how big a bot is.

    python -m tools.bench_jobs [--seconds 20] [--photo FILE.jpg]        about three minutes on two free cores
    python -m tools.bench_jobs --selfies FOLDER      how soon four portraits of one person's photos bring their first

Real parts throughout: SQLite with fsync, the embedded Valkey, a worker in a process of its own, the real
intake for photos. For the first two measures a stand-in answers at once, since the queue is what is
measured. Prints one JSON object: times in milliseconds, each measure beside its limit.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import select

from jobs import settings
from jobs.kinds.look import Look
from jobs.kinds.shoot import Shoot
from jobs.queue.events import Done, FirstPortrait, JobEvent
from jobs.run import run
from jobs.services import Services, open_services
from jobs.storage import schema as t
from jobs.worker.worker import CORE_STUDIO

INSTANT = "tools.bench_jobs:Instant"
START_MS, JOBS_PER_S, LOOK_MS, BOT_MB = 150.0, 20.0, 1500.0, 150.0
"""Limits: p95 of an idle worker's start, least in any second, p95 of a look while training, a bot's memory."""
FIRST_S = 15.0
"""Limit of the time from Go to the first of four portraits, on a machine that does nothing else."""
CHAT_PX, PHONE_PX = 1280, 4032  # longest side of what Telegram makes of a photo, and of a phone's own file
LOOKS = 30
FORKS = multiprocessing.get_context("spawn")


class Instant:
    """A studio that has looked already."""

    def warm(self, queue: str) -> None:
        """Load nothing."""

    def look(self, photos: Any) -> dict[str, Any]:
        """Keep every photo."""
        return {"kept": True}

    def held(self) -> list[str]:
        """Hold nothing between looks."""
        return []

    def drop(self, digests: Any) -> None:
        """There is nothing to drop."""


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile in milliseconds of values in seconds."""
    return round(1000 * statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 1)


def distribution(values: list[float], limit_ms: float | None = None) -> dict[str, Any]:
    """Return least, median, 95th percentile and most in milliseconds, and whether the 95th percentile keeps a limit."""
    found = {
        "min": round(1000 * min(values), 1),
        "median": percentile(values, 50),
        "p95": percentile(values, 95),
        "max": round(1000 * max(values), 1),
    }
    return found if limit_ms is None else {**found, "limit": limit_ms, "kept": found["p95"] <= limit_ms}


async def bot(services: Services) -> None:
    """Be a bot that nobody talks to: all its modules loaded, database and queue open."""
    import bots.cli
    import bots.platforms.telegram.updates  # noqa: F401

    await asyncio.Event().wait()


@contextmanager
def process(config: settings.Settings, studio: str | None) -> Iterator[int]:
    """Run a worker with a studio, or a bot with None, in a process of its own; gives its id."""
    parts = ((), True, studio) if studio else ((bot,), False)
    child = FORKS.Process(target=run, args=(config, *parts), daemon=False)
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
    time.sleep(3.0)  # they have begun
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


async def finished(services: Services, job_ids: list[int]) -> dict[int, tuple[float, float, float]]:
    """Wait for jobs; return when each was written, begun and done (seconds since 1970)."""
    o = t.jobs.c
    while True:
        async with services.database.read() as tx:
            rows = await tx.c.execute(select(o.id, o.created_at, o.started_at, o.finished_at).where(o.id.in_(job_ids)))
            found = {row[0]: (row[1], row[2], row[3]) for row in rows if row[3] is not None}
        if len(found) == len(job_ids):
            return found
        await asyncio.sleep(0.1)


async def person(services: Services, number: int, photo: bytes) -> int:
    """Open an account with one photo."""
    async with services.database.write() as tx:
        account = (await tx.account("console", str(number), str(number))).id
    await add_photo(services, account, "photos/1", photo)
    return account


async def add_photo(services: Services, account: int, name: str, photo: bytes) -> None:
    """Keep a photo of an account."""
    filed = await services.blob_store.put(account, name, photo)
    async with services.database.write() as tx:
        await tx.add_photo(account, name, filed.sha256, filed.size)


async def looks(services: Services, account: int, count: int, pause_s: float) -> tuple[list[int], list[float]]:
    """Place looks one after another; return their numbers and the moments they were committed."""
    placed, committed = [], []
    for _ in range(count):
        accepted = await services.job_queue.place(account, Look("photos/1"), f"b{time.monotonic_ns()}", "console")
        committed.append(time.time())
        placed.append(accepted.job_id)  # type: ignore[union-attr]
        await asyncio.sleep(pause_s)
    return placed, committed


def in_size(photo: bytes, longest_px: int) -> bytes:
    """Return a photo enlarged or reduced to a longest side, as a JPEG."""
    from PIL import Image

    with Image.open(io.BytesIO(photo)) as image:
        scale = longest_px / max(image.size)
        sized = image.convert("RGB").resize((round(image.width * scale), round(image.height * scale)))
    out = io.BytesIO()
    sized.save(out, "JPEG", quality=90)
    return out.getvalue()


def another(photo: bytes, number: int) -> bytes:
    """Return the same JPEG with a comment, so that no studio remembers having seen it."""
    comment = f"{number:08d}".encode()
    return photo[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + photo[2:]


async def measure_queue(seconds: float) -> dict[str, Any]:
    """Time from a commit to its start by an idle worker, then place jobs without a pause."""
    with tempfile.TemporaryDirectory() as folder:
        config = settings.load(data=Path(folder), look_per_account=10_000, queue_depth=100_000)
        async with open_services(config) as services:
            relay = asyncio.create_task(services.job_queue.relay())
            account = await person(services, 1, b"photo")
            with process(config, INSTANT):
                await finished(services, (await looks(services, account, 5, 0.3))[0])
                placed, committed = await looks(services, account, 150, 0.137)
                done = await finished(services, placed)
                waits = [done[job_id][1] - at for job_id, at in zip(placed, committed, strict=True)]
            people = [await person(services, n, b"photo") for n in range(2, 12)]
            took, by_second = list[float](), Counter[int]()
            began = time.monotonic()
            while (at := time.monotonic()) - began < seconds:
                await services.job_queue.place(people[len(took) % 10], Look("photos/1"), f"p{len(took)}", "console")
                by_second[int(at - began)] += 1
                took.append(time.monotonic() - at)
            relay.cancel()
            await asyncio.gather(relay, return_exceptions=True)
    rates = [by_second[second] for second in range(int(seconds))]
    return {
        "commit_to_start_ms": distribution(waits, START_MS),
        "orders_placed_in_a_second": {
            "min": min(rates), "median": statistics.median(rates), "max": max(rates),
            "limit": JOBS_PER_S, "kept": min(rates) >= JOBS_PER_S,
        },
        "place_ms": distribution(took),
    }  # fmt: skip


async def measure_looks(photo: bytes, busy: bool) -> list[float]:
    """Return the seconds from placing a look at a photo, each another person's, until its verdict."""
    spans = []
    with tempfile.TemporaryDirectory() as folder:
        config = settings.load(data=Path(folder), queues="look")
        async with open_services(config) as services:
            relay = asyncio.create_task(services.job_queue.relay())
            with process(config, CORE_STUDIO):
                warm = await person(services, 0, photo)
                await finished(services, (await looks(services, warm, 1, 0.1))[0])
                with training() if busy else nullcontext():
                    for number in range(1, LOOKS + 1):
                        account = await person(services, number, another(photo, number))
                        done = await finished(services, (await looks(services, account, 1, 0.0))[0])
                        spans += [end - start for start, _, end in done.values()]
            relay.cancel()
            await asyncio.gather(relay, return_exceptions=True)
    return spans


async def measure_first(photos: list[bytes]) -> dict[str, Any]:
    """Return the time from a committed shoot until its first portrait is told, by a worker that has drawn before.

    Its processor time is that of the process that draws: a busy machine changes it little.
    """
    told: asyncio.Queue[JobEvent] = asyncio.Queue()

    async def deliver(event: JobEvent) -> None:
        if event.id:
            await told.put(event)

    with tempfile.TemporaryDirectory() as folder:
        config = settings.load(data=Path(folder))
        async with open_services(config) as services:
            parts = (services.job_queue.relay(), services.job_queue.listen("console", deliver))
            tasks = [asyncio.create_task(part) for part in parts]
            account = await person(services, 1, photos[0])
            for number, photo in enumerate(photos[1:], start=2):
                await add_photo(services, account, f"photos/{number}", photo)
            names = tuple(f"photos/{number}" for number in range(1, len(photos) + 1))
            with process(config, CORE_STUDIO) as pid:
                warm = Shoot(names[:1], ("founder",), count=1, train=False)
                await services.job_queue.place(account, warm, "warm", "console")
                assert isinstance((await told.get()).payload, Done), "the photos are refused"
                load, since, spent = os.getloadavg(), time.monotonic(), _cpu_s(_studio_of(pid))
                await services.job_queue.place(account, Shoot(names, ("office",), count=4), "measured", "console")
                assert isinstance((await told.get()).payload, FirstPortrait)
                seconds, cpu_s = time.monotonic() - since, _cpu_s(_studio_of(pid)) - spent
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "cores": os.cpu_count(),
        "load_before": [round(x, 1) for x in load],
        "first_portrait_s": {"once": round(seconds, 1), "limit": FIRST_S, "kept": seconds <= FIRST_S},
        "first_portrait_cpu_s": round(cpu_s, 1),
    }


async def measure_bot() -> dict[str, Any]:
    """Look at a bot that nobody talks to (`tools.bench_bots` has one with two hundred people)."""
    with tempfile.TemporaryDirectory() as folder, process(settings.load(data=Path(folder)), None) as pid:
        await asyncio.sleep(8)
        before = _cpu_s(pid)
        sizes = []
        for _ in range(10):
            await asyncio.sleep(1)
            sizes.append(_rss_mb(pid))
        return {
            "bot_rss_mb": {
                "min": min(sizes), "median": statistics.median(sizes), "max": max(sizes),
                "limit": BOT_MB, "kept": max(sizes) <= BOT_MB,
            },
            "bot_idle_cpu_percent": round(10 * (_cpu_s(pid) - before), 1),
        }  # fmt: skip


async def measure(seconds: float, photo: bytes) -> dict[str, Any]:
    """Take all measures, each in a is_new data folder."""
    chat, phone = in_size(photo, CHAT_PX), in_size(photo, PHONE_PX)
    return {
        "cores": os.cpu_count(),
        "load_before": [round(x, 1) for x in os.getloadavg()],
        **await measure_queue(seconds),
        "look_ms": distribution(await measure_looks(chat, busy=False)),
        "look_ms_while_training": distribution(await measure_looks(chat, busy=True), LOOK_MS),
        "look_ms_at_a_phone_s_own_file_while_training": distribution(await measure_looks(phone, busy=True), LOOK_MS),
        **await measure_bot(),
        "load_after": [round(x, 1) for x in os.getloadavg()],
    }


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _studio_of(worker: int) -> int:
    """Return the child of a worker that draws."""
    children = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    return next(int(child) for child in children if b"studio" in _words(child))


def _words(pid: str) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _rss_mb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) // 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long jobs are placed without a pause")
    parser.add_argument("--photo", type=Path, help="JPEG to look at (default: matplotlib's sample portrait)")
    parser.add_argument("--selfies", type=Path, help="measure the first portrait of this folder's JPEGs and PNGs alone")
    options = parser.parse_args()
    if options.selfies:
        files = sorted(f for f in options.selfies.iterdir() if f.suffix.lower() in (".jpg", ".jpeg", ".png"))
        print(json.dumps(asyncio.run(measure_first([file.read_bytes() for file in files])), indent=1))
        return
    if options.photo:
        photo = options.photo.read_bytes()
    else:
        import matplotlib

        photo = (Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").read_bytes()
    print(json.dumps(asyncio.run(measure(options.seconds, photo)), indent=1))


if __name__ == "__main__":
    main()
