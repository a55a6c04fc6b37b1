"""Face -> whether it makes a face that nobody posts: a scowl, a snarl, pain, fear, half a word, eyes half shut.

Two linear classifiers of what the landmarker says of the face's muscles, the shape of its mesh and the edges in its
skin: a frown that only wrinkles show, blendshapes do not tell. Weights and model card: `core/base/expression`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from core import frame
from core.face.mesh import BLENDSHAPES
from core.types import F32, U8

WEIGHTS: Final = Path(__file__).resolve().parent.parent / "base" / "expression" / "grimace.safetensors"
TENSE, LIDS = -0.8, -1.0
"""Log odds from which on a face scowls or speaks, and its eyes are half shut or cast down; what that catches stands in
core/base/expression/README.md."""
SIZE: Final = (256, 320)
"""Width and height of the canonical frame at which a face is looked at."""
POINTS: Final = 468
"""Points of the mesh that are looked at: all but the irises."""
MIRROR: Final = np.array([-1, 1, 1], np.float32)
"""What a mesh is multiplied with to be mirrored."""
LEAST: Final = 0.02
"""Blendshape that is added before the logarithm: below it is noise."""
PART: Final = np.s_[40:216, 60:196]
"""Rows and columns of SIZE that a face lies in."""
SHOWN: Final = (68, 88)
"""Width and height at which its edges are looked at; two columns to each side are left out."""
EDGES: Final = cv2.HOGDescriptor((64, 88), (16, 16), (8, 8), (8, 8), 9)
"""Histograms of gradients (Dalal & Triggs 2005) in cells of a third of an eye distance: 2,520 numbers."""


@dataclass(frozen=True, slots=True)
class Odds:
    """Log odds that a face scowls or speaks, and that its lids are half shut or cast down."""

    tense: float
    lids: float


def grimace(rgb: U8, landmarks: F32, blendshapes: F32) -> Odds:
    """Return the log odds that a face makes a face that nobody posts; 5 ms.

    rgb: (H, W, 3) uint8 sRGB; landmarks: (478, 3) in its pixels; blendshapes: (52,).
    """
    weights = _weights()
    to_frame = frame.to_frame(frame.eye_centres(landmarks[:, :2]), *SIZE)
    edges = edges_of(frame.warp(rgb, to_frame, *SIZE))
    told = features(blendshapes, landmarks, edges, weights["mean_shape"], _own_other_points())
    return Odds(*(weights["weight"] @ told + weights["bias"]).tolist())


def features(blendshapes: F32, landmarks: F32, edges: F32, mean_shape: F32, others: NDArray[np.intp]) -> F32:
    """Return what the classifier looks at, of a face and its mirror image: (104 + 3 * POINTS + 2520,) float32.

    blendshapes: (52,); landmarks: (478, 3), or its first POINTS; edges: of `edges_of`; mean_shape: (POINTS, 3), which
    the mesh is turned and scaled to; others: its `other_points`.
    """
    muscles = (blendshapes + blendshapes[_other_side()]) / 2
    mesh = evened(aligned(landmarks, mean_shape), others) - mean_shape
    return np.concatenate([muscles, np.log(muscles + LEAST), mesh.ravel(), edges]).astype(np.float32)


def aligned(landmarks: F32, mean_shape: F32) -> F32:
    """Turn and scale a mesh (478, 3) to another's place, size 1: (POINTS, 3) float32 (Kabsch 1976)."""
    points = landmarks[:POINTS].astype(np.float64)
    points = points - points.mean(axis=0)
    points /= max(float(np.linalg.norm(points)), 1e-9)
    u, _, vt = np.linalg.svd(points.T @ mean_shape)
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    return np.asarray(points @ turn, np.float32)


def evened(mesh: F32, others: NDArray[np.intp]) -> F32:
    """Return the mean of a mesh (POINTS, 3) and its mirror image; others: `other_points` of the mean mesh."""
    return np.asarray((mesh + (mesh * MIRROR)[others]) / 2, np.float32)


def other_points(mean_shape: F32) -> NDArray[np.intp]:
    """Return for each point of a mean mesh (POINTS, 3) the one on the other side of the face: (POINTS,)."""
    apart = ((mean_shape * MIRROR)[:, None] - mean_shape[None]) ** 2
    return np.asarray(apart.sum(axis=-1).argmin(axis=0))


def edges_of(face: U8) -> F32:
    """Return the gradients on a face (320, 256, 3) uint8 in the canonical frame and on its mirror image: (2520,)."""
    grey = cv2.cvtColor(np.ascontiguousarray(face[PART]), cv2.COLOR_RGB2GRAY)
    even = cv2.GaussianBlur(cv2.createCLAHE(2, (4, 4)).apply(grey), (0, 0), 1.2)  # hard light is no frown
    small = cv2.resize(even, SHOWN, interpolation=cv2.INTER_AREA)[:, 2:-2]
    both = [np.ravel(EDGES.compute(np.ascontiguousarray(side))) for side in (small, small[:, ::-1])]
    return np.asarray((both[0] + both[1]) / 2, np.float32)


@cache
def _other_side() -> NDArray[np.intp]:
    """Return each blendshape's place on the other side of the face; its own where it has none."""
    swapped = [name.replace("Left", "*").replace("Right", "Left").replace("*", "Right") for name in BLENDSHAPES]
    return np.array([BLENDSHAPES.index(name) for name in swapped])


@cache
def _own_other_points() -> NDArray[np.intp]:
    return other_points(_weights()["mean_shape"])


@cache
def _weights() -> dict[str, F32]:
    return {name: value.astype(np.float32) for name, value in load_file(WEIGHTS).items()}
