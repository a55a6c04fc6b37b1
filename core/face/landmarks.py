"""Selfie -> FaceMap: where everything is, how the head stands, how the light falls, what to protect.

Knows nothing of styles or garments. mediapipe finds landmarks and a coarse matte; the rest is numpy
and OpenCV in the canonical frame of `core.frame`. No race, gender or age is inferred or stored.
"""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator

from core import frame, weights
from core.colour import LUMINANCE, linear
from core.face.expression import expression_of
from core.face.grimace import LIDS, TENSE, grimace
from core.face.mesh import BROWS, CHIN, EYES, FACE_OVAL, LIPS, NOSTRILS
from core.face.tasks import BaseOptions, Image, ImageFormat, vision
from core.types import F32, U8, FaceMap, Selfie

MESH: Final = vision.FaceLandmarksConnections
TRIANGLES: Final = np.array([edge.start for edge in MESH.FACE_LANDMARKS_TESSELATION], np.int32).reshape(-1, 3)
"""(852, 3) corners of the face mesh; mediapipe lists each triangle as three edges in a row."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceMesh:
    """What the landmarker read off one face: points, expression, pose.

    landmarks: (478, 3) float32 in photo pixels, z in the same unit, smaller is nearer.
    blendshapes: (52,) float32 in 0..1. Angles in degrees, signs as `core.types.Face` says.
    """

    landmarks: F32
    blendshapes: F32
    yaw_deg: float
    pitch_deg: float
    roll_deg: float


def skip_close_at_exit(net: Any) -> None:
    """Leave a mediapipe net to the ending process: its own close() needs threads that are gone by then."""
    atexit.register(setattr, net, "_handle", None)


class Landmarker:
    """mediapipe's face landmarker, loaded once: 478 points, 52 expressions, head pose."""

    def __init__(self) -> None:
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(weights.path("face_landmarker.task"))),
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
            num_faces=1,
            running_mode=vision.RunningMode.IMAGE,
        )
        self._net: Any = vision.FaceLandmarker.create_from_options(options)
        skip_close_at_exit(self._net)

    def detect(self, rgb: U8) -> FaceMesh | None:
        """Read the one face of a picture (H, W, 3) uint8 sRGB, or None where there is none.

        Crop to about twice the face's size first: the short-range detector inside misses faces
        that are small in the picture.
        """
        height, width = rgb.shape[:2]
        found = self._net.detect(Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(rgb)))
        if not found.face_landmarks:
            return None
        points = np.array([(p.x * width, p.y * height, p.z * width) for p in found.face_landmarks[0]], np.float32)
        scores = np.array([b.score for b in found.face_blendshapes[0]], np.float32)
        turn = np.array(found.facial_transformation_matrixes[0])[:3, :3]
        # mediapipe's camera looks along -z with y up; columns are the head's own axes
        yaw = np.degrees(np.arctan2(turn[0, 2], turn[2, 2]))
        pitch = np.degrees(np.arcsin(np.clip(turn[1, 2], -1, 1)))
        right, left = frame.eye_centres(points[:, :2])
        roll = np.degrees(np.arctan2(left[1] - right[1], left[0] - right[0]))
        return FaceMesh(points, scores, float(yaw), float(pitch), float(roll))


