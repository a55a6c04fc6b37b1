"""The bots from the command line: chat, run, forget. `atelier` hands these three on to here."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bots.dialogue.menu import Menu, default_menu
from bots.platforms.console import Terminal
from bots.platforms.transcript import Line, ScriptWrong, play, read
from bots.runtime.dispatcher import Dispatcher
from core.errors import AtelierError
from jobs import logs
from jobs.privacy.forget import find
from jobs.privacy.forget import forget as forget_account
from jobs.privacy.retention import sweep_for_ever
from jobs.run import Bot
from jobs.run import run as run_parts
from jobs.services import Services, open_services
from jobs.settings import Settings, SettingsWrong, load
from jobs.worker.worker import CORE_STUDIO, Worker

NO_TELEGRAM = """\
There is no token for Telegram yet. Talk to @BotFather there (/newbot), then:
    ATELIER_TELEGRAM_TOKEN=123456:... atelier run all"""
NO_DISCORD = """\
There is no token for Discord yet. Make an application at https://discord.com/developers (Bot, Reset Token), then:
    ATELIER_DISCORD_TOKEN=... atelier run all"""
WITHOUT = "`atelier chat` is the same conversation in this terminal, without a token."
NO_TOKEN = {
    "telegram": f"{NO_TELEGRAM}\n{WITHOUT}",
    "discord": f"{NO_DISCORD}\n{WITHOUT}",
    "all": f"{NO_TELEGRAM}\n{NO_DISCORD}\n{WITHOUT}",
}


def chat(argv: Sequence[str] | None = None) -> int:
    """Hold the conversation in this terminal, or play a script; exit code 1 when a script's words do not come."""
    parser = argparse.ArgumentParser("atelier chat", description="the bot's own conversation in the terminal")
    parser.add_argument(
        "--script", type=Path, metavar="FILE", help="play a transcript; photos are looked for beside it"
    )
    parser.add_argument("--record", type=Path, metavar="FILE", help="write what is said on both sides as a transcript")
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help="where pictures are saved (default: the data folder)"
    )
    options = parser.parse_args(argv)
    try:
        settings = load()
        lines = read(options.script.read_text("utf-8")) if options.script else None
        with ExitStack() as stack:
            record = stack.enter_context(options.record.open("w", encoding="utf-8")) if options.record else None
            terminal = Terminal(options.pictures or settings.data / "chat", record)
            folder = options.script.parent if options.script else Path()
            return _finish(talk(settings, terminal, lines, folder))
    except (SettingsWrong, OSError) as wrong:
        return _refused(wrong)
    except ScriptWrong as wrong:
        print(f"{options.script}: {wrong}", file=sys.stderr)
        return 1


async def talk(
    settings: Settings,
    terminal: Terminal,
    lines: list[Line] | None,
    folder: Path,
    studio: str = CORE_STUDIO,
    menu: Menu | None = None,
) -> None:
    """Open the services and a worker, for one person in front of a terminal."""
    logs.configure(settings.log_json, logging.WARNING)
    async with open_services(settings) as services:
        dispatcher = terminal.dispatcher = Dispatcher(services, terminal, menu or default_menu(settings.sittings_a_day))
        worker = Worker(settings, services.database, services.blob_store, services.job_queue, studio)
        behind: list[Coroutine[Any, Any, None]] = [
            services.job_queue.relay(),
            worker.run(),
            sweep_for_ever(services),
            services.job_queue.listen(terminal.platform, dispatcher.bring),
            dispatcher.watch_deletions(),
        ]
        tasks = [asyncio.create_task(part) for part in behind]
        try:
            await dispatcher.resume()
            await (terminal.converse() if lines is None else play(lines, terminal, folder))
            await dispatcher.drain()
        finally:
            await dispatcher.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def run(argv: Sequence[str] | None = None) -> int:
    """Run bots and worker until they are stopped."""
    parser = argparse.ArgumentParser("atelier run", description="run the bots, the worker, or all of it")
    parser.add_argument("what", choices=("telegram", "discord", "worker", "all"))
    what = parser.parse_args(argv).what
    try:
        settings = load()
        bots = _bots(settings, what)
        if not bots and what != "worker":
            return _refused(NO_TOKEN[what])
        run_parts(settings, bots, work=what in {"worker", "all"})
    except AtelierError as wrong:
        return _refused(wrong)
    except BaseExceptionGroup as group:
        ours, others = group.split(AtelierError)
        if ours is None or others is not None:
            raise
        return _refused(*_leaves(ours))
    return 0


def _bots(settings: Settings, what: str) -> list[Bot]:
    """Return the bots to run: the one that is named, or all that there is a token for."""
    with_token = [
        (name, bot)
        for name, bot, token in (
            ("telegram", telegram, settings.telegram_token),
            ("discord", discord, settings.discord_token),
        )
        if token is not None
    ]
    return [bot for name, bot in with_token if what in {name, "all"}]


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    return [
        leaf for one in group.exceptions for leaf in (_leaves(one) if isinstance(one, BaseExceptionGroup) else [one])
    ]


def _refused(*why: object) -> int:
    for line in why:
        print(line, file=sys.stderr)
    return 2


async def telegram(services: Services) -> None:
    """Be the Telegram bot of services until cancelled."""
    from bots.platforms.telegram import service

    await service.run(services)


async def discord(services: Services) -> None:
    """Be the Discord bot of services until cancelled."""
    from bots.platforms.discord import service

    await service.run(services)


def forget(argv: Sequence[str] | None = None) -> int:
    """Delete one account everywhere and print the receipt; the operator's block list is kept here too."""
    parser = argparse.ArgumentParser("atelier forget", description="delete everything of one account, with a receipt")
    parser.add_argument("account", help="telegram:USER_ID, the account's number, or its token")
    block = parser.add_mutually_exclusive_group()
    block.add_argument("--block", action="store_true", help="and never serve this user again (telegram:USER_ID)")
    block.add_argument("--unblock", action="store_true", help="delete nothing, take the user off the block list")
    options = parser.parse_args(argv)
    try:
        return asyncio.run(_forget(load(), options))
    except SettingsWrong as wrong:
        return _refused(wrong)


async def _forget(settings: Settings, options: argparse.Namespace) -> int:
    logs.configure(settings.log_json, logging.WARNING)
    platform, _, user = options.account.partition(":")
    if (options.block or options.unblock) and not user:
        return _refused("the block list needs PLATFORM:USER_ID, such as telegram:12345")
    async with open_services(settings) as services:
        account = None if options.unblock else await find(services, options.account)
        if options.block or options.unblock:
            async with services.database.write() as tx:
                await tx.block(platform, user, options.block)
        receipt = await forget_account(services, account) if account is not None else None
    if receipt is not None:
        print(json.dumps(asdict(receipt), indent=1))
    elif not (options.block or options.unblock):
        return _refused(f"{options.account}: no such account")
    return 0


def reports(argv: Sequence[str] | None = None) -> int:
    """Print what people wrote to the operator with /report, oldest first, one JSON object a line."""
    argparse.ArgumentParser("atelier reports", description="what people wrote with /report").parse_args(argv)
    try:
        return asyncio.run(_reports(load()))
    except SettingsWrong as wrong:
        return _refused(wrong)


async def _reports(settings: Settings) -> int:
    logs.configure(settings.log_json, logging.WARNING)
    async with open_services(settings) as services, services.database.read() as tx:
        for report in await tx.reports():
            print(json.dumps(asdict(report), ensure_ascii=False))
    return 0


def _finish(talking: Coroutine[Any, Any, None]) -> int:
    with suppress(KeyboardInterrupt):
        asyncio.run(talking)
    return 0
