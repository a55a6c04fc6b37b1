"""Measure how well people are known in their drawings: `python -m tools.measure_looks SITTERS STRANGERS`.

SITTERS, STRANGERS: folders of photos, one person each. Every sitter is photographed, drawn in each look as milder as
`core.judge.drawing` asks for, and compared with 100 strangers. Prints a Markdown table, as docs/looks.md has it, and
how far the sitters' own shapes are from one another: what the limit of a drawing's shape is to be read against.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from core import studio
from core.cutout.cutout import cut_out
from core.judge.drawing import SHAPE_LIMIT, drawn_recognisably, seen_from_afar
from core.judge.realism import shape_error
from core.judge.verdict import judge
from core.looks.finish import finish_settings, newest
from core.models import Models
from core.scene import stage
from core.scene.style import load
from core.types import F32, FaceMap, Identity, Portrait, Selfie, Verdict

STRANGERS: Final = 100
STYLE: Final = "office"


def strangers_of(folder: Path, models: Models) -> F32:
    """Return the embeddings (N, 128) of the first STRANGERS photos that show one face."""
    found: list[F32] = []
    for path in sorted(folder.iterdir()):
        rgb = cv2.imread(str(path))
        embedding = None if rgb is None else models.recogniser.embed_only(np.ascontiguousarray(rgb[..., ::-1]))
        if embedding is not None:
            found.append(embedding)
        if len(found) == STRANGERS:
            break
    return np.stack(found)


def photographed(path: Path, models: Models) -> tuple[Portrait, Verdict, FaceMap] | None:
    """Return a photo's portrait with its verdict and map, None where the photo is refused."""
    selfie = studio.look(path.read_bytes(), path.name, models)
    if not isinstance(selfie, Selfie):
        return None
    face = studio.map_photo(selfie, models)
    who = Identity(maps=(face,), baseline=None)
    cutout = models.engine.prepare(cut_out(face, models.parser), face, who)
    setup = stage.set_up(face, cutout, load(STYLE), stage.Choice(), 0, 1, 0.3)
    portrait = models.engine.portrait(setup, STYLE, "personal", who, path.stem, lambda: False)
    return portrait, judge(portrait, face, who, models.recogniser, models.landmarker), face


def shapes_apart(faces: Sequence[FaceMap]) -> F32:
    """Return how far each face's shape is from each other's, in eye distances (`core.judge.realism.shape_error`)."""
    pairs = ((one, other) for one in faces for other in faces if one is not other)
    return np.array([shape_error(one.landmarks, other.landmarks) for one, other in pairs], np.float32)


def main() -> int:
    """Print the table of all looks, or of those named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sitters", type=Path)
    parser.add_argument("strangers", type=Path)
    parser.add_argument("--look", action="append", choices=tuple(newest()))
    options = parser.parse_args()
    models = Models("embedded")
    others = strangers_of(options.strangers, models)
    made = (photographed(path, models) for path in sorted(options.sitters.iterdir()))
    sitters = [one for one in made if one is not None]
    print("| look | drawn boldly | milder | left out | median likeness | before all strangers | shape off, 95 % |")
    print("|---|---|---|---|---|---|---|")
    for look in options.look or newest():
        bold, mild, likeness, shapes, first = 0, 0, [], [], 0
        for portrait, verdict, face in sitters:
            portrait.recipe.settings["finish"] = finish_settings(look)
            drawn, judged = drawn_recognisably(portrait, verdict, face, models.recogniser, models.landmarker)
            shapes.append(judged.measures["drawing_shape"])
            if "drawing_unlike" in judged.reasons:
                continue
            strength = drawn.recipe.settings["finish"]["strength"]
            bold, mild = bold + (strength == 1), mild + (strength < 1)
            likeness.append(judged.measures["drawing"])
            embedding = models.recogniser.embed(*seen_from_afar(drawn.rgb, drawn.layers.landmarks))
            first += bool((others @ embedding < likeness[-1]).all())
        kept = bold + mild
        median = f"{np.median(likeness):.2f}" if kept else "-"
        off = f"{np.percentile(shapes, 95):.3f}"
        left_out = len(sitters) - kept
        print(f"| {look} | {bold} | {mild} | {left_out} | {median} | {first} of {kept} | {off} |", flush=True)
    apart = shapes_apart([face for _, _, face in sitters])
    within = f"{np.mean(apart <= SHAPE_LIMIT):.0%} of them within {SHAPE_LIMIT}"
    print(f"\n{len(apart)} pairs of sitters: median {np.median(apart):.3f} apart, {within}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
