"""Proportions a drawing exaggerates: warps of a few face parts, smooth and small enough to stay the sitter."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from core import frame
from core.face.mesh import EYES, FACE_OVAL
from core.looks.subject import Subject
from core.types import F32


def swollen(subject: Subject, centre: F32, radius: float, wider: float, taller: float) -> F32:
    """Return the flow (H, W, 2) that enlarges what lies round a point, fading to nothing at two radii."""
    width, height = subject.size
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    dx, dy = x - centre[0], y - centre[1]
    weight = np.exp(-0.5 * ((dx * dx + dy * dy) / (radius * radius)) ** 1.5).astype(np.float32)
    shrink = np.float32(1 / (1 + wider) - 1), np.float32(1 / (1 + taller) - 1)
    return np.dstack([dx * weight * shrink[0], dy * weight * shrink[1]])


def eyes_enlarged(subject: Subject, wider: float, taller: float) -> F32:
    """Return the flow that draws both eyes larger about their own middles."""
    eyes = frame.eye_centres(subject.mesh[:, :2])
    radius = 0.36 * subject.eye
    return swollen(subject, eyes[0], radius, wider, taller) + swollen(subject, eyes[1], radius, wider, taller)


MEAN_FACE: Final = Path(__file__).with_name("mean_face.csv")
"""mediapipe's canonical face (Apache-2.0, from face_landmarker.task): 468 points x right, y up, z near, in cm."""
MOST_SHIFT: Final = 0.16
"""Eye distances by which a caricature moves any part at the most."""


@cache
def mean_face() -> F32:
    """Return the mean face, (468, 3) float32, in the mesh's own axes: x right, y down, z away from the viewer."""
    points = np.loadtxt(MEAN_FACE, delimiter=",", dtype=np.float32)
    return points * np.array([1, -1, -1], np.float32)


def distinction(subject: Subject) -> F32:
    """Return how far each of 468 points stands off the mean face in the sitter's pose: (468, 2) float32 pixels.

    By a similarity in space, least squares (Umeyama 1991).
    """
    mean, own = mean_face().astype(np.float64), subject.mesh[:468].astype(np.float64)
    one, other = mean - mean.mean(axis=0), own - own.mean(axis=0)
    u, scales, vt = np.linalg.svd(one.T @ other)
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    posed = one @ turn * (scales.sum() / (one**2).sum()) + own.mean(axis=0)
    return (own - posed)[:, :2].astype(np.float32)


def caricatured(subject: Subject, amount: float) -> F32:
    """Return the flow that adds `amount` of the sitter's own difference from the mean face (Brennan 1985).

    The difference is spread smoothly over the face and fades out beyond it; eyes keep their shape, for they move whole.
    """
    width, height = subject.size
    step = max(1, width // 128)
    small = (width // step, height // step)
    shift = amount * distinction(subject)
    for lids in EYES:
        shift[list(lids)] = shift[list(lids)].mean(axis=0)
    limit = MOST_SHIFT * subject.eye
    size = np.linalg.norm(shift, axis=1, keepdims=True)
    shift *= np.minimum(1, limit / np.maximum(size, 1e-3))
    field, weight = np.zeros((small[1], small[0], 2), np.float32), np.zeros((small[1], small[0]), np.float32)
    at = np.round((subject.mesh[:468, :2] + shift) / step).astype(int)
    for (x, y), moved in zip(at, shift, strict=True):
        if 0 <= x < small[0] and 0 <= y < small[1]:
            field[y, x] += moved
            weight[y, x] += 1
    sigma = 0.16 * subject.eye / step
    near, far = cv2.GaussianBlur(weight, (0, 0), sigma), cv2.GaussianBlur(weight, (0, 0), 2.5 * sigma)
    spread = cv2.GaussianBlur(field, (0, 0), sigma) + 0.02 * cv2.GaussianBlur(field, (0, 0), 2.5 * sigma)
    spread = spread / (near + 0.02 * far + 1e-6)[..., None]
    ring = subject.mesh[list(FACE_OVAL), :2] / step
    inside = np.zeros(small[::-1], np.uint8)
    cv2.fillPoly(inside, [np.round(ring).astype(np.int32)], 1)
    away = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    fade = np.exp(-0.5 * (away / (0.35 * subject.eye / step)) ** 2)
    flow = cv2.GaussianBlur((spread * fade[..., None]).astype(np.float32), (0, 0), 0.5 * sigma)
    return -cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
