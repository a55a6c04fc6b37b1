"""Who does the work: takes orders from the queues, has them done in child processes, files what came out.

Every running order has a heartbeat in the ledger. It is a count, not a time: a reaper that sees it stand
still for `lease_s` of its own monotonic clock takes the order back for the next attempt, so no clock that
jumps or goes wrong can steal an order or keep it for ever. Who finds that the order is not his any more
kills his child and leaves; who cannot reach the ledger for as long as a lease does the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.errors import Stopped
from jobs import book, metrics, news
from jobs import orders as o
from jobs.book import Claimed, Drawn, Held
from jobs.child import Child, Died, TaskFailed
from jobs.desk import ArqDesk
from jobs.ledger import Gone, Ledger
from jobs.settings import Settings
from jobs.shelf import NotKept, Shelf, ShelfDown, ShelfFull

log = structlog.get_logger("atelier.worker")

BEATS_A_LEASE: Final = 8  # so many heartbeats must be lost before an order is taken away
WORKER_STRIKES: Final = 5  # a worker's death says less about an order than its child's: so many times the strikes
SIGN_IN_S: Final = 5.0
TRIES_LATER: Final = 40  # attempts of an order whose disk or shelf is in trouble; with SLOWEST_S over half an hour
SLOWEST_S: Final = 60.0
CORE_STUDIO: Final = "jobs.tasks:CoreStudio"
QUEUES: Final[tuple[o.Queue, ...]] = ("look", "studio")


@dataclass(slots=True)
class _Run:
    """One order being done: the child that does it, how far it is, and why it ends."""

    claimed: Claimed
    child: Child
    folder: Path
    step: news.Step = field(default_factory=news.Step)
    verdict: str = "go on"
    filed: dict[str, str] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)
    stage_since: float = field(default_factory=time.monotonic)
    digest: str = ""


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
        children = [(queue, Child(queue, self._studio)) for queue in queues for _ in range(self._slots[queue])]
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
                    await book.sign_in(page, self._settings.host, queue, 0)

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
                claimed = await book.claim(page, order, attempt, self._settings.host)
        except Gone:
            return
        if claimed is None:
            return
        log.info("order_started", order=order, attempt=attempt, kind=claimed.kind)
        run = _Run(claimed, child, self._settings.work_folder / claimed.token / f"{order}.{attempt}")
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
        if outcome not in {"left", "again"}:
            await asyncio.to_thread(shutil.rmtree, run.folder, ignore_errors=True)
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
        mirror = asyncio.create_task(self._mirror(run)) if isinstance(order, o.Shoot) else None
        try:
            await self._lay_ready(run)
            async with asyncio.timeout(limit_s):
                result = await run.child.do(claimed.kind, o.to_json(order), run.folder, self._progress(run))
            if mirror is not None:
                mirror.cancel()
                await asyncio.gather(mirror, return_exceptions=True)
            drawn, facts = await self._publish(run, result)
            async with self._ledger.write() as page:
                if isinstance(order, o.Look):
                    await page.judge_photo(claimed.account, order.photo, facts)
                done = await book.finish(page, claimed, drawn, facts)
            if done is not None and isinstance(order, o.Shoot):
                metrics.FIRST_PORTRAIT.observe(max(0.0, time.time() - claimed.placed_at))
            return "lost" if done is None else "done"
        except Stopped:
            return await self._stopped(run)
        except TimeoutError:
            await run.child.kill()
            return await self._fail(run, news.Failed("timeout", f"not done after {limit_s:.0f} s, which is the limit"))
        except TaskFailed as error:
            if error.later:
                return await self._later(run, error.reason, str(error))
            return await self._fail(run, news.Failed(error.reason, str(error)))
        except ShelfDown as error:
            return await self._later(run, "disk_full" if isinstance(error, ShelfFull) else "shelf_down", str(error))
        except OSError as error:
            return await self._later(run, "disk_full", str(error))
        except NotKept as error:
            return await self._fail(run, news.Failed("photo_gone", str(error)))
        except Gone:
            return "lost"
        except Died as error:
            if run.verdict == "cancel":
                return await self._stopped(run)
            dead = Held(claimed.id, claimed.attempt, await self._beat_now(run))
            async with self._ledger.write() as page:
                taken = await book.take_back(page, dead, self._settings.strikes)
            if taken in {"failed", "cancelled"}:
                await self._clear(claimed.account, claimed.id, claimed.kind)
            log.warning("child_died", order=claimed.id, signal=error.signal, then=taken)
            return {"queued": "again", "alive": "lost"}.get(taken, taken)
        finally:
            if mirror is not None:
                mirror.cancel()
                await asyncio.gather(mirror, return_exceptions=True)

    async def _lay_ready(self, run: _Run) -> None:
        """Fill the order's folder: what an earlier attempt left, here or on the shelf, and the photos."""
        claimed, order = run.claimed, run.claimed.order
        await asyncio.to_thread(_inherit, run.folder)
        if isinstance(order, o.Enhance):
            await self._lay_portrait(run, order)
            return
        if isinstance(order, o.Shoot):
            if not (run.folder / "out").exists():
                run.filed = await self._shelf.get_folder(claimed.account, _folder_of(claimed.id), run.folder / "out")
            names = list(order.photos)
        else:
            async with self._ledger.read() as page:
                known = [photo.name for photo in await page.photos(claimed.account) if photo.facts.get("kept")]
            names = [name for name in known if name != order.photo] + [order.photo]
        for number, name in enumerate(names):
            data = await self._shelf.get(claimed.account, name)
            await asyncio.to_thread(_write, run.folder / "photos" / f"{number:03d}-{quote(name, safe='')}", data)
        if isinstance(order, o.Shoot) and order.train:
            await self._lay_identity(run, order)

    async def _lay_identity(self, run: _Run, order: o.Shoot) -> None:
        """Bring what an earlier sitting learnt of the same photos, so that it is not learnt again."""
        account = run.claimed.account
        async with self._ledger.read() as page:
            sums = sorted(photo.sha256 for photo in await page.photos(account) if photo.name in order.photos)
            run.digest = hashlib.sha256("".join(sums).encode()).hexdigest()
            folder = await page.identity(account, run.digest)
        if folder is not None and not await asyncio.to_thread((run.folder / "out" / "identity").exists):
            await self._shelf.get_folder(account, folder, run.folder / "out" / "identity")

    async def _lay_portrait(self, run: _Run, order: o.Enhance) -> None:
        """Fetch the sitting's records and layers, and say which portrait is meant and what the edit will be called."""
        account = run.claimed.account
        async with self._ledger.read() as page:
            found = [portrait for portrait in await page.portraits(account) if portrait.id == order.portrait]
        if not found:
            raise NotKept(f"portrait {order.portrait} is deleted")
        folder, _, file = found[0].file.rpartition("/")
        await self._shelf.get_folder(account, folder, run.folder / "out")
        await asyncio.to_thread(_write, run.folder / "names", f"{file} e{run.claimed.id}{Path(file).suffix}".encode())

    async def _publish(self, run: _Run, result: dict[str, Any]) -> tuple[list[Drawn], dict[str, Any]]:
        """Put what was made on the shelf, manifest last; return the portraits and what the person is told of them."""
        claimed, order = run.claimed, run.claimed.order
        out = run.folder / "out"
        if isinstance(order, o.Look):
            return [], result
        run.step = news.Step("publish", 0, 1)
        if isinstance(order, o.Enhance):
            async with self._ledger.read() as page:
                parent = next(p for p in await page.portraits(claimed.account) if p.id == order.portrait)
            folder = parent.file.rpartition("/")[0]
            for name in (result["file"], f"{Path(result['file']).stem}.json"):
                data = await asyncio.to_thread((out / name).read_bytes)
                await self._shelf.put(claimed.account, f"{folder}/{name}", data)
            return [_drawn(result, folder, order.portrait)], {"folder": folder}
        folder = _folder_of(claimed.id)
        if any(record.get("kept", True) for record in result["portraits"]):
            await self._shelf.put_folder(claimed.account, out, folder, run.filed)
        else:
            await self._clear(claimed.account, claimed.id, claimed.kind)
        if run.digest and await self._shelf.put_folder(claimed.account, out / "identity", f"identities/{run.digest}"):
            async with self._ledger.write() as page:
                await page.add_identity(claimed.account, run.digest, f"identities/{run.digest}")
        kept = [_drawn(record, folder) for record in result["portraits"] if record.get("kept", True)]
        dropped = [record for record in result["portraits"] if not record.get("kept", True)]
        facts: dict[str, Any] = {
            name: result[name] for name in ("drawn", "asked", "training", "baseline", "photos") if name in result
        }
        return kept, {**facts, "folder": folder, "dropped": _counted(dropped)}

    async def _mirror(self, run: _Run) -> None:
        """Keep finished files on the shelf while the work goes on, so that another machine need not begin anew."""
        while True:
            await asyncio.sleep(self._settings.mirror_s)
            out = run.folder / "out"
            try:
                if await asyncio.to_thread(out.exists):
                    await self._shelf.put_folder(run.claimed.account, out, _folder_of(run.claimed.id), run.filed)
            except (ShelfDown, OSError) as error:
                log.warning("mirror_waits", order=run.claimed.id, error=str(error))
            except Gone:
                return

    async def _heart(self, run: _Run, doing: asyncio.Task[str]) -> None:
        """Beat, and carry back what the ledger says: go on, let go, or it is not yours any more."""
        claimed = run.claimed
        heard = time.monotonic()
        asked_to_stop: float | None = None
        while True:
            await asyncio.sleep(self._settings.lease_s / BEATS_A_LEASE)
            try:
                async with self._ledger.write() as page:
                    run.verdict = await book.beat(page, claimed.id, claimed.attempt, run.step)
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
            run.step = news.Step(stage[:40], step, total)

        return on_progress

    async def _beat_now(self, run: _Run) -> int:
        """Return the heartbeat count as it stands, after one last beat that records how far the work was."""
        async with self._ledger.write() as page:
            await book.beat(page, run.claimed.id, run.claimed.attempt, run.step)
            return next((h.beat for h in await book.held(page) if h.order == run.claimed.id), -1)

    async def _fail(self, run: _Run, failed: news.Failed) -> str:
        log.warning(
            "order_failed", order=run.claimed.id, kind=run.claimed.kind, reason=failed.reason, why=failed.message
        )
        metrics.FAILURES.labels(run.claimed.kind, failed.reason).inc()
        async with self._ledger.write() as page:
            closed = await book.fail(page, run.claimed.id, run.claimed.attempt, failed)
        await self._clear(run.claimed.account, run.claimed.id, run.claimed.kind)
        return "failed" if closed else "lost"

    async def _stopped(self, run: _Run) -> str:
        async with self._ledger.write() as page:
            closed = await book.stopped(page, run.claimed.id, run.claimed.attempt)
        await self._clear(run.claimed.account, run.claimed.id, run.claimed.kind)
        return "cancelled" if closed else "lost"

    async def _later(self, run: _Run, reason: str, message: str) -> str:
        """Put an order back until its disk or shelf has recovered."""
        if run.claimed.attempt >= TRIES_LATER:
            return await self._fail(run, news.Failed(reason, message))
        wait = min(SLOWEST_S, 2.0 ** min(run.claimed.attempt, 10))
        log.warning("order_waits", order=run.claimed.id, reason=reason, wait_s=wait, why=message)
        async with self._ledger.write() as page:
            given = await book.release(page, run.claimed.id, run.claimed.attempt, wait)
        return "again" if given else "lost"

    async def _clear(self, account: int, order: int, kind: str) -> None:
        """Take the files of a shoot that ended without a gallery off the shelf again."""
        if kind == "shoot":
            try:
                await self._shelf.delete_folder(account, _folder_of(order))
            except (ShelfDown, Gone) as error:
                log.warning("left_on_shelf", order=order, error=str(error))

    async def _let_go(self, run: _Run) -> None:
        """Stop because the worker is stopped: no strike, no news, files stay."""
        run.child.stop()
        await asyncio.sleep(min(1.0, self._settings.stop_grace_s))
        await run.child.kill()
        async with self._ledger.write() as page:
            await book.release(page, run.claimed.id, run.claimed.attempt)
        self._desk.wake()

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
            running = await book.held(page)
        seen: dict[tuple[int, int], tuple[int, float]] = {}
        for one in running:
            key = (one.order, one.attempt)
            before = watched.get(key)
            seen[key] = before if before is not None and before[0] == one.beat else (one.beat, now)
            if now - seen[key][1] > self._settings.lease_s:
                async with self._ledger.write() as page:
                    taken = await book.take_back(page, one, self._settings.strikes * WORKER_STRIKES)
                log.warning("order_taken_back", order=one.order, attempt=one.attempt, then=taken)
                self._desk.wake()
                if taken in {"failed", "cancelled"}:
                    await self._clear(one.account, one.order, one.kind)
        return seen

    async def _sign_in(self, queues: tuple[o.Queue, ...]) -> None:
        """Be on the list of workers, for the ETA, until cancelled."""
        while True:
            try:
                async with self._ledger.write() as page:
                    for queue in queues:
                        await book.sign_in(page, self._settings.host, queue, self._slots[queue])
            except (SQLAlchemyError, OSError) as error:
                log.warning("sign_in_waits", error=type(error).__name__)
            await asyncio.sleep(SIGN_IN_S)


