"""The job queue: jobs are placed in the database and delivered by arq. Nothing else imports arq.

The database is the truth. A transaction that needs delivery writes a row into the outbox; the relay sends it to arq,
where one attempt is one arq job with an id of its own. An arq job only wakes a worker, which then claims the waiting
job that is next in the fair order. So a lost arq job is sent again, a duplicate finds nothing to do, arq's order does
not matter, and the queue server holds nothing personal.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import structlog
from arq import Worker, func
from arq.connections import ArqRedis
from arq.jobs import Job as ArqJob
from arq.jobs import JobStatus as ArqStatus
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry as RedisRetry
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError
from sqlalchemy import case, select, update
from sqlalchemy.exc import SQLAlchemyError

from jobs.kinds.base import Job
from jobs.queue import delivery, job_status, job_store, outbox
from jobs.queue.delivery import Deliver
from jobs.queue.job_status import JobStatus
from jobs.queue.job_store import Accepted, Declined
from jobs.settings import Settings
from jobs.storage import schema as t
from jobs.storage.database import Database
from jobs.storage.transaction import Transaction

log = structlog.get_logger("atelier.job_queue")

POLL_S: Final = 0.08  # how often an idle worker asks the queue: half of it is the mean wait
RELAY_S: Final = 0.5  # how often the relay looks for rows that another process, or an earlier self, left unsent
LOST_S: Final = 5.0  # how long a row may be sent without effect before arq is asked what became of it
BATCH: Final = 200
DELIVERIES_AT_ONCE: Final = 8
DELIVERY_TIMEOUT_S: Final = 300
WAITING: Final = (ArqStatus.queued, ArqStatus.deferred)

Work = Callable[[], Awaitable[None]]
"""Claims the next job of a queue and does it; returns at once when none waits."""


class JobQueue(Protocol):
    """What the bots know of the jobs."""

    async def place(
        self, account: int, job: Job, ref: str, platform: str, tx: Transaction | None = None
    ) -> Accepted | Declined:
        """Take a job; the same ref again is the same job.

        With a tx, it is written in that transaction. Raises Gone, ValueError when the job breaks its rules.
        """

    def wake(self) -> None:
        """Say that events or jobs were written: for `Transaction.after`, where `place` was not asked."""

    async def cancel(self, account: int, job_id: int) -> str:
        """Ask that a job be dropped: `cancelled`, `stopping`, `too_late` or `unknown`.

        See `jobs.queue.job_store.cancel`.
        """

    async def status(self, account: int, job_id: int) -> JobStatus | None:
        """Say where a job stands; None when the account has no such job."""

    async def listen(self, platform: str, deliver: Deliver) -> None:
        """Hand over the events of jobs placed from a platform, until cancelled.

        Last ones (Done, Failed, Cancelled, Expired) come at least once, also after a restart, and again if
        deliver raises: it must be idempotent. So does FirstPortrait, unless a last one comes before it. Queued and
        Step come when they have changed.
        """


class ArqJobQueue:
    """The job queue over a database and a Redis or Valkey."""

    def __init__(self, database: Database, redis: ArqRedis, settings: Settings) -> None:
        self._database = database
        self._redis = redis
        self._settings = settings
        self._unsent = asyncio.Event()

    async def place(
        self, account: int, job: Job, ref: str, platform: str, tx: Transaction | None = None
    ) -> Accepted | Declined:
        """See `JobQueue.place`."""
        if tx is None:
            async with self._database.write() as own:
                return await self.place(account, job, ref, platform, own)
        tx.after.append(self.wake)
        return await job_store.place(tx, account, job, ref, platform, self._settings)

    async def cancel(self, account: int, job_id: int) -> str:
        """See `JobQueue.cancel`."""
        async with self._database.write() as tx:
            tx.after.append(self.wake)
            return await job_store.cancel(tx, account, job_id)

    async def status(self, account: int, job_id: int) -> JobStatus | None:
        """See `JobQueue.status`."""
        async with self._database.read() as tx:
            found = await job_status.status_of(tx, job_id)
        return found if found and found.account == account else None

    async def listen(self, platform: str, deliver: Deliver) -> None:
        """See `JobQueue.listen`."""
        delivering = delivery.Delivery(self._database, platform, deliver)
        async with self._database.write() as tx:
            await outbox.send_events_again(tx, platform)  # what an earlier process had taken and not delivered
        self.wake()

        async def run(_: dict[str, Any], row_id: int) -> None:
            await delivering.event(row_id)

        async with asyncio.TaskGroup() as together:
            name, timeout_s = outbox.notify_queue(platform), DELIVERY_TIMEOUT_S
            together.create_task(self._consume(name, func(run, name="deliver", timeout=timeout_s), DELIVERIES_AT_ONCE))
            together.create_task(delivering.progress())

    async def consume(self, queue: str, work: Work, at_once: int) -> None:
        """Call `work` for every attempt that is sent to a queue, `at_once` of them at a time, until cancelled."""

        async def run(_: dict[str, Any]) -> None:
            await work()

        timeout_s = self._settings.studio_timeout_minutes * 60 + 600  # the worker's own limits end sooner
        await self._consume(queue, func(run, name="work", timeout=timeout_s), at_once)

    def wake(self) -> None:
        """Tell the relay that a transaction with an outbox row has been committed."""
        self._unsent.set()

    async def relay(self) -> None:
        """Carry rows from the outbox to arq until cancelled; any number of processes may do so at once."""
        checked = time.monotonic()
        while True:
            self._unsent.clear()
            try:
                if time.monotonic() - checked > LOST_S:
                    while await self.find_lost() == BATCH:
                        await self.send()
                    checked = time.monotonic()
                if await self.send() == BATCH:
                    continue
            except (RedisError, SQLAlchemyError, OSError) as error:
                log.warning("relay_waits", error=type(error).__name__)
            try:
                async with asyncio.timeout(RELAY_S):
                    await self._unsent.wait()
            except TimeoutError:
                continue

    async def send(self) -> int:
        """Send what is unsent and due; return how many rows that were."""
        x = t.outbox.c
        now = time.time()
        async with self._database.read() as tx:
            due = select(t.outbox).where(x.sent_at.is_(None), x.not_before <= now).order_by(x.id).limit(BATCH)
            rows = (await tx.c.execute(due)).all()
        for row in rows:
            name, arguments = ("work", ()) if row.type == "work" else ("deliver", (row.id,))
            await self._redis.enqueue_job(name, *arguments, _job_id=row.arq_id, _queue_name=row.queue)
        if rows:
            async with self._database.write() as tx:
                for row in rows:
                    await tx.c.execute(
                        update(t.outbox).where(x.id == row.id, x.arq_id == row.arq_id).values(sent_at=now)
                    )
        return len(rows)

    async def find_lost(self) -> int:
        """Have what arq lost sent again under a new id; return how many rows that were, `BATCH` at most.

        Lost is what arq does not know any more (its server was emptied, or came back without its log), and work that
        is taken from the queue but still not claimed: its worker was killed in between.
        """
        x = t.outbox.c
        async with self._database.read() as tx:
            sent = select(t.outbox).where(x.sent_at < time.time() - LOST_S)
            events_first = case((x.type == "work", 1), else_=0)
            rows = (await tx.c.execute(sent.order_by(events_first, x.priority, x.id).limit(BATCH))).all()
        lost = []
        for row in rows:
            status = await ArqJob(row.arq_id, self._redis, row.queue).status()
            if status not in WAITING and not (status is ArqStatus.in_progress and row.type != "work"):
                lost.append(row)
        if lost:
            async with self._database.write() as tx:
                for row in lost:
                    await outbox.send_again(tx, row.id, row.arq_id)
            self.wake()
            log.warning("sent_again", rows=len(lost))
        return len(lost)

    async def ping(self) -> None:
        """Raise redis.exceptions.RedisError when the queue server does not answer."""
        await self._redis.ping()

    async def close(self) -> None:
        """Close the connections to the queue server."""
        await self._redis.aclose(close_connection_pool=True)

    async def _consume(self, queue: str, function: Any, at_once: int) -> None:
        """Run an arq worker inside this process, again whenever the queue server comes back."""
        while True:
            worker = Worker(
                [function],
                queue_name=queue,
                redis_pool=self._redis,
                handle_signals=False,
                max_jobs=at_once,
                keep_result=0,
                poll_delay=POLL_S,
                health_check_interval=15,
                job_serializer=encode,
                job_deserializer=decode,
                log_results=False,
            )
            try:
                await worker.async_run()
            except (RedisError, OSError) as error:
                log.warning("queue_away", queue=queue, error=type(error).__name__)
                await asyncio.gather(*worker.tasks.values(), return_exceptions=True)  # work goes on without a queue
                await asyncio.sleep(RELAY_S)
            except asyncio.CancelledError:
                for task in worker.tasks.values():
                    task.cancel()
                await asyncio.gather(*worker.tasks.values(), return_exceptions=True)
                raise


async def open_job_queue(settings: Settings, database: Database, redis_url: str) -> ArqJobQueue:
    """Connect to the queue server; password, TLS and its options may stand in the URL (percent-encoded)."""
    retry = RedisRetry(ConstantBackoff(0.1), 3)
    pool = ConnectionPool.from_url(redis_url, retry=retry, health_check_interval=15, socket_connect_timeout=3)
    return ArqJobQueue(database, ArqRedis(pool, job_serializer=encode, job_deserializer=decode), settings)


def encode(message: dict[str, Any]) -> bytes:
    """Write a queue message as JSON; exceptions become tagged words, because pickle would run what it reads."""
    return json.dumps(message, default=_tag, separators=(",", ":")).encode()


def decode(data: bytes) -> dict[str, Any]:
    """Read what `encode` wrote."""
    message: dict[str, Any] = json.loads(data, object_hook=_untag)
    return message


def _tag(value: object) -> dict[str, str]:
    if isinstance(value, BaseException):
        return {"__raised__": type(value).__name__, "said": str(value)}
    raise TypeError(f"{type(value).__name__} does not belong into a queue")


def _untag(value: dict[str, Any]) -> Any:
    if "__raised__" not in value:
        return value
    if value["__raised__"] == "CancelledError":
        return asyncio.CancelledError(value["said"])
    return RuntimeError(f"{value['__raised__']}: {value['said']}")
