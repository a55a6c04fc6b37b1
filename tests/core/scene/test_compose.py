"""Claims about composing and editing: same recipe same bytes, light moves, identity does not, undo is exact."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from core.colour import linear
from core.deliver.layers import load_layers, save_layers
from core.edit.crops import CROPS, crop
from core.edit.recipe import develop, edit
from core.errors import Refused, StyleWrong
from core.frame import EYE_DISTANCE
from core.scene.backdrop import KINDS, Backdrop, draw_backdrop
from core.scene.compose import retouch
from core.scene.sources import PER_SOURCE, select_sources
from core.scene.stage import DIM, Choice, Setup, print_size, set_up
from core.scene.style import Crop, load, paper_of, rgb_of, wardrobe
from core.types import Cutout, FaceMap, Layers, Recipe


@pytest.fixture(scope="module")
def setup(collins_map: FaceMap, collins_cutout: Cutout) -> Setup:
    return set_up(collins_map, collins_cutout, load("office"), Choice(), 0, 5, 0.3)


@pytest.fixture(scope="module")
def recipe(setup: Setup) -> Recipe:
    height, width = setup.layers.head.shape
    settings = {**setup.settings, "crop": "portrait"}
    return Recipe("office", "job", setup.face.selfie.sha256, 5, "embedded", width, height, settings)


def test_the_print_follows_the_photo(hopper_map: FaceMap, collins_map: FaceMap) -> None:
    assert print_size(hopper_map.upscale_factor) == (1024, 1280)
    assert print_size(collins_map.upscale_factor) == (512, 640)


def test_no_photo_is_used_more_than_twice_for_a_style(hopper_map: FaceMap, collins_map: FaceMap) -> None:
    takes = select_sources([hopper_map, collins_map], load("office"), Choice(), 12).chosen
    assert len(takes) == 2 * PER_SOURCE
    assert len({(face.selfie.sha256, take) for face, take in takes}) == len(takes)
    assert takes[0][1] == 0


def test_same_recipe_same_bytes(setup: Setup, recipe: Recipe) -> None:
    assert np.array_equal(develop(setup.layers, recipe), develop(setup.layers, recipe))


def test_light_from_the_left_brightens_the_left(setup: Setup, recipe: Recipe) -> None:
    left = develop(setup.layers, edit(recipe, "light_left")).astype(float).mean(axis=-1)
    right = develop(setup.layers, edit(recipe, "light_right")).astype(float).mean(axis=-1)
    head = setup.layers.head > 200
    middle = int(np.median(np.flatnonzero(head.any(axis=0))))
    west, east = head.copy(), head.copy()
    west[:, middle:], east[:, :middle] = False, False
    assert left[west].mean() / left[east].mean() > 1.03 * right[west].mean() / right[east].mean()


def test_warmer_is_redder_and_cooler_is_bluer(setup: Setup, recipe: Recipe) -> None:
    means = {name: develop(setup.layers, edit(recipe, name)).mean(axis=(0, 1)) for name in ("warmer", "cooler")}
    assert means["warmer"][0] - means["warmer"][2] > means["cooler"][0] - means["cooler"][2] + 5


def test_a_backdrop_colour_is_obeyed_and_the_head_untouched(setup: Setup, recipe: Recipe) -> None:
    plain, red = develop(setup.layers, recipe), develop(setup.layers, edit(recipe, "backdrop=#b02020"))
    corner = red[:60, :60].reshape(-1, 3).mean(axis=0)
    assert corner[0] > 1.8 * corner[2]
    inside = (setup.layers.head == 255) & (np.roll(setup.layers.head, 25, axis=1) == 255)
    inside &= np.roll(setup.layers.head, -25, axis=1) == 255
    assert np.abs(plain[inside].astype(int) - red[inside]).max() <= 1


def test_neck_and_hair_are_darker_right_beside_the_cloth_that_they_go_behind(setup: Setup, recipe: Recipe) -> None:
    """A collar seemed laid on a neck, and long hair cut off along the shoulders."""
    layers, (height, width) = setup.layers, setup.layers.head.shape
    even = np.full((height, width, 3), 150, np.uint8)
    head, neck, regions = (np.zeros_like(layer) for layer in (layers.head, layers.neck, layers.regions))
    neck[height // 2 :, width // 3 : -width // 3] = 255
    head[height // 4 :, : width // 4] = regions[height // 4 :, : width // 4, 0] = 255  # hair behind cloth
    head[height // 4 :, -width // 4 :] = 255  # a face beside it
    garment = np.zeros_like(layers.garment)
    garment[3 * height // 4 :] = 255
    bare = replace(layers, sitter=even, head=head, neck=neck, regions=regions)
    behind = regions[..., 0] > 0
    head[3 * height // 4 :][behind[3 * height // 4 :]] = 0
    front = np.s_[height // 4 :, width // 4 + 6 : width // 3 - 6]  # a lock that hangs before the cloth
    head[front], regions[front] = 255, (255, 0, 0)
    dressed = replace(bare, garment=garment)
    ratio = develop(dressed, recipe).astype(np.float32) / np.maximum(develop(bare, recipe), 1)
    edge, further = 3 * height // 4 - 4, 3 * height // 4 - round(0.3 * EYE_DISTANCE * width)
    middle, lock, cheek = width // 2, width // 8, width - width // 8
    assert ratio[edge, middle].mean() < 0.95
    assert ratio[edge, lock].mean() < 0.95
    for column in (middle, lock, cheek):
        assert ratio[further, column].mean() == pytest.approx(1, abs=0.02)
    assert ratio[edge, cheek].mean() == pytest.approx(1, abs=0.03), "a face stands before it"
    hanging = (width // 4 + width // 3) // 2
    assert ratio[edge - 2 : edge + 8, hanging].mean(axis=-1).min() > 0.97, "no line lies across it"


def test_a_jaw_turns_away_from_the_light_above_a_neck_and_hair_does_not(setup: Setup, recipe: Recipe) -> None:
    """Cut out it kept a pale, even rim, which looks like a mask before a darker neck."""
    layers, (height, width) = setup.layers, setup.layers.head.shape
    head, neck, regions = (np.zeros_like(layer) for layer in (layers.head, layers.neck, layers.regions))
    half, third, end = height // 2, width // 3, 9 * height // 10
    head[half - third : half] = 255
    regions[half - third : half, : width // 2, 0] = 255  # hair at the left, a jaw at the right
    neck[half:, third:-third] = 255
    garment = np.zeros_like(layers.garment)
    garment[end:] = 255
    bare = replace(layers, sitter=np.full((height, width, 3), 150, np.uint8), head=head, neck=neck, regions=regions)
    ratio = develop(replace(bare, garment=garment), recipe).astype(np.float32) / np.maximum(develop(bare, recipe), 1)
    eye = EYE_DISTANCE * width
    hair, jaw, cheek = third + round(0.05 * eye), width - third - round(0.1 * eye), width - round(0.1 * eye)
    assert ratio[half - 2, jaw].mean() < 0.9
    assert ratio[half - round(0.1 * eye), jaw].mean() > 0.02 + ratio[half - 2, jaw].mean(), "it is no line"
    assert ratio[half - round(0.4 * eye), jaw].mean() == pytest.approx(1, abs=0.02)
    assert ratio[half - 2, hair].mean() == pytest.approx(1, abs=0.02)
    assert ratio[half - 2, cheek].mean() == pytest.approx(1, abs=0.02), "no neck lies below it"
    own = develop(replace(bare, garment=np.zeros_like(garment)), recipe)
    assert np.ptp(own[half - round(0.4 * eye) : half, jaw].astype(int)) < 30, "a jaw as photographed stays"


def test_white_cloth_does_not_glare_and_keeps_its_folds(setup: Setup, recipe: Recipe) -> None:
    layers, (height, width) = setup.layers, setup.layers.head.shape
    shirt = np.full((height, width, 4), 250, np.uint8)
    shirt[:, np.arange(width) % 32 < 16, :3] = 225
    shirt[..., 3] = 0
    shirt[3 * height // 4 :, :, 3] = 255
    dressed = replace(layers, garment=shirt, head=np.zeros_like(layers.head), neck=np.zeros_like(layers.neck))
    room = {**recipe.settings, "backdrop": "window_room", "paper": paper_of("window_room")}
    dim = replace(recipe, settings={**room, "black_and_white": True, "grey_for": "light", "dim": DIM})
    shade, light, dim_light = (
        develop(dressed, each)[-height // 8 :, np.arange(width) % 32 == column].mean()
        for each, column in ((recipe, 8), (recipe, 24), (dim, 24))
    )
    assert 200 < light < 240
    assert light - shade > 6
    assert dim_light < light - 8, "in a dim place it is less bright still"


def test_retouch_evens_blotches_and_keeps_texture(setup: Setup) -> None:
    layers = setup.layers
    rgb = layers.sitter.astype(np.float32) / 255
    skin = layers.head.astype(np.float32) / 255
    done = retouch(rgb.copy(), skin, layers, 1.0)
    changed = np.abs(done - rgb).max(axis=-1)
    assert changed.max() > 0.01
    fine = rgb - np.asarray([np.roll(rgb, s, axis=a) for s in (1, -1) for a in (0, 1)]).mean(axis=0)
    fine_done = done - np.asarray([np.roll(done, s, axis=a) for s in (1, -1) for a in (0, 1)]).mean(axis=0)
    where = skin > 0.99
    assert np.std(fine_done[where]) > 0.95 * np.std(fine[where])
    assert np.array_equal(retouch(rgb.copy(), skin, layers, 0.0), rgb)


def test_retouch_leaves_marks_alone(setup: Setup) -> None:
    eyes = setup.face.landmarks[[205]] * (512 / 1024)
    x, y = int(eyes[0, 0]), int(eyes[0, 1])
    layers = replace(setup.layers, marks=np.array([[x, y, 6.0]], np.float32))
    rgb = layers.sitter.astype(np.float32) / 255
    done = retouch(rgb.copy(), layers.head.astype(np.float32) / 255, layers, 1.0)
    assert np.abs(done - rgb)[y - 3 : y + 4, x - 3 : x + 4].max() < 2e-3


def test_layers_come_back_from_disk_as_they_were(setup: Setup, tmp_path: Path) -> None:
    folder = tmp_path / "layers"
    save_layers(setup.layers, folder)
    back = load_layers(folder)
    for name in set(Layers.__slots__) - {"outfit", "undressed", "own"}:  # an undressed sitter has none of them
        one, other = getattr(setup.layers, name), getattr(back, name)
        assert np.allclose(one, other, atol=0.01), name


@pytest.mark.parametrize("name", CROPS)
def test_crops_have_their_shape_and_hold_the_head(name: Crop, setup: Setup, recipe: Recipe) -> None:
    cut = crop(develop(setup.layers, recipe), name)
    height, width = cut.shape[:2]
    assert (
        height == width
        if name in ("square", "avatar")
        else abs(width / height - (35 / 45 if name == "id" else 0.8)) < 0.02
    )
    left, top, right, bottom = CROPS[name]
    rows = np.flatnonzero((setup.layers.head > 128).any(axis=1)) / setup.layers.head.shape[0]
    assert top < rows[0] + 0.02
    assert bottom > setup.layers.chin / setup.layers.head.shape[0]
    assert left < 0.3
    assert right > 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_backdrops_are_exact_at_any_size_and_by_seed(kind: str) -> None:
    drop = Backdrop(kind, (86, 106, 64), second=(180, 160, 120), side=0.3)
    large, small = draw_backdrop(drop, 3, 1024, 1280), draw_backdrop(drop, 3, 512, 640)
    assert large.shape == (1280, 1024, 3)
    assert np.abs(cv2.resize(large, (512, 640), interpolation=cv2.INTER_AREA) - small).mean() < 0.01
    assert np.array_equal(small, draw_backdrop(drop, 3, 512, 640))
    assert not np.array_equal(small, draw_backdrop(drop, 4, 512, 640))
    assert 0 <= small.min() <= small.max() <= 1


def test_an_unknown_backdrop_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown"):
        draw_backdrop(Backdrop("beach", (1, 2, 3)), 0, 64, 80)


@pytest.mark.parametrize("name", list(wardrobe().backdrops))
def test_a_backdrop_keeps_the_brightness_of_its_colour(name: str) -> None:
    """A white one is light enough behind a document, a dark one no lighter than its colour's own three stops."""
    settings = paper_of(name)
    drawn = draw_backdrop(look_of_paper(settings), 1, 256, 320)
    asked = float(linear(np.array([[rgb_of(settings["colour"])]], np.uint8)).mean())
    assert 0.12 * asked < float(drawn.mean()) < 8 * asked


