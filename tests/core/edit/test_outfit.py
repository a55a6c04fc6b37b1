"""Claims about clothes: what an edit puts on is what would have been drawn, and face and light stay as they were."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.cutout.whole import cut_out_whole
from core.deliver.layers import load_layers, save_layers
from core.edit import masks
from core.edit.outfit import worn_in
from core.edit.recipe import changed, develop, edit, effective, from_dict, newest, outfit_of, to_dict
from core.engines.redress.change import in_own_clothes, under_own_clothes
from core.engines.redress.generate import generate, wear
from core.engines.redress.kept import kept, without_surroundings
from core.engines.redress.nets import Nets
from core.errors import Refused
from core.judge.collar import collar_faults, collar_measures
from core.models import Models
from core.scene.stage import Choice, garment_of, put_on, set_up, undress
from core.scene.style import CLOTH_COLOURS, Part, Style, load, wardrobe
from core.scene.wardrobe import PART_NAMES
from core.types import F32, Cutout, FaceMap, Layers, Portrait

MOST_BYTES = 3_000_000


def kept_and_read(layers: Layers, folder: Path) -> Layers:
    save_layers(layers, folder)
    return load_layers(folder, changeable=True)


def drawn_in(face: FaceMap, cutout: Cutout, outfit: str, nets: Nets, style: Style, take: int = 0) -> Portrait:
    setup = set_up(replace(face, upscale_factor=10.0), cutout, style, Choice(outfit=outfit), take, 5, 0.3)
    setup.settings["crop"] = "portrait"
    return generate(setup, style.id, "job", nets, style.id, lambda: False)


def lab(rgb: NDArray[Any]) -> F32:
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def part_of(layers: Layers, name: Part) -> NDArray[np.bool_]:
    return np.asarray(layers.parts[..., PART_NAMES.index(name)] > 200)


def test_an_outfit_put_on_is_the_portrait_drawn_in_it_to_the_byte(
    collins_map: FaceMap, collins_cutout: Cutout, nets: Nets, tmp_path: Path
) -> None:
    """The second portrait from one photo leans: what is under its garment leans with it."""
    first, other = (
        drawn_in(collins_map, collins_cutout, outfit, nets, load("office"), 1)
        for outfit in ("charcoal_suit", "black_turtleneck")
    )
    layers = kept_and_read(first.layers, tmp_path)
    put_on = edit(first.recipe, "outfit=black_turtleneck")
    assert np.array_equal(develop(layers, put_on), other.rgb)
    assert not np.array_equal(other.rgb, first.rgb)
    assert np.array_equal(develop(layers, edit(put_on, "undo")), first.rgb)
    assert np.array_equal(develop(layers, edit(put_on, "outfit=charcoal_suit")), first.rgb)


def test_another_outfit_is_seen_and_leaves_the_face(collins: Portrait) -> None:
    before, after = (
        develop(collins.layers, edit(collins.recipe, *texts)).astype(int) for texts in ([], ["outfit=grey_crew"])
    )
    face = masks.oval(collins.layers, 0.8) > 0.5
    assert np.abs(after - before)[face].max() <= 1
    cloth = collins.layers.garment[..., 3] == 255
    assert np.abs(after - before)[cloth].mean() > 20


def test_head_and_back_hair_are_rounded_together(collins_map: FaceMap, collins_cutout: Cutout) -> None:
    """A 255th of a white backdrop is seen as a line on black hair."""
    over = np.broadcast_to(np.linspace(0, 1, len(collins_cutout.head), dtype=np.float32)[:, None], (1280, 1024))
    hairy = replace(collins_cutout, head=0.9985 * (1 - over), back_hair=0.9985 * over)  # a filter's rounding
    sitter = undress(replace(collins_map, upscale_factor=1.0), hairy)
    assert (cv2.add(sitter.layers.head, sitter.back_hair) == 255).all()
    assert sitter.back_hair[1000].min() > 150 > 100 > sitter.back_hair[300].max()


def test_hair_before_cloth_keeps_its_colours_down_to_the_photo_s_end(
    collins_map: FaceMap, collins_cutout: Cutout, nets: Nets
) -> None:
    rgb, head, neck, regions = (getattr(collins_cutout, name).copy() for name in ("rgb", "head", "neck", "regions"))
    lock = np.s_[800:1270, 430:500]
    rgb[lock], head[lock], regions[lock] = (0.1, 0.35, 0.05), 1, (255, 0, 0)
    neck[800:1270, 420:600] = 1  # what the photo shows of her chest beside it
    haired = replace(collins_cutout, rgb=rgb, head=head, neck=neck, regions=regions)
    sitter = undress(replace(collins_map, upscale_factor=1.0), haired)
    dressed = wear(put_on(sitter, garment_of("charcoal_suit"), 5), nets, lambda: False)
    over_cloth = (dressed.garment[1000:1260, 440:490, 3] == 255) & (dressed.head[1000:1260, 440:490] == 255)
    assert over_cloth[-40:].all()
    colours = dressed.sitter[1000:1260, 440:490][over_cloth].astype(int)
    assert np.abs(colours - np.round(255 * np.array((0.1, 0.35, 0.05)))).max() < 12


def test_what_is_done_to_face_and_light_lies_over_what_is_put_on_later(collins: Portrait) -> None:
    one, other = (
        changed(collins.layers, edit(collins.recipe, *texts))
        for texts in (["outfit=grey_crew", "smile=touch"], ["smile=touch", "outfit=grey_crew"])
    )
    assert np.array_equal(one.sitter, other.sitter)
    assert np.array_equal(one.garment, other.garment)
    assert not np.array_equal(one.sitter, changed(collins.layers, edit(collins.recipe, "outfit=grey_crew")).sitter)


def test_a_tie_comes_and_goes_and_the_suit_keeps_its_colour(collins: Portrait) -> None:
    off = changed(collins.layers, edit(collins.recipe, "tie=off"))
    on = changed(collins.layers, edit(collins.recipe, "outfit=navy_open", "tie=on"))
    tied = part_of(collins.layers, "tie").sum()
    assert tied > 1000
    assert part_of(off, "tie").sum() == 0
    assert part_of(on, "tie").sum() > 0.5 * tied
    before, after = (
        np.median(lab(layers.garment[..., :3])[part_of(layers, "jacket")], axis=0) for layers in (collins.layers, off)
    )
    assert np.linalg.norm(after - before) < 5
    with pytest.raises(Refused, match="already"):
        edit(collins.recipe, "tie=on")
    with pytest.raises(Refused, match="0 ties"):
        edit(collins.recipe, "outfit=grey_crew", "tie=on")


def test_a_colour_that_was_chosen_stays_when_the_tie_comes_off_and_goes_with_its_outfit(
    collins_map: FaceMap, collins_cutout: Cutout
) -> None:
    asked = Choice(outfit="charcoal_suit", colour="forest")
    setup = set_up(replace(collins_map, upscale_factor=10.0), collins_cutout, load("office"), asked, 0, 5, 0.3)
    settings = setup.settings
    assert setup.outfit.jacket == CLOTH_COLOURS["forest"]
    assert worn_in(settings) == setup.outfit
    bare = newest()["tie"].settings
    assert bare is not None
    assert worn_in(bare(settings, {"value": "off"})).jacket == CLOTH_COLOURS["forest"]
    outfit = newest()["outfit"]
    assert outfit.settings is not None
    other = outfit.settings(settings, outfit.read("navy_open"))
    assert worn_in(other) == wardrobe().outfits["navy_open"]
    assert "colour" not in other


def test_a_shirt_worn_with_a_tie_takes_it_off_and_on(collins: Portrait) -> None:
    off = edit(collins.recipe, "outfit=white_shirt_tie", "tie=off")
    assert part_of(changed(collins.layers, off), "tie").sum() == 0
    worn = outfit_of(off)
    assert worn is not None
    assert (worn.kind, worn.jacket) == ("shirt", worn.shirt)
    assert part_of(changed(collins.layers, edit(off, "tie=on")), "tie").sum() > 1000


def test_a_dye_goes_with_the_garment_it_was_given_to_and_stays_when_the_tie_comes_off(collins: Portrait) -> None:
    def jacket(*texts: str) -> F32:
        layers = changed(collins.layers, edit(collins.recipe, *texts))
        return np.median(lab(layers.garment[..., :3])[part_of(layers, "jacket")], axis=0)

    forest = jacket("jacket_colour=forest")
    assert np.linalg.norm(jacket("jacket_colour=forest", "tie_colour=gold", "tie=off") - forest) < 5
    assert np.array_equal(jacket("jacket_colour=forest", "outfit=navy_open"), jacket("outfit=navy_open"))
    assert np.linalg.norm(jacket("outfit=navy_open", "jacket_colour=forest") - forest) < 5


@pytest.fixture(scope="module")
def both_ways(collins_map: FaceMap, collins: Portrait, models: Models) -> Portrait:
    """Eileen Collins in a suit, her own clothes kept with it."""
    small = replace(collins_map, upscale_factor=10.0)
    own = in_own_clothes(undress(small, cut_out_whole(small, models.parser)))
    return replace(collins, layers=replace(collins.layers, own=own))


def test_own_clothes_are_the_photos_own_pixels(both_ways: Portrait, tmp_path: Path) -> None:
    layers = kept_and_read(both_ways.layers, tmp_path)
    worn = changed(layers, edit(both_ways.recipe, "outfit=own"))
    assert worn.garment[..., 3].max() == 0
    body = (worn.head > 250) & (np.arange(len(worn.head)) > worn.chin + 60)[:, None]
    orange = lab(worn.sitter)[body]
    assert (orange[:, 2] > 25).mean() > 0.1, "she wears an orange pressure suit"
    assert both_ways.layers.own is not None
    far = np.abs(worn.sitter.astype(int) - both_ways.layers.own.sitter)[worn.head > 250]
    assert far.mean() < 3, "kept as a JPEG of the highest quality"
    with pytest.raises(Refused, match="own clothes"):
        develop(layers, edit(both_ways.recipe, "outfit=own", "jacket_colour=navy"))


def test_a_portrait_in_own_clothes_is_dressed_as_if_it_had_been_drawn_so(
    collins_map: FaceMap, collins_cutout: Cutout, nets: Nets, models: Models, tmp_path: Path
) -> None:
    small = replace(collins_map, upscale_factor=10.0)
    drawn = drawn_in(small, cut_out_whole(small, models.parser), "own", nets, load("as_you_are"))
    suit = drawn_in(collins_map, collins_cutout, "charcoal_suit", nets, load("as_you_are"))
    under = under_own_clothes(undress(small, collins_cutout))
    layers = kept_and_read(replace(drawn.layers, undressed=under), tmp_path)
    suited = changed(layers, edit(drawn.recipe, "outfit=charcoal_suit"))
    for name in ("sitter", "head", "neck", "garment", "normals", "parts", "regions"):
        assert np.array_equal(getattr(suited, name), getattr(suit.layers, name)), name
    back = edit(drawn.recipe, "outfit=charcoal_suit", "outfit=own")
    assert np.array_equal(develop(layers, back), drawn.rgb)


def test_layers_of_an_older_release_say_kindly_that_they_cannot(collins: Portrait, tmp_path: Path) -> None:
    save_layers(replace(collins.layers, undressed=None), tmp_path)
    numbers = json.loads((tmp_path / "layers.json").read_text("utf-8"))
    (tmp_path / "layers.json").write_text(json.dumps({**numbers, "schema": 2}), "utf-8")
    layers = load_layers(tmp_path, changeable=True)
    assert np.array_equal(develop(layers, collins.recipe), collins.rgb)
    for text, reason in (("outfit=grey_crew", "edit_undressed"), ("outfit=own", "edit_no_own_clothes")):
        with pytest.raises(Refused) as refused:
            develop(layers, edit(collins.recipe, text))
        assert refused.value.reason == reason


def test_layers_with_all_that_can_be_put_on_stay_within_three_megabytes(
    hopper_map: FaceMap, hopper_cutout: Cutout, models: Models, nets: Nets, tmp_path: Path
) -> None:
    """Grace Hopper at 1024 x 1280, noisy film and all: the largest of the pictures that were looked at."""
    style = load("office")
    setup = set_up(hopper_map, hopper_cutout, style, Choice(outfit="charcoal_suit"), 0, 5, 0.3)
    portrait = generate(setup, "office", "job", nets, "x", lambda: False)
    own = in_own_clothes(undress(hopper_map, cut_out_whole(hopper_map, models.parser)))
    assert portrait.rgb.shape == own.sitter.shape == (1280, 1024, 3)
    save_layers(replace(portrait.layers, own=own), tmp_path)
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.*")) < MOST_BYTES


def test_nothing_of_the_photos_surroundings_is_kept(collins: Portrait) -> None:
    away = cv2.distanceTransform((np.maximum(collins.layers.head, collins.layers.neck) == 0).astype(np.uint8), 2, 5)
    assert collins.layers.sitter[away > 64].max() == 0
    assert collins.layers.undressed is not None
    neck = collins.layers.undressed.layers.neck.copy()
    neck[352:] = 0
    assert np.array_equal(without_surroundings(collins.layers, neck).sitter, collins.layers.sitter)
    lower = kept(collins.layers.undressed, 352).layers
    assert lower.sitter[:352].max() == 0


def test_a_collar_that_gapes_is_told_with_its_number(collins: Portrait) -> None:
    assert collar_faults(collins.layers) == ""
    assert collar_measures(replace(collins.layers, landmarks=np.zeros((0, 3), np.float32))) == {}
    x, y = collins.layers.landmarks[152, :2]
    hole = np.ones_like(collins.layers.head)
    cv2.circle(hole, (int(x), int(y) + 30), 22, 0, -1)
    gaping = replace(
        collins.layers,
        head=collins.layers.head * hole,
        neck=collins.layers.neck * hole,
        garment=collins.layers.garment * hole[..., None],
    )
    assert "gap is" in collar_faults(gaping)


def test_an_outfit_stays_what_it_was_when_the_wardrobe_changes(
    collins: Portrait, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = edit(collins.recipe, "outfit=grey_crew")
    before = outfit_of(crew)
    monkeypatch.setattr("core.edit.outfit.wardrobe", None)  # whoever asked the wardrobe now would fail
    assert outfit_of(from_dict(json.loads(json.dumps(to_dict(crew))))) == before
    assert effective(crew)["outfit"] == "grey_crew"


CLOTHES = ["outfit=grey_crew", "outfit=own", "outfit=navy_open", "tie=on", "tie=off", "jacket_colour=forest", "undo"]


@given(st.lists(st.sampled_from([*CLOTHES, "undo", "redo", "warmer", "lean_left=touch"]), min_size=1, max_size=4))
@settings(max_examples=4, deadline=None)
def test_any_clothes_undos_and_branches_replay_and_undo_to_the_byte(both_ways: Portrait, texts: list[str]) -> None:
    recipe = both_ways.recipe
    for text in texts:
        try:
            recipe = edit(recipe, text)
        except Refused:
            continue
    try:
        rgb = develop(both_ways.layers, recipe)
    except Refused:
        return  # own clothes cannot be dyed: it is said, never raised otherwise
    back = from_dict(json.loads(json.dumps(to_dict(recipe))))
    assert np.array_equal(develop(both_ways.layers, back), rgb)
    if not recipe.head:
        assert np.array_equal(rgb, both_ways.rgb)
