"""Measure edits on this machine, as a worker's process has it: from a tap to JPEG bytes, layers in memory.

    OMP_WAIT_POLICY=passive OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 python -m tools.bench_tweaks

The demo's sitter at full print, 1024x1280. Prints the median of three runs of every edit, slowest first, and the median
and 95th percentile of those that change pixels of the print, and of the small pictures of GARMENTS, one after the other
over layers that are small already. Close other programs first: figures from a busy machine say little.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from typing import Final

from core.deliver.files import encode
from core.edit.offered import offered
from core.edit.preview import preview, shrunk
from core.edit.recipe import develop, edit, pruned
from core.errors import Refused
from core.models import Models
from core.types import Portrait
from tools.demo import HOPPER
from tools.tweak_sheets import portrait_of

APART: Final = ("format", "upscale")
"""Edits whose picture has another size: told one by one."""
GARMENTS: Final = ("black_turtleneck", "navy_open", "white_shirt_tie", "cream_blouse")
RUNS: Final = 3


def main() -> int:
    """Time every edit at its strongest."""
    portrait = portrait_of(HOPPER, Models("embedded"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    edits = {name: values for family in offered().families.values() for name, values in family.items()}
    seconds = {}
    for name, values in edits.items():
        for value in values if name in APART else values[-1:]:
            text = f"{name}={value}"
            try:
                seconds[text] = _timed(portrait, text)
            except Refused as refused:
                print(f"{text:32} refused: {refused}")
    for text, (taken, worked) in sorted(seconds.items(), key=lambda entry: -entry[1][0]):
        print(f"{text:32} {taken:7.3f} s, {worked:7.3f} s of processor")
    pixels = [each for text, each in seconds.items() if not text.startswith(APART)]
    for at, name in enumerate(("wall clock", "processor")):
        ordered = sorted(each[at] for each in pixels)
        high = ordered[int(0.95 * len(ordered))]
        print(f"{len(ordered)} pixel edits, {name}: median {statistics.median(ordered):.3f} s, 95 % {high:.3f} s")
    clock, processor = _previews(portrait)
    print(f"preview of another garment: median {clock:.3f} s, {processor:.3f} s of processor")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {after:.0f} MB, {after - before:.0f} MB more than after the shoot that made it")
    return 0


def _previews(portrait: Portrait) -> tuple[float, float]:
    """Return the medians of the previews of GARMENTS, seconds by the clock and of processor time, but for the first."""
    small, runs = shrunk(portrait.layers), []
    recipes = [edit(portrait.recipe, f"outfit={garment}") for garment in GARMENTS]
    for recipe in recipes * (RUNS + 1):
        since, worked = time.perf_counter(), time.process_time()
        preview(small, recipe)
        runs.append((time.perf_counter() - since, time.process_time() - worked))
    clock, processor = zip(*runs[len(recipes) :], strict=True)
    return statistics.median(clock), statistics.median(processor)


def _timed(portrait: Portrait, text: str) -> tuple[float, float]:
    """Return the medians of RUNS runs: seconds by the clock, and of processor time on all cores."""
    runs = []
    for _ in range(RUNS):
        since, worked = time.perf_counter(), time.process_time()
        recipe = edit(portrait.recipe, text)
        encode(develop(portrait.layers, recipe), ".jpg", pruned(recipe))
        runs.append((time.perf_counter() - since, time.process_time() - worked))
    clock, processor = zip(*runs, strict=True)
    return statistics.median(clock), statistics.median(processor)


if __name__ == "__main__":
    sys.exit(main())
