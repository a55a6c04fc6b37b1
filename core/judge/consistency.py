"""How alike the portraits of a set are: where the eyes lie, how tall the head is, what colour the backdrop has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from core import frame
from core.face.landmarks import Landmarker
from core.face.mesh import CHIN, HAIRLINE
from core.types import F32, U8, Portrait

FRAME_LIMIT: Final = 0.02
"""Of the print's height, that eye lines and head heights of a set may differ by."""
BACKDROP_LIMIT: Final = 3.0
"""CIEDE2000 that two backdrops of a set may differ by: beyond it two greys side by side are told apart at a glance."""
BARE: Final = 8  # 0..255 of the sitter's mattes, below which the backdrop shows
CORNER: Final = (0.1, 0.12)
"""Rows and columns, as parts of the print, of each upper corner that is taken for backdrop."""


@dataclass(frozen=True, slots=True, eq=False)
class Framing:
    """How one portrait is framed.

    eye_line: its height from the top, and head_height: from chin to hairline by the mesh, which no hat or hair-do
    changes; shares of the print's height. backdrop: (3,) median CIELAB.
    """

    eye_line: float
    head_height: float
    backdrop: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Consistency:
    """The largest differences between any two portraits: shares of the print's height, and CIEDE2000."""

    eye_line: float
    head_height: float
    backdrop: float

    @property
    def alike(self) -> bool:
        """Whether they look like one set."""
        return max(self.eye_line, self.head_height) <= FRAME_LIMIT and self.backdrop <= BACKDROP_LIMIT


def framing_of(portrait: Portrait, landmarker: Landmarker) -> Framing | None:
    """Measure a portrait's framing; None where the landmarker finds no face."""
    traced = landmarker.detect(portrait.rgb)
    if traced is None:
        return None
    layers = portrait.layers
    sitter = np.maximum.reduce([layers.head, layers.neck, layers.garment[..., 3]])
    return measured(portrait.rgb, sitter < BARE, traced.landmarks[:, :2])


def upper_corners(width: int, height: int) -> NDArray[np.bool_]:
    """Return where a finished portrait shows its backdrop whatever the hair: (height, width)."""
    tall, wide = round(CORNER[0] * height), round(CORNER[1] * width)
    corners = np.zeros((height, width), bool)
    corners[:tall, :wide] = corners[:tall, -wide:] = True
    return corners


def measured(rgb: U8, bare: NDArray[np.bool_], points: F32) -> Framing:
    """Measure from pixels. bare: (H, W) where the backdrop shows; points: (478, 2) landmarks in these pixels."""
    height = rgb.shape[0]
    seen = rgb[bare]
    backdrop = np.median(rgb2lab(seen[None])[0], axis=0) if len(seen) else np.full(3, np.nan)
    eyes = float(frame.eye_centres(points)[:, 1].mean())
    return Framing(eyes / height, float(points[CHIN, 1] - points[HAIRLINE, 1]) / height, backdrop)


def consistency(set_of: Sequence[Framing]) -> Consistency:
    """Compare every two portraits; a single one, or none, is consistent. A backdrop that shows nowhere is left out."""
    pairs = list(combinations(set_of, 2))
    backdrops = [float(deltaE_ciede2000(one.backdrop, other.backdrop)) for one, other in pairs]
    return Consistency(
        max((abs(one.eye_line - other.eye_line) for one, other in pairs), default=0.0),
        max((abs(one.head_height - other.head_height) for one, other in pairs), default=0.0),
        max((distance for distance in backdrops if not np.isnan(distance)), default=0.0),
    )
