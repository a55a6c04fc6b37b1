"""Measure the studio on this machine: `make bench`. Prints min / median / max in seconds, and peak memory in MB.

All on photos that ship in packages. Close other programs first: figures from a busy machine say little.
"""

from __future__ import annotations

import io
import resource
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from core import studio
from core.cutout.cutout import cut_out
from core.engines.redress.generate import draw_torso, dress
from core.engines.redress.nets import Nets
from core.face.landmarks import map_face
from core.intake import review
from core.models import Models
from core.scene.stage import Choice, set_up
from core.scene.style import load
from core.types import Selfie
from tools.demo import HOPPER

TILED = Path(__file__).parents[1] / "tests" / "pictures" / "phone.heic"


def main() -> int:
    """Run every measurement once, and print a line for each."""
    models = Models("embedded")

    def look_and_map(large: bytes) -> None:
        selfie = review.look(large, "large", models)
        if not isinstance(selfie, Selfie):
            raise SystemExit(f"the 12 Mpx photo was refused: {selfie.reason}")
        map_face(selfie)

    _line("intake and map, 12 Mpx JPEG", partial(look_and_map, _twelve_megapixels(HOPPER)), 7)
    _line("intake and map, 12 Mpx HEIC", partial(look_and_map, TILED.read_bytes()), 7)
    _line("an undecodable file", lambda: review.look(b"no photo" * 999, "x.jpg", models), 7)
    selfie = review.look(HOPPER.read_bytes(), HOPPER.name, models)
    if not isinstance(selfie, Selfie):
        raise SystemExit(f"the sample photo was refused: {selfie.reason}")
    face = map_face(selfie)
    _line("cutout at print size", lambda: cut_out(face, models.parser), 3)
    setup = set_up(face, cut_out(face, models.parser), load("office"), Choice(), 0, 1, 0.3)
    nets = Nets()
    _line("one torso, put on", lambda: dress(setup, draw_torso(setup, nets, studio.never), nets), 3)
    with TemporaryDirectory() as folder:
        sitting = studio.Sitting(styles=("office", "founder"), count=1)
        photos = [(HOPPER.name, HOPPER.read_bytes())]
        numbers = iter(range(9))
        _line(
            "two portraits, full print",
            lambda: studio.shoot(photos, sitting, Path(folder) / str(next(numbers)), models),
            2,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak memory of this process':32} {peak:8.0f} MB")
    return 0


def _line(what: str, work: Callable[[], object], times: int) -> None:
    """Do the work once to warm up, then measure it and print a line."""
    work()
    seconds = []
    for _ in range(times):
        since = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - since)
    print(f"{what:32} {min(seconds):8.3f} {statistics.median(seconds):8.3f} {max(seconds):8.3f} s", flush=True)


def _twelve_megapixels(photo: Path) -> bytes:
    """Enlarge a photo to 12 megapixels with a little noise, as a phone would deliver it."""
    with Image.open(photo) as picture:
        scale = (12e6 / (picture.width * picture.height)) ** 0.5
        size = (round(picture.width * scale), round(picture.height * scale))
        large = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS), np.int16)
    noise = np.random.default_rng(0).normal(0, 2, large.shape)
    out = io.BytesIO()
    Image.fromarray(np.clip(large + noise, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=92)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
