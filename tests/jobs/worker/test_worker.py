"""Orders through a real worker: drawn, filed and told; cancelled, too slow, doomed, or short of something."""

import asyncio
import hashlib
import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from live_services import (
    QUICK,
    make_settings,
    person,
    ready_sqlite,
    send_photo,
    services,
    shoot,
    state_of,
    until,
    working,
)

from jobs.kinds.base import Job
from jobs.kinds.enhance import Enhance
from jobs.kinds.look import Look
from jobs.privacy.forget import forget
from jobs.queue import job_store
from jobs.queue.events import Done, Failed, Step
from jobs.services import Services, open_services
from jobs.storage import schema as t
from jobs.storage.blobs import BlobStore
from jobs.worker.child import Child

__all__ = ["ready_sqlite", "services"]


@pytest.fixture(autouse=True)
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the quick studio writes down every portrait that it really drew."""
    monkeypatch.setenv("QUICK_LOG", str(tmp_path / "drawn"))
    return tmp_path / "drawn"


def times_drawn(log: Path) -> Counter[str]:
    return Counter(log.read_text().splitlines())


async def place(services: Services, account: int, job: Job, ref: str = "") -> int:
    accepted = await services.job_queue.place(account, job, ref or f"r{time.monotonic_ns()}", "telegram")
    return accepted.job_id  # type: ignore[union-attr]


async def ends(services: Services, job_id: int, state: str = "done") -> None:
    async def over() -> bool:
        return await state_of(services, job_id) == state

    await until(over)


async def stands_at(services: Services, job_id: int, step: int) -> None:
    async def there() -> bool:
        status = await services.job_queue.status(1, job_id)
        return status is not None and isinstance(status.payload, Step) and status.payload.step >= step

    await until(there)


def children_of(pid: int, called: bytes = b"") -> list[int]:
    children = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in children if called in Path(f"/proc/{child}/cmdline").read_bytes()]


async def column(services: Services, name: str) -> Any:
    async with services.database.read() as tx:
        return (await tx.c.exec_driver_sql(f"SELECT {name} FROM jobs ORDER BY id")).scalar_one()


async def galleries(services: Services, account: int, job_id: int) -> list[str]:
    async with services.database.read() as tx:
        return [p.file for p in await tx.portraits(account, job_id)]


async def test_a_job_is_drawn_filed_and_told(services: Services) -> None:
    someone = await person(services, photos=2)
    async with working(services) as front:
        look = await place(services, someone.id, Look("photos/1"))
        job_id = await place(services, someone.id, shoot(count=2, photos=("photos/0", "photos/1")))
        assert await front.words(look) == ["done"]
        assert await front.words(job_id) == ["done"]
        assert await services.job_queue.cancel(someone.id, job_id) == "too_late"
        async with services.database.read() as tx:
            assert (await tx.photos(someone.id))[1].facts["missing"] == ["left"]
            first, second = await tx.portraits(someone.id, job_id)
        assert await services.blob_store.get(someone.id, first.file) == b"founder-00 of 2 photos"
        edit = await place(services, someone.id, Enhance(second.id, ("light=soft", "retouch=2")))
        await ends(services, edit)
        again = await place(services, someone.id, Enhance(3, ("light=hard",)))
        await ends(services, again)
        async with services.database.read() as tx:
            (made,) = await tx.portraits(someone.id, again)
        assert made.parent == 3
        assert (
            await services.blob_store.get(someone.id, made.file)
            == b"founder-01 of 2 photos light=soft retouch=2 light=hard"
        )
    assert not list((services.settings.data / "work").glob("*/*"))


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
        (child,) = children_of(os.getpid(), b"look")
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
    tmp_path: Path,
) -> None:
    async with open_services(make_settings(tmp_path, look_slots=2)) as services:
        someone = await person(services, photos=0)
        for n in range(1, 5):
            await send_photo(services, someone.id, f"photos/{n}", b"slow" if n == 1 else f"good {n}".encode())
        async with working(services) as front:
            placed = [await place(services, someone.id, Look(f"photos/{n}")) for n in range(1, 5)]
            await until(lambda: bool(list(services.settings.work_folder.glob(f"*/{placed[0]}.1/photos/*"))))
            async with services.database.write() as tx:
                await tx.drop_photo(someone.id, "photos/2")
            await services.blob_store.delete(someone.id, ["photos/2"])
            words = [await front.words(job_id) for job_id in placed]
        assert words == [["done"], ["failed"], ["done"], ["done"]]
        async with services.database.read() as tx:
            sets = [photo.facts["set"] for photo in await tx.photos(someone.id)]
        assert sets == [["photos/1"], ["photos/1", "photos/3"], ["photos/1", "photos/3", "photos/4"]]


async def test_a_photo_whose_process_is_killed_is_looked_at_again_by_itself(services: Services) -> None:
    someone = await person(services, photos=0)
    await send_photo(services, someone.id, "photos/1", b"slow")
    async with working(services) as front:
        job_id = await place(services, someone.id, Look("photos/1"))
        await until(lambda: bool(list(services.settings.work_folder.glob(f"*/{job_id}.1/photos/*"))))
        await asyncio.sleep(0.3)
        (child,) = children_of(os.getpid(), b"look")
        os.kill(child, signal.SIGKILL)
        assert await front.words(job_id) == ["done"]
        assert await column(services, "attempt") == 2
    async with services.database.read() as tx:
        assert (await tx.photos(someone.id))[0].facts["kept"]


@pytest.mark.parametrize(
    ("reason", "ours"), [("crashed", True), ("timeout", True), ("fault", True), ("no_face", False)]
)
def test_an_event_says_whether_the_failure_is_ours(reason: str, ours: bool) -> None:
    assert Failed(reason).our_fault is ours


@pytest.mark.parametrize("manner", ["slow", "stuck"])
async def test_cancelling_a_running_job_ends_its_work_whether_it_listens_or_not(
    services: Services, manner: str
) -> None:
    someone = await person(services)
    async with working(services) as front:
        job_id = await place(services, someone.id, shoot(manner, count=8))
        await stands_at(services, job_id, 0)
        assert await services.job_queue.cancel(someone.id, job_id) == "stopping"
        assert await services.job_queue.cancel(someone.id, job_id) == "stopping"
        await ends(services, job_id, "cancelled")
        assert await services.job_queue.cancel(someone.id, job_id) == "cancelled"
        assert await front.words(job_id) == ["cancelled"]
        await ends(services, await place(services, someone.id, shoot()))  # and the slot is free again
        async with services.database.read() as tx:
            token = (await tx.account_of(someone.id)).token
        assert not list((services.settings.work_folder / token).glob("*"))


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
    services: Services, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.worker.worker.BEATS_A_LEASE", 1000)  # the next beat is always under way
    someone = await person(services)
    async with working(services):
        job_id = await place(services, someone.id, shoot("slow", count=4))
        await stands_at(services, job_id, 2)
        for child in children_of(os.getpid(), b"jobs.worker.child\0studio"):
            os.kill(child, signal.SIGKILL)
        await ends(services, job_id)
    attempts = {f"founder-{n:02d}": 1 if n < 2 else 2 for n in range(4)}
    assert times_drawn(drawn) == {f"{job_id}.{attempt} {name}": 1 for name, attempt in attempts.items()}


async def test_a_job_that_was_taken_from_a_living_worker_goes_on_from_its_files(
    services: Services, drawn: Path
) -> None:
    """As a reaper does it when a machine is so busy that a heart misses its lease."""
    someone = await person(services)
    async with working(services):
        job_id = await place(services, someone.id, shoot("slow", count=4))
        await stands_at(services, job_id, 2)
        async with services.database.write() as tx:
            assert await job_store.take_back(tx, job_id, 1, 9) == "queued"
        await ends(services, job_id)
    again = Counter(name.partition(" ")[2] for name in times_drawn(drawn).elements())
    assert again == {f"founder-{n:02d}": 1 for n in range(4)}
    assert not list(services.settings.work_folder.glob("*/*"))


async def test_a_sitting_without_a_good_portrait_tells_the_counts_and_keeps_no_files(services: Services) -> None:
    someone = await person(services, photos=1)
    before = {f for f in (services.settings.data / "shelf").rglob("*") if f.is_file()}
    async with working(services) as front:
        job_id = await place(services, someone.id, shoot("none", count=3))
        assert await front.words(job_id) == ["done"]
    (job_event,) = front.told
    assert isinstance(job_event.payload, Done)
    assert (job_event.payload.portraits, job_event.payload.facts["dropped"]) == ((), {"likeness": 3})
    assert {f for f in (services.settings.data / "shelf").rglob("*") if f.is_file()} == before


async def test_a_studio_without_its_weights_says_so_of_each_job_and_no_process_dies_of_it(services: Services) -> None:
    someone = await person(services)
    async with working(services, "fakes.quick_studio:UnreadyStudio") as front:
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


async def test_a_job_s_time_begins_when_its_process_has_loaded(tmp_path: Path) -> None:
    async with (
        open_services(make_settings(tmp_path, look_timeout_s=3.0)) as services,
        working(services, "fakes.quick_studio:SlowToLoad"),
    ):
        someone = await person(services)
        await ends(services, await place(services, someone.id, Look("photos/0")))


async def test_the_studio_s_process_gives_way_to_what_people_wait_for_and_a_look_s_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    threads = str(max(1, (os.cpu_count() or 2) - 1))
    for queue, nice in (("look", 0), ("studio", 10)):
        child = Child(queue, QUICK, "embedded")
        await child.ready()
        assert child._process is not None
        proc = Path(f"/proc/{child._process.pid}")
        assert int((proc / "stat").read_text().rpartition(")")[2].split()[16]) == os.nice(0) + nice
        told = (proc / "environ").read_bytes().split(b"\0")
        assert {f"OMP_NUM_THREADS={threads}".encode(), b"OMP_WAIT_POLICY=passive"} <= set(told)
        if (proc / "autogroup").exists():  # then the kernel weighs sessions against each other, and nice inside them
            assert (proc / "autogroup").read_text().split()[2:] == [str(nice)]
        await child.kill()


async def test_a_studio_that_finds_the_disk_full_delays_a_job_and_does_not_lose_it(services: Services) -> None:
    someone = await person(services)
    async with working(services):
        await ends(services, await place(services, someone.id, shoot("full")))
        assert await column(services, "attempt") == 2


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of 128 KiB, or of the size it is asked for."""
    disk = tmp_path / "disk"
    disk.mkdir()
    size = getattr(request, "param", "128k")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("only root may mount a small disk to fill up")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize("full", ["work", "shelf"])
