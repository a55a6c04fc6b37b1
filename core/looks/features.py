"""The face's features drawn from the mesh: eyes, lids, brows, nose and mouth as shapes and strokes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from core.face.mesh import EYES
from core.looks.glasses import beside_frames
from core.looks.lines import disc, polygon, smoothed, stroke
from core.looks.subject import Subject
from core.looks.tones import above, middle_colour, over, turned
from core.types import F32

UPPER_LIDS: Final = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (263, 466, 388, 387, 386, 385, 384, 398, 362))
LOWER_LIDS: Final = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (263, 249, 390, 373, 374, 380, 381, 382, 362))
"""From the outer corner to the inner one, the sitter's right eye first."""
CREASES: Final = ((247, 30, 29, 27, 28, 56), (467, 260, 259, 257, 258, 286))
"""The fold above the lid, from outside in."""
IRISES: Final = ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477))
"""Centre and four points of each iris."""
BROW_TOPS: Final = ((70, 63, 105, 66, 107), (300, 293, 334, 296, 336))
BROW_FEET: Final = ((46, 53, 52, 65, 55), (276, 283, 282, 295, 285))
"""From outside in."""
INNER_LIPS: Final = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
MOUTH_LINE: Final = (61, 78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 291)
"""From the sitter's right corner along the upper lip's edge to the left one."""
LOWER_LIP: Final = (91, 181, 84, 17, 314, 405, 321)
NOSTRILS: Final = ((98, 97, 2), (327, 326, 2))
WINGS: Final = ((129, 64, 98), (358, 294, 327))
"""The nose's wings, from above down."""
OPEN: Final = 0.035
"""Height of an open eye or mouth in eye distances; below it a line is drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Eye:
    """One eye as it is drawn. opening: its ring (N, 2). centre, radius: of the iris. colour: of the iris, sRGB 0..1."""

    opening: F32
    upper: F32
    lower: F32
    crease: F32
    centre: F32
    radius: float
    colour: F32
    is_open: bool


def eyes_of(subject: Subject) -> tuple[Eye, Eye]:
    """Read both eyes off the mesh, the iris's colour off the picture."""
    mesh = subject.mesh[:, :2]
    found = []
    for side in (0, 1):
        centre = mesh[IRISES[side][0]]
        radius = float(np.linalg.norm(mesh[list(IRISES[side][1:])] - centre, axis=1).mean())
        upper, lower = mesh[list(UPPER_LIDS[side])], mesh[list(LOWER_LIDS[side])]
        opening = smoothed(mesh[list(EYES[side])], closed=True, times=2)
        ring = disc(subject.figure.shape, centre, 0.85 * radius) - disc(subject.figure.shape, centre, 0.45 * radius)
        seen = polygon(subject.figure.shape, opening) * ring
        colour = middle_colour(subject.rgb, (seen > 0.5).astype(np.float32), (0.3, 0.22, 0.16))
        height = float(np.linalg.norm(upper[4] - lower[4]))
        found.append(
            Eye(opening, upper, lower, mesh[list(CREASES[side])], centre, radius, colour, height > OPEN * subject.eye)
        )
    if subject.study:  # a lamp in one eye, or shade, is not its colour
        both = (found[0].colour + found[1].colour) / np.float32(2)
        found = [replace(eye, colour=both) for eye in found]
    return found[0], found[1]


