"""Telegram, what comes in: Update -> event.

`bots.platforms.telegram.messages` is what goes out; neither holds a sentence or a rule.

Updates are taken serially per person and in parallel across people, and Telegram is told that an update arrived
only after its effect is in the database: in polling by asking for the next ones, behind a webhook by answering 200.
Selfies are never handled in groups; there a link to the private chat is the only answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeAllPrivateChats,
    Message,
    Update,
)
from telegram.error import (
    Conflict,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TimedOut,
)
from telegram.ext import (
    AIORateLimiter,
    Application,
    ApplicationBuilder,
    BaseUpdateProcessor,
    ExtBot,
    TypeHandler,
    Updater,
)

from bots.dialogue import events as e
from bots.dialogue.commands import COMMANDS, said
from bots.dialogue.menu import Menu, default_menu
from bots.dialogue.text import LANGUAGES, said_or, say
from bots.platforms.base import Contact
from bots.platforms.telegram.messages import LIMITS, Front, group_place
from bots.runtime.dispatcher import Concierge
from core.errors import AtelierError
from jobs.services import Services
from jobs.settings import Settings

log = logging.getLogger("atelier.telegram")

POLL_S = 25
UPDATES = ["message", "edited_message", "callback_query", "my_chat_member"]
PICTURE_NAMES = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif")

App = Application[Any, Any, Any, Any, Any, Any]


class TokenWrong(AtelierError):
    """Telegram does not know the token."""


class SerialPerPerson(BaseUpdateProcessor):
    """One update of a person at a time, in the order they came; different people in parallel."""

    def __init__(self, at_once: int = 256) -> None:
        super().__init__(at_once)
        self._turns: dict[int, tuple[asyncio.Lock, int]] = {}

    async def do_process_update(self, update: object, coroutine: Awaitable[Any]) -> None:
        """Wait for the person's earlier updates, then do this one."""
        who = update.effective_user.id if isinstance(update, Update) and update.effective_user else 0
        lock, waiting = self._turns.get(who, (asyncio.Lock(), 0))
        self._turns[who] = (lock, waiting + 1)
        try:
            async with lock:
                await coroutine
        finally:
            lock, waiting = self._turns[who]
            self._turns[who] = (lock, waiting - 1)
            if waiting == 1:
                del self._turns[who]

    async def initialize(self) -> None:
        """Nothing to prepare."""

    async def shutdown(self) -> None:
        """Nothing to close."""


class Reception:
    """Turns updates into events for the concierge."""

    def __init__(self, bot: Bot, front: Front, concierge: Concierge) -> None:
        self._bot, self._front, self._concierge = bot, front, concierge

    async def take(self, update: Update) -> None:
        """Handle one update; returns once its effect is safe."""
        user, chat = update.effective_user, update.effective_chat
        if user is None or chat is None:
            return
        if update.my_chat_member is not None:
            if chat.type == "private":
                await self._concierge.set_reachable(
                    _contact(update), update.my_chat_member.new_chat_member.status != "kicked"
                )
            return
        if chat.type != "private":
            await self._take_in_group(update)
            return
        if update.callback_query is not None:
            await self._concierge.hear(_contact(update), update.callback_query.data or "")
        elif update.edited_message is not None:
            await self._concierge.hear(_contact(update), e.Edited())
        elif update.message is not None:
            event = event_of(update.message)
            if event is not None:
                await self._concierge.hear(_contact(update), event)

    async def _take_in_group(self, update: Update) -> None:
        """Hand on what is said to the bot in a group; what is answered there is the dispatcher's rule."""
        message = update.message
        spoken_to = message is not None and (message.photo or message.document or (message.text or "").startswith("/"))
        event = event_of(message) if message is not None and spoken_to else None
        if message is not None and event is not None:
            contact = _contact(update)
            there = replace(contact, place=group_place(message), home=contact.place, private=False)
            await self._concierge.hear(there, event)


def event_of(message: Message) -> e.Event | None:
    """Translate a private message; None for service messages."""
    if message.text:
        return said(message.text)
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        return e.PhotoSent(
            ref=largest.file_id,
            unique=largest.file_unique_id,
            size_bytes=largest.file_size or 0,
            width=largest.width,
            height=largest.height,
            compressed=True,
            album=message.media_group_id or "",
            limit_bytes=LIMITS.fetch_bytes,
        )
    document = message.document
    if document is not None and message.animation is None:
        name = document.file_name or "file"
        if (document.mime_type or "").startswith("image/") or name.lower().endswith(PICTURE_NAMES):
            return e.PhotoSent(
                ref=document.file_id,
                unique=document.file_unique_id,
                name=name,
                size_bytes=document.file_size or 0,
                album=message.media_group_id or "",
                limit_bytes=LIMITS.fetch_bytes,
            )
    for kind in ("sticker", "voice", "video", "animation", "video_note", "audio", "document", "contact", "location"):
        if getattr(message, kind, None):
            known = {"video_note": "video", "audio": "voice"}
            return e.OtherSent(known.get(kind, kind if kind in {"sticker", "voice", "video", "animation"} else "file"))
    return None


def _contact(update: Update) -> Contact:
    user = update.effective_user
    assert user is not None
    interaction = update.callback_query.id if update.callback_query else ""
    own_chat = str(user.id)  # a private chat has its person's number: no update can lead an answer elsewhere
    return Contact(str(user.id), own_chat, str(update.update_id), user.language_code or "en", interaction)


