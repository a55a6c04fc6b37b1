"""Claims about U²-Net: it knows the sitter where they stand, and decides where our parser is unsure."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.cutout import parser
from core.cutout.nets import SIZE
from core.cutout.parser import Parser
from core.cutout.saliency import SUREST, Saliency, with_saliency
from core.face.landmarks import fill
from core.face.mesh import FACE_OVAL
from core.frame import PRINT
from core.models import Models
from core.types import F32, U8, FaceMap

SMALL = np.float32(SIZE[0] / PRINT[0])


def test_it_knows_the_face_from_a_wall_and_follows_the_frame(collins_map: FaceMap) -> None:
    photo, transform = collins_map.selfie.rgb, (collins_map.transform * SMALL).astype(np.float32)
    person = Saliency().person(photo, transform)
    assert person.shape == SIZE[::-1]
    face = fill((SIZE[1], SIZE[0]), collins_map.landmarks[:, :2] * SMALL, FACE_OVAL)
    assert person[face].mean() > 0.95
    assert person[:40, :30].max() < 0.1, "the backdrop beside her head"
    shifted = transform + np.array([[0, 0, 20], [0, 0, -12]], np.float32)
    there = Saliency().person(photo, shifted)
    both = np.array([[1, 0, 20], [0, 1, -12]], np.float32)
    moved = cv2.warpAffine(person, both, SIZE, borderMode=cv2.BORDER_REPLICATE)
    inner = np.s_[12:-24, 24:-4]
    assert (((there > 0.5) ^ (moved > 0.5))[inner]).mean() < 0.02


def test_a_photo_smaller_than_the_frame_goes_on_at_its_border(collins_map: FaceMap) -> None:
    """A telephone's crop ends beside the ears; nothing is read from beyond the photo."""
    points = collins_map.selfie.face.landmarks
    left, right = int(points[:, 0].min()), int(points[:, 0].max())
    cropped = np.ascontiguousarray(collins_map.selfie.rgb[:, left:right])
    transform = collins_map.transform.copy()
    transform[:, 2] += transform[:, 0] * left
    person = Saliency().person(cropped, (transform * SMALL).astype(np.float32))
    eyes = (collins_map.landmarks[[468, 473], :2] * SMALL).round().astype(int)
    assert all(person[y, x] > 0.95 for x, y in eyes)
    assert np.abs(person[:, 0] - person[:, 6]).mean() < 0.02


@pytest.mark.parametrize("shape", [(1, 1), (3, 800), (700, 2)])
def test_a_sliver_of_a_photo_has_an_answer(shape: tuple[int, int]) -> None:
    far = np.array([[1, 0, 500], [0, 1, -900]], np.float32)
    person = Saliency().person(np.zeros((*shape, 3), np.uint8), far)
    assert person.shape == SIZE[::-1]
    assert np.isfinite(person).all()


def test_two_witnesses_are_surer_than_one_and_the_parts_keep_their_shares() -> None:
    probabilities = np.array([0.5, 0.3, 0.1, 0.1, 0.0], np.float32)[:, None, None] * np.ones((5, 1, 3), np.float32)
    told = with_saliency(probabilities, np.array([[0.0, 0.5, 1.0]], np.float32))
    assert np.allclose(told.sum(axis=0), 1)
    assert told[0, 0, 0] > 0.9
    assert np.allclose(told[:, 0, 1], probabilities[:, 0, 1])
    assert told[0, 0, 2] < 0.1
    assert np.allclose(told[1] / told[2], 3)
    sure = np.array([0.999, 0.001, 0, 0, 0], np.float32)[:, None, None]
    assert with_saliency(sure, np.ones((1, 1), np.float32))[0, 0, 0] > 0.95, "our own certainty is worth more"
    assert SUREST > 0


def test_it_is_asked_about_unsure_photos_alone_and_decides_there(
    collins_map: FaceMap, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def denied(self: Saliency, photo: U8, transform: F32) -> F32:
        """Say that nothing left of her face is her."""
        asked.append(photo.shape)
        edge = round(float(collins_map.landmarks[:, 0].min() * SMALL)) - 4
        person = np.ones(SIZE[::-1], np.float32)
        person[:, :edge] = 0
        return person

    monkeypatch.setattr(Saliency, "person", denied)
    monkeypatch.setattr(parser, "ASKED_FROM", 0.3)
    before = Parser().parse(collins_map)
    assert 0.1 < before.unsure < 0.3
    assert not asked
    monkeypatch.setattr(parser, "ASKED_FROM", 0.1)
    again = replace(collins_map, selfie=replace(collins_map.selfie, rgb=collins_map.selfie.rgb.copy()))
    after = Parser().parse(again)
    assert len(asked) == 1
    assert after.unsure == before.unsure, "what our parser cannot tell is told of it alone"
    left = np.s_[:, : round(float(collins_map.landmarks[:, 0].min() * 0.5)) - 16]
    assert after.person[left].sum() < 0.98 * before.person[left].sum()
