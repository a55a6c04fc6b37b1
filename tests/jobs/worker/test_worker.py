"""Orders through a real worker: drawn, filed and told; cancelled, too slow, doomed, or short of something."""

import asyncio
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
from houses import QUICK, a_house, house, person, ready_sqlite, send_photo, shoot, state_of, until, working

from jobs.kinds import orders
from jobs.queue.events import Done, Failed, Step
from jobs.services import House, opened
from jobs.storage import job_store
from jobs.storage import schema as t
from jobs.worker.child import Child

__all__ = ["house", "ready_sqlite"]


@pytest.fixture(autouse=True)
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the quick studio writes down every portrait that it really drew."""
    monkeypatch.setenv("QUICK_LOG", str(tmp_path / "drawn"))
    return tmp_path / "drawn"


def times_drawn(log: Path) -> Counter[str]:
    return Counter(log.read_text().splitlines())


async def place(house: House, account: int, order: orders.Order, ref: str = "") -> int:
    ticket = await house.desk.place(account, order, ref or f"r{time.monotonic_ns()}", "telegram")
    return ticket.order  # type: ignore[union-attr]


async def ends(house: House, order: int, state: str = "done") -> None:
    async def over() -> bool:
        return await state_of(house, order) == state

    await until(over)


async def stands_at(house: House, order: int, step: int) -> None:
    async def there() -> bool:
        standing = await house.desk.where(1, order)
        return standing is not None and isinstance(standing.news, Step) and standing.news.step >= step

    await until(there)


def children_of(pid: int, called: bytes = b"") -> list[int]:
    children = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in children if called in Path(f"/proc/{child}/cmdline").read_bytes()]


async def column(house: House, name: str) -> Any:
    async with house.ledger.read() as page:
        return (await page.c.exec_driver_sql(f"SELECT {name} FROM orders ORDER BY id")).scalar_one()


async def galleries(house: House, account: int, order: int) -> list[str]:
    async with house.ledger.read() as page:
        return [p.file for p in await page.portraits(account, order)]


async def test_an_order_is_drawn_filed_and_told(house: House) -> None:
    someone = await person(house, photos=2)
    async with working(house) as front:
        look = await place(house, someone.id, orders.Look("photos/1"))
        order = await place(house, someone.id, shoot(count=2, photos=("photos/0", "photos/1")))
        assert await front.words(look) == ["done"]
        assert await front.words(order) == ["done"]
        assert await house.desk.cancel(someone.id, order) == "too_late"
        async with house.ledger.read() as page:
            assert (await page.photos(someone.id))[1].facts["missing"] == ["left"]
            first, second = await page.portraits(someone.id, order)
        assert await house.shelf.get(someone.id, first.file) == b"founder-00 of 2 photos"
        edit = await place(house, someone.id, orders.Enhance(second.id, ("light=soft", "retouch=2")))
        await ends(house, edit)
        again = await place(house, someone.id, orders.Enhance(3, ("light=hard",)))
        await ends(house, again)
        async with house.ledger.read() as page:
            (made,) = await page.portraits(someone.id, again)
        assert made.parent == 3
        assert await house.shelf.get(someone.id, made.file) == b"founder-01 of 2 photos light=soft retouch=2 light=hard"
    assert not list((house.settings.data / "work").glob("*/*"))


async def test_a_photo_is_judged_among_those_that_were_kept_before(house: House) -> None:
    someone = await person(house, photos=0)
    async with working(house):
        for name, data in (("photos/1", b"good"), ("photos/2", b"bad"), ("photos/3", b"good")):
            await send_photo(house, someone.id, name, data)
            await ends(house, await place(house, someone.id, orders.Look(name)))
    async with house.ledger.read() as page:
        facts = {photo.name: photo.facts for photo in await page.photos(someone.id)}
    assert facts["photos/2"]["reason"] == "no_face"
    assert facts["photos/3"]["set"] == ["photos/1", "photos/3"]


@pytest.mark.parametrize("manner", ["slow", "stuck"])
async def test_cancelling_a_running_order_ends_its_work_whether_it_listens_or_not(house: House, manner: str) -> None:
    someone = await person(house)
    async with working(house) as front:
        order = await place(house, someone.id, shoot(manner, count=8))
        await stands_at(house, order, 0)
        assert await house.desk.cancel(someone.id, order) == "stopping"
        assert await house.desk.cancel(someone.id, order) == "stopping"
        await ends(house, order, "cancelled")
        assert await house.desk.cancel(someone.id, order) == "cancelled"
        assert await front.words(order) == ["cancelled"]
        await ends(house, await place(house, someone.id, shoot()))  # and the slot is free again
        async with house.ledger.read() as page:
            token = (await page.account_of(someone.id)).token
        assert not list((house.settings.work_folder / token).glob("*"))


async def test_a_child_that_dies_once_costs_nothing_and_an_order_that_kills_every_one_is_given_up(house: House) -> None:
    someone = await person(house)
    async with working(house) as front:
        order = await place(house, someone.id, shoot("dies"))
        healthy = await place(house, someone.id, shoot("fast"))
        await ends(house, order, "failed")
        await ends(house, healthy)
        assert await front.words(order) == ["failed"]
    (news,) = [notice.news for notice in front.told if notice.order == order]
    assert isinstance(news, Failed)
    assert news.reason == "crashed"


async def test_a_dead_child_s_order_goes_on_from_its_files_however_fast_its_worker_s_heart_beats(
    house: House, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.worker.worker.BEATS_A_LEASE", 1000)  # the next beat is always under way
    someone = await person(house)
    async with working(house):
        order = await place(house, someone.id, shoot("slow", count=4))
        await stands_at(house, order, 2)
        for child in children_of(os.getpid(), b"jobs.worker.child\0studio"):
            os.kill(child, signal.SIGKILL)
        await ends(house, order)
    attempts = {f"founder-{n:02d}": 1 if n < 2 else 2 for n in range(4)}
    assert times_drawn(drawn) == {f"{order}.{attempt} {name}": 1 for name, attempt in attempts.items()}


async def test_an_order_that_was_taken_from_a_living_worker_goes_on_from_its_files(house: House, drawn: Path) -> None:
    """As a reaper does it when a machine is so busy that a heart misses its lease."""
    someone = await person(house)
    async with working(house):
        order = await place(house, someone.id, shoot("slow", count=4))
        await stands_at(house, order, 2)
        async with house.ledger.write() as page:
            assert await job_store.take_back(page, order, 1, 9) == "queued"
        await ends(house, order)
    again = Counter(name.partition(" ")[2] for name in times_drawn(drawn).elements())
    assert again == {f"founder-{n:02d}": 1 for n in range(4)}
    assert not list(house.settings.work_folder.glob("*/*"))


async def test_a_sitting_without_a_good_portrait_tells_the_counts_and_keeps_no_files(house: House) -> None:
    someone = await person(house, photos=1)
    before = {f for f in (house.settings.data / "shelf").rglob("*") if f.is_file()}
    async with working(house) as front:
        order = await place(house, someone.id, shoot("none", count=3))
        assert await front.words(order) == ["done"]
    (notice,) = front.told
    assert isinstance(notice.news, Done)
    assert (notice.news.portraits, notice.news.facts["dropped"]) == ((), {"likeness": 3})
    assert {f for f in (house.settings.data / "shelf").rglob("*") if f.is_file()} == before


async def test_a_studio_without_its_weights_says_so_of_each_order_and_no_process_dies_of_it(house: House) -> None:
    someone = await person(house)
    async with working(house, "fakes.quick_studio:UnreadyStudio") as front:
        order = await place(house, someone.id, shoot())
        assert await front.words(order) == ["failed"]
    assert front.told[0].news == Failed("setup", "no weights; run: atelier weights pull")


async def test_an_order_that_takes_too_long_is_ended_and_not_tried_again(tmp_path: Path) -> None:
    async with opened(a_house(tmp_path, studio_timeout_minutes=0.02)) as house, working(house) as front:
        someone = await person(house)
        order = await place(house, someone.id, shoot("stuck"))
        assert await front.words(order) == ["failed"]
        assert front.told[0].news == Failed("timeout", "not done after 1 s, which is the limit")


@pytest.mark.parametrize(("manner", "reason"), [("refused", "no_majority"), ("broken", "fault")])
async def test_what_cannot_succeed_is_not_tried_again(house: House, manner: str, reason: str) -> None:
    someone = await person(house)
    async with working(house) as front:
        order = await place(house, someone.id, shoot(manner))
        assert await front.words(order) == ["failed"]
        assert isinstance(front.told[0].news, Failed)
        assert front.told[0].news.reason == reason
        assert await column(house, "attempt") == 1
        await ends(house, await place(house, someone.id, shoot()))  # by a new process where the old one may be broken


async def test_an_order_s_time_begins_when_its_process_has_loaded(tmp_path: Path) -> None:
    async with opened(a_house(tmp_path, look_timeout_s=3.0)) as house, working(house, "fakes.quick_studio:SlowToLoad"):
        someone = await person(house)
        await ends(house, await place(house, someone.id, orders.Look("photos/0")))


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


async def test_a_studio_that_finds_the_disk_full_delays_an_order_and_does_not_lose_it(house: House) -> None:
    someone = await person(house)
    async with working(house):
        await ends(house, await place(house, someone.id, shoot("full")))
        assert await column(house, "attempt") == 2


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
async def test_a_full_disk_delays_an_order_and_does_not_lose_it(tmp_path: Path, small_disk: Path, full: str) -> None:
    where: dict[str, Any] = {"work": small_disk} if full == "work" else {"shelf_url": f"file://{small_disk}"}
    async with opened(a_house(tmp_path, **where)) as house, working(house) as front:
        someone = await person(house)
        (small_disk / "rubbish").write_bytes(b"x" * (120 * 1024))
        order = await place(house, someone.id, shoot(count=8))

        async def put_back() -> bool:
            return bool(await column(house, "attempt") == 2)

        await until(put_back)
        (small_disk / "rubbish").unlink()
        await ends(house, order)
        assert await front.words(order) == ["done"]
        assert len(await galleries(house, someone.id, order)) == 8


@pytest.mark.parametrize("small_disk", ["8m"], indirect=True)
async def test_a_full_disk_under_ledger_queue_shelf_and_work_at_once_delays_an_order_and_does_not_lose_it(
    small_disk: Path,
) -> None:
    async with opened(a_house(small_disk)) as house, working(house) as front:
        someone = await person(house)
        order = await place(house, someone.id, shoot("slow", count=8))
        await stands_at(house, order, 1)
        with suppress(OSError), (small_disk / "rubbish").open("wb", buffering=0) as rubbish:
            while rubbish.write(b"x" * 4096):
                pass
        await asyncio.sleep(1.5 * house.settings.lease_s)  # whoever cannot write his heartbeat has lost it by now
        (small_disk / "rubbish").unlink()
        await ends(house, order)
        assert await front.words(order) == ["done"]
        assert len(set(await galleries(house, someone.id, order))) == 8
        async with house.ledger.read() as page:
            assert len(await page.sittings(someone.id)) == 1
            assert (await page.c.exec_driver_sql("PRAGMA integrity_check")).scalar_one() == "ok"


async def test_a_store_that_is_away_for_a_while_delays_an_order_and_does_not_lose_it(tmp_path: Path) -> None:
    shelf = tmp_path / "elsewhere"
    async with opened(a_house(tmp_path, shelf_url=f"file://{shelf}")) as house, working(house):
        someone = await person(house)
        shelf.rename(tmp_path / "unplugged")
        shelf.write_text("not a folder")
        order = await place(house, someone.id, shoot())

        async def put_back() -> bool:
            return bool(await column(house, "attempt") == 2)

        await until(put_back)
        shelf.unlink()
        (tmp_path / "unplugged").rename(shelf)
        await ends(house, order)


async def test_a_photo_whose_file_is_damaged_fails_its_order_at_once_and_says_so(house: House) -> None:
    someone = await person(house)
    (file,) = [f for f in (house.settings.data / "shelf").rglob("*") if f.is_file()]
    file.write_bytes(file.read_bytes()[:-1])
    async with working(house) as front:
        order = await place(house, someone.id, shoot())
        assert await front.words(order) == ["failed"]
    assert isinstance(front.told[0].news, Failed)
    assert front.told[0].news.reason == "photo_gone"
    assert await column(house, "attempt") == 1


async def test_an_edit_of_a_portrait_that_is_gone_fails_and_says_so(house: House) -> None:
    someone = await person(house)
    async with working(house) as front:
        order = await place(house, someone.id, orders.Enhance(99, ("light=soft",)))
        assert await front.words(order) == ["failed"]
        assert isinstance(front.told[0].news, Failed)
        assert front.told[0].news.reason == "photo_gone"


async def test_a_ledger_that_is_locked_for_longer_than_its_patience_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.storage.database.BUSY_MS", 300)
    monkeypatch.setattr("jobs.queue.arq_queue.REPAIR_S", 0.5)
    async with opened(a_house(tmp_path)) as house, working(house) as front:
        someone = await person(house)
        order = await place(house, someone.id, shoot("slow", count=4))
        await stands_at(house, order, 1)
        await asyncio.to_thread(_lock, house.settings.data / "ledger.db", 3.0)
        await ends(house, order)
        assert await front.words(order) == ["done"]
        assert len(await galleries(house, someone.id, order)) == 4


def _lock(file: Path, seconds: float) -> None:
    """Hold SQLite's write lock, as a backup tool gone wrong would."""
    c = sqlite3.connect(file, isolation_level=None, timeout=10)
    c.execute("BEGIN IMMEDIATE")
    time.sleep(seconds)
    c.execute("ROLLBACK")
    c.close()


