"""Discord away, slow, or cutting connections: what was under way comes once, late but whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bots.runtime import outbox
from tests.chats import begins, has_photos, has_picked_office, running_bot
from tests.fakes.discord_server import DiscordServer
from tests.fakes.picture_studio import picture

TESTS = Path(__file__).parents[2]


async def test_what_happens_while_the_bot_is_away_is_found_when_it_returns(
    discord_server: DiscordServer, tmp_path: Path
) -> None:
    server = discord_server
    ana = server.person(7)
    async with running_bot(tmp_path, server):
        await has_photos(ana)
    await ana.sends(picture("gray", mark="sent into the void"))
    async with running_bot(tmp_path, server):
        await ana.sees("I have 3 good photos")


async def test_a_whole_outage_delays_a_gallery_and_shows_it_once(discord_server: DiscordServer, tmp_path: Path) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await has_picked_office(ana)
        await ana.presses("Go: 4")
        await ana.sees("Your portraits")
        await server.outage()
        await asyncio.sleep(2)
        await server.outage(False)
        await ana.sees("Your 3 portraits are ready")
        await ana.sees("1/3 · Office")
        assert len([text for text in ana.screen() if "1/3 · Office" in text]) == 1


async def test_a_bot_can_be_stopped_while_it_reconnects(discord_server: DiscordServer, tmp_path: Path) -> None:
    """The library swallows a cancellation while it reconnects: the bot would never end."""
    async with asyncio.timeout(120), running_bot(tmp_path, discord_server):
        await discord_server.outage()
        await discord_server.until(lambda: len(discord_server.gateway.closed_with) > 0)
        await asyncio.sleep(1)


async def test_a_message_whose_answer_was_lost_is_there_once(discord_server: DiscordServer, tmp_path: Path) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await begins(ana)
        server.fail("POST", "/messages", 502, done=True)
        await ana.sends(picture("gray"))
        await ana.sees("I have 1 good photo")
        assert sum("Photo 1" in text for text in ana.screen()) == 1


@pytest.mark.parametrize("patience_s", [5.0, 0.0], ids=["stopped", "killed"])
async def test_an_order_whose_card_was_being_sent_when_the_bot_ended_is_shown_once_and_forgotten(
    discord_server: DiscordServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience_s: float
) -> None:
    """Who is stopped waits for the answer; who is killed leaves a message that the next one learns of by its nonce."""
    monkeypatch.setattr(outbox, "SENDING_S", patience_s)
    async with running_bot(tmp_path, discord_server):
        ana = discord_server.person(7)
        await has_picked_office(ana)
        discord_server.lag("POST", "/messages", 1.0)
        await ana.presses("Go: 4")
        await ana.sees("Your order is in")  # it is there, and the bot has no answer yet
    async with running_bot(tmp_path, discord_server):
        await ana.sees("Your 3 portraits are ready")
        await ana.says("/forget")
        await ana.presses("Delete everything")
        await ana.sees("Everything is deleted")
        await discord_server.until(lambda: len(ana.screen()) == 1)


async def test_floods_and_lost_connections_delay_and_lose_nothing(
    discord_server: DiscordServer, tmp_path: Path
) -> None:
    server = discord_server
    async with running_bot(tmp_path, server):
        ana = server.person(7)
        await has_photos(ana)
        server.rates.inject("POST", "channels/messages", 0.5, times=2)
        server.rates.inject("PATCH", "channels/messages", 0.5, everywhere=True)
        server.fail("PATCH", "/messages", 500)
        server.fail("POST", "/messages", 0)
        await ana.presses("Choose looks")
        await server.gateway.drop()
        await ana.presses("At work")
        await ana.presses("Office")
        await ana.can_press("Go: 4")
        await server.gateway.ask_to_reconnect()
        await ana.presses("Go: 4")
        await ana.sees("Your 3 portraits are ready")
        await ana.sees("1/3 · Office")
        assert len([text for text in ana.screen() if "1/3 · Office" in text]) == 1
        assert server.interactions.unanswered() == []
        assert server.gateway.identified == 1, "resumed, not begun anew"
