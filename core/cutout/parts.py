"""What a photo is told apart into, at half the print's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core import frame
from core.types import F32, U8

PARTS_SIZE: Final = (512, 640)
"""Width and height of what is told apart: half the print."""
HALF: Final = PARTS_SIZE[0] / frame.PRINT[0]
MOST_UNSURE: Final = 1.0
"""Squared eye distances of a photo that could not be told apart above which a sitter is asked for another photo, and
what was drawn from it is dropped. docs/pictures.md has what it catches."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A photo in the frame, told apart at PARTS_SIZE: (H, W) = (640, 512).

    rgb: (H, W, 3) uint8 sRGB. valid: where the photo reaches. person: the sitter's matte. hair, hat, skin, clothes:
    how much of each pixel is theirs. oval: the face alone, out to the jaw's outline.
    head: face, ears, hair and hat. Skin next to the old clothes counts as neither: they shine into it, and that edge is
    known to a few pixels only. All (H, W) float32 in 0..1. unsure: how much of the photo above the collar could not
    be told apart (`core.cutout.parser.unsure_area`).
    """

    rgb: U8
    valid: F32
    person: F32
    hair: F32
    hat: F32
    skin: F32
    clothes: F32
    oval: F32
    head: F32
    unsure: float = 0.0
