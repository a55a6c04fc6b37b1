"""The canonical frame every stage speaks: 4:5, eyes on one line, one size.

A similarity transform takes a photo into it. Nothing here looks at pixels or loads a model.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.types import F32, U8

PRINT: Final = (1024, 1280)
"""Full print size (width, height) in pixels."""
PRINT_SIZES: Final = ((1024, 1280), (768, 960), (512, 640))
"""Sizes a portrait may be printed at, largest first; chosen by how much the photo must be enlarged."""
EYE_DISTANCE: Final = 0.185
"""Distance between the eye centres as a part of the frame's width."""
INTEROCULAR_PX: Final = EYE_DISTANCE * PRINT[0]
"""The same in pixels of the full print, 189: the sitter's own yardstick."""
SHOULDER: Final = 2.2 * INTEROCULAR_PX
"""How far beside the neck shoulders are looked for and measured, in pixels of the full print."""
EYE_LINE: Final = 0.385
"""Height of the eye line as a part of the frame's height, from the top."""
GARMENT_TOP: Final = 0.55
"""The garment lives below this part of the frame's height: the lower 45 %."""

RIGHT_EYE: Final = (33, 133)
LEFT_EYE: Final = (362, 263)
"""Corners of the sitter's right and left eye in mediapipe's face mesh (478 points)."""


def eye_centres(landmarks: F32) -> F32:
    """Return the sitter's right and left eye centre, (2, 2) or with depth (2, 3) float32, in the landmarks' pixels."""
    right = landmarks[list(RIGHT_EYE)].mean(axis=0)
    left = landmarks[list(LEFT_EYE)].mean(axis=0)
    return np.stack([right, left]).astype(np.float32)


def to_frame(eyes: F32, width: int = PRINT[0], height: int = PRINT[1]) -> F32:
    """Return the (2, 3) similarity that carries photo pixels into a frame of `width` x `height`.

    eyes: (2, 2) or (2, 3) float32, right then left eye centre in photo pixels. With depth their distance is the
    true one: a head turned aside shows its eyes nearer to each other, and would come out too large for its body.
    The transform turns, scales and moves; it never mirrors or shears, so a face keeps its shape.
    """
    (rx, ry), (lx, ly) = eyes[:, :2].astype(np.float64)
    dx, dy = lx - rx, ly - ry
    seen, distance = float(np.hypot(dx, dy)), float(np.linalg.norm(eyes[1].astype(np.float64) - eyes[0]))
    if seen < 1e-3:
        raise ValueError(f"eye centres are {seen:.4f} px apart, at least 0.001 needed")
    scale = EYE_DISTANCE * width / distance
    cos, sin = scale * dx / seen, -scale * dy / seen
    mid_x, mid_y = (rx + lx) / 2, (ry + ly) / 2
    return np.array(
        [
            [cos, -sin, width / 2 - cos * mid_x + sin * mid_y],
            [sin, cos, EYE_LINE * height - sin * mid_x - cos * mid_y],
        ],
        dtype=np.float32,
    )


def scale_of(transform: F32) -> float:
    """Return how many frame pixels one photo pixel becomes."""
    return float(np.hypot(transform[0, 0], transform[1, 0]))


def carry(points: F32, transform: F32) -> F32:
    """Carry (N, 2) points, or (N, 3) with depth in pixels, through a similarity; depth scales."""
    flat = points[:, :2] @ transform[:, :2].T + transform[:, 2]
    if points.shape[1] == 2:
        return flat.astype(np.float32)
    return np.concatenate([flat, points[:, 2:3] * scale_of(transform)], axis=1).astype(np.float32)


def warp(picture: U8, transform: F32, width: int, height: int) -> U8:
    """Draw a picture into the frame: area-averaged when it shrinks, Lanczos when it grows, edges repeated.

    picture: (H, W) or (H, W, C) uint8. Returns (height, width[, C]) uint8.
    Shrinking by more than two first blurs by the pixels lost, so no pattern is aliased; only the part of the picture
    that comes into the frame is touched, and whole blocks of its pixels are averaged before, for blurring a whole phone
    photo takes longer than all else here.
    """
    scale = scale_of(transform)
    if scale < 0.5:
        sigma, block = 0.5 * (1 / scale - 1), int(0.5 / scale)
        corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float32)
        seen = carry(corners, cv2.invertAffineTransform(transform).astype(np.float32))
        reach = round(4 * sigma) + 4
        limits = np.array(picture.shape[1::-1])
        first = np.clip(np.floor(seen.min(axis=0)) - reach, 0, limits - 1).astype(int)
        last = np.clip(np.ceil(seen.max(axis=0)) + reach, first + 1, limits).astype(int)
        blocks = np.maximum((last - first) // block, 1)
        last = np.minimum(first + blocks * block, limits)
        part = picture[first[1] : last[1], first[0] : last[0]]
        part = cv2.resize(part, (int(blocks[0]), int(blocks[1])), interpolation=cv2.INTER_AREA)
        left = np.sqrt(sigma**2 - (block**2 - 1) / 12) / block  # a block's mean has blurred by its own variance
        picture = cv2.GaussianBlur(part, (0, 0), left)
        middle = first.astype(np.float32) + np.float32((block - 1) / 2)
        transform = np.column_stack([transform[:, :2] * block, transform[:, 2] + transform[:, :2] @ middle])
    flags = cv2.INTER_LANCZOS4 if scale > 1 else cv2.INTER_LINEAR
    return cv2.warpAffine(picture, transform, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def framed(photo: U8, transform: F32, width: int, height: int) -> tuple[U8, F32]:
    """Draw a photo into a frame: (height, width, 3) uint8, and where it reaches: (height, width) float32 0..1."""
    picture = warp(photo, transform, width, height)
    reached = np.ones(photo.shape[:2], np.float32)
    valid = cv2.warpAffine(reached, transform, (width, height), flags=cv2.INTER_LINEAR)
    return picture.astype(np.uint8), valid.astype(np.float32)
