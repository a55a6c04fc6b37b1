"""Masks that no photo was expected to give: empty, full, one pixel, a band along a border."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Mask = NDArray[np.float32]


def odd_masks(height: int, width: int) -> dict[str, Mask]:
    """One of each kind, (height, width) float32 of 0 and 1."""
    masks = {"empty": np.zeros((height, width), np.float32), "full": np.ones((height, width), np.float32)}
    ends = {"first": 0, "middle": None, "last": -1}
    for row, y in ends.items():
        for column, x in ends.items():
            mask = np.zeros((height, width), np.float32)
            mask[height // 2 if y is None else y, width // 2 if x is None else x] = 1
            masks[f"pixel in the {row} row and {column} column"] = mask
    bands: dict[str, Any] = {
        "top": np.s_[: height // 3],
        "bottom": np.s_[-height // 3 :],
        "left": np.s_[:, : width // 3],
    }
    for border, part in {**bands, "right": np.s_[:, -width // 3 :]}.items():
        mask = np.zeros((height, width), np.float32)
        mask[part] = 1
        masks[f"band at the {border}"] = mask
    return masks


@st.composite
def any_masks(draw: st.DrawFn, height: int, width: int) -> Mask:
    """One of the odd ones, or a rectangle anywhere, over the border too, hard or soft."""
    if draw(st.booleans()):
        return draw(st.sampled_from(list(odd_masks(height, width).values()))).copy()
    top, left = draw(st.integers(-height, height)), draw(st.integers(-width, width))
    mask = np.zeros((height, width), np.float32)
    tall, wide = draw(st.integers(1, 2 * height)), draw(st.integers(1, 2 * width))
    mask[max(0, top) : max(0, top + tall), max(0, left) : max(0, left + wide)] = draw(st.sampled_from([0.3, 0.8, 1.0]))
    return mask
