"""A backdrop recipe -> pixels: procedural, exact at any size, the same bytes for the same seed.

Studio papers are gradients with a pool of light; places are crude scenes in linear light seen through
a lens far out of focus, as behind a head at 85 mm f/2. Knows nothing of the sitter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from core.colour import linear
from core.types import F32

KINDS: Final = ("paper", "window", "outdoor")


@dataclass(frozen=True, slots=True)
class Backdrop:
    """What stands behind the sitter.

    kind: one of KINDS. colour: sRGB 0..255, the paper's colour or the place's mood. pool: how much
    brighter the light pool behind the head is, in stops. vignette: darkening of the corners, in stops.
    side: -1 brighter on the picture's left .. 1 on the right.
    """

    kind: str
    colour: tuple[int, int, int]
    pool: float = 0.6
    vignette: float = 0.5
    side: float = 0.0


def draw_backdrop(backdrop: Backdrop, seed: int, width: int, height: int) -> F32:
    """Draw a backdrop: (height, width, 3) float32 linear light, 0..1. Raises ValueError for an unknown kind."""
    if backdrop.kind not in KINDS:
        raise ValueError(f"backdrop kind {backdrop.kind!r} is unknown, choose from {', '.join(KINDS)}")
    rng = np.random.default_rng([seed, KINDS.index(backdrop.kind)])
    # everything is out of focus, so a quarter of the print size holds all there is to see
    size = (256, 320)
    if backdrop.kind == "paper":
        scene = _paper(backdrop, rng, size)
    elif backdrop.kind == "window":
        scene = _defocus(_window(backdrop, rng, size), radius=24)
    else:
        scene = _defocus(_outdoor(backdrop, rng, size), radius=15)
    scene = scene * np.exp2(_fall_off(backdrop, size))[..., None]
    return np.clip(cv2.resize(scene, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1).astype(np.float32)


def _grid(size: tuple[int, int]) -> tuple[F32, F32]:
    """Return x and y of each pixel, both -1..1."""
    x, y = np.meshgrid(np.linspace(-1, 1, size[0], dtype=np.float32), np.linspace(-1, 1, size[1], dtype=np.float32))
    return x, y


def _fall_off(backdrop: Backdrop, size: tuple[int, int]) -> F32:
    """Return stops over the frame: a pool of light behind the head, darker corners, one side brighter."""
    x, y = _grid(size)
    pool = np.exp(-((x - 0.25 * backdrop.side) ** 2 / 0.55 + (y + 0.1) ** 2 / 0.7))
    corners = np.clip((x**2 + y**2) / 2, 0, 1)
    return (backdrop.pool * (pool - 0.5) - backdrop.vignette * corners + 0.35 * backdrop.side * x).astype(np.float32)


def _cloud(rng: np.random.Generator, size: tuple[int, int], scales: tuple[int, ...]) -> F32:
    """Return smooth noise in about -1..1: octaves of bicubic value noise, coarse first."""
    field = np.zeros((size[1], size[0]), np.float32)
    for octave, cells in enumerate(scales):
        grid = rng.standard_normal((max(2, cells * size[1] // size[0]), cells)).astype(np.float32)
        field += cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC) * 0.6**octave
    return field / np.float32(np.abs(field).max())


def _paper(backdrop: Backdrop, rng: np.random.Generator, size: tuple[int, int]) -> F32:
    """Seamless paper or muslin: one colour, mottled by three percent as cloth under a softbox is."""
    base = linear(np.array(backdrop.colour, np.uint8))
    mottle = np.exp2(0.09 * _cloud(rng, size, (3, 6, 11)))
    return (base * mottle[..., None]).astype(np.float32)


def _window(backdrop: Backdrop, rng: np.random.Generator, size: tuple[int, int]) -> F32:
    """A bright room: a tall window on one side, a wall, shelves and a plant, all to be thrown out of focus."""
    x, y = _grid(size)
    mood = linear(np.array(backdrop.colour, np.uint8))
    wall = mood * np.exp2(0.15 * _cloud(rng, size, (2, 4)))[..., None]
    scene = wall * (0.75 + 0.25 * (1 - y[..., None]))
    side = -1.0 if backdrop.side < 0 else 1.0
    left = 0.42 + 0.15 * rng.random()
    pane = (side * x > left) & (y < 0.72)
    sky = np.array([1.0, 1.0, 1.0], np.float32) * (0.98 - 0.2 * (y[..., None] + 1) / 2)
    scene = np.where(pane[..., None], sky, scene)
    garden = pane & (y > 0.18 + 0.12 * _cloud(rng, size, (5, 9)))
    hedge = np.array([0.50, 0.53, 0.44], np.float32) * (0.9 + 0.3 * _cloud(rng, size, (12,)))[..., None]
    scene = np.where(garden[..., None], hedge, scene)
    bars = pane & ((np.abs(side * x - left - 0.36) < 0.022) | (np.abs(y + 0.25) < 0.016) | (side * x < left + 0.03))
    scene = np.where(bars[..., None], mood * 0.55, scene)
    for _ in range(5):  # shelves, frames and things on the wall opposite the window
        w, h = 0.1 + 0.22 * rng.random(), 0.06 + 0.3 * rng.random()
        cx, cy = -side * (0.25 + 0.75 * rng.random()), -0.7 + 1.3 * rng.random()
        tint = mood * np.float32(0.35 + 0.8 * rng.random()) * (1 + 0.09 * rng.standard_normal(3).astype(np.float32))
        scene = np.where(((np.abs(x - cx) < w) & (np.abs(y - cy) < h))[..., None], np.clip(tint, 0, 0.9), scene)
    plant = (x + side * 0.72) ** 2 / 0.05 + (y - 0.35) ** 2 / 0.16 < 1 + 0.7 * _cloud(rng, size, (14, 25))
    leaf = np.array([0.16, 0.19, 0.12], np.float32) * (1 + 0.5 * _cloud(rng, size, (30,)))[..., None]
    return np.where(plant[..., None], leaf, scene).astype(np.float32)


def _outdoor(backdrop: Backdrop, rng: np.random.Generator, size: tuple[int, int]) -> F32:
    """A park in the late afternoon: sky through leaves, foliage in clumps, sparks of sun that become bokeh discs."""
    _, y = _grid(size)
    mood = linear(np.array(backdrop.colour, np.uint8))
    clumps = _cloud(rng, size, (4, 8, 16))
    leaves = _cloud(rng, size, (24, 48, 90))
    foliage = mood * np.exp2(1.1 * clumps + 0.8 * leaves)[..., None]
    warm = np.array([1.18, 1.02, 0.72], np.float32)
    foliage = foliage * (1 + (warm - 1) * np.clip(clumps + 0.3, 0, 1)[..., None])
    sky = np.array([0.86, 0.90, 0.92], np.float32) * (1.0 - 0.12 * (y[..., None] + 1))
    gap = np.clip((-y - 0.35 + 0.55 * clumps + 0.35 * leaves) * 4, 0, 1)[..., None]
    scene = foliage * (1 - gap) + sky * gap
    path = np.clip((y - 0.55 + 0.15 * clumps) * 3, 0, 1)[..., None]
    scene = scene * (1 - 0.7 * path) + 0.7 * path * np.array([0.26, 0.24, 0.17], np.float32)
    sparks = np.argwhere((leaves > 0.1) & (y < 0.35))
    picked = sparks[rng.choice(len(sparks), size=min(70, len(sparks)), replace=False)]
    glow = np.float32(2.0) + 9 * rng.random(len(picked)).astype(np.float32) ** 2
    scene[picked[:, 0], picked[:, 1]] += glow[:, None] * np.array([1.1, 1.0, 0.62], np.float32)
    return scene.astype(np.float32)


def _defocus(scene: F32, radius: float) -> F32:
    """Throw a linear-light scene out of focus: convolve with a disc, as a round aperture does, edges mirrored."""
    reach = int(np.ceil(radius)) + 1
    v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(u, v), 0, 1).astype(np.float32)
    disc *= (
        0.85 + 0.3 * np.clip(np.hypot(u, v) / radius, 0, 1) ** 4
    )  # real lenses leave discs a little brighter at the rim
    return cv2.filter2D(scene, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT)
