"""Hair round a garment: what goes behind its collar, what lies between the two, and the skin under hair."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.colour import normalized_convolution
from core.engines.redress.neck import SOFT_EDGE, TIP, collar_points
from core.frame import INTEROCULAR_PX
from core.types import F32, Body

UNDER_HAIR: Final = 0.09
"""Eye distances, as a Gaussian's deviation, over which a neck ends under hair; by eye on 52 people."""
GAP: Final = 0.3
"""Eye distances between hair and a collar, or between locks beside it, across which there is hair; by eye."""
LOCK: Final = 0.15
"""Eye distances in width and height of the least lock beside which there is hair, and in height of what is filled,
cloth below it included: a lock's ragged end made bars and triangles; by eye."""
SETS_IN: Final = 0.12
"""Eye distances below a collar's highest point over which such hair comes in; by eye."""
SOLID: Final = 0.9
"""How much of a pixel must be hair, head or cloth for nothing to lie between."""
FAINT: Final = 0.05
"""How much of a pixel is hair where its soft inner edge begins."""
NEAR: Final = 0.1
"""Eye distances, as a Gaussian's deviation, over which the colours of hair are averaged to be carried into a gap."""
IN_SHADE: Final = 0.75
"""Part of its sRGB value that hair in a gap has of the hair beside it: it lies deeper; by eye."""


