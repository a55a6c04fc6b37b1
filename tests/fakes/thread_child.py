"""The studio's child as a thread of the test's own process: for claims about a chat, not about processes.

Starting a process for each of a worker's slots costs more than what most chats have drawn. A task ends as a child's
does: asked to stop it may stop by itself, and killed it says nothing any more.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import Stopped
from jobs.kinds import registry
from jobs.kinds.base import OnPortrait
from jobs.worker.child import Child, Died, TaskFailed, failure_of
from tests.fakes.hold import of_thread


class ThreadChild(Child):
    """See `Child`; what crosses the pipe there is turned into JSON here too."""

    def __init__(self, queue: str, studio: str, engine: str) -> None:
        super().__init__(queue, studio, engine)
        module, _, name = studio.partition(":")
        self._real: Any = getattr(importlib.import_module(module), name)()
        self._stop, self._killed = threading.Event(), threading.Event()
        self._working: asyncio.Future[dict[str, Any]] | None = None
        self._dead = asyncio.Event()

    async def start(self) -> None:
        """See `Child.start`."""

    async def ready(self) -> None:
        """See `Child.ready`."""

    async def do(
        self,
        kind: str,
        job: str,
        folder: Path,
        on_progress: Callable[[str, int, int], None],
        on_portrait: OnPortrait,
    ) -> dict[str, Any]:
        """See `Child.do`."""
        stop, killed = self._stop, self._killed = threading.Event(), threading.Event()
        dead, loop = asyncio.Event(), asyncio.get_running_loop()
        self._dead = dead

        def tell(what: Callable[..., None], *said: Any) -> None:
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(lambda: None if killed.is_set() else what(*said))

        def work() -> dict[str, Any]:
            of_thread.killed = killed
            asked = registry.from_json(kind, job)
            told = asked.run(
                folder, self._real, partial(tell, on_progress), stop.is_set,
                lambda record, to_come: tell(on_portrait, json.loads(json.dumps(record)), to_come),
            )  # fmt: skip
            answer: dict[str, Any] = json.loads(json.dumps(told))
            return answer

        self._working = loop.run_in_executor(None, work)
        either: list[asyncio.Future[Any]] = [self._working, asyncio.ensure_future(dead.wait())]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            either[1].cancel()
        if dead.is_set():
            raise Died(-signal.SIGKILL)
        try:
            done = self._working.result()
        except Stopped:
            raise
        except Exception as error:
            raise TaskFailed(**failure_of(error)) from error
        self.held = frozenset(self._real.held())
        return done

    def drop(self, digests: frozenset[str]) -> None:
        """See `Child.drop`."""
        self.held -= digests
        self._real.drop(digests)

    def stop(self) -> None:
        """See `Child.stop`."""
        self._stop.set()

    async def kill(self) -> None:
        """See `Child.kill`."""
        self._stop.set()
        self._killed.set()
        self._dead.set()
        if self._working is not None:  # what it writes last is written before its folder is cleared away
            await asyncio.gather(self._working, return_exceptions=True)
