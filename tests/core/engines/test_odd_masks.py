"""No mask, however odd, takes a stage of the CPU engine or of the judge out of its arrays."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings

from core.engines.redress import generate
from core.engines.redress.neck import throat_of, up_to_collar, within_collar, without_ledges
from core.engines.redress.skin import pores
from core.engines.sdxl.engine import figure_of
from core.judge import outline, skin
from core.scene.neck_tone import toned
from core.scene.stage import Choice, Setup, set_up
from core.scene.style import load
from core.types import F32, Body, Cutout, FaceMap
from tests.odd_masks import Mask, any_masks, odd_masks

HEIGHT, WIDTH = 288, 512
SCALE = 0.5
"""The torso's part of a print of 512 x 640."""
BODY = Body(neck_x=512, neck_width=190, collar_y=945, chin_y=858, shoulder_y=900, left=-9, right=1033)
SKIN = np.random.default_rng(0).random((HEIGHT, WIDTH, 3), np.float32)


@given(any_masks(HEIGHT, WIDTH), any_masks(HEIGHT, WIDTH))
@settings(max_examples=40, deadline=None)
def test_grown_skin_is_drawn_beside_any_bare_skin(sure: Mask, head: Mask) -> None:
    grain = pores(SKIN, sure, SCALE, 1)
    assert grain.shape == sure.shape
    assert np.abs(grain).max() <= 0.3
    skin = toned(SKIN, sure, SKIN[::8, ::8])
    assert 0 <= skin.min() <= skin.max() <= 1
    throat = throat_of(BODY, head, SCALE)
    neck = up_to_collar(throat, sure, head, BODY, SCALE)
    assert (neck >= throat).all()
    assert neck.max() <= 1
    window = within_collar(sure, throat * (sure < 0.5), head, BODY, SCALE)
    assert 0 <= window.min() <= window.max() <= 1
    for turn in (-9.0, 0.0):
        even = without_ledges(neck, head, throat, sure, sure * 0.5, head * 0.5, BODY, turn, SCALE)
        assert even.shape == neck.shape
        assert 0 <= even.min() <= even.max() <= 1


@given(any_masks(HEIGHT, WIDTH))
@settings(max_examples=20, deadline=None)
def test_a_neck_is_found_under_any_head_for_a_body_beyond_the_frame(head: Mask) -> None:
    for y in (-300.0, 400.0, 1279.0, 1600.0):
        body = replace(BODY, collar_y=y + 80, chin_y=y, neck_x=y)
        throat = throat_of(body, head, SCALE)
        assert np.isfinite(throat).all()
        assert 0 <= throat.min() <= throat.max() <= 1


@given(any_masks(HEIGHT, WIDTH), any_masks(HEIGHT, WIDTH))
@settings(max_examples=40, deadline=None)
def test_the_judge_measures_any_layers(head: Mask, other: Mask) -> None:
    rgb = np.round(SKIN * 255).astype(np.uint8)
    first, second = (np.round(mask * 255).astype(np.uint8) for mask in (head, other))
    assert np.isfinite(outline.halo(SKIN[..., 0], first, second))
    assert 0 <= outline.straight_edge(first, second, np.array([[200, 90], [295, 90]], np.float32)) < HEIGHT
    assert 0 <= outline.enclosed_backdrop(np.maximum(first, second), np.array([WIDTH / 2, 0], np.float32), 95) < 100
    for measured in (
        skin.neck_against_face(rgb, head > 0.5, other > 0.5),
        skin.cast_of(rgb, other > 0.5),
    ):
        assert measured is None or np.isfinite(measured).all()


class UpscalerAlone:
    """Stands for the nets where only Real-ESRGAN is asked."""

    skin_shrink = 1

    def upscale(self, rgb: F32) -> F32:
        return cv2.resize(rgb, None, fx=4, fy=4)


@pytest.fixture(scope="module")
def setup(collins_map: FaceMap, collins_cutout: Cutout) -> Setup:
    return set_up(collins_map, collins_cutout, load("founder"), Choice(), 0, 1, 0.3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "neck"),
    [("empty", "full"), ("full", "empty"), ("empty", "empty"), ("pixel in the last row and last column", "full"),
     ("band at the left", "band at the bottom"), ("band at the top", "band at the right")],
)  # fmt: skip
def test_any_head_and_neck_are_dressed(head: str, neck: str, setup: Setup) -> None:
    masks = odd_masks(*setup.layers.head.shape)
    first, second = (np.round(masks[kind] * 255).astype(np.uint8) for kind in (head, neck))
    odd = replace(setup, layers=replace(setup.layers, head=first, neck=second))
    torso = np.full((72, 128, 5), 0.5, np.float32)
    assert np.isfinite(generate.conditioning(odd)).all()
    layers = generate.dress(odd, torso, UpscalerAlone())  # type: ignore[arg-type]
    assert layers.sitter.shape == setup.layers.sitter.shape
    assert np.isfinite(figure_of(layers)).all()
