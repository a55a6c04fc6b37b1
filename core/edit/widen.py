"""Layers with room at their sides: a shoulder that the print's border cuts is carried on to the arm's outer edge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.edit import masks
from core.errors import Refused
from core.types import F32, U8, Layers

ARM: Final = 0.62
"""Eye distances from the print's border to the outer edge of an arm that it cuts: the median body has its arms 3.1 eye
distances beside the neck, the print ends at 2.7; a little more, so that the edge falls slowly."""
FALL: Final = 1.3
"""Eye distances by which the shoulder falls from the border to the arm's edge, on top of its own slope."""
SLOPE: Final = (0.0, 0.9)
"""Bounds on the slope of a shoulder at the border: rows a column."""
MEASURED: Final = 0.35
"""Eye distances inside the border over which the slope is read."""
BEND: Final = 0.75
"""How far the surface has turned aside at the arm's edge, 0..1."""


def widened(layers: Layers, left: int, right: int) -> tuple[Layers, int]:
    """Add columns at both sides, as many as are asked for or as an arm needs; returns how many at the left as well.

    Cloth goes on as its own mirror image under an outline that rounds the shoulder. Raises
    Refused where the picture's border cuts the head itself or own clothes, which cannot be carried on.
    """
    if left <= 0 and right <= 0:
        return layers, 0
    level = round(layers.chin)
    for side, wide in ((0, left), (-1, right)):
        if wide > 0 and (layers.head[:level, side] > 127).any():
            raise Refused("crown_cut", "this format is wider than the photo, whose border cuts the hair at 1 side")
        if wide > 0 and (layers.head[level:, side] > 127).sum() > 3 and not layers.parts.size:
            raise Refused("edit_own_clothes", "wider than the photo: own clothes would end at its 1 border")
    arm = min(round(ARM * masks.eye_px(layers)) + 4, layers.head.shape[1] - 1)
    left, right = min(max(left, 0), arm), min(max(right, 0), arm)

    def padded(layer: NDArray[Any], how: int) -> NDArray[Any]:
        return cv2.copyMakeBorder(layer, 0, 0, left, right, how)

    alpha = padded(layers.garment[..., 3], cv2.BORDER_CONSTANT)
    normals = padded(layers.normals.astype(np.float32), cv2.BORDER_REPLICATE)
    for side, wide in ((-1, left), (1, right)):
        if wide:
            _carry_on(alpha, normals, layers, side, wide)
    cloth = padded(layers.garment[..., :3].copy(), cv2.BORDER_REFLECT_101)
    shift = np.array([left, 0, 0], np.float32)
    wide_layers = replace(
        layers,
        sitter=padded(layers.sitter, cv2.BORDER_REPLICATE),
        head=padded(layers.head, cv2.BORDER_CONSTANT),
        neck=padded(layers.neck, cv2.BORDER_CONSTANT),
        garment=np.dstack([cloth, alpha]),
        normals=np.round(normals).astype(np.int8),
        marks=layers.marks + shift,
        landmarks=layers.landmarks + shift if len(layers.landmarks) else layers.landmarks,
        parts=padded(layers.parts, cv2.BORDER_REFLECT_101) if layers.parts.size else layers.parts,
        regions=padded(layers.regions, cv2.BORDER_CONSTANT) if layers.regions.size else layers.regions,
        frame_width=layers.unit,
    )
    return wide_layers, left


def _carry_on(alpha: U8, normals: F32, layers: Layers, side: int, wide: int) -> None:
    """Fill the new columns of one side (-1 left, 1 right) of a padded garment's alpha and normals."""
    eye, own = masks.eye_px(layers), layers.garment[..., 3]
    seen = own if side < 0 else own[:, ::-1]
    columns = [seen[:, 0], seen[:, min(round(MEASURED * eye), own.shape[1] - 1)]]
    tops = [int(rows[0]) if len(rows := np.flatnonzero(column > 127)) else len(own) for column in columns]
    if tops[0] >= len(own):
        return
    slope = float(np.clip((tops[0] - tops[1]) / (MEASURED * eye), *SLOPE))
    out = np.arange(1, wide + 1, dtype=np.float32) / (ARM * eye)
    inside = np.clip(out, 0, 1)
    top = tops[0] + slope * inside * ARM * eye + FALL * eye * (1 - np.sqrt(1 - inside**2))
    row = np.arange(len(own), dtype=np.float32)[:, None]
    cover = np.clip(row - top[None] + 0.5, 0, 1) * np.clip((1 - out) * ARM * eye + 0.5, 0, 1)[None]
    cover = cv2.GaussianBlur(np.round(cover * 255).astype(np.uint8), (0, 0), 1.0)
    turned = BEND * inside**2
    bent = np.stack([side * turned, np.zeros_like(turned), np.sqrt(1 - turned**2)], axis=-1)[None]
    if side < 0:
        alpha[:, :wide] = cover[:, ::-1]
        border = normals[:, wide : wide + 1]
        mixed = border * (1 - turned[::-1, None]) + 127 * bent[:, ::-1] * turned[::-1, None]
        normals[:, :wide] = mixed
    else:
        alpha[:, -wide:] = cover
        border = normals[:, -wide - 1 : -wide]
        normals[:, -wide:] = border * (1 - turned[:, None]) + 127 * bent * turned[:, None]
