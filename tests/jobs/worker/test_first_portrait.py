"""The first portrait of a job that is kept is published and told while the others are being drawn."""

from dataclasses import replace
from typing import Any

import pytest

from jobs.privacy.forget import forget
from jobs.queue.events import FirstPortrait
from jobs.services import Services
from jobs.storage import schema as t
from jobs.storage.blobs import BlobStore, BlobStoreDown, StoredBlob
from jobs.worker.worker import Worker
from tests.fakes import quick_studio
from tests.fakes.hold import Hold
from tests.fakes.thread_child import ThreadChild
from tests.live_services import (
    Front,
    Process,
    ends,
    galleries,
    person,
    place,
    running,
    shoot,
    state_of,
    told,
    until,
    working,
)


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in threads: but for one that kills a worker, no claim here is about processes."""
    monkeypatch.setattr("jobs.worker.worker.Child", ThreadChild)


async def first_told(front: Front) -> FirstPortrait:
    await until(lambda: len(front.early) == 1)
    payload = front.early[0].payload
    assert isinstance(payload, FirstPortrait)
    return payload


async def files_of(services: Services, account: int, job_id: int) -> list[str]:
    return [blob.name async for blob, _ in services.blob_store.files_in(account, f"shoots/{job_id}")]


async def test_it_is_told_before_the_others_are_drawn_and_is_one_of_the_gallery(services: Services, hold: Hold) -> None:
    someone = await person(services)
    async with working(services) as front:
        job_id = await place(services, someone.id, shoot("held", count=4))
        first = await first_told(front)
        assert await state_of(services, job_id) == "running"
        assert first == FirstPortrait(f"shoots/{job_id}/founder-00.jpg", "founder", 97.5)
        assert await services.blob_store.get(someone.id, first.file) == b"founder-00 of 1 photos"
        kept = [f.read_bytes() for f in (services.settings.data / "shelf").rglob("*") if f.is_file()]
        assert not any(b"founder-00" in data for data in kept), "sealed as every file"
        hold.let_go()
        assert await front.words(job_id) == ["done"]
        assert (await galleries(services, someone.id, job_id))[0] == first.file
    assert len(front.early) == 1


@pytest.mark.parametrize(("manner", "count"), [("slow", 1), ("none", 4)])
async def test_there_is_none_where_no_other_follows_or_none_is_kept(
    services: Services, manner: str, count: int
) -> None:
    someone = await person(services)
    async with working(services) as front:
        job_id = await place(services, someone.id, shoot(manner, count=count))
        assert await front.words(job_id) == ["done"]
    assert front.early == []


async def test_a_cancelled_job_leaves_nothing_of_it_nor_of_what_is_mirrored_all_the_time(
    services: Services, hold: Hold
) -> None:
    someone = await person(services)
    busy = replace(services, settings=services.settings.model_copy(update={"mirror_s": 0.01}))
    async with working(busy) as front:
        job_id = await place(services, someone.id, shoot("held", count=4))
        await first_told(front)
        assert await files_of(services, someone.id, job_id)
        assert await services.job_queue.cancel(someone.id, job_id) == "stopping"
        assert await front.words(job_id) == ["cancelled"]
        assert await galleries(services, someone.id, job_id) == []
    assert await files_of(services, someone.id, job_id) == []


async def test_a_job_that_fails_later_leaves_nothing_of_it(services: Services, hold: Hold) -> None:
    someone = await person(services)
    async with working(services) as front:
        job_id = await place(services, someone.id, shoot("breaks", count=4))
        await first_told(front)
        hold.let_go()
        assert await front.words(job_id) == ["failed"]

        async def nothing_is_left() -> bool:
            return await files_of(services, someone.id, job_id) == []

        await until(nothing_is_left)  # the worker takes them down after its last word


async def test_nothing_of_it_is_left_after_everything_is_forgotten(services: Services, hold: Hold) -> None:
    someone = await person(services)
    async with working(services) as front:
        await place(services, someone.id, shoot("held", count=4))
        await first_told(front)
        receipt = await forget(services, someone.id)
    assert receipt is not None
    assert receipt.facts["deleted"]["files"] >= 2, "the photo and the first portrait"
    assert [f for f in (services.settings.data / "shelf").rglob("*") if f.is_file()] == []
    async with services.database.read() as tx:
        assert await tx.rows_of(t.outbox, someone.id) == []


async def test_where_it_cannot_be_stored_the_next_one_is_the_first(
    services: Services, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    someone = await person(services)
    put = BlobStore.put

    async def down_for_one(store: BlobStore, account: int, name: str, data: bytes) -> StoredBlob:
        if name.endswith("founder-00.jpg") and data and not failed:
            failed.append(name)
            raise BlobStoreDown("503 Slow Down")
        return await put(store, account, name, data)

    async def noted(worker: Worker, run: Any, record: dict[str, Any]) -> None:
        await tell_early(worker, run, record)
        tried.append(record["file"])

    failed: list[str] = []
    tried: list[str] = []
    tell_early = Worker._tell_early
    monkeypatch.setattr(BlobStore, "put", down_for_one)
    monkeypatch.setattr(Worker, "_tell_early", noted)
    monkeypatch.setitem(quick_studio.SECONDS, "held", 1.0)
    async with working(services) as front:
        job_id = await place(services, someone.id, shoot("held", count=4))
        await until(lambda: len(tried) == 1)
        hold.let_go()
        await until(lambda: len(tried) == 2)
        hold.again()  # what comes after the gallery is not told
        assert (await first_told(front)).file.endswith("founder-01.jpg")
        hold.let_go()
        assert await front.words(job_id) == ["done"]
    assert len(await galleries(services, someone.id, job_id)) == 4


async def test_a_killed_worker_s_successor_tells_the_same_one_again(services: Services, hold: Hold) -> None:
    """At least once here; that it is shown once is the dialogue's: tests/bots/dialogue/test_first_portrait.py."""
    someone = await person(services)
    async with running(services.settings, "worker", "notify") as processes:
        job_id = await place(services, someone.id, shoot("slow", count=8))
        await services.job_queue.send()
        await until(lambda: len(told(services.settings, "early")) == 1)
        processes[0].kill()
        processes[0] = Process(services.settings, "worker")
        hold.let_go()
        await ends(services, job_id)
        await until(lambda: bool(told(services.settings)))
    firsts = [line["payload"] for line in told(services.settings, "early")]
    assert firsts == [firsts[0]] * 2
    assert [line["word"] for line in told(services.settings)] == ["done"]
    assert len(await galleries(services, someone.id, job_id)) == 8
