"""Charcoal, second version: the sitter's own tones in even strokes of a broad stick, smeared, with chalk in the lights.

The first (`core.looks.graphite`) drew a few broad steps of tone: what tells a face apart was lost between them.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.colour import to_bytes
from core.looks.features import brow_strokes
from core.looks.finish import Finish
from core.looks.graphite import CHALK, COAL, SLANT, TONED, draw_features, drawn_lines, hair_flow, mixed, own_tones
from core.looks.study import upon_study
from core.looks.subject import Subject
from core.looks.texture import form_flow, hatching, paper
from core.looks.tones import lightness, over, simplified
from core.types import F32, U8

STICK: Final = 0.017
"""Width of a stroke in eye distances: three of a pencil's."""
PAPER_TONE: Final = 0.06
"""How dark the paper is by itself: what is lighter is not drawn, what is lightest gets chalk."""
SKIN_CROSSED: Final = 0.55
"""How far skin is crossed by second strokes as cloth is: under all of them a dark chin is lost."""
LIGHTS: Final = (0.70, 0.97)
"""Percentiles of the skin's lightness between which chalk goes from none to full."""


def charcoal(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Draw the subject in charcoal, with white chalk in the lights, on toned paper."""
    eye = subject.eye
    dark = np.clip((own_tones(subject, strength) - PAPER_TONE) / (1 - PAPER_TONE), 0, 1)
    tooth = paper(dark.shape, 1.5 * eye, rng)
    hair, slant = hair_flow(subject), np.broadcast_to(SLANT, (*dark.shape, 2))
    covered = subject.cloth + subject.hat + 1 - subject.figure
    flow = mixed(mixed(form_flow(subject.normals, steadiness=1.2), hair, subject.hair), slant, covered)
    cross = mixed(form_flow(subject.normals, True, 1.2), hair, subject.hair)
    thick = max(STICK * eye, 1.0)
    stick = {"softness": 0.55, "even": 2.5 * thick + 1}
    first = hatching(np.clip(1.3 * dark, 0, 0.92), flow, 0.16 * eye, thick, rng, **stick) * (0.42 + 0.55 * dark)
    first *= np.clip(dark / 0.06, 0, 1)
    deep = np.clip(1.5 * (dark - 0.32), 0, 0.85) * (1 - (1 - SKIN_CROSSED) * subject.skin)
    second = hatching(deep, cross, 0.12 * eye, thick, rng, **stick) * (0.4 + 0.6 * dark)
    smear = 0.7 * cv2.GaussianBlur(dark, (0, 0), max(0.025 * eye, 1.0))
    ink = (1 - (1 - first) * (1 - second) * (1 - smear)) * np.clip(0.85 + 0.22 * tooth + 0.4 * dark, 0, 1)
    lines = drawn_lines(subject, max(0.014 * eye, 0.9), 0.018) * np.clip(0.88 + 0.25 * tooth, 0, 1)
    ink = np.maximum(ink, lines * (0.66 + 0.3 * dark))
    draw_features(subject, ink, max(0.014 * eye, 0.9))
    brow_strokes(subject, ink, max(0.017 * eye, 1.1))
    chalk = _lights(subject) * (1 - np.clip(2.5 * dark, 0, 1))
    chalk = hatching(chalk, flow, 0.16 * eye, thick, rng, **stick) * np.clip(0.8 + 0.3 * tooth, 0, 1)
    chalk *= 1 - np.clip(1.6 * ink, 0, 1)
    sheet = TONED * (1 + 0.025 * tooth[..., None])
    return to_bytes(over(over(sheet.astype(np.float32), CHALK, 0.8 * chalk), COAL, np.clip(ink, 0, 1)))


def _lights(subject: Subject) -> F32:
    """Return how much chalk stands where, (H, W) 0..1: on the lightest part of skin, and on cloth as light as that."""
    light = lightness(simplified(subject.rgb, subject.eye)) / 100
    skin = light[subject.skin > 0.8]
    low, high = (float(np.quantile(skin, part)) for part in LIGHTS) if skin.size else (0.75, 0.95)
    there = np.clip((light - low) / max(high - low, 0.02), 0, 1) * subject.figure * (1 - subject.hair)
    return (0.85 * there).astype(np.float32)


FINISHES: Final = (Finish("charcoal", 2, charcoal), Finish("charcoal", 3, upon_study(charcoal)))
