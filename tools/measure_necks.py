"""Measure the light and the hue on the necks of real portraits: python -m tools.measure_necks FOLDER

FOLDER holds portraits that were lit in a studio. Prints, for each place below the chin and beside the neck's middle,
the median of its light over its face's, with the number of portraits that show skin there: the table LIGHT of
`core.scene.neck_tone`. Then, for each lightness over the face's, the medians of a* and b* over the face's: REDNESS and
YELLOWNESS there, of open necks alone (OPEN_NECK). Portraits with a beard, or a head turned by more than TURNED degrees,
are left out.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from core import studio
from core.colour import LUMINANCE, linear
from core.cutout.body import bare_neck, figure_of
from core.cutout.parts import HALF, Parts
from core.face.landmarks import face_skin
from core.face.mesh import CHIN
from core.frame import INTEROCULAR_PX
from core.models import Models
from core.scene.neck_tone import BELOW_CHIN, BESIDE, LIGHTNESS
from core.types import F32, U8, FaceMap, Selfie

TURNED: Final = 12.0
"""Degrees of a head's turn beyond which one side of its neck is not seen."""
LEAST: Final = 25
"""Pixels of a place, at half the full print, that one portrait must show."""
FEW: Final = 5
"""Portraits below which nothing is said of a place."""
OPEN_NECK: Final = 0.75
"""Eye distances below the chin that a portrait must show bare for its hue to be measured: a collar and a tie leave what
is shaded, shaven, or lit by white cloth, and that is greyer (0.68 and 0.49 of the face's at a lightness of 0.43)."""
EDGE_PX: Final = 5
"""Width of the square that a neck is shrunk by: its edge holds collars and hair."""


def main(folder: Path) -> None:
    """Measure every portrait of a folder and print the table."""
    models, measured, hues = Models(), [], []
    for path in track(sorted(folder.glob("*.jpg")), "Measuring", console=Console(stderr=True)):
        selfie = studio.look(path.read_bytes(), path.name, models)
        if not isinstance(selfie, Selfie) or abs(selfie.face.yaw_deg) > TURNED:
            continue
        face = studio.map_photo(selfie, models)
        if face.features is None or face.features.facial_hair != "beard":
            parts = models.parser.parse(face)
            measured.append(light_of(face, parts))
            if shown_below(face, parts) >= OPEN_NECK:
                hues.append(hue_of(face, parts))
    print_table(measured)
    print_hues(hues)


def light_of(face: FaceMap, parts: Parts) -> F32:
    """Return the light of a portrait's neck over its face's at each place of LIGHT, not a number where none is seen."""
    figure, points = figure_of(parts, face.landmarks), face.landmarks[:, :2] * np.float32(HALF)
    rows, columns = np.nonzero(_bare(face, parts))
    light = over_face(face, parts)[rows, columns]
    below = (rows - points[CHIN, 1]) / (INTEROCULAR_PX * HALF)
    beside = np.abs(columns - figure.neck_x * HALF) / (figure.neck_width * HALF / 2)
    return binned(light, below, beside)


def over_face(face: FaceMap, parts: Parts) -> F32:
    """Return a portrait's light over the median of its face's: (640, 512) float32."""
    light = linear(parts.rgb) @ LUMINANCE
    skin = face_skin(parts.rgb, face.landmarks[:, :2] * np.float32(HALF)) > 0
    return (light / np.median(light[skin])).astype(np.float32)


def shown_below(face: FaceMap, parts: Parts) -> float:
    """Return how far below the chin a portrait shows bare skin, in eye distances."""
    return float(figure_of(parts, face.landmarks).neckline - face.landmarks[CHIN, 1]) / INTEROCULAR_PX


def hue_of(face: FaceMap, parts: Parts) -> F32:
    """Return a* and b* of a portrait's neck over its face's at each of LIGHTNESS: (N, 2), no numbers where none is."""
    lab = cv2.cvtColor(parts.rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    own = np.median(lab[face_skin(parts.rgb, face.landmarks[:, :2] * np.float32(HALF)) > 0], axis=0)
    neck = lab[_bare(face, parts) > 0] / own
    at, table = _nearest(neck[:, 0], LIGHTNESS), np.full((len(LIGHTNESS), 2), np.nan, np.float32)
    for place in range(len(LIGHTNESS)):
        if (at == place).sum() > LEAST:
            table[place] = np.median(neck[at == place, 1:], axis=0)
    return table


def _bare(face: FaceMap, parts: Parts) -> U8:
    """Return where a portrait shows its neck's skin, less its edge: (640, 512) of 0 and 1."""
    return cv2.erode(bare_neck(parts, face.landmarks).astype(np.uint8), np.ones((EDGE_PX, EDGE_PX), np.uint8))


def binned(light: F32, below: F32, beside: F32) -> F32:
    """Return the median light of the pixels nearest to each place of LIGHT: (rows, columns) of it."""
    table = np.full((len(BELOW_CHIN), len(BESIDE)), np.nan, np.float32)
    down, across = _nearest(below, BELOW_CHIN), _nearest(beside, BESIDE)
    for row, column in np.ndindex(*table.shape):
        there = light[(down == row) & (across == column)]
        if len(there) > LEAST:
            table[row, column] = np.median(there)
    return table


def _nearest(values: F32, places: tuple[float, ...]) -> NDArray[np.intp]:
    """Return the index of the place nearest to each value, -1 beyond the outermost by half of the step to the next."""
    edges = np.convolve(places, (0.5, 0.5), "valid")
    first, last = places[0] - (edges[0] - places[0]), places[-1] + (places[-1] - edges[-1])
    return np.where((values < first) | (values > last), -1, np.searchsorted(edges, values))


def print_table(measured: list[F32]) -> None:
    """Print the median of every place, and how many portraits show it."""
    table = Table("below the chin", *(f"{place:.1f} beside" for place in BESIDE))
    if not measured:
        raise SystemExit("no portrait was measured: 0 were kept")
    every = np.stack(measured)
    for row, place in enumerate(BELOW_CHIN):
        seen = [values[np.isfinite(values)] for values in every[:, row].T]
        table.add_row(
            f"{place:.2f}", *(f"{np.median(each):.2f} ({len(each)})" if len(each) >= FEW else "" for each in seen)
        )
    Console().print(table)


def print_hues(measured: list[F32]) -> None:
    """Print the medians of a* and b* at each lightness, and how many portraits have skin as light."""
    if not measured:
        Console().print("no portrait shows an open neck")
        return
    table = Table("lightness", "a*", "b*", "portraits")
    for place, values in zip(LIGHTNESS, np.stack(measured, axis=1), strict=True):
        seen = values[np.isfinite(values[:, 0])]
        if len(seen) >= FEW:
            red, yellow = np.median(seen, axis=0)
            table.add_row(f"{place:.2f}", f"{red:.2f}", f"{yellow:.2f}", str(len(seen)))
    Console().print(table)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
