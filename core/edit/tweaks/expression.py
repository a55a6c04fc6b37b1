"""Eyes and mouth: brighter eyes, a touch of a smile, eyes to the camera. Small warps, refused out of their range."""

from typing import Final

import cv2
import numpy as np

from core.edit import masks
from core.edit.step import strengths
from core.edit.warp import grid, moved
from core.errors import Refused
from core.face.mesh import EYES
from core.types import F32, Layers

BRIGHTER_EYES: Final = {"touch": 0.35, "more": 0.6, "lots": 0.85}
"""Part of IRIS_LIFT and WHITE_LIFT."""
IRIS_LIFT: Final = 5.0
"""CIELAB L* that an iris becomes lighter by, its pupil left dark."""
IRIS_CONTRAST: Final = 0.3
WHITE_LIFT: Final = 4.0
"""CIELAB L* of the white of the eye; more looks lit from within."""
WHITEST: Final = 82.0
"""CIELAB L* beyond which the white of an eye is not lightened: lids always shade it."""
LEAST_OPENING: Final = 0.14
"""Height of an eye's opening against its width below which it counts as shut."""
SMILE: Final = {"touch": 0.02, "more": 0.035}
"""Eye distances by which the corners of the mouth go up; half of it they go out. Beyond 0.04 the mouth alone smiles."""
LESS_SMILE: Final = {"touch": -0.015, "more": -0.028}
MOST_OPEN: Final = 0.3
"""Height of the open mouth against its width up to which a warp of its corners looks like a smile."""
MOST_YAW: Final = 25.0
"""Degrees of turn up to which both corners of the mouth are seen well enough to be moved."""
GAZE_YAW: Final = 12.0
"""The same for eyes to the camera: of a turned head the mesh does not tell where its eyes should look."""
GAZE: Final = (0.012, 0.07)
"""Eye distances of an iris from where it looks into the camera: below it does, beyond it would be drawn anew."""
EYEBALL: Final = 0.1
"""Eye distances from the line between the lids' corners back to the eyeball's centre, about 6 of 63 mm."""


def _brighter_eyes(layers: Layers, part: float) -> Layers:
    box = masks.face_box(layers)
    face = masks.cut(layers, box)
    _need_open_eyes(face)
    lab, eye = masks.lab_of(face), masks.eye_px(face)
    irises = masks.irises(face)
    whites = np.clip(masks.eyes(face) - cv2.dilate(irises, np.ones((3, 3))), 0, 1)
    low = cv2.GaussianBlur(lab[..., 0], (0, 0), 0.03 * eye)
    pupil = np.clip((lab[..., 0] - 12) / 16, 0, 1)  # what is black stays black
    lab[..., 0] += part * irises * (IRIS_LIFT * pupil + IRIS_CONTRAST * (lab[..., 0] - low))
    room = np.clip((WHITEST - lab[..., 0]) / 12, 0, 1) * np.clip((lab[..., 0] - 25) / 20, 0, 1)
    lab[..., 0] += part * whites * WHITE_LIFT * room
    lab[..., 1:] *= 1 - 0.3 * part * (whites * np.clip((lab[..., 0] - 25) / 20, 0, 1))[..., None]
    return masks.with_face(layers, box, lab)


def _need_open_eyes(face: Layers) -> None:
    opening = min(_openings(face))
    if opening < LEAST_OPENING:
        raise Refused(
            "eyes_shut", f"the eyes are open by {opening:.2f} of their width, at least {LEAST_OPENING} needed"
        )


def _openings(face: Layers) -> tuple[float, float]:
    """Return how far the right and the left eye are open, against their width."""
    points = masks.mesh_of(face)[:, :2]
    out = [
        float(np.linalg.norm(points[high] - points[low]) / max(float(np.linalg.norm(points[a] - points[b])), 1e-3))
        for high, low, a, b in ((159, 145, 33, 133), (386, 374, 362, 263))
    ]
    return out[0], out[1]


