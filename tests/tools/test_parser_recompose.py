"""Claims about people put together anew: labels stay exact under hats, collars, clutter and other backdrops."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from tests.made_people import BACK_RGB, drawn_person, made_records
from tools import parser_labels, parser_pictures
from tools.parser_labels import (
    Record,
)
from tools.parser_pictures import Pictures
from tools.parser_pixels import behind, composite, foreground
from tools.parser_recompose import Recomposer


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return made_records()


def test_backdrops_in_the_hair_s_colour_stand_behind_some(records: list[Record]) -> None:
    torch.manual_seed(2)
    draw = Recomposer(Pictures(records, "cpu"))
    own = draw.pictures.of(torch.zeros(40, dtype=torch.long))
    sky = torch.tensor((0.4, 0.6, 0.9)).view(3, 1, 1).expand_as(own.rgb)
    back, whose = draw._matched(sky, own.rgb, own.parts)
    whose = whose[:, 0, 0, 0] > 0
    assert 2 < whose.sum() < 16
    assert torch.allclose(back[~whose], sky[~whose])
    hair = torch.tensor((60, 40, 30)).view(3, 1, 1) / 255
    away = (back - hair).abs().amax((1, 2, 3))
    assert away[whose].min() < 0.1
    assert away[whose].median() < 0.5 < away[~whose].min()


def test_another_s_hat_covers_what_is_under_it_and_is_called_a_hat(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        parser_labels,
        "heads",
        lambda: {"2": {"hair": [], "out": [], "hat": [[(120, 80), (400, 80), (400, 180), (120, 180)]]}},
    )
    monkeypatch.setattr(parser_pictures, "heads", parser_labels.heads)
    torch.manual_seed(2)
    pictures = Pictures(records, "cpu")
    assert pictures.hats.tolist() == [2]
    draw = Recomposer(pictures)
    everybody = torch.zeros(40, dtype=torch.long)
    own = pictures.of(everybody)
    front, parts, hat = draw._hatted(own, own.rgb, own.parts)
    worn = hat.amax((1, 2, 3)) > 0.5
    assert 0 < worn.sum() < 20
    assert torch.allclose(parts.sum(1), own.parts.sum(1), atol=1e-5)
    assert parts[:, 4][hat[:, 0] > 0.99].min() > 0.98
    assert torch.equal(front[~worn], own.rgb[~worn])
    assert not torch.equal(front[worn], own.rgb[worn])


def test_what_is_put_behind_a_head_touches_its_outline_and_no_label(records: list[Record]) -> None:
    torch.manual_seed(2)
    draw = Recomposer(Pictures(records, "cpu"))
    own = draw.pictures.of(torch.zeros(40, dtype=torch.long))
    back, things = draw._cluttered(own.rgb, own.parts)
    put = things.amax((1, 2, 3)) > 0.5
    assert 4 < put.sum() < 20
    head = (own.parts[:, 1:2] + own.parts[:, 4:5] > 0.5).float()
    near = functional.max_pool2d(head, 17, 1, 8) - head
    assert ((things > 0.5) * near).sum((1, 2, 3))[put].min() > 0
    seen = ((back - own.rgb).abs().amax(1, keepdim=True) * (things > 0.9)).amax((1, 2, 3))
    assert seen[put].median() > 0.2


def test_a_collar_moves_skin_to_clothes_and_leaves_face_hair_and_backdrop(records: list[Record]) -> None:
    torch.manual_seed(2)
    pictures = Pictures(records, "cpu")
    draw = Recomposer(pictures)
    everybody = torch.zeros(12, dtype=torch.long)
    own = pictures.of(everybody)
    bare = own.parts.clone()
    bare[:, 2, 214:270, 100:156], bare[:, 3, 214:270, 100:156] = bare[:, 3, 214:270, 100:156], 0
    own = replace(own, parts=bare)
    front, parts, worn = draw._collared(own, own.rgb, own.parts, pictures.points[everybody])
    assert 0 < worn.sum() < 12
    moved = own.parts - parts
    assert moved[:, 2].min() >= 0
    assert moved[:, 2].max() > 0.9
    assert torch.allclose(moved[:, 2], -moved[:, 3], atol=1e-6)
    assert torch.equal(parts[:, [0, 1, 4]], own.parts[:, [0, 1, 4]])
    assert (moved[:, 2] * own.oval[:, 0]).max() == 0
    assert torch.equal(front[worn[:, 0, 0, 0] == 0], own.rgb[worn[:, 0, 0, 0] == 0])


def test_a_segmenter_is_asked_about_the_new_pictures(records: list[Record]) -> None:
    draw = Recomposer(Pictures(records, "cpu"), lambda rgb: torch.full_like(rgb[:, :1], 0.25))
    assert (draw.batch(3).person == 0.25).all()
    assert (draw.large_batch(2).small.person == 0.25).all()


def test_a_figure_that_covers_all_is_its_own_foreground_and_its_composite() -> None:
    torch.manual_seed(0)
    rgb, other = torch.rand(2, 1, 3, 320, 256)
    all_over = torch.ones(1, 1, 320, 256)
    front = foreground(rgb, all_over, all_over)
    assert torch.allclose(front, rgb, atol=1e-5)
    assert torch.allclose(composite(all_over, front, other), rgb, atol=1e-5)


def test_the_backdrop_is_carried_on_behind_the_figure() -> None:
    rgb, label = drawn_person()
    picture = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    alpha = torch.from_numpy(label.sum(axis=0))[None, None].clamp(0, 1)
    filled = behind(picture, alpha, torch.ones_like(alpha))
    assert torch.allclose(filled[0, :, 150, 128] * 255, torch.tensor(BACK_RGB).float(), atol=3)


def test_recomposed_labels_still_sum_to_one_and_an_exact_alpha_mixes_two_colours(records: list[Record]) -> None:
    torch.manual_seed(1)
    draw = Recomposer(Pictures(records, "cpu"))
    batch = draw.batch(8)
    assert torch.allclose(batch.parts.sum(1), torch.ones(8, 320, 256), atol=1e-3)
    assert batch.inputs().shape == (8, 6, 320, 256)
    assert batch.inputs().abs().max() <= 1
    large = draw.large_batch(2)
    assert large.rgb.shape == (2, 3, 640, 512)
    assert 0.1 < large.alpha.mean() < 0.9
