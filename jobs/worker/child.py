"""A child process that does the studio's work, so that cancelling and timing out end it for certain.

The worker keeps one child per slot, warm, and speaks JSON lines with it. A child that does not stop within the grace is
killed with everything it started, and the next job gets a new one. When the worker is killed, the kernel kills the
child (PR_SET_PDEATHSIG), and so does the closed pipe.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from core.errors import AtelierError, Refused, Stopped
from jobs.kinds.base import NotHeld, OnPortrait

NICE: Final = 10  # the studio's work gives way to everything a person is waiting for
LOAD_S: Final = 600.0  # for libraries and models; the first start on a machine compiles some, over a minute on one core
LOOKING_ALLOCATOR: Final = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
"""glibc gives pictures back as they are freed: without it a process that had looked at many kept 70 to 110 MB more.

Only where photos are looked at: a sitting frees and takes so many large arrays that it cost 10 to 20 % more processor
time, 3.6 to 4.8 s of page faults in 13 to 16 s; that process gives memory back when a job is done.
"""
LINE_BYTES: Final = 16 * 2**20
PR_SET_PDEATHSIG: Final = 1  # prctl(2)


class Died(AtelierError):
    """The child ended without an answer; `signal` is what killed it, 0 if it left by itself."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the studio's process ended with status {status}")
        self.signal = max(0, -status)


class TaskFailed(AtelierError):
    """The task raised. reason: machine word for `jobs.queue.events.Failed`; later: worth another try after a while."""

    def __init__(self, reason: str, message: str, later: bool) -> None:
        super().__init__(message)
        self.reason = reason
        self.later = later


