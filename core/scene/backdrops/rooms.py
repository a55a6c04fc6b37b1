"""Backdrops indoors, through a lens out of focus: a room with a window, an office in depth, a library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from core.scene.backdrops.optics import RGB, Size, box, cloud, defocus, grid
from core.types import F32

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""
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
    """A room by day: a window with a linen curtain and trees outside, a wall, shelves or a picture at its far end.

    colour: the wall's; second: the wood's. side: below 0 the window stands at the left. What stands near the middle
    would be cut by a head or seem to grow out of it: there is nothing but a curtain's edge. All measures are by eye.
    """
    x, y = grid(size)
    turn = -1.0 if side < 0 else 1.0
    from_window = turn * x  # 1 at the window's side
    fall = 0.5 + 0.5 / (1 + np.exp(-2.4 * (from_window - 0.1)))
    scene = (colour * (fall * np.exp2(0.05 * cloud(rng, size, (2, 4)) - 0.12 * y))[..., None]).astype(np.float32)
    corner = float(rng.uniform(-0.72, -0.56))
    if rng.random() < 0.6:
        _shelves(scene, size, turn, corner, second, rng)
    else:
        scene[from_window < corner] *= 0.72  # the next wall faces away from the window
        _picture(scene, size, turn, corner, colour, rng)
    _pane(scene, size, turn, float(rng.uniform(0.46, 0.56)), rng)
    thrown = defocus(scene, 0.032 * size[0])
    bright = cv2.GaussianBlur(np.clip(thrown - 0.75, 0, None), (0, 0), 0.09 * size[0])
    return (thrown + 0.25 * bright).astype(np.float32)  # light spreads in a lens


def _at(size: Size, turn: float, left: float, top: float, right: float, bottom: float) -> Box:
    """Return a box that is given from -1 at the far side and the top to 1 at the window's side and the bottom."""
    width, height = size
    ends = sorted(((turn * left + 1) / 2 * width, (turn * right + 1) / 2 * width))
    return ends[0], (top + 1) / 2 * height, ends[1], (bottom + 1) / 2 * height


def _picture(scene: F32, size: Size, turn: float, corner: float, wall: F32, rng: np.random.Generator) -> None:
    """Hang a print in a dark frame on the next wall, cut by the border: a pale mat, three tones of land and sky."""
    right, top, tall = corner - 0.1, float(rng.uniform(-0.72, -0.5)), 0.56
    box(scene, *_at(size, turn, -1.3, top, right, top + tall), wall * np.float32(0.10))
    box(scene, *_at(size, turn, -1.3, top + 0.02, right - 0.025, top + tall - 0.02), wall * np.float32(0.62))
    level, tones = top + 0.1, ((0.19, 0.23, 0.27), (0.14, 0.13, 0.11), (0.06, 0.08, 0.09))
    for tone, down in zip(tones, (0.16, 0.09, 0.11), strict=True):
        shade = np.array(tone, np.float32) * np.float32(rng.uniform(0.8, 1.2))
        box(scene, *_at(size, turn, -1.3, level, right - 0.1, level + down), shade)
        level += down


def _shelves(scene: F32, size: Size, turn: float, corner: float, wood: F32, rng: np.random.Generator) -> None:
    """Stand shelves of books at the room's far end, in the shade."""
    left, _, right, _ = (round(v) for v in _at(size, turn, -1.0, -1.0, corner, 1.0))
    there, thick, shelf = scene[:, left:right], 0.02 * size[0], float(rng.uniform(0.2, 0.25)) * size[1]
    there[...] = wood * np.float32(0.16)
    top = -float(rng.uniform(0.1, 0.9)) * shelf
    while top < size[1]:
        _books(there, rng, top + thick, top + shelf)
        box(there, 0, top + shelf, right - left, top + shelf + thick, wood * np.float32(0.8))
        top += shelf + thick
    for edge in (0, right - left - thick):
        box(there, edge, 0, edge + thick, size[1], wood * np.float32(0.8))
    there *= 0.6


def _pane(scene: F32, size: Size, turn: float, inner: float, rng: np.random.Generator) -> None:
    """Open a window from `inner` on: a bright sky over trees, a frame against the light, a sill, a curtain."""
    x, y = grid(size)
    from_window = turn * x
    sky = np.array([1.05, 1.12, 1.2], np.float32) * (1.12 - 0.14 * (y + 1))[..., None]
    leaves = np.exp2(1.3 * cloud(rng, size, (9, 21, 40)))[..., None] * np.array([0.20, 0.27, 0.13], np.float32)
    far = np.array([0.52, 0.60, 0.55], np.float32)
    crowns = np.clip((y + 0.2 + 0.3 * cloud(rng, size, (4, 9))) * 5, 0, 1)[..., None]
    near = np.clip((y - 0.02 + 0.35 * cloud(rng, size, (5, 12))) * 6, 0, 1)[..., None]
    outside = sky + (far - sky) * crowns * 0.75
    outside = outside + (leaves + 0.08 - outside) * near * 0.8
    pane = (from_window > inner) & (y < 0.72)
    scene[pane] = outside[pane]
    upright = (np.abs(from_window - inner - 0.43) < 0.022) | (from_window < inner + 0.035)
    scene[pane & (upright | (np.abs(y + 0.34) < 0.014) | (y > 0.69))] = (0.34, 0.33, 0.31)
    scene[(from_window > inner - 0.03) & (np.abs(y - 0.745) < 0.025)] = (0.62, 0.6, 0.57)
    _curtain(scene, from_window, inner, size, rng)
    if rng.random() < 0.7:
        _leaves(scene, size, turn * inner, rng)


def _curtain(scene: F32, from_window: F32, inner: float, size: Size, rng: np.random.Generator) -> None:
    """Hang linen at a window's inner edge: folds that let the day through."""
    ends = inner - 0.16 + 0.03 * cloud(rng, size, (2, 3))
    folds = 0.5 + 0.5 * np.sin(from_window * 44 + 2.2 * cloud(rng, size, (3, 4)) + float(rng.uniform(0, 6)))
    through = np.clip((from_window - ends) / 0.27, 0, 1)
    linen = np.array([0.80, 0.77, 0.70], np.float32) * ((0.34 + 0.5 * through) * (0.62 + 0.5 * folds))[..., None]
    there = ((from_window > ends) & (from_window < inner + 0.1))[..., None]
    scene[...] = np.where(there, 0.86 * linen + 0.14 * scene, scene)


def _leaves(scene: F32, size: Size, middle: float, rng: np.random.Generator) -> None:
    """Stand a plant before a curtain's foot: long leaves, lit on one side."""
    for _ in range(46):
        u, v = middle + rng.normal(0, 0.13), 0.62 + rng.normal(0, 0.17)
        lit = float(rng.uniform(0.5, 1.6)) * (1.3 if abs(u) > abs(middle) else 0.8)
        leaf = np.array([0.05, 0.085, 0.035], np.float32) * np.float32(lit)
        at = (round((u + 1) / 2 * size[0]), round((v + 1) / 2 * size[1]))
        axes = (round(0.055 * size[0] * rng.uniform(0.6, 1.3)), round(0.013 * size[0]))
        cv2.ellipse(scene, at, axes, float(rng.normal(90, 45)), 0, 360, leaf.tolist(), -1)


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
