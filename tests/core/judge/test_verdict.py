"""Claims about verdicts: what a head drawn anew is not held to, and in which order portraits are shown."""

from dataclasses import replace

import pytest

from core import frame
from core.colour import linear, srgb, to_bytes
from core.judge import ranking, realism
from core.judge.realism import LIMITS
from core.judge.verdict import REASONS, judge
from core.models import Models
from core.types import U8, FaceMap, Identity, Layers, Portrait, Recipe

PIXEL_BY_PIXEL = ("misshapen", "head_cut", "neck_seam", "outline_unsure", "grimace")
"""What is told of a portrait by its own photo."""


@pytest.fixture
def portrait(collins_map: FaceMap, small_layers: Layers, small_recipe: Recipe) -> Portrait:
    """The sitter's photo in the frame, for a portrait of her."""
    return Portrait("x", shown(collins_map), small_layers, small_recipe)


def shown(face: FaceMap) -> U8:
    return frame.warp(face.selfie.rgb, (face.transform / 4).astype("float32"), 256, 320)


@pytest.fixture
def all_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every measure of the picture be beyond its limit."""
    beyond = {limit.measure: limit.most - 1 if limit.least else limit.most + 1 for limit in LIMITS}
    monkeypatch.setattr(realism, "measure", lambda *_: (dict(beyond), ("grimace", "looks_down")))


def reasons(portrait: Portrait, source: FaceMap, models: Models, **settings: object) -> tuple[str, ...]:
    """Judge with no other photo to measure likeness by."""
    recipe = replace(portrait.recipe, settings={**portrait.recipe.settings, **settings})
    who = Identity((source,), None)
    return judge(replace(portrait, recipe=recipe), source, who, models.recogniser, models.landmarker).reasons


@pytest.mark.usefixtures("all_wrong")
def test_a_head_drawn_anew_is_not_held_to_its_photos_pixels_but_to_all_else(
    portrait: Portrait, collins_map: FaceMap, models: Models
) -> None:
    everything = [*dict.fromkeys(limit.reason for limit in LIMITS), "grimace", "looks_down"]
    assert set(PIXEL_BY_PIXEL) < set(everything) <= set(REASONS)
    assert reasons(portrait, collins_map, models) == tuple(everything)
    rest = tuple(reason for reason in everything if reason not in PIXEL_BY_PIXEL)
    assert reasons(portrait, collins_map, models, drawn_anew=True) == rest


def test_a_head_drawn_anew_must_still_be_the_sitters(
    portrait: Portrait, collins_map: FaceMap, hopper_map: FaceMap, models: Models
) -> None:
    stranger = replace(portrait, rgb=shown(hopper_map))
    for anew in (False, True):
        assert "drifted" not in reasons(portrait, collins_map, models, drawn_anew=anew)
        assert "drifted" in reasons(stranger, collins_map, models, drawn_anew=anew)


def test_a_look_may_light_one_side_of_a_face_and_a_photo_may_not(
    portrait: Portrait, collins_map: FaceMap, models: Models
) -> None:
    """Split light drew every face as half in the dark, and all were dropped."""
    light = linear(portrait.rgb)
    light[:, : light.shape[1] // 2] *= 0.05
    split = to_bytes(srgb(light))
    own, dark = (replace(portrait.layers, sitter=sitter) for sitter in (portrait.rgb, split))
    assert "half_dark" not in reasons(replace(portrait, rgb=split, layers=own), collins_map, models)
    assert "half_dark" in reasons(replace(portrait, rgb=split, layers=dark), collins_map, models)


def test_a_photo_in_which_head_and_surroundings_cannot_be_told_apart_gives_no_portrait_of_its_own_pixels(
    portrait: Portrait, collins_map: FaceMap, models: Models
) -> None:
    limit = next(limit.most for limit in LIMITS if limit.measure == "unsure")
    told, untold = (replace(collins_map, unsure=area) for area in (limit - 0.1, limit + 0.1))
    assert "outline_unsure" not in reasons(portrait, told, models)
    assert "outline_unsure" in reasons(portrait, untold, models)
    assert "outline_unsure" not in reasons(portrait, untold, models, drawn_anew=True)


def test_of_two_alike_the_one_whose_outline_is_sure_stands_first() -> None:
    recipes = ({"style": "office", "source": source} for source in "12")
    unsure, sure = (
        {"file": name, "percent_of_baseline": 100, "measures": {"sharpness": 1.0, "unsure": area}, "recipe": recipe}
        for name, area, recipe in zip("ab", (1.0, 0.0), recipes, strict=True)
    )
    assert [entry["file"] for entry in ranking.rank_records([unsure, sure])] == ["b", "a"]


def test_ranking_keeps_neighbours_apart() -> None:
    def record(name: str, source: str, percent: float) -> dict[str, object]:
        recipe = {"style": "office", "source": source}
        return {"file": name, "percent_of_baseline": percent, "measures": {"sharpness": 1.0}, "recipe": recipe}

    ranked = ranking.rank_records([record("a", "1", 100), record("b", "1", 99), record("c", "2", 97)])
    assert [entry["file"] for entry in ranked] == ["a", "c", "b"]
