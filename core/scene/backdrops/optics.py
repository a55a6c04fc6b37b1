"""What all backdrops are drawn with: smooth noise, a lens out of focus, tiles of a flat scene seen in perspective."""

from __future__ import annotations

import cv2
import numpy as np

from core.types import F32

Size = tuple[int, int]
"""Width and height in pixels."""
RGB = tuple[float, float, float]
"""Linear light."""


def grid(size: Size) -> tuple[F32, F32]:
    """Return x and y of each pixel (H, W), both -1..1."""
    x, y = np.meshgrid(np.linspace(-1, 1, size[0], dtype=np.float32), np.linspace(-1, 1, size[1], dtype=np.float32))
    return x, y


def cloud(rng: np.random.Generator, size: Size, scales: tuple[int, ...]) -> F32:
    """Return smooth noise (H, W) in -1..1: octaves of bicubic value noise, so many cells across, coarse first."""
    field = np.zeros((size[1], size[0]), np.float32)
    for octave, cells in enumerate(scales):
        values = rng.standard_normal((max(2, cells * size[1] // size[0]), cells)).astype(np.float32)
        field += cv2.resize(values, size, interpolation=cv2.INTER_CUBIC) * 0.6**octave
    return field / np.float32(np.abs(field).max())


def defocus(scene: F32, radius: float) -> F32:
    """Throw a linear-light scene out of focus: convolve with a disc, as a round aperture does, edges mirrored."""
    reach = int(np.ceil(radius)) + 1
    v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(u, v), 0, 1).astype(np.float32)
    # real lenses leave discs a little brighter at the rim
    disc *= 0.85 + 0.3 * np.clip(np.hypot(u, v) / radius, 0, 1) ** 4
    return cv2.filter2D(scene, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT).astype(np.float32)


def box(scene: F32, left: float, top: float, right: float, bottom: float, colour: F32) -> None:
    """Fill a rectangle, in pixels, where it lies inside the scene."""
    height, width = scene.shape[:2]
    x0, x1 = (int(np.clip(round(v), 0, width)) for v in (left, right))
    y0, y1 = (int(np.clip(round(v), 0, height)) for v in (top, bottom))
    scene[y0:y1, x0:x1] = colour
