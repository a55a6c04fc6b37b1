"""Whether a photo shows its sitter in a tie: a strip of another colour down the middle of a light shirt."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.cutout.parts import PARTS_SIZE, Parts
from core.face.mesh import CHIN
from core.types import F32

IOD: Final = frame.EYE_DISTANCE * PARTS_SIZE[0]
BELOW: Final = (0.75, 1.45)
"""Eye distances below the chin between which a tie's upper part lies."""
STRIP, BESIDE = 0.13, (0.3, 0.52)
"""Half the width of what is surely tie, and where beside it the shirt is seen, in eye distances."""
LEAST_ROWS: Final = 0.25
"""Eye distances of rows that must show cloth; less tells nothing."""
LEAST_STEP: Final = 16.0
"""CIELAB distance between tie and shirt."""
MOST_SIDES: Final = 22.0
"""CIELAB distance between the shirt left and right of a tie, which are lit alike."""
LEAST_SHIRT: Final = 50.0
"""CIELAB lightness of a shirt that a tie is worn with."""
LEAST_PART: Final = 0.4
"""Part of the rows in which a tie must be seen."""


def wears_tie(parts: Parts, landmarks: F32) -> bool | None:
    """Say whether the photo shows a tie; None where it shows too little of the chest.

    landmarks: (478, 3) in the frame at full print size.
    """
    scale = PARTS_SIZE[0] / frame.PRINT[0]
    middle, chin = (float(v) * scale for v in landmarks[CHIN, :2])
    top, bottom = (round(chin + part * IOD) for part in BELOW)
    lab = cv2.cvtColor(cv2.GaussianBlur(parts.rgb, (0, 0), 1).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    cloth = (parts.clothes > 0.5) & (parts.valid > 0.9)
    best = 0.0
    for shift in np.linspace(-0.3, 0.3, 7) * IOD:  # a body stands a little beside its chin
        strips = [
            _rows(lab, cloth, top, bottom, middle + shift + left * IOD, middle + shift + right * IOD)
            for left, right in ((-BESIDE[1], -BESIDE[0]), (-STRIP, STRIP), BESIDE)
        ]
        seen = np.logical_and.reduce([np.isfinite(strip).all(axis=-1) for strip in strips])
        if seen.sum() < LEAST_ROWS * IOD:
            continue
        left, tie, right = (strip[seen] for strip in strips)
        step = np.minimum(np.linalg.norm(tie - left, axis=-1), np.linalg.norm(tie - right, axis=-1))
        shirt = np.minimum(left[:, 0], right[:, 0])
        found = (step > LEAST_STEP) & (np.linalg.norm(left - right, axis=-1) < MOST_SIDES) & (shirt > LEAST_SHIRT)
        best = max(best, float(found.mean()), 1e-6)
    return None if best == 0 else best > LEAST_PART


def _rows(lab: F32, cloth: NDArray[np.bool_], top: int, bottom: int, left: float, right: float) -> F32:
    """Return the mean colour of cloth in a strip, row by row (N, 3); nan where there is little of it."""
    columns = slice(max(0, round(left)), max(0, round(right)))
    colours, where = lab[top:bottom, columns], cloth[top:bottom, columns]
    if where.shape[1] == 0 or where.shape[0] == 0:
        return np.full((max(0, min(bottom, len(lab)) - top), 3), np.nan, np.float32)
    weight = where.sum(axis=1).astype(np.float32)
    mean = (colours * where[..., None]).sum(axis=1) / np.maximum(weight, 1)[:, None]
    mean[weight < 0.6 * where.shape[1]] = np.nan
    return mean.astype(np.float32)
