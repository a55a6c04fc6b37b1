"""The sRGB curve on whole pictures: a block at a time, what lies beside it in memory and the input as they were."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from core.colour import linear, srgb
from core.types import F32

Wide = NDArray[np.float64]


def decoded(v: Wide) -> Wide:
    """IEC 61966-2-1, in double precision."""
    return np.where(v <= 0.04045, v / 12.92, ((np.maximum(v, 0) + 0.055) / 1.055) ** 2.4)


def encoded(v: Wide) -> Wide:
    v = np.maximum(v, 0)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(("curve", "meant"), [(linear, decoded), (srgb, encoded)])
@pytest.mark.parametrize("shape", [(300, 301, 3), (1, 1, 3), (0, 3), (256,)])
def test_a_curve_is_the_standard_s_whatever_the_shape(
    curve: Callable[[F32], F32], meant: Callable[[Wide], Wide], shape: tuple[int, ...]
) -> None:
    values = np.random.default_rng(1).random(shape, np.float32) * np.float32(1.1) - np.float32(0.05)
    values[: len(values) // 2] *= np.float32(0.05)
    before = values.copy()
    made = curve(values)
    assert made.shape == shape
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, meant(values.astype(np.float64)), atol=1e-6)
    np.testing.assert_array_equal(values, before)


def test_a_curve_takes_some_channels_of_a_picture_and_leaves_the_others() -> None:
    rgba = np.random.default_rng(2).random((40, 50, 4), np.float32)
    before = rgba.copy()
    np.testing.assert_array_equal(srgb(rgba[..., :3]), srgb(np.ascontiguousarray(rgba[..., :3])))
    np.testing.assert_array_equal(rgba, before)
