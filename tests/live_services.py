"""Real parts for the tests of the jobs: databases, queue servers, processes that can be killed."""

from __future__ import annotations

import asyncio
import glob
import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from jobs import settings
from jobs.embedded_valkey import EmbeddedValkey
from jobs.kinds.shoot import Shoot
from jobs.queue.events import JobEvent, to_json, type_of
from jobs.queue.job_status import status_of
from jobs.services import Services, open_services
from jobs.storage.accounts import Account
from jobs.storage.database import open_database
from jobs.worker.worker import Worker

TESTS = Path(__file__).parent
QUICK = "fakes.quick_studio:QuickStudio"


def make_settings(folder: Path, **more: Any) -> settings.Settings:
    """Settings of services that lies in a folder; leases are short so that tests are."""
    more.setdefault("lease_s", 2.0)
    more.setdefault("stop_grace_s", 1.0)
    if isinstance(more.get("database_url"), str):
        more["database_url"] = SecretStr(more["database_url"])
    return settings.load(data=folder, **more)


async def person(services: Services, user: str = "1", photos: int = 1) -> Account:
    """Open an account with consent and photos on the blob_store."""
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


async def until(true: Callable[[], Awaitable[bool]] | Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        answer = true()
        if await answer if isinstance(answer, Awaitable) else answer:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not so within {within_s} s: {true}")


async def state_of(services: Services, job_id: int) -> str:
    """The state of an job_id in the database."""
    async with services.database.read() as tx:
        status = await status_of(tx, job_id)
    return status.state if status else "gone"


@dataclass
class Front:
    """What people were told, last words only, by a worker and a notifier that run inside the test."""

    told: list[JobEvent] = field(default_factory=list)

    async def words(self, job_id: int) -> list[str]:
        """Wait for the last word on a job; return all there were."""
        await until(lambda: any(job_event.job_id == job_id for job_event in self.told))
        return [type_of(job_event.payload) for job_event in self.told if job_event.job_id == job_id]


@asynccontextmanager
async def working(services: Services, studio: str = QUICK) -> AsyncIterator[Front]:
    """Worker, relay and notifier of services as tasks of the test; their children are real processes."""
    front = Front()

    async def deliver(job_event: JobEvent) -> None:
        if job_event.id:
            front.told.append(job_event)

    parts = (
        Worker(services.settings, services.database, services.blob_store, services.job_queue, studio).run(),
        services.job_queue.relay(),
        services.job_queue.listen("telegram", deliver),
    )
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        yield front
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Process:
    """A process of the services that a test may kill; parts are some of `worker` and `notify`, joined by commas.

    Forked from a server that has imported everything already: only the start is quicker than in real life.
    """

    def __init__(self, config: settings.Settings, parts: str, studio: str = QUICK) -> None:
        self.log = config.data / f"{parts}-{time.monotonic_ns()}.log"
        self.log.touch()
        env = {
            name: value for name, value in os.environ.items() if name.startswith(("PYTHONPATH", "QUICK_LOG", "AWS_"))
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
                await asyncio.to_thread(_append, config.data / "told", json.dumps(line) + "\n")
                await asyncio.sleep(0.02)

        await services.job_queue.listen("telegram", deliver)

    run(config, [notify] if "notify" in parts.split(",") else [], "worker" in parts.split(","), studio=studio)


def kill_queue_server(config: settings.Settings) -> None:
    """kill -9 of the services's own Valkey; nothing where it is still down from the last time."""
    with suppress(OSError, IndexError):
        os.kill(
            int(EmbeddedValkey(config.data)._say(b"INFO", b"server").split(b"process_id:")[1].split()[0]),
            signal.SIGKILL,
        )


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["jobs.run", "live_services"])


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


# --- S3


SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, Signature=b"}


@dataclass
class S3Server:
    """moto's server in a process of its own: an S3 over real HTTP that can be taken away and brought back."""

    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.05)
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/shelf", method="PUT", headers=SIGNED)).close()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        server = S3Server(s.getsockname()[1])
    yield server
    server.stop()


@pytest.fixture
def on_s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    if s3_server.process is None:
        s3_server.start()
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server.url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return s3_server


# --- PostgreSQL


class Postgres:
    """A server of its own on a unix socket, run as an unprivileged user."""

    def __init__(self) -> None:
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) or [shutil.which("initdb") or ""]
        if not found[-1]:
            pytest.skip("PostgreSQL's server is not installed here (Debian: apt-get install postgresql)")
        self._bin = Path(found[-1]).parent
        self._as: dict[str, Any] = (
            {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
        )
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        if self._as:
            shutil.chown(self.folder, "nobody", "nogroup")
        quiet: dict[str, Any] = {
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
            "cwd": self.folder,
            **self._as,
        }
        data = str(self.folder / "data")
        subprocess.run(
            [self._bin / "initdb", "-D", data, "-U", "atelier", "-A", "trust", "--no-sync", "-E", "UTF8"],
            check=True, **quiet,
        )  # fmt: skip
        self._server = subprocess.Popen(
            [self._bin / "postgres", "-D", data, "-k", str(self.folder), "-h", "", "-c", "fsync=off",
             "-c", "max_connections=200"], **quiet,
        )  # fmt: skip
        self._made = 0

    async def new_database(self, empty: bool = False) -> str:
        """Create a database, with the database's tables unless it is to be empty, and return its URL."""
        if not empty and not self._made:
            await self._create("ready")
            await (await open_database(make_settings(self.folder / "any", database_url=self._url("ready")))).close()
        self._made += 1
        await self._create(f"database{self._made}", "template0" if empty else "ready")
        return self._url(f"database{self._made}")

    def _url(self, name: str) -> str:
        return f"postgresql+asyncpg://atelier@/{name}?host={self.folder}"

    async def _create(self, name: str, template: str = "template0") -> None:
        for _ in range(100):
            try:
                c = await asyncpg.connect(host=str(self.folder), user="atelier", database="postgres")
                break
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
        await c.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        await c.close()

    def stop(self) -> None:
        self._server.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
        self._server.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def ready_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an empty database in it, migrated once."""
    folder = tmp_path_factory.mktemp("ready")
    asyncio.run(_migrate(folder))
    return folder


async def _migrate(folder: Path) -> None:
    await (await open_database(make_settings(folder))).close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path, ready_sqlite: Path) -> str | None:
    """The database URL of a test: SQLite in its folder, or a new PostgreSQL database; both with their tables."""
    if request.param == "sqlite":
        shutil.copy(ready_sqlite / "ledger.db", tmp_path)
        return None
    server: Postgres = request.getfixturevalue("postgres")
    return await server.new_database()


@pytest.fixture(scope="session")
def queue_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """One Valkey for all tests that do not try what happens to it; `services` empties it."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("queue"))
    server.ensure()
    yield server
    server.stop()


@pytest.fixture
async def services(tmp_path: Path, ready_sqlite: Path, queue_server: EmbeddedValkey) -> AsyncIterator[Services]:
    """Services on SQLite, a folder, and the tests' queue server with nothing in it."""
    shutil.copy(ready_sqlite / "ledger.db", tmp_path)
    queue_server._say(b"FLUSHALL")
    async with open_services(make_settings(tmp_path, redis_url=SecretStr(queue_server.url))) as opened_services:
        yield opened_services


def told(config: settings.Settings) -> list[dict[str, Any]]:
    """What the notifier told people so far, one entry for every time it did."""
    file = config.data / "told"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _append(file: Path, line: str) -> None:
    with file.open("a") as out:
        out.write(line)
