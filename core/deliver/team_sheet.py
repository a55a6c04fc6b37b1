"""Portraits of several people -> one sheet on which they look like one set.

Every portrait is cut so that eyes stand on one line and faces, from chin to hairline, are equally tall: whatever the
single portraits' framing, they are one set on the sheet. The cut is the largest that no portrait is too small for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from core import frame
from core.deliver.gallery import contact_sheet
from core.face.landmarks import Landmarker
from core.face.mesh import CHIN, HAIRLINE
from core.judge.consistency import Consistency, consistency, measured, upper_corners
from core.types import F32, U8

TILE: Final = (512, 640)
"""Width and height of one person's picture on the sheet, in pixels."""
COLUMNS: Final = 4
EYE_LINES: Final = np.linspace(0.34, 0.46, 25)
"""Heights of the common eye line that are tried, as parts of the cut: around the canonical frame's 0.385."""


@dataclass(frozen=True, slots=True, eq=False)
class TeamSheet:
    """The sheet, (H, W, 3) uint8 sRGB, and how alike the portraits on it are. left_out: indices without a face."""

    rgb: U8
    alike: Consistency
    left_out: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Face:
    """Where a face is in its picture, pixels: middle between the eyes, and from chin to hairline."""

    rgb: U8
    x: float
    eyes_y: float
    tall: float


def team_sheet(pictures: Sequence[U8], landmarker: Landmarker) -> TeamSheet | None:
    """Lay finished portraits (H, W, 3) uint8 out as one set; None where none of them shows a face."""
    found = [_face_of(rgb, landmarker) for rgb in pictures]
    faces = [face for face in found if face is not None]
    if not faces:
        return None
    tiles = _cut(faces)
    corners = upper_corners(*TILE)
    framings = []
    for tile in tiles:  # measured once more, on what is shown
        traced = landmarker.detect(tile)
        if traced is not None:
            framings.append(measured(tile, corners, traced.landmarks[:, :2]))
    left_out = tuple(index for index, face in enumerate(found) if face is None)
    return TeamSheet(contact_sheet(tiles, COLUMNS, TILE[0]), consistency(framings), left_out)


def _face_of(rgb: U8, landmarker: Landmarker) -> _Face | None:
    traced = landmarker.detect(rgb)
    if traced is None:
        return None
    points: F32 = traced.landmarks[:, :2]
    x, y = frame.eye_centres(points).mean(axis=0)
    return _Face(rgb, float(x), float(y), max(1.0, float(points[CHIN, 1] - points[HAIRLINE, 1])))


def _cut(faces: Sequence[_Face]) -> list[U8]:
    """Cut every portrait alike: the same eye line and face height, as wide as the tightest portrait allows.

    A cut's height in faces, m, is bounded by what is above and below the eyes and beside them; the eye line that leaves
    the largest m is taken.
    """

    def largest(eye_line: float) -> float:
        def room(face: _Face) -> float:
            height, width = face.rgb.shape[:2]
            beside = 2 * min(face.x, width - face.x) * TILE[1] / TILE[0]
            return min(face.eyes_y / eye_line, (height - face.eyes_y) / (1 - eye_line), beside) / face.tall

        return min(map(room, faces))

    eye_line = max(EYE_LINES, key=largest)
    in_faces = largest(eye_line)
    tiles = []
    for face in faces:
        scale = TILE[1] / (in_faces * face.tall)
        move = np.array(
            [[scale, 0, TILE[0] / 2 - scale * face.x], [0, scale, TILE[1] * eye_line - scale * face.eyes_y]], np.float32
        )
        tiles.append(frame.warp(face.rgb, move, *TILE))
    return tiles