async def test_a_full_disk_delays_a_job_and_does_not_lose_it(tmp_path: Path, small_disk: Path, full: str) -> None:
    where: dict[str, Any] = {"work": small_disk} if full == "work" else {"shelf_url": f"file://{small_disk}"}
    async with open_services(make_settings(tmp_path, **where)) as services, working(services) as front:
        someone = await person(services)
        (small_disk / "rubbish").write_bytes(b"x" * (120 * 1024))
        job_id = await place(services, someone.id, shoot(count=8))

        async def put_back() -> bool:
            return bool(await column(services, "attempt") == 2)

        await until(put_back)
        (small_disk / "rubbish").unlink()
        await ends(services, job_id)
        assert await front.words(job_id) == ["done"]
        assert len(await galleries(services, someone.id, job_id)) == 8


@pytest.mark.parametrize("small_disk", ["8m"], indirect=True)
async def test_a_full_disk_under_database_queue_shelf_and_work_at_once_delays_a_job_and_does_not_lose_it(
    small_disk: Path,
) -> None:
    async with open_services(make_settings(small_disk)) as services, working(services) as front:
        someone = await person(services)
        job_id = await place(services, someone.id, shoot("slow", count=8))
        await stands_at(services, job_id, 1)
        with suppress(OSError), (small_disk / "rubbish").open("wb", buffering=0) as rubbish:
            while rubbish.write(b"x" * 4096):
                pass
        await asyncio.sleep(1.5 * services.settings.lease_s)  # whoever cannot write his heartbeat has lost it by now
        (small_disk / "rubbish").unlink()
        await ends(services, job_id)
        assert await front.words(job_id) == ["done"]
        assert len(set(await galleries(services, someone.id, job_id))) == 8
        async with services.database.read() as tx:
            assert len(await tx.sittings(someone.id)) == 1
            assert (await tx.c.exec_driver_sql("PRAGMA integrity_check")).scalar_one() == "ok"


