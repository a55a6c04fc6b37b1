"""Draw the base model's contact sheets of the demo's two sitters: `python -m tools.base_sheets`, into docs/.

base-torso.png: for each sitter what is asked for, kind by kind, and below it what the torso net drew of that, alone,
at twice its size by Real-ESRGAN. base-head.png: Hopper's head as it is and spoilt at three strengths, then Collins's
as her photo has it, 41 px between the eyes; below each what the head net makes of it.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from core import studio
from core.cutout.cutout import cut_out
from core.engines.redress import generate, repair
from core.engines.redress.garment import KINDS
from core.engines.redress.nets import Nets, predict_head
from core.models import Models
from core.scene import stage
from core.scene.style import load
from core.types import F32, U8, FaceMap, Selfie
from tools.demo import COLLINS, HOPPER

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
OUTFITS: Final = ("navy_suit", "navy_open", "dark_blazer", "black_turtleneck", "grey_crew")
CELL: Final = (192, 108)
"""Width and height of a torso on the sheet."""
STRENGTHS: Final = (0.4, 0.7, 1.0)
GREY: Final = 0.55


def main() -> int:
    """Write both sheets."""
    models, nets = Models("embedded"), Nets()
    maps = []
    for photo in (HOPPER, COLLINS):
        selfie = studio.look(photo.read_bytes(), photo.name, models)
        assert isinstance(selfie, Selfie)
        maps.append(studio.map_photo(selfie, models))
    _write("base-torso.png", np.vstack([rows for face in maps for rows in torsos(face, models, nets)]))
    _write("base-head.png", heads(maps[0], maps[1], nets))
    return 0


def torsos(face: FaceMap, models: Models, nets: Nets) -> tuple[F32, F32]:
    """Return a row of what is asked for and a row of what the net drew of it, float32 sRGB 0..1."""
    cutout, office = cut_out(face, models.parser), load("office")
    asked, drawn = [], []
    for outfit in OUTFITS:
        setup = stage.set_up(face, cutout, office, stage.Choice(outfit=outfit), 0, 1, 0.0)
        packed = generate.conditioning(setup)
        made = generate.draw_conditioned(packed, KINDS.index(generate.drawn_kind(setup)) + 1, 1, nets, lambda: False)
        regions = (packed[:4].transpose(1, 2, 0) + 1) / 2
        asked.append(_on_grey(regions[..., :3], regions[..., 3]))
        drawn.append(_on_grey(nets.upscale(np.ascontiguousarray(made[..., :3])), made[..., 3]))
    return np.hstack(asked), np.hstack(drawn)


def _on_grey(rgb: F32, matte: F32) -> F32:
    rgb, matte = cv2.resize(rgb, CELL, interpolation=cv2.INTER_AREA), cv2.resize(matte, CELL)
    return (rgb * matte[..., None] + GREY * (1 - matte[..., None])).astype(np.float32)


def heads(hopper: FaceMap, collins: FaceMap, nets: Nets) -> F32:
    """Return two rows, spoilt and restored: Hopper's head as it is and at three strengths, and Collins's as it is."""
    predict = partial(predict_head, nets.head)
    truth = repair.head_of(hopper.selfie.rgb, hopper.selfie.face.landmarks)
    own = repair.head_of(collins.selfie.rgb, collins.selfie.face.landmarks)
    before = [(truth, 0.0), *((repair.degrade(truth, s, np.random.default_rng(1)), s) for s in STRENGTHS)]
    before.append((own, repair.need_of(collins)))
    return np.vstack(
        [
            np.hstack([rgb for rgb, _ in before]),
            np.hstack([repair.restore(predict, rgb, strength) for rgb, strength in before]),
        ]
    )


def _write(name: str, sheet: F32) -> None:
    pixels: U8 = np.round(np.clip(sheet, 0, 1) * 255).astype(np.uint8)
    cv2.imwrite(str(DOCS / name), pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    sys.exit(main())
