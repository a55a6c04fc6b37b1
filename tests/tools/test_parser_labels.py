"""Claims about what the parser is taught: labels mended by rule and by hand, alpha read off plain backdrops."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from core.cutout.nets import CLASSES
from core.face.mesh import CHIN
from tests.made_people import FACE, SKIN_RGB, SaysCloth, drawn_person, ellipse, made_records, mesh
from tools import parser_labels, parser_pictures
from tools.parser_labels import (
    CLOTHES,
    HAIR,
    HAT,
    HEIGHT,
    SKIN,
    WIDTH,
    Record,
    corrected,
    headed,
    mend,
    outlined,
    unpack,
    with_backdrop,
    within,
)
from tools.parser_pack import plain_alpha
from tools.parser_pictures import Pictures


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return made_records()


def test_clothes_inside_the_oval_become_skin() -> None:
    rgb, label = drawn_person()
    x, y, *_ = FACE
    label[:, y + 10 : y + 40, x - 15 : x + 15] = np.array([0, 0, 1], np.float32)[:, None, None]
    mended = mend(label, rgb, mesh())
    inside = ellipse((x, y), (35, 50)) > 0
    assert mended[CLOTHES][inside].max() == 0
    assert mended[SKIN][inside & (np.arange(320)[:, None] > y)].min() == pytest.approx(1)


@pytest.mark.parametrize(("side", "becomes"), [(6, HAIR), (40, HAT)])
def test_a_little_cloth_above_the_brows_is_hair_and_much_is_a_hat(side: int, becomes: int) -> None:
    rgb, label = drawn_person()
    label[:, 62 : 62 + side, 128 - side : 128 + side] = np.array([0, 0, 1], np.float32)[:, None, None]
    mended = mend(label, rgb, mesh())
    assert mended[becomes, 64, 128] == pytest.approx(1)
    assert mended[CLOTHES, : int(150 - 0.45 * 62)].max() == 0


def test_skin_below_the_chin_in_the_jacket_s_colour_becomes_clothes() -> None:
    rgb, label = drawn_person()
    jacket = np.s_[240:, 60:100]
    label[SKIN][jacket], label[CLOTHES][jacket] = 1, 0
    mended = mend(label, rgb, mesh())
    assert mended[CLOTHES][280, 80] == pytest.approx(1)
    assert mended[SKIN][280, 80] == pytest.approx(0)


def test_inside_an_outline_is_skin_and_the_rest_of_the_body_below_the_jaw_is_clothes() -> None:
    rgb, label = drawn_person()
    parts = with_backdrop(mend(label, rgb, mesh()))
    points = mesh()
    jaw = int(points[CHIN, 1] - parser_labels.JAW * parser_labels.IOD)
    collar = jaw + 60
    drawn = outlined(parts, points, [[(110, jaw - 20), (146, jaw - 20), (146, collar), (110, collar)]])
    assert np.allclose(drawn.sum(axis=0), 1, atol=1e-4)
    assert np.array_equal(drawn[:, :jaw], parts[:, :jaw]), "the face keeps its label"
    assert drawn[1 + SKIN, collar - 8, 128] > 0.99
    assert drawn[1 + SKIN, collar + 8, 128] < 0.01
    body = parts[1 + SKIN] + parts[1 + CLOTHES]
    assert drawn[1 + CLOTHES, collar + 8, 128] == pytest.approx(body[collar + 8, 128], abs=0.01)


def test_hair_and_hat_are_what_was_outlined_and_what_else_was_called_so_is_the_face_or_lies_nearest() -> None:
    _, label = drawn_person()
    x, y, across, _ = FACE
    label[HAIR, 20:60, 10:60] = 1  # a lamp that was taken for hair
    label[HAIR, y - 10 : y + 10, x - 20 : x + 20], label[SKIN, y - 10 : y + 10, x - 20 : x + 20] = 1, 0
    parts = with_backdrop(np.concatenate([label, np.zeros_like(label[:1])]))

    def box(left: int, top: int, right: int, bottom: int) -> list[tuple[int, int]]:
        return [(2 * u, 2 * v) for u, v in ((left, top), (right, top), (right, bottom), (left, bottom))]

    outlines = {
        "hair": [box(60, 60, 196, 200)],
        "out": [box(x - across + 10, 110, x + across - 10, 200)],
        "hat": [box(50, 30, 206, 80)],
    }
    drawn = headed(parts, mesh(), outlines)
    assert np.allclose(drawn.sum(axis=0), 1, atol=1e-3)
    assert drawn.min() > -1e-6
    assert drawn[1 + HAT, 40:72, 60:196].min() > 0.99, "where the label had backdrop too"
    assert drawn[1 + HAIR, 88:150, 66 : x - across].min() > 0.99
    assert drawn[0, 24:28, 14:40].min() > 0.99, "the lamp"
    assert drawn[1 + SKIN, y - 8 : y + 8, x - 18 : x + 18].min() > 0.99, "hair in the middle of the face"
    assert np.allclose(drawn[:, 240:, :], parts[:, 240:, :], atol=1e-3), "the clothes keep their label"


def test_every_head_s_outline_is_hair_hat_or_out_and_lies_in_the_frame() -> None:
    heads = json.loads(parser_labels.HEADS.read_text())
    assert len(heads) > 300
    for outlines in heads.values():
        assert set(outlines) == {"hair", "out", "hat"}
        for outline in [outline for kind in outlines.values() for outline in kind]:
            corners = np.array(outline)
            assert len(corners) > 2
            assert (corners >= 0).all()
            assert (corners <= (2 * WIDTH, 2 * HEIGHT)).all()


def test_inside_an_outline_of_a_fix_is_its_class_later_ones_over_earlier_and_all_else_keeps_its_label() -> None:
    _, label = drawn_person()
    parts = with_backdrop(np.concatenate([label, np.zeros_like(label[:1])]))
    wall = [(20, 20), (220, 20), (220, 140), (20, 140)]
    drawn = corrected(parts, [("clothes", wall), ("backdrop", [(x // 2 + 40, y // 2 + 20) for x, y in wall])])
    assert np.allclose(drawn.sum(axis=0), 1, atol=1e-5)
    assert drawn[1 + CLOTHES, 14:66, 14:22].min() > 0.99
    assert drawn[0, 20:42, 32:70].min() > 0.99
    assert np.array_equal(drawn[:, 90:], parts[:, 90:])
    assert np.array_equal(corrected(parts, []), parts)


def test_every_fix_names_a_class_and_lies_in_the_frame_and_some_are_held_out() -> None:
    for kind, outline in [fix for of_face in parser_labels.fixes().values() for fix in of_face]:
        corners = np.array(outline)
        assert kind in CLASSES
        assert len(corners) > 2
        assert (corners >= 0).all()
        assert (corners <= (2 * WIDTH, 2 * HEIGHT)).all()
    drawn = {name for name, of_face in parser_labels.fixes().items() if of_face}
    assert len(drawn) > 400
    assert parser_labels.fixes_held() < drawn
    assert len(parser_labels.fixes_held()) == 67


def test_a_fixed_face_is_taught_what_the_teacher_says_but_for_what_a_hand_set_right(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    square = [(20, 20), (120, 20), (120, 140), (20, 140)]
    named = [replace(each, name=f"{place}.jpg", held=False) for place, each in enumerate(records)]
    drawn = {name: [("hair", square)] for name in ("0", "1", "2")}
    for module in (parser_labels, parser_pictures):
        monkeypatch.setattr(module, "fixes", lambda: drawn)
        monkeypatch.setattr(module, "fixes_held", lambda: frozenset({"1"}))

    jaw = mesh()[CHIN, 1] - parser_labels.JAW * parser_labels.IOD
    neck = [(110, jaw - 20), (146, jaw - 20), (146, jaw + 60), (110, jaw + 60)]
    hat = [(300, 20), (400, 20), (400, 60), (300, 60)]
    for module in (parser_labels, parser_pictures):
        monkeypatch.setattr(module, "necks", lambda: {"2": [neck]})
        monkeypatch.setattr(module, "heads", lambda: {"2": {"hat": [hat]}})
    pictures = Pictures(named, "cpu", SaysCloth())
    assert pictures.trained.tolist() == [0, 2, 3]
    assert pictures.parts[2, 2, round(jaw) + 10 : round(jaw) + 50, 118:138].min() > 250, "an outlined neck stays skin"
    face = pictures.parts[2].float() / 255
    assert face[4, 14:26, 154:196].min() > 0.94, "an outlined hat stays a hat"
    assert face[1, 16:64, 16:54].min() > 0.98
    assert face[3, 100 : round(jaw) - 30, :60].min() > 0.98
    plain = Pictures(records, "cpu")
    assert (pictures.parts[0, 0].int() - plain.parts[0, 0].int()).abs().max() < 3, "an exact edge stays"


def test_every_outline_lies_in_the_frame_below_the_nose_and_no_listed_person_is_named_twice() -> None:
    necks = json.loads(parser_labels.NECKS.read_text())
    assert len(necks) > 100
    corners = np.array([corner for outlines in necks.values() for outline in outlines for corner in outline])
    assert corners.min(axis=0)[1] > HEIGHT * 0.4
    assert (corners <= (WIDTH, HEIGHT)).all()


def test_where_the_teacher_says_the_opposite_a_face_has_no_label_and_a_portrait_keeps_its_own(
    records: list[Record],
) -> None:
    before = Pictures(records, "cpu")

    after = Pictures(records, "cpu", SaysCloth())
    face = int(torch.nonzero(~before.portrait)[0, 0])
    portrait = int(torch.nonzero(before.portrait)[0, 0])
    skin = before.parts[face, 2] > 250
    assert (after.parts[face, 2][skin].float() - 127).abs().max() < 6
    assert torch.equal(after.parts[portrait], before.parts[portrait])


@pytest.mark.parametrize(
    ("back", "read"),
    [((150, 180, 120), True), ((70, 45, 35), False), (None, False)],
    ids=["plain", "in the hair's colour", "busy"],
)
def test_alpha_is_read_off_a_plain_backdrop_of_any_colour_that_is_not_the_hair_s(
    back: tuple[int, int, int] | None, read: bool
) -> None:
    rgb, label = drawn_person()
    large, figure = cv2.resize(rgb, parser_labels.LARGE), cv2.resize(label.sum(axis=0), parser_labels.LARGE)
    coarse = cv2.GaussianBlur(figure, (0, 0), 4)
    true = cv2.GaussianBlur(figure, (0, 0), 1.5)
    rng = np.random.default_rng(0)
    shade = np.linspace(0.9, 1.1, large.shape[0])[:, None, None]
    behind_it = rng.uniform(0, 255, large.shape) if back is None else np.array(back) * shade
    photo = (large * figure[..., None] + (1 - figure[..., None]) * np.array(SKIN_RGB)) * true[..., None]
    photo = np.clip(photo + behind_it * (1 - true[..., None]), 0, 255).astype(np.uint8)
    reached = np.ones(figure.shape, bool)
    reached[:, :20] = False
    found = plain_alpha(photo, coarse, reached)
    assert (found is not None) is read
    if found is not None:
        alpha, clear = found
        trusted = (clear > 0.5) & (np.arange(len(alpha))[:, None] < 300)
        assert not trusted[:, :20].any()
        assert np.abs(alpha - true)[trusted].mean() < 0.01


def test_classes_sum_to_one_with_and_without_an_exact_alpha() -> None:
    rgb, label = drawn_person()
    parts = with_backdrop(mend(label, rgb, mesh()))
    assert np.allclose(parts.sum(axis=0), 1, atol=1e-5)
    alpha = cv2.GaussianBlur(1 - parts[0], (0, 0), 3)
    exact = within(parts, alpha)
    assert np.allclose(exact[0], 1 - alpha)
    assert np.allclose(exact.sum(axis=0), 1, atol=0.02)


def test_a_pack_comes_back_as_it_was_written(records: list[Record], tmp_path: Path) -> None:
    parser_labels.write(records, tmp_path / "pack.pt")
    back = parser_labels.read(tmp_path / "pack.pt")
    assert [(r.name, r.portrait, r.held, r.alpha is None) for r in back] == [
        (r.name, r.portrait, r.held, r.alpha is None) for r in records
    ]
    assert np.array_equal(unpack(back[0]).parts, unpack(records[0]).parts)
