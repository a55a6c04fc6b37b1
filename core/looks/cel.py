"""Flat painting by region, which anime, cartoon and posters share: one region over the other, no gap between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from core.face.mesh import LIPS
from core.looks.features import brows
from core.looks.lines import along, edge_lines, flow_of, polygon, smoothed
from core.looks.subject import Subject
from core.looks.tones import above, inside_only, lightness, middle_colour, over, posterised, shapes, stepped, turned
from core.types import F32

LIT: Final = 62
"""Percentile of the skin's light that stands for its own colour: the lit half's."""


def covers_of(subject: Subject) -> tuple[F32, F32, F32, F32]:
    """Return what to paint, one over the other: figure, all but cloth, hair and hat, hat; (H, W) 0..1, edges smooth."""
    soft = max(0.012 * subject.eye, 0.8)
    figure, bare, top, hat = (
        cv2.GaussianBlur(matte, (0, 0), soft)
        for matte in (
            subject.figure, subject.figure - subject.cloth, subject.hair + subject.hat, subject.hat,
        )
    )  # fmt: skip
    whole = np.maximum(figure, 1e-3)
    inside = above(figure, 0.5)
    return (
        inside,
        inside * above(bare / whole, 0.5),
        inside * above(top / np.maximum(bare, 1e-3), 0.5) * above(bare / whole, 0.3),
        inside * above(hat / whole, 0.5),
    )


def painted_regions(subject: Subject, backdrop: F32, skin: F32, hair: F32, cloth: F32, hat: F32) -> F32:
    """Put painted regions (H, W, 3) together over a backdrop."""
    figure, bare, top, hats = covers_of(subject)
    return over(over(over(over(backdrop, cloth, figure), skin, bare), hair, top), hat, hats)


def cloth_of(subject: Subject, matte: F32, colours: int, chroma: float = 1.15) -> F32:
    """Paint cloth in a few flat colours of its own."""
    if float(matte.max()) < 0.5:
        return subject.rgb
    form = shapes(subject.rgb, matte, subject.eye, 0.12)
    half = (subject.size[0] // 2, subject.size[1] // 2)
    small, inner = (cv2.resize(layer, half, interpolation=cv2.INTER_AREA) for layer in (form, matte))
    painted, _ = posterised(small, inner, colours, subject.size, max(0.012 * subject.eye, 0.8))
    return turned(painted, 0, chroma)


def skin_of(subject: Subject, flat: F32, size: float, steps: Sequence[float], lighter: Sequence[float]) -> F32:
    """Paint skin in flat tones, lips and brows in their own.

    flat: the picture (H, W, 3) without texture. size: eye distances below which light and shade are let go. steps:
    CIELAB lightness from the face's lit half at which tones change; lighter: lightness of each tone against it.
    """
    form = shapes(subject.rgb, subject.skin, subject.eye, size)
    light = lightness(form)
    there = subject.skin > 0.9
    lit = float(np.percentile(light[there], LIT)) if there.any() else 70.0
    base = turned(middle_colour(form, (there & (light > lit - 4)).astype(np.float32), (0.8, 0.62, 0.53)), 2, 1.15)
    tones = [turned(base, step, 1.05 if step > -22 else 0.85, -5 if step < -5 else 0) for step in lighter]
    painted = stepped(light, [lit + step for step in steps], tones)
    if subject.study:
        painted = bearded(painted, subject, flat)
    lips = polygon(light.shape, smoothed(subject.mesh[list(LIPS), :2], closed=True, times=2))
    red = turned(middle_colour(flat, lips, (0.7, 0.4, 0.38)), 3, 1.15)
    split = float(np.median(light[lips > 0.5])) if (lips > 0.5).any() else 50.0
    painted = over(painted, stepped(light, [split], [turned(red, -6), turned(red, 5)]), lips * 0.9)
    hairy = brows(subject, lightness(flat), lit - 18)
    dark = middle_colour(flat, (hairy > 0.5).astype(np.float32), (0.25, 0.17, 0.13))
    return over(painted, turned(dark, -8, 0.9), hairy)


def bearded(painted: F32, subject: Subject, flat: F32) -> F32:
    """Paint facial hair over a picture (H, W, 3): its own colour in two tones, parted by its own light.

    flat: the picture (H, W, 3) without texture.
    """
    beard = subject.study.beard if subject.study else np.zeros(subject.figure.shape, np.float32)
    there = beard > 0.5
    if there.sum() < 0.02 * subject.eye**2:
        return painted
    colour = turned(middle_colour(flat, there.astype(np.float32), (0.2, 0.15, 0.12)), -2, 1.0)
    light = cv2.GaussianBlur(lightness(flat), (0, 0), max(0.02 * subject.eye, 0.8))
    tones = stepped(light, [float(np.percentile(light[there], 55))], [turned(colour, -5), turned(colour, 5)])
    soft = cv2.GaussianBlur(beard, (0, 0), max(0.02 * subject.eye, 0.8))
    return over(painted, tones, above(soft, 0.45))


def hair_of(
    subject: Subject, limits: tuple[float, ...], lighter: tuple[float, ...], run: float = 0.16
) -> tuple[F32, F32]:
    """Paint hair in flat tones whose shapes run along it, and return the ink of its strands as well.

    limits: percentiles of the hair's own light at which tones change; lighter: CIELAB lightness of each tone against
    the hair's middle, one more than limits. run: eye distances over which light is smoothed along the strands.
    """
    there = subject.hair > 0.6
    if there.sum() < 50:
        return subject.rgb, np.zeros(there.shape, np.float32)
    light = lightness(inside_only(subject.rgb, subject.hair, 0.2 * subject.eye))
    half = (subject.size[0] // 2, subject.size[1] // 2)
    runs = cv2.resize(light, half, interpolation=cv2.INTER_AREA)
    flow = flow_of(cv2.GaussianBlur(runs / 100, (0, 0), max(0.012 * subject.eye, 0.6)), 0.05 * subject.eye)
    runs = along(runs, flow, run * subject.eye)
    runs = cv2.GaussianBlur(runs, (0, 0), max(0.006 * subject.eye, 0.5))
    strands = edge_lines(runs / 100, flow, max(0.007 * subject.eye, 0.5), 0.985, 0.012)
    runs, strands = (cv2.resize(layer, subject.size, interpolation=cv2.INTER_CUBIC) for layer in (runs, strands))
    steps = [float(v) for v in np.percentile(runs[there], limits)]
    base = turned(middle_colour(subject.rgb, subject.hair, (0.25, 0.18, 0.14)), 0, 1.2)
    tones = [turned(base, step, 1.1 if step < 15 else 0.95) for step in lighter]
    if subject.study:  # as light as the sitter's own: blond hair half in the shade is not brown
        band = np.where(there, np.digitize(runs, steps), -1)
        own = [
            np.median(subject.rgb[band == number], axis=0).astype(np.float32) if (band == number).any() else tone
            for number, tone in enumerate(tones)
        ]
        tones = [(tone + turned(colour, 0, 1.2)) / 2 for tone, colour in zip(tones, own, strict=True)]
    return stepped(runs, steps, tones), np.clip(strands, 0, 1) * subject.hair
