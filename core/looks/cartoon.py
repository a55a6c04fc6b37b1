"""Cartoon: bold shapes, thick outlines, plain features, and a mild caricature of what sets the sitter apart."""

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
from core.looks.proportions import caricatured, eyes_enlarged
from core.looks.study import upon_study
from core.looks.subject import Subject
from core.looks.tones import luma_of, over, simplified
from core.types import U8

INK: Final = np.array([0.10, 0.08, 0.10], np.float32)
CARICATURE: Final = 0.7
"""How much of the sitter's difference from the mean face is added at full strength; by eye, against likeness."""


def draw(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Draw the subject as a newspaper's cartoonist does."""
    subject = subject.moved(caricatured(subject, CARICATURE * strength))
    subject = subject.moved(eyes_enlarged(subject, 0.18 * strength, 0.22 * strength))
    line = max(0.026 * subject.eye, 1.1)
    flat = simplified(subject.rgb, subject.eye, 1 + 0.5 * strength)
    hair, _ = hair_of(subject, (45, 88), (-3, 6, 22), run=0.24)
    painted = painted_regions(
        subject,
        drawn_backdrop(subject, rng, "rays"),
        skin_of(subject, flat, 0.08 + 0.10 * strength, (-33, -11), (-30, -13, 0)),
        hair,
        cloth_of(subject, subject.cloth, 4, 1.4),
        cloth_of(subject, subject.hat, 3, 1.4),
    )
    ink = np.zeros(subject.figure.shape, np.float32)
    painted = paint_mouth(painted, subject, ink, 0.8 * line)
    painted = paint_eyes(painted, subject, ink, 0.8 * line, iris=1.05)
    jaw_line(subject, ink, line)
    nose_lines(subject, ink, line)
    luma = luma_of(flat)
    where = subject.figure * (1 - around_eyes(subject))
    ink = np.maximum(
        ink,
        edge_lines(
            luma, flow_of(luma, 0.05 * subject.eye), (0.65 + 0.35 * strength) * line, 0.96, 0.02 + 0.02 * strength
        )
        * where,
    )
    soft = 0.045 * subject.eye
    ink = np.maximum(ink, outline(subject.figure, 3.0 * line, soft))
    ink = np.maximum(ink, outline(subject.cloth, 2.0 * line, soft))
    ink = np.maximum(ink, outline(subject.hair + subject.hat, 1.4 * line, soft))
    draw_frames(subject, ink, line)
    return to_bytes(over(painted, INK, ink))


FINISHES: Final = (Finish("cartoon", 1, draw), Finish("cartoon", 2, upon_study(draw)))