async def test_a_store_that_is_away_for_a_while_delays_a_job_and_does_not_lose_it(tmp_path: Path) -> None:
    blob_store = tmp_path / "elsewhere"
    async with open_services(make_settings(tmp_path, shelf_url=f"file://{blob_store}")) as services, working(services):
        someone = await person(services)
        blob_store.rename(tmp_path / "unplugged")
        blob_store.write_text("not a folder")
        job_id = await place(services, someone.id, shoot())

        async def put_back() -> bool:
            return bool(await column(services, "attempt") == 2)

        await until(put_back)
        blob_store.unlink()
        (tmp_path / "unplugged").rename(blob_store)
        await ends(services, job_id)


async def test_a_photo_whose_file_is_damaged_fails_its_job_at_once_and_says_so(services: Services) -> None:
    someone = await person(services)
    (file,) = [f for f in (services.settings.data / "shelf").rglob("*") if f.is_file()]
    file.write_bytes(file.read_bytes()[:-1])
    async with working(services) as front:
        job_id = await place(services, someone.id, shoot())
        assert await front.words(job_id) == ["failed"]
    assert isinstance(front.told[0].payload, Failed)
    assert front.told[0].payload.reason == "photo_gone"
    assert await column(services, "attempt") == 1


async def test_an_edit_of_a_portrait_that_is_gone_fails_and_says_so(services: Services) -> None:
    someone = await person(services)
    async with working(services) as front:
        job_id = await place(services, someone.id, Enhance(99, ("light=soft",)))
        assert await front.words(job_id) == ["failed"]
        assert isinstance(front.told[0].payload, Failed)
        assert front.told[0].payload.reason == "photo_gone"


