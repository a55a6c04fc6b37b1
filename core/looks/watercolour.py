"""Watercolour: washes with darker edges on white paper, pigment that settles in its tooth, pencil beneath.

Edge darkening, granulation and wet edges as image operations (Bousseau et al. 2006; Montesdeoca et al. 2017).
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.colour import to_bytes
from core.looks.backdrop import backdrop_colour
from core.looks.features import eye_strokes, nose_lines, paint_mouth
from core.looks.finish import Finish
from core.looks.glasses import draw_frames
from core.looks.graphite import hair_flow
from core.looks.lines import along, edge_lines, flow_of, outline
from core.looks.study import upon_study
from core.looks.subject import Subject
from core.looks.texture import clouds, paper
from core.looks.tones import luma_of, over, posterised, simplified, turned
from core.types import F32, U8

PAPER: Final = np.array([0.985, 0.98, 0.965], np.float32)
PENCIL: Final = np.array([0.28, 0.25, 0.24], np.float32)


def draw(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Paint the subject in watercolour."""
    height, width = subject.figure.shape
    eye = subject.eye
    tooth = paper((height, width), eye, rng)
    wobble = [0.010 * eye * clouds((height, width), 0.10 * eye, rng) for _ in range(2)]
    wash = _washes(subject, strength)
    wash = _shifted(wash, wobble)
    edge = sum(_dark_edge(wash, sigma * eye) for sigma in (0.02, 0.05))
    pooled = clouds((height, width), 0.35 * eye, rng)
    density = 1 + 1.5 * edge + 0.10 * pooled + 0.09 * tooth
    wet = _shifted(subject.figure, [3 * axis for axis in wobble])
    painted = _deepened(wash, density)
    painted = over(_backdrop(subject, wet, tooth, rng), painted, np.clip((wet - 0.35) / 0.3, 0, 1))
    ink = np.zeros((height, width), np.float32)
    luma = luma_of(simplified(subject.rgb, eye, 0.7))
    thin = max(0.010 * eye, 0.7)
    edges = edge_lines(luma, flow_of(luma, 0.02 * eye), thin, 0.975, 0.018) * subject.figure
    ink = np.maximum(ink, 0.55 * edges)
    ink = np.maximum(ink, 0.45 * outline(subject.figure, 1.3 * thin, 0.02 * eye))
    eye_strokes(subject, ink, max(0.012 * eye, 0.8))
    nose_lines(subject, ink, 0.7 * thin)
    paint_mouth(painted, subject, ink, thin)
    frames = np.zeros_like(ink)
    draw_frames(subject, frames, thin)
    ink = np.maximum(ink, 0.6 * frames)
    ink *= np.clip(0.8 + 0.2 * tooth, 0, 1)
    return to_bytes(over(painted, PENCIL, 0.85 * np.clip(ink, 0, 1)))


def _washes(subject: Subject, strength: float) -> F32:
    """Return the sitter in clear washes (H, W, 3): few tones each, lights left as paper."""
    flat = simplified(subject.rgb, subject.eye, 1.6)
    runs = along(flat, hair_flow(subject), 0.10 * subject.eye)
    flat = over(flat, runs, subject.hair)
    half = (subject.size[0] // 2, subject.size[1] // 2)
    small = cv2.medianBlur(
        to_bytes(cv2.resize(flat, half, interpolation=cv2.INTER_AREA)), max(3, round(0.03 * subject.eye) | 1)
    )
    small = small.astype(np.float32) / 255
    figure = cv2.resize(subject.figure, half, interpolation=cv2.INTER_AREA)
    painted, _ = posterised(small, figure, round(22 - 8 * strength), subject.size, max(0.012 * subject.eye, 0.8))
    lab = cv2.cvtColor(painted, cv2.COLOR_RGB2LAB)
    light = lab[..., 0]
    top = float(np.percentile(light[subject.skin > 0.9], 90)) if (subject.skin > 0.9).any() else 80.0
    light = np.clip(light * (95.0 / max(top, 60.0)) ** 0.8, 0, 100)
    light = 100 - (100 - light) * 0.88
    cleared = np.dstack([light, 1.35 * lab[..., 1:]]).astype(np.float32)
    return np.clip(cv2.cvtColor(cleared, cv2.COLOR_LAB2RGB), 0, 1).astype(np.float32)


def _shifted(layer: F32, flow: list[F32]) -> F32:
    """Let a wash's edges wander as wet paint does."""
    height, width = layer.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    there = (x + flow[0]).astype(np.float32), (y + flow[1]).astype(np.float32)
    return cv2.remap(layer, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _dark_edge(wash: F32, sigma: float) -> F32:
    """Return where pigment gathered: at the inner side of a wash's edge, next to a lighter one."""
    luma = luma_of(wash)
    return np.clip(cv2.GaussianBlur(luma, (0, 0), sigma) - luma, 0, 0.25).astype(np.float32)


def _deepened(colour: F32, density: F32) -> F32:
    """Return a pigment of another density (Bousseau et al. 2006): c - (c - c^2)(d - 1)."""
    return np.clip(colour - (colour - colour * colour) * (density - 1)[..., None], 0, 1).astype(np.float32)


def _backdrop(subject: Subject, wet: F32, tooth: F32, rng: np.random.Generator) -> F32:
    """Wash the backdrop's colour round the sitter, and leave the sheet's borders white."""
    height, width = wet.shape
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    blots = clouds((height, width), 0.5 * subject.eye, rng), clouds((height, width), 0.12 * subject.eye, rng)
    reach = 0.86 - np.maximum(np.abs(x), np.abs(y)) + 0.06 * blots[0] + 0.015 * blots[1]
    cover = np.clip(reach / 0.02, 0, 1)
    rim = np.exp(-0.5 * ((reach - 0.012) / 0.012) ** 2)
    colour = turned(backdrop_colour(subject), 14, 1.7)
    strong = np.clip(0.48 + 0.20 * blots[0] + 0.10 * tooth, 0.08, 1) * cover + 0.25 * rim * cover
    return over(np.broadcast_to(PAPER, (height, width, 3)).astype(np.float32), colour, np.clip(strong, 0, 1))


FINISHES: Final = (Finish("watercolour", 1, draw), Finish("watercolour", 2, upon_study(draw)))
