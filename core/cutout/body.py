"""Parts -> where neck, collar and shoulders are, in pixels of the full print. Pure numpy and OpenCV."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.cutout.parts import HALF, Parts
from core.face.mesh import CHIN, NOSE
from core.frame import INTEROCULAR_PX
from core.types import F32, Figure

JAW: Final = (132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361)
"""Mesh points along the jaw from ear to ear."""
JAW_CORNERS: Final = (172, 397)
EARS: Final = (234, 454)
"""Mesh points where the ears begin, left and right in the picture."""
TURNED: Final = (1.6, 12.0)
"""Nose to one ear over nose to the other, of heads turned by 8 and by 28 degrees; the median of 18 faces."""
NAPE: Final = 0.8
"""Eye distances from the near jaw corner of a head turned by 30 degrees to its nape; by eye on ten faces."""
UPPER_NECK: Final = (-0.3, 0.3)
"""Eye distances below the chin between which a neck's width is measured."""
AWAY: Final = 6
"""Pixels beside a neck, at half the print, where a backdrop is looked for: its matte's edge is narrower."""
LEAST_ROWS: Final = 0.25
"""Part of those rows that must show a backdrop on both sides."""
LIKELY: Final = 0.83
"""Width of a neck, of its jaw's: the lower quartile of 40 straight heads whose neck is seen before a backdrop, whose
median is 0.89. Between an old collar's sides 72 of 314 people's seemed to be narrower than 0.75 of it."""
SHOULDER_HEIGHT: Final = (-0.2, 0.65)
"""Eye distances below the chin where shoulders stand: 10th to 90th percentile of 90 portraits without long hair."""


def figure_of(parts: Parts, landmarks: F32) -> Figure:
    """Measure neck and shoulders. landmarks: (478, 3) float32 in pixels of the full print."""
    bare = bare_neck(parts, landmarks)
    neckline, neck_x, width = _neckline(bare, landmarks)
    return Figure(
        neckline,
        neck_x,
        min(width, _before_backdrop(bare, np.maximum(parts.person, 1 - parts.valid), landmarks)),
        _shoulders(parts, landmarks),
        _shoulder_line(parts, neck_x, landmarks),
        float(bare.sum() / max(1, bare.any(axis=0).sum())) / (INTEROCULAR_PX * HALF),
    )


def bare_neck(parts: Parts, landmarks: F32) -> NDArray[np.bool_]:
    """Return the bare skin under the jaw, within `neck_sides`: (640, 512)."""
    points = landmarks[:, :2] * np.float32(HALF)
    rows, columns = np.mgrid[: parts.skin.shape[0], : parts.skin.shape[1]]
    left, right = neck_sides(landmarks)
    line = points[list(JAW)]
    line = line[np.argsort(line[:, 0])]
    column = (columns > left * HALF) & (columns < right * HALF)
    column &= rows > np.interp(columns, line[:, 0], line[:, 1])
    return _largest((parts.skin > 0.5) & (parts.oval < 0.5) & column)


