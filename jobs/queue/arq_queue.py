"""Where jobs are placed and news are heard. Behind the protocol stands arq, and nowhere else.

The database is the truth; a message in the queue says only "job 17, attempt 2". So a lost
message is sent again, a doubled one finds nothing to do, and nothing personal lies in the queue server.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import structlog
from arq import Retry, Worker, func
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix, result_key_prefix, retry_key_prefix
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry as RedisRetry
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError
from sqlalchemy import case, select, update
from sqlalchemy.exc import SQLAlchemyError

from jobs.kinds.base import Job
from jobs.queue import events, job_status
from jobs.queue.job_status import JobStatus
from jobs.settings import Settings
from jobs.storage import job_store
from jobs.storage import schema as t
from jobs.storage.accounts import Transaction
from jobs.storage.database import Database
from jobs.storage.job_store import Accepted, Declined

log = structlog.get_logger("atelier.job_queue")

POLL_S: Final = 0.08  # how often an idle worker asks the queue: half of it is the mean wait
RELAY_S: Final = 0.5  # how often the relay looks for messages that another process, or an earlier self, left unsent
REPAIR_S: Final = 5.0  # how often it compares the next thousand messages with what the queue really holds
NEWS_S: Final = 1.0  # how often progress is read for the people who wait
BATCH: Final = 200
EXPIRES: Final = timedelta(days=60)  # longer than anything is kept: arq's own day would drop a long queue's tail
NEVER_GIVE_UP: Final = 1_000_000  # arq counts starts against max_tries; how often to try is the database's business
DELIVERY_TIMEOUT_S: Final = 300
SLOWEST_RETRY_S: Final = 60.0

Deliver = Callable[[events.JobEvent], Awaitable[bool | None]]
"""Tells somebody. True: the news is struck out of the book already (`book.delivered`), with its effect."""
Work = Callable[[int, int], Awaitable[None]]


class JobQueue(Protocol):
    """What the front of the services knows of the jobs."""

    async def place(
        self, account: int, job: Job, ref: str, platform: str, tx: Transaction | None = None
    ) -> Accepted | Declined:
        """Take a job; the same ref again is the same job.

        With a tx, it is written in that transaction. Raises Gone, ValueError when the job breaks its rules.
        """

    async def cancel(self, account: int, job_id: int) -> str:
        """Ask that a job be dropped: `cancelled`, `stopping`, `too_late` or `unknown`.

        See `jobs.storage.job_store.cancel`.
        """

    async def status(self, account: int, job_id: int) -> JobStatus | None:
        """Say where a job stands; None when the account has no such job."""

    async def listen(self, platform: str, deliver: Deliver) -> None:
        """Hand over news of jobs placed from a platform, until cancelled.

        Last words (Done, Failed, Cancelled, Expired) come at least once, also after a restart, and again if
        deliver raises: it must be idempotent. Queued and Step come when they have changed.
        """


class ArqJobQueue:
    """The job queue over a database and a Redis or Valkey."""

    def __init__(self, database: Database, redis: ArqRedis, settings: Settings) -> None:
        self._database = database
        self._redis = redis
        self._settings = settings
        self._unsent = asyncio.Event()
        self._work_timeout_s = settings.studio_timeout_minutes * 60 + 600
        self._mark_ms = (self._work_timeout_s + 10) * 1000  # how long arq marks a message as being worked on

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
        told = _Told(deliver)
        async with asyncio.TaskGroup() as together:
            together.create_task(self._deliver_last_words(platform, told))
            together.create_task(self._deliver_progress(platform, told))

    def wake(self) -> None:
        """Tell the relay that a transaction with messages has been committed."""
        self._unsent.set()

    async def relay(self) -> None:
        """Carry messages from the outbox to the queue until cancelled; any number of processes may do so at once."""
        clock = asyncio.get_running_loop().time
        repaired = clock()
        while True:
            self._unsent.clear()
            try:
                sent = await self.send()
                if clock() - repaired > REPAIR_S:
                    await self.repair()
                    repaired = clock()
                if sent == BATCH:
                    continue
            except (RedisError, SQLAlchemyError, OSError) as error:
                log.warning("relay_waits", error=type(error).__name__)
            try:
                async with asyncio.timeout(RELAY_S):
                    await self._unsent.wait()
            except TimeoutError:
                continue

    async def send(self) -> int:
        """Send what is unsent and due; return how many messages that were."""
        x = t.outbox.c
        now = datetime.now(UTC).timestamp()
        async with self._database.read() as tx:
            due = select(t.outbox).where(x.sent_at.is_(None), x.not_before <= now).order_by(x.id).limit(BATCH)
            rows = (await tx.c.execute(due)).all()
        if not rows:
            return 0
        for row in rows:
            await self._enqueue(row)
        async with self._database.write() as tx:
            await tx.c.execute(update(t.outbox).where(x.id.in_([row.id for row in rows])).values(sent_at=now))
        return len(rows)

    async def repair(self) -> int:
        """Send again what the queue has lost: its server was emptied, or came back without its log.

        And free what a worker had taken when it was killed, but not yet claimed in the database: arq would
        hold that back for as long as the longest work may take.
        """
        x = t.outbox.c
        async with self._database.read() as tx:
            sent = (
                select(t.outbox)
                .where(x.sent_at.is_not(None))
                .order_by(case((x.type == "work", 1), else_=0), x.priority, x.id)
            )
            rows = (await tx.c.execute(sent.limit(5 * BATCH))).all()
        lost = 0
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            async with self._redis.pipeline(transaction=False) as pipe:
                for row in some:
                    pipe.exists(job_key_prefix + row.arq_id)
                    pipe.zscore(row.queue, row.arq_id)
                    pipe.pttl(in_progress_key_prefix + row.arq_id)
                answers = await pipe.execute()
            for row, exists, queued, mark_ms in zip(some, answers[::3], answers[1::3], answers[2::3], strict=True):
                if not exists or queued is None:
                    await self.erase([(row.queue, row.arq_id)])
                    await self._enqueue(row)
                    lost += 1
                elif row.type == "work" and 0 < mark_ms < self._mark_ms - REPAIR_S * 1000:
                    await self._redis.delete(in_progress_key_prefix + row.arq_id)
                    lost += 1
        if lost:
            log.warning("queue_repaired", messages=lost)
        return lost

    async def erase(self, jobs: Iterable[tuple[str, str]]) -> None:
        """Take messages (queue, id) out of the queue with all that arq keeps about them."""
        async with self._redis.pipeline(transaction=True) as pipe:
            for queue, job in jobs:
                pipe.zrem(queue, job)
                prefixes = (job_key_prefix, in_progress_key_prefix, retry_key_prefix, result_key_prefix)
                pipe.delete(*(prefix + job for prefix in prefixes))
            await pipe.execute()

    async def rewrite_log(self) -> None:
        """Have an append-only file forget what was deleted; a server that forbids it is left alone."""
        try:
            await self._redis.bgrewriteaof()
        except RedisError as error:
            log.info("queue_log_not_rewritten", error=str(error))

    async def depth(self, queue: str) -> int:
        """Return how many messages a queue holds, those being worked on included."""
        return int(await self._redis.zcard(queue))

    async def ping(self) -> None:
        """Raise redis.exceptions.RedisError when the queue server does not answer."""
        await self._redis.ping()

    async def consume(self, queue: str, work: Work, at_once: int) -> None:
        """Hand every message of a queue to `work(job_id, attempt)`, `at_once` of them at a time, until cancelled."""

        async def run(_: dict[str, Any], job_id: int, attempt: int) -> None:
            await work(job_id, attempt)

        await self._consume(queue, run, "work", at_once, self._work_timeout_s)

    async def close(self) -> None:
        """Close the connections to the queue server."""
        await self._redis.aclose(close_connection_pool=True)

    async def _enqueue(self, row: Any) -> None:
        body = json.loads(row.body)
        arguments = (body["job_id"], body["attempt"]) if row.type == "work" else (row.id,)
        await self._redis.enqueue_job(
            "work" if row.type == "work" else "deliver",
            *arguments,
            _job_id=row.arq_id,
            _queue_name=row.queue,
            _defer_until=datetime.fromtimestamp(
                row.priority / 1000, UTC
            ),  # arq serves lowest first: fair turns, all past
            _expires=EXPIRES,
        )

    async def _consume(self, queue: str, run: Any, name: str, at_once: int, timeout_s: float) -> None:
        """Run an arq worker inside this process, again whenever the queue server comes back."""
        while True:
            worker = Worker(
                [func(run, name=name, timeout=timeout_s, max_tries=NEVER_GIVE_UP)],
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

    async def _deliver_last_words(self, platform: str, told: _Told) -> None:
        queue = f"notify:{platform}"

        async def run(ctx: dict[str, Any], row_id: int) -> None:
            async with self._database.read() as tx:
                job_event = await job_store.job_event(tx, row_id)
            if job_event is None:
                return
            try:
                struck = await told.last(job_event)
            except Exception as error:
                wait = min(SLOWEST_RETRY_S, 2.0 ** min(ctx["job_try"], 6))
                log.exception("delivery_waits", job=job_event.job_id, wait_s=wait)
                raise Retry(defer=wait) from error
            if not struck:
                async with self._database.write() as tx:
                    await job_store.acknowledge(tx, row_id)

        while True:  # a bot that was killed while it delivered left its mark in the queue: nobody is delivering now
            try:
                marks = [in_progress_key_prefix + job.decode() for job in await self._redis.zrange(queue, 0, -1)]
                if marks:
                    await self._redis.delete(*marks)
                break
            except (RedisError, OSError):
                await asyncio.sleep(RELAY_S)
        await self._consume(queue, run, "deliver", 8, DELIVERY_TIMEOUT_S)

    async def _deliver_progress(self, platform: str, told: _Told) -> None:
        while True:
            try:
                async with self._database.read() as tx:
                    statuses = await job_status.active_jobs(tx, platform)
                await told.progress(statuses)
            except SQLAlchemyError as error:
                log.warning("progress_waits", error=type(error).__name__)
            await asyncio.sleep(NEWS_S)


class _Told:
    """What has been said of each job_id, so that progress is told when it changed, and never after the last word."""

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._progress: dict[int, events.Payload] = {}
        self._over: dict[int, None] = {}
        self._locks: dict[int, asyncio.Lock] = {}

    async def last(self, job_event: events.JobEvent) -> bool | None:
        self._over[job_event.job_id] = None
        while len(self._over) > 10_000:
            del self._over[next(iter(self._over))]
        async with self._locks.setdefault(job_event.job_id, asyncio.Lock()):
            return await self._deliver(job_event)

    async def progress(self, statuses: list[JobStatus]) -> None:
        await asyncio.gather(*(self._tell(s) for s in statuses))
        here = {s.job_id for s in statuses}
        self._progress = {job_id: word for job_id, word in self._progress.items() if job_id in here}
        self._locks = {job_id: lock for job_id, lock in self._locks.items() if job_id in here or lock.locked()}

    async def _tell(self, s: JobStatus) -> None:
        before = self._progress.get(s.job_id)
        if before is not None and _same(before, s.payload):
            return
        async with self._locks.setdefault(s.job_id, asyncio.Lock()):
            if s.job_id in self._over:
                return
            self._progress[s.job_id] = s.payload
            try:
                await self._deliver(events.JobEvent(0, s.account, s.job_id, s.kind, s.ref, s.payload))
            except Exception:
                log.exception("progress_not_shown", job=s.job_id)


def _same(one: events.Payload, other: events.Payload) -> bool:
    """Compare all but the ETA, which moves with every second; of a long line, only a tenth of it is news."""
    if isinstance(one, events.Step) and isinstance(other, events.Step):
        return (one.stage, one.step, one.total) == (other.stage, other.step, other.total)
    if isinstance(one, events.Queued) and isinstance(other, events.Queued):
        return abs(one.place - other.place) < max(1, other.place // 10)
    return False


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
