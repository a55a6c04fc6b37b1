"""What tests of the fake Discord share: the server, discord.py led to it, a bot that is online; and both chats."""

from __future__ import annotations

from collections.abc import AsyncIterator

import discord
import pytest
import yarl
from discord.http import Route

from tests.chats import Chat
from tests.discord_bots import Bot, online
from tests.fakes.discord_server import DiscordServer


@pytest.fixture
async def discord_server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as running:
        monkeypatch.setattr(Route, "BASE", running.url)
        monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(running.gateway.url))
        yield running
        assert running.violations == []


@pytest.fixture
async def bot(discord_server: DiscordServer) -> AsyncIterator[Bot]:
    async with online(discord_server) as running:
        yield running


@pytest.fixture
def unchecked(discord_server: DiscordServer) -> None:
    """Without the published description, which would complain of what is refused on purpose."""
    discord_server.checked = False


@pytest.fixture(params=["server", "discord_server"])
def chat(request: pytest.FixtureRequest) -> Chat:
    """A loopback Telegram, then a loopback Discord."""
    found: Chat = request.getfixturevalue(request.param)
    return found
