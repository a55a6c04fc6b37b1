"""Claims about preferred skin: hue and chroma come nearer to it, lightness and the order of people stay."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from core.colour import linear, srgb, to_bytes
from core.face.landmarks import face_skin, fill
from core.face.mesh import LIPS
from core.face.preferred_skin import HUE, PLACE, WHOLE, WHOLE_HUE, with_preferred_skin
from core.types import U8, FaceMap, Selfie


def lab_of(rgb: U8) -> np.ndarray:
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def chroma_of(selfie: Selfie, where: np.ndarray) -> float:
    return float(np.hypot(*np.median(lab_of(selfie.rgb)[where], axis=0)[1:]))


def skin_of(selfie: Selfie) -> np.ndarray:
    return face_skin(selfie.rgb, selfie.face.landmarks)


def hue_of(selfie: Selfie, where: np.ndarray) -> float:
    return float(np.degrees(np.arctan2(*np.median(lab_of(selfie.rgb)[where], axis=0)[:0:-1])))


def with_skin(selfie: Selfie, chroma: float, hue: float = HUE, light: float = 1.0) -> Selfie:
    """The same face with that median chroma and hue, darker by a factor of light."""
    lab = lab_of(to_bytes(srgb(linear(selfie.rgb) * np.float32(light))))
    red, yellow = np.median(lab[skin_of(selfie)], axis=0)[1:]
    plane = (lab[..., 1] + 1j * lab[..., 2]) * chroma * np.exp(1j * np.radians(hue)) / (red + 1j * yellow)
    lab[..., 1], lab[..., 2] = plane.real, plane.imag
    return replace(selfie, rgb=to_bytes(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)))


@pytest.fixture(params=["hopper_map", "collins_map"])
def selfie(request: pytest.FixtureRequest) -> Selfie:
    face: FaceMap = request.getfixturevalue(request.param)
    return face.selfie


@pytest.mark.parametrize("light", [0.3, 1.0])
@pytest.mark.parametrize("hue", [30, 47, 64])
def test_a_burning_face_comes_down_and_nobody_gets_lighter(selfie: Selfie, hue: float, light: float) -> None:
    burning, skin = with_skin(selfie, 32, hue, light), skin_of(selfie)
    after = with_preferred_skin(burning)
    assert WHOLE[0] - 1 < chroma_of(after, skin) < PLACE[0] + 1
    lightness = [float(np.median(lab_of(each.rgb)[skin], axis=0)[0]) for each in (burning, after)]
    assert abs(lightness[1] - lightness[0]) < 0.5
    assert abs(hue_of(after, skin) - HUE) < max(abs(hue_of(burning, skin) - HUE) - 3, WHOLE_HUE[0])
    assert np.array_equal(after.face.embedding, selfie.face.embedding)


def test_the_order_of_people_stays(selfie: Selfie) -> None:
    """Chroma and hue are compressed and not made one."""
    skin = skin_of(selfie)
    pale, tanned, red = (chroma_of(with_preferred_skin(with_skin(selfie, c)), skin) for c in (15, 24, 34))
    assert pale < tanned - 2 < red - 2
    hues = [hue_of(with_preferred_skin(with_skin(selfie, 17, hue)), skin) for hue in (30, 38, 47, 56, 64)]
    assert all(one + 1 < other for one, other in pairwise(hues)), hues


def test_a_face_of_preferred_skin_is_left_alone(collins_map: FaceMap) -> None:
    """All of the photo but the sitter's orange suit, of which a strip lies beside the neck."""
    own, skin = with_skin(collins_map.selfie, 14), skin_of(collins_map.selfie)
    after = with_preferred_skin(own)
    assert np.abs(lab_of(after.rgb)[skin] - lab_of(own.rgb)[skin]).max() < 3
    assert np.abs(lab_of(after.rgb)[skin] - lab_of(own.rgb)[skin]).mean() < 0.2


def test_an_ear_that_glows_comes_down_further_than_the_face(collins_map: FaceMap) -> None:
    even = with_skin(collins_map.selfie, 18)
    cheek = np.zeros(even.rgb.shape[:2], np.uint8)
    eye = float(np.linalg.norm(np.diff(even.face.landmarks[[33, 263], :2], axis=0)))
    cv2.circle(cheek, tuple(int(v) for v in even.face.landmarks[234, :2]), round(0.25 * eye), 1, -1)
    burning = with_skin(even, 36).rgb
    glowing = replace(even, rgb=np.where(cheek[..., None] > 0, burning, even.rgb))
    after, skin = with_preferred_skin(glowing), skin_of(even)
    there, elsewhere = skin & (cheek > 0), skin & (cv2.dilate(cheek, np.ones((81, 81), np.uint8)) == 0)
    assert chroma_of(after, there) < 0.85 * chroma_of(glowing, there)
    assert abs(chroma_of(after, elsewhere) - chroma_of(glowing, elsewhere)) < 1


