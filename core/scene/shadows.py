"""What a lamp does on the face mesh beyond shading: what nose and brows throw, and its image in the eyes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator

from core import frame
from core.colour import LUMINANCE, linear
from core.face.mesh import EYES
from core.types import F32, U8


@dataclass(frozen=True, slots=True)
class Lamp:
    """A lamp as the face sees it: where it stands and how large it looks, as `core.scene.lighting.Rig`."""

    key_deg: float
    key_up_deg: float
    size: float


REACH: Final = 0.8
"""Eye distances along which a shadow is looked for: longer than any nose."""
STEPS: Final = 18
PENUMBRA_DEG: Final = 13.0
"""Angle between the middle and the edge of a large softbox, seen from the face; a bare bulb has a fifth of it."""
BIAS: Final = 0.02
"""Eye distances by which a surface must be overtopped: less is the mesh's own coarseness."""
IRISES: Final = ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477))
"""Centre and ring of each iris in the mesh."""
CORNEA: Final = 1.3
"""Radius of the cornea over the iris's: 7.8 mm and 5.9 mm (Gullstrand's eye)."""
SOFTBOX: Final = 2.6
"""Exponent of the outline of a softbox's image: between a circle, 2, and a square, that of a dot in a small print."""
UNDER_HAIR: Final = 0.3
"""Part of an iris that hair covers from which on it mirrors nothing."""
WHITE: Final = 1.4
"""Light of the white of an eye over its iris's: less is dark glass, or an eye in the dark; by eye on a dozen people."""
OWN_LAMP, LEAST_LAMP = 4.0, 0.12
"""Linear light in an iris, over its median and in itself, from which on a lamp is in it already."""


def towards(key_deg: float, key_up_deg: float) -> F32:
    """Return the unit vector from the face to a lamp: x right, y down, z to the viewer."""
    side, up = np.radians(key_deg), np.radians(key_up_deg)
    return np.array([np.sin(side) * np.cos(up), -np.sin(up), np.cos(side) * np.cos(up)], np.float32)


def key_arriving(landmarks: F32, lamp: Lamp, size: tuple[int, int], shrink: float, unit: float) -> F32:
    """Return how much of the key arrives at each point of the face (H, W), 1 all of it, 1 off the face.

    landmarks: as `core.types.Layers`; size: width and height of the result; shrink: its pixels over the print's; unit:
    the frame's width in the print's pixels. A height field is walked from each point towards nine points of the lamp.
    """
    height_field, inside = _height(landmarks.astype(np.float32).tobytes(), size, shrink)
    eye = frame.EYE_DISTANCE * unit * shrink
    spread = PENUMBRA_DEG * (0.2 + 0.8 * lamp.size)
    arriving = np.zeros(inside.shape, np.float32)
    for aside in (-1.0, 0.0, 1.0):
        for above in (-1.0, 0.0, 1.0):
            point = towards(lamp.key_deg + aside * spread, lamp.key_up_deg + above * spread)
            arriving += _seen(height_field, point, eye)
    arriving = cv2.GaussianBlur(arriving / 9, (0, 0), max(0.02 * eye, 0.6))
    return (1 - (1 - arriving) * inside).astype(np.float32)


