"""Flat posters: a few printed colours laid by light, and pop art in colours that no face has."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.colour import to_bytes
from core.face.mesh import LIPS
from core.looks.backdrop import backdrop_colour
from core.looks.cel import cloth_of, covers_of, hair_of
from core.looks.features import around_eyes, brows, jaw_line, nose_lines, paint_eyes, paint_mouth
from core.looks.finish import Finish
from core.looks.lines import edge_lines, flow_of, outline, polygon, smoothed
from core.looks.subject import Subject
from core.looks.texture import halftone
from core.looks.tones import above, lightness, luma_of, over, shapes, simplified, stepped, turned
from core.types import F32, U8


def _rgb(colour: str) -> F32:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255


LADDER: Final = tuple(map(_rgb, ("#12263a", "#7a1f2b", "#d9483b", "#f0a35e", "#fbe6c4")))
"""The poster's inks, dark to light."""
RUNGS: Final = (26.0, 43.0, 60.0, 77.0)
"""CIELAB lightness at which one ink gives way to the next, where skin's lit half stands at SKIN_AT."""
SKIN_AT: Final = 79.0
POP: Final = (
    ("#ff6fb1", "#c2185b", "#ffd23f", "#00a6a6", "#d50032"),
    ("#ffd23f", "#e07a00", "#1b998b", "#ff5d8f", "#b5179e"),
    ("#7bdff2", "#277da1", "#f94144", "#f9c74f", "#d00000"),
    ("#ffb59e", "#e4572e", "#5f0f9a", "#17bebb", "#c1121f"),
)
"""Skin, its shade, hair, eyelids, lips. The seed chooses."""
POP_INK: Final = _rgb("#16101a")


