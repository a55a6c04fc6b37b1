"""Whether a portrait is whole as a picture: the face's shape and sharpness, burnt skin, halo, the neck's colour."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.colour import LUMINANCE, linear, srgb
from core.face.landmarks import Landmarker, face_skin, fill
from core.face.mesh import BLENDSHAPES, CHIN, FACE_OVAL
from core.types import F32, U8, FaceMap, Portrait

SHAPE_LIMIT: Final = 0.03
"""Landmarks off the source's own shape, in eye distances (root mean square): 16 of our portraits of four photos 0.009
to 0.017, the same faces stretched by 15 % 0.038 to 0.059."""
CLIPPED_LIMIT: Final = 0.06
"""Part of the face's skin that may be burnt out or drowned."""
SEAM_LIMIT: Final = 20.0
"""CIELAB distance between neck and face skin, brought to one lightness, beyond which a neck reads as another's. Own
necks measured 1 to 15 on our trial photos (15: an old sitter's ruddy neck, untouched)."""
HALO_LIMIT: Final = 0.09
"""Bright or dark ring just outside the head against the backdrop further out, in sRGB 0..1."""
CUT_LIMIT: Final = 0.6
"""Eye distances that the head's upper edge may run straight inside the frame: a photo's border has sliced it. A crown
of usual size runs level within two pixels for a third of one."""
GAP_LIMIT: Final = 0.04
"""Squared eye distances of backdrop that may show enclosed between jaw, neck and collar."""
UNDER_JAW: Final = 0.8
"""Eye distances to each side of the chin within which such a gap is looked for; further out hair and shoulders leave
some, as they do on people. Of 19 portraits looked at with 1.5 in its place, two with a bob were called gaping."""
BURNT, DROWNED = 0.985, 0.015
"""Luma above and below which skin shows nothing any more, in sRGB 0..1."""
EDGE_PX: Final = 2
BLINK_LIMIT: Final = 0.35
"""mediapipe's eyeBlink above the source's own, of the eye that is more open."""
SOFT_LIMIT: Final = 0.45
"""Sharpness of the portrait's face against its own source at the same size."""


def measure(portrait: Portrait, source: FaceMap, landmarker: Landmarker) -> dict[str, float]:
    """Measure the picture as a picture; a face the landmarker cannot read counts as fully misshapen.

    Returns by name: shape, sharpness, clipped, blink, halo, neck, cut, gap, each in the unit its limit above has.
    """
    rgb, layers = portrait.rgb, portrait.layers
    width = rgb.shape[1]
    traced = landmarker.detect(rgb)
    if traced is None:
        unread = {"shape": 1.0, "sharpness": 0.0, "clipped": 1.0, "blink": 0.0, "halo": 0.0, "neck": 0.0}
        return {**unread, "cut": 0.0, "gap": 0.0}
    blink = [BLENDSHAPES.index("eyeBlinkLeft"), BLENDSHAPES.index("eyeBlinkRight")]
    skin = face_skin(rgb, traced.landmarks)
    interocular_px = float(np.linalg.norm(np.diff(frame.eye_centres(traced.landmarks[:, :2]), axis=0)))
    luma = (rgb.astype(np.float32) / 255) @ LUMINANCE
    return {
        "shape": _shape_error(traced.landmarks, source.landmarks),
        "sharpness": _sharpness_kept(rgb, traced.landmarks, source),
        "clipped": float(np.mean((luma[skin] > BURNT) | (luma[skin] < DROWNED))),
        "blink": float(traced.blendshapes[blink].min() - source.selfie.face.blendshapes[blink].min()),
        "halo": _halo(luma, layers.head, layers.garment[..., 3], width),
        "neck": _neck_distance(rgb, layers.neck, layers.head, layers.garment[..., 3], skin),
        "cut": straight_top(layers.head) / interocular_px if _ends_in_frame(source) else 0.0,
        "gap": enclosed_backdrop(
            layers.head, layers.neck, layers.garment[..., 3], traced.landmarks[CHIN, :2], interocular_px
        )
        / interocular_px**2,
    }


def reasons_of(measures: dict[str, float]) -> list[str]:
    """Return the machine words of all limits that measures are beyond."""
    found = []
    if measures["shape"] > SHAPE_LIMIT:
        found.append("misshapen")
    if measures["blink"] > BLINK_LIMIT:
        found.append("eyes_closed")
    if measures["sharpness"] < SOFT_LIMIT:
        found.append("soft")
    if measures["clipped"] > CLIPPED_LIMIT:
        found.append("burnt")
    if measures["halo"] > HALO_LIMIT:
        found.append("halo")
    if measures["neck"] > SEAM_LIMIT:
        found.append("neck_seam")
    if measures["cut"] > CUT_LIMIT:
        found.append("head_cut")
    if measures["gap"] > GAP_LIMIT:
        found.append("gap")
    return found


