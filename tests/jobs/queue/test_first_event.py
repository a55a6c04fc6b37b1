"""The event of a job's first portrait, in the database and on its way to the person."""

import asyncio

from sqlalchemy import select

from jobs.kinds.base import Drawn
from jobs.queue import events, job_store
from jobs.queue.events import FirstPortrait, JobEvent, Step
from jobs.queue.job_store import Claimed
from jobs.services import Services
from jobs.settings import Settings
from jobs.storage import schema as t
from jobs.storage.database import Database
from jobs.storage.transaction import Transaction
from tests.live_services import person, placed, shoot, someone, until

FIRST = FirstPortrait("shoots/1/p01.jpg", "founder", 97.5)
DRAWN = Drawn("shoots/1/p01.jpg", "founder", {"percent_of_baseline": 97.5})


async def claimed(tx: Transaction, limits: Settings) -> Claimed:
    job_id = await placed(tx, await someone(tx), "a", limits)
    found = await job_store.claim(tx, job_id, 1, "w1")
    assert found is not None
    return found


async def waiting_to_be_told(tx: Transaction) -> list[str]:
    return [row.type for row in await tx.c.execute(select(t.outbox).order_by(t.outbox.c.id))]


async def test_it_is_durable_once_an_attempt_and_goes_with_the_job(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        mine = await claimed(tx, limits)
        assert await job_store.tell_early(tx, mine, DRAWN)
        (row,) = (await tx.c.execute(select(t.outbox))).all()
        assert events.from_json(row.type, row.body) == FIRST
        assert await tx.portraits(mine.account) == [], "it has no number before all are there"
        assert await job_store.take_back(tx, mine.id, 1, strikes=3) == "queued"
        again = await job_store.claim(tx, mine.id, 2, "w2")
        assert again is not None
        assert await job_store.tell_early(tx, again, DRAWN)
        assert await waiting_to_be_told(tx) == ["firstportrait", "firstportrait"]
        await job_store.finish(tx, again, [DRAWN], {})
        assert await waiting_to_be_told(tx) == ["done"], "the gallery says more than a first portrait"


async def test_nobody_is_told_by_a_worker_that_lost_the_job_or_is_to_stop_it(
    database: Database, limits: Settings
) -> None:
    async with database.write() as tx:
        lost = await claimed(tx, limits)
        await job_store.take_back(tx, lost.id, 1, strikes=3)
        assert not await job_store.tell_early(tx, lost, DRAWN)
        again = await job_store.claim(tx, lost.id, 2, "w2")
        assert again is not None
        assert await job_store.cancel(tx, again.account, again.id) == "stopping"
        assert not await job_store.tell_early(tx, again, DRAWN)
        assert await waiting_to_be_told(tx) == []


async def test_one_that_was_not_delivered_yet_is_not_shown_after_the_job_was_cancelled(
    database: Database, limits: Settings
) -> None:
    async with database.write() as tx:
        mine = await claimed(tx, limits)
        await job_store.tell_early(tx, mine, DRAWN)
        await job_store.cancel(tx, mine.account, mine.id)
        await job_store.stopped(tx, mine.id, 1)
        assert await waiting_to_be_told(tx) == ["cancelled"]


async def test_progress_goes_on_after_the_first_portrait_and_a_failed_delivery_is_repeated(services: Services) -> None:
    someone = await person(services)
    await services.job_queue.place(someone.id, shoot(), "r", "telegram")
    async with services.database.write() as tx:
        mine = await job_store.claim(tx, 1, 1, "w")
    assert mine is not None
    heard: list[JobEvent] = []
    tries = 0

    async def deliver(job_event: JobEvent) -> None:
        nonlocal tries
        if isinstance(job_event.payload, FirstPortrait):
            tries += 1
            if tries == 1:
                raise TimeoutError("the platform did not answer")
        heard.append(job_event)

    def shown() -> list[str]:
        return [type(job_event.payload).__name__ for job_event in heard]

    parts = (services.job_queue.relay(), services.job_queue.listen("telegram", deliver))
    tasks = [asyncio.create_task(part) for part in parts]
    await until(lambda: shown() == ["Step"])
    async with services.database.write() as tx:
        tx.after.append(services.job_queue.wake)
        await job_store.tell_early(tx, mine, DRAWN)
    await until(lambda: shown() == ["Step", "FirstPortrait"])
    async with services.database.write() as tx:
        await job_store.beat(tx, 1, 1, Step("shoot founder", 1, 2))
    await until(lambda: shown() == ["Step", "FirstPortrait", "Step"])
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert tries == 2
