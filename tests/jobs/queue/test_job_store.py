"""The life of a job in the database, on SQLite and on PostgreSQL alike."""

import asyncio

import pytest
from pydantic import ValidationError
from sqlalchemy import select, text

from jobs.kinds.base import Drawn
from jobs.kinds.enhance import Enhance
from jobs.kinds.look import Look
from jobs.queue import events, job_store
from jobs.queue.job_status import active_jobs, sign_in, status_of
from jobs.queue.job_store import Accepted, Claimed, Declined
from jobs.settings import Settings
from jobs.storage import schema as t
from jobs.storage.database import Database
from jobs.storage.transaction import Transaction
from tests.live_services import placed, shoot, someone


async def state(tx: Transaction, job_id: int) -> str:
    status = await status_of(tx, job_id)
    assert status is not None
    return status.state


async def test_the_same_job_twice_is_one_job(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        account, other = await someone(tx), await someone(tx, "2")
        first = await job_store.place(tx, account, shoot(), "go:1", "telegram", limits)
        again = await job_store.place(tx, account, shoot(), "go:1", "telegram", limits)
        theirs = await job_store.place(tx, other, shoot(), "go:1", "telegram", limits)
        assert isinstance(first, Accepted)
        assert isinstance(again, Accepted)
        assert (first.is_new, again.is_new, again.job_id) == (True, False, first.job_id)
        assert isinstance(theirs, Accepted)
        assert theirs.job_id != first.job_id
        assert len((await tx.c.execute(select(t.outbox))).all()) == 2


async def test_the_same_job_sent_twice_at_once_is_one_job(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        account = await someone(tx)

    async def press() -> int:
        async with database.write() as tx:
            return await placed(tx, account, "go:1", limits)

    assert len(set(await asyncio.gather(*(press() for _ in range(8))))) == 1


async def test_jobs_beyond_a_limit_are_declined_and_leave_nothing(database: Database, limits: Settings) -> None:
    tight = limits.model_copy(update={"studio_per_account": 2, "queue_depth": 3})
    async with database.write() as tx:
        one, two = await someone(tx), await someone(tx, "2")
        for ref in ("a", "b"):
            await placed(tx, one, ref, tight)
        assert await job_store.place(tx, one, shoot(), "c", "telegram", tight) == Declined("too_many", 2)
        await placed(tx, two, "a", tight)
        assert await job_store.place(tx, two, shoot(), "b", "telegram", tight) == Declined("queue_full", 3)
        assert len((await tx.c.execute(select(t.jobs))).all()) == 3


async def test_jobs_that_break_their_rules_are_refused_before_anything_is_written(
    database: Database, limits: Settings
) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        for wrong in (shoot(count=0), shoot(photos=("../x",)), Look("")):
            with pytest.raises(ValidationError):
                await job_store.place(tx, account, wrong, "x", "telegram", limits)
        with pytest.raises(ValueError, match="64 is the limit"):
            await job_store.place(
                tx, account, shoot(count=16, styles=("a", "b", "c", "d", "e")), "x", "telegram", limits
            )
        assert (await tx.c.execute(select(t.jobs))).all() == []


async def test_who_asks_for_much_waits_behind_who_asks_for_little_and_nobody_for_ever(
    database: Database, limits: Settings
) -> None:
    many = limits.model_copy(update={"studio_per_account": 100})
    async with database.write() as tx:
        greedy, modest = await someone(tx), await someone(tx, "2")
        theirs = [await placed(tx, greedy, f"g{n}", many, shoot(count=4)) for n in range(10)]
        late = await placed(tx, modest, "m", many, shoot(count=4))
        line = (await tx.c.execute(select(t.jobs.c.id).order_by(t.jobs.c.priority, t.jobs.c.id))).scalars().all()
        assert line.index(late) == 1
        for job_id in (theirs[0], late):
            await job_store.claim(tx, job_id, 1, "w")
        # newcomers keep coming; the greedy one's second job still has its turn after a bounded number of them
        for n in range(20):
            await placed(tx, await someone(tx, f"n{n}"), "x", many, shoot(count=4))
        line = (
            (
                await tx.c.execute(
                    select(t.jobs.c.id).where(t.jobs.c.state == "queued").order_by(t.jobs.c.priority, t.jobs.c.id)
                )
            )
            .scalars()
            .all()
        )
        newcomer = await placed(tx, await someone(tx, "last"), "x", many, shoot(count=4))
        for job_id in line[:21]:
            await job_store.claim(tx, job_id, 1, "w")
        after = await placed(tx, await someone(tx, "after"), "x", many, shoot(count=4))
        turns = dict((await tx.c.execute(select(t.jobs.c.id, t.jobs.c.priority))).all())
        assert turns[theirs[1]] <= turns[after]
        assert turns[newcomer] <= turns[after]


async def test_of_many_workers_one_gets_the_job(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        job_id = await placed(tx, await someone(tx), "a", limits)

    async def grab(n: int) -> bool:
        async with database.write() as tx:
            return await job_store.claim(tx, job_id, 1, f"w{n}") is not None

    assert sum(await asyncio.gather(*(grab(n) for n in range(10)))) == 1


async def test_looks_of_an_account_are_claimed_one_after_another_and_shoots_side_by_side(
    database: Database, limits: Settings
) -> None:
    async def claims(queue: str) -> int | None:
        async with database.write() as tx:
            claimed = await job_store.claim_next(tx, queue, "w")
            return claimed.id if claimed else None

    async with database.write() as tx:
        ana, ben = await someone(tx, "ana"), await someone(tx, "ben")
        first, second, third = [await placed(tx, ana, ref, limits, Look("photos/1")) for ref in "abc"]
        bens = await placed(tx, ben, "a", limits, Look("photos/1"))
        shoots = [await placed(tx, ana, ref, limits) for ref in "xy"]
    assert [await claims("look") for _ in range(3)] == [first, bens, None]
    assert [await claims("studio") for _ in range(3)] == [*shoots, None]
    async with database.write() as tx:
        assert await job_store.release(tx, first, 1)
        assert await job_store.cancel(tx, ana, second) == "cancelled"
    assert [await claims("look") for _ in range(2)] == [first, None], "the one given back goes before the next"
    async with database.write() as tx:
        assert await job_store.fail(tx, first, 2, events.Failed("no_face"))
    assert [await claims("look") for _ in range(2)] == [third, None]


async def test_a_look_placed_while_the_one_before_it_ends_is_not_forgotten(
    database: Database, limits: Settings
) -> None:
    """Whichever of the two transactions is first."""
    async with database.write() as tx:
        account = await someone(tx)
        last = await placed(tx, account, "0", limits, Look("photos/1"))
    for n in range(1, 12):
        async with database.write() as tx:
            claimed = await job_store.claim_next(tx, "look", "w")
            assert claimed is not None, f"look {last} waits for ever"

        async def ends(claimed: Claimed = claimed) -> None:
            async with database.write() as tx:
                await job_store.finish(tx, claimed, [], {})

        async def comes(n: int = n) -> int:
            async with database.write() as tx:
                return await placed(tx, account, str(n), limits, Look("photos/1"))

        last, _ = await asyncio.gather(comes(), ends())


async def test_every_step_is_for_the_attempt_that_holds_the_job(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        job_id = await placed(tx, await someone(tx), "a", limits)
        claimed = await job_store.claim(tx, job_id, 1, "w1")
        assert claimed is not None
        assert await job_store.release(tx, job_id, 1)
        assert await job_store.claim(tx, job_id, 1, "w1") is None
        again = await job_store.claim(tx, job_id, 2, "w2")
        assert again is not None
        assert await job_store.beat(tx, job_id, 1, events.Step()) == "lost"
        assert await job_store.finish(tx, claimed, [], {}) is None
        assert not await job_store.fail(tx, job_id, 1, events.Failed("fault"))
        assert not await job_store.stopped(tx, job_id, 1)
        assert not await job_store.release(tx, job_id, 1)
        assert await job_store.claim(tx, job_id, 1, "w1") is None
        assert await job_store.beat(tx, job_id, 2, events.Step("draw", 1, 4)) == "go on"
        assert await job_store.finish(tx, again, [], {}) is not None
        assert await job_store.finish(tx, again, [], {}) is None
        posted = (await tx.c.execute(select(t.outbox.c.type))).scalars().all()
        assert posted == ["done"]


async def test_cancelling_is_asked_once_whatever_the_job_is_doing(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        account, other = await someone(tx), await someone(tx, "2")
        waiting, running, over = [await placed(tx, account, ref, limits) for ref in "abc"]
        assert await job_store.cancel(tx, other, waiting) == "unknown"
        assert await job_store.cancel(tx, account, waiting) == "cancelled"
        assert await job_store.cancel(tx, account, waiting) == "cancelled"
        assert await job_store.claim(tx, waiting, 1, "w") is None
        await job_store.claim(tx, running, 1, "w")
        assert await job_store.cancel(tx, account, running) == "stopping"
        assert await job_store.cancel(tx, account, running) == "stopping"
        assert await job_store.beat(tx, running, 1, events.Step()) == "cancel"
        assert await job_store.stopped(tx, running, 1)
        claimed = await job_store.claim(tx, over, 1, "w")
        assert claimed is not None
        await job_store.finish(tx, claimed, [], {})
        assert await job_store.cancel(tx, account, over) == "too_late"
        told = select(t.outbox.c.job_id, t.outbox.c.type).order_by(t.outbox.c.job_id)
        assert (await tx.c.execute(told)).all() == [(waiting, "cancelled"), (running, "cancelled"), (over, "done")]


async def test_only_a_job_whose_heart_stands_still_is_taken_back(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        job_id = await placed(tx, await someone(tx), "a", limits)
        await job_store.claim(tx, job_id, 1, "w")
        (held,) = await job_store.held(tx)
        await job_store.beat(tx, job_id, 1, events.Step())
        assert await job_store.take_back(tx, held.job_id, held.attempt, 4, still_at=held.beat) == "alive"
        (held,) = await job_store.held(tx)
        assert await job_store.take_back(tx, held.job_id, held.attempt, 4, still_at=held.beat) == "queued"
        assert await job_store.take_back(tx, held.job_id, held.attempt, 4, still_at=held.beat) == "alive"
        assert await job_store.claim(tx, job_id, 2, "w2") is not None


async def test_a_job_that_was_cancelled_is_not_begun_again_when_its_worker_dies(
    database: Database, limits: Settings
) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        job_id = await placed(tx, account, "a", limits)
        await job_store.claim(tx, job_id, 1, "w")
        await job_store.cancel(tx, account, job_id)
        (held,) = await job_store.held(tx)
        assert await job_store.take_back(tx, held.job_id, held.attempt, 4, still_at=held.beat) == "cancelled"
        assert await state(tx, job_id) == "cancelled"


async def test_a_job_that_kills_workers_at_one_step_is_given_up_and_one_that_gets_further_is_not(
    database: Database, limits: Settings
) -> None:
    async def die(tx: Transaction, job_id: int, attempt: int, step: int) -> str:
        await job_store.claim(tx, job_id, attempt, "w")
        await job_store.beat(tx, job_id, attempt, events.Step("draw", step, 9))
        return await job_store.take_back(tx, job_id, attempt, 3)

    async with database.write() as tx:
        account = await someone(tx)
        poison, slow = [await placed(tx, account, ref, limits) for ref in "ab"]
        assert [await die(tx, poison, n, 4) for n in (1, 2, 3)] == ["queued", "queued", "failed"]
        assert {await die(tx, slow, n, n) for n in range(1, 9)} == {"queued"}


async def test_place_and_eta_are_of_the_fair_line_and_measured(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        people = [await someone(tx, str(n)) for n in range(3)]
        first, second, third = [await placed(tx, who, "a", limits, shoot(count=4)) for who in people]
        status = await status_of(tx, third)
        assert status is not None
        assert status.payload == events.Queued(3, None)
        await sign_in(tx, "w", "studio", 1)
        claimed = await job_store.claim(tx, first, 1, "w")
        assert claimed is not None
        await job_store.finish(tx, claimed, [], {})
        await tx.c.execute(t.jobs.update().where(t.jobs.c.id == first).values(finished_at=t.jobs.c.started_at + 40))
        for job_id, place in ((second, 1), (third, 2)):
            status = await status_of(tx, job_id)
            assert status is not None
            assert isinstance(status.payload, events.Queued)
            assert status.payload.place == place
            assert status.payload.eta_s == pytest.approx(40.0 * place)
        assert [s.job_id for s in await active_jobs(tx, "telegram")] == [second, third]


async def test_an_edit_hangs_below_its_parent_and_a_deleted_parent_takes_it_along(
    database: Database, limits: Settings
) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        drawing = await job_store.claim(tx, await placed(tx, account, "a", limits), 1, "w")
        assert drawing is not None
        done = await job_store.finish(tx, drawing, [Drawn("shoots/1/p1.jpg", "founder", {})], {"folder": "shoots/1"})
        assert done is not None
        root = done.portraits[0].id
        edit = Enhance(root, ("light=soft",))
        editing = await job_store.claim(tx, await placed(tx, account, "b", limits, edit), 1, "w")
        assert editing is not None
        drawn = Drawn("shoots/1/e2.jpg", "founder", {"tweaks": ["light=soft"]}, root)
        done = await job_store.finish(tx, editing, [drawn], {})
        assert done is not None
        assert done.portraits[0].parent == root
        await tx.c.execute(text("DELETE FROM sittings"))
        assert await tx.portraits(account) == []
