"""A team's sheet in its owner's chat: whatever comes late, twice or not at all, it goes when somebody takes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import discord
import pytest
from pydantic import SecretStr

from bots.dialogue import events as e
from bots.dialogue.menu import default_menu
from bots.dialogue.screens.teams import TeamStarted
from bots.dialogue.screens.welcome import CONSENT_VERSION, Agreed
from bots.platforms.base import Adapter, Contact
from bots.platforms.discord.interactions import Interactions
from bots.platforms.discord.messages import DiscordAdapter
from bots.platforms.discord.service import Client
from bots.platforms.telegram import messages
from bots.platforms.telegram.messages import TelegramAdapter
from bots.platforms.telegram.service import build_bot
from bots.runtime.dispatcher import Dispatcher
from bots.runtime.outbox import Outbox
from jobs import settings as s
from jobs.kinds.sheet import file_of
from jobs.queue import events
from jobs.services import Services, open_services
from tests.chats import Chat, Person, lay_database
from tests.fakes import discord_server, telegram_messages, telegram_server
from tests.fakes.discord_messages import pictures_shown
from tests.fakes.discord_server import DiscordServer
from tests.fakes.picture_studio import picture
from tests.fakes.telegram_server import TelegramServer

OWNER = Contact("7", "7")


class Bench:
    """A bot's dispatcher without its polling and without a worker: what is told of a team, the test tells."""

    def __init__(self, services: Services, adapter: Adapter, ana: Person) -> None:
        self.services, self.adapter, self.ana = services, adapter, ana
        self.starts()

    def starts(self) -> None:
        self.dispatcher = Dispatcher(self.services, self.adapter, default_menu())

    async def opens_a_team(self) -> None:
        await self.hears(e.Started(), Agreed(CONSENT_VERSION), TeamStarted("founder"))
        async with self.services.database.read() as tx:
            account = await tx.known_account(self.adapter.platform, "7")
            assert account is not None
            self.account = account.id
            team = await tx.team_of_owner(account.id)
        assert team is not None
        self.team = team.id

    async def hears(self, *happened: e.Event) -> None:
        await self.dispatcher.hear(OWNER, *happened)
        await self.dispatcher.drain()

    async def puts(self, version: int) -> None:
        """Put a sheet into the owner's blob store, as its job does."""
        data = picture("teal", (320, 200), f"version {version}")
        await self.services.blob_store.put(self.account, file_of(self.team, version), data)

    async def deletes(self, version: int) -> None:
        await self.services.blob_store.delete(self.account, [file_of(self.team, version)])

    async def brings(self, *told: events.Payload) -> None:
        """Have events delivered, and what follows from all of them shown."""
        for payload in told:
            sheet = isinstance(payload, events.Done)
            ref = f"team:{self.team}:c0de" if sheet else ""
            await self.dispatcher.bring(events.JobEvent(0, self.account, 0, "sheet" if sheet else "", ref, payload))
        await self.dispatcher.drain()

    def changed(self, version: int, released: int) -> events.TeamChanged:
        return events.TeamChanged(self.team, 2, released, version)

    def drawn(self, version: int, shown: int, outdated: bool = False) -> events.Done:
        file = file_of(self.team, version) if shown else ""
        return events.Done((), {"file": file, "shown": shown, "version": version, "outdated": outdated})

    @property
    def pictures(self) -> list[Any]:
        """The messages with a picture in the owner's chat."""
        chat: list[Any] = self.ana.chat()
        return [m for m in chat if ("photo" in m if isinstance(m, dict) else pictures_shown(m))]

    @property
    def cards(self) -> list[str]:
        return [text for text in self.ana.screen() if "Your team in the look" in text]


@asynccontextmanager
async def _adapter(chat: Chat) -> AsyncIterator[Adapter]:
    if isinstance(chat, DiscordServer):
        async with Client(cast(Services, None)) as client:
            await client.login(discord_server.TOKEN)
            yield DiscordAdapter(cast(discord.Client, client), Interactions())
    else:
        async with build_bot(telegram_server.TOKEN, chat.url) as bot:
            yield TelegramAdapter(bot)


@pytest.fixture
async def bench(chat: Chat, tmp_path: Path) -> AsyncIterator[Bench]:
    await lay_database(tmp_path)
    config = s.load(data=tmp_path, redis_url=SecretStr("redis://127.0.0.1:9"))  # nothing is sent to a worker here
    async with open_services(config) as services, _adapter(chat) as adapter:
        running = Bench(services, adapter, chat.person(7))
        await running.opens_a_team()
        yield running
        await running.dispatcher.close()


async def test_a_sheet_comes_and_goes_with_what_is_released(bench: Bench) -> None:
    await bench.puts(1)
    await bench.brings(bench.changed(1, 1), bench.drawn(1, 1))
    assert len(bench.pictures) == 1
    await bench.brings(bench.changed(2, 0))
    assert bench.pictures == []
    await bench.brings(bench.drawn(2, 0))
    assert len(bench.cards) == 1


