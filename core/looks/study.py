"""Subject -> studied subject: beard, glasses, cropped hair, hard light and skin without a colour, before it is drawn.

Second versions of the looks draw a studied subject; the first ones drew what the picture showed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from core import frame
from core.colour import linear, normalized_convolution, to_bytes
from core.face import worn
from core.face.mesh import EYES, FACE_OVAL, LIPS
from core.looks.beard import beard_of
from core.looks.glasses import glasses_of
from core.looks.lines import polygon
from core.looks.subject import Study, Subject
from core.looks.tones import above
from core.types import F32, U8

LOCK: Final = 0.035
"""Eye distances by which hair's outline is rounded: single curls are photograph, locks are drawn."""
CRUMB: Final = 0.04
"""Squared eye distances below which an island or a hole of an outline is a fault of the cut-out, and left out."""
PATCH: Final = 0.15
"""The same of hair: less of it apart from the rest is a shaded ear or temple."""
CAP: Final = 1.2
"""Squared eye distances that hair covers at least; less is stubble or a seam on a shaven head, and drawn as skin. Of 17
people two shaven ones have 0.1 and 0.8, the closest cropped of the others 1.9."""
GREY: Final = (8.0, 18.0)
"""Median CIELAB chroma of a face: up to the first a photo is colourless, from the second on skin has its own. Of 17
people in composed portraits one in black and white has 5, one in sepia 14, the others 12 (in the dark) to 29."""
SKIN_AT: Final = (0.0, 25.0, 45.0, 65.0, 80.0, 100.0)
SKIN_A: Final = (0.0, 10.0, 15.0, 16.0, 12.0, 0.0)
SKIN_B: Final = (0.0, 12.0, 19.0, 20.0, 15.0, 2.0)
"""CIELAB a* and b* of skin by its lightness: between those of the colour photos' faces."""
HALF_SHADE: Final = 15.0
"""CIELAB lightness by which broad shade may be darker than lit skin; what is deeper is kept by DEEPER."""
DEEPER: Final = 0.25
MOST, DARKEST = 3.0, 8.0
"""How many times its own lightness shade is lifted to at most, and the lightness that it is taken to have at least."""
LEAST_LIT: Final = 46.0
"""CIELAB lightness that lit skin is drawn at, at the least: the darkest of the 17 in good light has 48."""


Draw = Callable[[Subject, float, np.random.Generator], U8]


