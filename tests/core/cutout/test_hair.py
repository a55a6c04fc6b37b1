"""Claims about hair at its lower end: where it is carried on, in which colours, and where the photo cuts it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.cutout.body import figure_of
from core.cutout.hair import Hair, layer_hair, less, without_fringe
from core.models import Models
from core.types import F32, FaceMap


@pytest.mark.parametrize("hidden", [True, False])
def test_hair_is_carried_on_only_below_what_hides_its_end(hidden: bool, collins_map: FaceMap, models: Models) -> None:
    parts, y = models.parser.parse(collins_map), int(collins_map.landmarks[152, 1] * 0.5)
    hair = np.zeros_like(parts.hair)
    hair[y - 80 : y + 20, 60:110] = 1
    clothes = np.full_like(parts.person, float(hidden))
    rgb = np.full((*hair.shape, 3), 0.2, np.float32)
    figure = figure_of(parts, collins_map.landmarks)
    layered = layer_hair(
        replace(parts, hair=hair, person=np.maximum(hair, clothes), valid=np.ones_like(hair)),
        rgb,
        figure,
        collins_map.landmarks,
        np.zeros_like(hair),
    )
    below = layered.back[y + 30 : y + 50, 76:100]
    assert below.min() > 0.9 if hidden else below.max() < 0.05
    assert layered.back[y + 48, 60:66].max() < 0.05, "its outer side comes in towards the neck"


def test_cloth_between_strands_and_a_thin_lock_are_not_carried_on(collins_map: FaceMap, models: Models) -> None:
    parts, y = models.parser.parse(collins_map), int(collins_map.landmarks[152, 1] * 0.5)
    hair, rgb = np.zeros_like(parts.hair), np.zeros((*parts.hair.shape, 3), np.float32)
    hair[y - 80 : y + 20, 60:110] = hair[y - 80 : y + 20, 120:126] = 1
    rgb[hair > 0] = 0.25, 0.15, 0.1
    rgb[y - 10 : y + 20, 90:110] = 0.8, 0.3, 0.1
    layered = layer_hair(
        replace(parts, hair=hair, person=np.ones_like(hair)),
        rgb,
        figure_of(parts, collins_map.landmarks),
        collins_map.landmarks,
        np.zeros_like(hair),
    )
    below = layered.back[y + 30 : y + 50]
    assert below[:, 76:86].min() > 0.9
    assert below[:, 95:130].max() < 0.05


def test_thin_hair_fades_out_above_the_photo_s_lower_border_and_thick_hair_reaches_it(
    collins_map: FaceMap, models: Models
) -> None:
    parts = models.parser.parse(collins_map)
    hair, valid, empty = np.zeros_like(parts.hair), np.ones_like(parts.hair), np.zeros_like(parts.hair)
    hair[300:500, 60:80], hair[300:500, 80:120] = 0.3, 1
    valid[500:] = 0
    cut = replace(parts, hair=hair, person=hair, head=hair, valid=valid, hat=empty, skin=empty, clothes=empty)
    made = without_fringe(cut)
    for part in (made.hair, made.person, made.head):
        assert part[490:500, 60:80].max() < 0.1
        assert np.abs(np.diff(part[:500, 70])).max() < 0.31, "it begins as it did"
        assert np.abs(np.diff(part[310:500, 70])).max() < 0.03, "no level line"
        assert (part[300:500, 80:120] == 1).all()
        assert (part[300:450, 60:80] == hair[300:450, 60:80]).all()
    layers = less(
        Hair(0.5 * hair, 0.5 * hair, np.zeros((*hair.shape, 3), np.float32), np.zeros_like(hair)), hair - made.hair
    )
    assert layers.front[490:500, 60:80].max() + layers.back[490:500, 60:80].max() < 0.1
    assert (layers.front + layers.back)[300:500, 80:120].min() == 1
    whole = replace(cut, valid=np.ones_like(valid))
    assert np.array_equal(without_fringe(whole).hair, hair), "hair that ends in the photo ends there"


def carried(rgb: F32, hair: F32, face: FaceMap, models: Models) -> Hair:
    """Layer hair (640, 512) of these colours over a body that hides how it goes on."""
    parts, none = models.parser.parse(face), np.zeros_like(hair)
    whole = replace(parts, hair=hair, person=np.ones_like(hair), valid=np.ones_like(hair))
    return layer_hair(whole, rgb, figure_of(parts, face.landmarks), face.landmarks, none)


def test_hair_is_carried_on_in_the_light_that_it_has_at_its_end(collins_map: FaceMap, models: Models) -> None:
    """Mirrored, the light of further up stood below shade, and strands met in angles along a level line."""
    y, rng = int(collins_map.landmarks[152, 1] * 0.5), np.random.default_rng(3)
    hair, rgb = np.zeros((640, 512), np.float32), np.zeros((640, 512, 3), np.float32)
    hair[y - 80 : y + 20, 60:110] = 1
    rgb[...] = (0.25 + 0.5 * np.clip((y - np.arange(640)) / 40, 0, 1))[:, None, None]  # it comes into shade downwards
    rgb[:, 60:110] += rng.normal(0, 0.03, (640, 50, 1)).astype(np.float32)
    made = carried(rgb, hair, collins_map, models)
    below, end = made.rgb[y + 24 : y + 60, 76:100], rgb[y - 8 : y + 8, 76:100]
    assert abs(float(below.mean() - end.mean())) < 0.06
    assert 0.5 < float(below.std() / end.std()) < 1.5, "its strands are there"
    assert np.abs(np.diff(below.mean(axis=(1, 2)))).max() < 0.03, "no level line"


def test_what_shines_into_the_end_of_hair_goes_over_to_its_own_colours(collins_map: FaceMap, models: Models) -> None:
    """A shoulder that the parser took for hair lay across its end as a pale band."""
    y = int(collins_map.landmarks[152, 1] * 0.5)
    hair, rgb = np.zeros((640, 512), np.float32), np.full((640, 512, 3), (0.5, 0.2, 0.1), np.float32)
    hair[y - 80 : y + 20, 60:110] = 1
    rgb[y + 15 : y + 20] = 0.6, 0.3, 0.2
    made = carried(rgb, hair, collins_map, models)
    assert made.drawn[y + 18 : y + 40, 76:100].min() > 0.8
    assert made.drawn[: y - 2].max() == 0
    assert np.abs(made.rgb[y + 16 : y + 40, 76:100] - (0.5, 0.2, 0.1)).max() < 0.04


def test_what_stands_out_beside_thick_hair_at_the_border_comes_in_to_it(collins_map: FaceMap, models: Models) -> None:
    """It was cut level there, as a corner in the air, for too little of it hangs to be carried on."""
    parts = models.parser.parse(collins_map)
    hair, valid, empty = np.zeros_like(parts.hair), np.ones_like(parts.hair), np.zeros_like(parts.hair)
    hair[300:500, 80:140], hair[485:500, 62:80] = 1, 1
    valid[500:] = 0
    cut = replace(parts, hair=hair, person=hair, head=hair, valid=valid, hat=empty, skin=empty, clothes=empty)
    made = without_fringe(cut).hair
    assert (made[300:500, 80:140] == 1).all()
    reach = [int(np.flatnonzero(made[row] > 0.5).min()) for row in (487, 491, 495, 498)]
    assert reach == sorted(reach)
    assert reach[0] < 70
    assert reach[-1] > 74
    whole = replace(cut, valid=np.ones_like(valid))
    assert np.array_equal(without_fringe(whole).hair, hair), "what ends in the photo ends there"
