"""Selfie -> Selfie in white light: the colour that lamps, leaves or walls threw on the face is taken out.

Von Kries gains in linear light, from the skin's own chromaticity: log R/G and log B/G. Skin of every lightness lies in
one narrow region there (Storring 2004, "Computer vision and human skin colour": the skin locus); a face that lies
beyond it is lit in colour. It is moved to the region's border and no further, so that nobody's own complexion
is made an average one, and its luminance stays: nobody is made lighter.

Mixed light is taken out place by place, as a smooth field; what gains alone cannot mend is desaturated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.colour import LUMINANCE, dot, length, linear, normalized_convolution, srgb, to_bytes
from core.face.landmarks import fill
from core.face.mesh import BROWS, EYES, FACE_OVAL, LIPS, NOSE, NOSTRILS
from core.types import F32, U8, FaceMap, Selfie

CENTRE: Final = np.array([0.66, -0.38], np.float32)
"""Log R/G and log B/G of skin in white light, linear: the mean of 446 official portraits is 0.65, -0.31, and that of
1,470 synthetic faces 0.67, -0.45."""
AXES: Final = np.array([[-0.65, 0.76], [0.76, 0.65]], np.float32)
"""From pale or dark to ruddy, along which people differ; and from magenta to green, along which light does."""
REACH: Final = np.array([0.5, 0.2], np.float32)
"""How far skin lies from CENTRE along AXES: two standard deviations, 0.25 and 0.085 in the portraits, a little wider in
the other set."""
PALEST: Final = 0.2
"""Part of CENTRE's chroma down to which a face is pale and not lit in colour: make-up, faded prints."""
FADED: Final = (45.0, 5.5)
"""CIELAB lightness of a face above which it has no colour, and chroma below which: of 230 people five, all of them grey
by a filter; the next has 6.8. Dark skin has less by nature."""
LOCAL: Final = 0.75
"""Part of REACH that one face's skin may differ by from place to place: cheeks and nose are redder than a forehead."""
SUREST: Final = 0.3
"""Part of REACH within which the skin of a face in surely coloured light is brought."""
SKIN_COLOURED: Final = 0.3
"""Distance in log ratios from a face's middle at which a place is still six tenths skin-coloured: REACH's mean."""
BURNT: Final = 250 / 255
"""sRGB value from which a channel may be clipped and says nothing of colour."""
MOST_GAIN: Final = 1.0
"""Most that a channel is raised or lowered by against green, natural logarithm: beyond it noise shows."""
MOST_FADED: Final = 0.8
"""Most saturation that is taken from light too strong for gains."""
LEAST: Final = 0.1
"""Change in the logarithm below which a photo is left as it is: about dE 2."""
STRAND: Final = 0.06
"""Width of strands of hair, in eye distances."""
FAR, UNEVEN = 1.5, 0.12
"""In REACH, how far off the face's colour a fringe is at least, and the contrast of its strands, natural logarithm."""
SIZE: Final = (256, 320)
"""The canonical frame in which light is looked at."""
EYE_PX: Final = SIZE[0] * frame.EYE_DISTANCE
NEAR: Final = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(0.5 * EYE_PX) + 1,) * 2)
"""Within 0.5 eye distances of skin that was measured its own light is taken out, beyond it the whole face's."""
STRIP: Final = 256
"""Rows of a photo that are corrected at a time: 12 megapixels would need half a gigabyte at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """What is done to each place of the frame at SIZE (H, W) = (320, 256), smooth.

    gains: (H, W, 3) float32 factors of linear light. faded: (H, W) float32 0..1, saturation taken.
    """

    gains: F32
    faded: F32


HARD_LIGHT: Final = "hard_light"
"""Noted of a photo whose light is hard or coloured (`core.face.light`): what no room of a studio explains."""


def has_no_colour(selfie: Selfie) -> bool:
    """Say whether a photo is black and white or tinted in one colour, as intake noted."""
    return bool({"colourless", "toned"} & set(selfie.notes))


def is_colourless(face: FaceMap) -> bool:
    """Say whether a photo has no colour, or a filter took nearly all of it out of the face.

    Grey over a coloured garment a face looks dead: it is printed in black and white, and is the last choice among
    photos in colour.
    """
    lightness, red, yellow = face.skin_lab
    return has_no_colour(face.selfie) or (lightness > FADED[0] and float(np.hypot(red, yellow)) < FADED[1])


def prints_grey(face: FaceMap) -> bool:
    """Say whether portraits from a photo are in black and white, and whether it serves after others that are not.

    Beside what has no colour that is hard or coloured light: in colour it is of another place than the room, in black
    and white it is a portrait's own.
    """
    return is_colourless(face) or HARD_LIGHT in face.selfie.notes


def in_white_light(selfie: Selfie) -> Selfie:
    """Take coloured light out of a photo; the same object where there is none, or no colour at all.

    The embedding stays that of the photo as it came, so that likeness counts what this costs.
    """
    if has_no_colour(selfie):
        return selfie
    face, points, to_frame = in_frame(selfie)
    found = correction_of(face.astype(np.float32) / 255, points)
    if found is None:
        return selfie
    fields = np.dstack([found.gains, found.faded])
    return replace(selfie, rgb=in_strips(selfie.rgb, fields, to_frame, corrected))


def in_frame(selfie: Selfie) -> tuple[U8, F32, F32]:
    """Return a photo's face (320, 256, 3) in the frame at SIZE, its mesh (478, 2) there, and what led there (2, 3)."""
    to_frame = frame.to_frame(frame.eye_centres(selfie.face.landmarks[:, :2]), *SIZE)
    points = frame.carry(selfie.face.landmarks[:, :2], to_frame)
    return frame.warp(selfie.rgb, to_frame, *SIZE), points, to_frame


