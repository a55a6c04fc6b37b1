"""Claims about glare: it follows how hard a photo was processed, brings blacks up to the room's and spares cloth."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.cutout.cutout import cut_out
from core.edit.recipe import develop
from core.face.constancy import HARD_LIGHT
from core.models import Models
from core.scene.glare import MOST, ON_CLOTH, ON_FACE, TEXTURE, add_glare, glare_for, texture_of
from core.scene.stage import Choice, look_of, set_up
from core.scene.style import load
from core.types import U8, Cutout, FaceMap, Layers, Recipe


def processed(rgb: U8, amount: float) -> U8:
    """Sharpen a photo as a phone does: its difference from a blurred one is added to it."""
    photo = rgb.astype(np.float32)
    return np.clip(photo + amount * (photo - cv2.GaussianBlur(photo, (0, 0), 3)), 0, 255).astype(np.uint8)


def test_a_photo_that_was_sharpened_hard_has_more_texture_and_gets_glare(
    collins_map: FaceMap, collins_cutout: Cutout, models: Models
) -> None:
    before = texture_of(collins_map, collins_cutout)
    selfie = replace(collins_map.selfie, rgb=processed(collins_map.selfie.rgb, 3.0))
    hard = replace(collins_map, selfie=selfie)
    cutout = cut_out(hard, models.parser)
    assert texture_of(hard, cutout) > 1.5 * before
    soft = replace(hard, selfie=replace(selfie, rgb=cv2.GaussianBlur(selfie.rgb, (0, 0), 6)))
    assert texture_of(soft, cutout) < TEXTURE[0]
    assert (glare_for(soft, cutout), glare_for(hard, cutout)) == (0.0, MOST)


@pytest.mark.parametrize(("style", "note", "has"), [("founder", "", True), ("founder", HARD_LIGHT, False),
                                                    ("anime", "", False), ("noir", "", False)])  # fmt: skip
def test_greys_and_drawings_have_none(
    collins_map: FaceMap, collins_cutout: Cutout, style: str, note: str, has: bool
) -> None:
    selfie = replace(collins_map.selfie, rgb=processed(collins_map.selfie.rgb, 3.0), notes=(note,) if note else ())
    made = set_up(replace(collins_map, selfie=selfie), collins_cutout, load(style), Choice(), 0, 5, 0.3).settings
    assert (made["glare"] > 0) is has
    assert look_of(made, 5).glare == made["glare"]
    assert look_of({**made, "drawn_anew": True}, 5).glare == 0, "the net drew what stands in the photo's place"
    del made["glare"]
    assert look_of(made, 5).glare == 0, "a recipe of before has none"


def test_blacks_come_up_and_cloth_even_light_and_what_stands_behind_stay() -> None:
    picture = np.full((320, 256, 3), 0.5, np.float32)
    picture[100:200, 60:120] = 0.0  # black hair
    picture[220:, 130:] = 0.0  # a black jacket
    cloth = np.zeros((320, 256), np.float32)
    cloth[220:, 130:] = 1
    picture[:60, :60] = 0.0  # a black backdrop
    figure = np.ones_like(cloth)
    figure[:60, :60] = 0
    made = picture.copy()
    face = np.zeros_like(cloth)
    add_glare(made, MOST, figure, cloth, face)
    assert made[:60, :60].max() == 0
    assert 0.4 * MOST < made[105, 65, 0] / 0.5 < MOST, "beside the light"
    assert 0 < made[150, 90, 0] < 0.5 * made[105, 65, 0]
    alone = picture.copy()
    face[140:160, 80:100] = 1
    add_glare(alone, MOST, figure, np.zeros_like(cloth), face)
    assert alone[150, 90, 0] == pytest.approx(ON_FACE * made[150, 90, 0], rel=0.01)
    assert made[230, 140, 0] == pytest.approx(ON_CLOTH * alone[230, 140, 0], rel=0.01)
    assert made[60, 200, 0] == pytest.approx(0.5, rel=0.01)
    assert made.min() >= 0


def test_a_recipe_with_glare_lifts_the_blacks_of_hair_and_hardly_the_garment_s(
    small_layers: Layers, small_recipe: Recipe
) -> None:
    black = np.full_like(small_layers.garment, 5)
    black[..., 3] = small_layers.garment[..., 3]
    layers = replace(small_layers, sitter=np.full_like(small_layers.sitter, 5), garment=black)
    without, with_it = (
        develop(layers, replace(small_recipe, settings={**small_recipe.settings, "glare": amount})).astype(int)
        for amount in (0.0, MOST)
    )
    lifted = (with_it - without).mean(axis=-1)
    jacket = (layers.garment[..., 3] == 255) & (layers.head == 0)
    assert lifted[layers.head == 255].mean() > 3
    assert lifted[jacket].mean() < 0.5 * lifted[layers.head == 255].mean()
