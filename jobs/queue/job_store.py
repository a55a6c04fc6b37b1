"""The life of a job in the database, one conditional update at a time.

    queued -> running -> done | failed | cancelled
       ^---------'  released, or taken back from a dead worker: same job, next attempt

Every step names the state and the attempt it expects; when the row does not match, nothing happens and the caller is
told. So of two workers, two presses or two reapers exactly one succeeds. The outbox row that wakes a worker is written
in the same transaction (`jobs.queue.outbox`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, func, insert, select, update

from jobs.kinds import registry
from jobs.kinds.base import Drawn, Job
from jobs.queue import events as n
from jobs.queue import outbox
from jobs.queue.job_status import status_of
from jobs.queue.outbox import ACTIVE
from jobs.settings import Settings
from jobs.storage import schema as t
from jobs.storage.base import DAY_S, Gone
from jobs.storage.transaction import Transaction

_j = t.jobs.c

CRASH_PAUSE_S: Final = 2.0  # before the third start of a job whose processes die at one step; then twice as long


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job is in the database. place: 1 is next, 0 when it does not wait. is_new: False for a known ref."""

    job_id: int
    place: int
    eta_s: float | None
    is_new: bool


@dataclass(frozen=True, slots=True)
class Declined:
    """A job that was not taken, and nothing was written.

    reason: `too_many` (limit: jobs at once of one account) or `queue_full` (limit: jobs waiting in all).
    """

    reason: str
    limit: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that this worker now holds, with everything that is needed to do it."""

    id: int
    attempt: int
    account: int
    token: str
    kind: str
    queue: str
    job: Job
    placed_at: float


@dataclass(frozen=True, slots=True)
class Held:
    """A running job as a reaper sees it: when `beat` stands still, its worker is gone."""

    job_id: int
    attempt: int
    beat: int
    account: int = 0
    kind: str = ""


async def place(
    tx: Transaction, account: int, job: Job, ref: str, platform: str, limits: Settings
) -> Accepted | Declined:
    """Write a job and its message into the database; the same ref again is the same job.

    Priorities are start-time fair queueing (Goyal, Vin and Cheng 1996): an account's next job starts where its
    last one ends in virtual time, counted in portraits, but never before the job that was last started. Who
    asks for a hundred pictures waits behind who asks for four, and nobody waits for ever.
    """
    body = registry.to_json(job)
    job = registry.from_json(job.kind, body)
    queue, units = job.queue, job.units
    await tx.key(account)
    await outbox.lock_account(tx, account)
    known = (await tx.c.execute(select(_j.id).where(_j.account_id == account, _j.ref == ref))).first()
    if known is not None:
        status = await status_of(tx, known[0])
        place_, eta = _place_and_eta(status.payload if status else None)
        return Accepted(known[0], place_, eta, is_new=False)
    if job.limited and (declined := await _declined(tx, account, queue, limits)) is not None:
        return declined
    in_service = select(func.max(_j.priority)).where(_j.queue == queue, _j.started_at.is_not(None))
    own_end = select(func.max(_j.priority + _j.units)).where(_j.queue == queue, _j.account_id == account)
    starts = [(await tx.c.execute(q)).scalar_one() or 1 for q in (in_service, own_end)]
    placed = await tx.c.execute(
        insert(t.jobs)
        .values(
            account_id=account,
            platform=platform,
            ref=ref,
            kind=job.kind,
            queue=queue,
            body=body,
            units=units,
            priority=max(starts),
            state="queued",
            created_at=time.time(),
        )
        .returning(_j.id)
    )
    job_id = placed.scalar_one()
    await outbox.send_next(tx, account, queue, job_id)
    status = await status_of(tx, job_id)
    place_, eta = _place_and_eta(status.payload if status else None)
    return Accepted(job_id, place_, eta, is_new=True)


async def _declined(tx: Transaction, account: int, queue: str, limits: Settings) -> Declined | None:
    """Say why one more job is not taken, None when it is."""
    waiting = select(func.count()).select_from(t.jobs).where(_j.queue == queue, _j.state.in_(ACTIVE))
    at_once = limits.look_per_account if queue == "look" else limits.studio_per_account
    if (await tx.c.execute(waiting.where(_j.account_id == account))).scalar_one() >= at_once:
        return Declined("too_many", at_once)
    if (await tx.c.execute(waiting)).scalar_one() >= limits.queue_depth:
        return Declined("queue_full", limits.queue_depth)
    return None


async def waits(tx: Transaction, account: int, job: Job) -> bool:
    """Say whether the same work is placed and not begun. Until this transaction ends, no worker begins it."""
    same = (_j.account_id == account, _j.kind == job.kind, _j.body == registry.to_json(job), _j.state == "queued")
    return (await tx.c.execute(select(_j.id).where(*same).limit(1).with_for_update())).first() is not None


async def claim_next(tx: Transaction, queue: str, worker: str) -> Claimed | None:
    """Take the next job of a queue in the fair order; None when none waits."""
    while (job_id := await outbox.next_job(tx, queue)) is not None:
        attempt = (await tx.c.execute(select(_j.attempt).where(_j.id == job_id))).scalar_one()
        claimed = await claim(tx, job_id, attempt, worker)
        if claimed is not None:
            return claimed
        await outbox.drop_work(tx, job_id)  # it does not wait: a row that nobody should ever have left
    return None


async def claim(tx: Transaction, job_id: int, attempt: int, worker: str) -> Claimed | None:
    """Take a job off the queue to do it; None when it is not waiting for this attempt any more."""
    taken = await tx.c.execute(
        update(t.jobs)
        .where(_j.id == job_id, _j.attempt == attempt, _j.state == "queued")
        .values(state="running", worker=worker, beat=_j.beat + 1, started_at=time.time(), stage="", step=0, total=0)
    )
    if not taken.rowcount:
        return None
    await outbox.drop_work(tx, job_id)
    row = (await tx.c.execute(select(t.jobs).where(_j.id == job_id))).one()
    token, _ = await tx.key(row.account_id)
    return Claimed(
        job_id,
        attempt,
        row.account_id,
        token,
        row.kind,
        row.queue,
        registry.from_json(row.kind, row.body),
        row.created_at,
    )


async def beat(tx: Transaction, job_id: int, attempt: int, step: n.Step) -> str:
    """Show that the work goes on and how far it is; return `go on`, `cancel`, or `lost` when it is no longer ours."""
    kept = await tx.c.execute(
        update(t.jobs)
        .where(*_ours(job_id, attempt))
        .values(beat=_j.beat + 1, stage=step.stage, step=step.step, total=step.total)
        .returning(_j.cancel)
    )
    row = kept.first()
    return "lost" if row is None else "cancel" if row[0] else "go on"


async def tell_early(tx: Transaction, claimed: Claimed, early: Drawn) -> bool:
    """Tell the owner of a running job's first portrait, or of an edit's preview, which has a parent.

    False when it is not ours any more or is to be stopped.
    """
    await outbox.lock_account(tx, claimed.account)
    ours = select(_j.id).where(*_ours(claimed.id, claimed.attempt), _j.cancel.is_(False))
    if (await tx.c.execute(ours)).first() is None:
        return False
    percent = early.facts.get("percent_of_baseline")
    first = n.FirstPortrait(early.file, early.style, percent)
    await outbox.tell(tx, claimed.id, n.Preview(early.file) if early.parent else first)
    return True


async def finish(tx: Transaction, claimed: Claimed, drawn: Sequence[Drawn], facts: dict[str, Any]) -> n.Done | None:
    """Close a job with what it made and tell its owner; None when it was not ours any more."""
    if not await _close(tx, _ours(claimed.id, claimed.attempt), "done"):
        return None
    portraits = await _keep(tx, claimed, drawn, facts) if drawn else ()
    done = n.Done(portraits, facts)
    await outbox.tell(tx, claimed.id, done)
    return done


async def fail(tx: Transaction, job_id: int, attempt: int, failed: n.Failed) -> bool:
    """Close a job that cannot succeed and tell its owner why."""
    closed = await _close(tx, _ours(job_id, attempt), "failed", failed.reason)
    if closed:
        await outbox.tell(tx, job_id, failed)
    return closed


async def release(tx: Transaction, job_id: int, attempt: int, delay_s: float = 0.0) -> bool:
    """Give a job back unfinished, for the next attempt to go on with its files."""
    return await _again(tx, _ours(job_id, attempt), delay_s)


async def stopped(tx: Transaction, job_id: int, attempt: int) -> bool:
    """Close a running job that was cancelled and has let go."""
    closed = await _close(tx, _ours(job_id, attempt), "cancelled")
    if closed:
        await outbox.tell(tx, job_id, n.Cancelled())
    return closed


async def cancel(tx: Transaction, account: int, job_id: int) -> str:
    """Ask that a job be dropped.

    Returns `cancelled` (it had not begun), `stopping` (its worker has been told; an event follows), `too_late` (it was
    over) or `unknown`. Asking twice is asking once.
    """
    own = (_j.id == job_id, _j.account_id == account)
    if await _close(tx, (*own, _j.state == "queued"), "cancelled"):
        await outbox.tell(tx, job_id, n.Cancelled())
        return "cancelled"
    flagged = await tx.c.execute(update(t.jobs).where(*own, _j.state == "running").values(cancel=True))
    if flagged.rowcount:
        return "stopping"
    row = (await tx.c.execute(select(_j.state).where(*own))).first()
    return "unknown" if row is None else "cancelled" if row[0] == "cancelled" else "too_late"


async def held(tx: Transaction) -> list[Held]:
    """Return every running job with its heartbeat count."""
    known = select(_j.id, _j.attempt, _j.beat, _j.account_id, _j.kind)
    rows = await tx.c.execute(known.where(_j.state == "running"))
    return [Held(*row) for row in rows]


async def take_back(tx: Transaction, job_id: int, attempt: int, strikes: int, *, still_at: int | None = None) -> str:
    """Take a job from a worker, or from its dead child; still_at: only if its heartbeat still stands at this count.

    Returns `queued` for another worker, `cancelled` if that was asked for, `failed` when workers died `strikes`
    times at one and the same step (it is the job that kills them), or `alive` when the heart beat after all.
    """
    ours = _ours(job_id, attempt) if still_at is None else (*_ours(job_id, attempt), _j.beat == still_at)
    owner = (await tx.c.execute(select(_j.account_id).where(*ours))).first()
    if owner is None:
        return "alive"
    await outbox.lock_account(tx, owner.account_id)  # before the job's own row, as everywhere
    row = (await tx.c.execute(select(t.jobs).where(*ours).with_for_update())).first()
    if row is None:
        return "alive"
    if row.cancel:
        return "cancelled" if await stopped(tx, job_id, attempt) else "alive"
    struck_at = f"{row.stage}:{row.step}"
    count = row.strikes + 1 if row.struck_at == struck_at else 1
    if count >= strikes:
        failed = n.Failed("crashed", f"{count} workers died at {struck_at}")
        return "failed" if await fail(tx, job_id, attempt, failed) else "alive"
    await tx.c.execute(update(t.jobs).where(*ours).values(strikes=count, struck_at=struck_at))
    wait_s = 0.0 if count == 1 else CRASH_PAUSE_S * 2.0 ** (count - 2)  # what kills it may pass with time
    return "queued" if await _again(tx, ours, wait_s) else "alive"


async def _again(tx: Transaction, ours: Sequence[ColumnElement[bool]], delay_s: float) -> bool:
    back = await tx.c.execute(
        update(t.jobs).where(*ours).values(state="queued", attempt=_j.attempt + 1, worker="").returning(_j.id)
    )
    row = back.first()
    if row is not None:
        await outbox.send_work(tx, row[0], delay_s)
    return row is not None


async def _close(tx: Transaction, ours: Sequence[ColumnElement[bool]], state: str, reason: str = "") -> bool:
    owner = (await tx.c.execute(select(_j.account_id, _j.queue).where(*ours))).first()
    if owner is None:
        return False
    await outbox.lock_account(tx, owner.account_id)
    closed = await tx.c.execute(
        update(t.jobs).where(*ours).values(state=state, reason=reason, finished_at=time.time()).returning(_j.id)
    )
    row = closed.first()
    if row is not None:
        await outbox.drop_work(tx, row[0])
        await outbox.drop_early(tx, row[0])
        if owner.queue in outbox.SERIAL:
            await outbox.send_next(tx, owner.account_id, owner.queue, row[0])
    return row is not None


async def _keep(
    tx: Transaction, claimed: Claimed, drawn: Sequence[Drawn], facts: dict[str, Any]
) -> tuple[n.Pictured, ...]:
    """Enter portraits: of a shoot in a new sitting, of an edit in its parent's."""
    parents = {portrait.id: portrait for portrait in await tx.portraits(claimed.account)}
    now = time.time()
    sitting = 0
    if any(d.parent is None for d in drawn):
        opened = insert(t.sittings).values(
            account_id=claimed.account,
            job_id=claimed.id,
            folder=str(facts.get("folder", "")),
            facts=json.dumps(facts),
            created_at=now,
            expires_at=now + (await tx.account_of(claimed.account)).keep_days * DAY_S,
        )
        sitting = (await tx.c.execute(opened.returning(t.sittings.c.id))).scalar_one()
    kept = []
    for d in drawn:
        if d.parent is not None and d.parent not in parents:
            raise Gone(f"portrait {d.parent} is deleted")
        entered = insert(t.portraits).values(
            account_id=claimed.account,
            sitting_id=sitting if d.parent is None else parents[d.parent].sitting,
            job_id=claimed.id,
            parent_id=d.parent,
            file=d.file,
            style=d.style,
            facts=json.dumps(d.facts),
            created_at=now,
        )
        number = (await tx.c.execute(entered.returning(t.portraits.c.id))).scalar_one()
        percent, tweaks = d.facts.get("percent_of_baseline"), tuple(d.facts.get("tweaks") or ())
        document = d.facts.get("format") or {}
        about = (d.facts.get("edit_cost_points"), document.get("name", ""), tuple(document.get("wrong", ())))
        marks, grey = int(d.facts.get("marks") or 0), bool(d.facts.get("grey"))
        kept.append(n.Pictured(number, d.file, d.style, percent, d.parent, tweaks, *about, marks=marks, grey=grey))
    return tuple(kept)


def _ours(job_id: int, attempt: int) -> tuple[ColumnElement[bool], ...]:
    return _j.id == job_id, _j.attempt == attempt, _j.state == "running"


def _place_and_eta(word: n.Payload | None) -> tuple[int, float | None]:
    return (word.place, word.eta_s) if isinstance(word, n.Queued) else (0, getattr(word, "eta_s", None))
