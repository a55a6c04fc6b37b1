"""Glasses traced on the face and drawn as frames: a rim round each eye, the bridge between them, the temples.

Round each eye the picture is unrolled into polar coordinates, and the closed line that gathers most contrast is found
by dynamic programming (Timp & Karssemeijer 2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.colour import LUMINANCE
from core.face.mesh import BROWS
from core.face.worn import IOD, YES
from core.looks.lines import polygon, stroke
from core.looks.subject import Frames, Subject
from core.types import F32

TURNS: Final = 96
"""Directions in which a rim is looked for."""
NEAREST, FARTHEST = 0.20, 0.66
"""Eye distances from a lens's middle between which its rim lies."""
LOWER: Final = 0.07
"""Eye distances by which a lens's middle lies under the eye's."""
WIDTHS: Final = (1.5, 2.5, 4.0)
"""Half widths of the lines that are looked for, in pixels of `core.face.worn`'s picture."""
STRONGEST: Final = 0.6
"""Contrast of a line, as a difference of logarithms of light, above which more is no better."""
UNUSUAL: Final = 0.10
"""What a rim 0.14 eye distances off the usual one is marked down by, on the same scale."""
SURE, NEAR_SURE = 0.53, 0.68
"""Median contrast of both rims' lower halves from which there are glasses, what `core.face.worn.GLASSES` say added;
or of the clearer one, where those say so too. Of 117 photos it finds 12 of the 20 with glasses and none in the others,
where 0.3 without them drew four wrinkled faces glasses; of five wearers in composed portraits it finds all. A pair that
is missed is drawn as the picture shows it."""
ODDS: Final = 0.05
"""What the logarithm of their odds weighs against contrast."""


@dataclass(frozen=True, slots=True, eq=False)
class Rim:
    """A traced line. points: (TURNS, 2) in `core.face.worn`'s picture. contrast: median over the lower half; width: of
    the line in that picture's pixels.
    """

    points: F32
    contrast: float
    width: float


def glasses_of(light: F32, mesh: F32, back: F32, odds: float) -> Frames | None:
    """Trace glasses; None where none are worn.

    light: (H, W, 3) linear, of `core.face.worn.SIZE`. mesh: (478, 2) in it. back: (2, 3), carries its pixels into the
    subject's. odds: logarithm of those that `core.face.worn.GLASSES` give.
    """
    dark = np.log(light @ LUMINANCE + np.float32(0.02)).astype(np.float32)
    brow = np.zeros(dark.shape, np.float32)
    for ring in BROWS:
        points = mesh[list(ring)]
        middle = points.mean(axis=0)
        brow = np.maximum(brow, polygon(brow.shape, (middle + 1.25 * (points - middle)).astype(np.float32)))
    brow = cv2.GaussianBlur(brow, (0, 0), 2.0)
    rims = [rim_round(dark, eye, side, brow) for eye, side in zip(frame.eye_centres(mesh), (-1.0, 1.0), strict=True)]
    weak, clear = sorted(rim.contrast + ODDS * odds for rim in rims)
    if weak < SURE and not (clear > NEAR_SURE and odds > YES):
        return None
    scale = float(np.sqrt(abs(np.linalg.det(back[:, :2]))))
    lines = np.stack([rim.points @ back[:, :2].T + back[:, 2] for rim in rims]).astype(np.float32)
    return Frames(lines, scale * min(rim.width for rim in rims))


