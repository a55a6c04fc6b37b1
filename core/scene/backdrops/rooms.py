"""Backdrops indoors, through a lens out of focus: a room with a window, an office in depth, a library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from core.scene.backdrops.optics import RGB, Size, box, cloud, defocus, grid
from core.types import F32

FOCAL: Final = 3.57
"""Focal length over the print's width: 85 mm before the 24 mm that a head-and-shoulders crop takes of the sensor."""
EYE_LINE: Final = 0.385
"""Where the camera's own height lies in the print; `core.frame.EYE_LINE`."""


@dataclass(frozen=True, slots=True)
class Hall:
    """A room as the camera sees it, in metres from the lens: the floor and ceiling below and above it, the walls."""

    floor: float
    ceiling: float
    left: float
    right: float
    end: float


def _hit(hall: Hall, size: Size) -> tuple[F32, F32, F32, F32]:
    """Return which surface each pixel sees (0 end, 1 left, 2 right, 3 ceiling, 4 floor), and where: x, y, z."""
    width, height = size
    u, v = np.meshgrid(np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5)
    dx, dy = (u - width / 2) / (FOCAL * width), (EYE_LINE * height - v) / (FOCAL * width)
    far = np.full(dx.shape, 1e6, np.float32)
    depths = np.stack(
        [
            np.full_like(far, hall.end),
            np.where(dx < 0, hall.left / np.minimum(dx, -1e-6), far),
            np.where(dx > 0, hall.right / np.maximum(dx, 1e-6), far),
            np.where(dy > 0, hall.ceiling / np.maximum(dy, 1e-6), far),
            np.where(dy < 0, -hall.floor / np.minimum(dy, -1e-6), far),
        ]
    )
    which = depths.argmin(axis=0)
    z = depths.min(axis=0)
    return which.astype(np.float32), dx * z, dy * z, z


def _stand(scene: F32, size: Size, at: tuple[float, float, float], wide: float, tall: float, colour: F32) -> None:
    """Put an upright board into the scene: x and z in metres, y of its foot, width and height in metres."""
    width, height = size
    x, y, z = at
    scale = FOCAL * width / z
    left, foot = width / 2 + (x - wide / 2) * scale, EYE_LINE * height - y * scale
    box(scene, left, foot - tall * scale, left + wide * scale, foot, colour)


def window(colour: F32, second: F32, rng: np.random.Generator, size: Size, side: float) -> F32:
    """A bright room: a tall window with a sheer curtain in the side wall, its light along the wall at the end."""
    x, y = grid(size)
    turn = -1.0 if side < 0 else 1.0
    from_window = turn * x  # 1 at the window's side
    wall = colour * (0.62 + 0.38 / (1 + np.exp(-2.2 * (from_window - 0.2))))[..., None]
    wall = wall * np.exp2(0.06 * cloud(rng, size, (2, 4)))[..., None]
    scene = wall.astype(np.float32)
    skirting = y > 0.86
    scene[skirting] *= 0.8
    frame_x = -0.35 - 0.2 * float(rng.random())  # a framed picture on the far side
    inside = (np.abs(from_window - frame_x) < 0.2) & (np.abs(y + 0.42) < 0.2)
    edge = (np.abs(from_window - frame_x) < 0.225) & (np.abs(y + 0.42) < 0.22) & ~inside
    scene[inside] = np.clip(colour * np.array([1.02, 1.0, 0.96], np.float32) * 1.15, 0, 0.95)
    scene[edge] = colour * np.float32(0.22)
    for _ in range(60):  # a plant below it
        u, v = -turn * 0.78 + rng.normal(0, 0.13), 0.66 + rng.normal(0, 0.2)
        leaf = np.array([0.06, 0.10, 0.045], np.float32) * np.float32(0.6 + 2.2 * rng.random() ** 2)
        at = (round((u + 1) / 2 * size[0]), round((v + 1) / 2 * size[1]))
        axes = (round(0.05 * size[0] * rng.uniform(0.6, 1.3)), round(0.016 * size[0]))
        cv2.ellipse(scene, at, axes, float(rng.uniform(0, 180)), 0, 360, leaf.tolist(), -1)
    pane = (from_window > 0.42) & (y < 0.7)
    sky = np.array([1.18, 1.24, 1.3], np.float32) * (1.25 - 0.25 * (y + 1))[..., None]
    garden = np.clip((y + 0.05 + 0.16 * cloud(rng, size, (6, 13))) * 5, 0, 1)[..., None]
    leaves = np.array([0.42, 0.5, 0.3], np.float32) * np.exp2(0.5 * cloud(rng, size, (18, 40)))[..., None]
    outside = sky + (leaves - sky) * garden * 0.85
    scene = np.where(pane[..., None], outside, scene)
    bars = pane & ((np.abs(from_window - 0.72) < 0.014) | (np.abs(y + 0.28) < 0.010) | (from_window < 0.455))
    scene[bars] = colour * np.float32(0.75)
    folds = 0.5 + 0.5 * np.sin(from_window * 58 + 3 * cloud(rng, size, (3, 5)))
    curtain = (from_window > 0.36) & (from_window < 0.56)
    sheer = np.array([0.86, 0.85, 0.82], np.float32) * (0.68 + 0.34 * folds)[..., None]
    scene = np.where(curtain[..., None], 0.72 * sheer + 0.28 * scene, scene)
    return defocus(scene.astype(np.float32), 0.03 * size[0])


