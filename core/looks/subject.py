"""Picture + Layers -> Subject: what a look draws from, told apart by region, with the face mesh and the form's normals.

Everything a drawing needs is in the layers, so that a look loads no network and draws the same at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from core import frame
from core.errors import Refused
from core.types import F32, U8, Layers

MESH_POINTS: Final = 478
"""Points of mediapipe's face mesh with both irises; without them nothing is drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Glasses. rims: (2, N, 2) float32 pixels, closed lines round the sitter's right and left eye, each from the
    picture's right downwards. width: of a rim in pixels.
    """

    rims: F32
    width: float


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """What was looked at before drawing (`core.looks.study`).

    beard: (H, W) float32 0..1, facial hair. frames: of the glasses, None where none are worn.
    """

    beard: F32
    frames: Frames | None


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A portrait as a look sees it, at its print size (H, W).

    rgb: (H, W, 3) float32 sRGB 0..1. skin, hair, hat, cloth: (H, W) float32 mattes 0..1 that add up to the figure.
    figure: the whole sitter. normals: (H, W, 3) float32, x right, y down, z to the viewer. mesh: (478, 3) float32
    landmarks in pixels. eye: distance between the eyes in pixels, true to depth: the yardstick of every line and dot.
    study: None where a look's first version draws.
    """

    rgb: F32
    skin: F32
    hair: F32
    hat: F32
    cloth: F32
    figure: F32
    normals: F32
    mesh: F32
    eye: float
    study: Study | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]

    def moved(self, flow: F32) -> Subject:
        """Return the subject warped: flow (H, W, 2) float32, by how much each pixel looks away from its place.

        The mesh goes the other way, which is exact where the flow is smooth.
        """
        width, height = self.size
        columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        there = columns + flow[..., 0], rows + flow[..., 1]

        def warped(layer: F32) -> F32:
            return cv2.remap(layer, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

        def carried(points: F32) -> F32:
            gone = points.copy()
            for _ in range(3):  # fixed point: a point p comes to q where q + flow(q) = p
                at = np.clip(np.round(gone), 0, np.array([width - 1, height - 1])).astype(int)
                gone = points - flow[at[..., 1], at[..., 0]]
            return gone

        mesh = np.hstack([carried(self.mesh[:, :2]), self.mesh[:, 2:]])
        study = self.study
        if study:
            frames = study.frames and replace(study.frames, rims=carried(study.frames.rims))
            study = Study(warped(study.beard), frames)
        mattes = (warped(matte) for matte in (self.skin, self.hair, self.hat, self.cloth, self.figure))
        skin, hair, hat, cloth, figure = mattes
        return replace(
            self, rgb=warped(self.rgb), skin=skin, hair=hair, hat=hat, cloth=cloth, figure=figure,
            normals=warped(self.normals), mesh=mesh, study=study,
        )  # fmt: skip


def subject_of(rgb: U8, layers: Layers) -> Subject:
    """Tell a composed picture (H, W, 3) uint8 apart by its layers.

    Raises Refused for layers that were kept before meshes were (releases before 2026-12).
    """
    if len(layers.landmarks) < MESH_POINTS or layers.regions.shape[:2] != layers.head.shape:
        raise Refused(
            "not_drawable",
            f"this portrait has {len(layers.landmarks)} of {MESH_POINTS} face points and {len(layers.regions)} rows of "
            "regions, it was made before drawn looks; shoot it again",
        )
    head, neck, garment = (m.astype(np.float32) / 255 for m in (layers.head, layers.neck, layers.garment[..., 3]))
    hair, hat, own = np.moveaxis(layers.regions.astype(np.float32) / 255, -1, 0)
    total = np.maximum(hair + hat + own, 1)
    hair, hat, own = (head * part / total for part in (hair, hat, own))
    figure = 1 - (1 - head) * (1 - garment) * (1 - neck)
    cloth = own + garment * (1 - head)
    return Subject(
        rgb=rgb.astype(np.float32) / 255,
        skin=np.clip(figure - hair - hat - cloth, 0, 1),
        hair=hair,
        hat=hat,
        cloth=cloth,
        figure=figure,
        normals=layers.normals.astype(np.float32) / 127,
        mesh=layers.landmarks,
        eye=float(np.linalg.norm(np.diff(frame.eye_centres(layers.landmarks), axis=0))),
    )