def straight_top(head: U8) -> int:
    """Return for how many columns in a row a head's upper edge is level within two pixels, inside the frame.

    head: (H, W) uint8 matte. What touches the frame's own border is no cut of a photo's.
    """
    solid = head > 127
    top = np.argmax(solid, axis=0)
    longest = start = 0
    for column in range(len(top)):
        if not solid[:, column].any() or top[column] <= EDGE_PX:
            start = column + 1
            continue
        while np.ptp(top[start : column + 1]) > EDGE_PX:
            start += 1
        longest = max(longest, column + 1 - start)
    return longest


def _ends_in_frame(source: FaceMap) -> bool:
    """Say whether the photo's upper border lies inside the frame: a flat hat in a photo that goes on is no cut."""
    corners = np.array([[0, 0], [source.selfie.rgb.shape[1], 0]], np.float32)
    return float(frame.carry(corners, source.transform)[:, 1].max()) > EDGE_PX


def enclosed_backdrop(head: U8, neck: U8, garment: U8, chin: F32, interocular_px: float) -> int:
    """Return how many pixels of backdrop lie enclosed under the jaw: figure above them, below them and at both sides.

    head, neck, garment: (H, W) uint8 mattes; chin: its (2,) x and y. Looked at within one eye distance above
    and below it and UNDER_JAW to each side.
    """
    figure = np.maximum(np.maximum(head, neck), garment) > 127
    x, y = chin
    side = UNDER_JAW * interocular_px
    rows = slice(max(0, int(y - interocular_px)), max(0, int(y + interocular_px)))
    columns = slice(max(0, int(x - side)), max(0, int(x + side)))
    band = figure[rows]
    above = np.logical_or.accumulate(band, axis=0)
    below = np.logical_or.accumulate(band[::-1], axis=0)[::-1]
    left = np.logical_or.accumulate(band, axis=1)
    right = np.logical_or.accumulate(band[:, ::-1], axis=1)[:, ::-1]
    return int((~band & above & below & left & right)[:, columns].sum())


def _shape_error(points: F32, reference: F32) -> float:
    """Return how far one face's shape is from another's: Procrustes distance in eye distances, RMS over the mesh."""
    one, other = points[:468, :2].astype(np.float64), reference[:468, :2].astype(np.float64)
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    u, scales, vt = np.linalg.svd(one.T @ other)
    scale = scales.sum() / (one**2).sum()
    eyes = frame.eye_centres(reference[:, :2])
    return float(np.sqrt(((one @ (u @ vt) * scale - other) ** 2).sum(axis=1).mean()) / np.hypot(*(eyes[1] - eyes[0])))


def _sharpness_kept(rgb: U8, points: F32, source: FaceMap) -> float:
    """Return the portrait's face sharpness over its source's, both drawn at 256 px wide: 1 is as sharp."""

    def energy(picture: U8, landmarks: F32) -> float:
        small = frame.warp(picture, frame.to_frame(frame.eye_centres(landmarks), 256, 320), 256, 320)
        inside = fill(
            small.shape[:2], frame.carry(landmarks, frame.to_frame(frame.eye_centres(landmarks), 256, 320)), FACE_OVAL
        )
        luma = small.astype(np.float32) @ LUMINANCE
        return float(np.abs(cv2.Laplacian(luma, cv2.CV_32F))[inside].mean()) / max(float(luma[inside].mean()), 1)

    return energy(rgb, points) / max(energy(source.selfie.rgb, source.selfie.face.landmarks), 1e-3)


def _halo(luma: F32, head: U8, garment: U8, width: int) -> float:
    """Return the ring around the head: median over the outline of |just outside - further out|, in sRGB 0..1."""
    outside = (cv2.dilate(head, np.ones((3, 3))) < 8) & (garment < 8)
    away = cv2.distanceTransform((head < 26).astype(np.uint8), cv2.DIST_L2, 5) / width
    near = outside & (away > 0.002) & (away < 0.008)
    far = outside & (away > 0.02) & (away < 0.03)
    if near.sum() < 50 or far.sum() < 50:
        return 0.0
    smooth = cv2.GaussianBlur(luma, (0, 0), 0.004 * width)
    kernel = np.ones((1, max(3, round(0.06 * width) | 1)))
    further = cv2.dilate(np.where(far, smooth, 0).astype(np.float32), kernel)
    compared = near & (further > 0)
    return float(np.median(np.abs(luma - further)[compared])) if compared.any() else 0.0


def _neck_distance(rgb: U8, neck: U8, head: U8, garment: U8, skin: NDArray[np.bool_]) -> float:
    """Return how far bare neck and face differ in colour, CIELAB a* and b*, the neck brought to the face's luminance.

    A neck stands in the chin's shadow by right; only its hue and saturation can betray it.
    """
    bare = (neck > 200) & (head < 26) & (garment < 26)
    if bare.sum() < 200 or skin.sum() < 200:
        return 0.0
    colours = [np.median(linear(rgb[where]), axis=0) for where in (bare, skin)]
    colours[0] = colours[0] * (colours[1] @ LUMINANCE) / max(float(colours[0] @ LUMINANCE), 1e-4)
    lab = cv2.cvtColor(srgb(np.clip(np.stack(colours)[None], 0, 1)), cv2.COLOR_RGB2LAB)[0]
    return float(np.linalg.norm(lab[0, 1:] - lab[1, 1:]))
