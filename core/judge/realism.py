"""Whether a portrait is whole as a picture: every measure that a portrait may be dropped by, and its limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.colour import LUMINANCE
from core.cutout.parts import MOST_UNSURE
from core.face.expression import expression_of
from core.face.landmarks import Landmarker, face_skin, fill
from core.face.mesh import BLENDSHAPES, CHIN, FACE_OVAL
from core.intake.quality import side_light
from core.judge import outline, skin
from core.types import F32, U8, FaceMap, Portrait

SHAPE_LIMIT: Final = 0.035
"""Landmarks off the source's own shape, in eye distances (root mean square): 16 of our portraits of four photos 0.009
to 0.017, good ones of deeply lined or turned faces up to 0.034, the same faces stretched by 15 % 0.038 to 0.059."""
BLINK_LIMIT: Final = 0.35
"""mediapipe's eyeBlink above the source's own, of the eye that is more open."""
BURNT, DROWNED = 0.985, 0.015
"""Luma above and below which skin shows nothing any more, in sRGB 0..1."""
LEAST_ROOM: Final = 0.24
"""Widths of the face between it and the picture's nearer side. Of 199 portraits three had less than 0.15, which all
look cut off a larger picture, and one 0.20; of 169 others two had 0.22 and 0.23, which a reader failed for it, and the
next 0.25."""
UNREAD: Final = {"shape": 1.0, "clipped": 1.0}
"""What a face that the landmarker cannot read counts as."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A portrait is dropped for `reason` when its measure is above `most`, or below it where `least`."""

    reason: str
    measure: str
    most: float
    least: bool = False

    def broken_by(self, value: float) -> bool:
        return value < self.most if self.least else value > self.most


LIMITS: Final = (
    Limit("misshapen", "shape", SHAPE_LIMIT),
    Limit("eyes_closed", "blink", BLINK_LIMIT),
    Limit("soft", "sharpness", 0.45, least=True),  # the face against its own source at the same size
    Limit("burnt", "clipped", 0.06),  # part of the face's skin
    Limit("half_dark", "side_light", 6.0),  # in the sitter's own light: a look may light one side
    Limit("halo", "halo", 0.07),
    Limit("neck_seam", "neck", 55.0),
    Limit("neck_seam", "neck_moved", 3.4),
    Limit("head_cut", "cut", 1.5),
    Limit("crowded", "room", LEAST_ROOM, least=True),
    Limit("hair_cut", "straight", 1.1),
    Limit("hair_haze", "haze", 0.75),
    Limit("outline_unsure", "unsure", MOST_UNSURE),
    Limit("gap", "gap", 0.08),
    Limit("cast", "cast", 0.3),
)
"""Every measure and its limit, in this order. `tools/calibrate_judge.py` counts what they catch of made faults and drop
of real portraits; `docs/pictures.md` has its table."""
EXPRESSIONS: Final = ("eyes_closed", "mouth_open", "looks_down")
"""Words of `core.face.expression` that nobody posts."""
GRIMACE: Final = "grimace"
"""What `core.face.grimace` says of the photo; a portrait's own light and retouch are no part of it."""


