"""Send mutated photos through the whole intake in a child process: python -m tools.fuzz_intake [--count N] [--seed K]

Seeds are made from the two pictures that ship with matplotlib and scikit-image, in every format the intake meets. A
mutation changes bytes, sizes and order, cuts, repeats or splices. Each file is looked at by `core.intake.review.look`
in a child that is started again when it dies. A crash, more than 3 s or more than 600 MB is a finding: the file is
kept under --keep, and the exit code is 1. Time is the lesser of clock and processor time, so that a busy machine does
not count; memory is the child's peak with every net loaded. Linux only: the kernel resets the peak for each file.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import select
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import cv2
import matplotlib
import numpy as np
import skimage.data
from PIL import Image, ImageCms
from rich.console import Console
from rich.table import Table

from core.types import Rejected

ALLOCATOR: Final = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
"""As the worker's child has it (`jobs.worker.child.LOOKING_ALLOCATOR`)."""
MOST_S: Final = 3.0
MOST_MB: Final = 600.0
HUNG_S: Final = 90.0
HOPPER: Final = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
HEIC: Final = Path(__file__).parents[1] / "tests" / "pictures"


def seeds() -> dict[str, list[bytes]]:
    """Make whole files of every format, small and large."""
    hopper = Image.open(HOPPER).convert("RGB")
    collins = Image.fromarray(skimage.data.astronaut())
    large = Image.fromarray(np.asarray(cv2.resize(np.asarray(hopper), (2048, 2400), interpolation=cv2.INTER_CUBIC)))
    clear = collins.copy()
    clear.putalpha(200)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6

    def packed(picture: Image.Image, kind: str, **options: Any) -> bytes:
        file = io.BytesIO()
        picture.save(file, kind, **options)
        return file.getvalue()

    two = {"save_all": True, "append_images": [collins.rotate(9)], "duration": 90}
    deep = Image.fromarray(np.asarray(collins.convert("L")).astype(np.uint16) * 257)
    return {
        "jpeg": [
            packed(hopper, "JPEG", quality=90, icc_profile=srgb, exif=exif),
            packed(collins, "JPEG", quality=80, progressive=True),
            packed(large, "JPEG", quality=85, subsampling=0, progressive=True),
            packed(large, "JPEG", quality=90, restart_marker_rows=4),
            packed(collins.convert("CMYK"), "JPEG"),
            packed(collins.convert("L"), "JPEG"),
        ],
        "png": [
            packed(hopper, "PNG", icc_profile=srgb),
            packed(clear, "PNG", compress_level=1),
            packed(collins.quantize(64), "PNG"),
            packed(deep, "PNG"),
            packed(collins, "PNG", **two),
        ],
        "webp": [
            packed(hopper, "WEBP", quality=80, exif=exif, icc_profile=srgb),
            packed(collins, "WEBP", lossless=True, method=0),
            packed(clear, "WEBP", quality=70),
            packed(collins, "WEBP", **two),
            packed(large, "WEBP", quality=60, method=0),
        ],
        "avif": [
            packed(hopper, "AVIF", quality=70, speed=9, exif=exif),
            packed(clear, "AVIF", quality=50, speed=9),
            packed(collins, "AVIF", speed=9, **two),
        ],
        "heic": [(HEIC / "astronaut.heic").read_bytes(), (HEIC / "phone.heic").read_bytes()],
        "tiff": [packed(hopper, "TIFF"), packed(collins, "TIFF", compression="tiff_lzw")],
        "gif": [packed(hopper, "GIF"), packed(collins, "GIF", **two)],
    }


