"""Contact sheets of many people: each photo beside the portrait that a style makes of it, to be judged by eye.

    python -m tools.picture_sheet FOLDER --style office --every 20 --out out/sheets

One portrait a person, no training, the nets loaded once. Sheets hold six pairs at half the print's size; what intake
refuses and what the judge drops is listed, dropped portraits are shown all the same. `docs/pictures.md` has the counts.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from core import frame, studio
from core.cutout.cutout import cut_out
from core.cutout.whole import cut_out_whole
from core.judge.verdict import judge
from core.models import Models
from core.scene import stage
from core.scene.style import OWN, Style, load
from core.types import U8, Identity, Selfie

HALF = (frame.PRINT[0] // 2, frame.PRINT[1] // 2)
PAIRS = (2, 3)
"""Columns and rows of a sheet."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--style", default="office")
    parser.add_argument("--every", type=int, default=1, help="take every n-th file, by name")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--outfit", help="another outfit than the style's: `own` for the sitter's own clothes")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    photos = sorted(p for p in asked.folder.iterdir() if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
    models, style, pairs = Models("embedded"), load(asked.style), []
    asked.out.mkdir(parents=True, exist_ok=True)
    chosen = photos[asked.start :: asked.every]
    for number, photo in enumerate(chosen, start=1):
        found = pair_of(photo, style, models, asked.outfit)
        print(f"{number}/{len(chosen)} {photo.name}: {found if isinstance(found, str) else found[1]}", flush=True)
        if not isinstance(found, str):
            pairs.append(found)
    for start in range(0, len(pairs), PAIRS[0] * PAIRS[1]):
        file = asked.out / f"{style.id}-{start // (PAIRS[0] * PAIRS[1]) + 1:02d}.png"
        sheet([pair for pair, _ in pairs[start : start + PAIRS[0] * PAIRS[1]]]).save(file)
        print(file)


def pair_of(photo: Path, style: Style, models: Models, outfit: str | None = None) -> tuple[Image.Image, str] | str:
    """Return a photo in the frame beside its portrait, and the judge's word; or why intake refused it."""
    selfie = studio.look(photo.read_bytes(), photo.name, models)
    if not isinstance(selfie, Selfie):
        return f"refused, {selfie.reason}"
    face = studio.map_photo(selfie, models)
    who = Identity(maps=(face,), baseline=None)
    whole = (outfit or style.outfit) == OWN
    if whole and not (face.features and face.features.own_clothes is not None):
        return "refused, own_clothes"
    lifted = (cut_out_whole if whole else cut_out)(face, models.parser)
    cutout = models.engine.prepare(lifted, face, who)
    setup = stage.set_up(face, cutout, style, stage.Choice(outfit=outfit), take=0, seed=1, retouch=0.3)
    portrait = models.engine.portrait(setup, style.id, "job", who, photo.stem, lambda: False)
    verdict = judge(portrait, face, who, models.recogniser, models.landmarker)
    word = "kept" if verdict.kept else "dropped, " + ", ".join(verdict.reasons)
    both = np.hstack([_half(frame.warp(selfie.rgb, face.transform, *frame.PRINT)), _half(portrait.rgb)])
    picture = Image.fromarray(both)
    ImageDraw.Draw(picture).text((6, 4), f"{photo.stem}: {word}", fill=(220, 0, 0))
    return picture, word


def sheet(pairs: list[Image.Image]) -> Image.Image:
    """Lay pairs out row by row."""
    width, height = 2 * HALF[0], HALF[1]
    page = Image.new("RGB", (PAIRS[0] * width, PAIRS[1] * height))
    for place, pair in enumerate(pairs):
        page.paste(pair, (place % PAIRS[0] * width, place // PAIRS[0] * height))
    return page


def _half(rgb: U8) -> U8:
    return cv2.resize(rgb, HALF, interpolation=cv2.INTER_AREA).astype(np.uint8)


if __name__ == "__main__":
    main()
