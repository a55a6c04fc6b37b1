"""Pencil and charcoal: strokes hatched along the form, by the darkness of a few tones, on the tooth of paper."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.colour import to_bytes
from core.face.mesh import CHIN
from core.looks.backdrop import backdrop_colour
from core.looks.features import LOWER_LIP, brow_strokes, brows, eye_strokes, jaw_line, nose_lines, paint_mouth
from core.looks.finish import Finish
from core.looks.glasses import draw_frames
from core.looks.lines import edge_lines, flow_of, outline, stroke
from core.looks.study import upon_study
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
COMPLEXION: Final = 0.35
"""How far skin is drawn as dark as it is, 0..1: at 0 every skin is paper, at 1 features drown in the darkest."""
SLANT: Final = np.array([0.78, -0.62], np.float32)
"""The one direction of strokes where no form leads them."""


def pencil(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Draw the subject in graphite on white paper: face and hair carried through, cloth and backdrop indicated."""
    eye, dark = subject.eye, own_tones(subject, strength)
    thin = max(0.0075 * eye, 0.6)
    around, across = form_flow(subject.normals, steadiness=1.2), form_flow(subject.normals, True, 1.2)
    hair, slant = hair_flow(subject), np.broadcast_to(SLANT, (*dark.shape, 2))
    covered = subject.cloth + subject.hat + 1 - subject.figure
    flow, cross = mixed(mixed(around, hair, subject.hair), slant, covered), mixed(across, hair, subject.hair)
    point = {"softness": 0.5, "even": 2.5 * thin + 1}
    first = hatching(np.clip(1.2 * dark, 0, 0.9), flow, 0.12 * eye, thin, rng, **point) * (0.40 + 0.5 * dark)
    first *= np.clip(dark / 0.08, 0, 1)  # lights are left as paper
    deep = np.clip(1.4 * (dark - 0.34), 0, 0.8)
    second = hatching(deep, cross, 0.09 * eye, thin, rng, **point) * (0.3 + 0.55 * dark)
    tooth = paper(dark.shape, eye, rng)
    ink = (1 - (1 - first) * (1 - second)) * np.clip(0.88 + 0.16 * tooth, 0, 1)
    lines = drawn_lines(subject, max(0.010 * eye, 0.8), 0.018) * np.clip(0.9 + 0.15 * tooth, 0, 1)
    ink = np.maximum(ink, lines * (0.62 + 0.3 * dark))
    draw_features(subject, ink, max(0.011 * eye, 0.8))
    brow_strokes(subject, ink, max(0.010 * eye, 0.8))
    sheet = SHEET + 0.012 * tooth[..., None] * SHEET
    return to_bytes(over(sheet.astype(np.float32), GRAPHITE, np.clip(ink, 0, 1)))


def own_tones(subject: Subject, strength: float) -> F32:
    """Return how dark the pencil is to go, (H, W) 0..1: the sitter's own tones, skin's complexion told with them."""
    light = lightness(simplified(subject.rgb, subject.eye, 0.5 + 0.7 * strength)) / 100
    skin = subject.skin > 0.8
    lit = float(np.percentile(light[skin], 80)) if skin.any() else 0.8
    white = np.where(subject.skin > 0.5, lit + COMPLEXION * max(0.86 - lit, 0), max(lit, 0.9))
    white = cv2.GaussianBlur(white.astype(np.float32), (0, 0), 0.02 * subject.eye)
    dark = np.clip(1 - light / white, 0, 1)
    hairy = subject.hair > 0.6
    if hairy.any():
        middle = float(np.median(light[hairy]))
        locks = np.clip(0.85 * (1 - middle / 0.92) + 1.5 * (middle - light), 0.04, 0.95)
        dark = dark + (locks - dark) * np.clip(subject.hair, 0, 1)
    rows = np.arange(dark.shape[0], dtype=np.float32)[:, None]
    chin = float(subject.mesh[CHIN, 1])
    fading = np.clip(1.15 - (rows - chin) / max(dark.shape[0] - chin, 1.0), 0.1, 1)
    dark = dark * (1 - subject.cloth * (1 - 0.72 * fading))
    behind = 0.4 * _beside(subject) * _backdrop_tone(subject)
    return (dark * subject.figure + behind * (1 - subject.figure)).astype(np.float32)


def charcoal(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Draw the subject in charcoal, with white chalk in the lights, on toned paper."""
    eye, dark = subject.eye, tones_of(subject, 0.03 + 0.08 * strength, 1.2 - 0.2 * strength)
    tooth = paper(dark.shape, 1.6 * eye, rng)
    flow = mixed(form_flow(subject.normals), hair_flow(subject), subject.hair)
    thick = max(0.030 * eye, 1.2)
    wanted = _steps(dark, (0.20, 0.38, 0.56, 0.74), (0.0, 0.20, 0.46, 0.74, 0.97))
    strokes = hatching(wanted, flow, 0.16 * eye, thick, rng)
    smudge = cv2.GaussianBlur(wanted, (0, 0), 0.05 * eye) * 0.45
    grain = np.clip(0.72 + 0.45 * tooth + 0.6 * wanted, 0, 1)
    ink = np.maximum(strokes * 0.9, smudge) * grain
    lines = drawn_lines(subject, max(0.020 * eye, 1.1), 0.02) * np.clip(0.85 + 0.4 * tooth, 0, 1)
    ink = np.maximum(ink, 0.95 * lines)
    draw_features(subject, ink, max(0.020 * eye, 1.1))
    jaw_line(subject, ink, max(0.014 * eye, 0.8))
    light = lightness(subject.rgb)
    lit = float(np.median(light[subject.skin > 0.9])) if (subject.skin > 0.9).any() else 70.0
    ink = np.maximum(ink, 0.75 * brows(subject, light, lit - 14))
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


def mixed(flow: F32, other: F32, where: F32) -> F32:
    return np.where(where[..., None] > 0.5, other, flow).astype(np.float32)


def _steps(field: F32, limits: tuple[float, ...], values: tuple[float, ...]) -> F32:
    """Return a field in steps: values[0] below the first limit, values[i] above limits[i - 1]."""
    smooth = cv2.GaussianBlur(field, (0, 0), 1.0)
    out = np.full(field.shape, values[0], np.float32)
    for limit, under, value in zip(limits, values[:-1], values[1:], strict=True):
        out += np.float32(value - under) * above(smooth, limit)
    return out


def drawn_lines(subject: Subject, width: float, threshold: float) -> F32:
    """Return contours and edges (H, W) 0..1 of the sitter."""
    luma = luma_of(simplified(subject.rgb, subject.eye, 0.6))
    ink = edge_lines(luma, flow_of(luma, 0.02 * subject.eye), width, 0.975, threshold) * subject.figure
    for matte in (subject.figure, subject.cloth):
        ink = np.maximum(ink, 0.8 * outline(matte, 1.6 * width, 0.02 * subject.eye))
    return ink


def draw_features(subject: Subject, ink: F32, line: float) -> None:
    """Draw eyes, nose and mouth in line, so that no tone drowns them."""
    eye_strokes(subject, ink, line)
    draw_frames(subject, ink, line)
    nose_lines(subject, ink, 0.7 * line)
    paint_mouth(subject.rgb, subject, ink, 0.8 * line)
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


FINISHES: Final = (
    Finish("pencil", 1, pencil),
    Finish("pencil", 2, upon_study(pencil)),
    Finish("charcoal", 1, charcoal),
)