@lru_cache(maxsize=2)
def _height(points: bytes, size: tuple[int, int], shrink: float) -> tuple[F32, F32]:
    """Return how far the mesh stands towards the viewer, very low off it, and a soft mask of it, both (H, W)."""
    mesh = np.frombuffer(points, np.float32).reshape(-1, 3)[:468] * np.float32(shrink)
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    field = np.asarray(LinearNDInterpolator(mesh[:, :2], -mesh[:, 2], fill_value=np.nan)(columns, rows), np.float32)
    on = np.isfinite(field)
    wide = max(float(np.ptp(mesh[:, 0])), 1.0)
    known = on.astype(np.float32)
    smooth = cv2.GaussianBlur(np.where(on, field, 0), (0, 0), 0.02 * wide)
    field = np.where(on, smooth / np.maximum(cv2.GaussianBlur(known, (0, 0), 0.02 * wide), 1e-3), np.float32(-1e4))
    depth = cv2.distanceTransform(np.pad(on.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    return field.astype(np.float32), np.clip(depth / (0.12 * wide), 0, 1).astype(np.float32)


def _seen(field: F32, light: F32, eye: float) -> F32:
    """Return 1 where the lamp is seen from, falling to 0 where something stands above the line to it."""
    size = field.shape[::-1]
    over = np.full(field.shape, -1e4, np.float32)
    for step in np.linspace(0.04, REACH, STEPS) * eye:
        shift = np.array([[1, 0, -step * light[0]], [0, 1, -step * light[1]]], np.float32)
        ahead = cv2.warpAffine(
            field, shift, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=-1e4
        )
        np.maximum(over, ahead - np.float32(step * light[2]), out=over)
    return np.clip(1 - (over - field - BIAS * eye) / (0.02 * eye), 0, 1)


def catch_lights(landmarks: F32, lamp: Lamp, rgb: F32, hair: U8) -> F32:
    """Return where the lamp's image lies in both eyes (H, W), 0..1; all zero where no mesh was kept.

    It lies on the cornea halfway between lamp and viewer, where the lids do not cover it. rgb: (H, W, 3) float32 sRGB
    0..1, the sitter; hair: (H, W) uint8. An eye under hair or behind dark glass gets none, and so does one that has its
    own.
    """
    size = rgb.shape[1::-1]
    seen = np.zeros((size[1], size[0]), np.float32)
    if len(landmarks) <= IRISES[1][-1]:
        return seen
    half = towards(lamp.key_deg, lamp.key_up_deg) + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    for iris, lid in zip(IRISES, EYES, strict=True):
        middle = landmarks[iris[0], :2]
        radius = float(np.linalg.norm(landmarks[list(iris[1:]), :2] - middle, axis=-1).mean())
        spot = max((0.12 + 0.14 * lamp.size) * radius, 0.7)
        rows, columns = _around(middle, 2 * radius, size)
        between_lids = np.zeros(seen.shape, np.uint8)
        cv2.fillPoly(between_lids, [np.round(landmarks[list(lid), :2]).astype(np.int32)], 1)
        lids = between_lids[rows, columns]
        x, y = np.arange(size[0])[None, columns], np.arange(size[1])[rows, None]
        away = np.hypot(x - middle[0], y - middle[1]) / radius
        light = linear(rgb[rows, columns]) @ LUMINANCE
        if (hair[rows, columns][away < 1] > 127).mean() > UNDER_HAIR or not _dull(light, away, lids > 0):
            continue
        at = middle + half[:2] * np.float32(CORNEA * radius)
        distance = (np.abs(x - at[0]) ** SOFTBOX + np.abs(y - at[1]) ** SOFTBOX) ** (1 / SOFTBOX)
        shape = cv2.GaussianBlur(np.clip(spot - distance + 0.5, 0, 1).astype(np.float32), (0, 0), max(0.5 * spot, 0.7))
        seen[rows, columns] = shape * cv2.GaussianBlur(lids.astype(np.float32), (0, 0), 0.7)
    return seen


def _dull(light: F32, away: F32, between_lids: NDArray[np.bool_]) -> bool:
    """Return whether an eye is seen, its white lighter than its iris, and no lamp in it yet.

    light: (H, W) linear; away: (H, W) from the iris' middle, in its radii.
    """
    iris, white = between_lids & (away < 0.7), between_lids & (away > 1.1)
    if min(iris.sum(), white.sum()) < 4:
        return False
    dark = float(np.median(light[iris]))
    return bool(np.quantile(light[white], 0.8) > WHITE * dark and light[iris].max() < max(OWN_LAMP * dark, LEAST_LAMP))


def _around(at: F32, reach: float, size: tuple[int, int]) -> tuple[slice, slice]:
    """Return rows and columns of the pixels within a reach, inside the picture and never empty."""
    left, top = (int(np.clip(at[axis] - reach, 0, size[axis] - 1)) for axis in (0, 1))
    right, bottom = (int(np.clip(at[axis] + reach + 1, 1, size[axis])) for axis in (0, 1))
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
