"""Real discord.py against the fake Discord, and the smallest layouts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import discord
import pytest
from discord.http import Route

from tests.fakes.discord_server import TOKEN, DiscordServer
from tests.fakes.picture_studio import picture
from tests.patience import PATIENCE_S

TEXT, ROW, BUTTON, SELECT, GALLERY, FILE, CONTAINER = 10, 1, 2, 3, 12, 13, 17
PICTURE = picture("gray", (40, 50))


class Bot(discord.AutoShardedClient):
    """discord.py as it comes, noting what it hears."""

    def __init__(self, intents: discord.Intents | None = None) -> None:
        super().__init__(intents=intents or discord.Intents(guilds=True, dm_messages=True, guild_messages=True))
        self.tree = discord.app_commands.CommandTree(self)
        self.heard: asyncio.Queue[discord.Message] = asyncio.Queue()
        self.asked: asyncio.Queue[discord.Interaction] = asyncio.Queue()

    async def on_message(self, message: discord.Message) -> None:
        if message.author != self.user:
            await self.heard.put(message)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        await self.asked.put(interaction)

    async def hears(self) -> discord.Message:
        return await asyncio.wait_for(self.heard.get(), PATIENCE_S)

    async def is_asked(self) -> discord.Interaction:
        return await asyncio.wait_for(self.asked.get(), PATIENCE_S)

    async def send(self, channel: str, **body: Any) -> dict[str, Any]:
        """Post a message as it stands: discord.py's own checks are not in the way."""
        return await self.http.request(Route("POST", "/channels/{channel_id}/messages", channel_id=channel), json=body)

    async def edit(self, message: str, channel: str, **body: Any) -> dict[str, Any]:
        route = Route("PATCH", "/channels/{channel_id}/messages/{message_id}", channel_id=channel, message_id=message)
        return await self.http.request(route, json=body)


@asynccontextmanager
async def online(server: DiscordServer, bot: Bot | None = None, **more: Any) -> AsyncIterator[Bot]:
    bot = bot or Bot(**more)
    task = asyncio.create_task(bot.start(TOKEN))
    try:
        await server.until(lambda: server.gateway.listening or task.done())
        if task.done():
            await task
        yield bot
    finally:
        await bot.close()
        await asyncio.gather(task, return_exceptions=True)


def button(label: str = "Go", id: str = "go", **more: Any) -> dict[str, Any]:
    return {"type": BUTTON, "style": 1, "label": label, "custom_id": id, **more}


def text(words: str = "words") -> dict[str, Any]:
    return {"type": TEXT, "content": words}


def rows(buttons: int) -> list[dict[str, Any]]:
    return [{"type": ROW, "components": [button(id=f"b{i}") for i in range(start, min(start + 5, buttons))]}
            for start in range(0, buttons, 5)]  # fmt: skip


async def refused(doing: Any, code: int) -> discord.HTTPException:
    with pytest.raises(discord.HTTPException) as no:
        await doing
    assert no.value.code == code, no.value
    return no.value
