"""Everything a process of this house has open: settings, ledger, shelf, desk."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from jobs.embedded_valkey import embedded
from jobs.metrics import Check
from jobs.queue.arq_queue import ArqDesk, open_desk
from jobs.settings import Settings
from jobs.storage.blobs import Shelf, open_shelf
from jobs.storage.database import Ledger, open_ledger


@dataclass(frozen=True, slots=True)
class House:
    """What the bots and the worker are given."""

    settings: Settings
    ledger: Ledger
    shelf: Shelf
    desk: ArqDesk

    @property
    def checks(self) -> dict[str, Check]:
        """What must answer for this process to be ready."""
        return {"ledger": self._ledger_answers, "queue": self.desk.ping, "shelf": self.shelf.ping}

    async def _ledger_answers(self) -> None:
        async with self.ledger.read() as page:
            await page.c.exec_driver_sql("SELECT 1")


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[House]:
    """Open the house of the settings; where no REDIS_URL is set it brings its own queue server."""
    os.umask(0o077)  # whatever this process and its children write is its owner's alone, in the open folders too
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with AsyncExitStack() as stack:
        url = (
            settings.redis_url.get_secret_value()
            if settings.redis_url
            else await stack.enter_async_context(embedded(settings.data))
        )
        ledger = await open_ledger(settings)
        stack.push_async_callback(ledger.close)
        desk = await open_desk(settings, ledger, url)
        stack.push_async_callback(desk.close)
        yield House(settings, ledger, open_shelf(settings, ledger), desk)