def _folder_of(order: int) -> str:
    return f"shoots/{order}"


def _drawn(record: dict[str, Any], folder: str, parent: int | None = None) -> Drawn:
    recipe = record.get("recipe", {})
    names = ("likeness", "percent_of_baseline", "cost_points", "exports")
    facts = {name: record.get(name) for name in names} | {"tweaks": list(recipe.get("tweaks", ()))}
    return Drawn(f"{folder}/{record['file']}", recipe.get("style", ""), facts, parent)


def _counted(dropped: list[dict[str, Any]]) -> dict[str, int]:
    """Count dropped portraits by their first reason."""
    counts: dict[str, int] = {}
    for record in dropped:
        reason = next(iter(record.get("reasons") or ["unknown"]))
        counts[reason] = counts.get(reason, 0) + 1
    return counts


def _inherit(folder: Path) -> None:
    """Give the newest earlier attempt's files on this machine to this one, by a rename.

    A worker that still runs that attempt has lost it; what it writes from now on is nobody's.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    order = folder.name.partition(".")[0]
    earlier = sorted(folder.parent.glob(f"{order}.*"), key=lambda f: int(f.suffix[1:]), reverse=True)
    for left in earlier:
        if left == folder:
            continue
        if folder.exists():
            shutil.rmtree(left, ignore_errors=True)
        else:
            os.rename(left, folder)
    folder.mkdir(exist_ok=True, mode=0o700)


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.write_bytes(data)
