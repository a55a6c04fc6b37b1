"""The order book: the life of an order, one conditional update at a time.

    queued -> running -> done | failed | cancelled
       ^---------'  released, or taken back from a dead worker: same order, next attempt

Every step names the state and the attempt it expects; when that is not what stands in the book, nothing
happens and the caller is told. So of two workers, two taps or two reapers exactly one gets through. The
message that leaves for the queue is written in the same transaction (`jobs.storage.schema.outbox`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from jobs.kinds import orders as o
from jobs.queue import events as n
from jobs.queue.job_status import ACTIVE, where
from jobs.settings import Settings
from jobs.storage import schema as t
from jobs.storage.accounts import DAY_S, Gone, Page

_o = t.orders.c


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order in the book. place: 1 is next, 0 when it is not waiting. fresh: False when the ref was known already."""

    order: int
    place: int
    eta_s: float | None
    fresh: bool


@dataclass(frozen=True, slots=True)
class Declined:
    """An order that was not taken, and nothing was written.

    reason: `too_many` (limit: orders at once of one account) or `queue_full` (limit: orders waiting in all).
    """

    reason: str
    limit: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """An order that this worker now holds, with everything that is needed to do it."""

    id: int
    attempt: int
    account: int
    token: str
    kind: str
    queue: str
    order: o.Order
    placed_at: float


