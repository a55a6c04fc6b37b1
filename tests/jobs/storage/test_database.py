"""The database and the job store, on SQLite and on PostgreSQL alike."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import create_async_engine

from core.errors import AtelierError
from jobs.settings import Settings
from jobs.storage import schema as t
from jobs.storage.database import CACHE_KB, Database, migrate, open_database
from jobs.storage.keys import open_keyring
from tests.live_services import make_settings, someone


async def test_the_migrations_make_exactly_the_tables_that_the_code_uses(database: Database) -> None:
    async with database.engine.connect() as c:
        found = await c.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), t.metadata))
    if database.is_sqlite:  # it keeps a constraint's name when table and columns get another; they are still the same
        named = [[tuple(column.name for column in item.columns) for item in part] for part in _constraints(found)]
        assert sorted(named[0]) == sorted(named[1])
        found = [one for one in found if one[0] not in {"remove_constraint", "add_constraint"}]
    assert found == []


def _constraints(found: list[Any]) -> list[list[Any]]:
    return [[one[1] for one in found if one[0] == what] for what in ("remove_constraint", "add_constraint")]


async def test_what_an_earlier_version_wrote_is_there_under_the_new_names(
    tmp_path: Path, request: pytest.FixtureRequest, database_url: str | None
) -> None:
    """A job that waits, its message and a picture, written by the version before the names changed."""
    empty = None if database_url is None else await request.getfixturevalue("postgres").new_database(empty=True)
    limits = make_settings(tmp_path / "old", **({"database_url": empty} if empty else {}))
    limits.data.mkdir(mode=0o700)
    keyring = open_keyring(limits)
    rows = {
        "accounts": {"id": 1, "token": "t", "wrapped_key": keyring.new_key("t"), "keep_days": 30, "created_at": 1.0},
        "orders": {"id": 7, "account_id": 1, "platform": "telegram", "ref": "r", "kind": "look", "queue": "look",
                   "body": '{"photo":"photos/1"}', "units": 1, "turn": 5, "state": "queued", "created_at": 1.0},
        "outbox": {"account_id": 1, "order_id": 7, "queue": "look", "job": "look:7:1", "turn": 5, "word": "work",
                   "body": '{"order": 7, "attempt": 1}', "created_at": 1.0, "sent_at": 2.0},
        "sittings": {"id": 3, "account_id": 1, "order_id": 7, "folder": "f", "facts": "{}", "created_at": 1.0,
                     "expires_at": 2.0},
        "audit": {"account_id": 1, "what": "report", "facts": '{"text": "not me"}', "at": 3.0},
    }  # fmt: skip
    engine = create_async_engine(limits.database)
    async with engine.begin() as c:
        await c.run_sync(lambda sync: migrate(sync, keyring, "0002"))
        for table, row in rows.items():
            values = ", ".join(f":{name}" for name in row)
            await c.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})"), row)
    await engine.dispose()
    opened = await open_database(limits)
    async with opened.read() as tx:
        (job,) = await tx.c.execute(select(t.jobs.c.id, t.jobs.c.priority, t.jobs.c.state))
        (message,) = await tx.c.execute(
            select(t.outbox.c.job_id, t.outbox.c.arq_id, t.outbox.c.type, t.outbox.c.sent_at)
        )
        (sitting,) = await tx.c.execute(select(t.sittings.c.job_id))
        (report,) = await tx.reports()
        assert not (await tx.c.execute(select(t.audit))).all(), "it stood there in the clear"
    await opened.close()
    assert tuple(job) == (7, 5, "queued")
    assert tuple(message) == (7, "look:7:1", "work", None), "it is sent again, as the queue knows it by other words"
    assert tuple(sitting) == (7,)
    assert (report.text, report.created_at) == ("not me", 3.0)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_several_processes_may_bring_an_empty_database_up_to_date_at_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = {}
    if kind == "postgresql":
        url = {"database_url": await request.getfixturevalue("postgres").new_database(empty=True)}
    opened = await asyncio.gather(*(open_database(make_settings(tmp_path, **url)) for _ in range(3)))
    for one in opened:
        async with one.read() as tx:
            assert (await tx.c.execute(select(t.accounts))).all() == []
        await one.close()


async def test_a_database_that_a_newer_version_wrote_is_left_alone(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        await tx.c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(AtelierError, match="version 9999"):
        await open_database(limits)


async def test_what_runs_after_the_commit_does_not_run_when_it_fails(database: Database) -> None:
    ran: list[str] = []
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with database.write() as tx:
            tx.after.append(lambda: ran.append("failed"))
            _ = 1 / 0
    async with database.write() as tx:
        tx.after.append(lambda: ran.append("committed"))
        assert ran == []
    assert ran == ["committed"]


async def test_a_connection_to_sqlite_keeps_few_pages(database: Database) -> None:
    """A process has up to fifteen: with SQLite's own 2 MB each they held the file once more for every one."""
    if database.is_sqlite:
        async with database.read() as tx:
            assert (await tx.c.exec_driver_sql("PRAGMA cache_size")).scalar_one() == -CACHE_KB


async def test_a_write_that_is_cancelled_at_any_moment_leaves_no_lock_behind(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx)

    async def write(language: str) -> None:
        async with database.write() as tx:
            await tx.set_language(account, language)
            await tx.account_of(account)

    for moment in range(40):
        task = asyncio.create_task(write("es"))
        await asyncio.sleep(moment * 0.0002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(60):
            await write("en")