def test_a_red_cheek_comes_nearer_to_its_face_and_the_other_stays(hopper_map: FaceMap) -> None:
    even = with_skin(hopper_map.selfie, 16)
    blotch, other = (np.zeros(even.rgb.shape[:2], np.uint8) for _ in range(2))
    eye = float(np.linalg.norm(np.diff(even.face.landmarks[[33, 263], :2], axis=0)))
    for place, cheek in ((50, blotch), (280, other)):
        cv2.circle(cheek, tuple(int(v) for v in even.face.landmarks[place, :2]), round(0.2 * eye), 1, -1)
    red = replace(even, rgb=np.where(blotch[..., None] > 0, with_skin(even, 16, 15).rgb, even.rgb))
    after = with_preferred_skin(red)
    was, now = (hue_of(each, blotch > 0) - hue_of(each, other > 0) for each in (red, after))
    assert was < -20
    assert abs(now) < 0.7 * abs(was)
    assert abs(hue_of(after, other > 0) - hue_of(red, other > 0)) < 2


def test_lips_keep_what_skin_around_them_keeps(collins_map: FaceMap) -> None:
    """Red lips are no light."""
    even = with_skin(collins_map.selfie, 18)
    lips = fill(even.rgb.shape[:2], even.face.landmarks, LIPS)
    painted = replace(even, rgb=np.where(lips[..., None], with_skin(even, 38).rgb, even.rgb))
    assert chroma_of(with_preferred_skin(painted), lips) > 0.95 * chroma_of(painted, lips)


def flat(selfie: Selfie, chroma: float, hue: float) -> Selfie:
    """A photo all over of one skin colour, but for a blue and an orange square far from the face."""
    lab = np.full((*selfie.rgb.shape[:2], 3), 65, np.float32)
    lab[..., 1:] = chroma * np.cos(np.radians(hue)), chroma * np.sin(np.radians(hue))
    far = round(0.12 * len(lab))
    lab[:far, :far] = 50, 10, -40
    lab[:far, -far:] = 60, 45, 45
    return replace(selfie, rgb=to_bytes(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)))


def corners(selfie: Selfie) -> np.ndarray:
    lab, half = lab_of(selfie.rgb), round(0.06 * len(selfie.rgb))
    return np.array([lab[half, half, 1:], lab[half, -half, 1:]])


def test_a_photo_of_preferred_skin_is_the_same_object(hopper_map: FaceMap) -> None:
    near = flat(hopper_map.selfie, 17, HUE)
    assert with_preferred_skin(near) is near
    a_little = flat(hopper_map.selfie, 21, HUE)
    assert with_preferred_skin(a_little) is not a_little


def test_what_is_no_skin_keeps_its_hue_and_loses_what_the_whole_does(hopper_map: FaceMap) -> None:
    burning = flat(hopper_map.selfie, 30, 25)
    after, skin = with_preferred_skin(burning), skin_of(burning)
    assert hue_of(after, skin) > hue_of(burning, skin) + 8
    share = chroma_of(after, skin) / chroma_of(burning, skin)
    was, now = (corners(each) @ (1, 1j) for each in (burning, after))
    assert abs(np.degrees(np.angle(now[0] / was[0]))) < 1.5, "blue"
    assert np.allclose(np.abs(now / was), share, atol=0.04)


@pytest.mark.parametrize("hue", [100, -10])
def test_no_face_is_turned_by_more_than_the_most(hopper_map: FaceMap, hue: float) -> None:
    odd = flat(hopper_map.selfie, 16, hue)
    skin = skin_of(odd)
    turned = abs(hue_of(with_preferred_skin(odd), skin) - hue_of(odd, skin))
    assert WHOLE_HUE[2] - 2 < turned < WHOLE_HUE[2] + 1.5


def test_grey_skin_has_no_hue_and_takes_nobody_s_colours(hopper_map: FaceMap) -> None:
    for chroma in (0, 1):
        grey = flat(hopper_map.selfie, chroma, -130)
        assert np.abs(corners(with_preferred_skin(grey)) - corners(grey)).max() < 2


@pytest.mark.parametrize("note", ["colourless", "toned"])
def test_a_photo_without_colours_is_left_alone(selfie: Selfie, note: str) -> None:
    sepia = replace(with_skin(selfie, 34), notes=(note,))
    assert with_preferred_skin(sepia) is sepia
