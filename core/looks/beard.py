"""Facial hair on the face: where it is, so that it is drawn in its own colour and not as shaded skin."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.face import worn
from core.face.mesh import LIPS
from core.looks.lines import polygon, smoothed
from core.looks.subject import Subject
from core.looks.tones import lightness
from core.types import F32

BEARD: Final = (
    361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 192,
    207, 206, 98, 2, 327, 426, 427, 416,
)  # fmt: skip
"""Where a beard grows: from ear to ear round the chin, back over the cheeks and under the nose."""
HANGING: Final = 0.32
"""By how much a beard may reach out beyond the jaw, as a part of the way from its middle."""
MOUSTACHE: Final = 2.0
"""Log odds from which a lip has hair without a chin's. Of 117 photos three lower ones are no moustaches."""
DARKER: Final = (0.15, 0.30)
"""By what part a beard is darker than the cheek over it, from where it begins to where it is full."""
PALER: Final = (0.75, 0.55)
"""What part of the cheek's chroma white hair has, from where it begins to where it is full."""
WHITE: Final = 0.35
"""Share of the upper lip, or of the chin, that is as pale as white hair where it grows. Of 40 people one with a white
moustache has 0.54, the others 0.20 at most; photos with less chroma than COLOURED tell nothing."""
COLOURED: Final = 15.0


def beard_of(subject: Subject, lip: float, chin: float) -> F32:
    """Return the facial hair, (H, W) 0..1: what is darker than the cheek over it, or white, where it grows.

    lip, chin: logarithm of the odds of hair there. A beard has a moustache: a chin alone is in shade.
    """
    shape, mesh, eye = subject.figure.shape, subject.mesh[:, :2], subject.eye
    lab = cv2.GaussianBlur(cv2.cvtColor(subject.rgb, cv2.COLOR_RGB2LAB), (0, 0), 0.04 * eye)
    light, chroma = lab[..., 0], np.hypot(lab[..., 1], lab[..., 2])
    cheek, own = (_as_on_cheeks(subject, field) for field in (light, chroma))
    dark = np.clip(((cheek - light) / cheek - DARKER[0]) / (DARKER[1] - DARKER[0]), 0, 1)
    pale = np.clip((PALER[0] - chroma / own) / (PALER[0] - PALER[1]), 0, 1)
    pale *= np.clip((light / cheek - 0.95) / 0.1, 0, 1)
    under = worn.below_nostrils(mesh)
    white = [
        float(pale[polygon(shape, under[list(ring)]) > 0.5].mean()) > WHITE and float(own.mean()) > COLOURED
        for ring in (worn.UPPER_LIP, worn.CHIN)
    ]
    cover: F32 = np.zeros(shape, np.float32)
    if white[0]:
        cover = pale * (_beard(subject, pale) if white[1] else _moustache(subject))
    if lip > (worn.YES if chin > worn.YES else MOUSTACHE):
        cover = np.maximum(cover, dark * (_beard(subject, dark) if chin > worn.YES else _moustache(subject)))
    cover = cover * (1 - polygon(shape, mesh[list(LIPS)])) * (subject.skin > 0.5)
    return cv2.GaussianBlur(cover.astype(np.float32), (0, 0), 0.015 * eye)


def _as_on_cheeks(subject: Subject, field: F32) -> F32:
    """Return a field's (H, W) median on the sitter's cheeks, from one to the other: (1, W), 1 at least."""
    mesh, sides = subject.mesh[:, :2], []
    for ring in worn.CHEEKS:
        seen = field[(polygon(field.shape, mesh[list(ring)]) > 0.5) & (subject.skin > 0.8)]
        sides.append(float(np.median(seen)) if seen.size else float("nan"))
    known = [side for side in sides if np.isfinite(side)] or [60.0]
    levels = [side if np.isfinite(side) else known[0] for side in sides]
    across = [float(mesh[list(ring), 0].mean()) for ring in worn.CHEEKS]
    columns = np.arange(field.shape[1], dtype=np.float32)[None]
    return np.maximum(np.interp(columns, across, levels), 1).astype(np.float32)


def _moustache(subject: Subject) -> F32:
    """Return where a moustache grows, (H, W) 0..1: round the lips, under the nose."""
    mesh = subject.mesh[:, :2]
    where = polygon(subject.figure.shape, mesh[13] + (mesh[list(LIPS)] - mesh[13]) * np.array([1.6, 3.4], np.float32))
    rows = np.arange(len(where), dtype=np.float32)[:, None]
    return where * np.clip((rows - mesh[2, 1]) / (0.04 * subject.eye), 0, 1)


def _beard(subject: Subject, cover: F32) -> F32:
    """Return where a beard grows, (H, W) 0..1: from ear to ear, and below the jaw as far as it is as rough there.

    cover: (H, W) 0..1, what has its colour.
    """
    edge = subject.mesh[list(BEARD), :2]
    away = edge - edge.mean(axis=0)
    rings = edge + 0.05 * away, edge + HANGING * np.maximum(away, np.array([-np.inf, 0])) * np.array([0.3, 1.0])
    near, hanging = (polygon(cover.shape, smoothed(ring.astype(np.float32), True, 2)) for ring in rings)
    light = lightness(subject.rgb)
    fine = (light - cv2.GaussianBlur(light, (0, 0), 0.04 * subject.eye)) ** 2
    rough = np.sqrt(cv2.GaussianBlur(fine, (0, 0), 0.06 * subject.eye))
    own = rough[(near * cover > 0.5) & (subject.skin > 0.8)]
    limit = max(float(np.median(own)), 1e-3) if own.size else np.inf
    return np.maximum(near, hanging * np.clip(3 * rough / limit - 2, 0, 1)).astype(np.float32)  # shade is smoother
