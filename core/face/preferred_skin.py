"""Selfie -> Selfie whose face has a hue and a chroma that skin is expected to have in a room's soft light.

Low sun, phones, filters and screens make skin orange, red, yellow or pink within what white light makes of somebody's
skin; before a pale wall, beside a white collar, such a face looks lit by another lamp than the rest. Who looks at
photographs prefers skin nearer to one hue (preferred colour reproduction; Hunt, Pitt & Winter 1974). Lightness stays as
it is: nobody is made lighter or darker. What lies beyond a limit is compressed, so that the order of people stays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.colour import length, linear, normalized_convolution, srgb, to_bytes
from core.face.constancy import EYE_PX, alike, bare_face, has_no_colour, in_frame, in_strips, log_ratios, near
from core.face.landmarks import fill
from core.face.mesh import FACE_OVAL
from core.types import F32, U8, Selfie

WHOLE: Final = (19.0, 0.2)
"""CIELAB chroma of a face from which on the whole photo is less saturated, and part of what is beyond that it keeps. A
reader of blind pairs (`founder`) preferred 20 and 0.4 to the photo's own chroma in 25 of 26, 12 clearly, none the
other; of 16 with a chroma over 24 another preferred 19 and 0.2 to that in 13; from 14 on it was 13 to 11, for faces
below 24 became grey. 135 official portraits have 23 in the median, one in four less than 20, one in four over 29."""
PLACE: Final = (22.0, 0.3)
"""The same of a place of the face after that, for ears, cheeks and foreheads burn. 20 and 0.4
were preferred 8 to 2 of 20, 10 equal; these leave an even face to WHOLE."""
HUE: Final = 47.0
"""CIELAB hue angle of skin, degrees: 46 in the median of 135 official portraits, 48 of 68 synthetic faces."""
WHOLE_HUE: Final = (5.0, 0.4, 12.0)
"""Degrees beside HUE that a face's hue may lie, part of what is beyond that it keeps, and most that is turned. Of 23
blind pairs of faces 7 degrees and more from HUE a reader preferred this in 14, 6 clearly, the own in 4, 1 clearly."""
PLACE_HUE: Final = (5.0, 0.3, 20.0)
"""The same of a place beside its face's hue, for red and purple blotches: of the 18 of 170 people with most of them it
was preferred on 8, 2 clearly, the own on 2, 1 clearly, 8 equal."""
SMOOTH: Final = 0.06
"""Sigma over which a place's colour is averaged, in eye distances: freckles stay as they are."""
SKIN_COLOURED: Final = 0.5
"""Distance in log ratios from a face's middle at which a place is still six tenths skin: an ear that the sun shines
through is at 0.4, orange hair at 0.9."""
LEAST: Final = 0.02
"""Change, of chroma, below which a photo is left as it is: dE 0.5 of a chroma of 25."""


def with_preferred_skin(selfie: Selfie) -> Selfie:
    """Bring the hue and chroma of a face in white light nearer to skin's; the same object where they are near.

    The embedding stays that of the photo as it came, so that likeness counts what this costs.
    """
    if has_no_colour(selfie):
        return selfie
    face, points, to_frame = in_frame(selfie)
    light, bare = linear(face), bare_face(points)
    if not bare.any():
        return selfie
    chroma, hue = _polar(_lab(np.median(light[bare], axis=0)[None, None]))
    smooth, like, beside = _skin_around(light, points, bare)
    chroma_there, hue_there = _polar(_lab(smooth))
    kept = _kept(chroma, WHOLE)
    kept = kept * (1 - like * beside * (1 - _kept(kept * chroma_there, PLACE)))
    turn = like * (_turn(hue - HUE, WHOLE_HUE) + beside * _turn(hue_there - hue, PLACE_HUE))  # blue jackets stay blue
    change = np.dstack([kept * np.cos(turn), kept * np.sin(turn)]).astype(np.float32)
    if length(change - np.array([1, 0], np.float32)).max() < LEAST:
        return selfie
    return replace(selfie, rgb=in_strips(selfie.rgb, change, to_frame, _changed))


def _changed(rgb: U8, change: F32) -> U8:
    """Turn and scale a* and b* of pixels (H, W, 3) by (H, W, 2), cosine and sine times a scale.

    In CIELAB, for what is mixed with grey in linear light turns from orange to mauve by 3 degrees.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    red, yellow, cosine, sine = lab[..., 1].copy(), lab[..., 2].copy(), change[..., 0], change[..., 1]
    lab[..., 1] = cosine * red - sine * yellow
    lab[..., 2] = sine * red + cosine * yellow
    return to_bytes(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


def _skin_around(light: F32, points: F32, bare: NDArray[np.bool_]) -> tuple[F32, F32, F32]:
    """Return light averaged over SMOOTH (320, 256, 3), how skin-coloured it is and how near the face (320, 256) 0..1.

    light: (320, 256, 3) linear; points: landmarks in its pixels; bare: the bare face.
    """
    skin = bare | ~fill(light.shape[:2], points, FACE_OVAL, 0.92)  # lips and eyes are changed as skin around them is
    smooth = normalized_convolution(light, skin.astype(np.float32), SMOOTH * EYE_PX)
    ratios = log_ratios(smooth)
    like = alike(ratios - np.median(ratios[bare], axis=0), SKIN_COLOURED)
    return smooth, like, near(fill(light.shape[:2], points, FACE_OVAL))


def _kept(chroma: F32, limit: tuple[float, float]) -> F32:
    """Return the part of a chroma (...) that a limit leaves: 1 below it."""
    first, slope = limit
    beyond = np.maximum(chroma, first)
    return (first + slope * (beyond - first)) / beyond


def _turn(away: F32, limit: tuple[float, float, float]) -> F32:
    """Return the angle in radians that brings hues (...) so many degrees away nearer, as a limit says."""
    free, part, most = limit
    away = (away + 180) % 360 - 180
    beyond = np.sign(away) * np.maximum(np.abs(away) - free, 0)
    return np.radians(np.clip((part - 1) * beyond, -most, most))


def _polar(lab: F32) -> tuple[F32, F32]:
    """Return the chroma and the hue angle in degrees of CIELAB (H, W, 3): (H, W) both."""
    return length(lab[..., 1:]), np.degrees(np.arctan2(lab[..., 2], lab[..., 1]))


def _lab(light: F32) -> F32:
    """Return the CIELAB of linear light (H, W, 3)."""
    return cv2.cvtColor(srgb(np.clip(light, 0, 1).astype(np.float32)), cv2.COLOR_RGB2LAB)
