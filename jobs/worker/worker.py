"""The worker: claims jobs, has them done in child processes, publishes the results.

Every running job has a heartbeat in the database. It is a count, not a time: a reaper that sees it unchanged for
`lease_s` of its own monotonic clock takes the job back for the next attempt, so that no wall clock can take a job away
or keep it for ever. A worker that has lost its job, or cannot reach the database for a whole lease, kills the child.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.errors import Stopped
from jobs import metrics
from jobs.kinds import registry
from jobs.kinds.base import Queue
from jobs.queue import events, job_status, job_store
from jobs.queue.arq_queue import ArqJobQueue
from jobs.queue.job_store import Claimed
from jobs.settings import Settings
from jobs.storage.base import Gone
from jobs.storage.blobs import BlobMissing, BlobStore, BlobStoreDown, BlobStoreFull
from jobs.storage.database import Database
from jobs.storage.keys import DataIntegrityError
from jobs.storage.transaction import Transaction
from jobs.worker.child import Child, Died, TaskFailed
from jobs.worker.workspace import Workspace, take_down

log = structlog.get_logger("atelier.worker")

BEATS_A_LEASE: Final = 8  # so many heartbeats must be lost before a job is taken away
WORKER_STRIKES: Final = 5  # a worker's death says less about a job than its child's: so many times the strikes
SIGN_IN_S: Final = 5.0
BREAKS_CHILD: Final = frozenset({"fault", "memory"})  # the next job gets a new process: CUDA is of no use after some
OVER: Final = frozenset({"done", "failed", "cancelled", "gone"})  # nobody will go on with the files of a job
TRIES_LATER: Final = 40  # attempts of a job whose disk or blob store is in trouble; with SLOWEST_S over half an hour
SLOWEST_S: Final = 60.0
CORE_STUDIO: Final = "jobs.worker.core_studio:CoreStudio"
QUEUES: Final[tuple[Queue, ...]] = ("look", "studio")


@dataclass(slots=True)
class _Run:
    """One job being done: the child that does it, how far it is, and why it ends."""

    claimed: Claimed
    child: Child
    workspace: Workspace
    step: events.Step = field(default_factory=events.Step)
    verdict: str = "go on"
    closing: bool = False  # its end is being written: the heart is not asked any more
    early: asyncio.Task[None] | None = None  # tells of the first portrait, or an edit's preview
    first_told: bool = False
    since: float = field(default_factory=time.monotonic)
    stage_since: float = field(default_factory=time.monotonic)


class Worker:
    """One worker process: its slots, its heart, its reaper."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        blob_store: BlobStore,
        job_queue: ArqJobQueue,
        studio: str = CORE_STUDIO,
    ) -> None:
        self._settings = settings
        self._database = database
        self._blob_store = blob_store
        self._job_queue = job_queue
        self._studio = studio
        self._slots = {"look": settings.look_slots, "studio": 1}
        self._children: dict[str, asyncio.Queue[Child]] = {}

    async def run(self, queues: tuple[Queue, ...] = QUEUES) -> None:
        """Work until cancelled; then give back what is unfinished and end the children."""
        children = [
            (queue, Child(queue, self._studio, self._settings.engine))
            for queue in queues
            for _ in range(self._slots[queue])
        ]
        self._children = {queue: asyncio.Queue() for queue in queues}
        for queue, child in children:
            self._children[queue].put_nowait(child)
            await child.start()
        try:
            async with asyncio.TaskGroup() as together:
                for queue in queues:
                    together.create_task(
                        self._job_queue.consume(queue, partial(self._work_on, queue), self._slots[queue])
                    )
                together.create_task(self._reap())
                together.create_task(self._sign_in(queues, [child for _, child in children]))
        finally:
            for _, child in children:
                await child.kill()
            async with self._database.write() as tx:
                for queue in queues:
                    await job_status.sign_in(tx, self._settings.host, queue, 0)

    async def _work_on(self, queue: Queue) -> None:
        """Claim the next job of a queue and do it; whatever is raised here is left to the reaper."""
        child = await self._children[queue].get()
        try:
            async with self._database.write() as tx:
                claimed = await job_store.claim_next(tx, queue, self._settings.host)
            if claimed is not None:
                await self._work(claimed, child)
        except Gone:
            return
        finally:
            self._children[queue].put_nowait(child)

    async def _work(self, claimed: Claimed, child: Child) -> None:
        job_id, attempt = claimed.id, claimed.attempt
        log.info("job_started", job=job_id, attempt=attempt, kind=claimed.kind)
        folder = self._settings.work_folder / claimed.token / f"{job_id}.{attempt}"
        run = _Run(claimed, child, Workspace(self._blob_store, self._database, claimed.account, job_id, folder))
        doing = asyncio.create_task(self._do(run))
        heart = asyncio.create_task(self._heart(run, doing))
        try:
            outcome = await doing
        except asyncio.CancelledError:
            if run.verdict != "lost":  # the worker is being stopped: the next one goes on with the files
                await self._let_go(run)
                raise
            outcome = "lost"
        except Exception:
            log.exception("job_left_to_reaper", job=job_id, attempt=attempt)
            await child.kill()
            outcome = "left"
        finally:
            heart.cancel()
            await asyncio.gather(heart, return_exceptions=True)
        if outcome not in {"left", "again"} and (outcome != "lost" or await self._state(job_id) in OVER):
            await asyncio.to_thread(run.workspace.clear_away)
        self._job_queue.wake()
        metrics.JOBS.labels(claimed.kind, outcome).inc()
        metrics.SECONDS.labels(claimed.kind).observe(time.monotonic() - run.since)
        log.info("job_over", job=job_id, attempt=attempt, kind=claimed.kind, outcome=outcome)

    async def _do(self, run: _Run) -> str:
        """Lay the job's files ready, have it done, publish, and close it in the database; return how it ended."""
        claimed, job = run.claimed, run.claimed.job
        limit_s = (
            self._settings.look_timeout_s if claimed.queue == "look" else self._settings.studio_timeout_minutes * 60
        )
        try:
            result = await self._drawn(run, limit_s)
            run.step = events.Step("publish", 0, 1)
            async with self._database.write() as tx:  # another may have its files, and have delivered it meanwhile
                if await job_store.beat(tx, claimed.id, claimed.attempt, run.step) == "lost":
                    return "lost"
            published = await job.publish(run.workspace, result)
            async with self._closing(run) as tx:
                for name, verdict in published.verdicts.items():
                    await tx.judge_photo(claimed.account, name, verdict)
                done = await job_store.finish(tx, claimed, published.portraits, published.facts)
            first_shown = not run.first_told and any(drawn.parent is None for drawn in published.portraits)
            if done is not None and first_shown:
                metrics.FIRST_PORTRAIT.observe(max(0.0, time.time() - claimed.placed_at))
            return "lost" if done is None else "done"
        except Stopped:
            return await self._stopped(run)
        except TimeoutError:
            await run.child.kill()
            return await self._fail(
                run, events.Failed("timeout", f"not done after {limit_s:.0f} s, which is the limit")
            )
        except TaskFailed as error:
            if error.reason in BREAKS_CHILD:
                await run.child.kill()
                await run.child.start()
            if error.later:
                return await self._later(run, error.reason, str(error))
            return await self._fail(run, events.Failed(error.reason, str(error)))
        except BlobStoreDown as error:
            return await self._later(
                run, "disk_full" if isinstance(error, BlobStoreFull) else "storage_down", str(error)
            )
        except OSError as error:
            return await self._later(run, "disk_full", str(error))
        except (BlobMissing, DataIntegrityError) as error:
            return await self._fail(run, events.Failed("photo_gone", str(error)))
        except Gone:
            return "lost"
        except Died as error:
            if run.verdict == "cancel":
                return await self._stopped(run)
            async with self._closing(run) as tx:
                await job_store.beat(tx, claimed.id, claimed.attempt, run.step)  # how far it was
                taken = await job_store.take_back(tx, claimed.id, claimed.attempt, self._settings.strikes)
            if taken in {"failed", "cancelled"}:
                await take_down(self._blob_store, claimed.account, claimed.id)
            log.warning("child_died", job=claimed.id, signal=error.signal, then=taken)
            return {"queued": "again", "alive": "lost"}.get(taken, taken)

    async def _drawn(self, run: _Run, limit_s: float) -> dict[str, Any]:
        """Have the child do the job. Whatever puts files into the blob store meanwhile has ended when this returns or
        raises: none arrives after the job's files are taken down.
        """
        claimed, job = run.claimed, run.claimed.job
        over = asyncio.Event()
        mirror = asyncio.create_task(run.workspace.mirror(self._settings.mirror_s, over)) if job.mirrored else None
        try:
            await run.child.ready()
            run.workspace.held = run.child.held
            await run.workspace.inherit()
            await job.prepare(run.workspace)
            async with asyncio.timeout(limit_s):
                return await run.child.do(
                    claimed.kind,
                    registry.to_json(job),
                    run.workspace.folder,
                    self._progress(run),
                    partial(self._judged, run),
                )
        finally:
            over.set()
            beside = [task for task in (mirror, run.early) if task is not None]
            await asyncio.gather(*beside, return_exceptions=True)

    def _judged(self, run: _Run, record: dict[str, Any], to_come: int) -> None:
        """Take a picture that the child has made: the first that is kept is told at once, if others are to come."""
        if record["kept"] and to_come and run.early is None:
            run.early = asyncio.create_task(self._tell_early(run, record))

    async def _tell_early(self, run: _Run, record: dict[str, Any]) -> None:
        """Put a picture into the blob store and tell its owner; if that fails, the next is the first."""
        claimed = run.claimed
        try:
            drawn = await claimed.job.publish_early(run.workspace, record)
            async with self._database.write() as tx:
                tx.after.append(self._job_queue.wake)
                told = await job_store.tell_early(tx, claimed, drawn)
        except Gone:
            return
        except Exception:  # the picture is not lost: it comes with the others
            log.exception("picture_not_told", job=claimed.id)
            run.early = None
            return
        if told and drawn.parent is None:
            run.first_told = True
            metrics.FIRST_PORTRAIT.observe(max(0.0, time.time() - claimed.placed_at))

    async def _heart(self, run: _Run, doing: asyncio.Task[str]) -> None:
        """Beat, and carry back what the database says: go on, let go, or it is not yours any more."""
        claimed = run.claimed
        heard = time.monotonic()
        asked_to_stop: float | None = None
        while True:
            await asyncio.sleep(self._settings.lease_s / BEATS_A_LEASE)
            try:
                async with self._database.write() as tx:
                    run.verdict = await job_store.beat(tx, claimed.id, claimed.attempt, run.step)
                heard = time.monotonic()
            except (SQLAlchemyError, OSError) as error:
                log.warning("heart_waits", job=claimed.id, error=type(error).__name__)
                if time.monotonic() - heard > self._settings.lease_s:
                    run.verdict = "lost"
            if run.closing:
                return
            if run.verdict == "lost":
                await run.child.kill()
                doing.cancel()
                return
            if run.verdict == "cancel" and asked_to_stop is None:
                asked_to_stop = time.monotonic()
                run.child.stop()
            elif asked_to_stop is not None and time.monotonic() - asked_to_stop > self._settings.stop_grace_s:
                await run.child.kill()

    @asynccontextmanager
    async def _closing(self, run: _Run) -> AsyncIterator[Transaction]:
        """Write how a job ends. A beat after it finds the job closed, which is not to be taken for lost: what follows,
        the deletion of its files above all, would be cancelled.
        """
        run.closing = True
        async with self._database.write() as tx:
            yield tx

    def _progress(self, run: _Run) -> Callable[[str, int, int], None]:
        def on_progress(stage: str, step: int, total: int) -> None:
            if stage != run.step.stage:
                now = time.monotonic()
                if run.step.stage:
                    word = run.step.stage.partition(" ")[0]
                    metrics.STAGE_SECONDS.labels(run.claimed.kind, word).observe(now - run.stage_since)
                run.stage_since = now
            run.step = events.Step(stage[:40], step, total)
            if run.child.gpu_bytes is not None:
                for part, size in zip(("used", "total"), run.child.gpu_bytes, strict=True):
                    metrics.GPU.labels(part).set(size)

        return on_progress

    async def _fail(self, run: _Run, failed: events.Failed) -> str:
        log.warning("job_failed", job=run.claimed.id, kind=run.claimed.kind, reason=failed.reason, why=failed.message)
        metrics.FAILURES.labels(run.claimed.kind, failed.reason).inc()
        async with self._closing(run) as tx:
            closed = await job_store.fail(tx, run.claimed.id, run.claimed.attempt, failed)
        return await self._taken_down(run, "failed" if closed else "lost")

    async def _stopped(self, run: _Run) -> str:
        async with self._closing(run) as tx:
            closed = await job_store.stopped(tx, run.claimed.id, run.claimed.attempt)
        return await self._taken_down(run, "cancelled" if closed else "lost")

    async def _taken_down(self, run: _Run, outcome: str) -> str:
        """Delete what a job had put, unless another attempt goes on with it or has delivered it; return the outcome."""
        if outcome != "lost" or await self._state(run.claimed.id) in OVER - {"done"}:
            await take_down(self._blob_store, run.claimed.account, run.claimed.id)
        return outcome

    async def _later(self, run: _Run, reason: str, message: str) -> str:
        """Put a job back until its disk or blob store has recovered."""
        if run.claimed.attempt >= TRIES_LATER:
            return await self._fail(run, events.Failed(reason, message))
        wait = min(SLOWEST_S, 2.0 ** min(run.claimed.attempt, 10))
        log.warning("job_waits", job=run.claimed.id, reason=reason, wait_s=wait, why=message)
        async with self._closing(run) as tx:
            given = await job_store.release(tx, run.claimed.id, run.claimed.attempt, wait)
        return "again" if given else "lost"

    async def _let_go(self, run: _Run) -> None:
        """Stop because the worker is stopped: no strike, no event, files stay."""
        run.child.stop()
        await asyncio.sleep(min(1.0, self._settings.stop_grace_s))
        await run.child.kill()
        async with self._database.write() as tx:
            await job_store.release(tx, run.claimed.id, run.claimed.attempt)
        self._job_queue.wake()

    async def _state(self, job_id: int) -> str:
        """Return the state of a lost job, `gone`, or `unknown`: when in doubt its files are left to the sweep."""
        try:
            async with self._database.read() as tx:
                found = await job_status.status_of(tx, job_id)
        except (SQLAlchemyError, OSError):
            return "unknown"
        return "gone" if found is None else found.state

    async def _reap(self) -> None:
        """Take jobs back from workers whose heart stands still, until cancelled."""
        watched: dict[tuple[int, int], tuple[int, float]] = {}
        while True:
            try:
                watched = await self._reap_once(watched)
            except (SQLAlchemyError, OSError) as error:
                log.warning("reaper_waits", error=type(error).__name__)
            await asyncio.sleep(self._settings.lease_s / 5)

    async def _reap_once(
        self, watched: dict[tuple[int, int], tuple[int, float]]
    ) -> dict[tuple[int, int], tuple[int, float]]:
        now = time.monotonic()
        async with self._database.read() as tx:
            running = await job_store.held(tx)
        seen: dict[tuple[int, int], tuple[int, float]] = {}
        for one in running:
            key = (one.job_id, one.attempt)
            before = watched.get(key)
            seen[key] = before if before is not None and before[0] == one.beat else (one.beat, now)
            if now - seen[key][1] > self._settings.lease_s:
                async with self._database.write() as tx:
                    taken = await job_store.take_back(
                        tx, one.job_id, one.attempt, self._settings.strikes * WORKER_STRIKES, still_at=one.beat
                    )
                log.warning("job_taken_back", job=one.job_id, attempt=one.attempt, then=taken)
                self._job_queue.wake()
                if taken in {"failed", "cancelled"}:
                    await take_down(self._blob_store, one.account, one.job_id)
        return seen

    async def _sign_in(self, queues: tuple[Queue, ...], children: Sequence[Child]) -> None:
        """Be on the list of workers, for the ETA, and have children drop photos that are deleted, until cancelled."""
        while True:
            try:
                async with self._database.write() as tx:
                    for queue in queues:
                        await job_status.sign_in(tx, self._settings.host, queue, self._slots[queue])
                async with self._database.read() as tx:
                    for child in children:
                        deleted = await tx.deleted_photos(child.held)
                        if deleted:  # taken back, expired or forgotten: it must not live on in a memory
                            child.drop(deleted)
            except (SQLAlchemyError, OSError) as error:
                log.warning("sign_in_waits", error=type(error).__name__)
            await asyncio.sleep(SIGN_IN_S)
