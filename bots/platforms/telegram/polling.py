"""Telegram by polling: updates are asked for until their effects are safe.

Telegram repeats every update until one with a higher number is asked for. Each is handled by a task of its own, and
`offset` passes an update only when it and all before it are safe, so a process that is killed is told them again
(the dispatcher knows them by their numbers) and nobody waits for somebody else's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from telegram import Bot, Update
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from bots.platforms.telegram.messages import seconds
from bots.platforms.telegram.updates import KINDS, readable
from bots.runtime.retry import Backoff

log = logging.getLogger("atelier.telegram")

POLL_S: Final = 25
BUSY_S: Final = 0.25  # between two requests while updates are being handled
CONFLICT_S: Final = 10.0
AWAY: Final = Backoff(first_s=1.0, factor=2.0, most_s=30.0)

Take = Callable[[Update], Coroutine[Any, Any, None]]


class UpdatesRequest(HTTPXRequest):
    """The connection that updates are asked for on: one that the library cannot read is replaced by an empty one."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """See `BaseRequest.parse_json_payload`."""
        answer: dict[str, Any] = HTTPXRequest.parse_json_payload(payload)
        if isinstance(answer.get("result"), list):
            answer["result"] = [readable(raw) for raw in answer["result"]]
        return answer


class _Unsafe:
    """Updates that were taken and not confirmed yet, in the order of their numbers."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def begin(self, update: Update) -> None:
        """Handle an update, unless it is being handled."""
        if update.update_id not in self._tasks:
            self._tasks[update.update_id] = asyncio.create_task(self._take(update))

    @property
    def busy(self) -> bool:
        return any(not task.done() for task in self._tasks.values())

    def confirmable(self, offset: int) -> int:
        """Return the offset that passes every update which is safe and has only safe ones before it."""
        for number in sorted(self._tasks):
            task = self._tasks[number]
            if not task.done():
                break
            if task.exception() is not None:
                log.error("update_not_safe", extra={"update": number}, exc_info=task.exception())
                del self._tasks[number]  # it is told again
                break
            del self._tasks[number]
            offset = number + 1
        return offset

    async def wait(self) -> None:
        """Wait until all are handled, for a moment at most."""
        running = [task for task in self._tasks.values() if not task.done()]
        if running:
            await asyncio.wait(running, timeout=BUSY_S)

    async def cancel(self) -> None:
        """Stop handling; Telegram tells them again."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


async def poll(bot: Bot, take: Take) -> None:
    """Ask for updates until cancelled. Raises InvalidToken."""
    offset, waits, unsafe = 0, AWAY.waits(), _Unsafe(take)
    await bot.delete_webhook(drop_pending_updates=False)
    try:
        while True:
            await unsafe.wait()
            offset = unsafe.confirmable(offset)
            timeout = 0 if unsafe.busy else POLL_S
            try:
                updates = await bot.get_updates(
                    offset=offset, timeout=timeout, read_timeout=timeout + 10, allowed_updates=KINDS
                )
                waits = AWAY.waits()
            except InvalidToken:
                raise
            except Conflict:
                log.error("another process is polling with this token: only one may", extra={"wait_s": CONFLICT_S})
                await asyncio.sleep(CONFLICT_S)
                continue
            except TelegramError as away:
                wait_s = max(next(waits), seconds(away) if isinstance(away, RetryAfter) else 0.0)
                log.warning("telegram_away", extra={"error": type(away).__name__, "wait_s": wait_s})
                await asyncio.sleep(wait_s)
                continue
            for update in updates:
                unsafe.begin(update)
    finally:
        await unsafe.cancel()
