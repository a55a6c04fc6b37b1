"""A deletion is finished and told, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from bots.platforms.telegram.messages import TelegramAdapter
from bots.platforms.telegram.service import build_bot
from bots.runtime import deletion, dispatcher
from bots.runtime.retry import Backoff
from jobs.privacy.forget import forget
from jobs.services import Services
from jobs.storage import schema as t
from jobs.storage.blobs import BlobStoreDown
from jobs.storage.keys import signed_by
from tests.chats import has_photos, running_bot
from tests.fakes.telegram_server import BOT, TOKEN, TelegramServer

QUICK = Backoff(first_s=0.05, factor=2.0, most_s=0.2)


@pytest.mark.parametrize("killed", ["before anything is deleted", "before the receipt is sent"])
async def test_a_forgetting_that_is_killed_is_finished_and_told_after_a_restart(
    server: TelegramServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    died = asyncio.Event()

    async def die(*_: object) -> None:
        died.set()
        await asyncio.Event().wait()

    ana = server.person(7)
    with monkeypatch.context() as patch:
        if killed == "before anything is deleted":
            patch.setattr(deletion, "forget", die)
        else:
            patch.setattr(deletion.Deletion, "_tell", die)
        async with running_bot(tmp_path, server):
            await has_photos(ana)
            await ana.says("/forget")
            await ana.presses("Delete everything")
            await died.wait()
    async with running_bot(tmp_path, server) as services:
        receipt_message = await ana.sees("Everything is deleted")
        receipt = json.loads(server.files[receipt_message["document"]["file_id"]].data)
        assert signed_by(receipt["public_key"], receipt["body"].encode(), receipt["signature"])

        async def nobody_is_to_be_told() -> bool:
            async with services.database.read() as tx:
                return (await tx.c.execute(select(t.pending_receipts))).first() is None

        await server.until(nobody_is_to_be_told)
        assert [m["message_id"] for m in ana.chat()] == [receipt_message["message_id"]]
    assert len([m for m in ana.chat() if "document" in m]) == 1


@pytest.mark.parametrize("error", [RuntimeError("a bug"), BlobStoreDown("away")])
async def test_a_forgetting_that_fails_is_tried_until_it_is_done_and_the_person_is_told(
    server: TelegramServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real, tries = forget, list[int]()

    async def unlucky(*asked: Any) -> Any:
        tries.append(1)
        if len(tries) <= 6:
            raise error
        return await real(*asked)

    monkeypatch.setattr(deletion, "forget", unlucky)
    async with running_bot(tmp_path, server, backoff=QUICK) as services:
        ana = server.person(7)
        await has_photos(ana)
        await ana.says("/forget")
        await ana.presses("Delete everything")
        await ana.sees("The deletion takes longer than usual")
        await ana.sees("Everything is deleted")
        assert await accounts(services) == 0


async def test_who_blocks_the_bot_right_after_is_deleted_all_the_same(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server, backoff=QUICK) as services:
        ana = server.person(7)
        await has_photos(ana)
        await ana.says("/forget")
        await ana.can_press("Delete everything")
        ana.blocked = True
        await ana.presses("Delete everything")

        async def gone() -> bool:
            return await accounts(services) == 0

        await server.until(gone)
    assert [file for file in (tmp_path / "shelf").rglob("*") if file.is_file()] == []


async def test_a_wish_that_an_earlier_process_left_is_done_though_the_person_cannot_be_reached(
    server: TelegramServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = asyncio.Event()

    async def die(*_: object) -> None:
        died.set()
        await asyncio.Event().wait()

    ana = server.person(7)
    with monkeypatch.context() as patch:
        patch.setattr(deletion.Deletion, "_promise", die)
        async with running_bot(tmp_path, server) as services:
            await has_photos(ana)
            await ana.says("/forget")
            await ana.presses("Delete everything")
            await died.wait()
            async with services.database.write() as tx:
                account = await tx.account("telegram", "7", "7")
                await tx.set_reachable(account.id, "telegram", False)
    async with running_bot(tmp_path, server) as services:

        async def gone() -> bool:
            return await accounts(services) == 0

        await server.until(gone)


async def test_messages_are_deleted_though_some_are_too_old(server: TelegramServer, tmp_path: Path) -> None:
    """Telegram refuses the whole call when one message of it is older than 48 hours."""
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await has_photos(ana)
        old = ana.chat()[0]
        old["date"] -= 49 * 3600  # the bot believes that it is younger: its clock, or a handle without a time
        await ana.says("/forget")
        await ana.presses("Delete everything")
        await ana.sees("Everything is deleted")
        assert [m["message_id"] for m in ana.chat()[:-1]] == [old["message_id"]]


async def test_messages_known_to_be_too_old_are_not_asked_for(server: TelegramServer) -> None:
    now = int(time.time())
    server.person(7)
    young, old = (server.messages.add(7, BOT, text=str(age), date=now - age) for age in (3600, 49 * 3600))
    handles = [json.dumps([7, m["message_id"], m["date"]]) for m in (young, old)]
    async with build_bot(TOKEN, server.url) as bot:
        await TelegramAdapter(bot).remove("7", handles)
    assert server.messages.deleted == [(7, young["message_id"])]
    assert server.count("deleteMessages") == 1
    assert server.count("deleteMessage") == 0


async def test_who_is_deleted_by_the_operator_is_told_by_the_running_bot(
    server: TelegramServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "DELETIONS_S", 0.2)
    async with running_bot(tmp_path, server) as services:
        ana = server.person(7)
        await has_photos(ana)
        async with services.database.read() as tx:
            account = await tx.account("telegram", "7", "7")
        await forget(services, account.id)
        await ana.sees("Everything is deleted")
        await server.until(lambda: len(ana.chat()) == 1)


async def accounts(services: Services) -> int:
    async with services.database.read() as tx:
        return int((await tx.c.execute(select(func.count()).select_from(t.accounts))).scalar_one())
