"""Delivery of job events to people: final events at least once, from the outbox; progress whenever it has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.queue import events, job_status, outbox
from jobs.queue.job_status import JobStatus
from jobs.storage.database import Database

log = structlog.get_logger("atelier.delivery")

PROGRESS_S: Final = 1.0  # how often progress is read for the people who wait
SLOWEST_RETRY_S: Final = 60.0
REMEMBERED: Final = 10_000  # jobs whose last event was delivered: no progress comes after it

Deliver = Callable[[events.JobEvent], Awaitable[bool | None]]
"""Tells somebody. True: the event is acknowledged already (`outbox.acknowledge`), with its effect."""


class Delivery:
    """One platform's events on their way to people. What failed is tried again later, by the outbox."""

    def __init__(self, database: Database, platform: str, deliver: Deliver) -> None:
        self._database = database
        self._platform = platform
        self._deliver = deliver
        self._shown: dict[int, events.Payload] = {}
        self._over: dict[int, None] = {}
        self._locks: dict[int, asyncio.Lock] = {}
        self._failed: dict[int, int] = {}  # outbox row -> how often

    async def event(self, row_id: int) -> None:
        """Deliver an event of the outbox, unless that is done; when it fails, have it sent again after a while."""
        async with self._database.read() as tx:
            found = await outbox.job_event(tx, row_id)
        if found is None:
            return
        if not isinstance(found.payload, events.Early):
            self._over[found.job_id] = None
        while len(self._over) > REMEMBERED:
            del self._over[next(iter(self._over))]
        async with self._locks.setdefault(found.job_id, asyncio.Lock()):
            async with self._database.read() as tx:  # it may have come twice
                found = await outbox.job_event(tx, row_id)
            if found is None:
                return
            try:
                acknowledged = await self._deliver(found)
            except Exception:
                self._failed[row_id] = self._failed.get(row_id, 0) + 1
                wait = min(SLOWEST_RETRY_S, 2.0 ** self._failed[row_id])
                log.exception("delivery_waits", job=found.job_id, wait_s=wait)
                async with self._database.write() as tx:
                    await outbox.send_again(tx, row_id, wait_s=wait)
                return
            self._failed.pop(row_id, None)
            if not acknowledged:
                async with self._database.write() as tx:
                    await outbox.acknowledge(tx, row_id)

    async def progress(self) -> None:
        """Show where the platform's jobs stand, whenever that has changed, until cancelled."""
        while True:
            try:
                async with self._database.read() as tx:
                    statuses = await job_status.active_jobs(tx, self._platform)
                await asyncio.gather(*(self._show(status) for status in statuses))
                here = {status.job_id for status in statuses}
                self._shown = {job_id: shown for job_id, shown in self._shown.items() if job_id in here}
                self._locks = {job_id: lock for job_id, lock in self._locks.items() if job_id in here or lock.locked()}
            except SQLAlchemyError as error:
                log.warning("progress_waits", error=type(error).__name__)
            await asyncio.sleep(PROGRESS_S)

    async def _show(self, status: JobStatus) -> None:
        before = self._shown.get(status.job_id)
        if before is not None and _same(before, status.payload):
            return
        async with self._locks.setdefault(status.job_id, asyncio.Lock()):
            if status.job_id in self._over:
                return
            self._shown[status.job_id] = status.payload
            try:
                await self._deliver(
                    events.JobEvent(0, status.account, status.job_id, status.kind, status.ref, status.payload)
                )
            except Exception:
                log.exception("progress_not_shown", job=status.job_id)


def _same(one: events.Payload, other: events.Payload) -> bool:
    """Compare all but the ETA, which moves with every second; of a long line, only a tenth of it is worth telling."""
    if isinstance(one, events.Step) and isinstance(other, events.Step):
        return (one.stage, one.step, one.total) == (other.stage, other.step, other.total)
    if isinstance(one, events.Queued) and isinstance(other, events.Queued):
        return abs(one.place - other.place) < max(1, other.place // 10)
    return False
