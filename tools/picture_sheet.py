"""Contact sheets of many people: each photo beside the portrait that a style makes of it, to be judged by eye.

    python -m tools.picture_sheet FOLDER --style office --every 20 --out out/sheets

One portrait a person, no training, the nets loaded once. Sheets hold six pairs at half the print's size; what intake
refuses and what the judge drops is listed, dropped portraits are shown all the same. With `--labels FOLDER` (pictures
of the photos' names, soft hair in their red channel) it says how much of the photo's hair inside the print the portrait
shows. At the end it says how far the portraits are from one set: eye lines, head heights and backdrops
(`core.judge.consistency`). `docs/pictures.md` has the counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from core import frame, studio
from core.cutout.cutout import cut_out
from core.cutout.whole import cut_out_whole
from core.judge.consistency import Framing, consistency, framing_of
from core.judge.verdict import judge
from core.models import Models
from core.scene import stage
from core.scene.dressing import outfit_for, outfit_within
from core.scene.style import OWN, Style, load
from core.types import U8, FaceMap, Identity, Portrait, Selfie

HALF = (frame.PRINT[0] // 2, frame.PRINT[1] // 2)
LEAST_HAIR = 0.01
"""Part of the print that must be labelled as hair to be measured."""
PAIRS = (2, 3)
"""Columns and rows of a sheet."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--style", default="office")
    parser.add_argument("--every", type=int, default=1, help="take every n-th file, by name")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--outfit", help="another outfit than the style's: `own` for the sitter's own clothes")
    parser.add_argument("--labels", type=Path, help="folder of soft hair labels in the red channel")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    photos = sorted(p for p in asked.folder.iterdir() if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
    models, style, pairs = Models("embedded"), load(asked.style), []
    asked.out.mkdir(parents=True, exist_ok=True)
    chosen = photos[asked.start :: asked.every]
    for number, photo in enumerate(chosen, start=1):
        found = pair_of(photo, style, models, asked.outfit, asked.labels)
        word = found if isinstance(found, str) else f"{found.word}, hair kept {found.hair_kept:.2f}"
        print(f"{number}/{len(chosen)} {photo.name}: {word}", flush=True)
        if not isinstance(found, str):
            pairs.append(found)
    for start in range(0, len(pairs), PAIRS[0] * PAIRS[1]):
        file = asked.out / f"{style.id}-{start // (PAIRS[0] * PAIRS[1]) + 1:02d}.png"
        sheet([pair.picture for pair in pairs[start : start + PAIRS[0] * PAIRS[1]]]).save(file)
        print(file)
    set_of = consistency([pair.framing for pair in pairs if pair.framing is not None])
    print(f"largest differences: eye line {set_of.eye_line:.3f} and head {set_of.head_height:.3f} of the height, "
          f"backdrop dE {set_of.backdrop:.1f}")  # fmt: skip
    kept = np.array([pair.hair_kept for pair in pairs if not np.isnan(pair.hair_kept)])
    if len(kept):
        print(f"hair kept, {len(kept)} people: median {np.median(kept):.3f}, least {kept.min():.2f}")


@dataclass(frozen=True, slots=True)
class Pair:
    """A photo in the frame beside its portrait, and what is said of it.

    word: the judge's. framing: as `core.judge.consistency` measures it. hair_kept: share 0..1 of the labelled hair
    inside the print that the portrait shows, NaN where no label tells or hardly any hair is labelled.
    """

    picture: Image.Image
    word: str
    hair_kept: float
    framing: Framing | None


def pair_of(
    photo: Path, style: Style, models: Models, outfit: str | None = None, labels: Path | None = None
) -> Pair | str:
    """Return a photo beside its portrait, or why intake refused it."""
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
    worn = outfit or outfit_within(outfit_for(style, 1, face), style, face, cutout.figure, seed=1)
    setup = stage.set_up(face, cutout, style, stage.Choice(outfit=worn), take=0, seed=1, retouch=0.3)
    portrait = models.engine.portrait(setup, style.id, "job", who, photo.stem, lambda: False)
    verdict = judge(portrait, face, who, models.recogniser, models.landmarker)
    word = "kept" if verdict.kept else "dropped, " + ", ".join(verdict.reasons)
    both = np.hstack([_half(frame.warp(selfie.rgb, face.transform, *frame.PRINT)), _half(portrait.rgb)])
    picture = Image.fromarray(both)
    ImageDraw.Draw(picture).text((6, 4), f"{photo.stem}: {word}", fill=(220, 0, 0))
    label = None if labels is None else cv2.imread(str(labels / photo.name))
    shown = np.nan if label is None else hair_kept(label, selfie, face, portrait, setup.window)
    return Pair(picture, word, shown, framing_of(portrait, models.landmarker))


def hair_kept(label: U8, selfie: Selfie, face: FaceMap, portrait: Portrait, window: stage.Window) -> float:
    """Measure how much of the labelled hair (H, W, 3) BGR is in the portrait, of what lies inside the print."""
    if label.shape != selfie.rgb.shape:  # intake turned or cropped the photo: the label lies elsewhere
        return float("nan")
    height, width = portrait.layers.head.shape
    large = cv2.warpAffine(label[..., 2], face.transform, frame.PRINT, flags=cv2.INTER_AREA)
    left, top, wide, tall = window
    hair = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    hair = cv2.getRectSubPix(hair, (round(wide), round(tall)), (left + wide / 2 - 0.5, top + tall / 2 - 0.5))
    hair = cv2.resize(hair, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
    if hair.mean() < LEAST_HAIR:
        return float("nan")
    return float((hair * np.minimum(hair, portrait.layers.head / 255)).sum() / (hair**2).sum())


def sheet(pairs: Sequence[Image.Image]) -> Image.Image:
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
