"""A wide Gaussian blur at the cost of a narrow one: worked out at a smaller size, for its result is smooth."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.types import F32

LEAST_SIGMA: Final = 2.5
"""Standard deviation, in the smaller picture's pixels, that is blurred with at the least: what is averaged into one
pixel before (variance 1/12 of its square) then changes the result by less than 1/255 of its range."""


def blurred(layer: F32, sigma: float) -> F32:
    """Blur (H, W) or (H, W, C) float32 by a Gaussian of `sigma` pixels; the shape stays."""
    shrink = 1
    while sigma / (2 * shrink) >= LEAST_SIGMA and min(layer.shape[:2]) >= 16 * shrink:
        shrink *= 2
    if shrink == 1:
        return cv2.GaussianBlur(layer, (0, 0), sigma)
    height, width = layer.shape[:2]
    size = (-(-width // shrink), -(-height // shrink))
    small = cv2.GaussianBlur(cv2.resize(layer, size, interpolation=cv2.INTER_AREA), (0, 0), sigma / shrink)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
