"""Claims about recipes: steps are a tree, old recipes are read, released steps keep their effect, one file adds one."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.deliver.files import encode
from core.edit import recipe as recipes
from core.edit import tweaks
from core.edit.crops import CROPS, crop
from core.edit.recipe import edit, effective, from_dict, lineage, newest, pruned, table, texts_of, to_dict
from core.errors import Refused
from core.frame import PRINT_SIZES
from core.scene.style import Crop, lamps_of, paper_of
from core.types import Layers, Recipe

HERE = Path(__file__).parent
SETTINGS = {
    "outfit": "charcoal_suit",
    "backdrop": "grey_paper",
    "light": "soft_key",
    "paper": paper_of("grey_paper"),
    "lamps": lamps_of("soft_key"),
    "key_side": 0.5,
    "relight": 1.0,
    "stops": 0.0,
    "warmth": 0.0,
    "retouch": 0.3,
    "crop": "portrait",
}
SHADES = np.stack(np.meshgrid(np.linspace(0, 255, 64), np.linspace(40, 215, 80)), axis=-1)[..., [0, 1, 0]].astype(
    np.uint8
)
DRAWN = Recipe("office", "job", "0", 1, "embedded", 512, 640, SETTINGS)
WITHOUT_VALUE = sorted(name for name, kind in newest().items() if not kind.takes)
EDITS = st.lists(st.sampled_from([*WITHOUT_VALUE, "undo", "redo", "retouch=0.5", "crop=square"]), max_size=30)


def replayed(texts: list[str]) -> Recipe:
    """Make edits one by one, leaving out what is refused."""
    recipe = DRAWN
    for text in texts:
        try:
            recipe = edit(recipe, text)
        except Refused:
            continue
    return recipe


@given(EDITS)
def test_any_list_of_edits_ends_within_limits_or_is_refused(texts: list[str]) -> None:
    final = effective(replayed(texts))
    assert -1 <= final["stops"] <= 1
    assert -1.4 <= final["warmth"] <= 1.4


@given(EDITS)
def test_a_recipe_comes_back_from_json_with_all_its_branches(texts: list[str]) -> None:
    recipe = replayed(texts)
    assert from_dict(json.loads(json.dumps(to_dict(recipe)))) == recipe
    assert to_dict(recipe)["schema"] == recipes.SCHEMA


@given(EDITS)
def test_undo_and_redo_end_where_they_began(texts: list[str]) -> None:
    recipe = replayed(texts)
    if lineage(recipe):
        assert effective(edit(recipe, "undo", *texts_of(recipe)[-1:])) == effective(recipe)
    one_more = edit(recipe, "crop=close")
    assert edit(one_more, "undo").head == recipe.head
    assert pruned(edit(one_more, "undo")) == pruned(recipe)


def test_undo_leaves_the_branch_in_place_and_redo_takes_the_newest() -> None:
    warm = edit(DRAWN, "warmer")
    both = edit(warm, "undo", "cooler", "brighter")
    assert (both.steps[0].name, both.steps[0].parent) == ("warmer", "")
    assert texts_of(both) == ("cooler", "brighter")
    assert len(both.steps) == 3
    assert edit(both, "undo", "undo", "redo").head == both.steps[1].id
    with pytest.raises(Refused, match="0 edits"):
        edit(DRAWN, "undo")
    with pytest.raises(Refused, match="redo"):
        edit(both, "redo")


def test_the_same_edit_made_twice_from_one_place_is_one_step() -> None:
    twice = edit(DRAWN, "warmer", "undo", "warmer")
    assert twice == edit(DRAWN, "warmer")


def test_a_picture_does_not_tell_of_what_was_undone() -> None:
    assert pruned(edit(DRAWN, "warmer", "undo")) == DRAWN


@pytest.mark.parametrize(
    "wrong", ["smaller", "warmer=2", "warmer=", "retouch", "retouch=2", "retouch=a", "retouch=nan", "crop=circle",
              "backdrop=#12", "undo=1", ""],
)  # fmt: skip
def test_a_wrong_edit_is_refused(wrong: str) -> None:
    with pytest.raises(Refused):
        edit(DRAWN, wrong)


def test_a_limit_is_told_with_its_number() -> None:
    with pytest.raises(Refused, match=r"stops is 1 already, the limit is -1 to 1"):
        edit(DRAWN, *["brighter"] * 6)


def test_the_longest_recipe_fits_its_picture() -> None:
    longest = edit(DRAWN, *[f"backdrop=#{number:06x}" for number in range(recipes.MOST_EDITS)])
    encode(np.zeros((8, 8, 3), np.uint8), ".jpg", longest)
    with pytest.raises(Refused, match="the limit is 100; undo some"):
        edit(longest, "warmer")
    assert len(lineage(edit(longest, "undo", "warmer"))) == recipes.MOST_EDITS


def test_every_crop_a_style_may_name_is_there_and_square_ones_are_square() -> None:
    assert tuple(CROPS) == get_args(Crop)
    for name in CROPS:
        assert effective(edit(DRAWN, f"crop={name}"))["crop"] == name
        for width, height in PRINT_SIZES:
            cut = crop(np.zeros((height, width, 3), np.uint8), name)
            if name in ("square", "avatar"):
                assert cut.shape[0] == cut.shape[1]
            else:
                assert abs(cut.shape[1] / cut.shape[0] - (35 / 45 if name == "id" else 0.8)) < 0.003


def test_a_backdrop_stays_what_it_was_when_the_wardrobe_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    park = edit(DRAWN, "backdrop=park")
    before = effective(park)["paper"]
    monkeypatch.setattr("core.scene.style.pick", None)  # whoever asked the wardrobe now would fail
    assert effective(from_dict(json.loads(json.dumps(to_dict(park)))))["paper"] == before


# --- old and later recipes ---


def test_a_recipe_of_the_first_schema_is_read_with_its_edits() -> None:
    """record_schema_1.json was written by the release before steps, beside an edited portrait of the demo's sitter."""
    record = json.loads((HERE / "record_schema_1.json").read_text("utf-8"))
    assert "schema" not in record["recipe"]
    recipe = from_dict(record["recipe"])
    assert (
        texts_of(recipe)
        == tuple(record["recipe"]["tweaks"])
        == ("warmer", "backdrop=#5a6f8c", "retouch=0.6", "crop=close")
    )
    final = effective(recipe)
    assert (final["warmth"], final["retouch"], final["crop"]) == (0.35, 0.6, "close")
    assert final["paper"] == paper_of("#5a6f8c")
    assert recipe.settings["paper"] == paper_of("grey_paper")
    assert effective(edit(recipe, "undo", "undo", "undo", "undo")) == recipe.settings
    assert from_dict(to_dict(recipe)) == recipe


