"""Claims about the measure of light on necks."""

from __future__ import annotations

import numpy as np
import pytest

from core.models import Models
from core.scene.neck_tone import BELOW_CHIN, BESIDE, LIGHTNESS
from core.types import FaceMap
from tools.measure_necks import FEW, LEAST, binned, hue_of, light_of, print_hues, print_table


def test_each_place_has_the_median_light_of_the_pixels_around_it() -> None:
    rng = np.random.default_rng(1)
    below, beside = (rng.uniform(low, high, 40_000).astype(np.float32) for low, high in ((-0.5, 1.4), (0, 1.4)))
    table = binned((0.3 + 0.5 * below + 0.1 * beside).astype(np.float32), below, beside)
    assert np.isfinite(table).all()
    assert abs(table[5, 2] - (0.3 + 0.5 * BELOW_CHIN[5] + 0.1 * BESIDE[2])) < 0.02
    assert table[-1, -1] > table[0, 0]
    few = binned(below[:LEAST], 0 * below[:LEAST], 0 * below[:LEAST])
    assert np.isnan(few).all(), "too few pixels say nothing"
    assert np.isnan(binned(below, below - 9, beside)).all(), "what lies beyond the table is not in it"


def test_a_real_neck_is_darker_below_the_chin(collins_map: FaceMap, models: Models) -> None:
    table = light_of(collins_map, models.parser.parse(collins_map))
    seen = table[np.isfinite(table)]
    assert len(seen) > 3
    assert 0.02 < seen.min() < seen.max() < 1.6
    assert np.nanmedian(table[:3]) < 0.8


def test_a_real_neck_has_nearly_its_face_s_hue_in_any_light(collins_map: FaceMap, models: Models) -> None:
    """The hue is told for each lightness by itself, and where skin is as light."""
    table = hue_of(collins_map, models.parser.parse(collins_map))
    seen = np.isfinite(table).all(axis=1)
    assert table.shape == (len(LIGHTNESS), 2)
    assert seen.any()
    assert table[seen].min() > 0.25
    assert table[seen].max() < 1.6
    print_hues([table] * FEW)


def test_an_empty_folder_is_said_to_be_empty() -> None:
    with pytest.raises(SystemExit, match="0 were kept"):
        print_table([])