async def test_an_order_that_was_sent_and_never_noted_as_sent_is_done_once(house: House, drawn: Path) -> None:
    someone = await person(house)
    async with working(house) as front:
        order = await place(house, someone.id, shoot())
        await ends(house, order)
        async with house.ledger.write() as page:  # as after a relay killed between the queue and its note
            await page.c.exec_driver_sql(
                "INSERT INTO outbox (account_id, order_id, queue, job, turn, word, body, created_at)"
                f" VALUES ({someone.id}, {order}, 'studio', 'shoot:{order}:1', 1, 'work',"
                f' \'{{"order": {order}, "attempt": 1}}\', 0)'
            )
        await house.desk.send()
        await ends(house, await place(house, someone.id, shoot()))
        assert await front.words(order) == ["done"]
    assert set(times_drawn(drawn).values()) == {1}


async def test_thousand_years_of_clock_jump_do_not_steal_an_order(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    someone = await person(house)
    async with working(house):
        order = await place(house, someone.id, shoot("slow", count=8))
        await stands_at(house, order, 1)
        monkeypatch.setattr(time, "time", lambda: 32_503_680_000.0)  # every clock in this process: the year 3000
        await ends(house, order)
        assert await column(house, "attempt") == 1


async def test_what_was_learnt_of_a_set_of_photos_is_sealed_and_there_for_the_next_sitting(
    house: House, drawn: Path
) -> None:
    someone = await person(house, photos=2)
    async with working(house):
        for photos, style in (((0, 1), "founder"), ((1, 0), "editorial")):
            names = tuple(f"photos/{n}" for n in photos)
            await ends(house, await place(house, someone.id, shoot(styles=(style,), train=True, photos=names)))
        assert sorted(name for name in times_drawn(drawn) if "trained" in name) == [
            f"1.1 trained-{n}" for n in range(6)
        ]
        await ends(house, await place(house, someone.id, shoot(train=True, photos=("photos/0",))))
        assert times_drawn(drawn)["3.1 trained-5"] == 1, "another set of photos is learnt anew"
    async with house.ledger.read() as page:
        folders = [row["folder"] for row in await page.rows_of(t.identities, someone.id)]
        sittings = [sitting.folder for sitting in await page.sittings(someone.id)]
    assert len(folders) == 2
    kept = {filed.name: data async for filed, data in house.shelf.files_in(someone.id, folders[0])}
    assert kept == {f"{folders[0]}/lora/adapter_model.safetensors": b"six steps", f"{folders[0]}/training.json": b"{}"}
    assert not any(b"six steps" in f.read_bytes() for f in (house.settings.data / "shelf").rglob("*") if f.is_file())
    for folder in sittings:
        there = {filed.name async for filed, _ in house.shelf.files_in(someone.id, folder)}
        beside = {name.removeprefix(f"{folder}/identity/") for name in there if "/identity/" in name}
        assert beside == {"witnesses.npz"}, "it is kept once, in its own place"


async def test_a_worker_that_is_told_to_stop_gives_its_order_back_without_a_strike(house: House) -> None:
    someone = await person(house)
    async with working(house):
        order = await place(house, someone.id, shoot("slow", count=4))
        await stands_at(house, order, 1)
    assert await state_of(house, order) == "queued"
    assert (await column(house, "attempt"), await column(house, "strikes")) == (2, 0)
    async with house.ledger.read() as page:
        assert (await page.c.exec_driver_sql("SELECT count(*) FROM workers")).scalar_one() == 0
    async with working(house) as front:
        assert await front.words(order) == ["done"]
