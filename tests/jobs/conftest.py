"""Fixtures of the jobs' tests: an open database of either kind, a disk that can be filled up."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from jobs.settings import Settings
from jobs.storage.database import Database, open_database
from tests.live_services import make_settings


@pytest.fixture
def limits(tmp_path: Path, database_url: str | None) -> Settings:
    return make_settings(tmp_path, **({"database_url": database_url} if database_url else {}))


@pytest.fixture
async def database(limits: Settings) -> AsyncIterator[Database]:
    opened = await open_database(limits)
    yield opened
    await opened.close()


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of 128 KiB, or of the size it is asked for."""
    disk = tmp_path / "disk"
    disk.mkdir()
    size = getattr(request, "param", "128k")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("only root may mount a small disk to fill up")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)
