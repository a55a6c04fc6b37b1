"""Claims about the map: the frame is exact, turns have the right sign, light is found where it comes from."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mediapipe.tasks.python import vision

from core import frame
from core.face.coverage import coverage, draw_map
from core.face.landmarks import TRIANGLES, map_face, mesh_normals
from core.face.mesh import EYES, FACE_OVAL
from core.models import Models
from core.types import FaceMap, Selfie
from tests import sitters


@given(st.floats(5, 4000), st.floats(5, 4000), st.floats(2, 900), st.floats(-3.1, 3.1))
def test_eyes_always_land_in_their_places(x: float, y: float, distance: float, turn: float) -> None:
    half = distance / 2 * np.array([np.cos(turn), np.sin(turn)])
    eyes = (np.array([x, y]) + np.array([-half, half])).astype(np.float32)
    right, left = frame.carry(eyes, frame.to_frame(eyes))
    assert np.allclose((right + left) / 2, (512, 0.385 * 1280), atol=0.5)
    assert np.allclose(left - right, (0.185 * 1024, 0), atol=0.5)


@given(st.floats(-60, 60))
def test_a_turned_head_is_no_larger_than_a_straight_one(yaw_deg: float) -> None:
    half = 50 * np.array([np.cos(np.radians(yaw_deg)), 0, np.sin(np.radians(yaw_deg))])
    eyes = np.array([-half, half], np.float32) + np.float32(400)
    assert np.isclose(frame.scale_of(frame.to_frame(eyes)), 0.185 * 1024 / 100, rtol=1e-4)


def test_a_map_puts_the_eyes_where_the_frame_says(hopper_map: FaceMap) -> None:
    eyes = frame.eye_centres(hopper_map.landmarks[:, :2])
    assert np.allclose(eyes.mean(axis=0), (512, 492.8), atol=1)


def test_a_head_turned_to_the_pictures_right_has_positive_yaw() -> None:
    straight = sitters.look(sitters.hopper())
    right = sitters.look(sitters.turned(sitters.hopper(), 15))
    left = sitters.look(sitters.turned(sitters.hopper(), -15))
    assert isinstance(straight, Selfie) and isinstance(right, Selfie) and isinstance(left, Selfie)  # noqa: PT018
    low, middle, high = sorted([left.face.yaw_deg, straight.face.yaw_deg, right.face.yaw_deg])
    assert middle == straight.face.yaw_deg
    assert high - low > 15


def test_normals_of_the_mesh_face_the_viewer_and_lean_outwards(hopper_map: FaceMap) -> None:
    normals = mesh_normals(hopper_map.landmarks)
    assert TRIANGLES.shape == (852, 3)
    assert normals[1, 2] > 0.6  # the nose's tip looks at us
    assert normals[234, 0] < -0.3  # the picture's left cheek looks left
    assert normals[454, 0] > 0.3


def test_light_is_found_on_the_side_it_comes_from() -> None:
    rgb = sitters.hopper()
    ramp = np.linspace(0.45, 1.35, rgb.shape[1], dtype=np.float32)[None, :, None]
    brighter_right = sitters.look(np.clip(rgb * ramp, 0, 255).astype(np.uint8))
    brighter_left = sitters.look(np.clip(rgb * ramp[:, ::-1], 0, 255).astype(np.uint8))
    assert isinstance(brighter_right, Selfie)
    assert isinstance(brighter_left, Selfie)
    assert map_face(brighter_right).light_side > 0.25
    assert map_face(brighter_left).light_side < -0.25


def test_a_mole_is_marked_and_plain_skin_is_not(collins_map: FaceMap) -> None:
    rgb = sitters.collins()
    x, y = (int(v) for v in sitters.landmarks(rgb)[205, :2])  # the cheek
    spotted = rgb.copy()
    cv2.circle(spotted, (x, y), 1, (90, 60, 50), -1, cv2.LINE_AA)
    selfie = sitters.look(spotted)
    assert isinstance(selfie, Selfie)
    marked = map_face(selfie)
    place = frame.carry(np.array([[x, y]], np.float32), marked.transform)[0]
    near = np.hypot(*(marked.marks[:, :2] - place).T)
    assert near.min() < 15
    before = np.hypot(*(collins_map.marks[:, :2] - place).T) if len(collins_map.marks) else np.array([999.0])
    assert before.min() > 15


def test_coverage_asks_for_what_is_missing(hopper_map: FaceMap, collins_map: FaceMap) -> None:
    one = coverage([hopper_map])
    assert "front" not in one.missing
    assert one.missing[0] == "turn_left"
    assert "smile" in one.missing
    assert "smile" not in coverage([collins_map]).missing
    assert coverage([]).missing[0] == "front"


def test_the_drawn_map_marks_the_photo(hopper_map: FaceMap) -> None:
    drawn = draw_map(hopper_map)
    picture = frame.warp(hopper_map.selfie.rgb, hopper_map.transform, *frame.PRINT)
    picture = cv2.resize(picture, (512, 640), interpolation=cv2.INTER_AREA)
    changed = np.abs(drawn.astype(int) - picture).max(axis=-1)
    oval = np.zeros(changed.shape, np.uint8)
    cv2.polylines(oval, [np.round(hopper_map.landmarks[list(FACE_OVAL), :2] / 2).astype(np.int32)], True, 1)
    assert np.median(changed[oval > 0]) > 40, "the outline is drawn where the face's is"
    assert changed[-100:].max() == 0, "and nothing below the face is touched"


def test_the_same_photo_gives_the_same_map(hopper_map: FaceMap, models: Models) -> None:
    again = map_face(hopper_map.selfie)
    assert np.array_equal(again.landmarks, hopper_map.landmarks)
    assert np.array_equal(again.light, hopper_map.light)


def test_the_mesh_points_by_name_are_mediapipe_s_own() -> None:
    """`core.face.mesh` repeats them so that looking at a photo need not load mediapipe."""
    theirs = vision.FaceLandmarksConnections
    for ring, edges in (
        (FACE_OVAL, theirs.FACE_LANDMARKS_FACE_OVAL),
        (EYES[0], theirs.FACE_LANDMARKS_RIGHT_EYE),
        (EYES[1], theirs.FACE_LANDMARKS_LEFT_EYE),
    ):
        ours = {frozenset(edge) for edge in zip(ring, (*ring[1:], ring[0]), strict=True)}
        assert {frozenset((edge.start, edge.end)) for edge in edges} <= ours
