"""Who does the work: takes orders from the queues, has them done in child processes, files what came out.

Every running order has a heartbeat in the ledger. It is a count, not a time: a reaper that sees it stand
still for `lease_s` of its own monotonic clock takes the order back for the next attempt, so no clock that
jumps or goes wrong can steal an order or keep it for ever. Who finds that the order is not his any more
kills his child and leaves; who cannot reach the ledger for as long as a lease does the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.errors import Stopped
from jobs import metrics
from jobs.kinds import orders as o
from jobs.queue import events, job_status
from jobs.queue.arq_queue import ArqDesk
from jobs.settings import Settings
from jobs.storage import job_store
from jobs.storage.accounts import Gone
from jobs.storage.blobs import NotKept, Shelf, ShelfDown, ShelfFull
from jobs.storage.database import Ledger
from jobs.storage.job_store import Claimed
from jobs.storage.keys import Torn
from jobs.worker.child import Child, Died, TaskFailed
from jobs.worker.workspace import Workbench, take_down

log = structlog.get_logger("atelier.worker")

BEATS_A_LEASE: Final = 8  # so many heartbeats must be lost before an order is taken away
WORKER_STRIKES: Final = 5  # a worker's death says less about an order than its child's: so many times the strikes
SIGN_IN_S: Final = 5.0
BREAKS_CHILD: Final = frozenset({"fault", "memory"})  # the next order gets a new process: CUDA is of no use after some
TRIES_LATER: Final = 40  # attempts of an order whose disk or shelf is in trouble; with SLOWEST_S over half an hour
SLOWEST_S: Final = 60.0
CORE_STUDIO: Final = "jobs.kinds.tasks:CoreStudio"
QUEUES: Final[tuple[o.Queue, ...]] = ("look", "studio")


@dataclass(slots=True)
class _Run:
    """One order being done: the child that does it, how far it is, and why it ends."""

    claimed: Claimed
    child: Child
    bench: Workbench
    step: events.Step = field(default_factory=events.Step)
    verdict: str = "go on"
    since: float = field(default_factory=time.monotonic)
    stage_since: float = field(default_factory=time.monotonic)


class Worker:
    """One worker process: its slots, its heart, its reaper."""

    def __init__(
        self, settings: Settings, ledger: Ledger, shelf: Shelf, desk: ArqDesk, studio: str = CORE_STUDIO
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._shelf = shelf
        self._desk = desk
        self._studio = studio
        self._slots = {"look": settings.look_slots, "studio": 1}
        self._children: dict[str, asyncio.Queue[Child]] = {}

    async def run(self, queues: tuple[o.Queue, ...] = QUEUES) -> None:
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
                    at_once = self._slots[queue] * (2 if queue == "look" else 1)  # the next photo waits at the door
                    together.create_task(self._desk.consume(queue, self._work_on(queue), at_once))
                together.create_task(self._reap())
                together.create_task(self._sign_in(queues))
        finally:
            for _, child in children:
                await child.kill()
            async with self._ledger.write() as page:
                for queue in queues:
                    await job_status.sign_in(page, self._settings.host, queue, 0)

    def _work_on(self, queue: str) -> Callable[[int, int], Awaitable[None]]:
        async def work(order: int, attempt: int) -> None:
            child = await self._children[queue].get()
            try:
                await self._work(order, attempt, child)
            finally:
                self._children[queue].put_nowait(child)

        return work

    async def _work(self, order: int, attempt: int, child: Child) -> None:
        """Claim an order and do it; whatever is raised here is left to the reaper."""
        try:
            async with self._ledger.write() as page:
                claimed = await job_store.claim(page, order, attempt, self._settings.host)
        except Gone:
            return
        if claimed is None:
            return
        log.info("order_started", order=order, attempt=attempt, kind=claimed.kind)
        folder = self._settings.work_folder / claimed.token / f"{order}.{attempt}"
        run = _Run(claimed, child, Workbench(self._shelf, self._ledger, claimed, folder))
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
            log.exception("order_left_to_reaper", order=order, attempt=attempt)
            await child.kill()
            outcome = "left"
        finally:
            heart.cancel()
            await asyncio.gather(heart, return_exceptions=True)
        if outcome not in {"left", "again"} and (outcome != "lost" or await self._is_over(order)):
            await asyncio.to_thread(run.bench.clear_away)
        self._desk.wake()
        metrics.ORDERS.labels(claimed.kind, outcome).inc()
        metrics.SECONDS.labels(claimed.kind).observe(time.monotonic() - run.since)
        log.info("order_over", order=order, attempt=attempt, kind=claimed.kind, outcome=outcome)

    async def _do(self, run: _Run) -> str:
        """Lay the order's files ready, have it done, publish, and close it in the book; return how it ended."""
        claimed, order = run.claimed, run.claimed.order
        limit_s = (
            self._settings.look_timeout_s if claimed.queue == "look" else self._settings.studio_timeout_minutes * 60
        )
        mirror: asyncio.Task[None] | None = None
        if isinstance(order, o.Shoot):
            mirror = asyncio.create_task(run.bench.mirror(self._settings.mirror_s))
        try:
            await run.bench.lay_ready()
            await run.child.ready()
            async with asyncio.timeout(limit_s):
                result = await run.child.do(claimed.kind, o.to_json(order), run.bench.folder, self._progress(run))
            if mirror is not None:
                mirror.cancel()
                await asyncio.gather(mirror, return_exceptions=True)
            run.step = events.Step("publish", 0, 1)
            drawn, facts = await run.bench.publish(result)
            async with self._ledger.write() as page:
                if isinstance(order, o.Look):
                    for name, verdict in {**facts.get("others", {}), order.photo: facts}.items():
                        await page.judge_photo(claimed.account, name, verdict)
                done = await job_store.finish(page, claimed, drawn, facts)
            if done is not None and isinstance(order, o.Shoot):
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
        except ShelfDown as error:
            return await self._later(run, "disk_full" if isinstance(error, ShelfFull) else "shelf_down", str(error))
        except OSError as error:
            return await self._later(run, "disk_full", str(error))
        except (NotKept, Torn) as error:
            return await self._fail(run, events.Failed("photo_gone", str(error)))
        except Gone:
            return "lost"
        except Died as error:
            if run.verdict == "cancel":
                return await self._stopped(run)
            async with self._ledger.write() as page:
                await job_store.beat(page, claimed.id, claimed.attempt, run.step)  # how far it was
                taken = await job_store.take_back(page, claimed.id, claimed.attempt, self._settings.strikes)
            if taken in {"failed", "cancelled"}:
                await take_down(self._shelf, claimed.account, claimed.id, claimed.kind)
            log.warning("child_died", order=claimed.id, signal=error.signal, then=taken)
            return {"queued": "again", "alive": "lost"}.get(taken, taken)
        finally:
            if mirror is not None:
                mirror.cancel()
                await asyncio.gather(mirror, return_exceptions=True)

    async def _heart(self, run: _Run, doing: asyncio.Task[str]) -> None:
        """Beat, and carry back what the ledger says: go on, let go, or it is not yours any more."""
        claimed = run.claimed
        heard = time.monotonic()
        asked_to_stop: float | None = None
        while True:
            await asyncio.sleep(self._settings.lease_s / BEATS_A_LEASE)
            try:
                async with self._ledger.write() as page:
                    run.verdict = await job_store.beat(page, claimed.id, claimed.attempt, run.step)
                heard = time.monotonic()
            except (SQLAlchemyError, OSError) as error:
                log.warning("heart_waits", order=claimed.id, error=type(error).__name__)
                if time.monotonic() - heard > self._settings.lease_s:
                    run.verdict = "lost"
            if run.verdict == "lost":
                await run.child.kill()
                doing.cancel()
                return
            if run.verdict == "cancel" and asked_to_stop is None:
                asked_to_stop = time.monotonic()
                run.child.stop()
            elif asked_to_stop is not None and time.monotonic() - asked_to_stop > self._settings.stop_grace_s:
                await run.child.kill()

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
        log.warning(
            "order_failed", order=run.claimed.id, kind=run.claimed.kind, reason=failed.reason, why=failed.message
        )
        metrics.FAILURES.labels(run.claimed.kind, failed.reason).inc()
        async with self._ledger.write() as page:
            closed = await job_store.fail(page, run.claimed.id, run.claimed.attempt, failed)
        await take_down(self._shelf, run.claimed.account, run.claimed.id, run.claimed.kind)
        return "failed" if closed else "lost"

    async def _stopped(self, run: _Run) -> str:
        async with self._ledger.write() as page:
            closed = await job_store.stopped(page, run.claimed.id, run.claimed.attempt)
        await take_down(self._shelf, run.claimed.account, run.claimed.id, run.claimed.kind)
        return "cancelled" if closed else "lost"

    async def _later(self, run: _Run, reason: str, message: str) -> str:
        """Put an order back until its disk or shelf has recovered."""
        if run.claimed.attempt >= TRIES_LATER:
            return await self._fail(run, events.Failed(reason, message))
        wait = min(SLOWEST_S, 2.0 ** min(run.claimed.attempt, 10))
        log.warning("order_waits", order=run.claimed.id, reason=reason, wait_s=wait, why=message)
        async with self._ledger.write() as page:
            given = await job_store.release(page, run.claimed.id, run.claimed.attempt, wait)
        return "again" if given else "lost"

    async def _let_go(self, run: _Run) -> None:
        """Stop because the worker is stopped: no strike, no news, files stay."""
        run.child.stop()
        await asyncio.sleep(min(1.0, self._settings.stop_grace_s))
        await run.child.kill()
        async with self._ledger.write() as page:
            await job_store.release(page, run.claimed.id, run.claimed.attempt)
        self._desk.wake()

    async def _is_over(self, order: int) -> bool:
        """Say whether nobody will go on with the files of a lost order; when in doubt they are left to the sweep."""
        try:
            async with self._ledger.read() as page:
                found = await job_status.where(page, order)
        except (SQLAlchemyError, OSError):
            return False
        return found is None or found.state not in job_status.ACTIVE

    async def _reap(self) -> None:
        """Take orders back from workers whose heart stands still, until cancelled."""
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
        async with self._ledger.read() as page:
            running = await job_store.held(page)
        seen: dict[tuple[int, int], tuple[int, float]] = {}
        for one in running:
            key = (one.order, one.attempt)
            before = watched.get(key)
            seen[key] = before if before is not None and before[0] == one.beat else (one.beat, now)
            if now - seen[key][1] > self._settings.lease_s:
                async with self._ledger.write() as page:
                    taken = await job_store.take_back(
                        page, one.order, one.attempt, self._settings.strikes * WORKER_STRIKES, still_at=one.beat
                    )
                log.warning("order_taken_back", order=one.order, attempt=one.attempt, then=taken)
                self._desk.wake()
                if taken in {"failed", "cancelled"}:
                    await take_down(self._shelf, one.account, one.order, one.kind)
        return seen

    async def _sign_in(self, queues: tuple[o.Queue, ...]) -> None:
        """Be on the list of workers, for the ETA, until cancelled."""
        while True:
            try:
                async with self._ledger.write() as page:
                    for queue in queues:
                        await job_status.sign_in(page, self._settings.host, queue, self._slots[queue])
            except (SQLAlchemyError, OSError) as error:
                log.warning("sign_in_waits", error=type(error).__name__)
            await asyncio.sleep(SIGN_IN_S)
