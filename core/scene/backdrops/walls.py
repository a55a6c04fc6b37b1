"""Backdrops that stand just behind the sitter: paper, a gradient, painted canvas, brick."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.scene.backdrops.optics import Size, cloud, defocus, grid
from core.types import F32

COURSE: Final = 0.082
"""Height of a course of bricks, as part of the print's width: 75 mm, 1.5 m behind an eye distance of 63 mm."""
BRICK: Final = 0.265
"""Length of a brick with its joint, as part of the print's width."""
JOINT: Final = 0.011


def paper(colour: F32, second: F32, rng: np.random.Generator, size: Size, side: float) -> F32:
    """Seamless paper or muslin: one colour, mottled by three percent as cloth under a softbox is."""
    mottle = np.exp2(0.09 * cloud(rng, size, (3, 6, 11)))
    return (colour * mottle[..., None]).astype(np.float32)


def gradient(colour: F32, second: F32, rng: np.random.Generator, size: Size, side: float) -> F32:
    """Two colours of light on one wall: the first above, the second below, mixed where they meet."""
    x, y = grid(size)
    slope = 0.25 * float(rng.uniform(-1, 1))
    mix = 1 / (1 + np.exp(-3.2 * (y + slope * x + 0.08 * cloud(rng, size, (2, 3)))))
    return (colour + (second - colour) * mix[..., None]).astype(np.float32)


def canvas(colour: F32, second: F32, rng: np.random.Generator, size: Size, side: float) -> F32:
    """Canvas painted by hand: clouds of two tones, laid on with a wide brush, a little out of focus."""
    broad = cloud(rng, size, (2, 4, 7, 13))
    warp = [0.06 * size[0] * cloud(rng, size, (3, 6)) for _ in range(2)]
    u, v = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
    broad = cv2.remap(broad, u + warp[0], v + warp[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    mix = np.clip(0.5 + 1.1 * broad, 0, 1)[..., None]
    strokes = np.sum([_strokes(rng, size, float(angle)) for angle in rng.uniform(0, 180, 5)], axis=0)
    dabs = cloud(rng, size, (14, 30, 60))
    tone = np.exp2(0.14 * strokes / np.abs(strokes).max() + 0.14 * dabs + 0.3 * broad)
    wall = (colour + (second - colour) * mix) * tone[..., None]
    return defocus(wall.astype(np.float32), 0.004 * size[0])


def _strokes(rng: np.random.Generator, size: Size, angle: float) -> F32:
    """Return brush strokes of one direction (H, W), where a smooth mask has them."""
    wide = int(np.hypot(*size)) + 2
    noise = cv2.GaussianBlur(
        rng.standard_normal((wide, wide)).astype(np.float32), (0, 0), sigmaX=0.03 * size[0], sigmaY=0.009 * size[0]
    )
    turn = cv2.getRotationMatrix2D((wide / 2, wide / 2), angle, 1)
    turn[:, 2] -= (wide - size[0]) / 2, (wide - size[1]) / 2
    laid = cv2.warpAffine(noise / noise.std(), turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return (laid * np.clip(0.5 + 1.2 * cloud(rng, size, (3, 6)), 0, 1)).astype(np.float32)


def brick(colour: F32, second: F32, rng: np.random.Generator, size: Size, side: float) -> F32:
    """A wall in stretcher bond, lit along its face, out of focus as at f/4; second is the mortar."""
    width, height = size
    u, v = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    u = u + 0.0035 * width * cloud(rng, size, (9, 30))
    v = v + 0.0030 * width * cloud(rng, size, (7, 26))
    tall, long = COURSE * width, BRICK * width
    row = np.floor(v / tall).astype(int)
    along = u / long + 0.5 * (row % 2) + 0.17
    column = np.floor(along).astype(int)
    tones = rng.standard_normal((int(row.max()) + 2, int(column.max()) + 3, 3)).astype(np.float32)
    tone = tones[np.clip(row, 0, None), np.clip(column, 0, None)]
    inside = np.minimum(
        np.minimum(v - row * tall, (row + 1) * tall - v), np.minimum(along - column, column + 1 - along) * long
    )
    face = np.clip((inside - 0.35 * JOINT * width) / (0.5 * JOINT * width), 0, 1)
    surface = face * (1 + 0.12 * cloud(rng, size, (40, 90, 160))) + 0.10 * cloud(rng, size, (60, 140))
    surface = cv2.GaussianBlur(surface.astype(np.float32), (0, 0), 0.001 * width)
    slope = cv2.Sobel(surface, cv2.CV_32F, 1, 0, ksize=5) + 0.7 * cv2.Sobel(surface, cv2.CV_32F, 0, 1, ksize=5)
    light = np.exp2(np.clip(0.02 * slope * (width / 512), -0.5, 0.5))
    hue = 1 + np.array([0.04, 0.0, -0.03], np.float32) * tone[..., 1:2]
    stains = 0.3 * cloud(rng, size, (3, 7, 15)) + 0.22 * cloud(rng, size, (50, 110))
    clay = colour * np.exp2(0.4 * tone[..., :1] + stains[..., None]) * hue
    mortar = second * np.exp2(0.3 * cloud(rng, size, (6, 30, 80)))[..., None]
    wall = (mortar + (clay - mortar) * face[..., None]) * light[..., None]
    return defocus(wall.astype(np.float32), 0.011 * width)
