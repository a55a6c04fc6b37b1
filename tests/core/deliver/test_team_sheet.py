"""Claims about a team's sheet: whatever the portraits' framing, eyes stand on one line and faces are equally tall."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core import frame
from core.deliver.team_sheet import COLUMNS, TILE, team_sheet
from core.face.landmarks import Landmarker
from core.types import U8, FaceMap


def framed(face: FaceMap, zoom: float, mirrored: bool = False, light: float = 1.0) -> U8:
    """A sitter's photo as a print of 768 x 960 that shows 1 / zoom of the frame, before a grey backdrop above."""
    print_of = frame.warp(face.selfie.rgb, face.transform, *frame.PRINT)
    width, height = frame.PRINT[0] / zoom, frame.PRINT[1] / zoom
    left, top = (frame.PRINT[0] - width) / 2, 0.385 * frame.PRINT[1] * (1 - 1 / zoom)
    cut = print_of[round(top) : round(top + height), round(left) : round(left + width)]
    small = cv2.resize(cut, (768, 960), interpolation=cv2.INTER_AREA)
    small = small[:, ::-1] if mirrored else small
    lit = np.clip(small * light, 0, 255).astype(np.uint8)
    lit[:110] = 128
    return np.ascontiguousarray(lit)


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return Landmarker()


def test_a_team_of_four_in_four_framings_becomes_one_set(
    hopper_map: FaceMap, collins_map: FaceMap, landmarker: Landmarker
) -> None:
    """Two sitters and their mirrored, re-lit copies."""
    team = [
        framed(hopper_map, 1.0),
        framed(collins_map, 1.15),
        framed(hopper_map, 1.2, mirrored=True, light=0.8),
        framed(collins_map, 1.0, mirrored=True, light=0.9),
    ]
    made = team_sheet(team, landmarker)
    assert made is not None
    assert made.alike.eye_line <= 0.02
    assert made.alike.head_height <= 0.02
    assert made.left_out == ()
    assert made.rgb.shape[1] > COLUMNS * TILE[0]


def test_a_backdrop_of_another_colour_is_told(hopper_map: FaceMap, landmarker: Landmarker) -> None:
    other = framed(hopper_map, 1.0)
    other[:110] = (90, 120, 150)
    made = team_sheet([framed(hopper_map, 1.0), other], landmarker)
    assert made is not None
    assert not made.alike.alike
    assert made.alike.backdrop > 10


def test_a_picture_without_a_face_is_left_out_and_none_makes_no_sheet(
    hopper_map: FaceMap, landmarker: Landmarker
) -> None:
    wall = np.full((960, 768, 3), 128, np.uint8)
    made = team_sheet([wall, framed(hopper_map, 1.0)], landmarker)
    assert made is not None
    assert made.left_out == (0,)
    assert team_sheet([wall], landmarker) is None
