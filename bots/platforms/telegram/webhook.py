"""Telegram behind a webhook: 200 is answered when an update's effect is safe, else Telegram sends it again."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from telegram import Bot, Update
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from bots.platforms.telegram.polling import Take
from bots.platforms.telegram.updates import KINDS, readable

log = logging.getLogger("atelier.telegram")

ANSWER_S: Final = 30.0  # how long an update may take: Telegram hangs up after about a minute
SECRET_HEADER: Final = "X-Telegram-Bot-Api-Secret-Token"


class _Hook(RequestHandler):
    def initialize(self, take: Take, secret: str) -> None:
        self._take, self._secret = take, secret

    async def post(self) -> None:
        given = self.request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode(), self._secret.encode()):
            self.set_status(HTTPStatus.FORBIDDEN)
            return
        try:
            raw: Any = json.loads(self.request.body)
        except ValueError:
            raw = None
        if not isinstance(raw, dict):
            self.set_status(HTTPStatus.BAD_REQUEST)
            return
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._take(Update.de_json(readable(raw)))
        except Exception as error:
            log.error("update_not_safe", extra={"update": raw.get("update_id")}, exc_info=error)
            self.set_status(HTTPStatus.SERVICE_UNAVAILABLE)


@asynccontextmanager
async def serve(bot: Bot, take: Take, url: str, secret: str, host: str, port: int) -> AsyncIterator[None]:
    """Listen at host and port for what is sent to the path of `url`, and have Telegram send updates there."""
    server = HTTPServer(Application([(urlsplit(url).path or "/", _Hook, {"take": take, "secret": secret})]))
    server.listen(port, host)
    try:
        await bot.set_webhook(url, secret_token=secret, allowed_updates=KINDS, drop_pending_updates=False)
        yield
    finally:
        server.stop()
        await server.close_all_connections()