def test_a_recipe_of_a_later_release_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused, match=r"schema 99, this release reads up to 2: update"):
        from_dict({**to_dict(DRAWN), "schema": 99})
    later = to_dict(edit(DRAWN, "warmer"))
    later["steps"][0]["version"] = 99
    with pytest.raises(Refused, match="version 99"):
        effective(from_dict(later))


@pytest.mark.parametrize("broken", ["head", "parent", "twice", "loop"])
def test_a_tree_that_does_not_hang_together_is_no_recipe(broken: str) -> None:
    value = to_dict(edit(DRAWN, "warmer", "darker"))
    if broken == "head":
        value["head"] = "feed"
    elif broken == "parent":
        value["steps"][1]["parent"] = "feed"
    elif broken == "twice":
        value["steps"].append(value["steps"][0])
    else:
        value["steps"][0]["parent"] = value["steps"][1]["id"]
    with pytest.raises(ValueError, match="step"):
        from_dict(value)


def test_a_released_step_keeps_its_effect() -> None:
    """released_steps.json: what every version of every step made of SETTINGS, what stood "under" it, and of SHADES.

    Where this fails, give the step a new version and keep the old one; a new version is added to the file.
    """
    released = json.loads((HERE / "released_steps.json").read_text("utf-8"))
    seen = set()
    for entry in released:
        kind = table()[entry["name"], entry["version"]]
        under = {**SETTINGS, **entry.get("under", {})}
        changed = kind.settings(dict(under), entry["parameters"])
        assert {key: value for key, value in changed.items() if value != under.get(key)} == entry["changes"], entry
        made = kind.picture(SHADES, cast(Layers, SimpleNamespace(unit=64.0)), entry["parameters"], 1)
        assert np.abs(made.mean(axis=(0, 1)) - entry["means"]).max() < 0.6, entry
        seen.add((entry["name"], entry["version"]))
    assert seen == set(table())


# --- adding a step ---

STEP = """
import numpy as np
from core.edit.step import StepKind

def _framed(rgb, layers, parameters, seed):
    framed = rgb.copy()
    framed[:4] = framed[-4:] = framed[:, :4] = framed[:, -4:] = seed
    return framed

STEPS = (StepKind("framed", 1, picture=_framed),)
"""


@pytest.fixture
def more_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A second folder of tweaks, and a table that is read anew."""
    monkeypatch.setattr(tweaks, "__path__", [*tweaks.__path__, str(tmp_path)])
    for cached in (table, newest):
        cached.cache_clear()
    yield tmp_path
    for cached in (table, newest):
        cached.cache_clear()
    for module in [name for name in sys.modules if name.startswith("core.edit.tweaks.added")]:
        del sys.modules[module]


def test_adding_a_step_is_one_file(more_steps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (more_steps / "added.py").write_text(STEP)
    composed = np.full((40, 32, 3), 100, np.uint8)
    monkeypatch.setattr(recipes, "compose", lambda layers, look: composed)
    layers = Layers.__new__(Layers)
    framed = edit(replace(DRAWN, seed=7), "framed")
    assert (recipes.develop(layers, framed)[0] == 7).all()
    assert np.array_equal(recipes.develop(layers, edit(framed, "undo")), composed)
    assert np.array_equal(recipes.develop(layers, edit(framed, "undo", "redo")), recipes.develop(layers, framed))


def test_a_name_that_is_taken_is_a_mistake_that_is_told(more_steps: Path) -> None:
    (more_steps / "added_twice.py").write_text(STEP.replace('"framed"', '"warmer"'))
    with pytest.raises(ValueError, match="'warmer' version 1 is taken"):
        table()
