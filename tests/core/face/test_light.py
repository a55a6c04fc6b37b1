"""Claims about hard and coloured light: it is told from studio light, whatever the skin, and only noted."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core import frame
from core.colour import linear, srgb, to_bytes
from core.face.constancy import HARD_LIGHT, SIZE, in_white_light
from core.face.light import LightClassifier, light_field
from core.types import F32, U8, FaceMap, Selfie


@pytest.fixture(scope="module")
def judge() -> LightClassifier:
    return LightClassifier()


@pytest.fixture(params=["hopper_map", "collins_map"])
def selfie(request: pytest.FixtureRequest) -> Selfie:
    face: FaceMap = request.getfixturevalue(request.param)
    return face.selfie


def lit(selfie: Selfie, gains: F32) -> Selfie:
    """Light a photo anew by factors (H, W, 3) of its linear light."""
    return replace(selfie, rgb=to_bytes(srgb(np.clip(linear(selfie.rgb) * gains, 0, 1))))


def across(selfie: Selfie, soft: float) -> F32:
    """How far at the right of the face's middle a place is: (H, W, 1) 0..1, going over within a part of the face."""
    x, width = selfie.face.landmarks[:, 0], np.ptp(selfie.face.landmarks[:, 0])
    columns = np.arange(selfie.rgb.shape[1], dtype=np.float32)
    step = np.clip((columns - np.median(x)) / (soft * width) + 0.5, 0, 1)
    return np.broadcast_to(step[None, :, None], (*selfie.rgb.shape[:2], 1)).astype(np.float32)


def test_studio_light_is_not_hard(selfie: Selfie, judge: LightClassifier) -> None:
    assert judge.noted(selfie) is selfie


@pytest.mark.parametrize("stops", [-0.5, -1.0, -1.5])
def test_darker_skin_or_less_light_says_nothing_of_how_hard_it_is(
    selfie: Selfie, judge: LightClassifier, stops: float
) -> None:
    assert judge.noted(lit(selfie, np.full((1, 1, 3), 2**stops, np.float32))).notes == selfie.notes


def test_half_a_face_in_the_dark_is_hard_light(selfie: Selfie, judge: LightClassifier) -> None:
    dark = lit(selfie, 2 ** (-4.5 * across(selfie, 0.15)))
    assert judge.noted(dark).notes == (*selfie.notes, HARD_LIGHT)
    assert np.array_equal(judge.noted(dark).rgb, dark.rgb)


def test_an_orange_and_a_blue_lamp_are_told_even_in_white_light(selfie: Selfie, judge: LightClassifier) -> None:
    """What constancy leaves of them is still of another place than any room."""
    orange, blue = (np.array(lamp, np.float32) for lamp in ((2.2, 0.8, 0.3), (0.12, 0.32, 0.96)))
    right = across(selfie, 0.3)
    assert HARD_LIGHT in judge.noted(in_white_light(lit(selfie, (1 - right) * orange + right * blue))).notes


@pytest.mark.parametrize("note", ["colourless", "toned"])
def test_a_photo_without_colours_is_not_asked(selfie: Selfie, judge: LightClassifier, note: str) -> None:
    grey = replace(lit(selfie, 2 ** (-4.5 * across(selfie, 0.15))), notes=(note,))
    assert judge.noted(grey) is grey


def field_of(rgb: U8, landmarks: F32) -> F32:
    to_frame = frame.to_frame(frame.eye_centres(landmarks[:, :2]), *SIZE)
    return light_field(frame.warp(rgb, to_frame, *SIZE), frame.carry(landmarks[:, :2], to_frame))


@pytest.mark.parametrize("value", [0, 255])
def test_a_face_that_is_all_black_or_burnt_has_a_light_too(value: int, collins_map: FaceMap) -> None:
    selfie = collins_map.selfie
    found = field_of(np.full_like(selfie.rgb, value), selfie.face.landmarks)
    assert found.shape == (4, 60, 48)
    assert np.isfinite(found).all()
    assert np.isfinite(LightClassifier().hardness(replace(selfie, rgb=np.full_like(selfie.rgb, value))))
    assert cv2.countNonZero(found[3]) > 0
