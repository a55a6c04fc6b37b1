"""Forgetting and expiring: nothing of a person is left anywhere, and a receipt says so."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select, update

from jobs.kinds.look import Look
from jobs.privacy import pending_receipt, retention
from jobs.privacy.forget import Receipt, find, forget, unfinished
from jobs.queue import outbox
from jobs.services import Services, open_services
from jobs.storage import schema as t
from jobs.storage.base import Gone
from jobs.storage.blobs import BlobStore
from tests.fakes.hold import Hold
from tests.live_servers import kill_queue_server
from tests.live_services import make_settings, person, running, shoot, state_of, until, working
from tests.lives import SECRET, lived, rows, until_done


async def test_forgetting_one_person_leaves_nothing_of_them_and_everything_of_others(either: Services) -> None:
    services = either
    async with working(services):
        other = await lived(services, "800800")
        before = await rows(services, "workers", "seen_updates", "receipts", "outbox", "pending_receipts")
        files = {f for f in (services.settings.data / "shelf").rglob("*") if f.is_file()}
        account = await lived(services, "900900")
        receipt = await forget(services, account)
    assert receipt is not None
    assert await rows(services, "workers", "seen_updates", "receipts", "outbox", "pending_receipts") <= before
    assert {f for f in (services.settings.data / "shelf").rglob("*") if f.is_file()} == files
    async with services.database.read() as tx:
        with pytest.raises(Gone):
            await tx.account_of(account)
        assert len(await tx.portraits(other)) == 3
    deleted = receipt.facts["deleted"]
    assert (deleted["photos"], deleted["portraits"], deleted["jobs"], deleted["conversations"]) == (1, 3, 2, 1)
    assert deleted["files"] > 5


async def test_the_receipt_can_be_checked_is_the_same_when_asked_again_and_names_no_one(services: Services) -> None:
    someone = await person(services, "123456789")
    receipt = await forget(services, someone.id)
    assert receipt is not None
    assert receipt.genuine
    assert receipt.facts["account"] == someone.token
    assert "messages_you_sent" in receipt.facts["the_platform_still_holds"]["telegram"]
    assert "123456789" not in receipt.body
    assert not Receipt(receipt.body.replace('"photos":1', '"photos":0'), receipt.signature, receipt.public_key).genuine
    assert await forget(services, someone.id) == receipt
    assert await forget(services, 12345) is None


async def test_whoever_deletes_an_account_leaves_word_for_its_bots_whom_to_tell_and_what_to_take_away(
    either: Services,
) -> None:
    """The operator's `atelier forget` is the person's own /forget: the chat's messages go too."""
    async with working(either):
        account = await lived(either, "4242")
    await forget(either, account)
    async with either.database.write() as tx:
        (told,) = await pending_receipt.pending(tx, "telegram")
        assert (told.account, told.chat, told.handles) == (account, "4242", ('["4242", 1]',))
        await pending_receipt.remove(tx, "telegram", account)
        assert await pending_receipt.pending(tx, "telegram") == []


async def test_asked_twice_at_once_it_is_done_once_with_one_receipt(either: Services) -> None:
    someone = await person(either)
    first, second = await asyncio.gather(forget(either, someone.id), forget(either, someone.id))
    assert first == second
    assert first is not None
    assert first.genuine


