"""Who may press what, and where: owners, public places, answers for one person only, several events in one update."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.limits import Limits
from bots.dialogue.menu import default_menu
from bots.dialogue.text import say
from bots.platforms.base import Contact, Load
from bots.runtime.dispatcher import Dispatcher
from jobs import settings
from jobs.privacy import pending_receipt
from jobs.privacy.forget import forget
from jobs.privacy.pending_receipt import PendingReceipt
from jobs.services import Services, open_services
from jobs.storage import schema as t
from tests.conversations import DISCORD

ANA = Contact("ana", "dm-ana")
BEN = Contact("ben", "dm-ben")


@dataclass
class Room:
    """A platform in memory, with Discord's limits: what was shown where, and in which order things came.

    said: the handle of what answers a press. meanwhile: happens while a press is answered.
    """

    platform: str = "room"
    limits: Limits = DISCORD
    home_link: str = "https://example.org/home"
    shown: list[tuple[str, fx.Reply]] = field(default_factory=list)
    toasts: list[tuple[str, fx.Toast | None]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    said: str | None = None
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def acknowledge(self, contact: Contact) -> None:
        self.log.append("acknowledge")

    async def answer(self, contact: Contact, toast: fx.Toast | None) -> str | None:
        self.toasts.append((contact.owner, toast))
        self.log.append("answer")
        if self.meanwhile is not None:
            await self.meanwhile()
        return self.said

    async def show(self, place: str, reply: fx.Reply, old: str | None, load: Load, key: str = "") -> list[str]:
        self.shown.append((place, reply))
        return [] if old is not None else [str(len(self.shown))]

    async def remove(self, place: str, handles: list[str]) -> None:
        self.log.append(" ".join(["remove", *handles]))

    async def fetch(self, ref: str) -> bytes:
        self.log.append(f"fetch {ref}")
        return ref.encode()

    def button(self, label: str) -> str:
        """Return what the newest button of that label carries."""
        for _, reply in reversed(self.shown):
            for row in getattr(reply, "rows", ()):
                for button in row:
                    if label in button.label:
                        return str(button.data)
        raise LookupError(label)

    def texts(self, place: str) -> list[str]:
        return [getattr(reply, "text", "") for where, reply in self.shown if where == place]


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_services(settings.load(data=tmp_path)) as opened:
        yield opened


@pytest.fixture
async def room() -> Room:
    return Room()


@pytest.fixture
async def dispatcher(services: Services, room: Room) -> AsyncIterator[Dispatcher]:
    opened = Dispatcher(services, room, default_menu())
    yield opened
    await opened.close()


async def accounts(services: Services) -> int:
    async with services.database.read() as tx:
        return (await tx.c.execute(select(func.count()).select_from(t.accounts))).scalar_one()


def press(contact: Contact) -> Contact:
    """The same person in the same place, pressing a button."""
    return Contact(contact.owner, contact.place, interaction="i", home=contact.home, private=contact.private)


async def test_a_button_is_its_owners_only(dispatcher: Dispatcher, room: Room) -> None:
    await dispatcher.hear(ANA, e.Started())
    await dispatcher.drain()
    agree = room.button("I agree")
    await dispatcher.hear(press(BEN), agree)
    assert room.toasts == [("ben", fx.Toast(say("en", "stale.other"), alert=True))]
    await dispatcher.drain()
    assert not any("Thank you" in text for text in room.texts("dm-ana") + room.texts("dm-ben"))
    await dispatcher.hear(press(ANA), agree)
    await dispatcher.drain()
    assert any("Thank you" in text for text in room.texts("dm-ana"))


def logged(real: Callable[..., Any], log: list[str]) -> Callable[..., Any]:
    """The same call, which leaves a line in the log."""

    def call(*args: Any, **more: Any) -> Any:
        log.append("database")
        return real(*args, **more)

    return call


async def test_a_press_is_acknowledged_before_the_database_is_opened(
    services: Services, dispatcher: Dispatcher, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await dispatcher.hear(ANA, e.Started())
    await dispatcher.drain()
    for name in ("read", "write"):
        monkeypatch.setattr(services.database, name, logged(getattr(services.database, name), room.log))
    await dispatcher.hear(press(ANA), room.button("I agree"))
    assert room.log[0] == "acknowledge"
    assert "database" in room.log
    assert room.log.count("acknowledge") == room.log.count("answer") == 1


async def test_photos_where_others_read_along_are_neither_fetched_nor_remembered(
    services: Services, dispatcher: Dispatcher, room: Room
) -> None:
    there = Contact("ana", "channel", key="1", home="dm-ana", private=False)
    for key in ("1", "2", "3"):
        contact = Contact("ana", "channel", key=key, home="dm-ana", private=False)
        await dispatcher.hear(contact, e.PhotoSent(f"ref{key}", f"unique{key}", album="a"))
    await dispatcher.hear(press(there), "2yes:1:k3f9:1")
    await dispatcher.drain()
    assert [reply for _, reply in room.shown] == [fx.Say(say("en", "group.private", link=room.home_link))]
    assert room.toasts[-1][1] == fx.Toast(say("en", "group.private", link=room.home_link), alert=True)
    assert not any(line.startswith("fetch") for line in room.log)
    assert await accounts(services) == 0


async def test_answers_in_an_interaction_are_for_its_owner_alone_and_later_news_goes_home(
    services: Services, dispatcher: Dispatcher, room: Room
) -> None:
    await dispatcher.hear(Contact("ana", "interaction", home="dm-ana", ephemeral=True), e.Started())
    await dispatcher.drain()
    assert {place for place, _ in room.shown} == {"interaction"}
    assert all(reply.ephemeral for _, reply in room.shown)
    room.shown.clear()
    async with services.database.read() as tx:
        account = (await tx.c.execute(select(t.accounts.c.id))).scalar_one()
    await dispatcher.tell(account, e.Said("hello"))
    await dispatcher.drain()
    assert {place for place, _ in room.shown} == {"dm-ana"}
    assert not any(reply.ephemeral for _, reply in room.shown)


async def test_several_events_of_one_update_are_handled_in_order_and_once(
    services: Services, dispatcher: Dispatcher, room: Room
) -> None:
    await dispatcher.hear(ANA, e.Started())
    await dispatcher.drain()
    await dispatcher.hear(press(ANA), room.button("I agree"))
    photos = [e.PhotoSent(f"ref{n}", f"unique{n}", album="a") for n in range(1, 5)]
    update = Contact("ana", "dm-ana", key="7")
    await dispatcher.hear(update, *photos, e.HelpAsked())
    await dispatcher.hear(update, *photos, e.HelpAsked())
    await dispatcher.drain()
    assert sorted(line for line in room.log if line.startswith("fetch")) == [f"fetch ref{n}" for n in range(1, 5)]
    assert sum("How it works" in text for text in room.texts("dm-ana")) == 1


async def test_what_is_said_to_a_press_is_remembered_before_the_next_is_handled(
    services: Services, dispatcher: Dispatcher, room: Room
) -> None:
    await dispatcher.hear(ANA, e.Started())
    await dispatcher.drain()
    room.said = "late"
    await dispatcher.hear(press(ANA), "no button")
    async with services.database.read() as tx:
        account = await tx.known_account("room", "ana")
        assert account is not None
        assert "late" in await tx.messages(account.id, "room")
    assert "remove" not in room.log


@pytest.mark.parametrize("begun", ["promised", "closed", "ended"])
async def test_what_is_said_to_somebody_who_is_being_deleted_goes_at_once(
    services: Services, dispatcher: Dispatcher, room: Room, begun: str
) -> None:
    """The press was handled before its owner's deletion began, and its words were on their way meanwhile."""
    await dispatcher.hear(ANA, e.Started())
    await dispatcher.drain()

    async def begin() -> None:
        async with services.database.write() as tx:
            account = await tx.known_account("room", "ana")
            assert account is not None
            if begun == "promised":
                await pending_receipt.add(tx, "room", PendingReceipt(account.id, "dm-ana", "en", "k", ()))
            elif begun == "closed":
                await tx.c.execute(update(t.accounts).values(forgetting_at=time.time()))
        if begun == "ended":
            await forget(services, account.id)

    room.said, room.meanwhile = "late", begin
    await dispatcher.hear(press(ANA), "no button")
    assert room.log[-1] == "remove late"


async def test_what_is_said_to_somebody_without_an_account_stays(dispatcher: Dispatcher, room: Room) -> None:
    room.said = "in a group"
    await dispatcher.hear(press(Contact("eve", "group", home="dm-eve", private=False)), "no button")
    assert room.toasts[-1][1] is not None
    assert not any(line.startswith("remove") for line in room.log)
