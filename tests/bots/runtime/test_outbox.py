"""What follows from an event is done until it is certain: outages, unknown errors, photos taken back, blocked bots."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bots.dialogue import effects as fx
from bots.platforms.telegram.messages import TelegramAdapter
from bots.runtime import executor
from bots.runtime.outbox import Outbox
from bots.runtime.retry import Backoff
from bots.runtime.session_store import SessionStore
from jobs import settings
from jobs.privacy import export
from jobs.services import open_services
from jobs.storage.blobs import BlobStoreDown
from tests.chats import begins, has_gallery, has_photos, has_picked_office, running_bot
from tests.fakes.hold import Hold
from tests.fakes.picture_studio import picture
from tests.fakes.telegram_server import TelegramServer

QUICK = Backoff(first_s=0.05, factor=2.0, most_s=0.2)


async def test_a_gallery_that_is_finished_in_an_outage_appears_by_itself(
    server: TelegramServer, tmp_path: Path, hold: Hold
) -> None:
    async with running_bot(tmp_path, server, backoff=QUICK) as services:
        ana = server.person(7)
        await has_picked_office(ana)
        await ana.presses("Go: 4")
        await ana.sees("Your portraits")
        server.down = True
        hold.let_go()
        async with services.database.read() as tx:
            account = (await tx.account("telegram", "7", "7")).id

        async def drawn() -> bool:
            async with services.database.read() as tx:
                return len(await tx.portraits(account)) == 3

        await server.until(drawn)
        before = len(server.calls)
        await server.until(lambda: len(server.calls) > before + 6)  # more tries than any fixed number of a while ago
        server.down = False
        await ana.sees("Your 3 portraits are ready")
        await ana.sees("1/3 · Office")


async def test_a_flood_in_one_chat_is_waited_for_as_long_as_telegram_asks_and_others_are_served(
    server: TelegramServer, tmp_path: Path
) -> None:
    async with running_bot(tmp_path, server, backoff=QUICK):
        ana, ben = server.person(7), server.person(9, "Ben")
        server.flood("sendMessage", 2)
        await ana.says("/help")
        await ana.sees("How it works")
        times = [call.at for call in server.calls if call.method == "sendMessage"]
        assert times[1] - times[0] >= 2
        server.flood("sendMessage", 3600)
        await ana.says("/help")
        await server.until(lambda: server.count("sendMessage") == 3)
        await ben.says("/start")
        await ben.sees("I am Atelier")
        assert len(ana.screen()) == 1


@pytest.mark.parametrize("error", [RuntimeError("a bug"), BlobStoreDown("away")])
async def test_an_export_that_fails_is_tried_until_it_is_sent_and_the_person_is_told(
    server: TelegramServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    tries: list[int] = []
    real = export.archives

    async def unlucky(*asked: Any) -> Any:
        tries.append(1)
        if len(tries) <= 6:
            raise error
        async for archive in real(*asked):
            yield archive

    monkeypatch.setattr(executor, "archives", unlucky)
    async with running_bot(tmp_path, server, backoff=QUICK):
        ana = server.person(7)
        await has_photos(ana)
        await ana.says("/export")
        await ana.sees("The archive takes longer than usual")
        await ana.says("/help")
        await ana.sees("How it works")  # what comes after it does not wait for it
        await ana.sees("Everything I keep of you")
    assert sum("takes longer" in text for text in ana.screen()) == 1


async def test_a_reply_that_always_fails_does_not_keep_the_next_ones_back(
    server: TelegramServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = TelegramAdapter.show

    async def broken(self: TelegramAdapter, place: str, reply: fx.Reply, *more: Any) -> list[str]:
        if isinstance(reply, fx.Card) and reply.slot == "welcome":
            raise RuntimeError("a bug")
        return await real(self, place, reply, *more)

    monkeypatch.setattr(TelegramAdapter, "show", broken)
    async with running_bot(tmp_path, server, backoff=QUICK):
        ana = server.person(7)
        await ana.says("/start")
        await ana.says("/help")
        await ana.sees("How it works")


async def test_a_photo_that_is_taken_back_while_it_is_fetched_is_not_kept(
    server: TelegramServer, tmp_path: Path
) -> None:
    async with running_bot(tmp_path, server) as services:
        ana = server.person(7)
        await begins(ana)
        server.lag("getFile", 1.5)
        await ana.sends(picture("gray"))
        await ana.presses("Take back")
        await ana.sees("Photo 1 is deleted")
        await ana.sends(picture("gray", mark="another"))
        await ana.sees("I have 1 good photo")
        async with services.database.read() as tx:
            account = (await tx.account("telegram", "7", "7")).id
            assert [photo.name for photo in await tx.photos(account)] == ["photos/2"]
    assert len([file for file in (tmp_path / "shelf").rglob("*") if file.is_file()]) == 1


async def test_a_file_that_turns_out_too_big_is_refused_at_once(server: TelegramServer, tmp_path: Path) -> None:
    """Telegram does not always say how large a file is."""
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await begins(ana)
        await ana.sends(picture("gray") + b"\0" * 20_000_000, as_file=True, size=None)
        await ana.sees("Photo 1: ✗ not used")
    assert server.count("getFile") == 1


async def test_writing_makes_a_person_reachable_again(server: TelegramServer, tmp_path: Path) -> None:
    """After a 403 nothing but `my_chat_member` used to; Telegram does not always send one."""
    async with running_bot(tmp_path, server) as services:
        ana = server.person(7)
        await has_gallery(ana)
        ana.blocked = True
        await ana.says("/help")

        async def unreachable() -> bool:
            async with services.database.read() as tx:
                account = await tx.account("telegram", "7", "7")
                return not (await tx.addresses(account.id))[0].reachable

        await server.until(unreachable)
        ana.blocked = False
        await ana.says("/privacy")
        await ana.sees("How it works")  # what waited
        await ana.sees("What I keep of you")
        assert not await unreachable()


async def test_previews_are_uploaded_once_for_everybody(server: TelegramServer, tmp_path: Path) -> None:
    async with running_bot(tmp_path, server):
        for number, person in enumerate((server.person(7), server.person(9, "Ben")), 1):
            await has_photos(person)
            await person.presses("Choose looks")
            await server.until(partial(lambda n: server.count("sendPhoto") == n, number))
    first, second = (call.params["photo"] for call in server.calls if call.method == "sendPhoto")
    assert isinstance(second, str)
    assert second != first, "the first is an upload, the second its file id"


async def test_a_message_that_is_being_sent_when_the_bot_ends_is_known_to_the_next_one(
    server: TelegramServer, tmp_path: Path
) -> None:
    """Nobody could delete it otherwise: its place on screen is taken by a newer card, and it would stay for ever."""
    ana = server.person(7)
    async with running_bot(tmp_path, server, backoff=QUICK):
        await has_picked_office(ana)
        server.lag("sendMessage", 1.0)
        await ana.presses("Go: 4")
        await ana.sees("Your order is in")  # it is there, and the bot has no answer yet
    async with running_bot(tmp_path, server, backoff=QUICK):
        await ana.sees("1/3 · Office")
        await ana.says("/forget")
        await ana.presses("Delete everything")
        await ana.sees("Everything is deleted")
        await server.until(lambda: not any("Your order is in" in text for text in ana.screen()))
        assert len(ana.screen()) == 1, "the receipt is all that is left"


async def test_a_new_message_is_acknowledged_before_the_next_is_shown(tmp_path: Path) -> None:
    """A kill repeats what was sent and not acknowledged: one new message at most, and edits, which change nothing."""
    async with open_services(settings.load(data=tmp_path)) as services:
        store, left = SessionStore("telegram", keep_days=7), []
        async with services.database.write() as tx:
            account = (await tx.account("telegram", "7", "7")).id
            record, version = await store.load(tx, account)
            record = record.with_entries([fx.Say(text) for text in ("one", "edit", "two", "three")])
            await store.save(tx, account, record, version)

        async def show(account: int, chat: str, cards: dict[str, str], reply: fx.Reply, key: str) -> list[str]:
            assert isinstance(reply, fx.Say)
            async with services.database.read() as tx:
                saved, _ = await store.load(tx, account)
            left.append((reply.text, [entry.body["text"] for entry in saved.outbox]))
            return [] if reply.text == "edit" else [f"7:{len(left)}:0"]

        outbox = Outbox(services, "telegram", store, QUICK)
        outbox.connect(show, None)  # type: ignore[arg-type]  # there are no effects here
        outbox.start(account, "7", record)
        await outbox.drain()
    assert left == [
        ("one", ["one", "edit", "two", "three"]),
        ("edit", ["edit", "two", "three"]),
        ("two", ["edit", "two", "three"]),
        ("three", ["three"]),
    ]
