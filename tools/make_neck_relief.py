"""Make the light of a neck's form from a portrait: python -m tools.make_neck_relief PORTRAIT

The portrait shows a bare neck without a chain, lit in a studio from the front. Writes `core/scene/neck_relief.png`: the
natural logarithm of the neck's light over what `core.scene.neck_tone.LIGHT` has there, of its face's light; what the
portrait does not show of it goes over to its averages further and further around.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from core import studio
from core.colour import normalized_convolution, thrice
from core.cutout.body import bare_neck, figure_of
from core.cutout.parts import HALF
from core.face.mesh import CHIN
from core.frame import INTEROCULAR_PX
from core.models import Models
from core.scene.neck_relief import ACROSS, DOWN, MOST, PICTURE
from core.scene.neck_tone import light_at
from core.types import F32, Selfie
from tools.measure_necks import over_face

SIZE: Final = (141, 141)
"""Width and height of the picture: a pixel is about one of an official portrait's."""
EDGE_PX: Final = 7
"""Width of the square that the bare neck is shrunk by: its edge holds collars and hair."""
AROUND: Final = (6.0, 25.0)
"""Pixels of the picture over which what is not shown is averaged, beside what is, and further off."""
SPECKS: Final = 1.0
"""Pixels of the picture over which it is smoothed, at a quarter of its size: moles and pores are somebody's own."""
SIDE: Final = 25.0
"""Pixels of the picture over which what is lighter on one side is the lamp's, and is shared by both."""
DARK: Final = 0.02
"""Light over the face's below which it is the photo's noise."""


def main(photo: Path) -> None:
    """Measure one portrait's neck and write it."""
    models = Models()
    selfie = studio.look(photo.read_bytes(), photo.name, models)
    if not isinstance(selfie, Selfie):
        raise SystemExit(f"{photo.name} is refused: {selfie.reason}")
    face = studio.map_photo(selfie, models)
    parts = models.parser.parse(face)
    points, figure = face.landmarks[:, :2] * np.float32(HALF), figure_of(parts, face.landmarks)
    across, below = (np.linspace(*span, count) for span, count in zip((ACROSS, DOWN), SIZE, strict=True))
    columns = np.tile(HALF * (figure.neck_x + across * figure.neck_width / 2), (SIZE[1], 1)).astype(np.float32)
    rows = np.tile((points[CHIN, 1] + below * INTEROCULAR_PX * HALF)[:, None], (1, SIZE[0])).astype(np.float32)
    bare = bare_neck(parts, face.landmarks).astype(np.float32)
    there, shown = (cv2.remap(layer, columns, rows, cv2.INTER_LINEAR) for layer in (over_face(face, parts), bare))
    shown = cv2.erode((shown > 0.99).astype(np.float32), np.ones((EDGE_PX, EDGE_PX)))
    over = np.log(np.maximum(there, DARK) / light_at(below.astype(np.float32), np.abs(across).astype(np.float32)))
    relief = without_side(filled(over.astype(np.float32), shown)) / MOST
    cv2.imwrite(str(PICTURE), np.round(128 + 127 * np.clip(relief, -1, 1)).astype(np.uint8))
    print(f"{PICTURE.name}: {100 * float(shown.mean()):.0f} % of it are shown")


def filled(values: F32, shown: F32) -> F32:
    """Carry values (H, W) on to where they are not known: (H, W) float32. shown: (H, W) 0..1, where they are."""
    smooth, near, far = (normalized_convolution(thrice(values), shown, over)[..., 0] for over in (SPECKS, *AROUND))
    sure = cv2.GaussianBlur(shown, (0, 0), AROUND[0] / 2)
    known = np.clip(cv2.GaussianBlur(shown, (0, 0), AROUND[0]) * 4, 0, 1)
    beyond = far + (near - far) * known
    return (beyond + (smooth - beyond) * np.clip(2 * sure - 1, 0, 1)).astype(np.float32)


def without_side(values: F32) -> F32:
    """Return values (H, W) whose wide part is the same on both sides: (H, W) float32."""
    wide = cv2.GaussianBlur(values, (0, 0), SIDE)
    return (values + (wide[:, ::-1] - wide) / 2).astype(np.float32)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