def upon_study(draw: Draw) -> Draw:
    """Return a look's drawing of the subject as it was studied."""

    def drawing(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
        return draw(studied(subject), strength, rng)

    return drawing


def studied(subject: Subject) -> Subject:
    """Return the subject as it is to be drawn: cropped hair as skin, skin coloured and lit, beard and glasses known."""
    subject = _uncapped(_whole(subject))
    there = frame.to_frame(frame.eye_centres(subject.mesh), *worn.SIZE)
    picture = cv2.warpAffine(to_bytes(subject.rgb), there, worn.SIZE, flags=cv2.INTER_AREA)
    person = cv2.warpAffine(subject.figure, there, worn.SIZE)
    points = (subject.mesh[:, :2] @ there[:, :2].T + there[:, 2]).astype(np.float32)
    light = linear(picture)
    dark, fine, tint = worn.logarithms(light)
    measured = {**worn.lines_of(light, points), **worn.skin_cover(person, dark, fine, tint[..., 0], points)}
    lip, chin = (worn.odds_of(measured, rule) for rule in (worn.UPPER_LIP_HAIR, worn.CHIN_HAIR))
    beard = beard_of(subject, lip, chin)
    back = cv2.invertAffineTransform(there)
    frames = glasses_of(light, points, back.astype(np.float32), worn.odds_of(measured, worn.GLASSES))
    return replace(_lit(_coloured(subject), beard), study=Study(beard, frames))


def _whole(subject: Subject) -> Subject:
    """Round off the outlines of figure and hair: crumbs and small holes of the cut-out go, curls become locks.

    Hair gains and loses up to LOCK; what it gains has the hair's own colour.
    """
    eye = subject.eye
    free = np.clip(4 * cv2.GaussianBlur(subject.hair, (0, 0), LOCK * eye) - 1, 0, 1)  # where hair is the outline
    solid = _without_crumbs(subject.figure, CRUMB * eye**2)
    figure = solid + (_rounded(subject.figure, LOCK * eye) - solid) * free
    rounded = _without_crumbs(_rounded(subject.hair, LOCK * eye), PATCH * eye**2)
    gain = np.clip(rounded - subject.hair, 0, 1) * np.clip(figure, 0, 1)
    near = cv2.GaussianBlur(np.dstack([subject.skin, subject.cloth]), (0, 0), 2 * LOCK * eye)
    beside = near.sum(axis=-1)
    loss = np.clip(subject.hair - rounded, 0, 1) * np.clip(3 * beside, 0, 1)  # the outline's own stays hair
    share = near / np.maximum(beside, 1e-3)[..., None] * loss[..., None]
    skin, cloth, hat = (part * (1 - gain) for part in (subject.skin, subject.cloth, subject.hat))
    skin, cloth = skin + share[..., 0], cloth + share[..., 1]
    skin = skin * (1 - free * (1 - _body(skin, 2 * LOCK * eye)))
    hair = np.clip(figure - skin - cloth - hat, 0, 1)
    over = np.minimum(figure / np.maximum(skin + cloth + hat + hair, 1e-3), 1)
    skin, cloth, hat, hair = (part * over for part in (skin, cloth, hat, hair))
    new = np.clip(hair - subject.hair, 0, 1) + np.clip(figure - subject.figure, 0, 1)
    own = normalized_convolution(subject.rgb, subject.hair**2 + np.float32(1e-5), 0.08 * eye)
    rest = normalized_convolution(subject.rgb, subject.figure**2 + np.float32(1e-5), 0.05 * eye)
    filled = own + (rest - own) * (hair < 0.5)[..., None]
    rgb = subject.rgb + (filled - subject.rgb) * np.clip(new, 0, 1)[..., None]
    return replace(subject, rgb=rgb, figure=figure, hair=hair, hat=hat, cloth=cloth, skin=skin)


def _body(matte: F32, sigma: float) -> F32:
    """Return where a matte (H, W) is more than a fringe narrower than twice sigma pixels: (H, W) 0..1."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(sigma) + 1,) * 2)
    opened = cv2.morphologyEx((matte > 0.5).astype(np.uint8), cv2.MORPH_OPEN, disc)
    return cv2.GaussianBlur(cv2.dilate(opened, np.ones((5, 5))).astype(np.float32), (0, 0), 1.0)


def _rounded(matte: F32, sigma: float) -> F32:
    """Return a matte (H, W) whose outline has no bend tighter than sigma pixels."""
    return above(cv2.GaussianBlur(matte, (0, 0), sigma), 0.5)


def _without_crumbs(matte: F32, least: float) -> F32:
    """Return a matte (H, W) without islands and holes of less than `least` pixels."""
    for inside, value in ((matte > 0.5, 0.0), (matte <= 0.5, 1.0)):
        _, labels, seen, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
        small = np.flatnonzero(seen[1:, cv2.CC_STAT_AREA] < least) + 1
        if small.size:
            crumbs = cv2.dilate(np.isin(labels, small).astype(np.float32), np.ones((5, 5)))
            matte = matte + (np.float32(value) - matte) * cv2.GaussianBlur(crumbs, (0, 0), 1.0)
    return matte


def _uncapped(subject: Subject) -> Subject:
    """Give hair to the skin where there is too little of it, no hat over it, and it is not cut by the picture."""
    top = subject.hair[: max(round(0.1 * subject.eye), 1)]
    covered = float((subject.hair + subject.hat).sum())
    if covered > CAP * subject.eye**2 or top.max() > 0.5:
        return subject
    return replace(subject, skin=np.clip(subject.skin + subject.hair, 0, 1), hair=np.zeros_like(subject.hair))


def _face(subject: Subject) -> F32:
    return polygon(subject.figure.shape, subject.mesh[list(FACE_OVAL), :2]) * (subject.skin > 0.9)


def _coloured(subject: Subject) -> Subject:
    """Give skin, lips and hair colours where the photo has none."""
    lab = cv2.cvtColor(subject.rgb, cv2.COLOR_RGB2LAB)
    face = _face(subject) > 0.5
    chroma = float(np.median(np.hypot(lab[..., 1], lab[..., 2])[face])) if face.any() else GREY[1]
    amount = np.float32(np.clip((GREY[1] - chroma) / (GREY[1] - GREY[0]), 0, 1))
    if amount == 0:
        return subject
    light = lab[..., 0]
    tint = np.dstack([np.interp(light, SKIN_AT, column) for column in (SKIN_A, SKIN_B)]).astype(np.float32)
    lips = cv2.GaussianBlur(polygon(light.shape, subject.mesh[list(LIPS), :2]), (0, 0), 0.02 * subject.eye)
    tint[..., 0] += 10 * lips
    tint[..., 1] += lips
    eyes = np.maximum(*(polygon(light.shape, subject.mesh[list(ring), :2]) for ring in EYES))
    cover = (subject.skin + 0.35 * subject.hair) * (1 - eyes)  # hair takes a third: brown, not red
    lab[..., 1:] += (tint - lab[..., 1:]) * (amount * np.clip(cover, 0, 1))[..., None]
    return replace(subject, rgb=np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1))


def _lit(subject: Subject, beard: F32) -> Subject:
    """Lift broad shade on skin to a half shade, and a face in the dark to LEAST_LIT."""
    lab = cv2.cvtColor(subject.rgb, cv2.COLOR_RGB2LAB)
    light = lab[..., 0]
    seen = _face(subject) * (1 - beard)
    if float(seen.sum()) < 50:
        return subject
    lit = float(np.percentile(light[seen > 0.5], 70))
    known = ((subject.skin > 0.8) * (1 - beard)).astype(np.float32) + np.float32(1e-4)
    broad = normalized_convolution(np.dstack([light] * 3), known, 0.16 * subject.eye)[..., 0]
    depth = np.maximum(lit - broad, 0)
    lifted = np.where(depth > HALF_SHADE, (1 - DEEPER) * (depth - HALF_SHADE), 0) + max(LEAST_LIT - lit, 0)
    gain = np.clip(1 + lifted / np.maximum(broad, DARKEST), 1, MOST) - 1  # a factor: features keep their contrast
    brighter = 1 + (gain * subject.skin * (1 - 0.6 * beard)).astype(np.float32)
    lab[..., 0] = np.maximum(np.minimum(light * brighter, max(lit, LEAST_LIT) + 4), light)
    lab[..., 1:] *= np.sqrt(brighter)[..., None]
    return replace(subject, rgb=np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1))