def office(colour: F32, second: F32, rng: np.random.Generator, size: Size, side: float) -> F32:
    """An open office seen down its length: windows along one side, glass on the other, lamps on the ceiling, desks."""
    hall = Hall(floor=1.35, ceiling=1.25, left=-1.25, right=1.55, end=24.0)
    which, x, y, z = _hit(hall, size)
    wall = colour * np.float32(0.8)
    scene = np.empty((size[1], size[0], 3), np.float32)
    scene[...] = wall * np.exp2(0.1 * cloud(rng, size, (3, 6)))[..., None]
    sky = np.array([1.5, 1.6, 1.75], np.float32)
    day = sky * np.exp2(-0.5 * np.clip((0.6 - y) / 1.6, 0, 1))[..., None]
    town = np.clip((0.15 + 0.2 * np.sin(1.7 * z) - y) * 6, 0, 1)[..., None] * 0.6
    day = day + (np.array([0.5, 0.56, 0.6], np.float32) - day) * town
    bay = (z + float(rng.random())) % 1.7
    glass = (bay > 0.16) & (y > -0.55) & (y < 1.05) & (np.abs(y - 0.62) > 0.03)
    left = which == 1
    scene[left] = np.where(glass[..., None], day, wall * 0.9)[left]
    partition = ((z + 0.6) % 2.4 > 0.08) & (y < 0.95)
    tinted = wall * 0.62 + 0.16 * np.exp2(1.2 * cloud(rng, size, (5, 9, 17)))[..., None] * np.array(
        [0.9, 1, 1.04], np.float32
    )
    right = which == 2
    scene[right] = np.where(partition[..., None], tinted, wall * 0.3)[right]
    ceiling = which == 3
    lamps = (np.abs((x + 0.15) % 1.2 - 0.6) < 0.16) & (z % 2.6 < 1.5)
    scene[ceiling] = np.where(lamps[..., None], np.array([5.5, 5.3, 4.8], np.float32), wall * 0.9)[ceiling]
    floor = which == 4
    shine = np.exp2(0.4 * cloud(rng, size, (3, 12)))[..., None]
    scene[floor] = ((wall * 0.26 + 0.05) * shine)[floor]
    for depth in np.linspace(20, 10, 6):  # desks with screens, plants, a column: far ones first
        at = float(rng.uniform(-1.0, 1.3))
        wood = second * np.float32(rng.uniform(0.6, 1.1))
        _stand(scene, size, (at, -0.68, depth), 1.4, 0.07, wood)
        _stand(scene, size, (at, -1.35, depth), 1.2, 0.67, wood * np.float32(0.3))
        for screen in (-0.32, 0.34):
            lit = np.array([0.16, 0.2, 0.26], np.float32) * np.float32(rng.uniform(0.3, 1.6))
            _stand(scene, size, (at + screen, -0.55, depth), 0.52, 0.33, lit)
        if rng.random() < 0.45:
            leaf = np.array([0.05, 0.10, 0.04], np.float32) * np.float32(rng.uniform(0.8, 1.7))
            for _ in range(26):
                dx, dy = rng.normal(0, 0.14), rng.normal(0, 0.22)
                _stand(
                    scene, size, (at + 0.75 + dx, -0.55 + dy, depth), 0.1, 0.12, leaf * np.float32(rng.uniform(0.5, 2))
                )
    _stand(scene, size, (float(rng.choice([-0.75, 0.95])), -1.35, 6.4), 0.34, 2.6, wall * np.float32(0.75))
    if side > 0:
        scene = np.ascontiguousarray(scene[:, ::-1])
    return defocus(scene, 0.033 * size[0])


