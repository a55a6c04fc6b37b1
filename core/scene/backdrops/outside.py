"""Backdrops outdoors, through a lens out of focus: leaves in the sun, a city in the evening."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from core.scene.backdrops.optics import Size, box, cloud, defocus, grid
from core.types import F32


def foliage(colour: F32, second: F32, rng: np.random.Generator, size: Size, side: float) -> F32:
    """Trees in late light: leaves near and far before gaps of sky; second is the sun's colour."""
    width = size[0]
    _, y = grid(size)
    sun = second / np.float32(second.max())
    depth = cloud(rng, size, (3, 5, 9, 17, 31))
    shade = np.clip(0.5 + 0.9 * depth - 0.25 * y, 0, 1)[..., None]
    scene = colour * np.exp2(-2.3 + 2.6 * shade) * (1 + (sun - 1) * 0.6 * shade)
    sky = np.clip((depth - 0.36 - 0.5 * (y + 0.35)) * 4, 0, 1)[..., None]
    scene = (scene + (np.array([0.95, 0.97, 0.9], np.float32) * (0.6 + 0.4 * sun) - scene) * sky).astype(np.float32)
    far = _leaves(scene, rng, colour, sun, count=2000, length=0.024 * width, glints=42)
    scene = defocus(far, 0.03 * width)
    near = _leaves(np.zeros_like(scene), rng, colour, sun, count=320, length=0.05 * width, glints=14, where=depth)
    cover = defocus((near.sum(axis=-1, keepdims=True) > 0).astype(np.float32).repeat(3, axis=-1), 0.038 * width)
    near = defocus(near, 0.038 * width)
    return scene * (1 - 0.75 * cover) + near * 0.75


def _leaves(
    scene: F32,
    rng: np.random.Generator,
    colour: F32,
    sun: F32,
    count: int,
    length: float,
    glints: int,
    where: F32 | None = None,
) -> F32:
    """Draw leaves of every tone, most in shade and a few with the sun through them, and glints on some."""
    height, width = scene.shape[:2]
    drawn = scene.copy()
    places = rng.random((4 * count, 2)) * (width, height)
    if where is not None:  # near ones hang in clumps at the sides
        inside = where[places[:, 1].astype(int), places[:, 0].astype(int)]
        aside = np.abs(places[:, 0] / width - 0.5)
        places = places[(inside > 0.05) & (aside > 0.22)]
    places = places[:count]
    light = rng.random(len(places)) ** 2.2
    for (u, v), lit, angle, grown in zip(
        places, light, rng.uniform(0, 180, len(places)), rng.uniform(0.6, 1.5, len(places)), strict=True
    ):
        tone = colour * np.float32(0.25 + 2.3 * lit) * (1 + (sun - 1) * np.float32(lit))
        tone = tone * np.array([1 + 0.25 * lit, 1.0, 1 - 0.35 * lit], np.float32)
        axes = (max(1, round(length * grown)), max(1, round(0.45 * length * grown)))
        cv2.ellipse(drawn, (round(u), round(v)), axes, float(angle), 0, 360, tone.tolist(), -1)
    for u, v in _near_light(rng, places, size=(width, height), count=glints):
        glow = np.float32(0.8 + 4.5 * rng.random() ** 3) * sun * np.array([1.05, 1.0, 0.75], np.float32)
        cv2.circle(drawn, (round(u), round(v)), max(1, round(0.006 * width)), glow.tolist(), -1)
    return drawn


def _near_light(rng: np.random.Generator, places: NDArray[np.float64], size: Size, count: int) -> NDArray[np.float64]:
    """Choose places in a few clusters: the sun comes through where leaves are thin."""
    if not len(places):
        return places
    heart = rng.random((5, 2)) * size * (1.0, 0.8)
    near = np.min(np.linalg.norm(places[:, None] - heart[None], axis=-1), axis=1)
    return places[np.argsort(near + rng.exponential(0.14 * size[0], len(places)))[:count]]


LAMPS = (
    ((1.0, 0.62, 0.26), 0.5),
    ((1.0, 0.84, 0.6), 0.28),
    ((0.82, 0.92, 1.0), 0.14),
    ((1.0, 0.16, 0.1), 0.05),
    ((0.3, 0.8, 0.65), 0.03),
)
"""Linear light and share of the lamps of a city: sodium, tungsten, LED, tail lights, signals; by eye."""


def city(colour: F32, second: F32, rng: np.random.Generator, size: Size, side: float) -> F32:
    """The last light over dark houses, their windows and the street's lamps as discs; second is the horizon's glow."""
    width, height = size
    _, y = grid(size)
    down = np.clip((y + 1) / 1.3, 0, 1)[..., None] ** 1.4
    scene = colour * (1.0 - 0.45 * down) + second * (0.42 * down**2)
    scene = (scene * np.exp2(0.15 * cloud(rng, size, (2, 4)))[..., None]).astype(np.float32)
    right = -0.05 * width
    while right < width:
        wide = float(rng.uniform(0.14, 0.3)) * width
        top = float(rng.uniform(0.1, 0.5)) * height
        house = colour * np.float32(rng.uniform(0.16, 0.4))
        box(scene, right, top, right + wide, height, house)
        _windows(scene, rng, right, top, wide)
        right += wide * float(rng.uniform(0.8, 1.1))
    box(scene, 0, 0.8 * height, width, height, colour * np.float32(0.16))
    soft = defocus(scene, 0.026 * width)
    tints, shares = [np.array(tint, np.float32) for tint, _ in LAMPS], [share for _, share in LAMPS]
    points = np.zeros_like(scene)
    for _ in range(64):
        u = rng.random() * width
        v = height * float(np.clip(rng.normal(0.66, 0.13), 0.2, 0.97))
        tint = tints[int(rng.choice(len(tints), p=shares))]
        spot = np.float32(14 + 70 * rng.random() ** 3) * tint
        cv2.circle(points, (round(u), round(v)), max(1, round(0.0025 * width)), spot.tolist(), -1)
    return soft + defocus(points, 0.033 * width)


def _windows(scene: F32, rng: np.random.Generator, left: float, top: float, wide: float) -> None:
    """Light some of a house's windows."""
    height, width = scene.shape[:2]
    step = (0.042 * width, 0.05 * width)
    warm = np.array([1.0, 0.7, 0.38], np.float32) * np.float32(rng.uniform(0.7, 1.3))
    for v in np.arange(top + 0.3 * step[1], 0.8 * height, step[1]):
        for u in np.arange(left + 0.25 * step[0], left + wide - 0.5 * step[0], step[0]):
            if rng.random() < 0.24:
                lit = warm * np.float32(rng.uniform(0.25, 1.6))
                box(scene, u, v, u + 0.55 * step[0], v + 0.55 * step[1], lit)
