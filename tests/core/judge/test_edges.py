"""Claims about a portrait's outline: what a photo's border cut, and gaps under the jaw."""

import cv2
import numpy as np
import pytest

from core.judge.realism import CUT_LIMIT, GAP_LIMIT, enclosed_backdrop, straight_top
from core.types import U8

IOD = 100.0
"""Pixels between the eyes of the made heads below."""
CHIN = np.array([256.0, 420.0], np.float32)


def _head(crown: float) -> U8:
    """An oval head of usual size: 1.5 eye distances wide to each side, its top `crown` eye distances above the eyes."""
    head = np.zeros((640, 512), np.uint8)
    cv2.ellipse(head, (256, 260), (round(1.25 * IOD), round(crown * IOD)), 0, 0, 360, 255, -1, cv2.LINE_AA)
    return head


@pytest.mark.parametrize("crown", [1.5, 1.8, 2.2])
def test_a_round_crown_is_not_called_cut(crown: float) -> None:
    assert straight_top(_head(crown)) / IOD < CUT_LIMIT


@pytest.mark.parametrize("depth", [0.15, 0.4, 0.8])
def test_a_crown_sliced_flat_is_called_cut_unless_the_frame_slices_it(depth: float) -> None:
    head = _head(1.8)
    top = int(np.flatnonzero(head.any(axis=1))[0] + depth * IOD)
    head[:top] = 0
    assert straight_top(head) / IOD > CUT_LIMIT
    assert straight_top(head[top:]) / IOD < CUT_LIMIT


def test_a_hole_under_the_jaw_is_found_and_open_backdrop_is_none() -> None:
    head, neck, garment = _head(1.6), np.zeros((640, 512), np.uint8), np.zeros((640, 512), np.uint8)
    garment[470:] = 255
    garment[400:470, :180] = garment[400:470, 332:] = 255
    neck[380:480, 200:312] = 255
    open_beside = enclosed_backdrop(head, neck, np.zeros_like(garment), CHIN, IOD)
    assert open_beside == 0
    neck[:, :] = 0
    neck[380:480, 240:272] = 255
    garment[440:470, 180:332] = 0
    assert enclosed_backdrop(head, neck, garment, CHIN, IOD) / IOD**2 > GAP_LIMIT
    neck[380:480, 160:352] = 255
    assert enclosed_backdrop(head, neck, garment, CHIN, IOD) / IOD**2 < GAP_LIMIT