async def test_a_database_that_is_locked_for_longer_than_its_patience_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.storage.database.BUSY_MS", 300)
    monkeypatch.setattr("jobs.queue.arq_queue.LOST_S", 0.5)
    async with open_services(make_settings(tmp_path)) as services, working(services) as front:
        someone = await person(services)
        job_id = await place(services, someone.id, shoot("slow", count=4))
        await stands_at(services, job_id, 1)
        await asyncio.to_thread(_lock, services.settings.data / "ledger.db", 3.0)
        await ends(services, job_id)
        assert await front.words(job_id) == ["done"]
        assert len(await galleries(services, someone.id, job_id)) == 4


def _lock(file: Path, seconds: float) -> None:
    """Hold SQLite's write lock, as a backup tool gone wrong would."""
    c = sqlite3.connect(file, isolation_level=None, timeout=10)
    c.execute("BEGIN IMMEDIATE")
    time.sleep(seconds)
    c.execute("ROLLBACK")
    c.close()


async def test_a_job_that_was_sent_and_never_noted_as_sent_is_done_once(services: Services, drawn: Path) -> None:
    someone = await person(services)
    async with working(services) as front:
        job_id = await place(services, someone.id, shoot())
        await ends(services, job_id)
        async with services.database.write() as tx:  # as after a relay killed between the queue and its note
            await tx.c.exec_driver_sql(
                "INSERT INTO outbox (account_id, job_id, queue, arq_id, priority, type, body, created_at)"
                f" VALUES ({someone.id}, {job_id}, 'studio', 'shoot:{job_id}:1', 1, 'work',"
                f' \'{{"job_id": {job_id}, "attempt": 1}}\', 0)'
            )
        await services.job_queue.send()
        await ends(services, await place(services, someone.id, shoot()))
        assert await front.words(job_id) == ["done"]
    assert set(times_drawn(drawn).values()) == {1}


async def test_thousand_years_of_clock_jump_do_not_steal_a_job(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    someone = await person(services)
    async with working(services):
        job_id = await place(services, someone.id, shoot("slow", count=8))
        await stands_at(services, job_id, 1)
        monkeypatch.setattr(time, "time", lambda: 32_503_680_000.0)  # every clock in this process: the year 3000
        await ends(services, job_id)
        assert await column(services, "attempt") == 1


async def test_what_was_learnt_of_a_set_of_photos_is_sealed_and_there_for_the_next_sitting(
    services: Services, drawn: Path
) -> None:
    someone = await person(services, photos=2)
    async with working(services):
        for photos, style in (((0, 1), "founder"), ((1, 0), "editorial")):
            names = tuple(f"photos/{n}" for n in photos)
            await ends(services, await place(services, someone.id, shoot(styles=(style,), train=True, photos=names)))
        assert sorted(name for name in times_drawn(drawn) if "trained" in name) == [
            f"1.1 trained-{n}" for n in range(6)
        ]
        await ends(services, await place(services, someone.id, shoot(train=True, photos=("photos/0",))))
        assert times_drawn(drawn)["3.1 trained-5"] == 1, "another set of photos is learnt anew"
    async with services.database.read() as tx:
        folders = [row["folder"] for row in await tx.rows_of(t.identities, someone.id)]
        sittings = [sitting.folder for sitting in await tx.sittings(someone.id)]
    assert len(folders) == 2
    kept = {filed.name: data async for filed, data in services.blob_store.files_in(someone.id, folders[0])}
    assert kept == {f"{folders[0]}/lora/adapter_model.safetensors": b"six steps", f"{folders[0]}/training.json": b"{}"}
    assert not any(b"six steps" in f.read_bytes() for f in (services.settings.data / "shelf").rglob("*") if f.is_file())
    for folder in sittings:
        there = {filed.name async for filed, _ in services.blob_store.files_in(someone.id, folder)}
        beside = {name.removeprefix(f"{folder}/identity/") for name in there if "/identity/" in name}
        assert beside == {"reference_embeddings.npz"}, "it is kept once, in its own place"


async def test_a_worker_that_is_told_to_stop_gives_its_job_back_without_a_strike(services: Services) -> None:
    someone = await person(services)
    async with working(services):
        job_id = await place(services, someone.id, shoot("slow", count=4))
        await stands_at(services, job_id, 1)
    assert await state_of(services, job_id) == "queued"
    assert (await column(services, "attempt"), await column(services, "strikes")) == (2, 0)
    async with services.database.read() as tx:
        assert (await tx.c.exec_driver_sql("SELECT count(*) FROM workers")).scalar_one() == 0
    async with working(services) as front:
        assert await front.words(job_id) == ["done"]
