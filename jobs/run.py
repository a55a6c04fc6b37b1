"""Start a process: worker, bots, or everything in one.

    atelier run worker     everything(settings, work=True)
    atelier run telegram   everything(settings, [telegram], work=False)
    atelier run all        everything(settings, [telegram], work=True)

A bot is a coroutine function that is given the Services and runs until cancelled. What fails is started
again with growing pauses; a wrong setting (SetupWrong) ends the process, since waiting does not help.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

import structlog

from core.errors import SetupWrong
from jobs import logs, metrics
from jobs.allocator import give_back_freed
from jobs.privacy.retention import sweep_for_ever
from jobs.services import Services, open_services
from jobs.settings import Settings
from jobs.worker.worker import CORE_STUDIO, QUEUES, Worker

log = structlog.get_logger("atelier.run")

Bot = Callable[[Services], Awaitable[None]]

PAUSE_S: Final = (0.5, 60.0)  # first and longest pause before something is started again
HEALTHY_S: Final = 300.0  # after running so long, the next failure counts as the first


def run(
    settings: Settings,
    bots: Sequence[Bot] = (),
    work: bool = True,
    studio: str = CORE_STUDIO,
) -> None:
    """Run `everything` in this process until SIGTERM or SIGINT."""
    give_back_freed()
    logs.configure(settings.log_json)
    asyncio.run(everything(settings, bots, work, studio))


async def everything(
    settings: Settings,
    bots: Sequence[Bot] = (),
    work: bool = True,
    studio: str = CORE_STUDIO,
) -> None:
    """Run bots and worker until SIGTERM or SIGINT; then running jobs are given back, and all is closed."""
    me = asyncio.current_task()
    assert me is not None
    loop = asyncio.get_running_loop()
    stopping: list[int] = []

    def stop(sign: int) -> None:
        if not stopping:
            me.cancel()
        stopping.append(sign)

    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop, sign)
    try:
        async with open_services(settings) as services, asyncio.TaskGroup() as together:
            parts: list[tuple[str, Callable[[], Awaitable[Any]]]] = [("relay", services.job_queue.relay)]
            if settings.metrics_port:
                serve = partial(
                    metrics.serve, settings.metrics_host, settings.metrics_port, services.database, services.checks
                )
                parts.append(("metrics", serve))
            if work:
                queues = tuple(queue for queue in QUEUES if settings.queues in ("all", queue))
                worker = Worker(settings, services.database, services.blob_store, services.job_queue, studio)
                parts += [("worker", partial(worker.run, queues)), ("sweep", partial(sweep_for_ever, services))]
            parts += [(getattr(bot, "__name__", "bot"), partial(bot, services)) for bot in bots]
            for name, part in parts:
                together.create_task(_kept(name, part))
            log.info("running", parts=[name for name, _ in parts])
    except asyncio.CancelledError:
        if not stopping:
            raise
        log.info("stopped", signal=signal.Signals(stopping[0]).name)
    finally:
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(sign)


async def _kept(name: str, part: Callable[[], Awaitable[Any]]) -> None:
    """Run a part of the process, again when it fails."""
    pause = PAUSE_S[0]
    while True:
        began = time.monotonic()
        try:
            await part()
            return
        except* SetupWrong as wrong:
            raise wrong.exceptions[0] from None
        except* Exception:
            log.exception("part_failed", part=name, again_in_s=pause)
        if time.monotonic() - began > HEALTHY_S:
            pause = PAUSE_S[0]
        await asyncio.sleep(pause)
        pause = min(PAUSE_S[1], pause * 2)
