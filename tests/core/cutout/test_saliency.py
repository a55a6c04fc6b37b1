"""Claims about U²-Net: it knows the sitter where they stand, and decides where our parser is unsure."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from core import frame
from core.cutout import parser, saliency
from core.cutout.nets import SIZE
from core.cutout.parser import Parser
from core.cutout.parts import HALF, PARTS_SIZE
from core.cutout.saliency import Saliency, with_saliency
from core.face.landmarks import fill
from core.face.mesh import FACE_OVAL
from core.types import F32, U8, FaceMap


def half(face: FaceMap) -> F32:
    return (face.transform * np.float32(HALF)).astype(np.float32)


class Red:
    """A net that answers with the red it was given, once its preparation is undone."""

    def __init__(self, scale: float = 1.0) -> None:
        self.asked: list[F32] = []
        self.scale = scale

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="in")]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="first"), SimpleNamespace(name="coarse")]

    def run(self, names: list[str], given: dict[str, F32]) -> list[F32]:
        assert names == ["first"], "the first output is the finest"
        self.asked.append(given["in"])
        return [(given["in"][:, :1] * 0.229 + 0.485) * self.scale]


@pytest.mark.parametrize(("zoom", "roll"), [(0.3, 0.0), (0.5, 10.0), (1.0, 0.0), (1.6, -10.0)])
def test_its_answer_lies_where_the_photo_does(zoom: float, roll: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a tenth of a pixel, against the picture that our parser is given."""
    width, height = round(1331 / zoom), round(1664 / zoom)
    waves = np.random.default_rng(0).random((height, width), np.float32)
    waves = cv2.GaussianBlur(waves, (0, 0), 25 / zoom)
    waves = (waves - waves.min()) / (waves.max() - waves.min())
    photo = np.zeros((height, width, 3), np.uint8)
    photo[..., 0] = np.round(waves * 255)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), roll, zoom * HALF)
    turn[:, 2] += (PARTS_SIZE[0] / 2 - width / 2, PARTS_SIZE[1] / 2 - height / 2)
    net = Red()
    monkeypatch.setattr(Saliency, "_session", net)
    found = Saliency().person(photo, turn.astype(np.float32))
    given, _ = frame.framed(photo, turn.astype(np.float32), *PARTS_SIZE)
    wanted = cv2.resize(given, SIZE, interpolation=cv2.INTER_AREA)[..., 0] / np.float32(255)

    def off(x: float, y: float) -> float:
        moved = cv2.warpAffine(found, np.array([[1, 0, x], [0, 1, y]], np.float32), SIZE)
        return float(np.corrcoef(moved[20:-20, 20:-20].ravel(), wanted[20:-20, 20:-20].ravel())[0, 1])

    steps = np.arange(-4, 5) / 10
    best = max(((x, y) for x in steps for y in steps), key=lambda at: off(*at))
    assert max(abs(best[0]), abs(best[1])) < 0.11
    assert net.asked[0].shape == (1, 3, 320, 320)
    assert net.asked[0][0, 1].max() == pytest.approx(-0.456 / 0.224), "no green, relative to ImageNet's"
    brightest = net.asked[0][0, 0].max() * 0.229 + 0.485
    assert brightest == pytest.approx(1), "the brightest is one"


def test_where_it_sees_nothing_it_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Saliency, "_session", Red(scale=0.3))
    photo = np.random.default_rng(0).integers(0, 255, (400, 300, 3), np.uint8)
    assert np.all(Saliency().person(photo, np.array([[1, 0, 0], [0, 1, 0]], np.float32)) == 0.5)


def test_it_knows_the_face_from_a_wall(collins_map: FaceMap) -> None:
    person = Saliency().person(collins_map.selfie.rgb, half(collins_map))
    assert person.shape == SIZE[::-1]
    face = fill((SIZE[1], SIZE[0]), collins_map.landmarks[:, :2] * np.float32(HALF / 2), FACE_OVAL)
    assert person[face].mean() > 0.95
    assert person[:40, :30].max() < 0.1, "the backdrop beside her head"


def test_a_photo_smaller_than_the_frame_goes_on_at_its_border(collins_map: FaceMap) -> None:
    """A telephone's crop ends beside the ears; nothing is read from beyond the photo."""
    points = collins_map.selfie.face.landmarks
    left, right = int(points[:, 0].min()), int(points[:, 0].max())
    cropped = np.ascontiguousarray(collins_map.selfie.rgb[:, left:right])
    transform = half(collins_map)
    transform[:, 2] += transform[:, 0] * left
    person = Saliency().person(cropped, transform)
    eyes = (collins_map.landmarks[[468, 473], :2] * np.float32(HALF / 2)).round().astype(int)
    assert all(person[y, x] > 0.95 for x, y in eyes)
    at_eyes = person[eyes[0, 1], :6]
    assert at_eyes.min() > 0.3, "what is cut off beside the eyes is her too"


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
    assert told[0, 0, 0] == pytest.approx(49**saliency.TRUSTED / (1 + 49**saliency.TRUSTED))
    assert 0.9 < told[0, 0, 0] < 0.95, "less than its own certainty"
    assert np.allclose(told[:, 0, 1], probabilities[:, 0, 1])
    assert told[0, 0, 2] < 0.1
    assert np.allclose(told[1] / told[2], 3)
    sure = np.array([0.999, 0.001, 0, 0, 0], np.float32)[:, None, None]
    assert with_saliency(sure, np.ones((1, 1), np.float32))[0, 0, 0] > 0.95, "our own certainty is worth more"


def test_it_is_asked_about_unsure_photos_alone_and_decides_there(
    collins_map: FaceMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def denied(self: Saliency, photo: U8, transform: F32) -> F32:
        """Say that nothing left of her face is her."""
        asked.append(transform)
        edge = round(float(collins_map.landmarks[:, 0].min() * HALF / 2)) - 4
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
    assert np.array_equal(asked[0], half(collins_map))
    assert after.unsure == before.unsure, "what our parser cannot tell is told of it alone"
    left = np.s_[:, : round(float(collins_map.landmarks[:, 0].min() * HALF)) - 16]
    assert after.person[left].sum() < 0.98 * before.person[left].sum()


def test_threads_that_open_it_at_once_open_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The three looks of a worker begin together; each session would hold 180 MB."""
    opened = []

    def slowly() -> object:
        opened.append(1)
        time.sleep(0.05)
        return Red()

    monkeypatch.setattr(Saliency, "_session", None)
    monkeypatch.setattr(saliency, "_opened", slowly)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: Saliency(), range(3)))
    assert len(opened) == 1
