"""Claims about what the desk offers: each value is one its step takes, nothing is left out, presets replay."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.edit.crops import CROPS
from core.edit.formats import formats
from core.edit.offered import offered
from core.edit.recipe import changed, develop, edit, follow, from_dict, lineage, newest, pruned, texts_of, to_dict
from core.edit.warp import placed
from core.errors import Refused
from core.types import Portrait, Recipe

EDITS = {name: values for edits in offered().families.values() for name, values in edits.items()}
LARGE = {f"format={name}" for name, each in formats().items() if each.pixels[1] > 400}
TEXTS = sorted({f"{name}={value}" for name, values in EDITS.items() for value in values if name != "upscale"} - LARGE)
"""Edits whose pictures are small enough to be made by the hundred."""
NOT_OFFERED = {"finish", "strength"}
"""A drawn look is chosen before the shoot, and its strength by the pack that names it."""


def test_every_offered_value_is_one_its_step_takes() -> None:
    for name, values in EDITS.items():
        for value in values:
            assert newest()[name].read(value), (name, value)


def test_every_step_is_offered_and_every_format() -> None:
    assert set(EDITS) == set(newest()) - NOT_OFFERED
    assert set(EDITS["format"]) == set(formats())
    assert set(EDITS["crop"]) == set(CROPS)


def test_there_are_thirty_edits_with_two_to_four_strengths_where_they_have_any() -> None:
    assert len(EDITS) >= 30
    for name, values in EDITS.items():
        if set(values) <= {"touch", "less", "more", "lots"}:
            assert 2 <= len(values) <= 4, name


@pytest.mark.parametrize("name", sorted(offered().presets))
def test_a_preset_is_made_and_replayed_to_the_byte(collins: Portrait, name: str) -> None:
    recipe = edit(collins.recipe, *offered().presets[name])
    rgb = develop(collins.layers, recipe)
    exported = from_dict(json.loads(json.dumps(to_dict(pruned(recipe)))))
    again = follow(collins.recipe, lineage(exported))
    assert again == pruned(recipe)
    assert np.array_equal(develop(collins.layers, again), rgb)
    assert not np.array_equal(develop(collins.layers, collins.recipe), rgb) or rgb.shape != collins.rgb.shape


def made(recipe: Recipe, texts: list[str], portrait: Portrait) -> Recipe:
    """Make edits one by one, leaving out what is refused, by its recipe or by the layers."""
    for text in texts:
        try:
            further = edit(recipe, text)
            changed(portrait.layers, further)
            develop(portrait.layers, further) if text.startswith(("format", "more_headroom", "further")) else None
        except Refused:
            continue
        recipe = further
    return recipe


@given(st.lists(st.sampled_from([*TEXTS, "undo", "undo", "redo"]), max_size=6), st.sampled_from(TEXTS))
@settings(max_examples=6, deadline=None)
def test_any_edits_undos_and_branches_end_in_a_picture_that_replays_and_undoes_to_the_byte(
    hopper: Portrait, texts: list[str], last: str
) -> None:
    half = np.array([[0.5, 0, 0], [0, 0.5, 0]], np.float32)
    parts = cv2.resize(hopper.layers.parts, (256, 320), interpolation=cv2.INTER_AREA)
    hopper = replace(hopper, layers=replace(placed(hopper.layers, half, (256, 320)), parts=parts))
    recipe = made(hopper.recipe, texts, hopper)
    try:
        rgb = develop(hopper.layers, recipe)
    except Refused:
        return  # what two edits come to together can lie outside of the photo: it is said, never raised otherwise
    back = from_dict(json.loads(json.dumps(to_dict(recipe))))
    assert np.array_equal(develop(hopper.layers, back), rgb)
    assert texts_of(back) == texts_of(recipe)
    more = made(recipe, [last], hopper)
    if more.head != recipe.head:
        assert np.array_equal(develop(hopper.layers, edit(more, "undo")), rgb)


def test_a_step_that_is_refused_by_the_layers_is_refused_with_a_number_or_a_reason(hopper: Portrait) -> None:
    with pytest.raises(Refused, match="pixels of teeth are seen") as caught:
        develop(hopper.layers, edit(hopper.recipe, "teeth=more"))
    assert caught.value.reason == "no_teeth"
