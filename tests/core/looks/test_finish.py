"""Claims about every drawn look: the last step of a recipe, the same bytes anywhere, under which all edits act."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.deliver.layers import load_layers, save_layers
from core.edit.recipe import changed, develop, developed, edit, effective, from_dict, to_dict
from core.errors import Refused, StyleWrong
from core.looks.finish import draw, finish_settings, newest, table
from core.scene import style
from core.types import Layers, Recipe

LOOKS = sorted(newest())
ELSEWHERE = """
import hashlib, json, sys
from pathlib import Path
from core.deliver.layers import load_layers
from core.edit.recipe import develop, edit, from_dict
layers, recipe = load_layers(Path(sys.argv[1])), from_dict(json.loads(sys.argv[2]))
for look in sys.argv[3:]:
    print(look, hashlib.sha256(develop(layers, edit(recipe, f"finish={look}")).tobytes()).hexdigest())
"""


def changed_part(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    """Return the mean difference of two pictures where a mask holds, in 0..255."""
    return float(np.abs(one.astype(np.int16) - other)[where].mean())


def test_every_look_is_the_same_in_another_process(layers: Layers, recipe: Recipe, tmp_path: Path) -> None:
    save_layers(layers, tmp_path)
    kept = load_layers(tmp_path)
    here = {look: hashlib.sha256(develop(kept, edit(recipe, f"finish={look}")).tobytes()).hexdigest() for look in LOOKS}
    said = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path), json.dumps(to_dict(recipe)), *LOOKS],
        capture_output=True, text=True, check=True, timeout=300,
    ).stdout.splitlines()  # fmt: skip
    assert dict(line.split() for line in said) == here


@pytest.mark.parametrize("look", LOOKS)
def test_edits_act_under_a_drawn_look(look: str, layers: Layers, recipe: Recipe) -> None:
    drawn = edit(recipe, f"finish={look}")
    plain = develop(layers, drawn)
    assert plain.shape == (*layers.head.shape, 3)
    assert plain.dtype == np.uint8
    figure = np.maximum(layers.head, layers.garment[..., 3]) > 200
    behind = np.maximum(np.maximum(layers.head, layers.neck), layers.garment[..., 3]) < 5
    face = (layers.head > 200) & (layers.regions.max(axis=-1) < 30)
    other = develop(layers, edit(drawn, "backdrop=#b03a2e"))
    assert changed_part(plain, other, behind) > 2 * changed_part(plain, other, figure)
    assert changed_part(plain, develop(layers, edit(drawn, "light_left")), face) > 0.5
    light = layers.garment.copy()
    light[..., :3] = np.where(light[..., :1] < 100, (240, 190, 120), light[..., :3])
    cloth = (layers.garment[..., 3] > 200) & (layers.head < 5) & (layers.garment[..., 0] < 100)
    assert changed_part(plain, develop(replace(layers, garment=light), drawn), cloth) > 3


@pytest.mark.parametrize("look", LOOKS)
def test_strength_is_an_edit_and_none_gives_the_photograph_back(look: str, layers: Layers, recipe: Recipe) -> None:
    drawn = edit(recipe, f"finish={look}")
    assert effective(edit(drawn, "strength=0.5"))["finish"] == finish_settings(look, 0.5)
    assert not np.array_equal(develop(layers, edit(drawn, "strength=0")), develop(layers, drawn))
    photo = develop(layers, edit(drawn, "finish=none"))
    assert np.array_equal(photo, developed(layers, recipe).photograph)
    assert np.array_equal(photo, developed(layers, drawn).photograph)


def test_a_photograph_has_no_strength(recipe: Recipe) -> None:
    with pytest.raises(Refused, match="give it a finish first"):
        edit(recipe, "strength=0.5")


@pytest.mark.parametrize("wrong", ["finish=impressionist", "finish", "strength=2", "strength=-1", "strength=a"])
def test_a_wrong_look_or_strength_is_refused(wrong: str, recipe: Recipe) -> None:
    with pytest.raises(Refused):
        edit(recipe, "finish=anime", wrong)


def test_a_recipe_of_a_later_release_is_refused_with_its_look(layers: Layers, recipe: Recipe) -> None:
    drawn = edit(recipe, "finish=anime")
    named = {"look": "anime", "version": 99, "strength": 1}
    step = replace(drawn.steps[0], parameters={"value": "anime", "finish": named})
    later = replace(drawn, steps=(step,))
    with pytest.raises(Refused, match="look 'anime' version 99 is not known here"):
        develop(layers, from_dict(to_dict(later)))


def test_layers_of_a_release_without_face_points_are_refused_kindly(layers: Layers) -> None:
    old = replace(layers, landmarks=np.zeros((0, 3), np.float32), regions=np.zeros((0, 0, 3), np.uint8))
    with pytest.raises(Refused, match="shoot it again"):
        draw(np.zeros((*layers.head.shape, 3), np.uint8), old, finish_settings("anime"), 1)


def test_every_version_of_every_look_stays() -> None:
    twice = {(name, version) for name in LOOKS for version in (1, 2)}
    assert {*twice, ("charcoal", 3), ("pop_art", 3)} <= set(table())


@pytest.mark.parametrize("look", LOOKS)
def test_a_recipe_is_drawn_in_the_version_it_names(look: str, layers: Layers, recipe: Recipe) -> None:
    def drawn(version: int) -> bytes:
        finish = {"look": look, "version": version, "strength": 1.0}
        return develop(layers, replace(recipe, settings={**recipe.settings, "finish": finish})).tobytes()

    last = newest()[look].version
    assert drawn(1) == drawn(1)
    assert len({drawn(version) for version in range(1, last + 1)}) == last
    assert develop(layers, edit(recipe, f"finish={look}")).tobytes() == drawn(last)


def test_every_drawn_pack_names_a_look_there_is() -> None:
    packs = [pack for pack in style.load_all() if pack.medium == "drawn"]
    assert {pack.finish for pack in packs} == set(LOOKS)
    assert all("strength" in pack.tweaks for pack in packs)


def test_a_pack_is_drawn_if_and_only_if_it_names_a_finish(tmp_path: Path) -> None:
    text = (style.FOLDER / "anime.toml").read_text("utf-8")
    for wrong in (text.replace('finish = "anime"\n', ""), text.replace('medium = "drawn"', 'medium = "photo"')):
        (tmp_path / "wrong.toml").write_text(wrong, "utf-8")
        with pytest.raises(StyleWrong, match="names its finish"):
            style.read_toml(style.Style, tmp_path / "wrong.toml", {"id": "wrong"})


def test_a_drawing_needs_no_step_to_be_drawn(layers: Layers, recipe: Recipe) -> None:
    ordered = replace(recipe, settings={**recipe.settings, "finish": finish_settings("anime")})
    assert changed(layers, ordered) is layers
    assert np.array_equal(develop(layers, ordered), develop(layers, edit(recipe, "finish=anime")))