def _smile(layers: Layers, up: float) -> Layers:
    """Raise (or lower) the corners of the mouth, the cheeks a little with them."""
    yaw, gap = masks.yaw_deg(layers), masks.open_mouth(layers)
    if abs(yaw) > MOST_YAW:
        raise Refused("turned_too_far", f"smile: the face is turned by {abs(yaw):.0f} degrees, at most {MOST_YAW:.0f}")
    if gap > MOST_OPEN:
        raise Refused("lips_apart", f"smile: the mouth is open by {gap:.2f} of its width, at most {MOST_OPEN}")
    points, eye = masks.mesh_of(layers)[:, :2], masks.eye_px(layers)
    x, y = grid(layers)
    dx, dy = np.zeros_like(x), np.zeros_like(y)
    middle = points[list(masks.CORNERS)].mean(axis=0)
    for corner in masks.CORNERS:
        out = float(np.sign(points[corner, 0] - middle[0]))
        near = _round(x, y, points[corner], 0.17 * eye)
        dx += out * 0.5 * up * eye * near
        dy -= up * eye * near
    for cheek in (205, 425):  # what lies above the corner of a smile is pushed up by it
        dy -= 0.3 * up * eye * _round(x, y, points[cheek], 0.22 * eye)
    dy += 0.25 * up * eye * _round(x, y, points[17], 0.14 * eye)  # the lower lip's middle stays down
    return moved(layers, dx, dy)


def _round(x: F32, y: F32, at: F32, sigma: float) -> F32:
    return np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * sigma**2)).astype(np.float32)


def gaze_of(layers: Layers) -> F32:
    """Return how far right of where it looks into the camera each iris stands, (2,) in eye distances of the frame."""
    points, eye = masks.mesh_of(layers), masks.eye_px(layers)
    back = EYEBALL * np.sin(np.radians(masks.yaw_deg(layers)))
    corners = ((33, 133), (362, 263))
    return np.array(
        [
            (points[iris[0], 0] - points[list(lids), 0].mean()) / eye + back
            for iris, lids in zip(masks.IRISES, corners, strict=True)
        ],
        np.float32,
    )


def _eyes_to_camera(layers: Layers, part: float) -> Layers:
    """Move both irises sideways, inside the lids, so that they look into the camera."""
    box = masks.face_box(layers)
    _need_open_eyes(layers)
    yaw = masks.yaw_deg(layers)
    if abs(yaw) > GAZE_YAW:
        raise Refused("turned_too_far", f"eyes: the face is turned by {abs(yaw):.0f} degrees, at most {GAZE_YAW:.0f}")
    off = float(gaze_of(layers).mean())
    if abs(off) < GAZE[0]:
        raise Refused("looks_here", f"the eyes look into the camera to {abs(off):.3f} eye distances, {GAZE[0]} is seen")
    if abs(off) > GAZE[1]:
        raise Refused("looks_away", f"the eyes look {abs(off):.3f} eye distances aside, at most {GAZE[1]} can be moved")
    face = masks.cut(layers, box)
    points, eye = masks.mesh_of(face)[:, :2], masks.eye_px(face)
    height, width = face.head.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    dx = np.zeros((height, width), np.float32)
    for ring, iris in zip(EYES, masks.IRISES, strict=True):
        radius = float(np.linalg.norm(points[list(iris[1:])] - points[iris[0]], axis=1).mean())
        away = np.hypot(columns - points[iris[0], 0], (rows - points[iris[0], 1]) * 0.8)
        disc = np.clip((1.9 * radius - away) / (0.9 * radius), 0, 1)
        dx -= part * off * eye * disc * cv2.GaussianBlur(masks.polygon(face, ring, 1.05), (0, 0), 0.01 * eye)
    lab = cv2.remap(masks.lab_of(face), columns - dx, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return masks.with_face(layers, box, lab)


STEPS: Final = (
    strengths("eyes_brighter", 1, BRIGHTER_EYES, "touch", layers=_brighter_eyes),
    strengths("smile", 1, SMILE, "touch", layers=_smile),
    strengths("less_smile", 1, LESS_SMILE, "touch", layers=_smile),
    strengths("eyes_to_camera", 1, {"touch": 0.5, "more": 1.0}, "more", layers=_eyes_to_camera),
)
