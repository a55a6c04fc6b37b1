"""When something that failed is tried again: one schedule for replies, effects, deletions and updates."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from redis.exceptions import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bots.platforms.base import NotNow
from jobs.storage.base import Conflict
from jobs.storage.blobs import BlobStoreDown

log = logging.getLogger("atelier.retry")

T = TypeVar("T")

TRANSIENT: Final = (
    NotNow, BlobStoreDown, Conflict, OperationalError, InterfaceError, PoolTimeout, RedisError, ConnectionError,
    TimeoutError,
)  # fmt: skip
"""What passes by itself: the platform, the database, the blob store or the queue server is away or busy."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Growing waits in seconds: `first_s`, then `factor` times the one before, at most `most_s`; they never end."""

    first_s: float = 1.0
    factor: float = 4.0
    most_s: float = 300.0

    def waits(self) -> Iterator[float]:
        """Yield the waits."""
        wait = self.first_s
        while True:
            yield min(wait, self.most_s)
            wait = min(wait * self.factor, self.most_s)


def wait_after(error: BaseException, wait_s: float) -> float:
    """Return how long to wait after an error: at least as long as the platform asked for."""
    return max(wait_s, error.retry_after_s if isinstance(error, NotNow) else 0.0)


async def until_done(
    what: str,
    action: Callable[[], Awaitable[T]],
    backoff: Backoff,
    final: tuple[type[Exception], ...] = (),
    failed: Callable[[int], Awaitable[None]] | None = None,
) -> T:
    """Do something until it succeeds, whatever it raises; return its result.

    final: errors that no further try mends; they are raised. failed: called with the number of failures after each.
    """
    for failures, wait_s in enumerate(backoff.waits(), 1):
        try:
            return await action()
        except final:
            raise
        except Exception as error:
            wait_s = wait_after(error, wait_s)
            known = isinstance(error, TRANSIENT)
            log.warning(
                "tried_again",
                extra={"what": what, "error": type(error).__name__, "failures": failures, "wait_s": wait_s},
                exc_info=None if known else error,
            )
        if failed is not None:
            await failed(failures)
        await asyncio.sleep(wait_s)
    raise AssertionError("the waits never end")