def look_of_paper(settings: dict[str, Any]) -> Backdrop:
    numbers = {**settings, "colour": rgb_of(settings["colour"])}
    return Backdrop(**{**numbers, "second": rgb_of(settings["second"]) if settings["second"] else None})


def test_an_unknown_outfit_is_refused(collins_map: FaceMap, collins_cutout: Cutout) -> None:
    with pytest.raises(StyleWrong, match="choose from"):
        set_up(collins_map, collins_cutout, load("office"), Choice(outfit="toga"), 0, 1, 0.3)


def test_a_photo_without_colours_gives_a_picture_without_any(setup: Setup, recipe: Recipe) -> None:
    grey = replace(recipe, settings={**recipe.settings, "black_and_white": True})
    for edits in ((), ("warmer", "backdrop=#3050a0")):
        picture = develop(setup.layers, edit(grey, *edits)).astype(int)
        assert np.ptp(picture, axis=-1).max() == 0
    assert np.ptp(develop(setup.layers, recipe), axis=-1).max() > 20


@pytest.mark.parametrize(("lab", "faded"), [((75, 3, 2), True), ((75, 6, 5), False), ((30, 2, 3), False)])
def test_a_face_that_a_filter_made_grey_is_printed_in_black_and_white(
    lab: tuple[float, float, float], faded: bool, collins_map: FaceMap, collins_cutout: Cutout
) -> None:
    """Grey over a coloured garment it looked dead; dark skin has little chroma by nature."""
    face = replace(collins_map, skin_lab=lab)
    made = set_up(face, collins_cutout, load("office"), Choice(), 0, 5, 0.3)
    assert made.settings["black_and_white"] is faded


