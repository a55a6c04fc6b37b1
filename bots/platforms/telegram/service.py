"""The Telegram bot as a part of a process: made from the settings, run until cancelled."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from telegram import Bot, BotCommand, BotCommandScopeAllPrivateChats
from telegram.error import InvalidToken, NetworkError, RetryAfter
from telegram.ext import AIORateLimiter, ExtBot
from telegram.request import HTTPXRequest

from bots.dialogue.commands import COMMANDS
from bots.dialogue.menu import Menu, default_menu
from bots.dialogue.text import LANGUAGES, said_or, say
from bots.platforms.telegram.messages import TelegramAdapter
from bots.platforms.telegram.polling import UpdatesRequest, poll
from bots.platforms.telegram.updates import Receiver
from bots.platforms.telegram.webhook import serve
from bots.runtime.dispatcher import Dispatcher
from bots.runtime.reports import announce_reports
from bots.runtime.retry import Backoff
from core.errors import SetupWrong
from jobs.services import Services
from jobs.settings import Settings

log = logging.getLogger("atelier.telegram")

CONNECTIONS: Final = 256
TIMEOUTS: Final[dict[str, Any]] = {"pool_timeout": 30, "connect_timeout": 10, "read_timeout": 30, "write_timeout": 60}


class TokenWrong(SetupWrong):
    """Telegram does not know the token."""


def build_bot(token: str, api: str | None = None) -> ExtBot[Any]:
    """Make the bot; api is the base URL of another Bot API server."""
    base = (api or "https://api.telegram.org").rstrip("/")
    return ExtBot(
        token,
        base_url=f"{base}/bot",
        base_file_url=f"{base}/file/bot",
        request=HTTPXRequest(CONNECTIONS, media_write_timeout=120, **TIMEOUTS),
        get_updates_request=UpdatesRequest(1, **TIMEOUTS),
        rate_limiter=AIORateLimiter(max_retries=0),  # a 429 is for one chat: the outbox waits for that chat alone
    )


async def run(services: Services, menu: Menu | None = None, backoff: Backoff | None = None) -> None:
    """Be the Telegram bot of these services until cancelled: by polling, or behind a webhook when one is set."""
    settings = services.settings
    assert settings.telegram_token is not None
    bot = build_bot(settings.telegram_token.get_secret_value(), settings.telegram_api)
    adapter = TelegramAdapter(bot)
    dispatcher = Dispatcher(services, adapter, menu or default_menu(settings.sittings_a_day), backoff)
    try:
        async with bot:
            try:
                await introduce(bot)
                await dispatcher.resume()
                async with asyncio.TaskGroup() as together:
                    together.create_task(services.job_queue.listen(adapter.platform, dispatcher.bring))
                    together.create_task(dispatcher.watch_deletions())
                    together.create_task(announce_reports(services, adapter))
                    together.create_task(_receive(bot, Receiver(dispatcher, bot.username), settings))
            finally:
                await dispatcher.close()  # before the bot's connections go: what is being sent needs them
    except* InvalidToken:
        raise TokenWrong("Telegram does not know ATELIER_TELEGRAM_TOKEN; take it from @BotFather again") from None


async def _receive(bot: Bot, receiver: Receiver, settings: Settings) -> None:
    if settings.telegram_webhook is None:
        await poll(bot, receiver.take)
        return
    assert settings.telegram_webhook_secret is not None
    secret = settings.telegram_webhook_secret.get_secret_value()
    host, port = settings.telegram_webhook_host, settings.telegram_webhook_port
    async with serve(bot, receiver.take, settings.telegram_webhook, secret, host, port):
        await asyncio.Event().wait()


async def introduce(bot: ExtBot[Any]) -> None:
    """Tell Telegram the commands and descriptions in every language; done at every start, which changes nothing."""
    for code in (None, *LANGUAGES):
        language = code or "en"
        commands = [BotCommand(name, said_or(language, f"command.{name}", "command.help")) for name in COMMANDS]
        try:
            await bot.set_my_commands(commands, BotCommandScopeAllPrivateChats(), language_code=code)
            await bot.set_my_description(say(language, "about.description"), language_code=code)
            await bot.set_my_short_description(say(language, "about.short"), language_code=code)
        except (RetryAfter, NetworkError) as busy:
            log.warning("not_introduced", extra={"language": language, "error": type(busy).__name__})
            return
