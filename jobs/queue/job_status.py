"""Where jobs stand: place in the line and ETA.

The ETA is the portraits ahead, times the median seconds a portrait took lately, over the slots of the workers that are
signed in.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, case, delete, func, insert, or_, select

from jobs.kinds.registry import from_json
from jobs.queue import events as n
from jobs.queue.outbox import ACTIVE
from jobs.queue.progress import left_s
from jobs.storage import schema as t
from jobs.storage.base import DAY_S
from jobs.storage.transaction import Transaction

MEASURED: Final = 20  # latest finished jobs of a kind that an ETA is the median of
WORKER_SEEN_S: Final = 30.0  # a worker that has not said anything for so long does not count for an ETA
_LAST_WORDS: Final[dict[str, n.Payload]] = {"done": n.Done(), "cancelled": n.Cancelled()}
_j = t.jobs.c


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Where a job is, for the person who waits for it."""

    job_id: int
    account: int
    platform: str
    ref: str
    kind: str
    state: str
    payload: n.Payload


async def status_of(tx: Transaction, job_id: int) -> JobStatus | None:
    """Return where a job stands, None when it is unknown."""
    row = (await tx.c.execute(select(t.jobs).where(_j.id == job_id))).first()
    if row is None:
        return None
    return (await _statuses(tx, [row]))[0]


async def active_jobs(tx: Transaction, platform: str) -> list[JobStatus]:
    """Return where every job placed from a platform stands that is not over."""
    rows = (await tx.c.execute(select(t.jobs).where(_j.platform == platform, _j.state.in_(ACTIVE)))).all()
    return await _statuses(tx, rows)


async def sign_in(tx: Transaction, worker: str, queue: str, slots: int) -> None:
    """Say that a worker is there; slots 0 takes it off the list."""
    w = t.workers.c
    await tx.c.execute(
        delete(t.workers).where((w.name == worker) & (w.queue == queue) | (w.seen_at < time.time() - DAY_S))
    )
    if slots:
        await tx.c.execute(insert(t.workers).values(name=worker, queue=queue, slots=slots, seen_at=time.time()))


async def _statuses(tx: Transaction, rows: Sequence[Any]) -> list[JobStatus]:
    """Work out place and ETA: what is ahead in units, times the measured seconds a unit, over the slots at work."""
    queues = {row.queue for row in rows if row.state in ACTIVE}
    ahead = {queue: await _line(tx, queue, rows[0] if len(rows) == 1 else None) for queue in queues}
    pace = {queue: await _pace(tx, queue) for queue in queues}
    found = []
    for row in rows:
        if row.state == "queued":
            place_, units = ahead[row.queue].get(row.id, (1, row.units))
            seconds, slots = pace[row.queue]
            eta = None if seconds is None or not slots else seconds * (row.units + (units - row.units) / slots)
            word: n.Payload = n.Queued(place_, eta)
        elif row.state == "running":
            seconds, _ = pace[row.queue]
            spent = time.time() - (row.started_at or time.time())
            done = from_json(row.kind, row.body).estimate(row.stage, row.step, row.total)
            eta = left_s(done, spent, None if seconds is None else seconds * row.units)
            word = n.Step(row.stage, row.step, row.total, eta, done)
        else:
            word = _LAST_WORDS.get(row.state) or n.Failed(row.reason)
        found.append(JobStatus(row.id, row.account_id, row.platform, row.ref, row.kind, row.state, word))
    return found


async def _line(tx: Transaction, queue: str, only: Any = None) -> dict[int, tuple[int, int]]:
    """Return for waiting jobs, or only one, the place and the units up to and with it, running ones' included."""
    running = _j.state == "running"
    if only is not None:
        before = or_(running, _j.priority < only.priority, and_(_j.priority == only.priority, _j.id <= only.id))
        counted = select(func.count().filter(~running), func.sum(_j.units)).where(_j.queue == queue, before)
        place_, units = (await tx.c.execute(counted.where(_j.state.in_(ACTIVE)))).one()
        return {only.id: (place_, units or 0)}
    rows = await tx.c.execute(
        select(_j.id, _j.units, _j.state)
        .where(_j.queue == queue, _j.state.in_(ACTIVE))
        .order_by(case((running, 0), else_=1), _j.priority, _j.id)
    )
    line: dict[int, tuple[int, int]] = {}
    units = 0
    for row in rows:
        units += row.units
        if row.state == "queued":
            line[row.id] = (len(line) + 1, units)
    return line


async def _pace(tx: Transaction, queue: str) -> tuple[float | None, int]:
    """Return the measured seconds a unit takes (None before anything was) and the slots of the workers at work."""
    latest = await tx.c.execute(
        select(_j.units, _j.finished_at - _j.started_at)
        .where(_j.queue == queue, _j.state == "done", _j.started_at.is_not(None))
        .order_by(_j.id.desc())
        .limit(MEASURED)
    )
    took = [seconds / units for units, seconds in latest if seconds >= 0]
    w = t.workers.c
    counted = select(func.sum(w.slots)).where(w.queue == queue, w.seen_at > time.time() - WORKER_SEEN_S)
    return statistics.median(took) if took else None, (await tx.c.execute(counted)).scalar_one() or 0
