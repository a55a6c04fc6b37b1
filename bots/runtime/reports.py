"""Reports to the operator: what people wrote with /report goes to the operator's chat, each once it is certain.

The words stay sealed under their author's key, and the message is one of the author's: a deletion takes it away again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from bots.dialogue import effects as fx
from bots.dialogue.text import say
from bots.platforms.base import Adapter
from bots.runtime.retry import Backoff
from jobs.services import Services
from jobs.storage.accounts import Report

log = logging.getLogger("atelier.reports")

LOOKED_FOR_S: Final = 5.0  # how often new reports are looked for


async def announce_reports(services: Services, adapter: Adapter, every_s: float = LOOKED_FOR_S) -> None:
    """Tell the operator's chat of every report, until cancelled; at once done where it is on another platform."""
    platform, _, chat = (services.settings.operator_chat or "").partition(":")
    if platform != adapter.platform:
        return
    waits = Backoff(every_s).waits()
    while True:
        try:
            async with services.database.read() as tx:
                reports = await tx.reports(unannounced=True)
            for report in reports:
                await _announce(services, adapter, chat, report)
            waits = Backoff(every_s).waits()
        except Exception as error:
            log.warning("reports_wait", extra={"error": type(error).__name__})
        await asyncio.sleep(next(waits))


async def _announce(services: Services, adapter: Adapter, chat: str, report: Report) -> None:
    text = fx.Say(say("en", "report.operator", account=report.token, text=report.text))
    handles = await adapter.show(chat, text, None, _no_picture)
    async with services.database.write() as tx:
        await tx.announced(report.id)
        for handle in handles:
            await tx.remember_message(report.account, adapter.platform, "", handle)


async def _no_picture(picture: fx.Picture) -> bytes:
    raise LookupError(picture.name)
