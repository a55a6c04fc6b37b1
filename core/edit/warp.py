"""Layers moved by a field: small warps of a face, and the whole figure brought elsewhere in its print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.types import F32, U8, Layers

GRID: Final = 8
"""Pixels between the points at which a smooth field is worked out."""
STILL: Final = 0.015
"""Pixels by which a field moves nothing: `cv2.remap` looks points up to the next 1/32 of a pixel."""


def grid(layers: Layers) -> tuple[F32, F32]:
    """Return x and y of every GRID-th pixel of the layers, in their pixels."""
    height, width = layers.head.shape
    x, y = np.meshgrid(np.arange(0, width + GRID, GRID), np.arange(0, height + GRID, GRID))
    return x.astype(np.float32), y.astype(np.float32)


def moved(layers: Layers, dx: F32, dy: F32) -> Layers:
    """Move head, neck and their surface by a field; the garment stays where it is.

    dx, dy: as `grid`; how far the content of each point goes, in pixels. Small fields only: a point is looked for where
    the field's opposite leads, which is its inverse to first order.
    """
    height, width = layers.head.shape
    full = [_full(part, (width, height)) for part in (dx, dy)]
    box = _moving(full)
    rows, columns = np.ogrid[box]
    map_x, map_y = (at.astype(np.float32) - part[box] for at, part in zip((columns, rows), full, strict=True))

    def brought(layer: NDArray[Any], how: int) -> NDArray[Any]:
        out = layer.copy()
        if map_x.size:
            out[box] = cv2.remap(layer, map_x, map_y, how, borderMode=cv2.BORDER_REPLICATE)
        return out

    def carried(points: F32) -> F32:
        out = points.copy()
        if len(points):
            at = points[:, None, :2].astype(np.float32)
            for axis in (0, 1):
                out[:, axis] += cv2.remap(full[axis], at[..., 0], at[..., 1], cv2.INTER_LINEAR)[:, 0]
        return out

    return replace(
        layers,
        sitter=brought(layers.sitter, cv2.INTER_LANCZOS4),
        head=brought(layers.head, cv2.INTER_LINEAR),
        neck=np.maximum(brought(layers.neck, cv2.INTER_LINEAR), np.minimum(layers.neck, layers.garment[..., 3])),
        normals=brought(layers.normals.astype(np.float32), cv2.INTER_LINEAR).round().astype(np.int8),
        marks=carried(layers.marks),
        landmarks=carried(layers.landmarks),
        regions=brought(layers.regions, cv2.INTER_LINEAR) if layers.regions.size else layers.regions,
    )


def _moving(field: Sequence[F32]) -> tuple[slice, slice]:
    """Return the rows and columns within which a field, two of (H, W), moves anything."""
    moves = (np.abs(field[0]) > STILL) | (np.abs(field[1]) > STILL)
    rows, columns = (np.flatnonzero(moves.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _full(part: F32, size: tuple[int, int]) -> F32:
    """Bring a field of `grid` to every pixel."""
    width, height = size
    columns = np.arange(width, dtype=np.float32)[None].repeat(height, 0) / GRID
    rows = np.arange(height, dtype=np.float32)[:, None].repeat(width, 1) / GRID
    return cv2.remap(part.astype(np.float32), columns, rows, cv2.INTER_LINEAR)


def placed(layers: Layers, move: F32, size: tuple[int, int]) -> Layers:
    """Bring all layers into a picture of `size` (width, height) by a similarity (2, 3) without a turn.

    What lies outside of them is empty: the backdrop, which is drawn for any size, shows there. No other clothes can be
    put on them any more, and none dyed.
    """
    zoom = float(move[0, 0])
    how = cv2.INTER_LANCZOS4 if zoom > 1 else cv2.INTER_AREA

    def brought(layer: NDArray[Any], within: U8, border: int = cv2.BORDER_CONSTANT) -> NDArray[Any]:
        """Bring the rows of a layer (H, W) or (H, W, C) in which `within` (H, any) is not empty."""
        smooth = cv2.GaussianBlur(layer, (0, 0), 0.35 / zoom) if zoom < 0.75 else layer
        flags = cv2.INTER_LINEAR if how == cv2.INTER_AREA else how
        made = np.zeros((size[1], size[0], *layer.shape[2:]), layer.dtype)
        _, top, _, tall = cv2.boundingRect(within)
        reach = 48 * max(1.0, zoom)  # of Lanczos' window, the blur, and what retouching looks at round the skin
        first = int(np.clip(np.floor(zoom * top + move[1, 2] - reach), 0, size[1]))
        last = int(np.clip(np.ceil(zoom * (top + tall) + move[1, 2] + reach), 0, size[1]))
        if tall and last > first:
            back = cv2.invertAffineTransform(move.astype(np.float64))
            back[1, 2] += back[1, 1] * first
            flags |= cv2.WARP_INVERSE_MAP
            cv2.warpAffine(smooth, back, (size[0], last - first), made[first:last], flags, border)
        return made

    points = layers.landmarks * np.float32(zoom)
    marks = layers.marks * np.float32(zoom)
    points[:, :2] += move[:, 2]
    marks[:, :2] += move[:, 2]
    cloth, alpha = layers.garment[..., :3].copy(), layers.garment[..., 3].copy()
    garment = np.dstack([brought(cloth, alpha, cv2.BORDER_REPLICATE), brought(alpha, alpha)])
    normals = cv2.warpAffine(
        layers.normals.astype(np.float32), move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return replace(
        layers,
        sitter=brought(layers.sitter, np.maximum(layers.head, layers.neck), cv2.BORDER_REPLICATE),
        head=brought(layers.head, layers.head),
        neck=brought(layers.neck, layers.neck),
        garment=garment,
        normals=normals.round().astype(np.int8),
        marks=marks,
        landmarks=points,
        parts=np.zeros((0, 0, 3), np.uint8),
        regions=brought(layers.regions, layers.regions.reshape(len(layers.regions), -1))
        if layers.regions.size
        else layers.regions,
        chin=layers.chin * zoom + float(move[1, 2]),
        frame_width=layers.unit * zoom,
        undressed=None,
        own=None,
    )