def neck_sides(landmarks: F32) -> tuple[float, float]:
    """Return the x between which a bare neck may lie: an eighth wider than the jaw, and to the nape of a turned head.

    landmarks: (478, 3) float32 in pixels of the full print; x in the same unit. A turned head's near ear stands nearer
    to the middle of the neck than its far cheek: by the head's depth times the sine of its turn.
    """
    left, right = (float(landmarks[i, 0]) for i in JAW_CORNERS)
    margin, nose = 0.12 * (right - left), float(landmarks[NOSE, 0])
    near = [abs(nose - float(landmarks[i, 0])) for i in EARS]
    ratio = np.log(max(near) / max(min(near), 1.0))
    turn = float(np.clip((ratio - np.log(TURNED[0])) / np.log(TURNED[1] / TURNED[0]), 0, 1))
    nape = turn * NAPE * INTEROCULAR_PX
    return (left - margin - nape, right + margin) if near[0] > near[1] else (left - margin, right + margin + nape)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest blob of a mask: a pin of skin colour on a lapel is no neck."""
    count, blobs, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return blobs == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else mask


def _neckline(neck: NDArray[np.bool_], landmarks: F32) -> tuple[float, float, float]:
    """Measure the bare neck: y where clothes begin, x and width where it is widest, in pixels of the full print.

    Where no neck is bare, stand-ins: 0.35 eye distances below the chin and LIKELY of the jaw's width, half the nape
    more. A neck that hair or a collar hides at its sides is as wide at the least.
    """
    chin = landmarks[CHIN]
    jaw = float(landmarks[JAW_CORNERS[1], 0] - landmarks[JAW_CORNERS[0], 0])
    left, right = neck_sides(landmarks)
    middle_x, nape = (left + right) / 2, right - left - 1.24 * jaw
    middle = int(np.clip(chin[0] * HALF, 2, neck.shape[1] - 3))
    below = neck[:, middle - 2 : middle + 3].mean(axis=1) > 0.5
    rows = np.flatnonzero(below & (np.arange(len(below)) > chin[1] * HALF - 2))
    level = np.arange(len(neck)) / HALF
    reach = np.flatnonzero((level > chin[1] - 0.3 * INTEROCULAR_PX) & (level < chin[1] + 0.4 * INTEROCULAR_PX))
    widths = neck[reach].sum(axis=1) if len(reach) else np.zeros(1)
    if len(rows) < 8 or widths.max() / HALF < 0.5 * jaw:
        return float(chin[1] + 0.35 * INTEROCULAR_PX), middle_x, LIKELY * jaw + 0.5 * nape
    bottom = rows[0] + int(np.argmax(np.append(np.diff(rows) > 1, True)))
    columns = np.flatnonzero(neck[int(reach[int(np.argmax(widths))])])
    width = float(np.clip((columns[-1] - columns[0]) / HALF, LIKELY * jaw, 1.1 * jaw + nape))
    return float(bottom / HALF), float((columns[-1] + columns[0]) / 2 / HALF), width


def _before_backdrop(neck: NDArray[np.bool_], person: F32, landmarks: F32) -> float:
    """Measure the neck's width where a backdrop is seen on both sides of it, in pixels of the full print.

    The lower quartile, right below the jaw: further down it goes over to the shoulders, and a garment that is as wide
    as that makes a child's or a slender neck an athlete's. Infinite where hair, clothes or the photo's border hide a
    side of it. person: (640, 512), 1 too where the photo does not reach.
    """
    chin = landmarks[CHIN] * HALF
    first, last = (int(np.clip(chin[1] + part * INTEROCULAR_PX * HALF, 0, len(neck))) for part in UPPER_NECK)
    jaw = float(landmarks[JAW_CORNERS[1], 0] - landmarks[JAW_CORNERS[0], 0])
    widths = []
    for row in range(first, last):
        columns = np.flatnonzero(neck[row])
        if not len(columns) or columns[0] > chin[0] or columns[-1] < chin[0]:
            continue
        sides = person[row, [max(columns[0] - AWAY, 0), min(columns[-1] + AWAY, person.shape[1] - 1)]]
        if sides.max() < 0.5:
            widths.append(columns[-1] - columns[0])
    if not widths or len(widths) < LEAST_ROWS * (last - first):
        return np.inf
    return max(float(np.percentile(widths, 25)) / HALF, 0.6 * jaw)


def _shoulders(parts: Parts, landmarks: F32) -> tuple[float, float] | None:
    """Find the arms' outer edges below the shoulders: left and right x.

    None when the frame or the photo ends first, or what is seen is narrower than three eye distances.
    """
    height, width = parts.person.shape
    level = min(int((landmarks[CHIN, 1] + 1.9 * INTEROCULAR_PX) * HALF), height - 2)
    columns = np.flatnonzero((parts.person[level] > 0.5) & (parts.valid[level] > 0.5))
    if len(columns) < 3 * INTEROCULAR_PX * HALF or columns[0] < 6 or columns[-1] > width - 6:
        return None
    return float(columns[0] / HALF), float(columns[-1] / HALF)


def _shoulder_line(parts: Parts, neck_x: float, landmarks: F32) -> float | None:
    """Find how high the shoulders stand beside the neck: the mean of the sides that show it.

    None where hair or the photo's edge hides both. What lies beyond SHOULDER_HEIGHT is no shoulder line but somebody
    else, or an arm.
    """
    chin, eye = float(landmarks[CHIN, 1]) * HALF, INTEROCULAR_PX * HALF
    found = []
    for side in (-1, 1):
        x = round((neck_x + side * frame.SHOULDER) * HALF)
        if not 4 <= x < parts.person.shape[1] - 4:
            continue
        strip = np.s_[:, x - 2 : x + 3]
        top = int(np.argmax(parts.person[strip].mean(axis=1) > 0.5))
        hair = (parts.hair[strip].mean(axis=1) > 0.1)[: top + round(0.2 * eye)].any()
        low, high = SHOULDER_HEIGHT
        if not hair and parts.valid[strip][max(0, top - 4) : top + 4].min() > 0.5 and low < (top - chin) / eye < high:
            found.append(top / HALF)
    return float(np.mean(found)) if found else None
