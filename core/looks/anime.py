"""Anime: cel shading in flat tones by region and light, large clean eyes, hair in shapes along its flow, line art."""

from __future__ import annotations

from typing import Final

import numpy as np

from core.colour import to_bytes
from core.face.mesh import LIPS
from core.looks.backdrop import drawn_backdrop
from core.looks.cel import cloth_of, hair_of, painted_regions
from core.looks.features import around_eyes, brows, jaw_line, nose_lines, paint_eyes, paint_mouth
from core.looks.finish import Finish
from core.looks.lines import edge_lines, flow_of, outline, polygon, smoothed
from core.looks.proportions import eyes_enlarged
from core.looks.subject import Subject
from core.looks.tones import lightness, luma_of, middle_colour, over, shapes, simplified, stepped, turned
from core.types import F32, U8

EYES_WIDER, EYES_TALLER = 0.30, 0.60
"""How much larger the eyes are drawn at full strength; by eye, against likeness."""
INK: Final = np.array([0.16, 0.09, 0.11], np.float32)
SKIN_STEPS: Final = (-30.0, -8.0, 11.0)
"""CIELAB lightness from the face's middle at which skin changes its tone: beard, shade, skin, light."""


def draw(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Draw the subject as a cel of an anime film."""
    subject = subject.moved(eyes_enlarged(subject, EYES_WIDER * strength, EYES_TALLER * strength))
    line = max(0.018 * subject.eye, 0.9)
    flat = simplified(subject.rgb, subject.eye)
    hair, strands = hair_of(subject, (35, 80, 94), (-7, 4, 15, 30))
    painted = painted_regions(
        subject,
        drawn_backdrop(subject, rng, "sky"),
        _skin(flat, subject),
        hair,
        cloth_of(subject, subject.cloth, 5),
        cloth_of(subject, subject.hat, 4),
    )
    ink = 0.8 * strands
    painted = paint_mouth(painted, subject, ink, 0.8 * line)
    painted = paint_eyes(painted, subject, ink, line, iris=1.15)
    jaw_line(subject, ink, line)
    nose_lines(subject, ink, 0.8 * line)
    luma = luma_of(flat)
    where = subject.figure * (1 - around_eyes(subject)) * (1 - subject.hair)
    ink = np.maximum(ink, edge_lines(luma, flow_of(luma, 0.03 * subject.eye), line, 0.97, 0.03) * where)
    heavy = line * (1.9 + 0.8 * np.clip(subject.normals[..., 1], -1, 1))
    soft = 0.03 * subject.eye
    ink = np.maximum(ink, outline(subject.figure, heavy, soft))
    ink = np.maximum(ink, outline(subject.cloth, 0.8 * heavy, soft))
    ink = np.maximum(ink, 0.75 * outline(subject.hair + subject.hat, 0.55 * heavy, soft))
    return to_bytes(over(painted, INK, ink))


def _skin(flat: F32, subject: Subject) -> F32:
    """Paint skin in tones, brows and lips in their own."""
    form = shapes(subject.rgb, subject.skin, subject.eye, 0.12)
    light = lightness(form)
    face = (subject.skin > 0.9).astype(np.float32)
    colour = middle_colour(form, face, (0.8, 0.62, 0.53))
    middle = float(np.median(light[face > 0.5])) if face.any() else 70.0
    base = turned(colour, 3, 1.2)
    tones = [turned(base, -28, 0.8), turned(base, -14, 1.1, -6), base, turned(base, 8, 0.9)]
    painted = stepped(light, [middle + step for step in SKIN_STEPS], tones)
    lips = polygon(light.shape, smoothed(subject.mesh[list(LIPS), :2], closed=True, times=2))
    red = turned(middle_colour(flat, lips, (0.7, 0.4, 0.38)), 3, 1.15)
    split = float(np.median(light[lips > 0.5])) if (lips > 0.5).any() else 50.0
    painted = over(painted, stepped(light, [split], [turned(red, -7), turned(red, 5)]), lips * 0.9)
    fine = lightness(flat)
    hairy = brows(subject, fine, middle - 16)
    dark = middle_colour(flat, (hairy > 0.5).astype(np.float32), (0.25, 0.17, 0.13))
    return over(painted, turned(dark, -8, 0.9), hairy)


FINISHES: Final = (Finish("anime", 1, draw),)