def measure(portrait: Portrait, source: FaceMap, landmarker: Landmarker) -> tuple[dict[str, float], tuple[str, ...]]:
    """Measure the picture as a picture, and name what its face does that nobody posts.

    Returns the measures of LIMITS by name, and words of EXPRESSIONS and GRIMACE.
    """
    rgb, layers = portrait.rgb, portrait.layers
    traced = landmarker.detect(rgb)
    if traced is None:
        return {limit.measure: UNREAD.get(limit.measure, 1.0 if limit.least else 0.0) for limit in LIMITS}, ()
    blink = [BLENDSHAPES.index("eyeBlinkLeft"), BLENDSHAPES.index("eyeBlinkRight")]
    face = face_skin(rgb, traced.landmarks)
    eye = float(np.linalg.norm(np.diff(frame.eye_centres(traced.landmarks[:, :2]), axis=0)))
    luma = (rgb.astype(np.float32) / 255) @ LUMINANCE
    oval = fill(rgb.shape[:2], traced.landmarks, FACE_OVAL, 0.92)
    garment = layers.garment[..., 3]
    figure = np.maximum(np.maximum(layers.head, layers.neck), garment)
    points = traced.landmarks
    to_portrait = registration(source.selfie.face.landmarks, traced.landmarks)
    height, width = rgb.shape[:2]
    photo, reached = frame.framed(source.selfie.rgb, to_portrait, width, height)
    neck = (layers.neck > 200) & (layers.head < 26) & (garment < 26)
    coloured = bool((rgb[..., :2] != rgb[..., 1:]).any())
    measures = {
        "shape": shape_error(traced.landmarks, source.landmarks),
        "sharpness": _sharpness_kept(rgb, traced.landmarks, source),
        "clipped": float(np.mean((luma[face] > BURNT) | (luma[face] < DROWNED))),
        "side_light": side_light(layers.sitter, oval) if oval.any() else 1.0,
        "blink": float(traced.blendshapes[blink].min() - source.selfie.face.blendshapes[blink].min()),
        "halo": outline.halo(luma, layers.head, garment),
        **(_necks(rgb, photo, neck & (reached > 0.99), neck, face) if coloured else {"neck": 0.0, "neck_moved": 0.0}),
        "cut": outline.cut_by_border(layers.head, figure, source, to_portrait),
        "room": outline.room_beside(points, width),
        "straight": outline.straight_edge(layers.head, figure, frame.eye_centres(points[:, :2])),
        "haze": outline.haze(layers.head, eye),
        "unsure": source.unsure,
        "gap": outline.enclosed_backdrop(figure, traced.landmarks[CHIN, :2], eye),
        "cast": skin.cast_of(rgb, face) if coloured else 0.0,
    }
    does = expression_of(traced.blendshapes, traced.yaw_deg, traced.pitch_deg)
    said = tuple(word for word in EXPRESSIONS if word in does)
    return measures, (GRIMACE, *said) if GRIMACE in source.expression else said


def reasons_of(measures: Mapping[str, float]) -> list[str]:
    """Return the machine words of all limits that measures are beyond, each once."""
    broken = [limit.reason for limit in LIMITS if limit.broken_by(measures[limit.measure])]
    return list(dict.fromkeys(broken))


def registration(points: F32, others: F32) -> F32:
    """Return the (2, 3) similarity that carries one mesh's points (478, 2 or 3) onto another's, least squares."""
    one, other = points[:468, :2].astype(np.float64), others[:468, :2].astype(np.float64)
    middle, target = one.mean(axis=0), other.mean(axis=0)
    u, scales, vt = np.linalg.svd((one - middle).T @ (other - target))
    turn = (u @ vt).T * (scales.sum() / ((one - middle) ** 2).sum())
    return np.column_stack([turn, target - turn @ middle]).astype(np.float32)


def _necks(
    rgb: U8, photo: U8, shown: NDArray[np.bool_], neck: NDArray[np.bool_], face: NDArray[np.bool_]
) -> dict[str, float]:
    """Measure the bare neck against the face, in the portrait alone and less what it is in the photo.

    What brought the neck nearer to the face's hue than it was, or to that of necks as light as it, counts as no move.
    photo: the source in the portrait's place; shown: where it shows what is neck in the portrait.
    """
    now = skin.neck_against_face(rgb, neck, face)
    own = shown & skin.is_skin(photo, face) if face.any() else shown
    seen = skin.light_of(rgb, own)  # as dark as it is looked at: a deep shadow's hue is hardly seen, and noisy
    here, before = skin.neck_against_face(rgb, own, face, seen), skin.neck_against_face(photo, own, face, seen)
    moved = 0.0
    if seen is not None and here is not None and before is not None:
        others = skin.neck_like_others(rgb, own, face, seen)
        moved = min(beside(here, before), beside(here - others, before - others))
    return {"neck": 0.0 if now is None else float(np.linalg.norm(now)), "neck_moved": moved}


def beside(at: F32, start: F32) -> float:
    """Return how far a neck's hue (2,) lies beside the way from what it was to the origin, the hue that it may have.

    `core.scene.neck_tone` may bring it all the way.
    """
    share = np.clip(1 - float(at @ start) / max(float(start @ start), 1e-6), 0, 1)
    return float(np.linalg.norm(at - (1 - share) * start))


def shape_error(points: F32, reference: F32) -> float:
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