def paint_eyes(painted: F32, subject: Subject, ink: F32, line: float, iris: float, shine: float = 1.0) -> F32:
    """Paint clean eyes into a picture (H, W, 3) and return it; lash lines are added to ink (H, W).

    line: width of a line in pixels. iris: how much wider than the sitter's the iris is drawn. shine: strength of the
    light in the eye.
    """
    painted = painted.copy()
    for eye in eyes_of(subject):
        middle = eye.opening.mean(axis=0)
        reach = np.ptp(eye.opening[:, 0]) + 4
        corner = np.maximum(np.floor(middle - reach), 0).astype(int)
        end = np.maximum(np.ceil(middle + reach).astype(int), corner + 1)
        there = np.s_[corner[1] : end[1], corner[0] : end[0]]
        if eye.is_open and painted[there].size:
            painted[there] = _opening(painted[there], eye, corner.astype(np.float32), iris, shine)
            stroke(ink, eye.lower[:-1], [0.9 * line, 0.8 * line, 0.6 * line, 0.2 * line])
        wing = eye.upper[0] + 0.16 * (eye.upper[0] - middle) + np.array([0, -0.04 * subject.eye], np.float32)
        stroke(
            ink, np.vstack([wing, eye.upper]),
            [0.6 * line, 2.4 * line, 2.6 * line, 2.2 * line, 1.9 * line, 1.2 * line],
        )  # fmt: skip
        stroke(ink, eye.crease, [0.3 * line, 0.9 * line, 0.8 * line, 0.2 * line])
    return painted


def _opening(painted: F32, eye: Eye, corner: F32, iris: float, shine: float) -> F32:
    """Paint white, iris, pupil and lights into the part of a picture that begins at `corner`."""
    shape, centre, radius = painted.shape, eye.centre - corner, eye.radius * iris
    cover = polygon(shape, eye.opening - corner)
    painted = over(painted, np.array([0.97, 0.965, 0.96], np.float32), cover)
    upper = eye.upper - corner
    shade = polygon(shape, np.vstack([upper, upper[::-1] + np.array([0, 0.55 * radius], np.float32)]))
    painted = over(painted, np.array([0.78, 0.78, 0.84], np.float32), cover * shade * 0.9)
    base = turned(eye.colour, 8, 1.5)
    painted = over(painted, turned(base, -26), cover * disc(shape, centre, radius))
    painted = over(painted, base, cover * disc(shape, centre, 0.86 * radius))
    painted = over(painted, turned(base, -16, 1.05), cover * polygon(shape, _half(centre, 0.86 * radius)))
    glow = disc(shape, centre + np.array([0, 0.42 * radius], np.float32), 0.42 * radius)
    painted = over(painted, turned(base, 18, 1.15), cover * glow * 0.9)
    painted = over(painted, np.array([0.06, 0.05, 0.07], np.float32), cover * disc(shape, centre, 0.42 * radius))
    lights = disc(shape, centre + np.array([-0.36, -0.36], np.float32) * radius, 0.27 * radius)
    lights = np.maximum(lights, disc(shape, centre + np.array([0.34, 0.36], np.float32) * radius, 0.12 * radius))
    return over(painted, np.ones(3, np.float32), cover * lights * shine)


def _half(centre: F32, radius: float) -> F32:
    """Return the upper half of a disc as a polygon, its lower edge curved."""
    turn = np.linspace(np.pi, 2 * np.pi, 32, dtype=np.float32)
    rim = np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius
    sag = np.stack([np.cos(turn[::-1]), 0.15 - 0.25 * np.sin(turn[::-1]) - 0.25], axis=1) * radius
    return (centre + np.vstack([rim, sag])).astype(np.float32)


def brow_shape(subject: Subject, side: int) -> F32:
    """Return a brow as a closed ring (N, 2), tapered to its outer end."""
    mesh = subject.mesh[:, :2]
    tops, feet = mesh[list(BROW_TOPS[side])], mesh[list(BROW_FEET[side])]
    return smoothed(np.vstack([tops, feet[:0:-1]]), closed=True, times=2)


