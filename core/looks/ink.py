"""Comic ink: brush lines, spotted blacks, flat colour and halftone in the half-shade."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.colour import to_bytes
from core.looks.backdrop import backdrop_colour
from core.looks.cel import cloth_of, covers_of, hair_of, painted_regions, skin_of
from core.looks.features import around_eyes, jaw_line, nose_lines, paint_eyes, paint_mouth
from core.looks.finish import Finish
from core.looks.glasses import draw_frames
from core.looks.lines import edge_lines, flow_of, outline
from core.looks.proportions import eyes_enlarged
from core.looks.study import upon_study
from core.looks.subject import Subject
from core.looks.texture import halftone
from core.looks.tones import above, lightness, luma_of, over, shapes, simplified, turned
from core.types import F32, U8

INK: Final = np.array([0.07, 0.06, 0.09], np.float32)
PITCH: Final = 0.075
"""Eye distances from dot to dot of the halftone."""
ANGLE_DEG: Final = 45.0
FOLDS: Final = 14.0
"""CIELAB lightness under a garment's own from which its folds are black."""


def draw(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Draw the subject as a page of a comic."""
    subject = subject.moved(eyes_enlarged(subject, 0.10 * strength, 0.14 * strength))
    line, pitch = max(0.022 * subject.eye, 1.0), max(PITCH * subject.eye, 3.0)
    flat = simplified(subject.rgb, subject.eye)
    hair, strands = hair_of(subject, (50, 90), (-4, 4, 20))
    painted = painted_regions(
        subject, _backdrop(subject, pitch, rng), skin_of(subject, flat, 0.12, (-40,), (-24, 0)), hair,
        cloth_of(subject, subject.cloth, 3, 1.3), cloth_of(subject, subject.hat, 2, 1.3),
    )  # fmt: skip
    ink = strands.copy()
    light = lightness(simplified(subject.rgb, subject.eye, 1.5))
    lit = float(np.percentile(light[subject.skin > 0.9], 62)) if (subject.skin > 0.9).any() else 70.0
    bare = covers_of(subject)[1] * (1 - np.clip(subject.hair + subject.hat, 0, 1))
    form = lightness(shapes(subject.rgb, subject.skin, subject.eye, 0.06 + 0.04 * strength))
    shade = np.clip((lit - 5 - form) / 26, 0, 0.62) * bare * (1 - around_eyes(subject))
    if subject.study:
        shade *= 1 - np.clip(2 * subject.study.beard, 0, 1)
    painted = over(painted, turned(painted, -26, 1.1, -6), halftone(np.round(shade * 5) / 5, pitch, ANGLE_DEG))
    ink = np.maximum(ink, _blacks(subject, light, lit) * subject.figure * (1 - around_eyes(subject)))
    painted = paint_mouth(painted, subject, ink, line)
    painted = paint_eyes(painted, subject, ink, 1.1 * line, iris=1.05)
    jaw_line(subject, ink, 1.2 * line)
    nose_lines(subject, ink, line)
    luma = luma_of(flat)
    edges = edge_lines(luma, flow_of(luma, 0.03 * subject.eye), line, 0.97, 0.022)
    ink = np.maximum(ink, edges * subject.figure * (1 - around_eyes(subject)))
    heavy = line * (2.4 + 1.2 * np.clip(subject.normals[..., 1], -1, 1))
    ink = np.maximum(ink, outline(subject.figure, heavy, 0.03 * subject.eye))
    ink = np.maximum(ink, outline(subject.cloth, 0.8 * heavy, 0.03 * subject.eye))
    draw_frames(subject, ink, line)
    return to_bytes(over(painted, INK, ink))


def _blacks(subject: Subject, light: F32, lit: float) -> F32:
    """Return what is spotted black, (H, W) 0..1. light: CIELAB lightness (H, W); lit: of lit skin.

    On cloth, in a studied subject, only what is far darker than it: a dark garment keeps its colour.
    """
    soft = cv2.GaussianBlur(light, (0, 0), max(0.012 * subject.eye, 0.6))
    limit = np.full_like(light, min(24.0, lit - 34))
    if subject.study and (subject.cloth > 0.8).any():
        limit -= subject.cloth * max(limit[0, 0] - float(np.median(light[subject.cloth > 0.8])) + FOLDS, 0)
    return above(limit - soft, 0.0)


def _backdrop(subject: Subject, pitch: float, rng: np.random.Generator) -> F32:
    """Paint one flat colour that halftone dots darken towards a corner."""
    width, height = subject.size
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    side = float(rng.choice([-1, 1]))
    colour = backdrop_colour(subject)
    light = turned(colour, 10, 1.6)
    dots = halftone(np.clip(0.30 + 0.22 * side * x - 0.25 * y, 0, 0.8).astype(np.float32), 1.6 * pitch, 30.0)
    return over(np.broadcast_to(light, (height, width, 3)).astype(np.float32), turned(colour, -14, 1.6), dots)


FINISHES: Final = (Finish("ink", 1, draw), Finish("ink", 2, upon_study(draw)))
