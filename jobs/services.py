"""Everything a process has open: settings, database, blob store, job queue."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from jobs.embedded_valkey import embedded
from jobs.metrics import Check
from jobs.queue.arq_queue import ArqJobQueue, open_job_queue
from jobs.settings import Settings
from jobs.storage.blobs import BlobStore, open_blob_store
from jobs.storage.database import Database, open_database


@dataclass(frozen=True, slots=True)
class Services:
    """What the bots and the worker are given."""

    settings: Settings
    database: Database
    blob_store: BlobStore
    job_queue: ArqJobQueue

    @property
    def checks(self) -> dict[str, Check]:
        """What must answer for this process to be ready."""
        return {"database": self._database_answers, "queue": self.job_queue.ping, "blob_store": self.blob_store.ping}

    async def _database_answers(self) -> None:
        async with self.database.read() as tx:
            await tx.c.exec_driver_sql("SELECT 1")


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open the services of the settings; where no REDIS_URL is set it brings its own queue server."""
    os.umask(0o077)  # whatever this process and its children write is its owner's alone, in the open folders too
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with AsyncExitStack() as stack:
        url = (
            settings.redis_url.get_secret_value()
            if settings.redis_url
            else await stack.enter_async_context(embedded(settings.data))
        )
        database = await open_database(settings)
        stack.push_async_callback(database.close)
        job_queue = await open_job_queue(settings, database, url)
        stack.push_async_callback(job_queue.close)
        yield Services(settings, database, open_blob_store(settings, database), job_queue)
