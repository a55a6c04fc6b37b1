"""Where the fakes' studios wait for their test: what it does meanwhile it does while they are at work, on any machine.

The environment variable STUDIO_HOLD names a file: studios go on when it is there, and at once where it is not set.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import Stopped

HOLD = "STUDIO_HOLD"


@dataclass(frozen=True, slots=True)
class Hold:
    """The test's side of it."""

    file: Path

    def let_go(self) -> None:
        """Let the studios go on, and not wait."""
        self.file.touch()

    def again(self) -> None:
        """Make them wait as before."""
        self.file.unlink()


class OfThread(threading.local):
    """What a studio that works in a thread knows of its end. killed: there is nobody any more who waits for it."""

    killed: threading.Event | None = None


of_thread = OfThread()


def wait_for_test(is_stopped: Callable[[], bool] = lambda: False) -> None:
    """Wait until the test lets go, or the work is to stop; raises Stopped in a thread that was killed."""
    file, killed = os.environ.get(HOLD), of_thread.killed
    while file is not None and not Path(file).exists() and not is_stopped():
        if killed is not None and killed.wait(0.0):
            raise Stopped("killed")
        time.sleep(0.02)
