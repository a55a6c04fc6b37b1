"""Two real people whose photos ship in packages and are in the public domain, and what can go wrong with a photo.

Grace Hopper is matplotlib's sample, Eileen Collins scikit-image's. Everything here alters their real pixels.
"""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import Delaunay

from core import frame
from core.face.mesh import EYES
from core.intake import review
from core.intake.locate import LocatedFace, locate
from core.models import Models
from core.types import Rejected, Selfie

RGB = NDArray[np.uint8]
MODELS = Models()
RIGHT_LIDS, LEFT_LIDS = EYES
MASK = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 197)


def hopper() -> RGB:
    """Grace Hopper, 512 x 600, 82 px between the eyes, glasses and a cap."""
    file = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return np.asarray(Image.open(file).convert("RGB"))


def collins() -> RGB:
    """Eileen Collins, 512 x 512, 41 px between the eyes: the smallest face that is let in."""
    return np.asarray(skimage.data.astronaut())


def frames() -> tuple[RGB, ...]:
    """Three photos of Grace Hopper as one sitting gives them, 45 px between the eyes: straight, looking up, and aside.

    The head stays whole round the turned face; poses are as far apart as intake asks of two photos.
    """
    photo = hopper()
    poses = (photo, turned(photo, 8, 12, blurred=False), turned(photo, -14, -8, blurred=False))
    return tuple(
        np.asarray(cv2.resize(pose, None, fx=0.55, fy=0.55, interpolation=cv2.INTER_AREA), np.uint8) for pose in poses
    )


def encoded(rgb: RGB, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, kind, **options)
    return file.getvalue()


def look(rgb: RGB, name: str = "photo") -> Selfie | Rejected:
    return review.look(encoded(rgb, compress_level=1), name, MODELS)


@functools.cache
def _landmarks(data: bytes, shape: tuple[int, ...]) -> NDArray[np.float32]:
    seen = locate(encoded(np.frombuffer(data, np.uint8).reshape(shape)), "sitter", MODELS)
    assert isinstance(seen, LocatedFace)
    return seen.mesh.landmarks


def landmarks(rgb: RGB) -> NDArray[np.float32]:
    return _landmarks(rgb.tobytes(), rgb.shape).copy()


def eye_px(rgb: RGB) -> float:
    right, left = frame.eye_centres(landmarks(rgb)[:, :2])
    return float(np.linalg.norm(left - right))


def exposed(rgb: RGB, stops: float) -> RGB:
    """The same scene with more or less light, in sRGB with a plain 2.2 gamma."""
    light = (rgb / 255.0) ** 2.2 * 2.0**stops
    return (np.clip(light, 0, 1) ** (1 / 2.2) * 255).round().astype(np.uint8)


def lit_from_one_side(rgb: RGB) -> RGB:
    dark = exposed(rgb, -5)
    dark[:, int(landmarks(rgb)[4, 0]) :] = rgb[:, int(landmarks(rgb)[4, 0]) :]
    return dark


def blurred(rgb: RGB, part_of_eye_distance: float) -> RGB:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), part_of_eye_distance * eye_px(rgb)), np.uint8)


def shaken(rgb: RGB, part_of_eye_distance: float) -> RGB:
    length = round(part_of_eye_distance * eye_px(rgb))
    return np.asarray(cv2.filter2D(rgb, -1, np.full((1, length), 1 / length)), np.uint8)


def wearing_sunglasses(rgb: RGB, colour: tuple[int, int, int] = (15, 15, 18), opacity: float = 0.92) -> RGB:
    distance = eye_px(rgb)
    lenses = np.zeros(rgb.shape[:2], np.uint8)
    for x, y in frame.eye_centres(landmarks(rgb)[:, :2]):
        cv2.ellipse(lenses, ((x, y + 0.05 * distance), (0.8 * distance, 0.6 * distance), 0), 255, -1)
    alpha = cv2.GaussianBlur(lenses, (0, 0), 0.8).astype(np.float32)[..., None] / 255 * opacity
    return (rgb * (1 - alpha) + alpha * np.array(colour)).astype(np.uint8)


