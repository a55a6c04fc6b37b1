"""The transactional outbox: rows written in the transaction whose effect they announce.

A row of type `work` wakes a worker for one attempt of a job and is deleted when that is claimed. A row of another type
is an event for a person and is deleted when it was delivered. `jobs.queue.arq_queue` sends rows to arq.
"""

from __future__ import annotations

import time
from typing import Final

from sqlalchemy import case, delete, insert, select, update

from jobs.queue import events
from jobs.storage import schema as t
from jobs.storage.transaction import Transaction

ACTIVE: Final = ("queued", "running")
SERIAL: Final = frozenset({"look"})
"""Queues in which an account's jobs are done one after another, oldest first: photos judge each other."""
EARLY: Final = ("firstportrait", "preview")
"""Events of a job that goes on."""
_j, _x = t.jobs.c, t.outbox.c


def arq_id_of(kind: str, job_id: int, attempt: int) -> str:
    """Return the id an attempt has in arq; never used twice, because neither number ever is."""
    return f"{kind}:{job_id}:{attempt}"


def notify_queue(platform: str) -> str:
    """Return the queue that a platform's bot takes its events from."""
    return f"notify:{platform}"


async def lock_account(tx: Transaction, account: int) -> None:
    """Let transactions that change what an account has waiting go one after another (SQLite has one writer anyway)."""
    await tx.c.execute(select(t.accounts.c.id).where(t.accounts.c.id == account).with_for_update())


async def send_next(tx: Transaction, account: int, queue: str, job_id: int) -> None:
    """Send for a job that has come to wait; in a serial queue for the account's oldest, when none of them runs.

    The caller holds `lock_account`.
    """
    if queue in SERIAL:
        own = select(_j.id, _j.state).where(_j.account_id == account, _j.queue == queue, _j.state.in_(ACTIVE))
        first = (await tx.c.execute(own.order_by(case((_j.state == "running", 0), else_=1), _j.id).limit(1))).first()
        if first is None or first.state == "running":
            return
        job_id = first.id
    sent = select(_x.id).where(_x.job_id == job_id, _x.type == "work")
    if (await tx.c.execute(sent)).first() is None:
        await send_work(tx, job_id)


async def send_work(tx: Transaction, job_id: int, delay_s: float = 0.0) -> None:
    """Write the row that will start the job's present attempt, in place of an earlier one's."""
    row = (await tx.c.execute(select(t.jobs).where(_j.id == job_id))).one()
    now = time.time()
    await drop_work(tx, job_id)
    await tx.c.execute(
        insert(t.outbox).values(
            account_id=row.account_id,
            job_id=job_id,
            queue=row.queue,
            arq_id=arq_id_of(row.kind, job_id, row.attempt),
            priority=row.priority,
            type="work",
            body="",
            created_at=now,
            not_before=now + delay_s if delay_s else 0.0,
        )
    )


async def drop_work(tx: Transaction, job_id: int) -> None:
    """Delete the row that would start the job: it is claimed, or not to be done."""
    await tx.c.execute(delete(t.outbox).where(_x.job_id == job_id, _x.type == "work"))


async def next_job(tx: Transaction, queue: str) -> int | None:
    """Return the job of a queue that is next in the fair order; one that another transaction is claiming is passed."""
    due = select(_x.job_id).where(_x.queue == queue, _x.type == "work", _x.not_before <= time.time())
    due = due.order_by(_x.priority, _x.job_id).limit(1).with_for_update(skip_locked=True)
    return (await tx.c.execute(due)).scalar_one_or_none()


async def drop_early(tx: Transaction, job_id: int) -> None:
    """Delete what was to be shown while a job went on: it is over, and its last event says more."""
    await tx.c.execute(delete(t.outbox).where(_x.job_id == job_id, _x.type.in_(EARLY)))


async def tell(tx: Transaction, job_id: int, payload: events.Payload) -> None:
    """Write a durable event of a job for the platform it was placed from; of each type one an attempt."""
    row = (await tx.c.execute(select(_j.account_id, _j.platform, _j.attempt).where(_j.id == job_id))).one()
    arq_id = f"event:{events.type_of(payload)}:{job_id}:{row.attempt}"
    await _post(tx, row.account_id, row.platform, arq_id, payload, job_id)


async def tell_account(tx: Transaction, account: int, payload: events.Payload) -> None:
    """Write a durable event of an account as a whole, for every platform it is known on."""
    platforms = select(t.addresses.c.platform).where(t.addresses.c.account_id == account)
    for (platform,) in (await tx.c.execute(platforms)).all():
        arq_id = f"event:{events.type_of(payload)}:{account}:{platform}:{time.time_ns()}"
        await _post(tx, account, platform, arq_id, payload)


async def job_event(tx: Transaction, row_id: int) -> events.JobEvent | None:
    """Read a durable event, None when it has been delivered already."""
    found = (
        select(_x.id, _x.account_id, _x.job_id, _x.type, _x.body, _j.kind, _j.ref)
        .join(t.jobs, _j.id == _x.job_id, isouter=True)
        .where(_x.id == row_id)
    )
    row = (await tx.c.execute(found)).first()
    if row is None:
        return None
    payload = events.from_json(row.type, row.body)
    return events.JobEvent(row.id, row.account_id, row.job_id or 0, row.kind or "", row.ref or "", payload)


async def acknowledge(tx: Transaction, row_id: int) -> bool:
    """Delete an event that has reached its person; False when that was done before."""
    return (await tx.c.execute(delete(t.outbox).where(_x.id == row_id))).rowcount > 0


async def send_again(tx: Transaction, row_id: int, arq_id: str | None = None, wait_s: float = 0.0) -> None:
    """Have a row sent once more, under an id that arq has not seen; arq_id: only if that is still the last one."""
    row = (await tx.c.execute(select(_x.arq_id).where(_x.id == row_id))).first()
    if row is None or arq_id not in (None, row.arq_id):
        return
    base, _, times = row.arq_id.partition("+")
    new_id = f"{base}+{int(times or 0) + 1}"
    values = {"arq_id": new_id, "sent_at": None, "not_before": time.time() + wait_s if wait_s else 0.0}
    await tx.c.execute(update(t.outbox).where(_x.id == row_id, _x.arq_id == row.arq_id).values(**values))


async def send_events_again(tx: Transaction, platform: str) -> None:
    """Have all of a platform's events sent once more: its bot has started, and nobody delivers what was sent before."""
    sent = select(_x.id).where(_x.queue == notify_queue(platform), _x.sent_at.is_not(None))
    for (row_id,) in (await tx.c.execute(sent)).all():
        await send_again(tx, row_id)


async def _post(
    tx: Transaction, account: int, platform: str, arq_id: str, payload: events.Payload, job_id: int | None = None
) -> None:
    await tx.c.execute(
        insert(t.outbox).values(
            account_id=account,
            job_id=job_id,
            queue=notify_queue(platform),
            arq_id=arq_id,
            priority=0,
            type=events.type_of(payload),
            body=events.to_json(payload),
            created_at=time.time(),
        )
    )
