"""Draw the pieces of a garment onto each other: colour, coverage, creases, seams and relief, at any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from core import frame
from core.frame import INTEROCULAR_PX
from core.types import F32, Body

TOP: Final = frame.GARMENT_TOP * frame.PRINT[1]
"""First row of the frame that a garment may touch, in print pixels."""
SIZE: Final = (frame.PRINT[0], round(frame.PRINT[1] - TOP))
"""Width and height of the garment's part of the frame at print size: 1024 x 576."""
FINE: Final = 4
"""A small layout's regions are filled at four times its size, then averaged down: clean edges at every size."""

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A drawn garment of (H, W): the lower 45 % of the frame.

    rgba: (H, W, 4) float32 0..1, sRGB and coverage, not premultiplied, colours filled everywhere.
    regions: what is seen of each named piece, (H, W) float32 0..1: "jacket", "lapel", "shirt",
    "collar", "tie", "knot" as the kind has them. collar: (H, W) float32, all that lies round the neck
    and covers its end. crease: (H, W) float32, thin lines of shadow at edges of lapel, collar and tie.
    lines: (H, W) float32, the seams and edges that are seen inside the garment, as thin lines. relief:
    (H, W) float32, how far the pieces stand out by lying on each other, in eye distances.
    """

    rgba: F32
    regions: dict[str, F32]
    collar: F32
    crease: F32
    lines: F32
    relief: F32


@dataclass(frozen=True, slots=True)
class Piece:
    """One outline with its colour; later pieces lie on earlier ones. A hole cuts what lies below it."""

    name: str
    outline: Points
    colour: tuple[float, ...]
    shade: float = 0.0
    """How dark the shadow is that its edge throws on the pieces below, 0..1."""
    collar: bool = False
    thick: float = 0.03
    """How far it stands out of what it lies on, in eye distances."""
    roll: float = 0.07
    """How far inside its edge it has risen to that: a fold is rounder than a hem."""


def paint(pieces: Sequence[Piece], body: Body, size: tuple[int, int]) -> Layout:
    """Draw pieces, the undermost first, round a body's neck. size: (width, height) of the garment's part."""
    width, height = size
    scale = width / frame.PRINT[0]
    fine = 1 if width >= 512 else FINE
    colour = np.zeros((height * fine, width * fine, 3), np.float32)
    cover = np.zeros(colour.shape[:2], np.float32)
    collar = np.zeros_like(cover)
    crease = np.zeros_like(cover)
    lines = np.zeros_like(cover)
    relief = np.zeros((height, width), np.float32)
    regions: dict[str, F32] = {}
    reach = max(1.0, 0.022 * INTEROCULAR_PX * scale * fine)
    for piece in pieces:
        inside = _fill(piece.outline, body, scale * fine, cover.shape)
        if not piece.name:
            cover *= 1 - inside
            crease *= 1 - inside
            lines *= 1 - inside
            for region in regions.values():
                region *= 1 - inside
            continue
        if piece.shade:
            crease = np.maximum(crease * (1 - inside), piece.shade * _thrown(inside, reach) * (1 - inside) * cover)
        lines = np.maximum(lines * (1 - inside), _edge(inside, max(1, fine // 2)))
        for region in regions.values():
            region *= 1 - inside
        regions[piece.name] = np.maximum(regions.get(piece.name, 0), inside)
        cover = np.maximum(cover, inside)
        colour += (np.array(piece.colour, np.float32) - colour) * (inside / np.maximum(cover, 1e-6))[..., None]
        if piece.collar:
            collar = np.maximum(collar, inside)
        relief = _risen(relief, cv2.resize(inside, size, interpolation=cv2.INTER_AREA), piece, INTEROCULAR_PX * scale)
    colour *= (1 - 0.55 * crease)[..., None]
    colour = _carried_outward(colour, cover, np.array(pieces[0].colour, np.float32))

    def down(layer: F32) -> F32:
        return cv2.resize(layer, size, interpolation=cv2.INTER_AREA)

    rgba = np.dstack([down(colour), down(cover)]).astype(np.float32)
    lines *= cv2.erode(cover, np.ones((3 * fine,) * 2))
    return Layout(
        rgba, {k: down(v) for k, v in regions.items()}, down(collar * cover), down(crease), down(lines), relief
    )


def _thrown(inside: F32, reach: float) -> F32:
    """Return the shadow (H, W) that a piece throws on what it lies on: a dark line at its edge and a wide soft one."""
    tight = cv2.GaussianBlur(inside, (0, 0), reach)
    return (1.6 * tight + 0.7 * _wide(inside, 5 * reach)).astype(np.float32)


def _wide(layer: F32, sigma: float) -> F32:
    """Blur a layer (H, W) widely, at a quarter of its size."""
    small = cv2.resize(layer, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.3, sigma / 4))
    return cv2.resize(small, layer.shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _risen(relief: F32, inside: F32, piece: Piece, eye: float) -> F32:
    """Lay a piece on a relief (H, W): its edge is a quarter round, and what lies below shows through it softly."""
    depth = cv2.distanceTransform((inside > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / (piece.roll * eye)
    rise = piece.thick * np.sqrt(1 - (1 - np.clip(depth, 0, 1)) ** 2)
    return (relief + (_wide(relief, 0.06 * eye) + rise - relief) * inside).astype(np.float32)


def _edge(inside: F32, thick: int) -> F32:
    """Return the outline of a filled piece as a line that many pixels thick."""
    grown = cv2.dilate(inside, np.ones((thick + 1,) * 2))
    return (grown * (1 - inside)).astype(np.float32)


def _carried_outward(colour: F32, cover: F32, else_: F32) -> F32:
    """Give the pixels just outside a garment the colour of its edge, those further off another: none has a fringe."""
    near = cv2.GaussianBlur(np.dstack([colour * cover[..., None], cover]), (0, 0), 2)
    outside = np.where(near[..., 3:] > 1e-3, near[..., :3] / np.maximum(near[..., 3:], 1e-3), else_)
    return np.where(cover[..., None] > 0, colour, outside).astype(np.float32)


def _fill(outline: Points, body: Body, scale: float, shape: tuple[int, int]) -> F32:
    """Fill one outline: eye distances round the collar point, to pixels."""
    points = (np.array(outline) * INTEROCULAR_PX + np.array([body.neck_x, body.collar_y - TOP])) * scale - 0.5
    filled = np.zeros(shape, np.uint8)
    cv2.fillPoly(filled, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return filled.astype(np.float32) / 255