# --- running -----------------------------------------------------------------------------------------


def build_application(token: str, api: str | None = None) -> App:
    """Make the application; api is the base URL of another Bot API server."""
    builder = ApplicationBuilder().token(token).rate_limiter(AIORateLimiter(max_retries=3))
    builder = builder.concurrent_updates(SerialPerPerson()).updater(None)
    builder = builder.pool_timeout(30).connect_timeout(10).read_timeout(30).write_timeout(60).media_write_timeout(120)
    if api is not None:
        builder = builder.base_url(f"{api.rstrip('/')}/bot").base_file_url(f"{api.rstrip('/')}/file/bot")
    application: App = builder.build()
    return application


def receive(application: App, reception: Reception) -> None:
    """Let every update go to the reception."""

    async def take(update: Update, _: Any) -> None:
        await reception.take(update)

    async def failed(_: object, context: Any) -> None:
        log.error("update_failed", exc_info=context.error)

    application.add_handler(TypeHandler(Update, take))
    application.add_error_handler(failed)


async def run(services: Services, menu: Menu | None = None) -> None:
    """Be the Telegram bot of services until cancelled: by polling, or behind a webhook when one is set."""
    settings = services.settings
    assert settings.telegram_token is not None
    application = build_application(settings.telegram_token.get_secret_value(), settings.telegram_api)
    front = Front(application.bot)
    concierge = Concierge(services, front, menu or default_menu(settings.sittings_a_day))
    receive(application, Reception(application.bot, front, concierge))
    try:
        async with application:
            await introduce(application.bot)
            await concierge.resume()
            async with asyncio.TaskGroup() as together:
                together.create_task(services.job_queue.listen(front.platform, concierge.bring))
                together.create_task(_updates(application, settings))
    except* InvalidToken:
        raise TokenWrong("Telegram does not know ATELIER_TELEGRAM_TOKEN; take it from @BotFather again") from None
    finally:
        await concierge.close()


async def _updates(application: App, settings: Settings) -> None:
    if settings.telegram_webhook is None:
        await poll(application)
        return
    assert settings.telegram_webhook_secret is not None
    secret = settings.telegram_webhook_secret.get_secret_value()
    updater = await serve_webhook(
        application, settings.telegram_webhook, secret, settings.telegram_webhook_host, settings.telegram_webhook_port
    )
    try:
        await asyncio.Event().wait()
    finally:
        await updater.stop()
        await updater.shutdown()


async def introduce(bot: ExtBot[Any]) -> None:
    """Tell Telegram the commands and descriptions in every language; done again at every start, no harm in it."""
    for code in (None, *LANGUAGES):
        language = code or "en"
        commands = [BotCommand(name, said_or(language, f"command.{name}", "command.help")) for name in COMMANDS]
        try:
            await bot.set_my_commands(commands, BotCommandScopeAllPrivateChats(), language_code=code)
            await bot.set_my_description(say(language, "about.description"), language_code=code)
            await bot.set_my_short_description(say(language, "about.short"), language_code=code)
        except (RetryAfter, NetworkError) as busy:
            log.warning("not_introduced", extra={"language": language, "error": str(busy)})
            return


async def poll(application: App) -> None:
    """Ask for updates until cancelled; they are asked for again until their effects are in the database."""
    bot, offset, wait = application.bot, 0, 1.0
    await bot.delete_webhook(drop_pending_updates=False)
    while True:
        try:
            updates = await bot.get_updates(
                offset=offset, timeout=POLL_S, read_timeout=POLL_S + 10, allowed_updates=UPDATES
            )
            wait = 1.0
        except Conflict:
            log.error("another process is polling with this token: only one may; trying again in 10 s")
            await asyncio.sleep(10)
            continue
        except RetryAfter as busy:
            await asyncio.sleep(_seconds(busy))
            continue
        except (TimedOut, NetworkError) as away:
            log.warning("telegram_away", extra={"error": type(away).__name__, "wait_s": wait})
            await asyncio.sleep(wait)
            wait = min(wait * 2, 30.0)
            continue
        await asyncio.gather(*(process(application, update) for update in updates))
        if updates:
            offset = updates[-1].update_id + 1


async def process(application: App, update: Update) -> None:
    """Handle one update in its person's turn."""
    await application.update_processor.process_update(update, application.process_update(update))


class _Doorstep(asyncio.Queue[object]):
    """What a webhook's updates are put into: taken at once, so that 200 means the effect is in the database."""

    def __init__(self, application: App) -> None:
        super().__init__()
        self._application = application

    async def put(self, item: object) -> None:
        if isinstance(item, Update):
            await process(self._application, item)


async def serve_webhook(application: App, url: str, secret: str, host: str, port: int) -> Updater:
    """Listen for updates at host and port, and have Telegram send them to url with the secret in their header."""
    updater = Updater(application.bot, _Doorstep(application))
    await updater.initialize()
    await updater.start_webhook(
        listen=host,
        port=port,
        url_path=url.rstrip("/").rpartition("/")[2],
        webhook_url=url,
        secret_token=secret,
        allowed_updates=UPDATES,
        drop_pending_updates=False,
    )
    return updater


def _seconds(busy: RetryAfter) -> float:
    """Read `retry_after`: an int until PTB's next major version, a timedelta after."""
    value = busy.retry_after
    return float(value) if isinstance(value, int) else value.total_seconds()