@dataclass(frozen=True, slots=True)
class Held:
    """A running order as a reaper sees it: when `beat` stands still, its worker is gone."""

    order: int
    attempt: int
    beat: int
    account: int = 0
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A portrait that an order made, before it has a number. parent: number of the portrait it was edited from."""

    file: str
    style: str
    facts: dict[str, Any]
    parent: int | None = None


def job_of(kind: str, order: int, attempt: int) -> str:
    """Return the id an attempt has in the queue; never used twice, because neither number ever is."""
    return f"{kind}:{order}:{attempt}"


async def place(
    page: Page, account: int, order: o.Order, ref: str, platform: str, limits: Settings
) -> Ticket | Declined:
    """Write an order and its message into the book; the same ref again is the same order.

    Turns are start-time fair queueing (Goyal, Vin and Cheng 1996): an account's next order starts where its
    last one ends in virtual time, counted in portraits, but never before the order that was last started. Who
    asks for a hundred pictures waits behind who asks for four, and nobody waits for ever.
    """
    kind = o.kind_of(order)
    order = o.from_json(kind, o.to_json(order))
    queue, units = o.queue_of(kind), o.units_of(order)
    await page.key(account)
    await page.c.execute(select(t.accounts.c.id).where(t.accounts.c.id == account).with_for_update())
    known = (await page.c.execute(select(_o.id).where(_o.account_id == account, _o.ref == ref))).first()
    if known is not None:
        standing = await where(page, known[0])
        place_, eta = _where_words(standing.news if standing else None)
        return Ticket(known[0], place_, eta, fresh=False)
    waiting = select(func.count()).select_from(t.orders).where(_o.queue == queue, _o.state.in_(ACTIVE))
    at_once = limits.look_per_account if queue == "look" else limits.studio_per_account
    if (await page.c.execute(waiting.where(_o.account_id == account))).scalar_one() >= at_once:
        return Declined("too_many", at_once)
    if (await page.c.execute(waiting)).scalar_one() >= limits.queue_depth:
        return Declined("queue_full", limits.queue_depth)
    in_service = select(func.max(_o.turn)).where(_o.queue == queue, _o.started_at.is_not(None))
    own_end = select(func.max(_o.turn + _o.units)).where(_o.queue == queue, _o.account_id == account)
    starts = [(await page.c.execute(q)).scalar_one() or 1 for q in (in_service, own_end)]
    placed = await page.c.execute(
        insert(t.orders)
        .values(
            account_id=account,
            platform=platform,
            ref=ref,
            kind=kind,
            queue=queue,
            body=o.to_json(order),
            units=units,
            turn=max(starts),
            state="queued",
            created_at=time.time(),
        )
        .returning(_o.id)
    )
    order_id = placed.scalar_one()
    await _send_for(page, order_id)
    standing = await where(page, order_id)
    place_, eta = _where_words(standing.news if standing else None)
    return Ticket(order_id, place_, eta, fresh=True)


async def claim(page: Page, order: int, attempt: int, worker: str) -> Claimed | None:
    """Take an order off the queue to do it; None when it is not waiting for this attempt any more."""
    taken = await page.c.execute(
        update(t.orders)
        .where(_o.id == order, _o.attempt == attempt, _o.state == "queued")
        .values(state="running", worker=worker, beat=_o.beat + 1, started_at=time.time(), stage="", step=0, total=0)
    )
    if not taken.rowcount:
        return None
    await page.c.execute(delete(t.outbox).where(t.outbox.c.order_id == order, t.outbox.c.word == "work"))
    row = (await page.c.execute(select(t.orders).where(_o.id == order))).one()
    token, _ = await page.key(row.account_id)
    return Claimed(
        order, attempt, row.account_id, token, row.kind, row.queue, o.from_json(row.kind, row.body), row.created_at
    )


async def beat(page: Page, order: int, attempt: int, step: n.Step) -> str:
    """Show that the work goes on and how far it is; return `go on`, `cancel`, or `lost` when it is no longer ours."""
    kept = await page.c.execute(
        update(t.orders)
        .where(*_ours(order, attempt))
        .values(beat=_o.beat + 1, stage=step.stage, step=step.step, total=step.total)
        .returning(_o.cancel)
    )
    row = kept.first()
    return "lost" if row is None else "cancel" if row[0] else "go on"


async def finish(page: Page, claimed: Claimed, drawn: Sequence[Drawn], facts: dict[str, Any]) -> n.Done | None:
    """Close an order with what it made and tell its owner; None when it was not ours any more."""
    if not await _close(page, _ours(claimed.id, claimed.attempt), "done"):
        return None
    portraits = await _keep(page, claimed, drawn, facts) if drawn else ()
    done = n.Done(portraits, facts)
    await tell(page, claimed.id, done)
    return done


async def fail(page: Page, order: int, attempt: int, failed: n.Failed) -> bool:
    """Close an order that cannot succeed and tell its owner why."""
    closed = await _close(page, _ours(order, attempt), "failed", failed.reason)
    if closed:
        await tell(page, order, failed)
    return closed


async def release(page: Page, order: int, attempt: int, delay_s: float = 0.0) -> bool:
    """Give an order back unfinished, for the next attempt to go on with its files."""
    return await _again(page, _ours(order, attempt), delay_s)


async def stopped(page: Page, order: int, attempt: int) -> bool:
    """Close a running order that was cancelled and has let go."""
    closed = await _close(page, _ours(order, attempt), "cancelled")
    if closed:
        await tell(page, order, n.Cancelled())
    return closed


async def cancel(page: Page, account: int, order: int) -> str:
    """Ask that an order be dropped.

    Returns `cancelled` (it had not begun), `stopping` (its worker has been told; news follow), `too_late` (it was
    over) or `unknown`. Asking twice is asking once.
    """
    own = (_o.id == order, _o.account_id == account)
    if await _close(page, (*own, _o.state == "queued"), "cancelled"):
        await tell(page, order, n.Cancelled())
        return "cancelled"
    flagged = await page.c.execute(update(t.orders).where(*own, _o.state == "running").values(cancel=True))
    if flagged.rowcount:
        return "stopping"
    row = (await page.c.execute(select(_o.state).where(*own))).first()
    return "unknown" if row is None else "cancelled" if row[0] == "cancelled" else "too_late"


async def held(page: Page) -> list[Held]:
    """Return every running order with its heartbeat count."""
    known = select(_o.id, _o.attempt, _o.beat, _o.account_id, _o.kind)
    rows = await page.c.execute(known.where(_o.state == "running"))
    return [Held(*row) for row in rows]


async def take_back(page: Page, order: int, attempt: int, strikes: int, *, still_at: int | None = None) -> str:
    """Take an order from a worker, or from its dead child; still_at: only if its heartbeat still stands at this count.

    Returns `queued` for another worker, `cancelled` if that was asked for, `failed` when workers died `strikes`
    times at one and the same step (it is the order that kills them), or `alive` when the heart beat after all.
    """
    ours = _ours(order, attempt) if still_at is None else (*_ours(order, attempt), _o.beat == still_at)
    row = (await page.c.execute(select(t.orders).where(*ours).with_for_update())).first()
    if row is None:
        return "alive"
    if row.cancel:
        return "cancelled" if await stopped(page, order, attempt) else "alive"
    struck_at = f"{row.stage}:{row.step}"
    count = row.strikes + 1 if row.struck_at == struck_at else 1
    if count >= strikes:
        failed = n.Failed("crashed", f"{count} workers died at {struck_at}")
        return "failed" if await fail(page, order, attempt, failed) else "alive"
    await page.c.execute(update(t.orders).where(*ours).values(strikes=count, struck_at=struck_at))
    return "queued" if await _again(page, ours, 0.0) else "alive"


async def tell(page: Page, order: int, word: n.News) -> None:
    """Write durable news of an order for the platform it was placed from."""
    row = (await page.c.execute(select(_o.account_id, _o.platform, _o.attempt).where(_o.id == order))).one()
    await _post(page, row.account_id, row.platform, f"news:{order}:{row.attempt}", word, order)


async def tell_account(page: Page, account: int, word: n.News) -> None:
    """Write durable news of an account as a whole, for every platform it is known on."""
    platforms = select(t.addresses.c.platform).where(t.addresses.c.account_id == account)
    for (platform,) in (await page.c.execute(platforms)).all():
        await _post(page, account, platform, f"news:{n.word_of(word)}:{account}:{platform}:{time.time_ns()}", word)


async def notice(page: Page, row_id: int) -> n.Notice | None:
    """Read durable news, None when it has been delivered already."""
    x = t.outbox.c
    found = (
        select(x.id, x.account_id, x.order_id, x.word, x.body, _o.kind, _o.ref)
        .join(t.orders, _o.id == x.order_id, isouter=True)
        .where(x.id == row_id)
    )
    row = (await page.c.execute(found)).first()
    if row is None:
        return None
    word = n.from_json(row.word, row.body)
    return n.Notice(row.id, row.account_id, row.order_id or 0, row.kind or "", row.ref or "", word)


async def delivered(page: Page, row_id: int) -> bool:
    """Strike out news that has reached its person."""
    return (await page.c.execute(delete(t.outbox).where(t.outbox.c.id == row_id))).rowcount > 0


async def _send_for(page: Page, order: int, delay_s: float = 0.0) -> None:
    """Write the message that will start the order's present attempt."""
    row = (await page.c.execute(select(t.orders).where(_o.id == order))).one()
    now = time.time()
    await page.c.execute(delete(t.outbox).where(t.outbox.c.order_id == order, t.outbox.c.word == "work"))
    await page.c.execute(
        insert(t.outbox).values(
            account_id=row.account_id,
            order_id=order,
            queue=row.queue,
            job=job_of(row.kind, order, row.attempt),
            turn=row.turn,
            word="work",
            body=json.dumps({"order": order, "attempt": row.attempt}),
            created_at=now,
            not_before=now + delay_s if delay_s else 0.0,
        )
    )


