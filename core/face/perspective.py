"""A face taken from arm's length -> the same face as a portrait lens sees it from a metre and a half.

A nose that is a tenth nearer to the lens than the ears is drawn a tenth larger than they are. Only where the file
itself says how far away it was taken: its focal length and the eyes' distance in pixels give it. Guessing
the distance from the face would mistake one person's broad nose for nearness.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator

from core import frame
from core.types import F32, U8

EYES_M: Final = 0.063
"""Distance between the eyes of an adult in metres: mean of 3,976 people, 95 % within 0.057 to 0.070 (Dodgson 2004)."""
NEAR_M: Final = 1.0
"""Photos from further away are left alone: against 1.5 m a nose is 1 % too large there."""
FAR_M: Final = 1.5
"""Where a portrait is taken from."""
NEAREST_M: Final = 0.25
"""No phone focuses on its owner from nearer; a distance below is a wrong focal length, and counts as this."""
BACK_M: Final = 0.10
"""How far ears, hair and neck lie behind the eyes, where there is no mesh: the mesh itself ends at 0.06 to 0.08."""


def distance_m(focal_px: float, landmarks: F32) -> float:
    """Return how far a lens was from the eyes, in metres: focal length and landmarks (478, 3) in the same pixels."""
    right, left = frame.eye_centres(landmarks)
    return focal_px * EYES_M / float(np.linalg.norm(left - right))


def undo(rgb: U8, landmarks: F32, taken_from_m: float) -> U8:
    """Draw a photo (H, W, 3) uint8 taken from nearer than NEAR_M as from FAR_M.

    Its landmarks (478, 3) are to be traced anew: mediapipe draws a near face a little too much like a far one, so
    that moving its points moves them too far (6 px at the cheeks, with 82 between the eyes and 0.35 m undone).
    """
    return dolly(rgb, landmarks, max(taken_from_m, NEAREST_M), FAR_M)


def dolly(rgb: U8, landmarks: F32, from_m: float, to_m: float) -> U8:
    """Move the camera back or forth on its ray to the eyes, which keep place and size; shape and dtype stay.

    What lies z behind the eyes is drawn (1 + z / from) / (1 + z / to) times as large. Depth is the face mesh's own;
    beyond the mesh it falls off to BACK_M over half an eye distance (after Fried et al. 2016, with a mesh that is
    measured in place of one that is fitted).
    """
    eyes = frame.eye_centres(landmarks)
    centre, eye = eyes.mean(axis=0), float(np.linalg.norm(eyes[1] - eyes[0]))
    depth = (landmarks[:, 2] - centre[2]) * np.float32(EYES_M / eye)
    moved = centre[:2] + (landmarks[:, :2] - centre[:2]) * _growth(depth, from_m, to_m)[:, None]
    height, width = rgb.shape[:2]
    step = max(1.0, eye / 16)
    size = (max(2, round(width / step)), max(2, round(height / step)))
    behind = _depth_field(moved * np.array(size, np.float32) / (width, height), depth, size, eye / step)
    growth = cv2.resize(_growth(behind, from_m, to_m), (width, height), interpolation=cv2.INTER_CUBIC)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x, y = ((centre[axis] + (to - centre[axis]) / growth).astype(np.float32) for axis, to in enumerate((columns, rows)))
    return cv2.remap(rgb, x, y, cv2.INTER_LANCZOS4, None, cv2.BORDER_REPLICATE).astype(np.uint8)


def _growth(depth: F32, from_m: float, to_m: float) -> F32:
    """Return how many times larger things this far (metres) behind the eyes become."""
    return ((1 + depth / from_m) / (1 + depth / to_m)).astype(np.float32)


def _depth_field(points: F32, depth: F32, size: tuple[int, int], eye: float) -> F32:
    """Spread the mesh's depth over a grid of (width, height), smooth, with `eye` grid steps between the eyes."""
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    field = np.asarray(LinearNDInterpolator(points, depth)(columns, rows), np.float32)
    outside = np.isnan(field)
    away, nearest = cv2.distanceTransformWithLabels(
        outside.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    edge = np.zeros(int(nearest.max()) + 1, np.float32)
    edge[nearest[~outside]] = field[~outside]
    share = np.clip(away / (0.5 * eye), 0, 1)
    field = np.where(outside, edge[nearest] * (1 - share) + BACK_M * share, field)
    return cv2.GaussianBlur(field, (0, 0), 0.12 * eye).astype(np.float32)