def correction_of(face: F32, points: F32) -> Correction | None:
    """Measure the light on a face: (320, 256, 3) float32 sRGB 0..1, landmarks in its pixels; None where it is white."""
    bare = bare_face(points)
    unclipped = bare & (face.max(axis=-1) < BURNT)
    skin = unclipped if unclipped.sum() > bare.sum() / 4 else bare
    if skin.sum() < EYE_PX**2 / 4:
        return None
    light = linear(face) + np.float32(2e-3)
    luminance = light @ LUMINANCE
    skin &= ~_strands(light, points, skin)
    weight = luminance * skin  # shadows say little and noisily what colour they are
    local = normalized_convolution(light, weight, 0.35 * EYE_PX)
    seen = log_ratios(local)
    bright = skin & (luminance >= np.percentile(luminance[skin], 25))
    middle = np.median(log_ratios(light[bright]), axis=0)
    wanted = _natural(_whitened(middle) + _evened(seen - middle))
    whole = _whitened(middle) - middle
    whole = whole * _share_of(light, points, middle, whole)
    change = (
        whole + (wanted - seen - whole) * near(skin)[..., None]
    )  # hair is lit as the whole face is: dyed hair is no lamp
    wanted = seen + change
    change = np.clip(change, -MOST_GAIN, MOST_GAIN)
    if np.percentile(length(change[skin]), 90) < LEAST:
        return None
    gains = np.exp(np.stack([change[..., 0], np.zeros_like(change[..., 0]), change[..., 1]], axis=-1))
    gains *= ((local @ LUMINANCE) / np.maximum((local * gains) @ LUMINANCE, 1e-4))[..., None]
    before, after = (np.cbrt(np.minimum(of, 1) @ LUMINANCE)[bare].mean() for of in (light, light * gains))
    gains *= (before / after) ** 3  # lightness goes by the cube root, and the places' mean is not its mean
    left = length(seen + change)
    faded = 1 - length(wanted) / np.maximum(left, 1e-3)
    return Correction(gains.astype(np.float32), np.clip(faded, 0, MOST_FADED).astype(np.float32))


def _share_of(light: F32, points: F32, middle: F32, change: F32) -> F32:
    """Return how much of a face's change (2,) every place is given: (320, 256, 1) float32 0..1.

    As much as makes what surrounds the face neutral too, for a lamp's colour lies on hair and walls as well (grey
    world, Buchsbaum 1980). Where they are neutral, it is the skin that is red, or was made so, and grey hair would turn
    blue: there only what has the skin's colour (`middle`), as a neck has, is changed with it.
    """
    around = ~fill(light.shape[:2], points, FACE_OVAL, 1.1)
    around &= light.max(axis=-1) < linear(np.array([BURNT], np.float32))[0]
    squared = float(change @ change)
    if around.sum() < EYE_PX**2 or squared == 0:
        return np.ones((*light.shape[:2], 1), np.float32)
    seen = log_ratios(light[around].mean(axis=0))
    share = np.clip(-(seen @ change) / squared, 0, 1)
    like = alike(log_ratios(cv2.GaussianBlur(light, (0, 0), 0.1 * EYE_PX)) - middle, SKIN_COLOURED)[..., None]
    return np.asarray(share + (1 - share) * like, np.float32)


def alike(away: F32, reach: float) -> F32:
    """Return how alike a colour is to one that it lies `away` from in log ratios (..., 2): (...), 0.6 at `reach`."""
    return np.exp(-0.5 * dot(away, away) / np.float32(reach**2))


def near(mask: NDArray[np.bool_]) -> F32:
    """Return how near each place of the frame at SIZE (320, 256) is to a mask: 1 within half an eye distance, to 0."""
    return cv2.GaussianBlur(cv2.dilate(mask.astype(np.float32), NEAR), (0, 0), 0.15 * EYE_PX)


def beyond_white_light(light: F32) -> float:
    """Return how far the middle of skin's linear light (N, 3) lies beyond what white light makes of any skin."""
    middle = np.median(log_ratios(light + np.float32(2e-3)), axis=0)
    return float(np.linalg.norm(middle - _natural(middle)))