def every_file(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


async def test_no_file_below_the_data_folder_holds_what_was_forgotten(tmp_path: Path) -> None:
    async with open_services(make_settings(tmp_path)) as services:
        someone = await person(services, "777000777")
        async with services.database.write() as tx:
            await tx.save_conversation(someone.id, "telegram", SECRET.decode(), 0)
            await tx.add_report(someone.id, SECRET.decode())
            await tx.note("said", {"text": SECRET.decode()}, someone.id)
        await services.blob_store.put(someone.id, "photos/9", SECRET)
        await services.job_queue.place(someone.id, Look("photos/unforgettable"), "r", "telegram")
        await services.job_queue.send()
        assert any(b"unforgettable" in data for data in every_file(tmp_path).values())
        async with services.database.read() as tx:
            wrapped = (await tx.c.execute(select(t.accounts.c.wrapped_key))).scalar_one()
        await forget(services, someone.id)
        everything = every_file(tmp_path)
        for trace in (SECRET, b"unforgettable", b"777000777", wrapped):
            assert [f for f, data in everything.items() if trace in data] == []


async def test_work_that_is_running_is_ended_and_what_it_had_made_goes_too(services: Services, hold: Hold) -> None:
    someone = await person(services)
    async with working(services):
        placed = await services.job_queue.place(someone.id, shoot("held", count=4), "r", "telegram")

        async def runs() -> bool:
            return await state_of(services, placed.job_id) == "running"  # type: ignore[union-attr]

        await until(runs)
        receipt = await forget(services, someone.id)
        assert receipt is not None
        await asyncio.sleep(1.0)
        assert not list((services.settings.work_folder / someone.token).glob("*"))
        assert not [f for f in (services.settings.data / "shelf").rglob("*") if f.is_file()]
        newcomer = await person(services, "2")
        await until_done(services, (await services.job_queue.place(newcomer.id, shoot(), "r", "telegram")).job_id)  # type: ignore[union-attr]


async def test_nothing_new_is_written_for_someone_who_is_being_forgotten(services: Services) -> None:
    someone = await person(services)
    async with services.database.write() as tx:
        await tx.c.execute(update(t.accounts).values(forgetting_at=1.0))
    with pytest.raises(Gone):
        await services.blob_store.put(someone.id, "photos/1", b"x")
    with pytest.raises(Gone):
        await services.job_queue.place(someone.id, shoot(), "r", "telegram")
    assert await unfinished(services) == [someone.id]
    assert await forget(services, someone.id) is not None
    assert await unfinished(services) == []


async def test_an_interrupted_forgetting_is_finished_by_the_next_process(services: Services) -> None:
    someone = await person(services)
    async with services.database.write() as tx:
        await tx.c.execute(update(t.accounts).values(forgetting_at=1.0))
    async with running(services.settings, "worker"):

        async def gone() -> bool:
            return await unfinished(services) == []

        await until(gone)
    receipt = await forget(services, someone.id)
    assert receipt is not None
    assert receipt.genuine


async def test_a_deletion_that_fails_is_tried_until_it_is_done_and_holds_up_nobody_else(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await person(services, "1"), await person(services, "2")
    real, failures = BlobStore.delete_account, 3

    async def fails(self: BlobStore, token: str) -> int:
        nonlocal failures
        if token == one.token and failures:
            failures -= 1
            raise ZeroDivisionError("nobody thought of this")
        return await real(self, token)

    monkeypatch.setattr(BlobStore, "delete_account", fails)
    monkeypatch.setattr(retention, "DELETION_RETRY_S", 0.05)
    with pytest.raises(ZeroDivisionError):
        await forget(services, one.id)
    async with services.database.write() as tx:
        await tx.c.execute(update(t.accounts).where(t.accounts.c.id == two.id).values(forgetting_at=1.0))
    finishing = asyncio.create_task(retention.finish_deletions(services))

    async def all_gone() -> bool:
        return await unfinished(services) == []

    await until(all_gone)
    finishing.cancel()
    assert failures == 0


async def test_an_operator_finds_the_account_of_a_chat_that_the_database_cannot_read(
    services: Services,
) -> None:
    someone = await person(services, "31415926")
    assert await find(services, "telegram:31415926") == someone.id
    assert await find(services, someone.token) == someone.id
    assert await find(services, str(someone.id)) == someone.id
    for nobody in ("telegram:27182818", "discord:31415926", "x", "99"):
        assert await find(services, nobody) is None


async def test_a_straggler_that_arrives_after_the_deletion_is_swept_away(services: Services) -> None:
    someone = await person(services)
    await forget(services, someone.id)
    late = services.settings.data / "shelf" / "a" / someone.token / "box" / "file"
    late.parent.mkdir(parents=True)
    late.write_bytes(b"sealed under a key that is gone")
    await retention.sweep(services, retention.read_clocks().wall + 2 * retention.STRAGGLERS_S)
    assert not late.exists()


async def test_whom_to_tell_of_a_deletion_is_struck_out_after_two_days_also_when_nobody_could_be_told(
    either: Services, tmp_path: Path
) -> None:
    someone = await person(either)
    async with either.database.write() as tx:
        await pending_receipt.add(
            tx, "telegram", pending_receipt.PendingReceipt(someone.id, "chat 31337", "en", "m", ("1", "2"))
        )
    await forget(either, someone.id)
    async with either.database.read() as tx:
        (sealed,) = (await tx.c.execute(select(t.pending_receipts.c.sealed))).scalars().all()
    now = retention.read_clocks().wall
    assert await retention.sweep(either, now + pending_receipt.KEPT_S - 60) == {}
    async with either.database.read() as tx:
        assert [one.chat for one in await pending_receipt.pending(tx, "telegram")] == ["chat 31337"]
    assert await retention.sweep(either, now + pending_receipt.KEPT_S + 1) == {"pending_receipts": 1}
    async with either.database.read() as tx:
        assert (await tx.c.execute(select(t.pending_receipts))).all() == []
    assert [f for f, data in every_file(tmp_path).items() if sealed in data] == []


async def test_a_queue_server_that_is_away_does_not_stop_a_deletion(tmp_path: Path) -> None:
    async with open_services(make_settings(tmp_path)) as services:
        someone = await person(services)
        await services.job_queue.place(someone.id, shoot(), "r", "telegram")
        kill_queue_server(services.settings)
        receipt = await forget(services, someone.id)
    assert receipt is not None
    assert receipt.genuine


async def test_an_event_of_a_job_whose_owner_is_gone_is_none(services: Services) -> None:
    someone = await person(services)
    placed = await services.job_queue.place(someone.id, shoot(), "r", "telegram")
    await services.job_queue.cancel(someone.id, placed.job_id)  # type: ignore[union-attr]
    async with services.database.read() as tx:
        (row,) = (await tx.c.execute(select(t.outbox.c.id))).scalars().all()
    await forget(services, someone.id)
    async with services.database.read() as tx:
        assert await outbox.job_event(tx, row) is None