def brows(subject: Subject, lightness: F32, limit: float) -> F32:
    """Return where brows are drawn: (H, W) 0..1, the sitter's own where they are darker than `limit`, else the mesh's.

    lightness: (H, W) CIELAB of the picture.
    """
    drawn = np.zeros(lightness.shape, np.float32)
    dark = cv2.GaussianBlur(lightness, (0, 0), max(0.012 * subject.eye, 0.6))
    for side in (0, 1):
        ring = brow_shape(subject, side)
        middle = ring.mean(axis=0)
        near = polygon(drawn.shape, (middle + (ring - middle) * np.array([1.15, 1.7], np.float32)).astype(np.float32))
        own = above(-dark, -limit) * near
        shape = polygon(drawn.shape, ring)
        drawn = np.maximum(drawn, own if (own * shape).sum() > 0.4 * shape.sum() else np.maximum(0.75 * shape, own))
    return drawn * np.clip(1 - 1.5 * subject.hair, 0, 1) if subject.study else drawn  # not over a fringe


HAIRS: Final = 22
"""Strokes that a brow is drawn with."""
LEANING: Final = 3
"""By how many strokes each leans outwards."""


def brow_strokes(subject: Subject, ink: F32, line: float) -> None:
    """Draw the brows hair by hair, from their feet up and outwards, as dark as the sitter's own against the skin."""
    light = cv2.GaussianBlur(subject.rgb.max(axis=-1), (0, 0), max(0.012 * subject.eye, 0.6))
    lit = float(np.median(light[subject.skin > 0.9])) if (subject.skin > 0.9).any() else 0.7
    last = np.array(ink.shape[::-1]) - 1
    for side in (0, 1):
        tops, feet = (_spread(subject.mesh[list(ring[side]), :2], HAIRS) for ring in (BROW_TOPS, BROW_FEET))
        for number, foot in enumerate(feet):
            end = tops[max(number - LEANING, 0)]
            x, y = np.clip(np.round((foot + end) / 2), 0, last).astype(int)
            drawn = np.zeros_like(ink)
            stroke(drawn, np.stack([foot, (foot + end) / 2, end]), [0.5 * line, 1.3 * line, 0.3 * line])
            np.maximum(ink, np.clip(1.6 * (1 - light[y, x] / lit), 0.45, 0.9) * drawn, out=ink)


def _spread(points: F32, number: int) -> F32:
    """Return points (number, 2) evenly between those of a line (N, 2)."""
    at = np.linspace(0, len(points) - 1, number)
    return np.stack([np.interp(at, np.arange(len(points)), points[:, axis]) for axis in (0, 1)], axis=1)


def mouth_open(subject: Subject) -> bool:
    """Say whether the lips are apart."""
    return float(np.linalg.norm(subject.mesh[13, :2] - subject.mesh[14, :2])) > OPEN * subject.eye


def paint_mouth(painted: F32, subject: Subject, ink: F32, line: float) -> F32:
    """Paint what shows between the lips, teeth or the dark behind them, and draw the line where the lips meet."""
    mesh = subject.mesh[:, :2]
    stroke(
        ink,
        mesh[list(MOUTH_LINE)],
        [0.8 * line, 1.6 * line, 1.1 * line, 1.3 * line, 1.1 * line, 1.6 * line, 0.8 * line],
    )
    if not mouth_open(subject):
        return painted
    inner = polygon(ink.shape, smoothed(mesh[list(INNER_LIPS)], closed=True, times=2))
    luma = subject.rgb.max(axis=-1)
    skin = float(np.median(luma[subject.skin > 0.5])) if (subject.skin > 0.5).any() else 0.6
    teeth = np.clip((luma - 0.62 * skin) / (0.08 * skin), 0, 1).astype(np.float32)
    painted = over(painted, np.array([0.32, 0.11, 0.11], np.float32), inner)
    return over(painted, np.array([0.97, 0.96, 0.94], np.float32), inner * teeth)


def around_eyes(subject: Subject) -> F32:
    """Return where the eyes are painted anew, so that no line of the photo stands there: (H, W) 0..1."""
    cover = beside_frames(subject)
    for ring in EYES:
        points = subject.mesh[list(ring), :2]
        middle = points.mean(axis=0)
        cover = np.maximum(
            cover, polygon(cover.shape, (middle + (points - middle) * np.array([1.3, 1.8])).astype(np.float32))
        )
    return cover


