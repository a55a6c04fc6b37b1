"""Decoding in a process of its own, under a limit of time and memory: what a server gives files of unknown origin to.

`decode` bounds the cost by the header; this bounds it by the kernel, for whatever a decoder does that the header did
not say. A photo that breaks a limit, or the decoder itself, costs this process alone, and the next starts another.
"""

from __future__ import annotations

import json
import resource
import struct
import subprocess
import sys
import threading
from base64 import b64decode, b64encode
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from core.intake.colour_space import Cicp
from core.intake.decode import MAX_DECODE_BYTES, Photo, decode
from core.intake.refusals import refuse
from core.types import Rejected

TIME_S: Final = 20.0
"""Longest time for one photo by the clock; the dearest that the header lets pass take 2 to 3 s of an idle core."""
CPU_S: Final = 10
"""Longest processor time for one photo: what ends one on a busy machine, too."""
MEMORY_BYTES: Final = MAX_DECODE_BYTES + 350_000_000
"""Most address space beyond what the idle process has: the file, the picture that is handed over, and room to spare."""
_HEAD: Final = struct.Struct("<IQ")


class BoundedDecoder:
    """`decode` behind a process that is started when first needed and ended when it breaks a limit. For one thread."""

    def __init__(self, time_s: float = TIME_S, memory_bytes: int = MEMORY_BYTES) -> None:
        self._time_s, self._memory_bytes = time_s, memory_bytes
        self._process: subprocess.Popen[bytes] | None = None

    def decode(self, data: bytes, name: str, draft: bool = False) -> Photo | Rejected:
        """Decode as `core.intake.decode.decode` does; "too_costly" where a limit is broken or the decoder dies."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        watch = threading.Timer(self._time_s, process.kill)
        watch.daemon = True
        watch.start()
        try:
            _send(process.stdin, {"name": name, "draft": draft}, data)
            told, pixels = _receive(process.stdout)
        except (OSError, EOFError):
            self.close()
            return refuse(name, "too_costly")
        finally:
            watch.cancel()
        if "reason" in told:
            return refuse(name, told["reason"], told["measured"], told["limit"])
        rgb = np.frombuffer(pixels, np.uint8).reshape(told.pop("shape"))
        profile, points = told.pop("profile"), told.pop("cicp")
        colour = b64decode(profile) if profile else Cicp(*points) if points else None
        return Photo(rgb=rgb, colour=colour, notes=tuple(told.pop("notes")), **told)

    def close(self) -> None:
        """End the process; the next photo starts another."""
        if self._process is not None:
            self._process.kill()
            for end in (self._process.stdin, self._process.stdout):
                if end is not None:
                    with suppress(OSError):  # what was not yet written has no reader any more
                        end.close()
            self._process.wait()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "core.intake.bounded", str(self._memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=Path(__file__).parents[2],
            )
        return self._process


def _send(pipe: IO[bytes], told: dict[str, Any], body: bytes) -> None:
    head = json.dumps(told).encode()
    pipe.write(_HEAD.pack(len(head), len(body)) + head)
    pipe.write(body)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    head, body = _HEAD.unpack(_exactly(pipe, _HEAD.size))
    return json.loads(_exactly(pipe, head)), _exactly(pipe, body)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    got = pipe.read(size)
    if len(got) < size:
        raise EOFError(f"{len(got)} bytes of {size}")
    return got


def _answer(pipe: IO[bytes], seen: Photo | Rejected) -> None:
    if isinstance(seen, Rejected):
        _send(pipe, {key: value for key, value in asdict(seen).items() if key in ("reason", "measured", "limit")}, b"")
        return
    rgb = np.ascontiguousarray(seen.rgb)
    told = {
        "name": seen.name, "sha256": seen.sha256, "draft": seen.draft, "focal_px": seen.focal_px,
        "missing": seen.missing, "notes": seen.notes, "shape": rgb.shape,
        "profile": b64encode(seen.colour).decode() if isinstance(seen.colour, bytes) else None,
        "cicp": [seen.colour.primaries, seen.colour.transfer] if isinstance(seen.colour, Cicp) else None,
    }  # fmt: skip
    _send(pipe, told, rgb.tobytes())


def main(memory_bytes: int) -> None:
    """Decode what standard input hands over until it closes."""
    tasks, answers = sys.stdin.buffer, sys.stdout.buffer
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
    if pages:
        most = pages * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    while True:
        try:
            told, data = _receive(tasks)
        except EOFError:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(used.ru_utime + used.ru_stime) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (spent + CPU_S, resource.RLIM_INFINITY))
        _answer(answers, decode(data, told["name"], told["draft"]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
