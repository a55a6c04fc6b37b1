"""Real parts for the tests of the jobs: databases, queue servers, processes that can be killed."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from jobs import settings
from jobs.embedded_valkey import EmbeddedValkey
from jobs.kinds.base import Job
from jobs.kinds.shoot import Shoot
from jobs.queue import job_store
from jobs.queue.events import Early, JobEvent, Step, to_json, type_of
from jobs.queue.job_status import status_of
from jobs.queue.job_store import Accepted
from jobs.services import Services, open_services
from jobs.storage.accounts import Account
from jobs.storage.transaction import Transaction
from jobs.worker import worker
from jobs.worker.worker import Worker
from tests.patience import PATIENCE_S

TESTS = Path(__file__).parent

QUICK = "tests.fakes.quick_studio:QuickStudio"


def make_settings(folder: Path, **more: Any) -> settings.Settings:
    """Settings of services that lies in a folder; leases are short so that tests are."""
    more.setdefault("lease_s", 2.0)
    more.setdefault("stop_grace_s", 1.0)
    if isinstance(more.get("database_url"), str):
        more["database_url"] = SecretStr(more["database_url"])
    return settings.load(data=folder, **more)


async def person(services: Services, user: str = "1", photos: int = 1) -> Account:
    """Open an account with consent and photos in the blob store."""
    async with services.database.write() as tx:
        account = await tx.account("telegram", user, user)
        await tx.consent(account.id, 1, 30)
    for number in range(photos):
        await send_photo(services, account.id, f"photos/{number}", f"photo {number} of {user}".encode())
    async with services.database.read() as tx:
        return await tx.account_of(account.id)


async def send_photo(services: Services, account: int, name: str, data: bytes) -> None:
    """Put a photo on the blob store and into the database."""
    filed = await services.blob_store.put(account, name, data)
    async with services.database.write() as tx:
        await tx.add_photo(account, name, filed.sha256, filed.size)


def shoot(manner: str = "fast", count: int = 2, **more: Any) -> Shoot:
    """A job for the quick studio."""
    more = {"photos": ("photos/0",), "styles": ("founder",), "train": False, **more}
    return Shoot(purpose=manner, count=count, **more)


async def until(
    true: Callable[[], Awaitable[bool]] | Callable[[], bool], within_s: float = PATIENCE_S, every_s: float = 0.05
) -> None:
    """Wait until something is so, asking every so many seconds."""
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        answer = true()
        if await answer if isinstance(answer, Awaitable) else answer:
            return
        await asyncio.sleep(every_s)
    raise AssertionError(f"not so within {within_s} s: {true}")


async def state_of(services: Services, job_id: int) -> str:
    """The state of a job in the database."""
    async with services.database.read() as tx:
        status = await status_of(tx, job_id)
    return status.state if status else "gone"


@dataclass
class Front:
    """What people were told by a worker and a notifier that run inside the test: last words, and early pictures."""

    told: list[JobEvent] = field(default_factory=list)
    early: list[JobEvent] = field(default_factory=list)

    async def words(self, job_id: int) -> list[str]:
        """Wait for the last word on a job; return all there were."""
        await until(lambda: any(job_event.job_id == job_id for job_event in self.told))
        return [type_of(job_event.payload) for job_event in self.told if job_event.job_id == job_id]


@asynccontextmanager
async def working(services: Services, studio: str = QUICK, lease_s: float = 20.0) -> AsyncIterator[Front]:
    """Worker, relay and notifier of services as tasks of the test; their children are real processes.

    lease_s: nobody kills this worker, so that a machine which stood still for some seconds takes no job from it.
    """
    front = Front()
    config = services.settings.model_copy(update={"lease_s": lease_s})

    async def deliver(job_event: JobEvent) -> None:
        if job_event.id:
            (front.early if isinstance(job_event.payload, Early) else front.told).append(job_event)

    parts = (
        Worker(config, services.database, services.blob_store, services.job_queue, studio).run(),
        services.job_queue.relay(),
        services.job_queue.listen("telegram", deliver),
    )
    with beating(lease_s):
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            yield front
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def beating(lease_s: float) -> Iterator[None]:
    """Let the hearts of this process's workers beat four times a second, or oftener, however long their lease is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "BEATS_A_LEASE", max(worker.BEATS_A_LEASE, round(4 * lease_s)))
        yield