JAW: Final = (454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234)
"""The face's outline from ear to ear round the chin."""


def jaw_line(subject: Subject, ink: F32, line: float) -> None:
    """Draw the jaw where it stands before the neck: only over skin, and not beyond it."""
    drawn = np.zeros_like(ink)
    stroke(
        drawn,
        subject.mesh[list(JAW), :2],
        [0.2 * line, 0.8 * line, 1.3 * line, 1.5 * line, 1.3 * line, 0.8 * line, 0.2 * line],
    )
    np.maximum(ink, drawn * (subject.skin > 0.8) * (_inner(subject) if subject.study else 1), out=ink)


FAR: Final = (0.45, 0.75)
"""How wide the far half of a turned face is against the near one where its jaw is its outline, and where it is not."""


def _inner(subject: Subject) -> F32:
    """Return where a jaw stands before the neck, (H, W) 0..1: not along the head's own outline, nor under a beard."""
    away = cv2.distanceTransform((subject.figure > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / subject.eye
    inside = np.clip((away - 0.10) / 0.10, 0, 1)
    nose, ears = float(subject.mesh[1, 0]), (float(subject.mesh[234, 0]), float(subject.mesh[454, 0]))
    halves = max(nose - ears[0], 1e-3), max(ears[1] - nose, 1e-3)
    shown = np.clip((min(halves) / max(halves) - FAR[0]) / (FAR[1] - FAR[0]), 0, 1)
    x = np.arange(away.shape[1], dtype=np.float32)[None]
    far = (x < nose) if halves[0] < halves[1] else (x > nose)
    hairless = 1 - subject.study.beard if subject.study else 1
    return (inside * np.where(far, shown, 1) * hairless).astype(np.float32)


def nose_lines(subject: Subject, ink: F32, line: float) -> None:
    """Draw wings and nostrils of the nose, each a short stroke."""
    mesh = subject.mesh[:, :2]
    for side in (0, 1):
        stroke(ink, mesh[list(WINGS[side])], [0.2 * line, 1.2 * line, 0.4 * line])
        stroke(ink, mesh[list(NOSTRILS[side][:2])] + np.array([0, 0.0]), [0.5 * line, 1.8 * line, 0.5 * line])


def eye_strokes(subject: Subject, ink: F32, line: float) -> None:
    """Draw both eyes in line alone: lids, fold, the iris's rim, a dark pupil with its light left open."""
    for eye in eyes_of(subject):
        middle = eye.opening.mean(axis=0)
        if eye.is_open:
            cover = polygon(ink.shape, eye.opening)
            rim = disc(ink.shape, eye.centre, eye.radius) - 0.62 * disc(ink.shape, eye.centre, 0.86 * eye.radius)
            pupil = disc(ink.shape, eye.centre, 0.48 * eye.radius)
            light = disc(ink.shape, eye.centre + np.array([-0.32, -0.36], np.float32) * eye.radius, 0.24 * eye.radius)
            tone = np.clip(1.1 - 1.6 * float(eye.colour.max()), 0.34, 0.85)
            iris = disc(ink.shape, eye.centre, 0.9 * eye.radius) * tone
            inside = np.maximum.reduce([0.9 * rim, iris, pupil]) * (1 - light)
            ink += cover * (inside - ink)
            stroke(ink, eye.lower[:-1], [0.8 * line, 0.8 * line, 0.6 * line, 0.2 * line])
        wing = eye.upper[0] + 0.10 * (eye.upper[0] - middle)
        stroke(ink, np.vstack([wing, eye.upper]), [0.5 * line, 1.8 * line, 2.0 * line, 1.8 * line, 1.2 * line])
        stroke(ink, eye.crease, [0.2 * line, 0.7 * line, 0.7 * line, 0.2 * line])
