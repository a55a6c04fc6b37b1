"""The Discord bot as a part of a process: made from the settings, run until cancelled."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any, Final

import aiohttp
import discord
from discord.gateway import DiscordWebSocket, KeepAliveHandler
from discord.http import Route
from yarl import URL

from bots.dialogue.menu import Menu, default_menu
from bots.platforms.discord.commands import FORM, Tree, Words, add_commands, form_sent, sync
from bots.platforms.discord.interactions import AnyInteraction, Interactions
from bots.platforms.discord.layouts import data_of
from bots.platforms.discord.messages import DiscordAdapter
from bots.platforms.discord.missed import read_missed
from bots.platforms.discord.updates import Receiver
from bots.runtime.dispatcher import Dispatcher
from bots.runtime.reports import announce_reports
from bots.runtime.retry import Backoff
from core.errors import SetupWrong
from jobs.services import Services

log = logging.getLogger("atelier.discord")

API: Final = "https://discord.com/api/v10"
RATE_LIMIT_S: Final = 30.0  # a longer rate limit is not slept through: the outbox waits, for that person alone
CANCELLED_S: Final = 0.5  # between two tries to end the gateway's connection
REFUSED: Final = 4004  # the gateway's code for a token it does not know


class TokenWrong(SetupWrong):
    """Discord does not know the token."""


class Client(discord.AutoShardedClient):
    """The connection to Discord. It asks for messages of private chats alone, and remembers none."""

    receiver: Receiver

    def __init__(self, services: Services) -> None:
        self._services = services
        super().__init__(
            intents=discord.Intents(dm_messages=True),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            allowed_mentions=discord.AllowedMentions.none(),
            max_ratelimit_timeout=RATE_LIMIT_S,
        )

    async def on_shard_connect(self, shard: int) -> None:
        """Read what was missed when a new session begins; private chats are the first shard's."""
        if shard == 0:
            await read_missed(self, self._services, self.receiver)

    async def on_message(self, message: discord.Message) -> None:
        """Take a message."""
        await self.receiver.message(message)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """Take an edit."""
        await self.receiver.edited(payload)

    async def on_interaction(self, interaction: AnyInteraction) -> None:
        """Take a button or a form; commands come by the tree.

        Not by the library's views: those lose what was opened before a restart, and a press on a button that the
        message has no longer, because it was edited in the same moment.
        """
        if interaction.type is discord.InteractionType.component:
            await self.receiver.interaction(interaction, data_of(interaction.custom_id or ""))
        elif interaction.type is discord.InteractionType.modal_submit and interaction.custom_id == FORM:
            await form_sent(self.receiver, interaction)

    async def on_error(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Log a fault without what it was about."""
        log.exception("event_failed", extra={"event_name": event})


async def run(services: Services, menu: Menu | None = None, backoff: Backoff | None = None) -> None:
    """Be the Discord bot of these services until cancelled."""
    settings = services.settings
    assert settings.discord_token is not None
    menu = menu or default_menu(settings.sittings_a_day)
    Route.BASE = (settings.discord_api or API).rstrip("/")
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # nobody speaks here
    logging.getLogger("discord.state").setLevel(logging.ERROR)  # it warns that guilds are not asked for
    client, interactions = Client(services), Interactions()
    adapter = DiscordAdapter(client, interactions)
    dispatcher = Dispatcher(services, adapter, menu, backoff)
    client.receiver = Receiver(dispatcher, interactions, adapter.met)
    tree = Tree(client)
    add_commands(tree, client.receiver, menu)
    try:
        async with client:
            await client.login(settings.discord_token.get_secret_value())
            await introduce(client, tree, services)
            if settings.discord_api is not None:  # where a session that cannot be resumed begins anew
                _, address, _ = await client.http.get_bot_gateway()
                DiscordWebSocket.DEFAULT_GATEWAY = URL(address)
            try:
                await dispatcher.resume()
                async with asyncio.TaskGroup() as together:
                    together.create_task(services.job_queue.listen(adapter.platform, dispatcher.bring))
                    together.create_task(dispatcher.watch_deletions())
                    together.create_task(announce_reports(services, adapter))
                    together.create_task(_connect(client))
            finally:
                await dispatcher.close()  # before the connection goes
                _stop_heartbeats()
    except* discord.LoginFailure:
        raise TokenWrong(
            "Discord does not know ATELIER_DISCORD_TOKEN; take it from the developer portal again"
        ) from None


def _stop_heartbeats() -> None:
    """Stop the threads of connections that were ended while they began: the library forgets those."""
    for thread in threading.enumerate():
        if isinstance(thread, KeepAliveHandler) and thread.ws.loop is asyncio.get_running_loop():
            thread.stop()


async def introduce(client: Client, tree: Tree, services: Services) -> None:
    """Tell Discord the commands in every language, when they have changed."""
    await tree.set_translator(Words())
    assert client.application_id is not None
    try:
        await sync(tree, client.application_id, services.settings.data / "discord-commands")
    except (discord.DiscordException, aiohttp.ClientError, TimeoutError, OSError) as busy:
        log.warning("not_introduced", extra={"error": type(busy).__name__})


async def _connect(client: Client) -> None:
    """Hold the gateway; the library resumes it when it breaks. Raises when it is over for good.

    The library takes a cancellation while it reconnects for the end of that try alone: it is cancelled until it ends.
    """
    connecting = asyncio.create_task(client.connect())
    try:
        await asyncio.wait({connecting})
    finally:
        while not connecting.done():
            connecting.cancel()
            await asyncio.wait({connecting}, timeout=CANCELLED_S)
    try:
        await connecting
    except discord.ConnectionClosed as closed:
        if closed.code == REFUSED:
            raise discord.LoginFailure("the gateway refused the token") from closed
        raise
    raise ConnectionError("Discord's gateway closed the connection")
