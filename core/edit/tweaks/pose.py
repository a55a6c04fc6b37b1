"""How the head is held and through what lens it is seen: lean, turn, and a longer lens, by the mesh's depth."""

from typing import Final

import cv2
import numpy as np

from core.edit import masks
from core.edit.step import strengths
from core.edit.warp import GRID, grid, moved
from core.errors import Refused
from core.face.mesh import CHIN
from core.types import F32, Layers

LEAN: Final = {"touch": 2.0, "more": 4.0}
"""Degrees by which the head leans towards a shoulder."""
TURN: Final = {"touch": 2.0, "more": 4.0}
"""Degrees by which it turns: beyond, what the photo does not show would be seen."""
MOST_YAW: Final = 22.0
"""Degrees of turn in all beyond which a face is not turned further."""
SLIMMER: Final = {"touch": 0.035, "more": 0.07}
"""How much smaller a point one eye distance nearer than the face's edge becomes: a photo from an arm's length away
enlarges a nose by as much against one from 2 m (Bhargava 2018, JAMA Facial Plastic Surgery: 30 % at 30 cm)."""
DEPTH: Final = 1.0
"""Eye distances from an ear to the tip of the nose, about."""


def _held(layers: Layers) -> F32:
    """Return 1 over the head, falling to 0 between chin and collar: what moves with the skull, on `grid`."""
    _, y = grid(layers)
    eye, chin = masks.eye_px(layers), float(masks.mesh_of(layers)[CHIN, 1])
    return np.clip(1 - (y - chin + 0.1 * eye) / (0.7 * eye), 0, 1) ** 1.5


def _lean(layers: Layers, degrees: float) -> Layers:
    """Turn the head about the neck's foot in the picture's plane; degrees > 0 lean to the picture's right."""
    points, eye = masks.mesh_of(layers), masks.eye_px(layers)
    foot = np.array([points[CHIN, 0], points[CHIN, 1] + 0.6 * eye])
    x, y = grid(layers)
    angle, held = np.radians(degrees), _held(layers)
    dx = (np.cos(angle) - 1) * (x - foot[0]) - np.sin(angle) * (y - foot[1])
    dy = np.sin(angle) * (x - foot[0]) + (np.cos(angle) - 1) * (y - foot[1])
    return moved(layers, (dx * held).astype(np.float32), (dy * held).astype(np.float32))


def depth_of(layers: Layers) -> F32:
    """Return how near the head is, in eye distances before its edge, on `grid`: the mesh, and a round head about it."""
    eye = masks.eye_px(layers)
    small = cv2.resize(layers.head, None, fx=1 / GRID, fy=1 / GRID, interpolation=cv2.INTER_AREA)
    solid = (small > 127).astype(np.uint8)
    inside = cv2.distanceTransform(cv2.copyMakeBorder(solid, 1, 1, 1, 1, cv2.BORDER_REPLICATE), cv2.DIST_L2, 5)
    reach = np.clip(inside[1:-1, 1:-1] * GRID / (1.2 * eye), 0, 1)
    ball = 0.6 * np.sqrt(reach * (2 - reach))
    points = masks.mesh_of(layers)
    hull = cv2.convexHull(np.round(points[:, :2] / GRID).astype(np.int32))
    where = np.zeros(small.shape, np.float32)
    cv2.fillConvexPoly(where, hull, 1.0)
    weight, sums = np.zeros(small.shape, np.float32), np.zeros(small.shape, np.float32)
    at = np.round(points[:, :2] / GRID).astype(int)
    known = (at >= 0).all(axis=1) & (at[:, 0] < small.shape[1]) & (at[:, 1] < small.shape[0])
    near = (points[[234, 454], 2].mean() - points[:, 2]) / eye
    np.add.at(weight, (at[known, 1], at[known, 0]), 1.0)
    np.add.at(sums, (at[known, 1], at[known, 0]), near[known])
    sigma = 0.06 * eye / GRID + 0.6
    mesh = cv2.GaussianBlur(sums, (0, 0), sigma) / (cv2.GaussianBlur(weight, (0, 0), sigma) + 1e-4)
    soft = cv2.GaussianBlur(where, (0, 0), 0.1 * eye / GRID)
    depth = cv2.GaussianBlur(
        (ball * (1 - soft) + np.maximum(mesh, 0) * soft).astype(np.float32), (0, 0), 0.08 * eye / GRID
    )
    shape = grid(layers)[0].shape
    return cv2.copyMakeBorder(
        depth, 0, max(0, shape[0] - depth.shape[0]), 0, max(0, shape[1] - depth.shape[1]), cv2.BORDER_REPLICATE
    )[: shape[0], : shape[1]]


def _turn(layers: Layers, degrees: float) -> Layers:
    """Turn the head about its own axis; degrees > 0 towards the picture's right. Points move as they are near."""
    yaw = masks.yaw_deg(layers)
    if abs(yaw + degrees) > MOST_YAW and abs(yaw + degrees) > abs(yaw):
        raise Refused("turned_too_far", f"turn: the face is turned by {abs(yaw):.0f} degrees, at most {MOST_YAW:.0f}")
    depth = depth_of(layers)
    middle = 0.25  # the axis lies behind the face: what is nearer goes with the turn, ears against it
    dx = np.sin(np.radians(degrees)) * (depth - middle) * masks.eye_px(layers) * _held(layers)
    return moved(layers, dx.astype(np.float32), np.zeros_like(dx, np.float32))


def _slimmer(layers: Layers, part: float) -> Layers:
    """See the face through a longer lens: what is nearer than the face's edge becomes smaller about its middle."""
    points = masks.mesh_of(layers)
    middle = points[[33, 263, CHIN], :2].mean(axis=0)
    x, y = grid(layers)
    smaller = -part * np.clip(depth_of(layers) / DEPTH, 0, 1.2) * _held(layers)
    return moved(layers, ((x - middle[0]) * smaller).astype(np.float32), ((y - middle[1]) * smaller).astype(np.float32))


def _other_way(by: dict[str, float]) -> dict[str, float]:
    return {word: -number for word, number in by.items()}


STEPS: Final = (
    strengths("lean_right", 1, LEAN, "touch", layers=_lean),
    strengths("lean_left", 1, _other_way(LEAN), "touch", layers=_lean),
    strengths("turn_right", 1, TURN, "touch", layers=_turn),
    strengths("turn_left", 1, _other_way(TURN), "touch", layers=_turn),
    strengths("slimmer", 1, SLIMMER, "touch", layers=_slimmer),
)
