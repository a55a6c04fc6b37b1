"""How a job ends in a real worker that does not end well: cancelled, dead, too slow, or impossible."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from jobs.kinds.base import Drawn
from jobs.kinds.enhance import Enhance
from jobs.queue import job_store
from jobs.queue.events import Failed
from jobs.services import Services, open_services
from jobs.worker.worker import Worker
from tests.fakes.hold import Hold
from tests.live_services import (
    children_of,
    column,
    ends,
    make_settings,
    person,
    place,
    shoot,
    stands_at,
    times_drawn,
    until,
    working,
)


@pytest.mark.parametrize("manner", ["held", "stuck"])
async def test_cancelling_a_running_job_ends_its_work_whether_it_listens_or_not(
    services: Services, hold: Hold, manner: str
) -> None:
    someone = await person(services)
    async with working(services) as front:
        job_id = await place(services, someone.id, shoot(manner, count=8))
        await stands_at(services, job_id, 0)
        assert await services.job_queue.cancel(someone.id, job_id) == "stopping"
        await ends(services, job_id, "cancelled")
        assert await services.job_queue.cancel(someone.id, job_id) == "cancelled"
        assert await front.words(job_id) == ["cancelled"]
        await ends(services, await place(services, someone.id, shoot()))  # and the slot is free again
        async with services.database.read() as tx:
            token = (await tx.account_of(someone.id)).token
        await until(lambda: not list((services.settings.work_folder / token).glob("*")))


async def test_a_child_that_dies_once_costs_nothing_and_a_job_that_kills_every_one_is_given_up(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.queue.job_store.CRASH_PAUSE_S", 0.1)
    someone = await person(services)
    async with working(services) as front:
        job_id = await place(services, someone.id, shoot("dies"))
        healthy = await place(services, someone.id, shoot("fast"))
        await ends(services, job_id, "failed")
        await ends(services, healthy)
        assert await front.words(job_id) == ["failed"]
    (payload,) = [job_event.payload for job_event in front.told if job_event.job_id == job_id]
    assert isinstance(payload, Failed)
    assert payload.reason == "crashed"


async def test_a_dead_child_s_job_goes_on_from_its_files_however_fast_its_worker_s_heart_beats(
    services: Services, drawn: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.worker.worker.BEATS_A_LEASE", 1000)  # the next beat is always under way
    someone = await person(services)
    async with working(services):
        job_id = await place(services, someone.id, shoot("held", count=4))
        await stands_at(services, job_id, 1)
        for child in children_of(os.getpid(), b"jobs.worker.child\0studio"):
            os.kill(child, signal.SIGKILL)
        hold.let_go()
        await ends(services, job_id)
    attempts = {f"founder-{n:02d}": 1 if n < 1 else 2 for n in range(4)}
    assert times_drawn(drawn) == {f"{job_id}.{attempt} {name}": 1 for name, attempt in attempts.items()}


async def test_a_job_that_was_taken_from_a_living_worker_goes_on_from_its_files(
    services: Services, drawn: Path, hold: Hold
) -> None:
    """As a reaper does it when a machine is so busy that a heart misses its lease."""
    someone = await person(services)
    async with working(services):
        job_id = await place(services, someone.id, shoot("held", count=4))
        await stands_at(services, job_id, 1)
        async with services.database.write() as tx:
            assert await job_store.take_back(tx, job_id, 1, 9) == "queued"

        async def taken_over() -> bool:
            async with services.database.read() as tx:
                return [(held.job_id, held.attempt) for held in await job_store.held(tx)] == [(job_id, 2)]

        await until(taken_over)
        hold.let_go()
        await ends(services, job_id)
    again = Counter(name.partition(" ")[2] for name in times_drawn(drawn).elements())
    assert again == {f"founder-{n:02d}": 1 for n in range(4)}
    assert not list(services.settings.work_folder.glob("*/*"))


@pytest.mark.parametrize("manner", ["breaks", "held"])
async def test_a_worker_that_lost_its_job_and_ends_it_deletes_nothing_of_what_another_delivered(
    services: Services, hold: Hold, monkeypatch: pytest.MonkeyPatch, manner: str
) -> None:
    """As after a standstill of the machine: its heart finds out later than its child ends, and its files are taken."""

    async def still(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Worker, "_heart", still)
    someone = await person(services)
    async with working(services) as front:
        job_id = await place(services, someone.id, shoot(manner, count=2))
        await until(lambda: len(front.early) == 1)
        (folder,) = services.settings.work_folder.glob(f"*/{job_id}.1")
        async with services.database.write() as tx:
            assert await job_store.take_back(tx, job_id, 1, 9) == "queued"
            elsewhere = await job_store.claim(tx, job_id, 2, "another")
        assert elsewhere is not None
        file = f"shoots/{job_id}/founder-00.jpg"
        await services.blob_store.put(someone.id, file, b"drawn elsewhere")
        async with services.database.write() as tx:
            await job_store.finish(tx, elsewhere, [Drawn(file, "founder", {"percent_of_baseline": 97.5})], {})
        folder.rename(folder.with_suffix(".2"))
        hold.let_go()
        await until(lambda: not list(services.settings.work_folder.glob(f"*/{job_id}.*")))
        assert await services.blob_store.get(someone.id, file) == b"drawn elsewhere"


async def test_a_studio_without_its_weights_says_so_of_each_job_and_no_process_dies_of_it(services: Services) -> None:
    someone = await person(services)
    async with working(services, "tests.fakes.quick_studio:UnreadyStudio") as front:
        job_id = await place(services, someone.id, shoot())
        assert await front.words(job_id) == ["failed"]
    assert front.told[0].payload == Failed("setup", "no weights; run: atelier weights pull")


async def test_a_job_that_takes_too_long_is_ended_and_not_tried_again(tmp_path: Path) -> None:
    async with (
        open_services(make_settings(tmp_path, studio_timeout_minutes=0.02)) as services,
        working(services) as front,
    ):
        someone = await person(services)
        job_id = await place(services, someone.id, shoot("stuck"))
        assert await front.words(job_id) == ["failed"]
        assert front.told[0].payload == Failed("timeout", "not done after 1 s, which is the limit")


@pytest.mark.parametrize(("manner", "reason"), [("refused", "no_majority"), ("broken", "fault")])
async def test_what_cannot_succeed_is_not_tried_again(services: Services, manner: str, reason: str) -> None:
    someone = await person(services)
    async with working(services) as front:
        job_id = await place(services, someone.id, shoot(manner))
        assert await front.words(job_id) == ["failed"]
        assert isinstance(front.told[0].payload, Failed)
        assert front.told[0].payload.reason == reason
        assert await column(services, "attempt") == 1
        await ends(
            services, await place(services, someone.id, shoot())
        )  # by a new process where the old one may be broken


async def test_an_edit_of_a_portrait_that_is_gone_fails_and_says_so(services: Services) -> None:
    someone = await person(services)
    async with working(services) as front:
        job_id = await place(services, someone.id, Enhance(99, ("light=soft",)))
        assert await front.words(job_id) == ["failed"]
        assert isinstance(front.told[0].payload, Failed)
        assert front.told[0].payload.reason == "photo_gone"