class Process:
    """A process of the services that a test may kill; parts are some of `worker` and `notify`, joined by commas.

    Forked from a server that has imported everything already: only the start is quicker than in real life.
    """

    def __init__(self, config: settings.Settings, parts: str, studio: str = QUICK) -> None:
        self.log = config.data / f"{parts}-{time.monotonic_ns()}.log"
        self.log.touch()
        env = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("PYTHONPATH", "QUICK_LOG", "STUDIO_HOLD", "AWS_"))
        }
        self.process = FORKS.Process(target=be_a_process, args=(config, parts, studio, str(self.log), env))
        self.process.start()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def kill(self) -> None:
        """kill -9."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(15)
        self.kill()

    def send(self, sign: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, sign)


def be_a_process(config: settings.Settings, parts: str, studio: str, log: str, env: dict[str, str]) -> None:
    """Be a process of the services until killed or stopped."""
    from jobs.run import run

    os.environ.update(env)
    out = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)

    async def notify(services: Services) -> None:
        async def deliver(job_event: JobEvent) -> None:
            if job_event.id:  # as a bot does it: the message is edited first, the database told after
                line = {
                    "job_id": job_event.job_id,
                    "word": type_of(job_event.payload),
                    "payload": json.loads(to_json(job_event.payload)),
                }
                file = "early" if isinstance(job_event.payload, Early) else "told"
                await asyncio.to_thread(_append, config.data / file, json.dumps(line) + "\n")
                await asyncio.sleep(0.02)

        await services.job_queue.listen("telegram", deliver)

    run(config, [notify] if "notify" in parts.split(",") else [], "worker" in parts.split(","), studio=studio)


FORKS = multiprocessing.get_context("forkserver")

FORKS.set_forkserver_preload(["jobs.run", "tests.live_services"])


@asynccontextmanager
async def running(config: settings.Settings, *parts: str, **more: Any) -> AsyncIterator[list[Process]]:
    """Processes of the services, all ended with the test; a failed test shows their logs."""
    processes = [Process(config, part, **more) for part in parts]
    try:
        yield processes
    except BaseException:
        for process in processes:
            print(f"--- {process.log.name}\n{process.log.read_text(errors='replace')[-3000:]}")
        raise
    finally:
        for process in processes:
            process.stop()


@pytest.fixture
async def services(tmp_path: Path, ready_sqlite: Path, queue_server: EmbeddedValkey) -> AsyncIterator[Services]:
    """Services on SQLite, a folder, and the tests' queue server with nothing in it."""
    shutil.copy(ready_sqlite / "ledger.db", tmp_path)
    queue_server._say(b"FLUSHALL")
    async with open_services(make_settings(tmp_path, redis_url=SecretStr(queue_server.url))) as opened_services:
        yield opened_services


def told(config: settings.Settings, what: str = "told") -> list[dict[str, Any]]:
    """What the notifier told people so far, `told` or `early`, one entry for every time it did."""
    file = config.data / what
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _append(file: Path, line: str) -> None:
    with file.open("a") as out:
        out.write(line)


def times_drawn(log: Path) -> Counter[str]:
    return Counter(log.read_text().splitlines())


async def place(services: Services, account: int, job: Job, ref: str = "") -> int:
    accepted = await services.job_queue.place(account, job, ref or f"r{time.monotonic_ns()}", "telegram")
    return accepted.job_id  # type: ignore[union-attr]


async def ends(services: Services, job_id: int, state: str = "done") -> None:
    async def over() -> bool:
        return await state_of(services, job_id) == state

    await until(over)


async def stands_at(services: Services, job_id: int, step: int) -> None:
    async def there() -> bool:
        status = await services.job_queue.status(1, job_id)
        return status is not None and isinstance(status.payload, Step) and status.payload.step >= step

    await until(there)


def children_of(pid: int, called: bytes = b"") -> list[int]:
    children = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in children if called in Path(f"/proc/{child}/cmdline").read_bytes()]


async def column(services: Services, name: str) -> Any:
    async with services.database.read() as tx:
        return (await tx.c.exec_driver_sql(f"SELECT {name} FROM jobs ORDER BY id")).scalar_one()


async def galleries(services: Services, account: int, job_id: int) -> list[str]:
    async with services.database.read() as tx:
        return [p.file for p in await tx.portraits(account, job_id)]


async def someone(tx: Transaction, user: str = "1") -> int:
    return (await tx.account("telegram", user, f"chat{user}")).id


async def placed(tx: Transaction, account: int, ref: str, limits: settings.Settings, job: Job | None = None) -> int:
    accepted = await job_store.place(tx, account, job or shoot(), ref, "telegram", limits)
    assert isinstance(accepted, Accepted)
    return accepted.job_id
