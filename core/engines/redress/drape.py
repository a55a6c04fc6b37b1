"""Layout -> normals: the drawn garment as a surface that takes the rig's light, folds and all.

Three heights add up: the body's roundness, the pieces lying on each other, and the folds of such a garment.
Units of heights are eye distances, as in `core/engines/redress/garment.py`.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core import frame
from core.engines.redress.garment import bezier
from core.engines.redress.paint import TOP, Layout, Points
from core.frame import INTEROCULAR_PX
from core.scene.lighting import inflate
from core.types import F32, Body

COARSE: Final = 4
"""Folds are soft: they are worked out at a quarter of the print and brought up."""


def drape(layout: Layout, kind: str, body: Body, seed: int) -> F32:
    """Return the garment's unit normals, (H, W, 3) float32: x right, y down, z to the viewer; the same for a seed."""
    height, width = layout.collar.shape
    eye = INTEROCULAR_PX * width / frame.PRINT[0]
    small = (width // COARSE, height // COARSE)
    folds = cv2.resize(_folds(kind, body, small, seed), (width, height), interpolation=cv2.INTER_CUBIC)
    surface = (layout.relief + folds * layout.rgba[..., 3]) * eye
    surface = cv2.GaussianBlur(surface, (0, 0), max(0.6, 0.008 * eye))
    slope = np.dstack([cv2.Sobel(surface, cv2.CV_32F, *way) / 8 for way in ((1, 0), (0, 1))])
    slope = np.tanh(slope / 0.8) * 0.8  # an edge seen from the front hides what is steeper
    trunk = inflate(cv2.resize(layout.rgba[..., 3], small, interpolation=cv2.INTER_AREA))
    trunk = cv2.resize(cv2.GaussianBlur(trunk, (0, 0), 4), (width, height), interpolation=cv2.INTER_CUBIC)
    normals = np.dstack([trunk[..., :2] - slope * trunk[..., 2:], trunk[..., 2:]])
    return (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32)


def _folds(kind: str, body: Body, size: tuple[int, int], seed: int) -> F32:
    """Return how such a garment hangs, (H, W) heights: long folds where cloth is pulled or pushed, and its unrest."""
    rng = np.random.default_rng([seed, 23])
    eye = INTEROCULAR_PX * size[0] / frame.PRINT[0]
    heights = _unrest(size, eye, rng)
    for line, breadth, rise in _pulls(kind, body, rng):
        canvas = np.full(size[::-1], 255, np.uint8)
        points = (np.array(line) * INTEROCULAR_PX + (body.neck_x, body.collar_y - TOP)) * size[0] / frame.PRINT[0]
        cv2.polylines(canvas, [np.round(points * 16).astype(np.int32)], False, 0, 1, cv2.LINE_AA, 4)
        if canvas.min() >= 128:
            continue  # the fold lies outside the frame, and no distance to it can be told
        away = cv2.distanceTransform(np.where(canvas < 128, 0, 255).astype(np.uint8), cv2.DIST_L2, 5) / eye
        ends = _fade(points, size, eye)
        heights += 1.8 * rise * np.exp(-(np.minimum(away / breadth, 6) ** 2)) * ends
    return cv2.GaussianBlur(heights, (0, 0), 0.02 * eye + 0.5)


def _fade(points: F32, size: tuple[int, int], eye: float) -> F32:
    """Return 1 along the middle of a fold, falling to 0 towards its two ends, (H, W)."""
    rows, columns = np.mgrid[: size[1], : size[0]].astype(np.float32)
    along = points[-1] - points[0]
    length = float(np.linalg.norm(along))
    t = ((columns - points[0, 0]) * along[0] + (rows - points[0, 1]) * along[1]) / length**2
    return (np.clip(t * 4, 0, 1) * np.clip((1 - t) * 4, 0, 1)).astype(np.float32) if length > 0.1 * eye else rows * 0


def _unrest(size: tuple[int, int], eye: float, rng: np.random.Generator) -> F32:
    """Return the small unevenness of any worn cloth, (H, W) heights: longer downwards than across."""
    total = np.zeros(size[::-1], np.float32)
    for across, down, rise in ((0.35, 0.8, 0.060), (0.10, 0.25, 0.012)):
        noise = rng.standard_normal(size[::-1]).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), across * eye, sigmaY=down * eye)
        total += rise * noise / np.float32(noise.std())
    return total


def _pulls(kind: str, body: Body, rng: np.random.Generator) -> list[tuple[Points, float, float]]:
    """Return folds as (line, breadth, height), in eye distances from the collar point; negative heights are valleys.

    Where they run was read off official portraits: a jacket breaks from the armhole towards its button, its
    sleeve begins with a seam; a shirt hangs from its collar; a jumper's shoulder pulls towards the neck.
    """

    def near(x: float, y: float, by: float = 0.08) -> tuple[float, float]:
        return float(x + rng.normal(0, by)), float(y + rng.normal(0, by))

    def line(a: tuple[float, float], b: tuple[float, float], bow: float) -> Points:
        third, two = ((a[0] + (b[0] - a[0]) * k + bow, a[1] + (b[1] - a[1]) * k) for k in (0.33, 0.67))
        return bezier(a, third, two, b)

    folds: list[tuple[Points, float, float]] = []
    for side in (-1, 1):
        arm = (body.neck_x - body.left if side < 0 else body.right - body.neck_x) / INTEROCULAR_PX
        arm = float(np.clip(arm, 2.9, 3.7))
        if kind in ("suit_tie", "suit_open", "blazer"):
            seam = line((side * (arm - 0.55), 0.0), (side * (arm - 0.75), 3.0), side * 0.12)
            folds.append((seam, 0.035, -0.02))
            folds.append((line((side * (arm - 0.35), 0.1), (side * (arm - 0.6), 3.0), side * 0.1), 0.22, 0.07))
            for k in range(2):
                start, end = near(side * (arm - 0.95), 0.75 + 0.45 * k), near(side * 0.95, 2.2 + 0.5 * k)
                folds.append((line(start, end, -side * 0.15), 0.13, -0.035 * float(rng.uniform(0.5, 1.1))))
            shoulder = line(near(side * 1.9, -0.25), near(side * 2.1, 0.8), side * 0.1)
            folds.append((shoulder, 0.2, -0.03 * float(rng.uniform(0.3, 1.0))))
        else:
            for k in range(3):
                start, end = (
                    near(side * (arm - 0.5), 0.35 + 0.45 * k, 0.12),
                    near(side * (1.3 - 0.3 * k), 0.9 + 0.5 * k, 0.15),
                )
                folds.append((line(start, end, 0.1 * side), 0.15, -0.045 * float(rng.uniform(0.4, 1.1))))
            start, end = near(side * 1.0, 0.1, 0.1), near(side * 1.9, 0.9, 0.15)
            folds.append((line(start, end, 0.12 * side), 0.16, 0.04 * float(rng.uniform(0.4, 1.0))))
    if kind == "suit_tie":
        folds.append((line((0.03, 0.5), (0.02, 1.5), 0.02), 0.05, -0.05))  # the dimple below the knot
    if kind in ("suit_tie", "suit_open", "blazer"):  # the shirt in the opening
        for k in range(3):
            x = (-0.42, 0.3, 0.5)[k]
            folds.append(
                (line(near(x, 0.75, 0.05), near(0.5 * x, 2.0, 0.06), 0.05), 0.05, 0.012 * float(rng.uniform(0.4, 1.0)))
            )
    return folds
