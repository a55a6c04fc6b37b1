"""The light that a neck's form makes: its tendons, its throat, and what the chin's shadow is not spread over.

`core.scene.neck_tone.LIGHT` is a median of many portraits, in which all of these lie elsewhere: a neck that is drawn in
that light alone is as flat as a sleeve. Here is one real neck's, over LIGHT's, for what the photo does not show. It is
lighter than LIGHT too, by a third in the mean: a reader preferred both together on 20 of 24 people.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from core.scene.neck_tone import places_of
from core.types import F32, Undressed

PICTURE: Final = Path(__file__).with_suffix(".png")
"""One official portrait's neck, W000822, a work of the US government in the public domain; `tools.make_neck_relief`
makes it. Of five it is the one with tendons, a throat and a bare chest, no chain, and hair beside it on one side alone.
"""
ACROSS: Final = (-1.4, 1.4)
"""Halves of a neck's width from its middle to the right, of the picture's first and last column."""
DOWN: Final = (-0.4, 1.7)
"""Eye distances below the chin of its first and last row."""
MOST: Final = 0.6
"""Natural logarithm of light over LIGHT's at the picture's white; its black is as much below."""


def relief_of(sitter: Undressed, from_row: int) -> F32:
    """Return factors of light on a neck's form, of the size of what `core.scene.neck_tone.tone_of` returns: (h, w).

    A head that is turned shows the tendon of the other side: the picture is mirrored for one that is turned to the
    picture's right.
    """
    below, beside = places_of(sitter, from_row)
    picture, mirrored = _picture(), -1 if sitter.turn_deg > 0 else 1
    columns, rows = (
        np.interp(at, span, (0, count - 1)).astype(np.float32)
        for at, span, count in ((mirrored * beside, ACROSS, picture.shape[1]), (below, DOWN, picture.shape[0]))
    )
    size = (len(columns), len(rows))
    there = cv2.remap(picture, np.tile(columns, (size[1], 1)), np.tile(rows[:, None], (1, size[0])), cv2.INTER_CUBIC)
    return np.exp(there).astype(np.float32)


@cache
def _picture() -> F32:
    """Return the natural logarithm of a neck's light over LIGHT's: (H, W) float32; not to be changed."""
    grey = cv2.imread(str(PICTURE), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise FileNotFoundError(PICTURE)
    return ((grey.astype(np.float32) - 128) * (MOST / 127)).astype(np.float32)
