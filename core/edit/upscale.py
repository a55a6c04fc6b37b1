"""A print enlarged two or four times: the sitter's own pixels interpolated, the face's edges drawn by Real-ESRGAN.

On its own the net gives skin the smoothness of plastic and weave the look of scales; plain interpolation keeps both and
leaves lids, lips and lashes soft. So each has its part: the net where the picture has an edge, within the face.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import cv2
import numpy as np

from core import weights
from core.edit import masks
from core.types import F32, U8, Layers

TILE: Final = 192
"""Side of the squares the net is given, in pixels of the print: progress is told between them."""
OVERLAP: Final = 8
"""Pixels that a tile sees beyond itself; the net's receptive field is wider, but this hides its border."""
EDGE: Final = (0.02, 0.07)
"""Steepness of luma a pixel, sRGB 0..1, from which the net takes part, and at which it is alone."""


def silent(done: int, total: int) -> None:
    """Report progress to nobody."""


@cache
def _net(times: int) -> Any:
    import ncnn

    net = ncnn.Net()
    net.load_param(str(weights.path(f"realesr-animevideov3-x{times}.param")))
    net.load_model(str(weights.path(f"realesr-animevideov3-x{times}.bin")))
    return net


def _run(rgb: U8, times: int) -> F32:
    """Enlarge a tile (H, W, 3) uint8 by the net: float32 0..1 sRGB."""
    import ncnn

    packed = np.ascontiguousarray(rgb.transpose(2, 0, 1).astype(np.float32) / 255)  # ncnn reads it in place
    extractor = _net(times).create_extractor()
    extractor.input("data", ncnn.Mat(packed))
    _, out = extractor.extract("output")
    return np.clip(np.array(out).transpose(1, 2, 0), 0, 1).astype(np.float32)


def upscaled(rgb: U8, layers: Layers, times: int, on_progress: Callable[[int, int], None] = silent) -> U8:
    """Enlarge a print (H, W, 3) uint8 `times` (2 or 4); layers say where its face is. Returns (times H, times W, 3)."""
    height, width = rgb.shape[:2]
    large = cv2.resize(rgb, (width * times, height * times), interpolation=cv2.INTER_LANCZOS4)
    if not len(layers.landmarks) or layers.head.shape != (height, width):
        return large.astype(np.uint8)
    rows, columns = masks.face_box(layers)
    tiles = [(y, x) for y in range(rows.start, rows.stop, TILE) for x in range(columns.start, columns.stop, TILE)]
    soft = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255, (0, 0), 1.0)
    steep = cv2.magnitude(cv2.Sobel(soft, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(soft, cv2.CV_32F, 0, 1) / 8)
    part = np.clip((steep - EDGE[0]) / (EDGE[1] - EDGE[0]), 0, 1) * masks.oval(layers, 1.05)
    part = cv2.GaussianBlur(part.astype(np.float32), (0, 0), 1.5)
    for done, (y, x) in enumerate(tiles):
        on_progress(done, len(tiles))
        bottom, right = min(y + TILE, rows.stop), min(x + TILE, columns.stop)
        weight = part[y:bottom, x:right]
        if weight.max() < 0.02:
            continue
        top, left = max(0, y - OVERLAP), max(0, x - OVERLAP)
        drawn = _run(rgb[top : bottom + OVERLAP, left : right + OVERLAP], times)
        drawn = drawn[(y - top) * times : (bottom - top) * times, (x - left) * times : (right - left) * times]
        there = large[y * times : bottom * times, x * times : right * times]
        alpha = cv2.resize(weight, (there.shape[1], there.shape[0]), interpolation=cv2.INTER_LINEAR)[..., None]
        there[...] = np.clip(np.round(there + (drawn * 255 - there) * alpha), 0, 255).astype(np.uint8)
    on_progress(len(tiles), len(tiles))
    return large.astype(np.uint8)