def rim_round(dark: F32, eye: F32, outward: float, brow: F32) -> Rim:
    """Trace the likeliest rim round an eye, whether or not there is one.

    dark: (H, W) logarithm of light. outward: -1 where the temple lies to the left, 1 to the right. brow: (H, W) 0..1,
    where a line is hair.
    """
    turn = np.arange(TURNS, dtype=np.float32) * np.float32(2 * np.pi / TURNS)
    radii = np.arange(NEAREST * IOD, FARTHEST * IOD, dtype=np.float32)
    centre = eye + np.array([0.03 * outward, LOWER], np.float32) * np.float32(IOD)
    x, y = centre[0] + np.cos(turn)[:, None] * radii, centre[1] + np.sin(turn)[:, None] * radii
    unrolled, hairy = (cv2.remap(f, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for f in (dark, brow))
    best, width = np.zeros_like(unrolled), np.zeros_like(unrolled)
    for half in WIDTHS:
        step = round(2 * half)
        soft = cv2.GaussianBlur(unrolled, (0, 0), sigmaX=half / 2, sigmaY=1.2)
        inner = np.pad(soft, ((0, 0), (step, 0)), mode="edge")[:, : len(radii)] - soft
        outer = np.pad(soft, ((0, 0), (0, step)), mode="edge")[:, step:] - soft
        line = np.where(inner * outer > 0, np.minimum(np.abs(inner), np.abs(outer)), 0)  # darker or lighter than both
        width = np.where(line > best, 2 * half, width)
        best = np.maximum(best, line)
    off = (radii - IOD * _usual(turn, outward)[:, None]) / (0.14 * IOD)
    path = _closed((np.minimum(best, STRONGEST) * (1 - 0.6 * hairy) - UNUSUAL * off * off).astype(np.float32))
    at = (np.arange(TURNS), path)
    low = np.sin(turn) > -0.2
    return Rim(
        np.stack([x[at], y[at]], axis=1), float(np.median((best * (1 - hairy))[at][low])), float(np.median(width[at]))
    )


def _usual(turn: F32, outward: float) -> F32:
    """Return a rim's usual radius in each direction, in eye distances: a rounded box, wider away from the nose."""
    across = np.where(np.cos(turn) * outward > 0, 0.46, 0.38)
    down = np.where(np.sin(turn) > 0, 0.36, 0.34)
    box = (np.abs(np.cos(turn)) / across) ** 2.6 + (np.abs(np.sin(turn)) / down) ** 2.6
    return (box ** (-1 / 2.6)).astype(np.float32)


def _closed(gain: F32, reach: int = 2, bend: float = 0.05) -> NDArray[np.int64]:
    """Return the column in each row of the closed path that gathers most.

    gain: (TURNS, N). reach: columns it may move a row; bend: what one of them costs. Twice round, of which the
    middle is taken: there the path no longer knows where it began.
    """
    count, size = gain.shape
    wound = np.vstack([gain, gain])
    gathered, back = wound[0].copy(), np.zeros(wound.shape, np.int64)
    for row in range(1, len(wound)):
        padded = np.pad(gathered, reach, constant_values=-1e9)
        steps = np.stack([padded[k : k + size] - bend * abs(k - reach) for k in range(2 * reach + 1)])
        back[row] = steps.argmax(axis=0) - reach
        gathered = steps.max(axis=0) + wound[row]
    path = np.zeros(len(wound), np.int64)
    path[-1] = int(gathered.argmax())
    for row in range(len(wound) - 1, 0, -1):
        path[row - 1] = np.clip(path[row] + back[row, path[row]], 0, size - 1)
    return np.roll(path[count // 2 : count // 2 + count], count // 2)


def draw_frames(subject: Subject, ink: F32, line: float) -> None:
    """Draw the rims, the bridge and what is seen of the temples into ink (H, W), where glasses are worn.

    line: width of a line in pixels.
    """
    if subject.study is None or subject.study.frames is None:
        return
    frames = subject.study.frames
    thick = float(np.clip(frames.width, 1.2 * line, 0.07 * subject.eye))
    drawn = np.zeros_like(ink)
    for rim in frames.rims:
        ring = np.stack([_smooth(rim[:, axis]) for axis in (0, 1)], axis=1)
        stroke(drawn, np.vstack([ring, ring[:2]]), [thick])
    right, left = frames.rims
    inner = right[(TURNS - TURNS // 18) % TURNS], left[TURNS // 2 + TURNS // 18]
    lift = np.array([0, -0.06 * subject.eye], np.float32)
    stroke(drawn, np.stack([inner[0], (inner[0] + inner[1]) / 2 + lift, inner[1]]), [thick])
    for start, ear in ((right[TURNS // 2 + TURNS // 12], 127), (left[TURNS - TURNS // 12], 356)):
        end = np.array([subject.mesh[ear, 0], start[1] - 0.02 * subject.eye], np.float32)
        stroke(drawn, np.stack([start, (start + end) / 2, end]), [thick])
    np.maximum(ink, drawn * np.clip(subject.skin * 1.5, 0, 1), out=ink)


def rim_sides(subject: Subject) -> F32:
    """Return points (N, 2) along both sides of the rims, none where no glasses are worn."""
    if subject.study is None or subject.study.frames is None:
        return np.zeros((0, 2), np.float32)
    half = max(subject.study.frames.width, 0.03 * subject.eye) / 2
    sides = []
    for rim in subject.study.frames.rims:
        middle = rim.mean(axis=0)
        away = (rim - middle) / np.maximum(np.linalg.norm(rim - middle, axis=1, keepdims=True), 1e-3)
        sides += [rim[::4] + half * away[::4], rim[::4] - half * away[::4]]
    return np.vstack(sides).astype(np.float32)


def _smooth(ring: F32) -> F32:
    """Smooth a closed ring's coordinate (TURNS,) by a twentieth of a turn."""
    wound = np.concatenate([ring[-12:], ring, ring[:12]]).astype(np.float32)
    return cv2.GaussianBlur(wound[None], (0, 0), 2.0)[0, 12:-12]


def beside_frames(subject: Subject) -> F32:
    """Return where frames are drawn anew, so that no line of the photo stands there: (H, W) 0..1."""
    cover = np.zeros(subject.figure.shape, np.float32)
    if subject.study and subject.study.frames:
        for rim in subject.study.frames.rims:
            stroke(cover, np.vstack([rim, rim[:2]]), [subject.study.frames.width + 0.10 * subject.eye])
    return cover
