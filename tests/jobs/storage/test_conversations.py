"""Conversations, on SQLite and on PostgreSQL alike."""

import pytest

from jobs.storage.base import Conflict
from jobs.storage.database import Database
from tests.live_services import someone


async def test_an_update_counts_once_and_not_at_all_when_its_effect_fails(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with database.write() as tx:
            assert await tx.first_seen("telegram", "100")
            _ = 1 / 0
    async with database.write() as tx:
        assert await tx.first_seen("telegram", "100")
        assert not await tx.first_seen("telegram", "100")
        assert await tx.first_seen("discord", "100")


async def test_of_two_devices_that_save_a_conversation_at_once_one_is_told_to_read_again(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        assert await tx.conversation(account, "telegram") == ("", 0)
        assert await tx.save_conversation(account, "telegram", "a", 0) == 1
        with pytest.raises(Conflict):
            await tx.save_conversation(account, "telegram", "b", 0)
        assert await tx.save_conversation(account, "telegram", "b", 1) == 2
        with pytest.raises(Conflict):
            await tx.save_conversation(account, "telegram", "c", 1)
        assert await tx.conversation(account, "telegram") == ("b", 2)


async def test_the_newest_message_of_a_card_is_the_one_to_edit(database: Database) -> None:
    async with database.write() as tx:
        account = await someone(tx)
        for message in ("1", "2"):
            await tx.remember_message(account, "telegram", "card", message)
        assert await tx.message(account, "telegram", "card") == "2"
        assert await tx.message(account, "telegram", "other") is None
        assert await tx.messages(account, "telegram") == ["1", "2"]