def poster(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Print the subject in five inks."""
    eye = subject.eye
    form = shapes(subject.rgb, subject.figure, eye, 0.035 + 0.045 * strength)
    light = lightness(form)
    fine = cv2.GaussianBlur(lightness(simplified(subject.rgb, eye)), (0, 0), max(0.008 * eye, 0.6))
    near = cv2.GaussianBlur(_features_of(subject), (0, 0), 0.04 * eye)
    light = light + (fine - light) * near
    skin = subject.skin > 0.9
    lit = float(np.percentile(light[skin], 68)) if skin.any() else 75.0
    light = np.clip(light * SKIN_AT / max(lit, 35.0), 0, 100)
    painted = over(_sunburst(subject), stepped(light, RUNGS, LADDER), covers_of(subject)[0])
    cloth = turned(cloth_of(subject, subject.cloth, 3), 0, 1.35)
    figure, bare, *_ = covers_of(subject)
    painted = over(painted, cloth, figure * (1 - bare))
    ink = np.zeros(light.shape, np.float32)
    paint_mouth(painted, subject, ink, max(0.016 * eye, 0.9))
    ink = np.maximum(ink, outline(subject.cloth, max(0.03 * eye, 1.4), 0.03 * eye))
    luma = luma_of(simplified(subject.rgb, eye))
    edges = edge_lines(luma, flow_of(luma, 0.04 * eye), max(0.018 * eye, 0.9), 0.965, 0.02 + 0.015 * strength)
    ink = np.maximum(ink, edges * subject.figure)
    return to_bytes(over(painted, LADDER[0], ink))


def _features_of(subject: Subject) -> F32:
    """Return where small shapes are kept, (H, W) 0..1: eyes and brows, mouth, the nose's foot."""
    cover, mesh = np.zeros(subject.figure.shape, np.float32), subject.mesh[:, :2]
    for points in (
        mesh[[33, 133, 105, 66, 70, 145, 55]],
        mesh[[263, 362, 334, 296, 300, 374, 285]],
        mesh[list(LIPS)],
        mesh[[129, 358, 2, 4]],
    ):
        hull = cv2.convexHull(points.astype(np.float32))[:, 0]
        middle = hull.mean(axis=0)
        cover = np.maximum(cover, polygon(cover.shape, middle + (hull - middle) * np.float32(1.3)))
    return cover


def _sunburst(subject: Subject) -> F32:
    """Paint the backdrop's colour, a lighter disc behind the head, and one darker band below."""
    height, width = subject.size[1], subject.size[0]
    colour = turned(backdrop_colour(subject), 0, 1.5)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    painted = np.broadcast_to(colour, (height, width, 3)).astype(np.float32)
    centre = subject.mesh[168, :2]
    away = np.hypot(x - centre[0], y - centre[1])
    for part, lighter in ((2.75, 7), (2.25, 15)):
        painted = over(painted, turned(colour, lighter, 1.1), above(-away, -part * subject.eye))
    return painted


def pop_art(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Print the subject as a silkscreen: flat loud colours, black on top and a little out of register."""
    eye = subject.eye
    skin, shade, hair, lids, lips = map(_rgb, POP[int(rng.integers(len(POP)))])
    flat = simplified(subject.rgb, eye)
    form = shapes(subject.rgb, subject.skin, eye, 0.03 + 0.09 * strength)
    light = lightness(form)
    there = subject.skin > 0.9
    lit = float(np.percentile(light[there], 62)) if there.any() else 70.0
    figure, bare, top, hats = covers_of(subject)
    colour = turned(backdrop_colour(subject), 8, 2.6)
    height, width = light.shape
    painted = np.broadcast_to(colour, (height, width, 3)).astype(np.float32)
    painted = over(painted, turned(cloth_of(subject, subject.cloth, 2), 2, 2.0), figure)
    painted = over(painted, stepped(light, [lit - 30, lit - 11], [turned(shade, -18), shade, skin]), bare)
    locks, _ = hair_of(subject, (55, 90), (-6, 4, 22))
    level = lightness(locks)
    middle = float(np.median(level[subject.hair > 0.6])) if (subject.hair > 0.6).any() else 40.0
    painted = over(painted, stepped(level, [middle - 3, middle + 12], [turned(hair, -22), hair, turned(hair, 16)]), top)
    painted = over(painted, turned(cloth_of(subject, subject.hat, 2), 2, 2.0), hats)
    aside = np.array([0.02, -0.015], np.float32) * np.float32(eye)
    mouth = smoothed(subject.mesh[list(LIPS), :2], closed=True, times=2) + aside
    painted = over(painted, lips, polygon(light.shape, mouth))
    for ring in ((70, 63, 105, 66, 107, 133, 158, 160, 33), (300, 293, 334, 296, 336, 362, 385, 387, 263)):
        painted = over(
            painted, lids, polygon(light.shape, smoothed(subject.mesh[list(ring), :2], True, 2) + aside) * 0.95
        )
    ink = np.zeros(light.shape, np.float32)
    dark = cv2.GaussianBlur(lightness(flat), (0, 0), max(0.010 * eye, 0.6))
    black = above(-dark, -min(lit - 30, 34.0)) * figure * (1 - around_eyes(subject)) * (1 - top)
    painted = paint_mouth(painted, subject, ink, max(0.02 * eye, 1.0))
    painted = paint_eyes(painted, subject, ink, max(0.022 * eye, 1.0), iris=1.05)
    hairy = brows(subject, lightness(flat), lit - 18)
    jaw_line(subject, ink, max(0.02 * eye, 1.0))
    nose_lines(subject, ink, max(0.018 * eye, 1.0))
    luma = luma_of(flat)
    edges = edge_lines(luma, flow_of(luma, 0.04 * eye), max(0.02 * eye, 1.0), 0.96, 0.03 + 0.01 * strength)
    ink = np.maximum.reduce([ink, hairy, black, edges * figure * (1 - around_eyes(subject))])
    ink = np.maximum(ink, outline(subject.figure, max(0.04 * eye, 1.8), 0.03 * eye))
    covered = np.clip(top + polygon(light.shape, mouth) + around_eyes(subject), 0, 1)
    dots = halftone(np.clip((lit - 4 - light) / 22, 0, 0.45) * bare * (1 - covered), max(0.09 * eye, 3.5), 20.0)
    painted = over(painted, shade, dots)
    return to_bytes(over(painted, POP_INK, ink))


FINISHES: Final = (Finish("poster", 1, poster), Finish("pop_art", 1, pop_art))
