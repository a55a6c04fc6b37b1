"""What people write with /report reaches the operator's chat, once, and goes with its author."""

from __future__ import annotations

from pathlib import Path

import pytest

from bots.runtime import reports
from tests.chats import begins, running_bot
from tests.fakes.telegram_server import TelegramServer


async def test_the_operator_is_told_of_a_report_once_and_a_deletion_takes_it_back(
    server: TelegramServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports.announce_reports, "__defaults__", (0.1,))
    operator = server.person(99, "Operator")
    async with running_bot(tmp_path, server, operator_chat="telegram:99") as services:
        ana = server.person(7)
        await begins(ana)
        server.down = True
        await ana.says("/report the second one\nis not me")
        await server.until(lambda: server.count("sendMessage") > 3)
        server.down = False
        await operator.sees("the second one\nis not me")

        async def noted() -> bool:
            async with services.database.read() as tx:
                return await tx.reports(unannounced=True) == []

        await server.until(noted)
    async with running_bot(tmp_path, server, operator_chat="telegram:99"):
        await ana.says("/forget")
        await ana.presses("Delete everything")
        await ana.sees("Everything is deleted")
        assert len(server.sent_to(99)) == 1
        assert operator.screen() == []
