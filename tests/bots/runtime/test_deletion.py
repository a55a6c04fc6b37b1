"""A deletion is finished and told, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from chats import has_photos, running_bot
from fakes.telegram_server import TelegramServer
from sqlalchemy import select

from bots.runtime import deletion
from jobs.storage import schema as t
from jobs.storage.keys import signed_by


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
            await ana.taps("Delete everything")
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