def behind_collar(hair: F32, cover: F32, last: float, body: Body, scale: float) -> F32:
    """Return where hair that the photo cuts inside an open collar may be: (H, W) float32 0..1.

    It hangs as the photo shows it and goes behind the cloth in a curve, ever more aside, all of it at row `last`, where
    the photo ends: straight from the collar's highest point, skin lay over it as a slab with a corner at the jaw. Hair
    that ends higher stays. hair, cover: (H, W) of the torso's part. scale: these pixels per print pixel.
    """
    stay = np.ones_like(hair)
    middle, height = body.neck_x * scale, len(hair)
    columns, rows = np.arange(hair.shape[1], dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    for way, (_, y) in zip((-1, 1), collar_points(cover, body, scale), strict=True):
        away = way * (columns - middle)
        first, end = int(np.clip(y, 0, height - 1)), int(np.clip(last, 0, height - 1))
        at_end, cloth = hair[max(0, end - TIP) : end + 1].max(axis=0) > 0.5, cover[end] > 0.5
        inner = np.where((hair > FAINT) & (away > 0), away, np.inf).min(axis=1)
        hangs = np.isfinite(inner[first : end - TIP + 1]).all() and (at_end & (away > 0) & ~cloth).any()
        if end - first < TIP or not hangs:
            continue
        inner[:first], inner[end - TIP :] = inner[first], inner[end - TIP]  # the last rows are ragged
        smooth = cv2.GaussianBlur(inner[first:, None], (1, 0), TIP * scale, borderType=cv2.BORDER_REPLICATE)
        inner[first:] = smooth[:, 0]
        outer = away[cloth & (away > 0)].min(initial=float(columns[-1]))
        aside = (outer - inner[:, None]) * np.clip((rows - first) / (end - first), 0, 1) ** 3
        inside = np.clip((away - inner[:, None] - aside) / (SOFT_EDGE * scale) + 1, 0, 1)
        stay = np.where((away > 0) & (rows > first), np.minimum(stay, inside * (rows < end)), stay)
    return stay.astype(np.float32)


def inside_collar(cover: F32, body: Body, scale: float) -> F32:
    """Return the columns between a garment's highest points (1, W) float32 0..1: what lies further out is no throat.

    cover: (H, W) of the torso's part. scale: these pixels per print pixel.
    """
    (left, _), (right, _) = collar_points(cover, body, scale)
    columns = np.arange(cover.shape[1], dtype=np.float32)[None]
    return np.clip(np.minimum(columns - left, right - columns) / (SOFT_EDGE * scale) + 1, 0, 1).astype(np.float32)


def outside_throat(hanging: F32, own: F32, cover: F32, body: Body, scale: float) -> F32:
    """Return hanging hair without what was carried on below its end inside a collar: the throat's skin is seen there.

    hanging, own: with and without what was carried on; cover: the garment's. All (H, W) float32 0..1 of the torso's
    part. scale: these pixels per print pixel.
    """
    top = min(y for _, y in collar_points(cover, body, scale))
    below = (np.arange(len(hanging), dtype=np.float32)[:, None] - top) / (SETS_IN * INTEROCULAR_PX * scale)
    return hanging - np.maximum(hanging - own, 0) * inside_collar(cover, body, scale) * np.clip(below, 0, 1)


def beside_collar(hair: F32, head: F32, cover: F32, backdrop: F32, body: Body, scale: float) -> F32:
    """Return where there is hair between a collar and the hair beside it, or between locks there: (H, W) float32 0..1.

    Hair that hangs on both sides of a neck hangs behind it too; where the photo ends, or has old clothes, nothing of
    that is seen, and backdrop or a strip of skin stood beside the collar. From a collar's highest points down, outside
    them, over GAP at most, beside a LOCK, and not where the photo has a backdrop. hair: all that hangs, head: the face
    too; all (H, W) float32 0..1 of the torso's part. scale: these pixels per print pixel.
    """
    width = round(GAP * INTEROCULAR_PX * scale)
    columns, rows = np.arange(hair.shape[1], dtype=np.float32)[None], np.arange(len(hair), dtype=np.float32)[:, None]
    middle = body.neck_x * scale
    solid, cloth, others = (
        (part > SOLID).astype(np.uint8) for part in (hair, cover, np.max((hair, head, cover), axis=0))
    )
    lock = round(LOCK * INTEROCULAR_PX * scale) | 1
    solid = cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones((lock, lock), np.uint8))
    if not solid.any():
        return np.zeros_like(hair)
    kernel, beside = np.ones((1, width), np.uint8), np.zeros_like(hair)
    for way, (x, y) in zip((-1, 1), collar_points(cover, body, scale), strict=True):
        left, right = (0, 0), (width - 1, 0)
        further_out, inwards = (left, right) if way > 0 else (right, left)
        between = cv2.dilate(solid, kernel, anchor=further_out) & cv2.dilate(others, kernel, anchor=inwards)
        between *= 1 - others
        between &= cv2.morphologyEx(between | cloth, cv2.MORPH_OPEN, np.ones((lock, 1), np.uint8))
        outside = (way * (columns - middle) >= 0) & (way * (columns - x) > 0)
        beside = np.maximum(beside, between * outside * np.clip((rows - y) / (SETS_IN * INTEROCULAR_PX * scale), 0, 1))
    soft = cv2.GaussianBlur(cv2.dilate(beside, np.ones((5, 5), np.uint8)), (0, 0), 1.0)
    return np.minimum(soft * (1 - backdrop), 1 - np.maximum(head - hair, 0)).astype(np.float32)


def in_shade(rgb: F32, hair: F32, scale: float) -> F32:
    """Return the colours that hair (H, W) has further in, from those it has nearby: (H, W, 3) float32 sRGB 0..1."""
    return IN_SHADE * normalized_convolution(rgb, hair, NEAR * INTEROCULAR_PX * scale)


def soft_under_hair(neck: F32, hair: F32, scale: float) -> F32:
    """Let a neck (H, W) end softly under hair, further on: hair is seen through by a tenth, and showed where it ended.

    hair: (H, W) float32 0..1; scale: these pixels per print pixel.
    """
    sigma = UNDER_HAIR * INTEROCULAR_PX * scale
    beyond = round(6 * sigma) + 3  # dilated by two deviations, and blurred over four
    left, top, wide, tall = cv2.boundingRect((neck > 0).astype(np.uint8))
    box = np.s_[max(0, top - beyond) : top + tall + beyond, max(0, left - beyond) : left + wide + beyond]
    grown = cv2.dilate(neck[box], np.ones((2 * round(2 * sigma) + 1,) * 2, np.uint8))
    whole = neck.copy()
    whole[box] = np.maximum(neck[box], cv2.GaussianBlur(grown, (0, 0), sigma) * np.clip(2 * hair[box] - 1, 0, 1))
    return whole
