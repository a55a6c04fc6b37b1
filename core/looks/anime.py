"""Anime: cel shading in flat tones by region and light, large clean eyes, hair in shapes along its flow, line art."""

from __future__ import annotations

from typing import Final

import numpy as np

from core.colour import to_bytes
from core.looks.backdrop import drawn_backdrop
from core.looks.cel import cloth_of, hair_of, painted_regions, skin_of
from core.looks.features import around_eyes, jaw_line, nose_lines, paint_eyes, paint_mouth
from core.looks.finish import Finish
from core.looks.glasses import draw_frames
from core.looks.lines import edge_lines, flow_of, outline
from core.looks.proportions import eyes_enlarged
from core.looks.study import upon_study
from core.looks.subject import Subject
from core.looks.tones import luma_of, over, simplified
from core.types import U8

EYES_WIDER, EYES_TALLER = 0.30, 0.60
"""How much larger the eyes are drawn at full strength; by eye, against likeness."""
INK: Final = np.array([0.16, 0.09, 0.11], np.float32)


def draw(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Draw the subject as a cel of an anime film."""
    subject = subject.moved(eyes_enlarged(subject, EYES_WIDER * strength, EYES_TALLER * strength))
    line = max(0.018 * subject.eye, 0.9)
    flat = simplified(subject.rgb, subject.eye)
    hair, strands = hair_of(subject, (35, 80, 94), (-7, 4, 15, 30))
    painted = painted_regions(
        subject,
        drawn_backdrop(subject, rng, "sky"),
        skin_of(subject, flat, 0.08 + 0.05 * strength, (-32, -10, 9), (-30, -14, 0, 8)),
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
    draw_frames(subject, ink, line)
    return to_bytes(over(painted, INK, ink))


FINISHES: Final = (Finish("anime", 1, draw), Finish("anime", 2, upon_study(draw)))
