"""No mask, however odd, takes a stage of the scene out of its arrays or out of its range."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.colour import normalized_convolution
from core.scene.backdrop import Backdrop
from core.scene.compose import Look, compose, grain_of, retouch
from core.scene.lighting import Rig, exposure, inflate, relight, rim_light
from core.scene.stage import Choice, set_up
from core.scene.style import load
from core.types import Cutout, FaceMap, Layers
from tests.odd_masks import Mask, any_masks, odd_masks

HEIGHT, WIDTH = 160, 128
LOOK = Look(Backdrop("paper", (90, 100, 110)), Rig(40, rim=0.5), seed=1)
SKIN = np.random.default_rng(0).integers(60, 200, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def layers_of(head: Mask, neck: Mask, garment: Mask, chin: float = 100.0) -> Layers:
    normals = np.round(inflate(head) * 127).astype(np.int8)
    cloth = np.dstack([SKIN, np.round(garment * 255).astype(np.uint8)])
    marks = np.array([[0, 0, 5], [WIDTH, HEIGHT, 9], [-20, 400, 3]], np.float32)
    light = np.array([1, 0.3, 0, 0, 0, 0, 0, 0, 0], np.float32)
    head_alpha, neck_alpha = (np.round(mask * 255).astype(np.uint8) for mask in (head, neck))
    return Layers(SKIN, head_alpha, neck_alpha, cloth, normals, light, marks, 1.0, 0.004, chin)


@given(any_masks(HEIGHT, WIDTH))
@settings(max_examples=60, deadline=None)
def test_surfaces_and_measures_of_any_mask_are_finite(mask: Mask) -> None:
    normals = inflate(mask)
    assert np.allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-3)
    assert 0.8 <= exposure(SKIN.astype(np.float32) / 255, mask) <= 1.35
    assert 0 <= grain_of(SKIN, mask) <= 0.010
    assert np.isfinite(rim_light(mask, normals, Rig(40, rim=1.0), WIDTH)).all()
    layers = replace(layers_of(mask, mask, mask), light=np.zeros(9, np.float32))
    for rig in (Rig(40), Rig(98, shadow=1.0, depth=0.2, catch=1.0)):
        assert np.isfinite(relight(SKIN.astype(np.float32) / 255, layers, rig, np.s_[0:HEIGHT, 0:WIDTH])).all()


@given(any_masks(HEIGHT, WIDTH), st.floats(0.5, 60))
@settings(max_examples=60, deadline=None)
def test_colours_are_carried_from_any_mask_without_leaving_their_range(known: Mask, sigma: float) -> None:
    carried = normalized_convolution(SKIN.astype(np.float32) / 255, known, sigma)
    assert carried.shape == SKIN.shape
    assert np.isfinite(carried).all()
    assert carried.min() >= 0
    assert carried.max() <= 1.001


@given(any_masks(HEIGHT, WIDTH), any_masks(HEIGHT, WIDTH), any_masks(HEIGHT, WIDTH), st.floats(-50, HEIGHT + 50))
@settings(max_examples=25, deadline=None)
def test_any_layers_are_composed(head: Mask, neck: Mask, garment: Mask, chin: float) -> None:
    layers = layers_of(head, neck, garment, chin)
    assert compose(layers, LOOK).shape == (HEIGHT, WIDTH, 3)
    assert np.isfinite(retouch(SKIN.astype(np.float32) / 255, head, layers, 1.0)).all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["empty", "full", "pixel in the last row and last column", "band at the top"])
def test_any_cutout_is_set_up(kind: str, collins_map: FaceMap, collins_cutout: Cutout) -> None:
    mask = odd_masks(*collins_cutout.head.shape)[kind]
    cutout = replace(collins_cutout, head=mask, neck=1 - mask, matte=np.ones_like(mask))
    setup = set_up(collins_map, cutout, load("office"), Choice(), 1, 3, 0.5)
    assert np.isfinite(setup.skin).all()
    assert compose(setup.layers, LOOK).shape == setup.layers.sitter.shape
