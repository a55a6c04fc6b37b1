"""Claims about who is on a photo, on two real people."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.face import embedding
from core.face.embedding import Detection, Recogniser, baseline, cosine, majority
from core.types import F32, Selfie
from tests import sitters

RECOGNISER = sitters.MODELS.recogniser


def embedded(rgb: sitters.RGB) -> F32:
    return RECOGNISER.embed(rgb, RECOGNISER.find(rgb)[0])


def towards(person: F32, other: F32, share: float) -> F32:
    mixed = (1 - share) * person + share * other
    return np.asarray(mixed / np.linalg.norm(mixed), np.float32)


def test_an_embedding_has_length_one() -> None:
    assert embedded(sitters.hopper()).shape == (128,)
    assert np.linalg.norm(embedded(sitters.hopper())) == pytest.approx(1, abs=1e-5)


def test_two_people_are_strangers_and_two_copies_of_one_are_not() -> None:
    hopper, collins = sitters.hopper(), sitters.collins()
    assert cosine(embedded(hopper), embedded(collins)) < 0.35
    assert cosine(embedded(hopper), embedded(sitters.exposed(hopper, -1))) > 0.9


@pytest.mark.parametrize("scale", [0.5, 2.0, 6.0])
def test_the_same_face_measures_the_same_from_a_smaller_or_a_larger_file(scale: float) -> None:
    photo = sitters.hopper()
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=way), np.uint8)
    assert cosine(embedded(photo), embedded(resized)) > 0.9


def test_a_face_is_found_far_away_and_in_a_close_up() -> None:
    photo = sitters.hopper()
    (face,) = RECOGNISER.find(photo)
    far = np.full((1500, 2000, 3), 127, np.uint8)
    far[900:1020, 1500:1602] = cv2.resize(photo, (102, 120), interpolation=cv2.INTER_AREA)
    (small,) = RECOGNISER.find(far)
    assert small.eye_px == pytest.approx(face.eye_px / 5, rel=0.15)
    x, y, w, h = (round(value) for value in face.box)
    close = cv2.resize(photo[y : y + h, x : x + w], None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    (large,) = RECOGNISER.find(np.asarray(close, np.uint8))
    assert large.eye_px == pytest.approx(8 * face.eye_px, rel=0.1)


def test_nobody_is_found_on_a_picture_of_a_texture() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (600, 800, 3), dtype=np.uint8)
    assert RECOGNISER.find(noise) == ()
    assert RECOGNISER.find(np.zeros((1, 1, 3), np.uint8)) == ()


def test_a_face_leaning_by_a_quarter_is_known_by_its_eyes() -> None:
    points = np.array([[50, 80], [50, 40], [70, 60], [90, 75], [90, 45]], np.float32)
    assert Detection((0, 0, 100, 100), 0.9, points).lean_deg == pytest.approx(-90)


def test_the_baseline_is_the_median_pair_and_needs_two_photos() -> None:
    one, other = embedded(sitters.hopper()), embedded(sitters.exposed(sitters.hopper(), -1))
    assert baseline([]) is None
    assert baseline([one]) is None
    assert baseline([one, other]) == pytest.approx(cosine(one, other))
    third = embedded(sitters.turned(sitters.hopper(), 15))
    pairs = sorted([cosine(one, other), cosine(one, third), cosine(other, third)])
    assert baseline([one, other, third]) == pytest.approx(pairs[1])


def test_the_majority_is_whoever_is_on_more_than_half() -> None:
    hopper, collins = embedded(sitters.hopper()), embedded(sitters.collins())
    assert majority([]) is None
    assert majority([hopper]) == (0,)
    assert majority([hopper, collins]) is None
    assert majority([collins, hopper, hopper]) == (1, 2)
    assert majority([hopper, collins, hopper, collins]) is None


def test_one_lookalike_photo_does_not_chain_two_people_together() -> None:
    hopper, collins = embedded(sitters.hopper()), embedded(sitters.collins())
    between = towards(hopper, collins, 0.5)  # alike enough to either, while they are strangers
    assert cosine(between, hopper) > embedding.SAME_PERSON
    assert cosine(between, collins) > embedding.SAME_PERSON
    together = majority([hopper, hopper, collins, collins, between])
    assert together in ((0, 1, 4), (2, 3, 4))


def test_a_second_recogniser_agrees_to_the_bit() -> None:
    photo = sitters.collins()
    again = Recogniser()
    assert np.array_equal(embedded(photo), again.embed(photo, again.find(photo)[0]))


@pytest.mark.parametrize("photo", [sitters.hopper(), sitters.collins()])
@pytest.mark.parametrize("lean_deg", [-38, 38])
def test_a_leaning_head_is_measured_upright(photo: sitters.RGB, lean_deg: float) -> None:
    """A lean alone must not make a stranger: portraits are drawn upright, and compared with this embedding."""
    height, width = photo.shape[:2]
    between = tuple(sitters.landmarks(photo)[168, :2].tolist())
    turn = cv2.getRotationMatrix2D(between, lean_deg, 1)
    leaning = np.asarray(cv2.warpAffine(photo, turn, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    straight, leant = sitters.look(photo), sitters.look(leaning)
    assert isinstance(straight, Selfie)
    assert isinstance(leant, Selfie)
    assert cosine(straight.face.embedding, leant.face.embedding) > 0.9
    assert cosine(straight.face.embedding, embedded(leant.rgb)) < 0.85, "as it stands it would be a stranger"
