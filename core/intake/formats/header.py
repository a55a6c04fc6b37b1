"""What a format's reader tells of a file before a pixel is decoded, and the pixels it returns afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.intake.colour_space import Cicp
from core.types import U8

MAX_PARTS: Final = 50_000
"""Most segments, chunks or boxes of a file that are looked at; a photo of 40 MB in pieces of 8 kB has 5,000."""


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Upright pixels (H, W, 3), uint8, or uint16 where the file is HDR.

    colour: ICC profile or code points of these RGB values, None for sRGB. focal: focal length as a part of the
    diagonal, None where the file does not say. missing: part of the rows that a file cut short does not hold, 0..1;
    they are cropped away.
    """

    rgb: U8 | NDArray[np.uint16]
    colour: bytes | Cicp | None = None
    focal: float | None = None
    missing: float = 0.0


@dataclass(frozen=True, slots=True)
class Header:
    """The cost of a file as its header states it, and the way to its pixels.

    frames: pictures that are shown one after another. peak_bytes: estimate of the memory that decoding takes beyond
    the file itself. work: pixels that are visited, over all passes. read: takes the number of pixels a JPEG may be
    reduced to while it is decoded; raises anything when the file is damaged.
    """

    width: int
    height: int
    peak_bytes: float
    read: Callable[[float], Pixels]
    work: float = 0.0
    frames: int = 1
