"""The preview of an edit is told while the whole is made, and is in the blob store no longer than its job goes on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from jobs.kinds.enhance import Enhance
from jobs.privacy.forget import forget
from jobs.queue.events import Preview
from jobs.services import Services
from jobs.storage import schema as t
from tests.fakes.hold import Hold
from tests.fakes.thread_child import ThreadChild
from tests.live_services import Front, person, place, shoot, until, working


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in threads: no claim here is about processes."""
    monkeypatch.setattr("jobs.worker.worker.Child", ThreadChild)


@pytest.fixture
async def front(services: Services, hold: Hold) -> AsyncIterator[Front]:
    async with working(services) as running:
        yield running


async def drawn(services: Services, front: Front) -> tuple[int, int]:
    """Somebody with two portraits; return their account and the first one's number."""
    someone = await person(services)
    job_id = await place(services, someone.id, shoot(count=2))
    assert await front.words(job_id) == ["done"]
    front.early.clear()
    async with services.database.read() as tx:
        return someone.id, (await tx.portraits(someone.id, job_id))[0].id


async def told(front: Front) -> str:
    await until(lambda: len(front.early) == 1)
    payload = front.early[0].payload
    assert isinstance(payload, Preview)
    return payload.file


async def files_of(services: Services, account: int, job_id: int) -> list[str]:
    return [blob.name async for blob, _ in services.blob_store.files_in(account, f"shoots/{job_id}")]


async def nothing_is_left(services: Services, account: int, job_id: int) -> None:
    async def none() -> bool:
        return await files_of(services, account, job_id) == []

    await until(none)  # the worker takes it down after its last word


async def test_it_is_told_before_the_whole_is_there_and_goes_with_its_coming(
    services: Services, front: Front, hold: Hold
) -> None:
    account, number = await drawn(services, front)
    job_id = await place(services, account, Enhance(number, ("upscale=x2",)))
    file = await told(front)
    assert file == f"shoots/{job_id}/preview.jpg"
    assert await services.blob_store.get(account, file) == b"preview of founder-00.jpg"
    assert [event.job_id for event in front.told] == [1], "the whole is not there yet"
    hold.let_go()
    assert await front.words(job_id) == ["done"]
    assert await files_of(services, account, job_id) == []
    async with services.database.read() as tx:
        (made,) = await tx.portraits(account, job_id)
    assert await services.blob_store.get(account, made.file) == b"founder-00 of 1 photos upscale=x2"


async def test_one_that_is_refused_after_it_leaves_nothing(services: Services, front: Front, hold: Hold) -> None:
    account, number = await drawn(services, front)
    job_id = await place(services, account, Enhance(number, ("upscale=x4",)))
    assert await told(front)
    hold.let_go()
    assert await front.words(job_id) == ["failed"]
    await nothing_is_left(services, account, job_id)


async def test_its_deletion_is_not_broken_off_however_fast_the_heart_beats(
    services: Services, front: Front, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, number = await drawn(services, front)
    monkeypatch.setattr("jobs.worker.worker.BEATS_A_LEASE", 1000)  # a beat finds the job closed before its files go
    delete = services.blob_store.delete_folder

    async def slowly(account: int, name: str) -> int:
        await asyncio.sleep(0.5)
        return await delete(account, name)

    monkeypatch.setattr(services.blob_store, "delete_folder", slowly)
    job_id = await place(services, account, Enhance(number, ("upscale=x4",)))
    assert await told(front)
    hold.let_go()
    assert await front.words(job_id) == ["failed"]
    await nothing_is_left(services, account, job_id)


async def test_one_that_is_cancelled_leaves_nothing(services: Services, front: Front) -> None:
    account, number = await drawn(services, front)
    job_id = await place(services, account, Enhance(number, ("upscale=x2",)))
    assert await told(front)
    assert await services.job_queue.cancel(account, job_id) == "stopping"
    assert await front.words(job_id) == ["cancelled"]
    await nothing_is_left(services, account, job_id)


async def test_nothing_of_it_is_left_after_everything_is_forgotten(services: Services, front: Front) -> None:
    account, number = await drawn(services, front)
    await place(services, account, Enhance(number, ("upscale=x2",)))
    assert await told(front)
    assert await forget(services, account) is not None
    assert [f for f in (services.settings.data / "shelf").rglob("*") if f.is_file()] == []
    async with services.database.read() as tx:
        assert await tx.rows_of(t.outbox, account) == []


async def test_edits_of_several_portraits_have_none(services: Services, front: Front) -> None:
    account, number = await drawn(services, front)
    job_id = await place(services, account, Enhance(number, ("warmer",), (number + 1,)))
    assert await front.words(job_id) == ["done"]
    assert front.early == []