def wearing_mask(rgb: RGB, colour: tuple[int, int, int]) -> RGB:
    outline = cv2.convexHull(landmarks(rgb)[list(MASK), :2].astype(np.int32))
    cloth = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(cloth, [outline], 255)
    alpha = cv2.GaussianBlur(cloth, (0, 0), 1).astype(np.float32)[..., None] / 255
    folds = np.random.default_rng(0).normal(0, 4, (*rgb.shape[:2], 1))
    return np.clip(rgb * (1 - alpha) + alpha * (np.array(colour) + folds), 0, 255).astype(np.uint8)


def with_eyes_closed(rgb: RGB) -> RGB:
    """Lids painted over the eyes from the skin around them, with a line of lashes."""
    points, distance = landmarks(rgb), eye_px(rgb)
    eyes = np.zeros(rgb.shape[:2], np.uint8)
    for lids in (RIGHT_LIDS, LEFT_LIDS):
        cv2.fillConvexPoly(eyes, cv2.convexHull(points[list(lids), :2].astype(np.int32)), 255)
    eyes = cv2.dilate(eyes, np.ones((max(3, int(0.08 * distance)),) * 2, np.uint8))
    shut = cv2.inpaint(rgb, eyes, 3, cv2.INPAINT_TELEA)
    for upper in (RIGHT_LIDS[:9], LEFT_LIDS[:9]):
        line = points[list(upper), :2].astype(np.int32)
        cv2.polylines(shut, [line], False, (60, 40, 35), max(1, int(0.025 * distance)), cv2.LINE_AA)
    return np.asarray(shut, np.uint8)


def turned(rgb: RGB, yaw_deg: float, pitch_deg: float = 0.0, blurred: bool = True) -> RGB:
    """The mesh of the face with the photo on it, turned in space, before the photo or a blurred copy of it."""
    points = landmarks(rgb)
    middle = points[[33, 263, 152, 10]].mean(axis=0)
    yaw, pitch = np.radians(yaw_deg), np.radians(pitch_deg)
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    there = (points - middle) @ about_y.T @ about_x.T
    source = points[:, :2].astype(np.float32)
    target = (there[:, :2] + middle[:2]).astype(np.float32)
    picture = cv2.GaussianBlur(rgb, (0, 0), 25) if blurred else rgb.copy()
    triangles = Delaunay(source[:468]).simplices
    for corners in triangles[np.argsort(-there[triangles].mean(axis=1)[:, 2])]:  # the far ones first
        left, top = np.maximum(np.floor(target[corners].min(axis=0)).astype(int) - 1, 0)
        right, bottom = np.ceil(target[corners].max(axis=0)).astype(int) + 2
        if right <= left or bottom <= top or right > rgb.shape[1] or bottom > rgb.shape[0]:
            continue
        here = target[corners] - np.array([left, top], np.float32)
        affine = cv2.getAffineTransform(source[corners], here)
        piece = cv2.warpAffine(rgb, affine, (right - left, bottom - top), borderMode=cv2.BORDER_REPLICATE)
        inside = np.zeros(piece.shape[:2], np.uint8)
        cv2.fillConvexPoly(inside, here.round().astype(np.int32), 1)
        picture[top:bottom, left:right][inside > 0] = piece[inside > 0]
    return np.asarray(picture, np.uint8)


def beside(rgb: RGB, other: RGB, relative_size: float) -> RGB:
    """Two people on one photo, the other's eyes `relative_size` times as far apart."""
    scale = relative_size * eye_px(rgb) / eye_px(other)
    other = np.asarray(cv2.resize(other, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    height = max(rgb.shape[0], other.shape[0])
    both = [np.pad(p, ((0, height - p.shape[0]), (0, 0), (0, 0)), mode="edge") for p in (rgb, other)]
    return np.concatenate(both, axis=1)
