"""A backdrop recipe -> pixels: procedural, exact at any size, the same bytes for the same seed.

Walls stand just behind the sitter, places are crude scenes in linear light seen through a lens far out of focus, as
behind a head at 85 mm and f/2.8. Knows nothing of the sitter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from core.colour import linear
from core.scene.backdrops import outside, rooms, walls
from core.scene.backdrops.optics import Size, grid
from core.types import F32

Painter = Callable[[F32, F32, np.random.Generator, Size, float], F32]
"""(colour, second, noise, size, side) -> (H, W, 3) linear light; side as in `Backdrop`."""
SMOOTH, SOFT, SHARP = (256, 320), (512, 640), (768, 960)
"""Sizes at which backdrops are drawn: the smallest that holds all there is to see of one."""


@dataclass(frozen=True, slots=True)
class Backdrop:
    """What stands behind the sitter.

    kind: one of KINDS. colour: sRGB 0..255, the wall's colour or the place's mood; second: the other colour of a
    painted canvas or a gradient, the mortar, the light's colour, the furniture; None is the first. pool: how much
    brighter the light pool behind the head is, in stops. vignette: darkening of the corners, in stops.
    side: -1 brighter on the picture's left .. 1 on the right. stops: exposure of all of it.
    """

    kind: str
    colour: tuple[int, int, int]
    pool: float = 0.6
    vignette: float = 0.5
    side: float = 0.0
    second: tuple[int, int, int] | None = None
    stops: float = 0.0


def draw_backdrop(backdrop: Backdrop, seed: int, width: int, height: int) -> F32:
    """Draw a backdrop: (height, width, 3) float32 linear light, 0..1. Raises ValueError for an unknown kind."""
    if backdrop.kind not in KINDS:
        raise ValueError(f"backdrop kind {backdrop.kind!r} is unknown, choose from {', '.join(KINDS)}")
    rng = np.random.default_rng([seed, list(KINDS).index(backdrop.kind)])
    size, painter = KINDS[backdrop.kind]
    colour = linear(np.array(backdrop.colour, np.uint8))
    second = colour if backdrop.second is None else linear(np.array(backdrop.second, np.uint8))
    scene = painter(colour, second, rng, size, backdrop.side) * np.exp2(_fall_off(backdrop, size))[..., None]
    shrinks = width < size[0]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    lit = np.clip(cv2.resize(scene, (width, height), interpolation=way), 0, 1) * np.float32(2.0**backdrop.stops)
    return np.minimum(lit, 1).astype(np.float32)


def _fall_off(backdrop: Backdrop, size: Size) -> F32:
    """Return stops over the frame: a pool of light behind the head, darker corners, one side brighter."""
    x, y = grid(size)
    pool = np.exp(-((x - 0.25 * backdrop.side) ** 2 / 0.55 + (y + 0.1) ** 2 / 0.7))
    corners = np.clip((x**2 + y**2) / 2, 0, 1)
    return (backdrop.pool * (pool - 0.5) - backdrop.vignette * corners + 0.35 * backdrop.side * x).astype(np.float32)


KINDS: Final[dict[str, tuple[Size, Painter]]] = {
    "paper": (SMOOTH, walls.paper),
    "window": (SOFT, rooms.window),
    "outdoor": (SOFT, outside.foliage),
    "gradient": (SMOOTH, walls.gradient),
    "canvas": (SOFT, walls.canvas),
    "brick": (SHARP, walls.brick),
    "library": (SOFT, rooms.library),
    "office": (SOFT, rooms.office),
    "city": (SOFT, outside.city),
}
"""Every kind with its size and its painter. The order seeds the noise: add at the end only."""
