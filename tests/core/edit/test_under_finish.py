"""Claims about edits under drawn looks: each changes the photograph, and every look is drawn from that photograph."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.edit.offered import offered
from core.edit.recipe import drawn, edit, effective, photographed
from core.edit.warp import placed
from core.looks.finish import draw, newest
from core.types import U8, Portrait

LOOKS = sorted(newest())
EDITS = [f"{name}={values[-1]}" for family in offered().families.values() for name, values in family.items()]
LARGE = ("upscale", "format")
"""Edits of the picture's size, tried with values of their own."""
ELSEWHERE = {"tie=off", "outfit=own", "eyes_to_camera=more", "less_headroom=more", "in_colour=again"}
"""What this sitter's portrait refuses, or has no room for: other clothes are claimed of in test_outfit.py, colours in
test_compose.py."""
ACTING = [text for text in EDITS if not text.startswith((*LARGE, "crop"))]


@pytest.fixture(scope="module")
def small(collins: Portrait) -> Portrait:
    half = np.array([[0.5, 0, 0], [0, 0.5, 0]], np.float32)
    parts = cv2.resize(collins.layers.parts, (256, 320), interpolation=cv2.INTER_AREA)
    recipe = edit(collins.recipe, "backdrop=park")  # one that can be blurred
    return replace(collins, recipe=recipe, layers=replace(placed(collins.layers, half, (256, 320)), parts=parts))


@pytest.fixture(scope="module")
def plain(small: Portrait) -> dict[str, U8]:
    """The portrait in every look, without an edit."""
    taken = photographed(small.layers, small.recipe)
    return {look: drawn(taken, edit(small.recipe, f"finish={look}")) for look in LOOKS}


@pytest.mark.parametrize("text", EDITS)
def test_an_edit_asks_for_the_same_photograph_under_every_look(text: str, small: Portrait) -> None:
    recipe = small.recipe
    if text == "in_colour=again":  # of a portrait that has none
        recipe = replace(recipe, settings={**recipe.settings, "black_and_white": True, "grey_for": "light"})
    photo = effective(edit(recipe, text))
    for look in LOOKS:
        for order in ([f"finish={look}", text], [text, f"finish={look}"]):
            settings = effective(edit(recipe, *order))
            assert settings.pop("finish")["look"] == look
            assert settings == {name: value for name, value in photo.items() if name != "finish"}


@pytest.mark.parametrize(("number", "text"), [each for each in enumerate(ACTING) if each[1] not in ELSEWHERE])
def test_an_edit_is_seen_in_the_drawing(number: int, text: str, small: Portrait, plain: dict[str, U8]) -> None:
    """Each edit in one look, the looks in turn: what a look draws from is the edited photograph and its layers."""
    look = LOOKS[number % len(LOOKS)]
    recipe = edit(small.recipe, f"finish={look}", text)
    taken = photographed(small.layers, recipe)
    assert np.array_equal(taken.rgb, photographed(small.layers, edit(small.recipe, text)).rgb)
    rgb = drawn(taken, recipe)
    assert np.array_equal(rgb, draw(taken.rgb, taken.layers, effective(recipe)["finish"], recipe.seed))
    assert not np.array_equal(rgb, plain[look])


@pytest.mark.parametrize("text", ["crop=avatar", "format=avatar_circle", "format=linkedin_photo", "upscale=x2"])
def test_a_drawing_is_cut_and_enlarged_as_its_photograph_is(text: str, small: Portrait) -> None:
    recipe = edit(small.recipe, "finish=poster", text)
    taken = photographed(small.layers, recipe)
    photo = drawn(taken, edit(small.recipe, text))
    rgb = drawn(taken, recipe)
    assert rgb.shape == photo.shape
    assert not np.array_equal(rgb, photo)
