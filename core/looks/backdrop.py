"""Backdrops as a hand draws them, in the colour of the backdrop that the portrait was composed with."""

from __future__ import annotations

import cv2
import numpy as np

from core.looks.subject import Subject
from core.looks.tones import above, middle_colour, over, turned
from core.types import F32


def backdrop_colour(subject: Subject) -> F32:
    """Return the colour (3,) of what stands behind the sitter."""
    behind = cv2.erode((subject.figure < 0.02).astype(np.float32), np.ones((5, 5), np.uint8))
    return middle_colour(subject.rgb, behind, (0.6, 0.6, 0.62))


def drawn_backdrop(subject: Subject, rng: np.random.Generator, kind: str) -> F32:
    """Paint a backdrop (H, W, 3): "sky" with bands and drifting light, "rays", "plain"."""
    width, height = subject.size
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1.25, 1.25, height, dtype=np.float32))
    colour = backdrop_colour(subject)
    if kind == "plain":
        return np.broadcast_to(turned(colour, 0, 1.2), (height, width, 3)).astype(np.float32).copy()
    if kind == "rays":
        centre = subject.mesh[1, :2]
        angle = np.arctan2(y * height / 2.5 + height / 2 - centre[1], x * width / 2 + width / 2 - centre[0])
        stripes = np.sin(angle * 12 + float(rng.uniform(0, 6))).astype(np.float32)
        return over(
            np.broadcast_to(turned(colour, -4, 1.5), (height, width, 3)).astype(np.float32),
            turned(colour, 9, 1.4),
            above(stripes, 0.0),
        )
    lifted = turned(colour, 14, 1.5)
    top, bottom = turned(lifted, -12, 1.2, 8), turned(lifted, 12, 0.8, -8)
    slope = np.clip((y + 1.25) / 2.5 + 0.05 * np.sin(3 * x + float(rng.uniform(0, 6))), 0, 1)
    painted = np.broadcast_to(top, (height, width, 3)).astype(np.float32)
    for step in range(1, 5):
        part = np.float32(step / 4)
        painted = over(painted, (top + (bottom - top) * part).astype(np.float32), above(slope, step / 5))
    for _ in range(9):
        centre, radius = rng.uniform((-1, -1.2), (1, 1.0)), rng.uniform(0.03, 0.16)
        away = np.hypot(x - np.float32(centre[0]), y - np.float32(centre[1]))
        painted = over(painted, np.ones(3, np.float32), above(-away, -radius) * np.float32(0.16))
    return painted
