"""Which of the sitter's photos are shown to the net, and how they are cut: sharp ones, from several angles."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import cv2
import numpy as np

from core import frame
from core.scene.sources import faults_of
from core.scene.stage import ENLARGE_LIMIT
from core.types import U8, FaceMap

MOST: Final = 4
"""References that klein takes (docs.bfl.ai, prompting guide for image editing)."""
MOST_PIXELS: Final = 768 * 960
"""Pixels of a reference: more cost time and memory and show no more of a face."""
MULTIPLE: Final = 16
"""Sides are multiples of this: a latent of the VAE, patched by two."""
LEAST_SIDE: Final = 64
"""The pipeline refuses smaller pictures."""
TURN_DEG: Final = 30.0
"""Turn between two photos that is worth as much as the difference between a soft and a sharp one; by judgement."""


def select_references(
    source: FaceMap, maps: Sequence[FaceMap], held_out: Collection[str], most: int = MOST
) -> tuple[FaceMap, ...]:
    """Choose up to `most` photos: the portrait's own first, then those that add most, by sharpness and by angle.

    held_out: sha256 of photos that are never shown, for likeness is measured against them. One more than those is
    left out where nothing else would be left to measure against.
    """
    seen = [face for face in maps if face.selfie.sha256 != source.selfie.sha256]
    others = [f for f in seen if f.selfie.sha256 not in held_out and not faults_of(f, maps)]
    measured_by_rest = len(others) < len(seen)
    room = min(most - 1, len(others) if measured_by_rest else len(others) - 1)
    chosen = [source]
    for _ in range(max(room, 0)):
        best = max(others, key=lambda face: (_worth(face, chosen), face.selfie.sha256))
        others.remove(best)
        chosen.append(best)
    return tuple(chosen)


def _worth(face: FaceMap, chosen: Sequence[FaceMap]) -> float:
    """Return what a photo adds to those chosen: its size and sharpness, and how far it is turned from each of them."""
    sharp = min(1.0, ENLARGE_LIMIT / face.upscale_factor) + min(face.selfie.sharpness, 1.0)
    turned = min(abs(face.selfie.face.yaw_deg - other.selfie.face.yaw_deg) for other in chosen)
    return sharp + min(turned / TURN_DEG, 1.0)


def reference_of(face: FaceMap, most_pixels: int = MOST_PIXELS) -> U8:
    """Cut head and shoulders out of a photo, never enlarged: (H, W, 3) uint8, sides multiples of MULTIPLE.

    The frame's part of the photo as it stands, unturned, and no further than the photo reaches.
    """
    height, width = face.selfie.rgb.shape[:2]
    back = cv2.invertAffineTransform(face.transform)
    corners = np.array([[0, 0], [frame.PRINT[0], 0], [0, frame.PRINT[1]], list(frame.PRINT)], np.float32)
    there = frame.carry(corners, back.astype(np.float32))
    left, top = np.clip(np.floor(there.min(axis=0)), 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(there.max(axis=0)), [left + 1, top + 1], [width, height]).astype(int)
    return fitted(face.selfie.rgb[top:bottom, left:right], most_pixels)


def fitted(rgb: U8, most_pixels: int) -> U8:
    """Shrink a picture to at most so many pixels, sides multiples of MULTIPLE and no smaller than LEAST_SIDE."""
    height, width = rgb.shape[:2]
    shrink = min(1.0, float(np.sqrt(most_pixels / (width * height))))
    size = [max(LEAST_SIDE, int(side * shrink) // MULTIPLE * MULTIPLE) for side in (width, height)]
    return np.asarray(cv2.resize(rgb, (size[0], size[1]), interpolation=cv2.INTER_AREA), np.uint8)
