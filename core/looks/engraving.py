"""Engraving: parallel lines that bend with the form and swell with the dark, as on a banknote."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.colour import to_bytes
from core.looks.backdrop import backdrop_colour
from core.looks.features import brows, eye_strokes, jaw_line, nose_lines, paint_mouth
from core.looks.finish import Finish
from core.looks.glasses import draw_frames
from core.looks.graphite import hair_flow
from core.looks.lines import edge_lines, flow_of, outline
from core.looks.study import upon_study
from core.looks.subject import Subject
from core.looks.texture import fibres, paper
from core.looks.tones import lightness, luma_of, over, simplified
from core.types import F32, U8

SHEET: Final = np.array([0.955, 0.935, 0.875], np.float32)
INK: Final = np.array([0.09, 0.17, 0.15], np.float32)
PITCH: Final = 0.05
"""Eye distances from line to line."""
BEND: Final = 0.55
"""How far the form bends a line, in eye distances."""


def draw(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Engrave the subject in one ink."""
    eye = subject.eye
    height, width = subject.figure.shape
    pitch = max(PITCH * eye, 3.4)
    dark = _darkness(subject, strength)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    relief = cv2.GaussianBlur(subject.normals[..., 1], (0, 0), 0.20 * eye) * subject.figure
    roll = cv2.GaussianBlur(subject.normals[..., 0], (0, 0), 0.20 * eye) * subject.figure
    phase = (y + 0.18 * x - BEND * eye * (0.8 * relief + 0.35 * roll * roll)) / np.float32(pitch)
    cross = (x * 0.85 + 0.52 * y + BEND * eye * 0.6 * roll) / np.float32(pitch)
    first = _lines(phase, np.clip(0.06 + 0.80 * dark, 0, 0.86), pitch)
    second = _lines(cross, np.clip(1.5 * (dark - 0.45), 0, 0.62), pitch)
    ink = np.maximum(first, second) * (dark > 0.07)
    strands = fibres(hair_flow(subject), 0.25 * eye, 0.55 * pitch, rng)
    hair = np.clip((np.clip(0.10 + 0.92 * dark, 0, 0.94) - strands) / 0.10 + 0.5, 0, 1)
    ink = np.where(subject.hair > 0.5, hair, ink).astype(np.float32)
    behind = subject.figure < 0.5
    tone = float(np.clip(1.0 - backdrop_colour(subject).mean(), 0.06, 0.8))
    fade = np.clip(0.55 + 0.45 * np.hypot(x / width - 0.5, y / height - 0.42) * 1.4, 0, 1)
    ink = np.where(behind, _lines(y / np.float32(pitch), (tone * fade).astype(np.float32), pitch), ink)
    line = max(0.014 * eye, 0.9)
    luma = luma_of(simplified(subject.rgb, eye, 0.7))
    edges = edge_lines(luma, flow_of(luma, 0.02 * eye), line, 0.975, 0.016) * subject.figure
    ink = np.maximum(ink, edges)
    for matte in (subject.figure, subject.cloth):
        ink = np.maximum(ink, outline(matte, 1.6 * line, 0.02 * eye))
    eye_strokes(subject, ink, line)
    nose_lines(subject, ink, line)
    jaw_line(subject, ink, 0.8 * line)
    paint_mouth(subject.rgb, subject, ink, line)
    light = lightness(subject.rgb)
    lit = float(np.median(light[subject.skin > 0.9])) if (subject.skin > 0.9).any() else 70.0
    ink = np.maximum(ink, 0.9 * brows(subject, light, lit - 14))
    draw_frames(subject, ink, line)
    sheet = SHEET * (1 + 0.012 * paper((height, width), eye, rng)[..., None])
    return to_bytes(over(sheet.astype(np.float32), INK, np.clip(ink, 0, 1)))


def _darkness(subject: Subject, strength: float) -> F32:
    """Return how dark the print is to be, (H, W) 0..1: skin's own range spread over the sheet's."""
    light = lightness(simplified(subject.rgb, subject.eye, 0.8 + 0.6 * strength)) / 100
    skin = subject.skin > 0.8
    white = float(np.percentile(light[skin], 86)) if skin.any() else 0.85
    level = cv2.GaussianBlur(
        np.where(subject.skin > 0.5, white, max(white, 0.9)).astype(np.float32), (0, 0), 0.02 * subject.eye
    )
    dark = np.clip((1 - light / level) * 1.35, 0, 1)
    return cv2.GaussianBlur(
        (dark * (1 - 0.15 * subject.skin)).astype(np.float32), (0, 0), max(0.012 * subject.eye, 0.8)
    )


def _lines(phase: F32, dark: F32, pitch: float) -> F32:
    """Return lines (H, W) 0..1 at whole numbers of a phase, as wide as the darkness (H, W) asks for.

    pitch: pixels from line to line, where the phase runs straight.
    """
    away = np.abs(phase - np.round(phase))
    slope = np.maximum(
        np.hypot(cv2.Sobel(phase, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(phase, cv2.CV_32F, 0, 1) / 8), 0.4 / pitch
    )
    return np.clip((dark / 2 - away) / slope + 0.5, 0, 1).astype(np.float32)


FINISHES: Final = (Finish("engraving", 1, draw), Finish("engraving", 2, upon_study(draw)))
