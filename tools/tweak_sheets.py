"""Draw docs/tweaks/*.jpg, a sheet a family: the demo sitters before and after edits. `python -m tools.tweak_sheets`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from core import studio
from core.atomic import write_bytes
from core.cutout.cutout import cut_out
from core.edit.recipe import develop, edit
from core.engines.redress.engine import RedressEngine
from core.engines.redress.generate import generate
from core.errors import Refused
from core.face.mesh import FACE_OVAL
from core.models import Models
from core.scene.stage import Choice, set_up
from core.scene.style import load
from core.types import U8, Portrait, Selfie
from tools.demo import COLLINS, HOPPER

OUT: Final = Path(__file__).parents[1] / "docs" / "tweaks"
HEIGHT: Final = 300
"""Height of a picture on a sheet."""
QUALITY: Final = 80
FACES: Final = ("retouch", "face")
"""Families of which only the face is shown, for that is all they change."""
SHEETS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "tone": (("", "warmer=lots", "cooler=lots", "brighter=lots", "darker=lots", "contrast=lots"),),
    "light": (("", "light_left=lots", "light_right=lots", "light_above=more", "soft_light=lots", "rim_light=lots"),),
    "backdrop": (("", "backdrop=#5a6f8c", "backdrop=park", "backdrop=window_room", "backdrop=black_paper"),),
    "clothes": (("", "jacket_colour=navy", "jacket_colour=burgundy", "shirt_colour=blue", "tie_colour=gold"),),
    "retouch": (("", "blemishes=lots", "under_eye=lots", "shine=lots", "redness=lots", "teeth=lots"),),
    "face": (("", "eyes_brighter=lots", "smile=more", "less_smile=more", "slimmer=more", "turn_left=more"),),
    "frame": (("", "nearer=more", "further=more", "more_headroom=more", "lean_left=more", "crop=square"),),
    "film": (("", "mono=neutral", "mono=crisp", "film=golden", "film=faded", "film=cinema", "grain=lots"),),
    "format": (("format=us_passport", "format=de_passport", "format=avatar_circle", "format=wide"),),
}


def main() -> int:
    """Draw every sheet."""
    models = Models("embedded")
    portraits = [portrait_of(path, models) for path in (HOPPER, COLLINS)]
    for family, (edits,) in SHEETS.items():
        rows = [np.concatenate([_shown(each, text, family) for text in edits], axis=1) for each in portraits]
        width = max(row.shape[1] for row in rows)
        sheet = np.concatenate([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows])
        _, packed = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        write_bytes(OUT / f"{family}.jpg", packed.tobytes())
        print(f"{family}.jpg {len(packed) // 1024} kB", flush=True)
    return 0


def portrait_of(photo: Path, models: Models) -> Portrait:
    """Draw a demo photo in the office look, at the largest print it carries."""
    selfie = studio.look(photo.read_bytes(), photo.name, models)
    if not isinstance(selfie, Selfie) or not isinstance(models.engine, RedressEngine):
        raise SystemExit(f"{photo.name} cannot be drawn here")
    face = studio.map_photo(selfie, models)
    setup = set_up(face, cut_out(face, models.parser), load("office"), Choice(outfit="charcoal_suit"), 0, 1, 0.3)
    setup.settings["crop"] = "portrait"
    return generate(setup, "office", "job", models.engine.nets, photo.stem, lambda: False)


def _shown(portrait: Portrait, text: str, family: str) -> U8:
    """Return one picture of a sheet, its edit's name on it; grey where the edit is refused."""
    recipe = portrait.recipe
    try:
        texts: Sequence[str] = [text] if text else []
        rgb = develop(portrait.layers, edit(recipe, *texts))
    except Refused:
        rgb = np.full_like(portrait.rgb, 90)
    if family in FACES:
        points = portrait.layers.landmarks[list(FACE_OVAL), :2]
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        rgb = rgb[max(0, int(top)) : int(bottom), max(0, int(left)) : int(right)]
    size = (round(rgb.shape[1] * HEIGHT / rgb.shape[0]), HEIGHT)
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(small, text or "as drawn", (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, thick, cv2.LINE_AA)
    return small


if __name__ == "__main__":
    sys.exit(main())
