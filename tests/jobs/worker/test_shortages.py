"""Full disks, a blob store that is away, a locked database: they delay a job in a real worker and lose none."""

import asyncio
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from jobs.queue.events import Failed
from jobs.services import Services, open_services
from tests.live_services import (
    column,
    ends,
    galleries,
    make_settings,
    person,
    place,
    shoot,
    stands_at,
    until,
    working,
)

LEASE_S = 2.0


async def test_a_studio_that_finds_the_disk_full_delays_a_job_and_does_not_lose_it(services: Services) -> None:
    someone = await person(services)
    async with working(services):
        await ends(services, await place(services, someone.id, shoot("full")))
        assert await column(services, "attempt") == 2


@pytest.mark.parametrize("full", ["work", "shelf"])
async def test_a_full_disk_delays_a_job_and_does_not_lose_it(tmp_path: Path, small_disk: Path, full: str) -> None:
    where: dict[str, Any] = {"work": small_disk} if full == "work" else {"shelf_url": f"file://{small_disk}"}
    async with open_services(make_settings(tmp_path, **where)) as services, working(services) as front:
        someone = await person(services)
        (small_disk / "rubbish").write_bytes(b"x" * (120 * 1024))
        job_id = await place(services, someone.id, shoot(count=8))

        async def put_back() -> bool:
            return bool(await column(services, "attempt") == 2)

        await until(put_back)
        (small_disk / "rubbish").unlink()
        await ends(services, job_id)
        assert await front.words(job_id) == ["done"]
        assert len(await galleries(services, someone.id, job_id)) == 8


@pytest.mark.parametrize("small_disk", ["8m"], indirect=True)
async def test_a_full_disk_under_database_queue_shelf_and_work_at_once_delays_a_job_and_does_not_lose_it(
    small_disk: Path,
) -> None:
    async with open_services(make_settings(small_disk)) as services, working(services, lease_s=LEASE_S) as front:
        someone = await person(services)
        job_id = await place(services, someone.id, shoot("slow", count=8))
        await stands_at(services, job_id, 1)
        with suppress(OSError), (small_disk / "rubbish").open("wb", buffering=0) as rubbish:
            while rubbish.write(b"x" * 4096):
                pass
        await asyncio.sleep(1.5 * LEASE_S)  # whoever cannot write his heartbeat has lost it by now
        (small_disk / "rubbish").unlink()
        await ends(services, job_id)
        assert await front.words(job_id) == ["done"]
        assert len(set(await galleries(services, someone.id, job_id))) == 8
        async with services.database.read() as tx:
            assert len(await tx.sittings(someone.id)) == 1
            assert (await tx.c.exec_driver_sql("PRAGMA integrity_check")).scalar_one() == "ok"


async def test_a_store_that_is_away_for_a_while_delays_a_job_and_does_not_lose_it(tmp_path: Path) -> None:
    blob_store = tmp_path / "elsewhere"
    async with open_services(make_settings(tmp_path, shelf_url=f"file://{blob_store}")) as services, working(services):
        someone = await person(services)
        blob_store.rename(tmp_path / "unplugged")
        blob_store.write_text("not a folder")
        job_id = await place(services, someone.id, shoot())

        async def put_back() -> bool:
            return bool(await column(services, "attempt") == 2)

        await until(put_back)
        blob_store.unlink()
        (tmp_path / "unplugged").rename(blob_store)
        await ends(services, job_id)


async def test_a_photo_whose_file_is_damaged_fails_its_job_at_once_and_says_so(services: Services) -> None:
    someone = await person(services)
    (file,) = [f for f in (services.settings.data / "shelf").rglob("*") if f.is_file()]
    file.write_bytes(file.read_bytes()[:-1])
    async with working(services) as front:
        job_id = await place(services, someone.id, shoot())
        assert await front.words(job_id) == ["failed"]
    assert isinstance(front.told[0].payload, Failed)
    assert front.told[0].payload.reason == "photo_gone"
    assert await column(services, "attempt") == 1


async def test_a_database_that_is_locked_for_longer_than_its_patience_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.storage.database.BUSY_MS", 300)
    monkeypatch.setattr("jobs.queue.arq_queue.LOST_S", 0.5)
    async with open_services(make_settings(tmp_path)) as services, working(services, lease_s=LEASE_S) as front:
        someone = await person(services)
        job_id = await place(services, someone.id, shoot("slow", count=4))
        await stands_at(services, job_id, 1)
        await asyncio.to_thread(_lock, services.settings.data / "ledger.db", 3.0)
        await ends(services, job_id)
        assert await front.words(job_id) == ["done"]
        assert len(await galleries(services, someone.id, job_id)) == 4


def _lock(file: Path, seconds: float) -> None:
    """Hold SQLite's write lock, as a backup tool gone wrong would."""
    c = sqlite3.connect(file, isolation_level=None, timeout=10)
    c.execute("BEGIN IMMEDIATE")
    time.sleep(seconds)
    c.execute("ROLLBACK")
    c.close()
