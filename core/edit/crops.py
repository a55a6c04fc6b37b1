"""The crops a print is delivered in."""

from __future__ import annotations

from typing import Final

from core.scene.style import Crop
from core.types import U8

CROPS: Final[dict[Crop, tuple[float, float, float, float]]] = {
    "portrait": (0.0, 0.0, 1.0, 1.0),
    "close": (0.12, 0.05, 0.88, 0.81),
    "square": (0.0, 0.02, 1.0, 0.82),
    "avatar": (0.07, 0.045, 0.93, 0.733),
    "id": (0.14, 0.03, 0.86, 0.77),
}
"""Left, top, right, bottom as parts of the print: 4:5, 4:5 nearer, 1:1, 1:1 nearest, 35:45 mm of a document with a head
of 70 to 80 % of its height (ICAO Doc 9303)."""


def crop(rgb: U8, name: Crop) -> U8:
    """Cut a print (H, W, 3) to one of CROPS; nothing is enlarged."""
    height, width = rgb.shape[:2]
    left, top, right, bottom = CROPS[name]
    x, y = round(left * width), round(top * height)
    return rgb[y : y + round((bottom - top) * height), x : x + round((right - left) * width)]