async def test_a_sheet_whose_file_is_deleted_before_it_is_shown_leaves_none_of_before_on_screen(bench: Bench) -> None:
    """What a slow chat does: the next job has deleted the file when the card is edited."""
    await bench.puts(1)
    await bench.brings(bench.drawn(1, 1))
    assert len(bench.pictures) == 1
    await bench.brings(bench.drawn(2, 2))  # its file is gone: the job of version 3 has been there
    assert bench.pictures == []
    await bench.brings(bench.changed(3, 0), bench.drawn(3, 0))
    assert bench.pictures == []
    assert len(bench.cards) == 1


async def test_a_sheet_that_is_told_late_is_not_shown(bench: Bench) -> None:
    await bench.puts(1)
    await bench.puts(2)
    await bench.brings(bench.changed(1, 1), bench.changed(3, 0), bench.drawn(1, 1))
    assert bench.pictures == []
    await bench.brings(bench.drawn(3, 0), bench.drawn(2, 2), bench.changed(2, 2))
    assert bench.pictures == []


async def test_a_sheet_that_comes_before_its_count_stays(bench: Bench) -> None:
    await bench.puts(1)
    await bench.brings(bench.drawn(1, 1), bench.changed(1, 1))
    assert len(bench.pictures) == 1


async def test_an_outdated_sheet_is_not_told(bench: Bench) -> None:
    await bench.puts(1)
    await bench.brings(bench.drawn(1, 1, outdated=True))
    assert bench.pictures == []


async def test_asked_for_again_the_card_before_it_keeps_no_picture(bench: Bench) -> None:
    await bench.puts(1)
    await bench.brings(bench.drawn(1, 1))
    await bench.hears(e.TeamAsked(""))
    assert len(bench.pictures) == 1
    assert len(bench.cards) == 1
    await bench.brings(bench.changed(2, 0))
    assert bench.pictures == []


async def test_no_picture_is_in_a_message_that_a_killed_bot_did_not_get_to_know(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bot is killed when it has sent something and not written down what; as often as it likes."""
    await bench.puts(1)
    await bench.brings(bench.drawn(1, 1))
    acknowledge = Outbox.acknowledge
    for survived in range(4):
        left = survived

        async def dies(self: Outbox, *asked: Any) -> None:
            nonlocal left
            if left == 0:
                raise asyncio.CancelledError
            left -= 1
            await acknowledge(self, *asked)

        monkeypatch.setattr(Outbox, "acknowledge", dies)
        await bench.dispatcher.hear(OWNER, e.TeamAsked(""))
        await bench.dispatcher.drain()
        await bench.dispatcher.close()
        monkeypatch.setattr(Outbox, "acknowledge", acknowledge)
        bench.starts()
        await bench.dispatcher.resume()
        await bench.dispatcher.drain()
        assert len(bench.pictures) == 1
    await bench.brings(bench.changed(2, 0))
    assert bench.pictures == []


async def test_a_card_that_the_owner_deleted_comes_anew_and_is_known(bench: Bench) -> None:
    await bench.puts(1)
    await bench.puts(2)
    await bench.brings(bench.drawn(1, 1))
    (message,) = bench.pictures
    if isinstance(bench.ana.server, DiscordServer):
        bench.ana.server.messages.delete(message)
    else:
        del bench.ana.server.chats[7][message["message_id"]]
    await bench.brings(bench.drawn(2, 2))
    assert len(bench.pictures) == 1
    await bench.brings(bench.changed(3, 0))
    assert bench.pictures == []


@pytest.mark.parametrize("chat", ["server"], indirect=True)
@pytest.mark.parametrize("again", [False, True])
async def test_a_picture_that_telegram_does_not_delete_any_more_is_covered(
    bench: Bench, server: TelegramServer, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    await bench.puts(1)
    await bench.brings(bench.drawn(1, 1))
    (before,) = bench.pictures
    sheet = server.files[before["photo"][-1]["file_id"]].data
    monkeypatch.setattr(messages, "DELETABLE_S", -1.0)
    monkeypatch.setattr(telegram_messages, "DELETABLE_S", -1.0)
    if again:
        await bench.hears(e.TeamAsked(""))
    await bench.brings(bench.changed(2, 0))
    covered = [server.files[m["photo"][-1]["file_id"]].data for m in bench.pictures]
    assert covered
    assert sheet not in covered
    assert len(bench.cards) == 1
    await bench.puts(3)
    await bench.brings(bench.changed(3, 1), bench.drawn(3, 1))
    assert "1 on the sheet" in bench.cards[-1]
    (*_, shown) = bench.pictures
    assert "photo" in shown
