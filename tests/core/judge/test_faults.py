"""Claims about a portrait's faults: each made one is beyond its limit, and what is none is within."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core import frame
from core.colour import linear, srgb, to_bytes
from core.face.landmarks import face_skin, fill
from core.face.mesh import CHIN as CHIN_POINT
from core.face.mesh import FACE_OVAL
from core.intake.quality import side_light
from core.judge.outline import cut_by_border, enclosed_backdrop, haze, room_beside, straight_edge
from core.judge.realism import LIMITS, beside, reasons_of
from core.judge.skin import cast_of, neck_against_face
from core.types import U8, FaceMap

MOST = {limit.measure: limit.most for limit in LIMITS}
EYE = 100.0
"""Pixels between the eyes of the made heads below."""
EYES = np.array([[206.0, 250.0], [306.0, 250.0]], np.float32)
CHIN = np.array([256.0, 420.0], np.float32)


def _head(crown: float) -> U8:
    """An oval head of usual size: 1.25 eye distances to each side, its top `crown` eye distances above the eyes."""
    head = np.zeros((640, 512), np.uint8)
    cv2.ellipse(head, (256, 260), (round(1.25 * EYE), round(crown * EYE)), 0, 0, 360, 255, -1, cv2.LINE_AA)
    return head


@pytest.mark.parametrize("crown", [1.5, 1.8, 2.2])
def test_a_round_crown_is_not_called_cut(crown: float) -> None:
    head = _head(crown)
    assert straight_edge(head, head, EYES) < MOST["straight"]


@pytest.mark.parametrize("angle", [0, 40, 70, 310])
@pytest.mark.parametrize("depth", [0.25, 0.5])
def test_hair_that_a_line_cuts_is_called_cut_from_any_side(angle: float, depth: float) -> None:
    head = _head(1.8)
    rows, columns = np.mgrid[:640, :512]
    along = columns * np.sin(np.radians(angle)) - rows * np.cos(np.radians(angle))
    head[along > along[head > 127].max() - depth * EYE] = 0
    assert straight_edge(head, head, EYES) > MOST["straight"]


def test_long_hair_may_hang_straight_but_not_end_in_a_line() -> None:
    head = _head(1.8)
    head[260:520, 131:381] = 255
    figure = head.copy()
    figure[400:, 60:450] = 255
    assert straight_edge(head[:, :], figure, EYES) < MOST["straight"]
    assert straight_edge(head, head, EYES) > MOST["straight"]


@pytest.mark.parametrize("zoom", [0.5, 1.0])
def test_haze_beside_hair_is_told_from_curls_and_a_soft_edge(zoom: float) -> None:
    """At any print size: a veil of the backdrop beside the hair; an edge of 0.1 eye distances and frizz are none."""
    head = _head(1.8).astype(np.float32)
    frizz = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 1, head.shape).astype(np.float32), (0, 0), 5)
    outside = cv2.dilate(head, np.ones((31, 31), np.uint8)) * (frizz > np.median(frizz))
    soft = cv2.GaussianBlur(np.maximum(head, outside), (0, 0), 2)
    veiled = head.copy()
    cv2.circle(veiled, (130, 180), round(0.8 * EYE), 128.0, -1)
    veiled = np.maximum(head, veiled)
    fine, veil = (cv2.resize(h, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA) for h in (soft, veiled))
    assert haze(np.round(fine).astype(np.uint8), EYE * zoom) < 0.1 * MOST["haze"]
    assert haze(np.round(veil).astype(np.uint8), EYE * zoom) > MOST["haze"]


def test_what_the_frame_or_the_garment_cuts_is_no_cut() -> None:
    head = _head(1.8)
    assert straight_edge(head[150:], head[150:], EYES) < MOST["straight"]
    garment = np.zeros_like(head)
    garment[380:] = 255
    head[380:] = 0
    assert straight_edge(head, np.maximum(head, garment), EYES) < MOST["straight"]


def test_a_head_is_cut_where_the_photo_ends_inside_the_print_and_only_there(hopper_map: FaceMap) -> None:
    """Of a photo that ends below the crown; the photo whole, and a print that ends where the photo does, are fine."""
    head = np.zeros((1280, 1024), np.uint8)
    cv2.ellipse(head, (512, 530), (230, 300), 0, 0, 360, 255, -1)
    assert cut_by_border(head, head, hopper_map, hopper_map.transform) == 0
    back = cv2.invertAffineTransform(hopper_map.transform).astype(np.float32)
    gone = int(frame.carry(np.array([[512, 320]], np.float32), back)[0, 1])
    selfie = hopper_map.selfie
    face = replace(selfie.face, landmarks=selfie.face.landmarks - np.array([0, gone, 0], np.float32))
    cut = replace(hopper_map, selfie=replace(selfie, rgb=selfie.rgb[gone:], face=face))
    to_portrait = hopper_map.transform.copy()
    to_portrait[:, 2] += to_portrait[:, 1] * gone
    border = frame.carry(np.array([[0, 0], [selfie.rgb.shape[1], 0]], np.float32), to_portrait)
    above = np.arange(1280)[:, None] < np.interp(np.arange(1024), border[:, 0], border[:, 1])[None]
    head[above] = 0
    assert cut_by_border(head, head, cut, to_portrait) > MOST["cut"]
    lowest = int(np.ceil(border[:, 1].max()))
    higher = to_portrait - np.array([[0, 0, 0], [0, 0, lowest]], np.float32)
    assert cut_by_border(head[lowest:], head[lowest:], cut, higher) < MOST["cut"]


def test_a_hole_under_the_jaw_is_found_and_open_backdrop_is_none() -> None:
    head, neck, garment = _head(1.6), np.zeros((640, 512), np.uint8), np.zeros((640, 512), np.uint8)
    garment[470:] = 255
    garment[400:470, :180] = garment[400:470, 332:] = 255
    neck[380:480, 200:312] = 255

    def holes() -> float:
        return enclosed_backdrop(np.maximum(np.maximum(head, neck), garment), CHIN, EYE)

    assert enclosed_backdrop(np.maximum(head, neck), CHIN, EYE) == 0, "open beside it"
    neck[:, :] = 0
    neck[380:480, 240:272] = 255
    garment[440:470, 180:332] = 0
    assert holes() > MOST["gap"]
    neck[380:480, 160:352] = 255
    assert holes() < MOST["gap"]


@pytest.fixture
def portrait(collins_map: FaceMap) -> tuple[U8, np.ndarray]:
    """The sitter's photo in the frame, and where it is plain skin."""
    rgb = frame.warp(collins_map.selfie.rgb, (collins_map.transform / 2).astype(np.float32), 512, 640)
    return rgb, face_skin(rgb, collins_map.landmarks / 2)