async def _post(page: Page, account: int, platform: str, job: str, word: n.News, order: int | None = None) -> None:
    await page.c.execute(
        insert(t.outbox).values(
            account_id=account,
            order_id=order,
            queue=f"notify:{platform}",
            job=job,
            turn=int(time.time()),  # read as milliseconds: always long past, whatever the clocks say
            word=n.word_of(word),
            body=n.to_json(word),
            created_at=time.time(),
        )
    )


async def _again(page: Page, ours: Sequence[ColumnElement[bool]], delay_s: float) -> bool:
    back = await page.c.execute(
        update(t.orders).where(*ours).values(state="queued", attempt=_o.attempt + 1, worker="").returning(_o.id)
    )
    row = back.first()
    if row is not None:
        await _send_for(page, row[0], delay_s)
    return row is not None


async def _close(page: Page, ours: Sequence[ColumnElement[bool]], state: str, reason: str = "") -> bool:
    closed = await page.c.execute(
        update(t.orders).where(*ours).values(state=state, reason=reason, finished_at=time.time()).returning(_o.id)
    )
    row = closed.first()
    if row is not None:
        await page.c.execute(delete(t.outbox).where(t.outbox.c.order_id == row[0], t.outbox.c.word == "work"))
    return row is not None


async def _keep(page: Page, claimed: Claimed, drawn: Sequence[Drawn], facts: dict[str, Any]) -> tuple[n.Pictured, ...]:
    """Enter portraits: of a shoot in a new sitting, of an edit in its parent's."""
    parents = {portrait.id: portrait for portrait in await page.portraits(claimed.account)}
    now = time.time()
    sitting = 0
    if any(d.parent is None for d in drawn):
        opened = insert(t.sittings).values(
            account_id=claimed.account,
            order_id=claimed.id,
            folder=str(facts.get("folder", "")),
            facts=json.dumps(facts),
            created_at=now,
            expires_at=now + (await page.account_of(claimed.account)).keep_days * DAY_S,
        )
        sitting = (await page.c.execute(opened.returning(t.sittings.c.id))).scalar_one()
    kept = []
    for d in drawn:
        if d.parent is not None and d.parent not in parents:
            raise Gone(f"portrait {d.parent} is deleted")
        entered = insert(t.portraits).values(
            account_id=claimed.account,
            sitting_id=sitting if d.parent is None else parents[d.parent].sitting,
            order_id=claimed.id,
            parent_id=d.parent,
            file=d.file,
            style=d.style,
            facts=json.dumps(d.facts),
            created_at=now,
        )
        number = (await page.c.execute(entered.returning(t.portraits.c.id))).scalar_one()
        percent, tweaks = d.facts.get("percent_of_baseline"), tuple(d.facts.get("tweaks") or ())
        kept.append(n.Pictured(number, d.file, d.style, percent, d.parent, tweaks))
    return tuple(kept)


def _ours(order: int, attempt: int) -> tuple[ColumnElement[bool], ...]:
    return _o.id == order, _o.attempt == attempt, _o.state == "running"


def _where_words(word: n.News | None) -> tuple[int, float | None]:
    return (word.place, word.eta_s) if isinstance(word, n.Queued) else (0, getattr(word, "eta_s", None))
