"""Pencil and charcoal: strokes hatched along the form, by the darkness of a few tones, on the tooth of paper."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.colour import to_bytes
from core.looks.backdrop import backdrop_colour
from core.looks.features import LOWER_LIP, brows, eye_strokes, jaw_line, nose_lines, paint_mouth
from core.looks.finish import Finish
from core.looks.lines import edge_lines, flow_of, outline, stroke
from core.looks.subject import Subject
from core.looks.texture import clouds, form_flow, hatching, paper
from core.looks.tones import above, inside_only, lightness, luma_of, over, shapes, simplified
from core.types import F32, U8

GRAPHITE: Final = np.array([0.20, 0.20, 0.22], np.float32)
SHEET: Final = np.array([0.965, 0.955, 0.93], np.float32)
COAL: Final = np.array([0.10, 0.095, 0.09], np.float32)
TONED: Final = np.array([0.80, 0.76, 0.69], np.float32)
CHALK: Final = np.array([0.97, 0.955, 0.92], np.float32)
FACE_TONES: Final = 0.72
"""How dark skin is drawn against cloth: a face in shade still shows its features."""
LEVELS: Final = (0.10, 0.24, 0.42, 0.64)
"""Darkness at which another layer of strokes begins."""


def pencil(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Draw the subject in graphite on white paper."""
    eye, dark = subject.eye, tones_of(subject, 0.015 + 0.06 * strength, 1.5 - 0.5 * strength)
    steady = 0.45 + 1.6 * (subject.cloth + subject.hat)[..., None]
    around, across = form_flow(subject.normals, steadiness=steady), form_flow(subject.normals, True, steady)
    hair = hair_flow(subject)
    flow = _mixed(around, hair, subject.hair + 0.0)
    cross = _mixed(across, hair, subject.hair)
    thin = max(0.010 * eye, 0.7)
    drawn = hatching(_steps(dark, LEVELS, (0.0, 0.14, 0.28, 0.44, 0.60)), flow, 0.11 * eye, thin, rng)
    deep = hatching(_steps(dark, LEVELS[2:], (0.0, 0.30, 0.52)), cross, 0.08 * eye, thin, rng)
    tooth = paper(dark.shape, eye, rng)
    grain = np.clip(0.82 + 0.22 * tooth, 0, 1)
    ink = np.maximum(0.62 * drawn, 0.80 * deep) * grain
    lines = _lines(subject, max(0.011 * eye, 0.8), 0.012) * np.clip(0.9 + 0.15 * tooth, 0, 1)
    ink = np.maximum(ink, 0.92 * lines)
    _features(subject, ink, max(0.014 * eye, 0.9))
    behind = 1 - subject.figure
    side = _beside(subject)
    straight = np.broadcast_to(np.array([0.78, -0.62], np.float32), (*dark.shape, 2)).copy()
    tone = _backdrop_tone(subject)
    ink = np.where(behind > 0.5, 0.5 * hatching(side * tone, straight, 0.35 * eye, 1.4 * thin, rng) * grain, ink)
    sheet = SHEET + 0.012 * tooth[..., None] * SHEET
    return to_bytes(over(sheet.astype(np.float32), GRAPHITE, np.clip(ink, 0, 1)))


