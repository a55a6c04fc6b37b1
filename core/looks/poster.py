"""Flat posters: a few printed colours laid by light, and pop art in colours that no face has."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.colour import normalized_convolution, to_bytes
from core.face.mesh import LIPS
from core.looks.backdrop import backdrop_colour
from core.looks.cel import cloth_of, covers_of, hair_of
from core.looks.features import around_eyes, brows, nose_lines, paint_eyes, paint_mouth
from core.looks.finish import Finish
from core.looks.glasses import draw_frames
from core.looks.lines import edge_lines, flow_of, outline, polygon, smoothed
from core.looks.study import upon_study
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
    ("#ff6fb1", "#c2185b", "#ffd23f", "#00a6a6"),
    ("#ffd23f", "#e07a00", "#1b998b", "#ff5d8f"),
    ("#7bdff2", "#277da1", "#f94144", "#f9c74f"),
    ("#ffb59e", "#e4572e", "#5f0f9a", "#17bebb"),
)
"""Skin, its shade, hair, and the backdrop where it is grey. The seed chooses."""
GREY: Final = 8.0
"""CIELAB chroma below which a backdrop has no colour of its own."""
POP_INK: Final = _rgb("#16101a")
HALFTONES: Final = (0.74, 0.88)
"""Lightness, as a part of lit skin's, at which the shade's tone gives way to one half as dark, and that one to skin's.
One tone more than the first version's and shapes half as broad: the median likeness of 12 people is 0.47 for 0.45, and
11 of them rank before 100 strangers at full strength where 10 did.
"""


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
    draw_frames(subject, ink, max(0.018 * eye, 0.9))
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
    """Print the subject as a silkscreen: flat loud colours, the black plate on top and a little out of register."""
    return _silkscreen(subject, strength, rng, 0.01 + 0.03 * strength, HALFTONES)


def pop_art_1(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Print the subject in broader shapes and one tone less of skin: the first version."""
    return _silkscreen(subject, strength, rng, 0.02 + 0.05 * strength, (0.82,))


def _silkscreen(
    subject: Subject, strength: float, rng: np.random.Generator, size: float, between: tuple[float, ...]
) -> U8:
    """Print in pop art's colours. size: of the skin's shapes in eye distances; between: see HALFTONES."""
    eye = subject.eye
    skin, shade, hair, behind = map(_rgb, POP[int(rng.integers(len(POP)))])
    flat = simplified(subject.rgb, eye, 0.8)
    light = lightness(shapes(subject.rgb, subject.skin, eye, size))
    there = subject.skin > 0.9
    lit = float(np.percentile(light[there], 62)) if there.any() else 70.0
    figure, bare, top, hats = covers_of(subject)
    painted = over(_pop_backdrop(subject, behind), turned(cloth_of(subject, subject.cloth, 3), 4, 2.0), figure)
    middle_tones = [shade + (skin - shade) * (step / len(between)) for step in range(len(between))]
    tones = [turned(shade, -18), *middle_tones, skin, turned(skin, 10, 0.8)]
    painted = over(painted, stepped(light, [0.52 * lit, *(part * lit for part in between), lit + 9], tones), bare)
    locks, strands = hair_of(subject, (30, 70, 92), (-14, 0, 8, 22))
    level = lightness(locks)
    middle = float(np.median(level[subject.hair > 0.6])) if (subject.hair > 0.6).any() else 40.0
    inks = [turned(hair, -26), turned(hair, -8), hair, turned(hair, 18)]
    painted = over(painted, stepped(level, [middle - 9, middle + 2, middle + 14], inks), top)
    painted = over(painted, turned(cloth_of(subject, subject.hat, 3), 2, 2.0), hats)
    aside = np.array([0.02, -0.015], np.float32) * np.float32(eye)
    mouth = polygon(light.shape, smoothed(subject.mesh[list(LIPS), :2], closed=True, times=2) + aside)
    painted = over(painted, turned(shade, 4, 1.1), mouth)
    fine = lightness(flat)
    dots = np.clip((0.94 * lit - light) / (0.5 * lit), 0, 0.42) * bare * (1 - np.clip(top + mouth, 0, 1))
    painted = over(painted, shade, halftone(dots, max(0.075 * eye, 3.2), 20.0))
    ink = 0.8 * strands
    painted = paint_mouth(painted, subject, ink, max(0.014 * eye, 0.9))
    painted = paint_eyes(painted, subject, ink, max(0.014 * eye, 0.9), iris=1.0)
    nose_lines(subject, ink, max(0.014 * eye, 0.9))
    plate = _black_plate(subject, fine, lit) * bare * (1 - around_eyes(subject)) * (1 - top)
    luma = luma_of(flat)
    edges = edge_lines(luma, flow_of(luma, 0.03 * eye), max(0.014 * eye, 0.9), 0.97, 0.016 + 0.008 * strength)
    edges = edges * figure * (1 - around_eyes(subject))
    ink = np.maximum.reduce([ink, brows(subject, fine, lit - 18), plate, edges])
    ink = np.maximum(ink, outline(subject.figure, max(0.035 * eye, 1.6), 0.03 * eye))
    draw_frames(subject, ink, max(0.018 * eye, 0.9))
    return to_bytes(over(painted, POP_INK, ink))


def _pop_backdrop(subject: Subject, colour: F32) -> F32:
    """Print the backdrop loud: its own colour where it has one, else the palette's, as light as it is; dots on top."""
    own = backdrop_colour(subject)
    a, b = cv2.cvtColor(own[None, None], cv2.COLOR_RGB2LAB)[0, 0, 1:]
    away = float(lightness(own[None, None])[0, 0] - lightness(colour[None, None])[0, 0])
    loud = turned(own, 8, 2.6) if np.hypot(a, b) > GREY else turned(colour, 0.4 * away)
    height, width = subject.figure.shape
    plain = np.broadcast_to(loud, (height, width, 3)).astype(np.float32)
    rise = np.linspace(0.05, 0.38, height, dtype=np.float32)[:, None]
    dots = halftone(np.broadcast_to(rise, (height, width)), max(0.16 * subject.eye, 5.0), 45.0)
    return over(plain, turned(loud, 16, 0.9), dots)


def _black_plate(subject: Subject, light: F32, lit: float) -> F32:
    """Return what the screen prints black, (H, W) 0..1: small and darker than the skin round it, or far darker.

    light: CIELAB lightness (H, W); lit: of lit skin.
    """
    eye = subject.eye
    bare = (subject.skin > 0.8).astype(np.float32) + np.float32(1e-4)
    three = np.dstack([light, light, light])
    near, wide = (normalized_convolution(three, bare, size * eye)[..., 0] for size in (0.14, 0.45))
    fine = cv2.GaussianBlur(light, (0, 0), max(0.008 * eye, 0.6))
    black = np.maximum(above(0.74 * near - fine, 0.0), above(0.56 * wide - fine, 0.0))
    return np.maximum(black, above(-fine, -min(0.34 * lit, 28.0)))


FINISHES: Final = (
    Finish("poster", 1, poster),
    Finish("poster", 2, upon_study(poster)),
    Finish("pop_art", 1, pop_art_1),
    Finish("pop_art", 2, pop_art),
    Finish("pop_art", 3, upon_study(pop_art)),
)
