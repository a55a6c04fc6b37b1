"""What holds on every platform: an update counts when its effect is safe, once; nobody waits for somebody else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from bots.dialogue import events as e
from bots.dialogue.rules import RULES, Rule
from bots.platforms.telegram import polling
from bots.runtime import dispatcher
from bots.runtime.retry import Backoff
from bots.runtime.session_store import SessionStore
from tests.chats import begins, has_photos, running_bot
from tests.fakes.picture_studio import picture
from tests.fakes.telegram_server import TelegramServer


async def test_an_update_is_confirmed_only_when_its_effect_is_in_the_database(
    server: TelegramServer, tmp_path: Path
) -> None:
    async with running_bot(tmp_path, server) as services:
        ana = server.person(7)
        await begins(ana)
        await server.until(lambda: server.unconfirmed == [])
        async with services.database.write():  # somebody's long transaction: everybody else waits for it
            await ana.says("/help")
            await asyncio.sleep(3 * polling.BUSY_S)
            assert len(server.unconfirmed) == 1
        await ana.sees("How it works")
        await server.until(lambda: server.unconfirmed == [])


async def test_a_locked_database_is_waited_for_and_nothing_is_lost(
    server: TelegramServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter(range(4))
    real = SessionStore.save

    async def locked(self: SessionStore, *asked: Any) -> None:
        if next(failures, None) is not None:
            raise OperationalError("UPDATE conversations", {}, Exception("database is locked"))
        await real(self, *asked)

    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await begins(ana)
        monkeypatch.setattr(SessionStore, "save", locked)
        await ana.says("/help")
        await ana.says("/privacy")
        await ana.sees("What I keep of you")
        texts = ana.screen()
        assert texts.index(next(t for t in texts if "How it works" in t)) < texts.index(texts[-1]), "in their order"


async def test_an_update_that_always_fails_is_told_and_does_not_stop_the_bot(
    server: TelegramServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_bot(tmp_path, server):
        ana, ben = server.person(7), server.person(9, "Ben")
        await begins(ana)

        def broken(*_: object) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setitem(RULES, e.HelpAsked, Rule(broken, RULES[e.HelpAsked].targets))
        monkeypatch.setattr(dispatcher, "EVENTS", Backoff(0.05, 2.0, 0.1))
        await ana.says("/help")
        await ana.sees("Something went wrong on my side")
        await server.until(lambda: server.unconfirmed == [])
        await ben.says("/start")
        await ben.sees("I am Atelier")


async def test_a_press_is_acknowledged_while_everything_else_waits(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server) as services:
        ana = server.person(7)
        await has_photos(ana)
        async with services.database.write():
            for _ in range(3):  # the second and third wait for the first to be handled, not to be acknowledged
                message, button = ana.find("Choose looks")
                await ana.presses_data(button["callback_data"], message)
            await server.until(lambda: server.count("answerCallbackQuery") >= 4)
        await ana.sees("Pick one or more looks")


async def test_a_forged_button_is_refused_kindly(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await has_photos(ana)
        message, button = ana.find("Choose looks")
        version, conversation, nonce, *_ = button["callback_data"].split(":")
        head = version[0]
        forged = [
            f"{head}{op}:{conversation}:{nonce}{more}"
            for op in ("turn", "fav", "edit", "tweak", "undo", "redo", "vs", "files", "avatar", "sticker", "go",
                       "stop", "detail", "for", "style", "keep", "lang", "looks", "show", "drop", "yes")
            for more in ("", ":0", ":999999999", ":1:0", ":1:99:1", ":x:y:z", ":999:999:999", ":::")
        ]  # fmt: skip
        for data in [*forged, "", "x", "1", "9" * 64, "1go"]:
            await ana.presses_data(data, message)
        await server.until(lambda: server.unconfirmed == [])
        await ana.says("/help")
        await ana.sees("How it works")
        assert not any("Something went wrong" in text for text in [*ana.screen(), *ana.toasts])


async def test_nobody_waits_for_the_slowest_of_a_batch(
    server: TelegramServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = asyncio.Event()
    real = dispatcher.Dispatcher._heard

    async def slow(self: Any, contact: Any, happened: Any) -> Any:
        if contact.owner == "7":
            await held.wait()
        return await real(self, contact, happened)

    monkeypatch.setattr(dispatcher.Dispatcher, "_heard", slow)
    monkeypatch.setattr(polling, "POLL_S", 600)  # nobody waits for a poll to end
    async with running_bot(tmp_path, server):
        ana, ben = server.person(7), server.person(9, "Ben")
        await server.push_all([("message", ana.message(text="/start")), ("message", ben.message(text="/start"))])
        await ben.sees("I am Atelier")
        await ben.says("/help")
        await ben.sees("How it works")
        assert len(server.unconfirmed) == 3, "hers, and what came after it"
        held.set()
        await ana.sees("I am Atelier")
        await server.until(lambda: server.unconfirmed == [])


async def test_an_update_that_cannot_be_read_is_skipped_counted_and_not_logged(
    server: TelegramServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _skipped()
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await server.push("message", {"message_id": "not a number", "from": ana.user, "text": "my secret"})
        await server.push("callback_query", {"id": "1", "from": {"id": 7, "my": "secret"}})
        await server.push("message", ana.message(text="/start", date=10**18))
        await begins(ana)
        await server.until(lambda: server.unconfirmed == [])
    assert _skipped() == before + 3
    shown = capsys.readouterr()
    assert "secret" not in caplog.text + shown.out + shown.err


def _skipped() -> float:
    from bots.platforms.telegram.updates import SKIPPED

    return sum(
        sample.value for metric in SKIPPED.collect() for sample in metric.samples if sample.name.endswith("total")
    )


async def test_a_caption_that_begins_with_a_command_is_one(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server) as services:
        ana = server.person(7)
        await begins(ana)
        await ana.sends(picture("gray"), caption="/report this is\nnot me")
        await ana.sees("on to the operator")
        await ana.sees("I have 1 good photo")
        async with services.database.read() as tx:
            assert [report.text for report in await tx.reports()] == ["this is\nnot me"]
