"""Where orders stand, for the people who wait: their place in the line, and when they will be done.

An ETA is measured, never promised: the portraits ahead, times the median seconds a portrait took lately, over
the slots of the workers that are there.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, case, delete, func, insert, or_, select

from jobs.kinds.orders import from_json
from jobs.queue import events as n
from jobs.queue.progress import done_of, left_s
from jobs.storage import schema as t
from jobs.storage.accounts import DAY_S, Page

ACTIVE: Final = ("queued", "running")
MEASURED: Final = 20  # latest finished orders of a kind that an ETA is the median of
WORKER_SEEN_S: Final = 30.0  # a worker that has not said anything for so long does not count for an ETA
_LAST_WORDS: Final[dict[str, n.News]] = {"done": n.Done(), "cancelled": n.Cancelled()}
_o = t.orders.c


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an order is, for the person who waits for it."""

    order: int
    account: int
    platform: str
    ref: str
    kind: str
    state: str
    news: n.News


async def where(page: Page, order: int) -> Standing | None:
    """Return where an order stands, None when it is unknown."""
    row = (await page.c.execute(select(t.orders).where(_o.id == order))).first()
    if row is None:
        return None
    return (await _standings(page, [row]))[0]


async def underway(page: Page, platform: str) -> list[Standing]:
    """Return where every order placed from a platform stands that is not over."""
    rows = (await page.c.execute(select(t.orders).where(_o.platform == platform, _o.state.in_(ACTIVE)))).all()
    return await _standings(page, rows)


async def sign_in(page: Page, worker: str, queue: str, slots: int) -> None:
    """Say that a worker is there; slots 0 takes it off the list."""
    w = t.workers.c
    await page.c.execute(
        delete(t.workers).where((w.name == worker) & (w.queue == queue) | (w.seen_at < time.time() - DAY_S))
    )
    if slots:
        await page.c.execute(insert(t.workers).values(name=worker, queue=queue, slots=slots, seen_at=time.time()))


async def _standings(page: Page, rows: Sequence[Any]) -> list[Standing]:
    """Work out place and ETA: what is ahead in units, times the measured seconds a unit, over the slots at work."""
    queues = {row.queue for row in rows if row.state in ACTIVE}
    ahead = {queue: await _line(page, queue, rows[0] if len(rows) == 1 else None) for queue in queues}
    pace = {queue: await _pace(page, queue) for queue in queues}
    found = []
    for row in rows:
        if row.state == "queued":
            place_, units = ahead[row.queue].get(row.id, (1, row.units))
            seconds, slots = pace[row.queue]
            eta = None if seconds is None or not slots else seconds * (row.units + (units - row.units) / slots)
            word: n.News = n.Queued(place_, eta)
        elif row.state == "running":
            seconds, _ = pace[row.queue]
            spent = time.time() - (row.started_at or time.time())
            done = done_of(from_json(row.kind, row.body), row.stage, row.step, row.total)
            eta = left_s(done, spent, None if seconds is None else seconds * row.units)
            word = n.Step(row.stage, row.step, row.total, eta, done)
        else:
            word = _LAST_WORDS.get(row.state) or n.Failed(row.reason)
        found.append(Standing(row.id, row.account_id, row.platform, row.ref, row.kind, row.state, word))
    return found


async def _line(page: Page, queue: str, only: Any = None) -> dict[int, tuple[int, int]]:
    """Return for waiting orders, or only one, the place and the units up to and with it, running ones' included."""
    running = _o.state == "running"
    if only is not None:
        before = or_(running, _o.turn < only.turn, and_(_o.turn == only.turn, _o.id <= only.id))
        counted = select(func.count().filter(~running), func.sum(_o.units)).where(_o.queue == queue, before)
        place_, units = (await page.c.execute(counted.where(_o.state.in_(ACTIVE)))).one()
        return {only.id: (place_, units or 0)}
    rows = await page.c.execute(
        select(_o.id, _o.units, _o.state)
        .where(_o.queue == queue, _o.state.in_(ACTIVE))
        .order_by(case((running, 0), else_=1), _o.turn, _o.id)
    )
    line: dict[int, tuple[int, int]] = {}
    units = 0
    for row in rows:
        units += row.units
        if row.state == "queued":
            line[row.id] = (len(line) + 1, units)
    return line


async def _pace(page: Page, queue: str) -> tuple[float | None, int]:
    """Return the measured seconds a unit takes (None before anything was) and the slots of the workers at work."""
    latest = await page.c.execute(
        select(_o.units, _o.finished_at - _o.started_at)
        .where(_o.queue == queue, _o.state == "done", _o.started_at.is_not(None))
        .order_by(_o.id.desc())
        .limit(MEASURED)
    )
    took = [seconds / units for units, seconds in latest if seconds >= 0]
    w = t.workers.c
    counted = select(func.sum(w.slots)).where(w.queue == queue, w.seen_at > time.time() - WORKER_SEEN_S)
    return statistics.median(took) if took else None, (await page.c.execute(counted)).scalar_one() or 0
