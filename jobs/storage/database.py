"""The database: SQLite or PostgreSQL, its transactions and migrations, and removal of what deleted rows leave behind.

`jobs.storage.transaction` has what a transaction can do.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from core.errors import SetupWrong
from jobs.settings import Settings
from jobs.storage import schema as t
from jobs.storage.keys import Keyring, open_keyring
from jobs.storage.transaction import Transaction

BUSY_MS: Final = 10_000  # how long SQLite waits for another process's transaction
CACHE_KB: Final = 256
"""Of pages that each SQLite connection keeps: its own 2 MB for every one of a process's fifteen are the file's pages
once more, which the system keeps in memory already."""
CHECKPOINT_TRIES: Final = 50
MIGRATIONS: Final = Path(__file__).parent / "migrations"
UPGRADE_LOCK: Final = 0x41544C52  # "ATLR": PostgreSQL's advisory lock while the schema is brought up to date


log = structlog.get_logger("atelier.database")


class Database:
    """The database, open."""

    def __init__(self, engine: AsyncEngine, keyring: Keyring, promised_days: int) -> None:
        self.engine = engine
        self.keyring = keyring
        self._promised_days = promised_days
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._one_writer: Any = asyncio.Lock() if self.is_sqlite else nullcontext()
        self._patient: Any = asyncio.Lock() if self.is_sqlite else nullcontext()

    @asynccontextmanager
    async def write(self, urgent: bool = False) -> AsyncIterator[Transaction]:
        """Open a tx to write on; it is committed at the end of the block, thrown away on any exception.

        urgent: a person waits for it; it goes before all but one of this process's other writers.

        In SQLite writers of one process queue up here, those of several on the file's lock, taken at once
        (BEGIN IMMEDIATE), so that no transaction fails half-way for another's sake.
        """
        async with nullcontext() if urgent else self._patient, self._one_writer, self.engine.connect() as c:
            await c.execution_options(writes=True)
            async with c.begin():
                tx = Transaction(c, self.keyring, self._promised_days)
                yield tx
        for run in tx.after:
            run()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Open a transaction to read from: one consistent snapshot, without waiting."""
        async with self.engine.connect() as c, c.begin():
            yield Transaction(c, self.keyring, self._promised_days)

    async def forget_free_pages(self) -> None:
        """Overwrite what deleted rows left behind: SQLite's write-ahead log and free pages, PostgreSQL's dead rows.

        `secure_delete` has zeroed the rows already; this empties the log that still holds their older images.
        """
        if self.is_sqlite:
            for _ in range(CHECKPOINT_TRIES):
                async with self._one_writer, self.engine.connect() as c:
                    raw = await c.get_raw_connection()
                    cursor = await raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
                    busy = (await cursor.fetchone())[0]
                    await cursor.close()
                if not busy:
                    return
                await asyncio.sleep(0.1)  # a reader still needs an older snapshot
            log.warning("log_not_emptied")
            return
        async with self.engine.connect() as c:
            await c.execution_options(isolation_level="AUTOCOMMIT")
            for table in t.metadata.sorted_tables:
                full = "FULL " if table in (t.accounts, t.pending_receipts) else ""  # no dead row keeps a wrapped key
                await c.execute(text(f"VACUUM {full}{table.name}"))

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


async def open_database(settings: Settings, keyring: Keyring | None = None) -> Database:
    """Open the database of the settings and bring its schema up to date."""
    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_async_engine(url, pool_size=5, max_overflow=10, pool_pre_ping=url.get_backend_name() != "sqlite")
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        event.listen(engine.sync_engine, "invalidate", _unlock_sqlite)
    database = Database(engine, keyring or open_keyring(settings), settings.retention_days)
    try:
        async with engine.connect() as c:
            await c.execution_options(writes=True)
            async with c.begin():
                await c.run_sync(migrate, database.keyring)
    except BaseException:
        await database.close()
        raise
    return database


def migrate(c: Connection, keyring: Keyring, to: str = "head") -> None:
    """Run the migrations that are missing; of several processes that start at once, one does: it has the write lock."""
    if c.dialect.name == "postgresql":
        c.execute(text(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})"))
    config = Config(attributes={"connection": c, "keyring": keyring})
    config.set_main_option("script_location", str(MIGRATIONS))
    known = _revisions()
    current = MigrationContext.configure(c).get_current_revision()
    if current not in (None, *known):
        raise SetupWrong(f"the database is at version {current}, newer than {known[0]}, the newest known here")
    if current != known[0]:
        command.upgrade(config, to)


@cache
def _revisions() -> tuple[str, ...]:
    """Return every version of the schema, newest first."""
    return tuple(script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions())


def _prepare_sqlite(dbapi: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    dbapi.isolation_level = None  # transactions begin where we say, see _begin_sqlite
    cursor = dbapi.cursor()
    for pragma in (
        f"busy_timeout={BUSY_MS}",
        "synchronous=FULL",  # in WAL mode NORMAL may lose the last commits with the power
        "foreign_keys=ON",
        "secure_delete=ON",
        f"cache_size=-{CACHE_KB}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    _to_wal(cursor)
    cursor.close()


def _to_wal(cursor: DBAPICursor) -> None:
    """Turn the file to WAL: where two turn a new file at once, SQLite refuses one without waiting for busy_timeout."""
    patience = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > patience:
                raise
            time.sleep(0.02)
        else:
            return


def _unlock_sqlite(dbapi: DBAPIConnection, _: ConnectionPoolEntry, __: BaseException | None) -> None:
    """Roll back what a cancelled task left open: closing alone leaves a half-read statement holding the file's lock."""
    with suppress(Exception):
        dbapi.rollback()


def _begin_sqlite(c: Connection) -> None:
    c.exec_driver_sql("BEGIN IMMEDIATE" if c.get_execution_options().get("writes") else "BEGIN")
