"""Oil: brush strokes of several sizes laid along the picture's own directions, thick paint on canvas.

Painterly rendering with curved strokes in layers from coarse to fine (Hertzmann 1998), their direction from the
structure tensor (Brox et al. 2006).
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.colour import to_bytes
from core.looks.backdrop import backdrop_colour
from core.looks.finish import Finish
from core.looks.lines import flow_of, polygon
from core.looks.study import upon_study
from core.looks.subject import Subject
from core.looks.texture import canvas, clouds, fibres
from core.looks.tones import luma_of, over, turned
from core.types import F32, U8

BRUSHES: Final = (0.30, 0.15, 0.075, 0.04)
"""Widths of the brushes in eye distances, coarse to fine."""
LENGTH: Final = 5
"""Points of a stroke, a brush's width apart."""
TURN: Final = 0.6
"""How much a stroke's own direction weighs against the next point's: less is smoother."""


def draw(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Paint the subject in oil."""
    height, width = subject.figure.shape
    rgb = over(_backdrop(subject, rng), turned(subject.rgb, 1, 1.22), subject.figure)
    painted: F32 = np.zeros_like(rgb) + turned(backdrop_colour(subject), -12, 1.2)
    relief = np.zeros((height, width), np.float32)
    face = _detail(subject)
    finest = BRUSHES[:-1] if strength > 0.85 else BRUSHES
    for number, part in enumerate(BRUSHES):
        brush = max(part * subject.eye, 1.6)
        wanted = cv2.GaussianBlur(rgb, (0, 0), 0.3 * brush)
        flow = _directions(subject, wanted, brush)
        off = np.abs(cv2.GaussianBlur(wanted - painted, (0, 0), 0.5 * brush)).sum(axis=-1)
        where = np.ones_like(off) if number == 0 else (off > 0.07).astype(np.float32)
        if part not in finest:
            where *= face
        elif number >= 2:
            where = where * np.clip(0.25 + subject.figure, 0, 1)
        _lay(painted, relief, wanted, flow, where, brush, rng)
    painted = over(painted, rgb, 0.35 * face * (face > 0.7))
    return to_bytes(_lit(painted, relief, subject, rng))


def _backdrop(subject: Subject, rng: np.random.Generator) -> F32:
    """Mix the backdrop's colour on the canvas: broad changes of tone and a little of its neighbours in hue."""
    height, width = subject.figure.shape
    colour = turned(backdrop_colour(subject), 0, 1.25)
    tone, hue = clouds((height, width), 0.8 * subject.eye, rng), clouds((height, width), 0.6 * subject.eye, rng)
    mixed = over(
        np.broadcast_to(colour, (height, width, 3)).astype(np.float32),
        turned(colour, 9, 1.3, 14),
        np.clip(0.3 * tone, 0, 0.8),
    )
    return over(mixed, turned(colour, -12, 1.3, -16), np.clip(0.3 * hue, 0, 0.8))


def _detail(subject: Subject) -> F32:
    """Return where the finest brush is used, (H, W) 0..1: eyes, nose and mouth."""
    cover = np.zeros(subject.figure.shape, np.float32)
    points = subject.mesh[:, :2]
    for centre, wide, tall in (
        (points[468], 0.42, 0.30),
        (points[473], 0.42, 0.30),
        (points[13], 0.55, 0.30),
        (points[4], 0.34, 0.34),
    ):
        turn = np.linspace(0, 2 * np.pi, 40, dtype=np.float32)
        ring = centre + subject.eye * np.stack([wide * np.cos(turn), tall * np.sin(turn)], axis=1)
        cover = np.maximum(cover, polygon(cover.shape, ring.astype(np.float32)))
    return cv2.GaussianBlur(cover, (0, 0), 0.05 * subject.eye)


def _directions(subject: Subject, wanted: F32, brush: float) -> F32:
    """Return the strokes' directions: along edges where there are any, round the form where there are none."""
    flow = flow_of(luma_of(wanted), max(1.2 * brush, 3.0))
    slope = cv2.GaussianBlur(subject.normals[..., :2], (0, 0), 3.0)
    around = np.dstack([-slope[..., 1], slope[..., 0]])
    around *= np.sign((around * flow).sum(axis=-1, keepdims=True) + np.float32(1e-6))
    mixed = flow + 0.5 * around * subject.figure[..., None]
    return (mixed / np.maximum(np.linalg.norm(mixed, axis=-1, keepdims=True), 1e-4)).astype(np.float32)


def _lay(painted: F32, relief: F32, wanted: F32, flow: F32, where: F32, brush: float, rng: np.random.Generator) -> None:
    """Lay one brush's strokes into painted and its height into relief, in random order."""
    height, width = where.shape
    step = 0.55 * brush
    y, x = (axis.ravel().astype(np.float32) for axis in np.mgrid[0:height:step, 0:width:step])
    x, y = (axis + rng.uniform(-0.6, 0.6, len(axis)).astype(np.float32) * step for axis in (x, y))
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    kept = where[y.astype(int), x.astype(int)] > rng.uniform(0, 1, len(x))
    x, y = x[kept], y[kept]
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    start = wanted[y.astype(int), x.astype(int)]
    jitter = rng.normal(0, 0.014, (len(x), 1)).astype(np.float32) + rng.normal(0, 0.008, (len(x), 3)).astype(np.float32)
    colours = np.clip(start + jitter, 0, 1)
    going = flow[y.astype(int), x.astype(int)] * rng.choice([-1, 1], len(x))[:, None].astype(np.float32)
    paths, alive = [np.stack([x, y], axis=1)], np.ones(len(x), bool)
    for _ in range(LENGTH):
        at = paths[-1] + going * brush * alive[:, None]
        at = np.clip(at, 0, np.array([width - 1, height - 1], np.float32))
        row, column = at[:, 1].astype(int), at[:, 0].astype(int)
        alive &= np.abs(wanted[row, column] - start).sum(axis=1) < 0.16  # the stroke ends where its colour does
        paths.append(np.where(alive[:, None], at, paths[-1]).astype(np.float32))
        here = flow[row, column]
        here = here * np.sign((here * going).sum(axis=1, keepdims=True) + 1e-6)
        going = (1 - TURN) * going + TURN * here
    lines = np.round(np.stack(paths, axis=1) * 8).astype(np.int32)
    thick = max(1, round(brush))
    heights = rng.uniform(0.25, 1.0, len(x))
    for line, colour, tall in zip(lines, colours.tolist(), heights.tolist(), strict=True):
        cv2.polylines(painted, [line], False, colour, thick, cv2.LINE_AA, shift=3)
        cv2.polylines(relief, [line], False, tall, thick, cv2.LINE_8, shift=3)


def _lit(painted: F32, relief: F32, subject: Subject, rng: np.random.Generator) -> F32:
    """Light the paint from above left: its strokes' edges, its bristles, and the canvas where it is thin."""
    height, width = relief.shape
    flow = flow_of(luma_of(painted), max(0.05 * subject.eye, 2.0))
    bristles = fibres(flow, 0.10 * subject.eye, max(0.012 * subject.eye, 0.8), rng)
    weave = canvas((height, width), max(0.026 * subject.eye, 3.2))
    surface = 0.9 * cv2.GaussianBlur(relief, (0, 0), max(0.008 * subject.eye, 0.7)) + 0.55 * bristles + 0.10 * weave
    dx, dy = cv2.Sobel(surface, cv2.CV_32F, 1, 0) / 4, cv2.Sobel(surface, cv2.CV_32F, 0, 1) / 4
    light = np.clip(1 + 0.16 * (dx + 1.2 * dy), 0.80, 1.22)
    return np.clip(painted * light[..., None] + 0.04 * np.clip(dx + dy - 0.25, 0, 1)[..., None], 0, 1).astype(
        np.float32
    )


FINISHES: Final = (Finish("oil", 1, draw), Finish("oil", 2, upon_study(draw)))