def bare_face(points: F32) -> NDArray[np.bool_]:
    """Return the face without eyes, brows, lips and nostrils, as bool (320, 256); points: in pixels of SIZE."""
    shape = (SIZE[1], SIZE[0])
    inside = fill(shape, points, FACE_OVAL, 0.92)
    for ring, grow in [(EYES[0], 1.8), (EYES[1], 1.8), (LIPS, 1.3), (BROWS[0], 1.3), (BROWS[1], 1.3), (NOSTRILS, 1.0)]:
        inside &= ~fill(shape, points, ring, grow)
    return inside


def _strands(light: F32, points: F32, skin: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where a fringe hangs over the forehead: uneven, and of another colour than the cheek below it.

    A second lamp would light that cheek too.
    """
    ratios, luminance = log_ratios(light), np.log(light @ LUMINANCE)
    above = np.arange(len(light))[:, None] < points[list(BROWS[0] + BROWS[1]), 1].mean()
    cheeks = normalized_convolution(light, (skin & ~above).astype(np.float32), 0.35 * EYE_PX)
    below = log_ratios(cheeks[round(float(points[NOSE, 1]))])
    away = length((ratios - below) @ AXES.T / REACH)
    smooth = cv2.GaussianBlur(luminance, (0, 0), STRAND * EYE_PX)
    uneven = np.sqrt(cv2.GaussianBlur((luminance - smooth) ** 2, (0, 0), STRAND * EYE_PX))
    found = (skin & above & (away > FAR) & (uneven > UNEVEN)).astype(np.uint8)
    return cv2.morphologyEx(found, cv2.MORPH_CLOSE, NEAR) > 0


def log_ratios(light: F32) -> F32:
    """Return log R/G and log B/G of linear light (..., 3): (..., 2) float32."""
    logs = np.log(np.maximum(light, 1e-4))
    return np.stack([logs[..., 0] - logs[..., 1], logs[..., 2] - logs[..., 1]], axis=-1).astype(np.float32)


def _within(away: F32, reach: F32) -> F32:
    """Shorten vectors (..., 2) that leave the ellipse of AXES and `reach` to its border."""
    far = length(away @ AXES.T / reach)[..., None]
    return (away / np.maximum(far, 1)).astype(np.float32)


def _evened(away: F32) -> F32:
    """Shorten what places of one face (..., 2) differ by from its middle, all the more the further beyond LOCAL."""
    far = length(away @ AXES.T / (LOCAL * REACH))[..., None]
    return (_within(away, LOCAL * REACH) * np.clip(2 - far, SUREST, 1)).astype(np.float32)


def _natural(ratios: F32) -> F32:
    """Return the nearest chromaticities (..., 2) that skin has in white light.

    Their region is an ellipse, swept and shrunk towards grey, for a pale face is not lit in colour.
    """
    best, nearest = ratios, np.full((*ratios.shape[:-1], 1), np.inf, np.float32)
    for chroma in np.linspace(PALEST, 1, 17, dtype=np.float32):
        here = chroma * CENTRE
        found = here + _within(ratios - here, REACH * np.float32(0.5 + 0.5 * chroma) * chroma)
        away = length(ratios - found)[..., None]
        best, nearest = np.where(away < nearest, found, best), np.minimum(away, nearest)
    return best.astype(np.float32)


def _whitened(ratios: F32) -> F32:
    """Return the chromaticity (2,) that a face's skin is to have: its own within the region.

    Beyond the border it goes inside, towards the line from pale to CENTRE and to CENTRE itself, the further the surer
    it is that the light is coloured and not the skin.
    """
    border = _natural(ratios)
    along = float(np.clip(border @ CENTRE / (CENTRE @ CENTRE), PALEST, 1))
    beyond = float(np.linalg.norm(ratios - border)) / float(np.linalg.norm(REACH))
    inner = CENTRE * np.float32(along + (1 - along) * 0.5 * min(beyond, 1.0))
    return inner + (border - inner) * np.float32(np.clip(1 - 2 * beyond, SUREST, 1))


def in_strips(photo: U8, fields: F32, to_frame: F32, work: Callable[[U8, F32], U8]) -> U8:
    """Change a photo's pixels strip by strip by fields of the frame at SIZE (320, 256, C), whose border goes on beyond.

    to_frame: (2, 3) from the photo to SIZE. work: makes (rows, W, 3) uint8 of as much and (rows, W, C) float32.
    """
    height, width = photo.shape[:2]
    whole = np.empty_like(photo)
    for top in range(0, height, STRIP):
        rows = min(STRIP, height - top)
        move = to_frame.copy()
        move[:, 2] += to_frame[:, 1] * top
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        here = cv2.warpAffine(fields, move, (width, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        whole[top : top + rows] = work(photo[top : top + rows], here)
    return whole


def corrected(rgb: U8, fields: F32) -> U8:
    """Apply a correction's gains and what is faded (H, W, 4) float32 to pixels (H, W, 3) uint8."""
    light = linear(rgb) * fields[..., :3]
    grey = (light @ LUMINANCE)[..., None]
    return to_bytes(srgb(light + (grey - light) * fields[..., 3:]))