def charcoal(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Draw the subject in charcoal, with white chalk in the lights, on toned paper."""
    eye, dark = subject.eye, tones_of(subject, 0.03 + 0.08 * strength, 1.2 - 0.2 * strength)
    tooth = paper(dark.shape, 1.6 * eye, rng)
    flow = _mixed(form_flow(subject.normals), hair_flow(subject), subject.hair)
    thick = max(0.030 * eye, 1.2)
    wanted = _steps(dark, (0.20, 0.38, 0.56, 0.74), (0.0, 0.20, 0.46, 0.74, 0.97))
    strokes = hatching(wanted, flow, 0.16 * eye, thick, rng)
    smudge = cv2.GaussianBlur(wanted, (0, 0), 0.05 * eye) * 0.45
    grain = np.clip(0.72 + 0.45 * tooth + 0.6 * wanted, 0, 1)
    ink = np.maximum(strokes * 0.9, smudge) * grain
    lines = _lines(subject, max(0.020 * eye, 1.1), 0.02) * np.clip(0.85 + 0.4 * tooth, 0, 1)
    ink = np.maximum(ink, 0.95 * lines)
    _features(subject, ink, max(0.020 * eye, 1.1))
    behind = subject.figure < 0.5
    side = cv2.GaussianBlur(_beside(subject) * (0.35 + 0.8 * _backdrop_tone(subject)), (0, 0), 0.1 * eye)
    smoke = np.clip(side * (0.75 + 0.25 * clouds(dark.shape, 0.3 * eye, rng)), 0, 1) * np.clip(0.6 + 0.4 * tooth, 0, 1)
    ink = np.where(behind, 0.8 * smoke, ink)
    light = lightness(shapes(subject.rgb, subject.figure, eye, 0.08)) / 100
    top = float(np.percentile(light[subject.skin > 0.8], 84)) if (subject.skin > 0.8).any() else 0.8
    chalk = _steps(np.clip(light - top + 0.5, 0, 1), (0.5, 0.56), (0.0, 0.5, 0.85)) * subject.figure
    chalk = (
        hatching(chalk, flow, 0.14 * eye, thick, rng) * np.clip(0.75 + 0.5 * tooth, 0, 1) * (1 - np.clip(2 * ink, 0, 1))
    )
    sheet = TONED * (1 + 0.03 * tooth[..., None])
    drawn = over(over(sheet.astype(np.float32), CHALK, 0.85 * chalk), COAL, np.clip(ink, 0, 1))
    return to_bytes(drawn)


def tones_of(subject: Subject, size: float, gain: float) -> F32:
    """Return how dark the drawing is to be, (H, W) 0..1, in broad shapes, skin as light as the paper allows.

    size: eye distances below which light and shade are let go. gain: contrast of the skin's own tones.
    """
    light = lightness(simplified(subject.rgb, subject.eye, 1 + 10 * size)) / 100
    skin = subject.skin > 0.8
    white = float(np.percentile(light[skin], 80)) if skin.any() else 0.8
    level = np.where(subject.skin > 0.5, white, max(white, 0.85))
    level = cv2.GaussianBlur(level.astype(np.float32), (0, 0), 0.02 * subject.eye)
    dark = np.clip((1 - light / level) * 1.15, 0, 1)
    return (dark * (1 - (1 - FACE_TONES * gain) * np.clip(subject.skin, 0, 1))).astype(np.float32)


def hair_flow(subject: Subject) -> F32:
    """Return the direction (H, W, 2) in which hair runs."""
    luma = luma_of(inside_only(subject.rgb, subject.hair, 0.2 * subject.eye))
    return flow_of(cv2.GaussianBlur(luma, (0, 0), max(0.02 * subject.eye, 0.8)), 0.08 * subject.eye)


def _mixed(flow: F32, other: F32, where: F32) -> F32:
    return np.where(where[..., None] > 0.5, other, flow).astype(np.float32)


def _steps(field: F32, limits: tuple[float, ...], values: tuple[float, ...]) -> F32:
    """Return a field in steps: values[0] below the first limit, values[i] above limits[i - 1]."""
    smooth = cv2.GaussianBlur(field, (0, 0), 1.0)
    out = np.full(field.shape, values[0], np.float32)
    for limit, under, value in zip(limits, values[:-1], values[1:], strict=True):
        out += np.float32(value - under) * above(smooth, limit)
    return out


def _lines(subject: Subject, width: float, threshold: float) -> F32:
    """Return contours and edges (H, W) 0..1 of the sitter."""
    luma = luma_of(simplified(subject.rgb, subject.eye, 0.6))
    ink = edge_lines(luma, flow_of(luma, 0.02 * subject.eye), width, 0.975, threshold) * subject.figure
    for matte in (subject.figure, subject.cloth):
        ink = np.maximum(ink, 0.8 * outline(matte, 1.6 * width, 0.02 * subject.eye))
    return ink


def _features(subject: Subject, ink: F32, line: float) -> None:
    """Draw eyes, nose and mouth in line, so that no tone drowns them."""
    eye_strokes(subject, ink, line)
    nose_lines(subject, ink, 0.7 * line)
    jaw_line(subject, ink, 0.7 * line)
    paint_mouth(subject.rgb, subject, ink, 0.8 * line)
    light = lightness(subject.rgb)
    lit = float(np.median(light[subject.skin > 0.9])) if (subject.skin > 0.9).any() else 70.0
    np.maximum(ink, 0.75 * brows(subject, light, lit - 14), out=ink)
    stroke(ink, subject.mesh[list(LOWER_LIP), :2], [0.1 * line, 0.7 * line, 1.1 * line, 0.7 * line, 0.1 * line])


def _beside(subject: Subject) -> F32:
    """Return where a backdrop is shaded in, (H, W) 0..1: beside the shadowed cheek, fading outwards."""
    height, width = subject.figure.shape
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    skin = subject.skin > 0.8
    luma = luma_of(subject.rgb)
    face = subject.mesh[1, 0]
    columns = np.arange(width)[None]
    left, right = luma[skin & (columns < face)], luma[skin & (columns >= face)]
    dark_left = float(left.mean() if left.size else 0.5) < float(right.mean() if right.size else 0.5)
    away = cv2.distanceTransform((subject.figure < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    near = np.exp(-away / (1.3 * subject.eye)).astype(np.float32)
    lit_side = x if dark_left else -x  # shade stands behind the lit cheek
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    return np.clip(near * (0.55 + 0.6 * lit_side) * (0.35 + rows), 0, 1).astype(np.float32)


def _backdrop_tone(subject: Subject) -> float:
    """Return how dark the drawn backdrop is: a white one is left as paper nearly."""
    return float(np.clip(1.05 - backdrop_colour(subject).mean(), 0.15, 1))


FINISHES: Final = (Finish("pencil", 1, pencil), Finish("charcoal", 1, charcoal))
