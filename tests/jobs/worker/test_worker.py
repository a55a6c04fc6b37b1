"""Jobs through a real worker: drawn, filed and told; cancelled, too slow, doomed, or short of something."""

import os
import time
from pathlib import Path

import pytest

from jobs.kinds.enhance import Enhance
from jobs.kinds.look import Look
from jobs.queue.events import Done
from jobs.services import Services, open_services
from jobs.storage import schema as t
from jobs.worker.child import Child
from tests.fakes.hold import Hold
from tests.live_services import (
    QUICK,
    column,
    ends,
    make_settings,
    person,
    place,
    shoot,
    stands_at,
    state_of,
    times_drawn,
    until,
    working,
)


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


async def test_a_job_s_time_begins_when_its_process_has_loaded(tmp_path: Path) -> None:
    async with (
        open_services(make_settings(tmp_path, look_timeout_s=6.0)) as services,
        working(services, "tests.fakes.quick_studio:SlowToLoad"),
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
        limits = {f"OMP_NUM_THREADS={threads}".encode(), b"OMP_WAIT_POLICY=passive", b"OPENBLAS_NUM_THREADS=1"}
        assert limits <= set(told)
        if (proc / "autogroup").exists():  # then the kernel weighs sessions against each other, and nice inside them
            assert (proc / "autogroup").read_text().split()[2:] == [str(nice)]
        await child.kill()


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
    services: Services, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    someone = await person(services)
    async with working(services):
        job_id = await place(services, someone.id, shoot("held", count=4))
        await stands_at(services, job_id, 1)
        monkeypatch.setattr(time, "time", lambda: 32_503_680_000.0)  # every clock in this process: the year 3000
        before = await column(services, "beat")

        async def beats() -> bool:
            return bool(await column(services, "beat") > before + 1)

        await until(beats)
        hold.let_go()
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


async def test_a_worker_that_is_told_to_stop_gives_its_job_back_without_a_strike(
    services: Services, hold: Hold
) -> None:
    someone = await person(services)
    async with working(services):
        job_id = await place(services, someone.id, shoot("held", count=4))
        await stands_at(services, job_id, 1)
    assert await state_of(services, job_id) == "queued"
    assert (await column(services, "attempt"), await column(services, "strikes")) == (2, 0)
    async with services.database.read() as tx:
        assert (await tx.c.exec_driver_sql("SELECT count(*) FROM workers")).scalar_one() == 0
    hold.let_go()
    async with working(services) as front:
        assert await front.words(job_id) == ["done"]
