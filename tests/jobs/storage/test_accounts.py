"""Accounts, on SQLite and on PostgreSQL alike."""

import asyncio

import pytest
from sqlalchemy import select

from jobs.settings import Settings
from jobs.storage import schema as t
from jobs.storage.base import Gone
from jobs.storage.database import Database
from tests.live_services import placed, someone


async def test_a_person_is_found_again_and_nobody_else_is(database: Database) -> None:
    async with database.write() as tx:
        first = await tx.account("telegram", "42", "42")
        assert await tx.account("telegram", "42", "42") == first
        assert (await tx.account("discord", "42", "42")).id != first.id
        assert [(a.platform, a.user, a.chat) for a in await tx.addresses(first.id)] == [("telegram", "42", "42")]


async def test_a_person_who_writes_twice_at_once_gets_one_account(database: Database) -> None:
    async def arrive() -> int:
        async with database.write() as tx:
            return await someone(tx, "7")

    assert len(set(await asyncio.gather(*(arrive() for _ in range(5))))) == 1


async def test_chat_addresses_and_conversations_cannot_be_read_without_the_account_s_key(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx, "987654321")
        await tx.save_conversation(account, "telegram", "I am Grace", 0)
        await tx.remember_message(account, "telegram", "card", '["987654321", 5]')
        everything = ""
        for table in t.metadata.sorted_tables:
            everything += repr((await tx.c.execute(select(table))).all())
    assert "987654321" not in everything
    assert "Grace" not in everything


async def test_consent_is_recorded_once_and_the_newest_promise_holds_for_older_photos(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        assert (await tx.account_of(account)).consent == 0
        await tx.consent(account, 1, 30)
        await tx.consent(account, 1, 30)
        await tx.add_photo(account, "photos/1", "00", 1)
        await tx.consent(account, 1, 1)
        assert (await tx.account_of(account)).consent == 1
        rows = (await tx.c.execute(select(t.consents))).all()
        assert len(rows) == 1
        photo = (await tx.c.execute(select(t.photos))).one()
        assert photo.expires_at - photo.created_at == pytest.approx(86_400)
        await tx.consent(account, 1, 30)
        photo = (await tx.c.execute(select(t.photos))).one()
        assert photo.expires_at - photo.created_at == pytest.approx(30 * 86_400), "kept as long as was chosen last"
        await tx.withdraw_consent(account)
        assert (await tx.account_of(account)).consent == 0


async def test_a_report_is_readable_by_the_operator_alone_and_goes_with_its_account(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        await tx.add_report(account, "the third one is not me")
        (report,) = await tx.reports()
        assert (report.account, report.text) == (account, "the third one is not me")
        stored = [str(tuple(row)) for table in t.metadata.sorted_tables for row in await tx.c.execute(select(table))]
        assert not any("not me" in row for row in stored)
        assert [one.id for one in await tx.reports(unannounced=True)] == [report.id]
        await tx.announced(report.id)
        assert await tx.reports(unannounced=True) == []
        await tx.c.execute(t.accounts.delete().where(t.accounts.c.id == account))
        assert await tx.reports() == []


async def test_a_block_outlives_the_account(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx, "5")
        await tx.block("telegram", "5")
        assert (await tx.account_of(account)).blocked
        await tx.c.execute(t.accounts.delete())
        with pytest.raises(Gone):
            await tx.account_of(account)
        again = await someone(tx, "5")
        assert again != account
        assert (await tx.account_of(again)).blocked
        await tx.block("telegram", "5", blocked=False)
        assert not (await tx.account_of(again)).blocked


async def test_a_deleted_account_takes_all_its_rows_along(database: Database, limits: Settings) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        await tx.consent(account, 1, 30)
        await tx.add_photo(account, "photos/1", "00", 1)
        await tx.save_conversation(account, "telegram", "x", 0)
        await placed(tx, account, "a", limits)
        await tx.c.execute(t.accounts.delete())
        left = {tb.name for tb in t.metadata.sorted_tables if (await tx.c.execute(select(tb))).first()}
        assert left == set()
