"""Forgetting and expiring: nothing of a person is left anywhere, and a receipt says so."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from houses import a_house, database, house, person, postgres, ready_sqlite, running, shoot, state_of, until, working
from sqlalchemy import select, update

from jobs.kinds import orders
from jobs.privacy import pending_receipt, retention
from jobs.privacy.export import export
from jobs.privacy.forget import Receipt, find, forget, unfinished
from jobs.queue import events
from jobs.queue.arq_queue import ArqDesk
from jobs.services import House, opened
from jobs.storage import job_store
from jobs.storage import schema as t
from jobs.storage.accounts import DAY_S, Gone

__all__ = ["database", "house", "postgres", "ready_sqlite"]

SECRET = b"a face that must not be found again"


@pytest.fixture
async def either(tmp_path: Path, database: str | None) -> AsyncIterator[House]:
    """A house on SQLite, and one on PostgreSQL."""
    async with opened(a_house(tmp_path, **({"database_url": database} if database else {}))) as opened_house:
        yield opened_house


async def lived(house: House, user: str) -> int:
    """A person who agreed, talked, sent a photo and got a gallery and an edit."""
    someone = await person(house, user)
    async with house.ledger.write() as page:
        await page.save_conversation(someone.id, "telegram", f"talk of {user}", 0)
        await page.remember_message(someone.id, "telegram", "card", f'["{user}", 1]')
        placed = await house.desk.place(someone.id, shoot(), "go", "telegram", page)
    await until_done(house, placed.order)  # type: ignore[union-attr]
    async with house.ledger.read() as page:
        first = (await page.portraits(someone.id))[0].id
    placed = await house.desk.place(someone.id, orders.Enhance(first, ("light=soft",)), "edit", "telegram")
    await until_done(house, placed.order)  # type: ignore[union-attr]
    return someone.id


async def until_done(house: House, order: int) -> None:
    async def done() -> bool:
        return await state_of(house, order) == "done"

    await until(done)


async def rows(house: House, *but: str) -> int:
    async with house.ledger.read() as page:
        tables = [table for table in t.metadata.sorted_tables if table.name not in but]
        return sum([len((await page.c.execute(select(table))).all()) for table in tables])


async def test_forgetting_one_person_leaves_nothing_of_them_and_everything_of_others(either: House) -> None:
    house = either
    async with working(house):
        other = await lived(house, "800800")
        before = await rows(house, "workers", "seen_updates", "receipts")
        files = {f for f in (house.settings.data / "shelf").rglob("*") if f.is_file()}
        account = await lived(house, "900900")
        receipt = await forget(house, account)
    assert receipt is not None
    assert await rows(house, "workers", "seen_updates", "receipts", "outbox") <= before
    assert {f for f in (house.settings.data / "shelf").rglob("*") if f.is_file()} == files
    async with house.ledger.read() as page:
        with pytest.raises(Gone):
            await page.account_of(account)
        assert len(await page.portraits(other)) == 3
    deleted = receipt.facts["deleted"]
    assert (deleted["photos"], deleted["portraits"], deleted["orders"], deleted["conversations"]) == (1, 3, 2, 1)
    assert deleted["files"] > 5


async def test_the_receipt_can_be_checked_is_the_same_when_asked_again_and_names_no_one(house: House) -> None:
    someone = await person(house, "123456789")
    receipt = await forget(house, someone.id)
    assert receipt is not None
    assert receipt.genuine
    assert receipt.facts["account"] == someone.token
    assert "messages_you_sent" in receipt.facts["the_platform_still_holds"]["telegram"]
    assert "123456789" not in receipt.body
    assert not Receipt(receipt.body.replace('"photos":1', '"photos":0'), receipt.signature, receipt.public_key).genuine
    assert await forget(house, someone.id) == receipt
    assert await forget(house, 12345) is None


async def test_asked_twice_at_once_it_is_done_once_with_one_receipt(either: House) -> None:
    someone = await person(either)
    first, second = await asyncio.gather(forget(either, someone.id), forget(either, someone.id))
    assert first == second
    assert first is not None
    assert first.genuine


async def test_two_workers_that_sweep_at_once_tell_once(either: House) -> None:
    await person(either)
    late = retention.read_clocks().wall + 40 * DAY_S
    await asyncio.gather(retention.sweep(either, late), retention.sweep(either, late))
    async with either.ledger.read() as page:
        assert (await page.c.execute(select(t.outbox.c.word))).scalars().all() == ["expired"]


def every_file(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


async def test_no_file_below_the_data_folder_holds_what_was_forgotten(tmp_path: Path) -> None:
    async with opened(a_house(tmp_path)) as house:
        someone = await person(house, "777000777")
        async with house.ledger.write() as page:
            await page.save_conversation(someone.id, "telegram", SECRET.decode(), 0)
            await page.note("report", {"text": SECRET.decode()}, someone.id)
        await house.shelf.put(someone.id, "photos/9", SECRET)
        await house.desk.place(someone.id, orders.Look("photos/unforgettable"), "r", "telegram")
        await house.desk.send()
        assert any(b"unforgettable" in data for data in every_file(tmp_path).values())
        async with house.ledger.read() as page:
            wrapped = (await page.c.execute(select(t.accounts.c.wrapped_key))).scalar_one()
        await forget(house, someone.id)
        await until(lambda: not any(b":1:" in f.read_bytes() for f in (tmp_path / "valkey").rglob("*.aof")))
        everything = every_file(tmp_path)
        for trace in (SECRET, b"unforgettable", b"777000777", wrapped):
            assert [f for f, data in everything.items() if trace in data] == []


async def test_work_that_is_running_is_ended_and_what_it_had_made_goes_too(house: House) -> None:
    someone = await person(house)
    async with working(house):
        placed = await house.desk.place(someone.id, shoot("slow", count=16), "r", "telegram")

        async def runs() -> bool:
            return await state_of(house, placed.order) == "running"  # type: ignore[union-attr]

        await until(runs)
        receipt = await forget(house, someone.id)
        assert receipt is not None
        await asyncio.sleep(1.0)
        assert not list((house.settings.work_folder / someone.token).glob("*"))
        assert not [f for f in (house.settings.data / "shelf").rglob("*") if f.is_file()]
        newcomer = await person(house, "2")
        await until_done(house, (await house.desk.place(newcomer.id, shoot(), "r", "telegram")).order)  # type: ignore[union-attr]


async def test_nothing_new_is_written_for_someone_who_is_being_forgotten(house: House) -> None:
    someone = await person(house)
    async with house.ledger.write() as page:
        await page.c.execute(update(t.accounts).values(forgetting_at=1.0))
    with pytest.raises(Gone):
        await house.shelf.put(someone.id, "photos/1", b"x")
    with pytest.raises(Gone):
        await house.desk.place(someone.id, shoot(), "r", "telegram")
    assert await unfinished(house) == [someone.id]
    assert await forget(house, someone.id) is not None
    assert await unfinished(house) == []


async def test_an_interrupted_forgetting_is_finished_by_the_next_process(house: House) -> None:
    someone = await person(house)
    async with house.ledger.write() as page:
        await page.c.execute(update(t.accounts).values(forgetting_at=1.0))
    async with running(house.settings, "worker"):

        async def gone() -> bool:
            return await unfinished(house) == []

        await until(gone)
    receipt = await forget(house, someone.id)
    assert receipt is not None
    assert receipt.genuine


async def test_an_operator_finds_the_account_of_a_chat_without_the_ledger_knowing_the_chat(house: House) -> None:
    someone = await person(house, "31415926")
    assert await find(house, "telegram:31415926") == someone.id
    assert await find(house, someone.token) == someone.id
    assert await find(house, str(someone.id)) == someone.id
    for nobody in ("telegram:27182818", "discord:31415926", "x", "99"):
        assert await find(house, nobody) is None


async def test_an_export_holds_everything_that_is_kept_readable(house: House) -> None:
    async with working(house):
        account = await lived(house, "4242")
    archive = zipfile.ZipFile(io.BytesIO(await export(house, account)))
    about = json.loads(archive.read("account.json"))
    assert about["addresses"] == [{"platform": "telegram", "user": "4242", "chat": "4242"}]
    assert about["conversations"] == {"telegram": "talk of 4242"}
    assert archive.read("photos/0") == b"photo 0 of 4242"
    assert {"shoots/1/founder-00.jpg", "shoots/1/e2.jpg", "shoots/1/manifest.json"} <= set(archive.namelist())


async def test_what_has_expired_goes_and_its_owner_is_told_and_what_has_not_stays(house: House) -> None:
    async with working(house) as front:
        account = await lived(house, "1")
        other = await lived(house, "2")
        async with house.ledger.write() as page:
            await page.consent(other, 1, 30)
            await page.consent(account, 1, 7)
        now = retention.read_clocks().wall
        assert await retention.sweep(house, now + 6 * DAY_S) == {}
        assert await retention.sweep(house, now + 8 * DAY_S) == {"photos": 1, "sittings": 1}
        assert await retention.sweep(house, now + 8 * DAY_S) == {}
        await until(lambda: any(isinstance(n.news, events.Expired) for n in front.told))
        assert [n.account for n in front.told if isinstance(n.news, events.Expired)] == [account]
        async with house.ledger.read() as page:
            assert (await page.photos(account), await page.portraits(account)) == ([], [])
            assert len(await page.portraits(other)) == 3
            token = (await page.account_of(account)).token
    assert not [f for f in (house.settings.data / "shelf" / "a" / token).rglob("*") if f.is_file()]


async def test_a_clock_that_jumps_deletes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    someone = await person(house)
    readings = iter([(0.0, 0.0), (600.0, 600.0), (600.0 + 400 * DAY_S, 1200.0), (-9e9, 1800.0), (2400.0, 2400.0)])
    true = retention.read_clocks()

    def read_clocks() -> retention.Clocks:
        wall, monotonic = next(readings)
        return retention.Clocks(true.wall + wall, true.monotonic + monotonic)

    monkeypatch.setattr(retention, "read_clocks", read_clocks)
    monkeypatch.setattr(retention, "ROUND_S", 0.01)
    with pytest.raises(RuntimeError):  # the readings are used up
        await retention.sweep_for_ever(house)
    async with house.ledger.read() as page:
        assert len(await page.photos(someone.id)) == 1


async def test_clocks_that_agree_do_delete(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    someone = await person(house)
    true = retention.read_clocks()
    readings = iter([40 * DAY_S, 40 * DAY_S + 600])

    def read_clocks() -> retention.Clocks:
        later = next(readings)
        return retention.Clocks(true.wall + later, true.monotonic + later)

    monkeypatch.setattr(retention, "read_clocks", read_clocks)
    monkeypatch.setattr(retention, "ROUND_S", 0.01)
    with pytest.raises(RuntimeError):
        await retention.sweep_for_ever(house)
    async with house.ledger.read() as page:
        assert await page.photos(someone.id) == []


async def test_a_straggler_that_arrives_after_the_deletion_is_swept_away(house: House) -> None:
    someone = await person(house)
    await forget(house, someone.id)
    late = house.settings.data / "shelf" / "a" / someone.token / "box" / "file"
    late.parent.mkdir(parents=True)
    late.write_bytes(b"sealed under a key that is gone")
    await retention.sweep(house, retention.read_clocks().wall + 2 * retention.STRAGGLERS_S)
    assert not late.exists()


async def test_whom_to_tell_of_a_deletion_is_struck_out_after_two_days_also_when_nobody_could_be_told(
    either: House, tmp_path: Path
) -> None:
    someone = await person(either)
    async with either.ledger.write() as page:
        await pending_receipt.promise(
            page, "telegram", pending_receipt.Farewell(someone.id, "chat 31337", "en", "m", ("1", "2"))
        )
    await forget(either, someone.id)
    async with either.ledger.read() as page:
        (sealed,) = (await page.c.execute(select(t.farewells.c.sealed))).scalars().all()
    now = retention.read_clocks().wall
    assert await retention.sweep(either, now + pending_receipt.KEPT_S - 60) == {}
    async with either.ledger.read() as page:
        assert [one.chat for one in await pending_receipt.promised(page, "telegram")] == ["chat 31337"]
    assert await retention.sweep(either, now + pending_receipt.KEPT_S + 1) == {"farewells": 1}
    async with either.ledger.read() as page:
        assert (await page.c.execute(select(t.farewells))).all() == []
    assert [f for f, data in every_file(tmp_path).items() if sealed in data] == []


async def test_an_emptied_queue_server_does_not_stop_a_deletion(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis.exceptions import ConnectionError as Away

    async def away(*_: object) -> None:
        raise Away("no queue server")

    someone = await person(house)
    monkeypatch.setattr(ArqDesk, "erase", away)
    receipt = await forget(house, someone.id)
    assert receipt is not None
    assert receipt.genuine


async def test_a_notice_of_an_order_whose_owner_is_gone_is_no_notice(house: House) -> None:
    someone = await person(house)
    placed = await house.desk.place(someone.id, shoot(), "r", "telegram")
    await house.desk.cancel(someone.id, placed.order)  # type: ignore[union-attr]
    async with house.ledger.read() as page:
        (row,) = (await page.c.execute(select(t.outbox.c.id))).scalars().all()
    await forget(house, someone.id)
    async with house.ledger.read() as page:
        assert await job_store.notice(page, row) is None