SPINES: Final[tuple[RGB, ...]] = (
    (0.20, 0.035, 0.03), (0.03, 0.05, 0.11), (0.035, 0.075, 0.045), (0.13, 0.06, 0.025), (0.30, 0.21, 0.11),
    (0.46, 0.40, 0.29), (0.025, 0.025, 0.03), (0.09, 0.035, 0.04), (0.20, 0.13, 0.05), (0.07, 0.09, 0.10),
)  # fmt: skip
"""Leather and cloth of old bindings, linear light; by eye."""


def library(colour: F32, second: F32, rng: np.random.Generator, size: Size, side: float) -> F32:
    """Shelves of books two metres behind the sitter, lit from above; colour is the wood's, second tints the light."""
    width, height = size
    scene = np.empty((height, width, 3), np.float32)
    scene[...] = 0.015
    shelf, thick = 0.29 * width, 0.022 * width
    top = -float(rng.uniform(0.2, 0.9)) * shelf
    while top < height:
        _books(scene, rng, top + thick, top + shelf)
        box(scene, 0, top + shelf, width, top + shelf + thick, colour)
        box(scene, 0, top + shelf, width, top + shelf + 0.25 * thick, colour * np.float32(1.5))
        top += shelf + thick
    upright = float(rng.uniform(0.08, 0.3)) * width
    while upright < width:
        box(scene, upright, 0, upright + 0.028 * width, height, colour * np.float32(0.85))
        box(scene, upright, 0, upright + 0.006 * width, height, colour * np.float32(1.5))
        upright += 0.62 * width
    x, y = grid(size)
    lamp = np.exp2(0.5 - 0.9 * ((x - 0.5 * side) ** 2 / 1.4 + (y + 0.5) ** 2 / 1.6))
    tint = second / np.float32(second.mean())
    return defocus((scene * lamp[..., None] * tint).astype(np.float32), 0.016 * width)


def _books(scene: F32, rng: np.random.Generator, top: float, bottom: float) -> None:
    """Fill one shelf from left to right: rows of a series, single books, gaps; a shadow of the board above."""
    width, room = scene.shape[1], bottom - top
    at = -float(rng.uniform(0, 0.05)) * width
    while at < width:
        if rng.random() < 0.07:
            at += float(rng.uniform(0.02, 0.06)) * width
            continue
        series = int(rng.integers(2, 7)) if rng.random() < 0.3 else 1
        thick = float(rng.uniform(0.022, 0.055)) * width
        tall = room * float(rng.uniform(0.62, 0.93))
        skin = np.array(SPINES[int(rng.integers(len(SPINES)))], np.float32) * np.float32(rng.uniform(0.5, 1.2))
        skin = skin + 0.3 * (skin.mean() - skin)
        gold, band = rng.random() < 0.55, float(rng.uniform(0.12, 0.3))
        for _ in range(series):
            _spine(scene, at, bottom - tall, at + thick, bottom, skin, band if gold else 0.0)
            at += thick
    rows = np.arange(scene.shape[0], dtype=np.float32)
    shade = np.where((rows >= top) & (rows < bottom), 0.35 + 0.65 * np.clip((rows - top) / (0.55 * room), 0, 1), 1)
    scene *= shade[:, None, None].astype(np.float32)


def _spine(scene: F32, left: float, top: float, right: float, bottom: float, skin: F32, band: float) -> None:
    """Draw one round spine, with lettering in gold and two raised bands where it has them."""
    height, width = scene.shape[:2]
    x0, x1 = (int(np.clip(round(v), 0, width)) for v in (left, right))
    y0, y1 = (int(np.clip(round(v), 0, height)) for v in (top, bottom))
    if x1 <= x0 or y1 <= y0:
        return
    across = (np.arange(x0, x1, dtype=np.float32) + 0.5 - left) / (right - left)
    round_ = 0.35 + 0.8 * np.sin(np.pi * np.clip(across, 0, 1)) ** 0.7
    scene[y0:y1, x0:x1] = skin * round_[None, :, None]
    if band:
        tall, gilt = bottom - top, np.array([0.42, 0.30, 0.11], np.float32)
        for place, thick in ((band, 0.13), (0.82, 0.02), (0.06, 0.015)):
            b0, b1 = (int(np.clip(round(top + part * tall), y0, y1)) for part in (place, place + thick))
            scene[b0:b1, x0:x1] = gilt * round_[None, :, None] * np.float32(0.8)