def mutated(whole: bytes, other: bytes, luck: Random) -> bytes:
    """Change a file in one to four ways."""
    data = bytearray(whole)
    for _ in range(luck.randint(1, 4)):
        if len(data) < 16:
            break
        front = luck.random() < 0.5
        at = luck.randrange(min(len(data), 700) if front else len(data))
        size = luck.choice((1, 2, 4, 16, 400, max(1, len(data) // 50)))
        way = luck.randrange(9)
        if way == 0:  # a byte
            data[at] = luck.randrange(256)
        elif way == 1:  # a bit
            data[at] ^= 1 << luck.randrange(8)
        elif way == 2:  # a number, as sizes and counts are stored
            width = luck.choice((1, 2, 3, 4))
            number = luck.choice((0, 1, 2**7, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), luck.getrandbits(8 * width)))
            data[at : at + width] = (number % 2 ** (8 * width)).to_bytes(width, luck.choice(("big", "little")))
        elif way == 3:  # cut short
            del data[luck.randrange(len(data)) :]
        elif way == 4:  # a piece is missing
            del data[at : at + size]
        elif way == 5:  # a piece comes twice, or many times
            data[at:at] = data[at : at + size] * luck.choice((1, 1, 2, 200))
        elif way == 6:  # a piece of another file
            start = luck.randrange(len(other))
            data[at : at + size] = other[start : start + size]
        elif way == 7:  # zeros or ones
            data[at : at + size] = bytes([luck.choice((0, 255))]) * min(size, len(data) - at)
        else:  # something behind it
            data += other[:5000]
    return bytes(data)


@dataclass(frozen=True, slots=True)
class Look:
    """What became of one file. verdict: "kept", a reason, or "died" or "hung"."""

    kind: str
    verdict: str
    seconds: float
    mb: float

    @property
    def finding(self) -> bool:
        return self.verdict in ("died", "hung") or self.seconds > MOST_S or self.mb > MOST_MB


class Child:
    """The process that looks; started again after it died or was killed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def look(self, kind: str, data: bytes) -> Look:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tools.fuzz_intake", "--child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**ALLOCATOR, **os.environ},
            )
            assert self._process.stdout is not None
            self._process.stdout.readline()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(len(data).to_bytes(8, "big") + data)
            process.stdin.flush()
        except BrokenPipeError:
            return Look(kind, "died", 0.0, 0.0)
        if not select.select([process.stdout], [], [], HUNG_S)[0]:
            process.kill()
            process.wait()
            return Look(kind, "hung", HUNG_S, 0.0)
        line = process.stdout.readline()
        if not line:
            process.wait()
            return Look(kind, "died", 0.0, 0.0)
        return Look(kind, **json.loads(line))

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()
            self._process = None


def _be_child() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from core.intake import review
    from core.models import Models

    models = Models()
    review.look(HOPPER.read_bytes(), "warm", models)
    print("ready", file=answers, flush=True)
    while len(head := sys.stdin.buffer.read(8)) == 8:
        data = sys.stdin.buffer.read(int.from_bytes(head, "big"))
        Path("/proc/self/clear_refs").write_text("5")  # begin a new peak
        clock, processor = time.perf_counter(), time.process_time()
        seen = review.look(data, "photo", models)
        seconds = min(time.perf_counter() - clock, time.process_time() - processor)
        status = Path("/proc/self/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
        verdict = seen.reason if isinstance(seen, Rejected) else "kept"
        print(json.dumps({"verdict": verdict, "seconds": seconds, "mb": peak}), file=answers, flush=True)


def run(count: int, seed: int, keep: Path) -> Iterator[Look]:
    """Look at `count` files, formats in turn, small ones more often; the same seed makes the same files."""
    whole, luck, child = seeds(), Random(seed), Child()
    every = [file for files in whole.values() for file in files]
    for number in range(count):
        kind = list(whole)[number % len(whole)]
        seed_file = min(luck.sample(whole[kind], 2) if luck.random() < 0.8 else [luck.choice(whole[kind])], key=len)
        data = mutated(seed_file, luck.choice(every), luck)
        seen = child.look(kind, data)
        if seen.finding:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{seed}-{number}-{seen.verdict}.{kind}").write_bytes(data)
        yield seen
    child.close()


def main() -> int:
    """Print a line for each format; 1 where something was found."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--count", type=int, default=3000)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    ask.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = ask.parse_args()
    if options.child:
        _be_child()
        return 0
    by_kind: dict[str, list[Look]] = defaultdict(list)
    for done, seen in enumerate(run(options.count, options.seed, options.keep), start=1):
        by_kind[seen.kind].append(seen)
        if done % 250 == 0:
            print(f"{done} of {options.count}", file=sys.stderr, flush=True)
    table = Table("format", "files", "findings", "longest s", "most MB", "verdicts")
    for kind, looks in by_kind.items():
        verdicts = Counter(look.verdict for look in looks)
        counts = ", ".join(f"{verdict} {number}" for verdict, number in verdicts.most_common())
        slowest, largest = max(look.seconds for look in looks), max(look.mb for look in looks)
        found = sum(look.finding for look in looks)
        table.add_row(kind, str(len(looks)), str(found), f"{slowest:.2f}", f"{largest:.0f}", counts)
    Console(width=160).print(table)
    return int(any(look.finding for looks in by_kind.values() for look in looks))


if __name__ == "__main__":
    sys.exit(main())
