"""Floods, errors and lost connections of the fake Discord, as real discord.py lives through them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import discord
import pytest
from discord.http import Route

from tests.discord_bots import (
    Bot,
    online,
)
from tests.fakes.discord_objects import Clock
from tests.fakes.discord_server import DiscordServer


async def test_discord_py_keeps_to_the_buckets_and_waits_out_a_429(discord_server: DiscordServer, bot: Bot) -> None:
    ana, discord_server.rates.pace = discord_server.person(7), 1.0
    for i in range(6):
        await bot.send(ana.dm.id, content=str(i))
    assert discord_server.rates.refused == 0, "it read the headers"
    discord_server.rates.inject("POST", "channels/messages", 0.2)
    discord_server.rates.inject("POST", "channels/messages", 0.2, everywhere=True)
    await bot.send(ana.dm.id, content="after")
    assert discord_server.rates.refused == 2
    assert ana.screen()[-1] == "after"


class Standing(Clock):
    """A clock that stands still where another one is."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._at = clock.now()

    def now(self) -> float:
        """Return always the same time."""
        return self._at


async def test_a_flood_over_many_channels_meets_the_global_limit(discord_server: DiscordServer, bot: Bot) -> None:
    rates = discord_server.rates
    rates.global_a_second, clock = 10, rates.clock
    people = [discord_server.person(i) for i in range(100, 112)]
    rates.clock = Standing(clock)  # a second is long enough for ten on any machine
    sending = asyncio.gather(*(bot.send(person.dm.id, content="hello") for person in people))
    await discord_server.until(lambda: rates.refused > 0)
    rates.clock = clock
    await sending
    assert all(person.screen() == ["hello"] for person in people)


async def test_errors_are_retried_and_a_nonce_makes_a_message_once(discord_server: DiscordServer, bot: Bot) -> None:
    ana = discord_server.person(7)
    discord_server.fail("POST", "/messages", 502)
    await bot.send(ana.dm.id, content="one")
    discord_server.fail("POST", "/messages", 502, done=True)
    await bot.send(ana.dm.id, content="two")
    assert ana.screen() == ["one", "two", "two"], "carried out, then asked for again"
    discord_server.fail("POST", "/messages", 502, done=True)
    await bot.send(ana.dm.id, content="three", nonce="n", enforce_nonce=True)
    assert ana.screen()[2:] == ["two", "three"]
    discord_server.fail("POST", "/messages", 0)
    with pytest.raises(aiohttp.ClientError):
        await bot.send(ana.dm.id, content="cut off")


async def until_seen(bot: Bot, discord_server: DiscordServer, mishap: Callable[[], Any]) -> None:
    """Let something happen to the connection; words written meanwhile must arrive, once."""
    ana = discord_server.person(7)
    await ana.says("before")
    assert (await bot.hears()).content == "before"
    await mishap()
    await ana.says("meanwhile")
    assert (await bot.hears()).content == "meanwhile"
    await discord_server.until(lambda: discord_server.gateway.listening)
    await ana.says("after")
    assert (await bot.hears()).content == "after"


async def test_a_cut_connection_is_resumed_and_nothing_is_missed(discord_server: DiscordServer, bot: Bot) -> None:
    await until_seen(bot, discord_server, discord_server.gateway.drop)
    assert (discord_server.gateway.identified, discord_server.gateway.resumed) == (1, 1)


async def test_a_reconnect_is_obeyed(discord_server: DiscordServer, bot: Bot) -> None:
    await until_seen(bot, discord_server, discord_server.gateway.ask_to_reconnect)
    assert (discord_server.gateway.identified, discord_server.gateway.resumed) == (1, 1)


async def test_an_invalid_session_is_begun_anew_and_what_came_meanwhile_is_lost(
    discord_server: DiscordServer, bot: Bot
) -> None:
    ana = discord_server.person(7)
    await discord_server.gateway.invalidate()
    await ana.says("nobody hears this")
    await discord_server.until(lambda: discord_server.gateway.identified == 2)
    await ana.says("after")
    assert (await bot.hears()).content == "after"


async def test_an_outage_ends_for_the_bot_when_it_ends(discord_server: DiscordServer, bot: Bot) -> None:
    ana = discord_server.person(7)
    await discord_server.outage()
    await asyncio.sleep(0.2)
    assert not discord_server.gateway.listening
    with pytest.raises(discord.DiscordServerError):
        await bot.send(ana.dm.id, content="down")
    await discord_server.outage(False)
    await discord_server.until(lambda: discord_server.gateway.listening)
    await ana.says("back?")
    assert (await bot.hears()).content == "back?"


async def test_heartbeats_are_answered(discord_server: DiscordServer) -> None:
    discord_server.gateway.heartbeat_ms = 300
    async with online(discord_server) as bot:
        await discord_server.until(lambda: discord_server.gateway.beats >= 3)
        assert bot.latency < 5


async def test_a_wrong_token_and_a_privileged_intent_end_the_bot(
    discord_server: DiscordServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(discord.LoginFailure):
        async with Bot() as bot:
            await bot.start("wrong")
    with pytest.raises(discord.PrivilegedIntentsRequired):
        async with online(discord_server, intents=discord.Intents(message_content=True)):
            pass


async def test_two_shards_share_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    async with DiscordServer(shards=2) as discord_server:
        monkeypatch.setattr(Route, "BASE", discord_server.url)
        channel = discord_server.guild(discord_server.person(7))
        discord_server.person(7)
        async with online(discord_server) as bot:
            assert sorted(bot.shards) == [0, 1]
            await discord_server.until(lambda: bot.get_channel(int(channel.id)) is not None)
            await discord_server.person(7).says("in private")
            assert (await bot.hears()).content == "in private"
        assert discord_server.violations == []
