"""Discord, what people wrote in the private chat while nobody listened.

Discord tells what was missed only to a session that is resumed: to a process that was killed and began anew, or after
a long outage, it says nothing. The messages are still in the chats, so each chat is read once from where the bot last
heard of anybody. What was handled already is known by its id. Presses cannot be read again: the person was told so.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import aiohttp
import discord

from bots.platforms.discord.updates import Receiver
from jobs.services import Services
from jobs.storage.base import Gone

log = logging.getLogger("atelier.discord")

OVERLAP_S: Final = 60.0  # clocks differ, and what was told last may have been handled before what was told first
AT_MOST: Final = 100  # messages of one person: one request


async def read_missed(client: discord.Client, services: Services, receiver: Receiver) -> None:
    """Hand on what was written since the last update, chat by chat, slowly: people who write now come first."""
    async with services.database.read() as tx:
        heard = await tx.last_seen("discord")
        accounts = await tx.talking("discord") if heard else []
    after = datetime.fromtimestamp(max(0.0, heard - OVERLAP_S), UTC)
    for account in accounts:
        with suppress(Gone):
            chat = await _chat(services, account)
            if chat is not None:
                await _read(client.get_partial_messageable(chat, type=discord.ChannelType.private), after, receiver)


async def _read(chat: discord.PartialMessageable, after: datetime, receiver: Receiver) -> None:
    try:
        async for message in chat.history(limit=AT_MOST, after=after, oldest_first=True):
            await receiver.message(message)
    except (discord.DiscordException, aiohttp.ClientError, TimeoutError, OSError) as away:
        log.warning("missed_not_read", extra={"error": type(away).__name__})


async def _chat(services: Services, account: int) -> int | None:
    """Return an account's private chat, None where the bot wrote nothing there."""
    async with services.database.read() as tx:
        handles = [json.loads(handle) for handle in await tx.messages(account, "discord")]
    return next((handle[0] for handle in reversed(handles) if isinstance(handle[1], int)), None)
