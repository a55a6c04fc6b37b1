"""Real servers for the tests, one of each a session: S3, PostgreSQL, Valkey; and SQLite with its tables made."""

from __future__ import annotations

import asyncio
import glob
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from jobs import settings
from jobs.embedded_valkey import EmbeddedValkey
from jobs.storage.database import open_database
from tests.live_services import make_settings


def kill_queue_server(config: settings.Settings) -> None:
    """kill -9 of the services's own Valkey; nothing where it is still down from the last time."""
    with suppress(OSError, IndexError):
        os.kill(
            int(EmbeddedValkey(config.data)._say(b"INFO", b"server").split(b"process_id:")[1].split()[0]),
            signal.SIGKILL,
        )


PORTS = itertools.count(37 * os.getpid() % 12_000)


def free_port() -> int:
    """Return a port that nobody listens at, below those that systems give to clients: none of them takes it first."""
    for number in PORTS:
        port = 20_000 + number % 12_000
        with socket.socket() as s, suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable")


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
    server = S3Server(free_port())
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