@pytest.mark.parametrize(
    ("style", "note", "why"),
    [("office", "hard_light", "light"), ("comic", "hard_light", ""), ("comic", "colourless", "photo"),
     ("id_photo", "hard_light", ""), ("noir", "hard_light", "look"), ("office", "cut_short", "")],
)  # fmt: skip
def test_hard_light_is_printed_in_black_and_white_but_for_drawings_and_id_photos(
    style: str, note: str, why: str, collins_map: FaceMap, collins_cutout: Cutout
) -> None:
    """In colour it is of another place than the room; a drawing has its own, and an ID photo must have colours."""
    face = replace(collins_map, selfie=replace(collins_map.selfie, notes=(note,)))
    made = set_up(face, collins_cutout, load(style), Choice(), 0, 5, 0.3).settings
    assert (made["grey_for"], made["black_and_white"]) == (why, bool(why))


def test_a_room_is_dimmer_behind_a_face_in_hard_light_and_a_wall_is_not(
    collins_map: FaceMap, collins_cutout: Cutout, recipe: Recipe
) -> None:
    def corner(backdrop: str, note: str, *edits: str) -> float:
        face = replace(collins_map, selfie=replace(collins_map.selfie, notes=(note,)))
        made = set_up(face, collins_cutout, load("office"), Choice(backdrop=backdrop), 0, 5, 0.3)
        settings = {**made.settings, "crop": "portrait"}
        rgb = develop(made.layers, edit(replace(recipe, settings=settings), *edits))
        return float(linear(rgb[:60, :60]).mean())

    bright = corner("window_room", "colourless")
    assert corner("window_room", "hard_light") < bright * 2 ** (0.7 * DIM)  # highlights are rolled off
    assert corner("window_room", "hard_light", "in_colour") == pytest.approx(bright, rel=0.1)
    assert corner("plain_white", "hard_light") == pytest.approx(corner("plain_white", "colourless"), rel=0.01)


def test_what_hard_light_made_grey_is_in_colour_again_when_asked(setup: Setup, recipe: Recipe) -> None:
    light, photo = (
        replace(recipe, settings={**recipe.settings, "black_and_white": True, "grey_for": why})
        for why in ("light", "photo")
    )
    assert np.array_equal(develop(setup.layers, edit(light, "in_colour")), develop(setup.layers, recipe))
    with pytest.raises(Refused, match="0 colours") as refused:
        develop(setup.layers, edit(photo, "in_colour"))
    assert refused.value.reason == "edit_no_colour"
    assert np.array_equal(develop(setup.layers, edit(recipe, "in_colour")), develop(setup.layers, recipe))


def test_a_recipe_of_before_has_colours(setup: Setup, recipe: Recipe) -> None:
    old = {name: value for name, value in recipe.settings.items() if name != "black_and_white"}
    assert np.array_equal(develop(setup.layers, replace(recipe, settings=old)), develop(setup.layers, recipe))
