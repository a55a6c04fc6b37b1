"""Proportions a drawing exaggerates: warps of a few face parts, smooth and small enough to stay the sitter."""

from __future__ import annotations

import numpy as np

from core import frame
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
