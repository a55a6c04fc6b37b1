"""Which of the sitter's photos teach a net that draws anew, and how much of each pixel counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from core import frame
from core.scene.sources import faults_of
from core.types import F32, FaceMap

if TYPE_CHECKING:
    from core.cutout.parser import Parser

FEWEST_FOR_PROOF: Final = 3
"""Sharp photos from which one is held out."""
MOST_ENLARGED: Final = 2.0
"""Enlargement into the training size up to which a photo still teaches how skin looks."""
LEAST_SHARPNESS: Final = 0.3
"""Of `core.intake.quality`; below 0.22 a photo is refused altogether."""
ROOM: Final = 0.05
"""How much old clothes and the backdrop count: nearly nothing, or they are learnt with the face."""
BODY: Final = 0.4
"""How much the neck and what else is bare counts."""


def teaching_photos(maps: Sequence[FaceMap], size: tuple[int, int]) -> tuple[list[FaceMap], FaceMap | None]:
    """Return the photos to learn from at a size (width, height), and the one held out, None where there are too few.

    Sharp photos without a fault of `core.scene.sources` only; the least turned one is held out, as it can tell most.
    """
    sharp = [face for face in maps if face.upscale_factor * size[0] / frame.PRINT[0] <= MOST_ENLARGED]
    sharp = [face for face in sharp if face.selfie.sharpness >= LEAST_SHARPNESS and not faults_of(face, maps)]
    ordered = sorted(sharp, key=lambda face: (-abs(face.selfie.face.yaw_deg), face.selfie.sha256))
    if len(ordered) < FEWEST_FOR_PROOF:
        return ordered, None
    return ordered[:-1], ordered[-1]


def photo_weight(face: FaceMap, parser: Parser, size: tuple[int, int]) -> F32:
    """Return what counts of a photo in the frame at a size (width, height): (H, W) float32.

    1 face and hair, BODY other bare skin, ROOM clothes, hats and backdrop, 0 outside the photo.
    """
    parts = parser.parse(face)
    head = np.clip(np.maximum(parts.oval, parts.hair), 0, 1)
    skin = np.clip(parts.skin, 0, 1)
    weight = np.maximum(ROOM, np.maximum(head, BODY * skin)) * (parts.valid > 0.99)
    return np.asarray(cv2.resize(weight.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