def map_face(selfie: Selfie) -> FaceMap:
    """Map one kept selfie: frame, light, expression, marks. Loads no net; about 0.05 s on two cores."""
    transform = frame.to_frame(frame.eye_centres(selfie.face.landmarks))
    landmarks = frame.carry(selfie.face.landmarks, transform)
    corner, size = _around(landmarks[list(FACE_OVAL), :2] / 2)
    to_half = (transform / 2).astype(np.float32)
    to_half[:, 2] -= corner
    half = frame.warp(selfie.rgb, to_half, *size)
    points = landmarks * np.float32(0.5) - np.array([*corner, 0], np.float32)
    skin = face_skin(half, points)
    light = _light(half, points, skin)
    lab = cv2.cvtColor(half.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    colour = np.median(lab[skin], axis=0)
    return FaceMap(
        selfie=selfie,
        transform=transform,
        landmarks=landmarks,
        light=light,
        light_side=float(np.clip(2 * light[1] / max(float(light[0]), 1e-3), -1, 1)),
        expression=_expression(selfie),
        shoulders_visible=_reaches_shoulders(selfie, transform),
        marks=_marks(lab, points, skin) + np.array([2 * corner[0], 2 * corner[1], 0], np.float32),
        skin_lab=(float(colour[0]), float(colour[1]), float(colour[2])),
        upscale_factor=frame.scale_of(transform),
    )


def _expression(selfie: Selfie) -> tuple[str, ...]:
    """Name what a face does; "grimace" comes first, for nothing else matters more, then "eyes_closed" for its lids."""
    face = selfie.face
    words = expression_of(face.blendshapes, face.yaw_deg, face.pitch_deg)
    odds = grimace(selfie.rgb, face.landmarks, face.blendshapes)
    if odds.lids > LIDS:
        return tuple(dict.fromkeys(("grimace", "eyes_closed", *words)))
    return ("grimace", *words) if odds.tense > TENSE else words


WORK: Final = (512, 640)
"""Light and marks are read at half the print size: a mole of 2 mm is still 3 px wide there."""


def _around(oval: F32) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return where to begin, and the width and height, to work on a face alone.

    Whole quarters, and as much to spare as the widest blur of `_marks` reaches.
    """
    left, top = (np.clip(np.floor(oval.min(axis=0)) - 36, 0, WORK) // 4 * 4).astype(int).tolist()
    right, bottom = (np.ceil((oval.max(axis=0) + 36) / 4) * 4).astype(int).tolist()
    return (left, top), (min(max(right - left, 8), WORK[0] - left), min(max(bottom - top, 8), WORK[1] - top))


def fill(shape: tuple[int, int], points: F32, ring: tuple[int, ...], grow: float = 1.0) -> NDArray[np.bool_]:
    """Return the (H, W) inside of a ring of landmarks, grown about its own middle."""
    corners = points[list(ring), :2]
    middle = corners.mean(axis=0)
    inside = np.zeros(shape, np.uint8)
    cv2.fillPoly(inside, [np.round((corners - middle) * grow + middle).astype(np.int32)], 1)
    return inside.astype(bool)


def face_skin(rgb: U8, points: F32) -> NDArray[np.bool_]:
    """Return (H, W) where the face shows plain skin: no eyes, brows, lips, glasses, beard or highlights.

    rgb: (H, W, 3) uint8; points: landmarks in its pixels. Starts from the face oval and keeps what
    lies within 2.5 median deviations of the middle colour in Lab, so that it holds for any skin.
    """
    shape = rgb.shape[:2]
    inside = fill(shape, points, FACE_OVAL, 0.92)
    for ring, grow in [(EYES[0], 1.8), (EYES[1], 1.8), (LIPS, 1.2), (BROWS[0], 1.3), (BROWS[1], 1.3), (NOSTRILS, 1.0)]:
        inside &= ~fill(shape, points, ring, grow)
    if not inside.any():
        return inside
    seen = rgb[inside].astype(np.float32) / 255
    lab = cv2.cvtColor(seen[None], cv2.COLOR_RGB2LAB)[0]
    distance = np.abs(lab - np.median(lab, axis=0))
    alike = distance < 2.5 * np.median(distance, axis=0) + 3
    plain = np.zeros(shape, np.bool_)
    plain[inside] = alike[:, 0] & alike[:, 1] & alike[:, 2]
    return plain if plain.sum() > 0.1 * inside.sum() else inside


def mesh_normals(points: F32) -> F32:
    """Return the (478, 3) unit normals of the face mesh: x right, y down, z towards the viewer."""
    corners = points[TRIANGLES]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, TRIANGLES[:, corner], faces)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    # depth grows away from the viewer in mediapipe, so an outward normal has z < 0 there; ours looks at the viewer
    outward = normals * (-1 if normals[:, 2].mean() > 0 else 1)
    return (outward * np.array([1, 1, -1], np.float32)).astype(np.float32)


def harmonics(normals: F32) -> F32:
    """Return the nine second-order spherical harmonics (..., 9) of unit normals (..., 3).

    Without their constant factors: Ramamoorthi & Hanrahan 2001 show nine describe diffuse light.
    """
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    return np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], axis=-1)


def normals_of_mesh(points: F32, width: int, height: int) -> F32:
    """Return (height, width, 3) normals of the mesh, interpolated inside it and zero outside."""
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    field = LinearNDInterpolator(points[:, :2], mesh_normals(points), fill_value=0.0)
    return np.asarray(field(columns, rows), np.float32)


def _light(rgb: U8, points: F32, skin: NDArray[np.bool_]) -> F32:
    """Fit the light on the skin: ridge regression of luminance on harmonics, a quarter of the size is enough."""
    scale = 0.25
    size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
    small = linear(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)) @ LUMINANCE
    where = cv2.resize(skin.astype(np.uint8), size, interpolation=cv2.INTER_AREA).astype(bool)
    normals = normals_of_mesh(points * np.float32(scale), *size)
    where &= np.abs(normals).sum(-1) > 0
    basis = harmonics(normals[where])
    value = small[where] / max(float(small[where].mean()), 1e-4)
    # the second order is told apart badly on a face seen from the front, so it is held harder
    ridge = np.diag([1e-3] + [0.02] * 3 + [0.1] * 5) * len(value)
    return np.linalg.solve(basis.T @ basis + ridge, basis.T @ value).astype(np.float32)


def _reaches_shoulders(selfie: Selfie, transform: F32) -> bool:
    """Say whether the photo reaches both shoulders: frame.SHOULDER to each side, 2 eye distances below the chin."""
    chin = frame.carry(selfie.face.landmarks[CHIN : CHIN + 1], transform)[0]
    corners = np.array(
        [[chin[0] + side, chin[1] + 2 * frame.INTEROCULAR_PX] for side in (-frame.SHOULDER, frame.SHOULDER)], np.float32
    )
    back = cv2.transform(corners[None], cv2.invertAffineTransform(transform))[0]
    height, width = selfie.rgb.shape[:2]
    return bool(np.all((back >= 0) & (back < (width, height))))


def _marks(lab: F32, points: F32, skin: NDArray[np.bool_]) -> F32:
    """Find moles and scars: dark round spots on plain skin, 1 to 5 % of the eye distance wide.

    Returns (N, 3) x, y, radius in full print pixels. A spot is a peak of the difference of Gaussians
    of lightness that stands at least 5 L* out of its surroundings and clear of the skin's own texture.
    """
    lightness = lab[..., 0]
    inside = cv2.erode(fill(skin.shape, points, FACE_OVAL, 0.85).astype(np.uint8), np.ones((5, 5)))
    for ring, grow in [(EYES[0], 2.2), (EYES[1], 2.2), (LIPS, 1.35), (BROWS[0], 1.6), (BROWS[1], 1.6), (NOSTRILS, 1.5)]:
        inside[fill(skin.shape, points, ring, grow)] = 0
    found: list[tuple[float, float, float]] = []
    for sigma in (1.5, 2.2, 3.2):
        dip = cv2.GaussianBlur(lightness, (0, 0), sigma * 2.5) - cv2.GaussianBlur(lightness, (0, 0), sigma)
        stands_out = max(5.0, 4.5 * 1.4826 * float(np.median(np.abs(dip[inside > 0])))) if inside.any() else 5.0
        peak = (dip == cv2.dilate(dip, np.ones((9, 9)))) & (dip > stands_out) & (inside > 0)
        for y, x in np.argwhere(peak):
            if all(np.hypot(2 * x - u, 2 * y - v) > 3 * sigma + r for u, v, r in found):
                found.append((2.0 * x, 2.0 * y, 4.0 * sigma))
    return np.array(found, np.float32).reshape(-1, 3)
