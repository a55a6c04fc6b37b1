"""Looks through a real worker: each photo is judged among its set, in turn, and nothing of a deleted one stays."""

import asyncio
import hashlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from jobs.kinds.look import Look
from jobs.privacy.forget import forget
from jobs.services import Services, open_services
from jobs.storage.blobs import BlobStore
from jobs.worker.child import Child
from tests.fakes.hold import Hold
from tests.live_services import (
    children_of,
    column,
    ends,
    make_settings,
    person,
    place,
    send_photo,
    until,
    working,
)


async def test_a_photo_is_judged_among_those_that_were_kept_before(services: Services) -> None:
    someone = await person(services, photos=0)
    async with working(services):
        for name, data in (("photos/1", b"good"), ("photos/2", b"bad"), ("photos/3", b"good")):
            await send_photo(services, someone.id, name, data)
            await ends(services, await place(services, someone.id, Look(name)))
    async with services.database.read() as tx:
        facts = {photo.name: photo.facts for photo in await tx.photos(someone.id)}
    assert facts["photos/2"]["reason"] == "no_face"
    assert facts["photos/3"]["set"] == ["photos/1", "photos/3"]


async def test_a_photo_is_fetched_once_for_all_the_looks_of_its_set_and_again_by_a_new_process(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    real = BlobStore.get

    async def get(self: BlobStore, account: int, name: str) -> bytes:
        fetched.append(name)
        return await real(self, account, name)

    monkeypatch.setattr(BlobStore, "get", get)
    someone = await person(services, photos=0)
    async with working(services):
        for n in range(1, 5):
            await send_photo(services, someone.id, f"photos/{n}", f"good {n}".encode())
            await ends(services, await place(services, someone.id, Look(f"photos/{n}")))
        assert fetched == [f"photos/{n}" for n in range(1, 5)]
        (child,) = children_of(os.getpid(), b"jobs.worker.child\0look")
        os.kill(child, signal.SIGKILL)
        await send_photo(services, someone.id, "photos/5", b"good 5")
        await ends(services, await place(services, someone.id, Look("photos/5")))
    assert set(fetched[4:]) == {f"photos/{n}" for n in range(1, 6)}, "it holds none of them"
    async with services.database.read() as tx:
        assert (await tx.photos(someone.id))[-1].facts["set"] == [f"photos/{n}" for n in range(1, 6)]


async def test_deleted_photos_do_not_live_on_in_the_memory_of_the_process_that_looked_at_them(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken back or forgotten; those of others stay."""
    monkeypatch.setattr("jobs.worker.worker.SIGN_IN_S", 0.1)
    said: list[dict[str, Any]] = []
    real = Child._say

    def say(self: Child, word: dict[str, Any]) -> None:
        said.append(word)
        real(self, word)

    monkeypatch.setattr(Child, "_say", say)
    one, two = await person(services, "1", photos=2), await person(services, "2")
    async with working(services):
        for who, name in ((one, "photos/0"), (one, "photos/1"), (two, "photos/0")):
            await ends(services, await place(services, who.id, Look(name)))
        digests = [hashlib.sha256(f"photo {n} of 1".encode()).hexdigest() for n in range(2)]
        async with services.database.write() as tx:
            await tx.drop_photo(one.id, "photos/1")
        await until(lambda: {"drop": [digests[1]]} in said)
        await forget(services, one.id)
        await until(lambda: {"drop": [digests[0]]} in said)
        await ends(services, await place(services, two.id, Look("photos/0")))
    assert len([word for word in said if "drop" in word]) == 2


async def test_looks_of_one_person_are_never_judged_side_by_side_and_a_photo_taken_back_fails_no_other(
    tmp_path: Path, hold: Hold
) -> None:
    async with open_services(make_settings(tmp_path, look_slots=2)) as services:
        someone = await person(services, photos=0)
        for n in range(1, 5):
            await send_photo(services, someone.id, f"photos/{n}", b"held" if n == 1 else f"good {n}".encode())
        async with working(services) as front:
            placed = [await place(services, someone.id, Look(f"photos/{n}")) for n in range(1, 5)]
            await until(lambda: bool(list(services.settings.work_folder.glob(f"*/{placed[0]}.1/photos/*"))))
            async with services.database.write() as tx:
                await tx.drop_photo(someone.id, "photos/2")
            await services.blob_store.delete(someone.id, ["photos/2"])
            hold.let_go()
            words = [await front.words(job_id) for job_id in placed]
        assert words == [["done"], ["failed"], ["done"], ["done"]]
        async with services.database.read() as tx:
            sets = [photo.facts["set"] for photo in await tx.photos(someone.id)]
        assert sets == [["photos/1"], ["photos/1", "photos/3"], ["photos/1", "photos/3", "photos/4"]]


async def test_a_photo_whose_process_is_killed_is_looked_at_again_by_itself(services: Services, hold: Hold) -> None:
    someone = await person(services, photos=0)
    await send_photo(services, someone.id, "photos/1", b"held")
    async with working(services) as front:
        job_id = await place(services, someone.id, Look("photos/1"))
        await until(lambda: bool(list(services.settings.work_folder.glob(f"*/{job_id}.1/photos/*"))))
        await asyncio.sleep(0.3)
        (child,) = children_of(os.getpid(), b"jobs.worker.child\0look")
        os.kill(child, signal.SIGKILL)
        hold.let_go()
        assert await front.words(job_id) == ["done"]
        assert await column(services, "attempt") == 2
    async with services.database.read() as tx:
        assert (await tx.photos(someone.id))[0].facts["kept"]