class Child:
    """One slot's process, seen from the worker."""

    def __init__(self, queue: str, studio: str, engine: str) -> None:
        self._queue = queue
        self._studio = studio
        self._engine = engine
        self.held: frozenset[str] = frozenset()  # sha256 of the photos it holds decoded, as it said last
        self.gpu_bytes: tuple[int, int] | None = None  # in use by anybody, and there in all; None without a GPU
        self._process: asyncio.subprocess.Process | None = None
        self._ready = False

    async def start(self) -> None:
        """Start the process if there is none; it loads its models at once."""
        if self._process is not None and self._process.returncode is None:
            return
        self._ready = False
        self.held = frozenset()
        threads = str(max(1, (os.cpu_count() or 2) - 1))
        # passive: waiting threads sleep; torch's, ncnn's and OpenBLAS's would spin in each other's way, see core.cli
        limits = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": "1"}
        allocator = LOOKING_ALLOCATOR if self._queue == "look" else {}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "jobs.worker.child", self._queue, self._studio,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE_BYTES,
            env={**allocator, "OMP_WAIT_POLICY": "passive", **os.environ, **limits, "ATELIER_ENGINE": self._engine},
            start_new_session=True,
        )  # fmt: skip

    async def ready(self) -> None:
        """Wait until the process has loaded what it needs, so that no job's time is spent on that; raises Died."""
        await self.start()
        process = self._process
        assert process is not None
        assert process.stdout is not None
        if not self._ready:
            try:
                async with asyncio.timeout(LOAD_S):
                    self._ready = bool(await process.stdout.readline())
            except TimeoutError:
                await self.kill()
            if not self._ready:
                raise Died(await process.wait())

    async def do(
        self,
        kind: str,
        job: str,
        folder: Path,
        on_progress: Callable[[str, int, int], None],
        on_portrait: OnPortrait,
    ) -> dict[str, Any]:
        """Have one task done and return its result; raises Stopped, TaskFailed, Died."""
        await self.ready()
        process = self._process
        assert process is not None
        assert process.stdout is not None
        self._say({"kind": kind, "job": job, "folder": str(folder)})
        while line := await process.stdout.readline():
            word: dict[str, Any] = json.loads(line)
            self.held = frozenset(word.get("held", self.held))
            if "step" in word:
                self.gpu_bytes = tuple(word["gpu"]) if word["gpu"] else None
                on_progress(*word["step"])
            elif "portrait" in word:
                on_portrait(word["portrait"], word["to_come"])
            elif "done" in word:
                done: dict[str, Any] = word["done"]
                return done
            elif "stopped" in word:
                raise Stopped(word["stopped"])
            else:
                raise TaskFailed(**word["failed"])
        raise Died(await process.wait())

    def drop(self, digests: frozenset[str]) -> None:
        """Have it hold nothing any more of photos with these sha256."""
        self.held -= digests
        self._say({"drop": sorted(digests)})

    def stop(self) -> None:
        """Ask the running task to stop at its next step."""
        self._say({"stop": True})

    async def kill(self) -> None:
        """End the process and whatever it started, now."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._process = None

    def _say(self, word: dict[str, Any]) -> None:
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(word).encode() + b"\n")


def main(queue: str, studio: str) -> None:
    """Be the child: take tasks from standard input until it closes."""
    _die_with_parent()
    if queue == "studio":
        _give_way()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not get between the answers
    threading.Thread(target=_watch, args=(_tasks_in := _Inbox(),), daemon=True).start()
    module, _, name = studio.partition(":")
    real = getattr(importlib.import_module(module), name)()
    with suppress(AtelierError):  # what is missing is told of the first job, which meets it again
        real.warm(queue)

    def say(**word: Any) -> None:
        answers.write(json.dumps(word) + "\n")
        answers.flush()

    say(ready=True)

    def on_progress(stage: str, step: int, total: int) -> None:
        say(step=[stage, step, total], gpu=gpu_bytes())

    def on_portrait(record: dict[str, Any], to_come: int) -> None:
        say(portrait=record, to_come=to_come)

    while True:
        word = _tasks_in.take()
        try:
            if "drop" in word:
                real.drop(word["drop"])
                continue
            done = _done(word, real, on_progress, _tasks_in.stopped, on_portrait)
            say(done=done, held=real.held())
        except Stopped as stopped:
            say(stopped=str(stopped))
        except Exception as error:
            say(failed=failure_of(error))
        give_memory_back()


def give_memory_back() -> None:
    """Return freed memory to the system, where the C library is glibc (malloc_trim(3))."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def gpu_bytes() -> tuple[int, int] | None:
    """Return how many bytes of the GPU's memory are in use, and how many there are; None where torch has no GPU.

    Never the one to load torch: that is the engine's business, when a job needs it.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info()
    return total - free, total


def failure_of(error: Exception) -> dict[str, Any]:
    """Say what a raised error means for its job: why it failed, and whether another try can help."""
    if isinstance(error, NotHeld):
        return {"reason": "fault", "message": str(error), "later": True}
    if isinstance(error, Refused):
        return {"reason": error.reason, "message": str(error), "later": False}
    if isinstance(error, AtelierError):
        return {"reason": "setup", "message": str(error), "later": False}
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return {"reason": "disk_full", "message": str(error), "later": True}
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # the latter is torch's own
        return {"reason": "memory", "message": str(error), "later": True}
    where = "".join(traceback.format_exception(error))
    return {"reason": "fault", "message": where[-4000:], "later": False}  # the same bytes would fail the same way


def _done(
    word: dict[str, Any], studio: Any, on_progress: Any, should_stop: Any, on_portrait: OnPortrait
) -> dict[str, Any]:
    from jobs.kinds import registry

    job = registry.from_json(word["kind"], word["job"])
    return job.run(Path(word["folder"]), studio, on_progress, should_stop, on_portrait)


class _Inbox:
    """Tasks as they come in; a stop belongs to the task before it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tasks: deque[dict[str, Any]] = deque()
        self._stop = False

    def put(self, word: dict[str, Any]) -> None:
        with self._changed:
            if "stop" in word:
                self._stop = True
            else:
                self._tasks.append(word)
                self._stop = self._stop and "drop" in word
            self._changed.notify()

    def take(self) -> dict[str, Any]:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._tasks))
            return self._tasks.popleft()

    def stopped(self) -> bool:
        return self._stop


def _watch(inbox: _Inbox) -> None:
    """Read words until the worker is gone, then go too, whatever the main thread is doing."""
    for line in sys.stdin.buffer:
        inbox.put(json.loads(line))
    os._exit(0)


def _give_way() -> None:
    """Let everything a person waits for go first.

    Where Linux weighs sessions against each other, and every child is one, nice counts for nothing outside of its own
    session: there the session's weight is set too (sched(7), "The autogroup feature"). Two busy loops on one core, each
    a session of its own: 50 to 50 with nice 10 alone, 88 to 12 with both.
    """
    os.nice(NICE)
    for _ in range(10):
        try:
            Path("/proc/self/autogroup").write_text(str(NICE))
            return
        except BlockingIOError:  # only one process of the machine may do so in a tenth of a second
            time.sleep(0.1)
        except OSError:  # no such feature here
            return


def _die_with_parent() -> None:
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