@pytest.mark.parametrize(("shift", "told"), [((0, 0, 0), False), ((0, 8, 0), True), ((0, 0, -8), True)])
def test_a_neck_of_another_hue_is_told_and_one_in_shadow_is_not(
    portrait: tuple[U8, np.ndarray], shift: tuple[int, int, int], told: bool
) -> None:
    """The lower half of a face, in the shade, stands for its neck."""
    rgb, face = portrait
    lower = face & (np.arange(640)[:, None] > 260)
    before = neck_against_face(rgb, lower, face & ~lower)
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    moved = np.clip(cv2.cvtColor(lab + np.array(shift, np.float32), cv2.COLOR_LAB2RGB), 0, 1)
    shaded = to_bytes(srgb(linear(moved) * np.float32(0.4)))
    neck = np.where(lower[..., None], shaded, rgb)
    after = neck_against_face(neck, lower, face & ~lower)
    assert before is not None
    assert after is not None
    assert bool(np.linalg.norm(after - before) > MOST["neck_moved"]) is told


def test_a_neck_that_came_nearer_to_the_face_s_hue_counts_as_unmoved() -> None:
    before = np.array([6.0, -8.0], np.float32)
    assert beside(before, before) < 1e-5
    assert beside(0.3 * before, before) < 1e-5
    assert beside(0 * before, before) < 1e-5, "the face's own"
    assert abs(beside(1.5 * before, before) - 5) < 1e-4, "further off than it was"
    assert abs(beside(-0.5 * before, before) - 5) < 1e-4, "over to the other side"
    assert abs(beside(before + np.array([4.0, 3.0], np.float32), before) - 5) < 1e-4


def test_skin_in_the_colour_of_a_lamp_is_told_and_skin_in_white_light_is_not(portrait: tuple[U8, np.ndarray]) -> None:
    rgb, face = portrait
    assert cast_of(rgb, face) < MOST["cast"]
    for gains in ((0.6, 1.1, 0.7), (0.6, 0.9, 1.6)):
        assert cast_of(np.clip(rgb * np.array(gains), 0, 255).astype(np.uint8), face) > MOST["cast"]


@pytest.mark.parametrize(("share", "told"), [(1.0, False), (0.25, False), (0.1, True)])
def test_a_face_half_in_the_dark_is_told_and_one_lit_from_a_side_is_not(
    portrait: tuple[U8, np.ndarray], collins_map: FaceMap, share: float, told: bool
) -> None:
    rgb, _ = portrait
    points = collins_map.landmarks / 2
    light = linear(rgb)
    light[:, : round(float(points[CHIN_POINT, 0]))] *= share
    face = fill(rgb.shape[:2], points, FACE_OVAL, 0.92)
    assert bool(side_light(to_bytes(srgb(light)), face) > MOST["side_light"]) is told


@pytest.mark.parametrize(("aside", "told"), [(0.0, False), (0.09, False), (0.12, True), (-0.12, True)])
def test_a_face_at_the_side_of_the_picture_is_told(collins_map: FaceMap, aside: float, told: bool) -> None:
    points = collins_map.landmarks[:, :2] / 2
    middle = float(points[:, 0].max() + points[:, 0].min()) / 2
    wide = (points - (middle, 0)) * (280 / float(np.ptp(points[:, 0]))) + (512 * (0.5 + aside), 0)
    assert bool(room_beside(wide.astype(np.float32), 512) < MOST["room"]) is told


def test_each_reason_is_told_once() -> None:
    within = {limit.measure: 1.0 if limit.least else 0.0 for limit in LIMITS}
    assert reasons_of(within) == []
    assert reasons_of({**within, "neck": 90.0, "neck_moved": 90.0}) == ["neck_seam"]
