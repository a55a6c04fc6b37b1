"""How good one traced face is: what is measured, and the RULES it is held against.

The limits were set on 452 official portraits with 40 px or more between the eyes, and on two thousand altered copies of
them (masks and sunglasses drawn on, blurred, darkened, brightened). `tools/calibrate_intake.py FOLDER` prints the same
table for any folder of photos.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.colour import LUMINANCE, linear
from core.face.mesh import EYES, FACE_OVAL
from core.types import F32, U8

if TYPE_CHECKING:
    from core.face.landmarks import FaceMesh

MIN_EYES_PX: Final = 40.0
"""Smallest distance between the eyes: the smallest print, 512 px wide, has 94.7 px there (`core.frame`), and own pixels
may be enlarged 2.3 to 2.4 times before a head looks soft beside its garment. 41 px is just enough."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What the RULES judge, all of one face. Light is linear; "own" means against the same face's other skin.

    outside: percent of the face's outline beyond the photo's border. nose_light: light of the nose,
    own. pallor: redness (log R/G) between the brows over that of the reddest of nose and lips.
    eye_light: light of the skin under the eyes or the white in them, whichever is brightest, own.
    lens_light: 75th percentile of the light round an eye, as far as a lens reaches, own, of the lighter eye.
    under_eye_tint: colour distance (log R/G, log B/G) of the skin under the eyes from other skin, of
    the eye more alike. burnt: percent of the face with two channels at 250 or
    more. tones: grey levels between the 1st and 99th percentile. side_light: median light of the
    brighter half over the darker. sharpness: 1 - perceptual blur. luminance: median light, 0..1.
    chroma: median CIELAB chroma of the skin; hue: its hue angle in degrees; hues: how far the face's pixels leave one
    line of colour, as the standard deviation of a* and b* across it; photo_hues: how far a tenth of the whole photo's
    do at the least.
    """

    eye_px: float
    outside: float
    yaw: float
    pitch: float
    nose_light: float
    pallor: float
    eye_light: float
    lens_light: float
    under_eye_tint: float
    burnt: float
    tones: float
    side_light: float
    sharpness: float
    luminance: float
    chroma: float
    hue: float
    hues: float
    photo_hues: float


@dataclass(frozen=True, slots=True)
class Rule:
    """Refuse a face for `reason` when its measure is beyond the limit: below it if `least`, else above it."""

    reason: str
    measure: str
    limit: float
    least: bool

    def broken_by(self, measures: Measures) -> bool:
        value = getattr(measures, self.measure)
        return bool(value < self.limit if self.least else value > self.limit)


RULES: Final = (
    Rule("face_small", "eye_px", MIN_EYES_PX, least=True),
    Rule("face_cut", "outside", 10.0, least=False),
    Rule("turned_away", "yaw", 45.0, least=False),
    # of 360 people five look up or down by more, and no portrait of them passed: a head thrown back fits no torso
    Rule("tilted", "pitch", 28.0, least=False),
    # a mask or a phone over the nose: portraits 0.70 to 5.4, black masks to 0.22; pallor to 0.04, masks from 0.26
    Rule("covered", "nose_light", 0.4, least=True),
    Rule("covered", "pallor", 0.15, least=False),
    # portraits from 0.54, dark glasses to 0.19; tint to 0.43, mirror glasses from 1.13. Tinted spectacles pass.
    Rule("sunglasses", "eye_light", 0.3, least=True),
    Rule("sunglasses", "under_eye_tint", 0.75, least=False),
    # lenses that mirror one bright spot: bare eyes and clear glasses from 0.15 (408 faces), dark ones 0.02 to 1.4
    Rule("sunglasses", "lens_light", 0.14, least=True),
    # exposure by what is lost, never by how dark the skin is: portraits of every third of luminance have 106 to 223
    # tones and at most 0.5 % burnt; two stops over burn 1 to 93 %; three under leave 52 to 82 tones, four 36 to 60
    Rule("too_bright", "burnt", 30.0, least=False),
    Rule("too_dark", "tones", 64.0, least=True),
    Rule("harsh_light", "side_light", 8.0, least=False),
    # portraits 0.30 to 0.46; Gauss-blurred by 2 % of the eyes' distance 0.17 to 0.29, by 3 % 0.12 to 0.21
    Rule("blurred", "sharpness", 0.22, least=True),
)
"""What one photo is refused for, in this order."""


COLOURLESS, ONE_COLOUR = 3.0, 0.9
"""CIELAB chroma of the skin below which, and spread of hues below which, a picture is black and white or tinted: of 213
faces in colour the spread is 0.97 or more, of the same ones in grey at most 0.02, in sepia 0.5 to 1.6 (median 0.8)."""
TINTED, TINTED_PHOTO = 1.9, 5.0
"""Spread of hues of a face and of its photo below both of which it is tinted too: an old print's tint is uneven. Of
2093 photos these two find 13 more, all of them tinted or nearly grey, and no other."""
PHOTO_PX: Final = 128
"""Width and height of the photo in which that is measured."""
SKIN_HUES: Final = (12.0, 98.0)
"""Hue angles of skin in CIELAB, degrees: 213 portraits and synthetic faces lie between 16 and 96. Copies with green
light lie at 119 (median; 95 % beyond the limit), blue at -74."""
CAST_CHROMA: Final = 8.0
"""Least chroma of the skin for its hue to count."""
EYES_PX: Final = 256 * frame.EYE_DISTANCE
"""Distance between the eyes where all is measured, 47 px."""
GLABELLA, FOREHEAD, BRIDGE, NOSE = 9, 151, 197, 4
NOSE_WINGS, LIPS, CHEEKS, UNDER_EYES = (48, 278), (0, 17), (50, 280), (230, 450)
"""Mesh points in the middle of patches of skin."""


def measure(rgb: U8, mesh: FaceMesh) -> Measures:
    """Measure a traced face in a quarter-size canonical frame (256 x 320, 47 px between the eyes).

    One size for all makes sharpness comparable; at 47 px even the smallest face that is let in is not enlarged
    by more than 1.2 times.
    """
    height, width = rgb.shape[:2]
    eyes = frame.eye_centres(mesh.landmarks[:, :2])
    outline = mesh.landmarks[list(FACE_OVAL), :2]
    beyond = (outline < 0).any(axis=1) | (outline[:, 0] >= width) | (outline[:, 1] >= height)
    face, points = framed(rgb, mesh.landmarks, 256)
    skin = np.zeros(face.shape[:2], np.uint8)
    cv2.fillPoly(skin, [points[list(FACE_OVAL)].astype(np.int32)], 1)
    skin = cv2.erode(skin, np.ones((5, 5), np.uint8)).astype(bool)
    if not skin.any():
        skin[:] = True
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    light = _LINEAR[face] @ LUMINANCE
    low, high = np.percentile(grey[skin], (1, 99))
    return Measures(
        eye_px=float(np.linalg.norm(eyes[1] - eyes[0])),
        outside=100 * float(beyond.mean()),
        yaw=abs(mesh.yaw_deg),
        pitch=abs(mesh.pitch_deg),
        **_covering(face, points),
        burnt=100 * float(((face[skin] >= 250).sum(axis=1) >= 2).mean()),
        tones=float(high - low),
        side_light=side_light(face, skin),
        sharpness=_sharpness(grey, skin),
        luminance=float(np.median(light[skin])),
        **_colour(face, skin),
        photo_hues=_photo_hues(rgb),
    )


def side_light(rgb: U8, skin: NDArray[np.bool_]) -> float:
    """Return the median linear light of a face's brighter half over that of its darker one: 1 or more.

    rgb: (H, W, 3) uint8; skin: (H, W), some of it true.
    """
    light, columns = _LINEAR[rgb[skin]] @ LUMINANCE, np.nonzero(skin)[1]
    right_half = columns < np.median(columns)
    halves = [max(float(np.median(light[half])), 1e-4) for half in (right_half, ~right_half) if half.any()]
    return max(halves) / min(halves)


def _colour(face: U8, skin: NDArray[np.bool_]) -> dict[str, float]:
    lab = cv2.cvtColor(face.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[skin]
    a, b = np.median(lab[:, 1:], axis=0)
    return {
        "chroma": float(np.hypot(a, b)),
        "hue": float(np.degrees(np.arctan2(b, a))),
        "hues": float(np.median(_off_line(lab))),
    }


def _photo_hues(rgb: U8) -> float:
    """Return how far nine tenths of a photo's places lie from one line of colour at the most: (H, W, 3) uint8."""
    small = cv2.resize(rgb, (PHOTO_PX, PHOTO_PX), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    return float(np.percentile(_off_line(lab), 90))


def _off_line(lab: F32) -> F32:
    """Return how far a*, b* (N,) lie from the smooth function of lightness that a tinted grey picture has."""
    lightness = (lab[:, 0] - lab[:, 0].mean()) / max(float(lab[:, 0].std()), 1e-3)
    basis = np.stack([np.ones_like(lightness), lightness, lightness**2], axis=1)
    fitted, *_ = np.linalg.lstsq(basis, lab[:, 1:], rcond=None)
    return np.linalg.norm(lab[:, 1:] - basis @ fitted, axis=1).astype(np.float32)


def colour_notes(measures: Measures) -> tuple[str, ...]:
    """Name what is odd about a face's colours: "colourless", "toned" or "colour_cast"; nothing is corrected here."""
    tinted = measures.hues < TINTED and measures.photo_hues < TINTED_PHOTO
    if measures.hues < ONE_COLOUR or tinted:
        return ("colourless",) if measures.chroma < COLOURLESS else ("toned",)
    beyond = not SKIN_HUES[0] <= measures.hue <= SKIN_HUES[1]
    return ("colour_cast",) if beyond and measures.chroma > CAST_CHROMA else ()


def framed(rgb: U8, landmarks: F32, width: int) -> tuple[U8, F32]:
    """Draw a face into a small canonical frame; returns (1.25 width, width, 3) uint8 and the landmarks in it."""
    flat = landmarks[:, :2]
    to_frame = frame.to_frame(frame.eye_centres(flat), width, width * 5 // 4)
    return frame.warp(rgb, to_frame, width, width * 5 // 4), frame.carry(flat, to_frame)


_LINEAR: Final = linear(np.arange(256, dtype=np.uint8))
"""sRGB byte -> linear light 0..1."""


def _covering(face: U8, points: F32) -> dict[str, float]:
    """Compare the skin of nose and eye sockets with the face's other skin, by light and by colour ratios.

    Ratios within one face cancel exposure, white balance and how dark the skin is. A beard never
    reaches the nose; the lens of ordinary glasses shows the skin under the eye; and in deep-set eyes
    in shadow the white of the eye still shines, the more so the darker the skin.
    """
    smooth = cv2.GaussianBlur(_LINEAR[face], (0, 0), 2.5) + 0.002

    def patch(index: int) -> F32:
        x, y = np.clip(points[index], 0, (255, 319)).astype(int)
        return np.asarray(smooth[y, x], np.float32)

    def light(*indices: int) -> F32:
        return np.array([patch(i) @ LUMINANCE for i in indices], np.float32)

    def ratios(*indices: int) -> F32:
        return np.array([(np.log(p[0] / p[1]), np.log(p[2] / p[1])) for p in map(patch, indices)], np.float32)

    def white(lids: tuple[int, ...]) -> float:
        eye = np.zeros(face.shape[:2], np.uint8)
        cv2.fillPoly(eye, [points[list(lids)].astype(np.int32)], 1)
        return float(np.percentile(_LINEAR[face[eye > 0]] @ LUMINANCE, 95)) if eye.any() else 0.0

    def lens(eye: F32) -> float:
        place = np.zeros(face.shape[:2], np.uint8)
        centre = (float(eye[0]), float(eye[1] + 0.05 * EYES_PX))
        cv2.ellipse(place, (centre, (0.6 * EYES_PX, 0.42 * EYES_PX), 0), 1, -1)
        return float(np.percentile(_LINEAR[face[place > 0]] @ LUMINANCE, 75)) if place.any() else 0.0

    skin = (NOSE, *CHEEKS, BRIDGE, FOREHEAD)
    brightest = max(float(light(*UNDER_EYES).max()), *map(white, EYES))
    tint = ratios(*UNDER_EYES) - np.median(ratios(*skin), axis=0)
    return {
        "nose_light": float(light(NOSE)[0] / np.median(light(GLABELLA, *UNDER_EYES))),
        "pallor": float(ratios(GLABELLA)[0, 0] - ratios(NOSE, *NOSE_WINGS, *LIPS)[:, 0].max()),
        "eye_light": brightest / float(np.median(light(NOSE, *CHEEKS))),
        "lens_light": max(map(lens, frame.eye_centres(points))) / float(np.median(light(NOSE, *CHEEKS, FOREHEAD))),
        "under_eye_tint": float(np.linalg.norm(tint, axis=1).min()),
    }


def _sharpness(grey: U8, skin: NDArray[np.bool_]) -> float:
    """Return 1 - perceptual blur: how much of the picture's variation a further blur would take, 0..1.

    Crete, Dolmiere, Ladret, Nicolas 2007, "The blur effect": a sharp picture loses much, a blurred one
    little. The worse direction counts, so that shake along one axis is seen.
    """
    rows, columns = np.nonzero(skin)
    face = grey[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(np.float32) / 255
    kept = []
    for dx, dy, kernel in ((1, 0, (5, 1)), (0, 1, (1, 5))):
        edges = np.abs(cv2.Sobel(face, cv2.CV_32F, dx, dy))
        again = np.abs(cv2.Sobel(cv2.blur(face, kernel), cv2.CV_32F, dx, dy))
        kept.append(1 - float(np.maximum(0, edges - again).sum()) / max(float(edges.sum()), 1e-6))
    return 1 - max(kept)
