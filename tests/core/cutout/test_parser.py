"""Claims about the parser: its weights are whole and small, and it tells a sitter's parts apart."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.cutout.body import EARS
from core.cutout.correct import (
    by_colour,
    by_colour_where_unsure,
    foreign_in_hair,
    hair_over_clothes,
    hanging_at_the_chin,
    hanging_loose,
    hats_ended,
    left_alone,
    over_the_brows,
    sitter_of,
)
from core.cutout.nets import CLASSES, INPUTS, SIZE, ParserNet, RefinerNet
from core.cutout.parser import BASE, Parser, head_of, soft_polygon, unsure_area
from core.cutout.parts import HALF, PARTS_SIZE, Parts
from core.face.landmarks import fill
from core.face.mesh import CHIN, FACE_OVAL, NOSE
from core.frame import INTEROCULAR_PX
from core.types import F32, FaceMap

LIMIT_BYTES = 12e6
GREEN = (90, 140, 90)


@pytest.fixture(scope="module")
def parts(hopper_map: FaceMap) -> Parts:
    return Parser().parse(hopper_map)


@pytest.fixture
def points(hopper_map: FaceMap) -> F32:
    return hopper_map.landmarks * np.float32(HALF)


def test_shipped_weights_fit_the_nets_are_finite_and_small() -> None:
    for net, name in ((ParserNet(), "parser"), (RefinerNet(), "refiner")):
        weights = load_file(BASE / f"{name}.safetensors")
        net.load_state_dict({key: value.float() for key, value in weights.items()})
        assert all(torch.isfinite(value).all() for value in weights.values())
    assert sum(file.stat().st_size for file in BASE.glob("*.safetensors")) <= LIMIT_BYTES


def test_the_nets_give_a_picture_of_the_size_they_are_given() -> None:
    with torch.inference_mode():
        assert ParserNet()(torch.zeros(2, INPUTS, SIZE[1], SIZE[0])).shape == (2, len(CLASSES), SIZE[1], SIZE[0])
        alpha = RefinerNet()(torch.rand(1, 3 + len(CLASSES), PARTS_SIZE[1], PARTS_SIZE[0]))
    assert alpha.shape == (1, 1, PARTS_SIZE[1], PARTS_SIZE[0])
    assert 0 <= alpha.min() <= alpha.max() <= 1


def told(where: tuple[slice, slice], *classes: int) -> F32:
    """Probabilities of the parser: backdrop everywhere, and as much of each of the classes within a part of it."""
    probabilities = np.zeros((len(CLASSES), SIZE[1], SIZE[0]), np.float32)
    probabilities[0] = 1
    probabilities[:, where[0], where[1]] = 0
    probabilities[list(classes), where[0], where[1]] = 1 / len(classes)
    return probabilities


def test_what_could_not_be_told_apart_counts_above_the_collar_where_the_photo_is(points: F32) -> None:
    eye, chin = INTEROCULAR_PX * HALF / 2, round(float(points[CHIN, 1]) / 2)
    valid = np.ones(PARTS_SIZE[::-1], np.float32)
    beside, below = np.s_[100:120, 10:40], np.s_[chin + 40 : chin + 60, 10:40]
    assert unsure_area(told(beside, 0, 1), valid, points) == pytest.approx(600 / eye**2)
    assert unsure_area(told(beside, 1, 3), valid, points) == pytest.approx(600 / eye**2)
    for certain in (told(beside, 1), told(beside, 1, 4), told(below, 0, 1), told(np.s_[100:102, 10:40], 0, 1)):
        assert unsure_area(certain, valid, points) == 0
    assert unsure_area(told(beside, 0, 1), 0 * valid, points) == 0


def test_the_sitter_s_face_is_skin(parts: Parts, points: F32) -> None:
    face = fill(parts.skin.shape, points, FACE_OVAL, 0.8)
    assert (parts.skin[face] > 0.5).mean() > 0.95
    assert parts.head[face].min() > 0.9


def test_hair_or_hat_lies_above_the_face_and_clothes_below_it(parts: Parts, points: F32) -> None:
    eye = INTEROCULAR_PX * HALF
    x, top, chin = int(points[10, 0]), int(points[10, 1]), int(points[152, 1])
    columns = slice(int(x - eye / 2), int(x + eye / 2))
    crown = (parts.hair + parts.hat)[top - int(0.5 * eye) : top - int(0.25 * eye), columns]
    assert crown.mean() > 0.8
    assert parts.clothes[chin + int(1.5 * eye) :, columns].mean() > 0.6
    assert parts.clothes[:chin].mean() < 0.02


def test_parts_of_a_sitter_sum_to_the_sitter(parts: Parts) -> None:
    total = parts.hair + parts.hat + parts.clothes + parts.skin
    assert (total <= parts.person + 1e-3).all()  # skin beside the clothes is left out on purpose
    assert parts.person[5, 5] == 0


def test_a_photo_is_parsed_once_while_it_is_in_use_and_nothing_of_it_is_held_after(hopper_map: FaceMap) -> None:
    parser = Parser()
    photo = hopper_map.selfie.rgb.copy()
    face = replace(hopper_map, selfie=replace(hopper_map.selfie, rgb=photo))
    first = parser.parse(face)
    assert parser.parse(face) is first
    moved = replace(face, transform=face.transform + np.float32(1))
    assert parser.parse(moved) is not first, "another place in the frame is another parse"
    gone = weakref.ref(photo)
    del photo, face, moved
    gc.collect()
    assert gone() is None
    assert not parser._held


def test_what_is_of_no_skin_s_colour_is_hair_above_the_chin_and_a_lit_neck_stays_skin(points: F32) -> None:
    """Dyed hair that the nets call skin is taken for hair; a neck in orange light is not."""
    height, width = PARTS_SIZE[1], PARTS_SIZE[0]
    rgb = np.full((height, width, 3), (205, 160, 140), np.uint8)
    chin = round(float(points[152, 1]))
    rgb[:, :100] = (230, 30, 160)
    rgb[chin:, 200:320] = (250, 160, 60)
    skin, none = np.ones((height, width), np.float32), np.zeros((height, width), np.float32)
    oval = none.copy()
    oval[chin - 150 : chin, 200:320] = 1
    hair, left, cloth = by_colour(rgb, none, skin, none, oval, points)
    assert hair[:, :95].min() > 0.95, "and below the chin, for it has the dyed hair's colour"
    assert hair[chin + 5 :, 200:320].max() < 0.05
    assert cloth[chin + 5 :, 200:320].max() == 0
    np.testing.assert_allclose(hair + left + cloth, 1, atol=1e-5)


def test_a_hood_beside_the_neck_is_cloth_and_not_dyed_hair(points: F32) -> None:
    """Between the lobes and the chin only what has the colour of the hair above is hair."""
    height, width = PARTS_SIZE[1], PARTS_SIZE[0]
    lobes, chin = (round(float(points[at, 1])) for at in (132, 152))
    rgb = np.full((height, width, 3), (205, 160, 140), np.uint8)
    rgb[lobes + 4 : chin - 4, :100] = (200, 90, 20)
    skin, none = np.ones((height, width), np.float32), np.zeros((height, width), np.float32)
    oval, dark = none.copy(), none.copy()
    oval[chin - 150 : chin, 200:320] = 1
    rgb[:100], dark[:100], skin[:100] = (60, 40, 35), 1, 0
    hair, left, clothes = by_colour(rgb, dark, skin, none, oval, points)
    hood = np.s_[lobes + 10 : chin - 10, 5:90]
    assert clothes[hood].min() > 0.95
    assert hair[hood].max() < 0.05
    np.testing.assert_allclose(hair + left + clothes, 1, atol=1e-5)


def test_curls_before_a_light_keep_their_strands_and_lose_the_light() -> None:
    """Where the nets leave a broad place half decided, colours decide; a mere edge stays as the nets drew it."""
    height, width = PARTS_SIZE[1], PARTS_SIZE[0]
    hair, light = np.array((50, 35, 30), np.uint8), np.array((240, 200, 150), np.uint8)
    rgb = np.empty((height, width, 3), np.uint8)
    rgb[:, :200], rgb[:, 200:] = hair, light
    rgb[:, 212:216] = hair  # a strand
    person = np.zeros((height, width), np.float32)
    person[:, :200], person[:, 200:240] = 1, 0.5
    person[:100, 200:] = 0
    person[:100, 200:206] = np.linspace(0.8, 0.2, 6)
    parts = np.zeros((4, height, width), np.float32)
    parts[0] = person
    found = by_colour_where_unsure(rgb, person, parts, np.ones_like(person))
    below = np.s_[200:500]
    assert found[below, 213:215].min() > 0.4, "never more than the nets said, 0.5"
    assert found[below, 220:235].max() < 0.1
    np.testing.assert_array_equal(found[20:80], person[20:80])
    assert (found <= person).all()


def test_a_parting_over_the_brows_is_no_backdrop_and_loops_beside_and_above_are() -> None:
    points = np.zeros((478, 3), np.float32)
    points[[127, 356], 0], points[[105, 334], 1] = (180, 330), 300
    person = np.zeros((PARTS_SIZE[1], PARTS_SIZE[0]), np.float32)
    person[100:, 120:390] = 1
    parting, loop, above, edge = (
        np.s_[250:270, 200:260],
        np.s_[280:300, 340:360],
        np.s_[120:140, 240:260],
        np.s_[240:260, 120:185],
    )
    part = np.zeros_like(person)
    part[parting] = part[loop] = part[above] = part[edge] = 0.9
    found = over_the_brows(part, person, points)
    assert (found[parting] == part[parting]).all()
    assert max(found[each].max() for each in (loop, above, edge)) == 0


def test_where_hair_and_backdrop_are_alike_the_nets_are_believed() -> None:
    height, width = PARTS_SIZE[1], PARTS_SIZE[0]
    rgb = np.full((height, width, 3), 40, np.uint8)
    person = np.zeros((height, width), np.float32)
    person[:, :200], person[:, 200:240] = 1, 0.5
    parts = np.zeros((4, height, width), np.float32)
    parts[0] = person
    np.testing.assert_array_equal(by_colour_where_unsure(rgb, person, parts, np.ones_like(person)), person)


@pytest.mark.parametrize(
    ("wall", "lock", "taken"),
    [
        ((90, 140, 90), (90, 140, 90), True),
        ((90, 140, 90), (200, 180, 150), False),
        ((70, 45, 40), (70, 45, 40), False),
    ],
    ids=["a wall between curls", "a strand in a lamp's light", "hair before a wall of its colour"],
)
def test_a_hole_in_the_hair_is_told_by_the_colour_of_what_is_right_outside(
    wall: tuple[int, int, int], lock: tuple[int, int, int], taken: bool
) -> None:
    rgb = np.full((PARTS_SIZE[1], PARTS_SIZE[0], 3), wall, np.uint8)
    rgb[100:400, 150:360] = 60, 40, 35
    hair = np.zeros((PARTS_SIZE[1], PARTS_SIZE[0]), np.float32)
    hair[100:400, 150:360] = 1
    hole = np.s_[200:230, 160:185]
    rgb[hole] = lock
    backdrop, cloth = foreign_in_hair(rgb, hair, hair, np.zeros_like(hair), np.ones_like(hair))
    inner = np.s_[208:222, 166:179]
    assert bool(backdrop[inner].min() > 0.9) is taken
    assert bool(backdrop[inner].max() > 0.1) is taken
    backdrop[195:235, 155:190] = 0
    assert (backdrop * hair).max() < 0.1, "and no other hair goes"
    assert cloth.max() == 0


def test_cloth_in_the_hair_is_told_by_the_clothes_beside_it() -> None:
    rgb = np.full((PARTS_SIZE[1], PARTS_SIZE[0], 3), 220, np.uint8)
    hair, clothes = (np.zeros((PARTS_SIZE[1], PARTS_SIZE[0]), np.float32) for _ in range(2))
    hair[100:500, 150:300], clothes[300:, 300:450] = 1, 1
    rgb[100:500, 150:300], rgb[300:, 300:450] = (60, 40, 35), (150, 60, 70)
    rgb[380:420, 275:300] = 150, 60, 70
    backdrop, cloth = foreign_in_hair(rgb, np.maximum(hair, clothes), hair, clothes, np.ones_like(hair))
    assert cloth[390:410, 280:298].min() > 0.9
    assert (cloth * hair)[100:360].max() < 0.1
    assert (backdrop * hair).max() < 0.1
    assert (cloth + backdrop).max() <= 1


def test_shoulders_are_no_hat_and_a_fold_is_no_lock(points: F32) -> None:
    """Hat and hair hang from the head; a long tail of hair behind the neck does not, and stays."""
    hair, hat, skin = (np.zeros((PARTS_SIZE[1], PARTS_SIZE[0]), np.float32) for _ in range(3))
    lobes = round(float(points[132, 1]))
    skin[90:lobes, 150:350] = 1
    hat[20:90, 150:350] = 1
    hat[lobes + 30 : lobes + 60, :200] = 0.9  # a light shoulder
    hair[90 : lobes + 80, 120:150] = 1
    hair[lobes + 40 : lobes + 60, 300:330] = 0.8  # a fold
    hair[lobes + 20 : lobes + 140, 400:450] = 1  # a tail
    hair[40:60, 400:420] = 1  # a leaf in the air
    fold, shoulder = hanging_loose(hair, hat, skin, points)
    assert fold[50, 410] == 1
    beard = np.zeros_like(hair)
    beard[lobes + 35 : lobes + 65, 290:340] = 1
    assert left_alone(hair, hat, skin, np.zeros_like(hair), points)[lobes + 50, 310] == pytest.approx(0.8)
    assert left_alone(hair, hat, skin, beard, points)[lobes + 50, 310] == 0
    assert fold[lobes + 50, 310] == pytest.approx(0.8)
    assert fold[:, 120:150].max() == fold[lobes:, 400:450].max() == 0
    assert shoulder[lobes + 45, 100] == pytest.approx(0.9)
    assert shoulder[:100].max() == 0


def test_a_flag_behind_a_cap_is_let_go_and_a_brim_that_the_segmenter_misses_stays() -> None:
    found, coarse = np.zeros((5, 100, 100), np.float32), np.zeros((100, 100), np.float32)
    found[4, 20:60, 20:70] = 1
    found[1, 60:80, 20:95] = 1
    found[0] = 1 - found[1:].sum(axis=0)
    coarse[20:80, 20:62] = 1  # it knows 84 % of the hat
    ended = hats_ended(found, coarse)
    assert ended[4, 40, 40] == 1
    assert ended[4, 40, 69] < 0.1
    assert ended[0, 40, 69] > 0.9
    np.testing.assert_allclose(ended.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_array_equal(ended[1], found[1])
    coarse[:, 52:] = 0  # and now 64 %: a brim it does not know
    np.testing.assert_array_equal(hats_ended(found, coarse), found)


def test_a_beard_that_the_nets_call_cloth_is_hair_and_a_collar_or_a_wall_is_not(points: F32) -> None:
    hair, clothes, oval = (np.zeros((PARTS_SIZE[1], PARTS_SIZE[0]), np.float32) for _ in range(3))
    oval[fill(oval.shape, points, FACE_OVAL, 1.0)] = 1
    x, chin = (round(float(value)) for value in points[152, :2])
    hair[20:120, 150:350] = 1
    rgb = np.full((*hair.shape, 3), 128, np.uint8)
    rgb[hair > 0] = 40, 25, 20
    valid = np.ones_like(hair)

    def beard(rows: slice, colour: tuple[int, int, int], reaches: bool = True) -> F32:
        worn, picture, seen = clothes.copy(), rgb.copy(), valid.copy()
        worn[rows, x - 30 : x + 30] = 0.9
        picture[rows, x - 30 : x + 30] = colour
        seen[rows.stop + 2 :] = float(reaches)
        return hanging_at_the_chin(picture, worn, hair, oval, seen, points)

    brown, red = (70, 35, 22), (170, 30, 40)
    below = slice(chin, chin + 30)
    assert beard(below, brown)[chin + 15, x] == pytest.approx(0.9)
    assert beard(below, red).max() == 0, "no hair's colour"
    assert beard(slice(chin, chin + 120), brown).max() == 0, "it goes on to the shoulders"
    assert beard(below, brown, reaches=False).max() == 0, "it goes on where the photo ends"
    assert beard(slice(chin + 30, chin + 40), brown).max() == 0, "it does not touch the jaw"


def test_hair_over_cloth_ends_where_its_colour_does_or_cannot_be_told() -> None:
    height, width = PARTS_SIZE[1], PARTS_SIZE[0]
    hair, clothes = (np.zeros((height, width), np.float32) for _ in range(2))
    hair[:300, :300], hair[300:, :300], clothes[300:, :300], clothes[300:, 300:] = 1, 0.5, 0.5, 1
    rgb = np.full((height, width, 3), 30, np.uint8)
    alike = hair_over_clothes(rgb, hair, clothes)
    assert alike[320:, :280].max() == 0, "black hair over black cloth ends"
    assert alike[:280].min() == hair[:280].min()
    rgb[300:] = (90, 60, 140)
    rgb[300:, 200:212] = 30  # a strand over purple cloth
    strand = hair_over_clothes(rgb, hair, clothes)
    assert strand[340:440, 202:210].min() > 0.45
    assert strand[340:440, 230:280].max() < 0.1


def test_what_hangs_on_the_figure_by_a_thread_is_not_the_sitter(points: F32) -> None:
    person = np.zeros((PARTS_SIZE[1], PARTS_SIZE[0]), np.float32)
    x, y = (round(float(at)) for at in points[1, :2])
    person[y - 150 : y + 150, x - 80 : x + 80] = 1
    person[y : y + 2, x + 80 : x + 120] = 1
    person[y - 30 : y + 30, x + 120 : x + 160] = 1  # a lamp
    person[y - 100 : y - 80, x - 110 : x - 80] = 1  # tied hair
    kept = sitter_of(person, points[:, :2])
    assert kept[y, x + 140] == 0
    assert kept[y - 90, x - 105] == 1
    assert kept[y - 140, x] == 1


@pytest.mark.parametrize("side", [-1, 1])
def test_lips_and_far_cheek_of_a_turned_face_are_head_where_its_mesh_lies_inside_them(
    side: int, hopper_map: FaceMap
) -> None:
    """The mesh of a turned head lies inside its far cheek: mouths of profiles were cut off on a level line."""
    points = hopper_map.landmarks[:, :2] / 2
    middle = points[list(FACE_OVAL), 0].mean()
    turned = points.copy()
    turned[:, 0] = middle + 0.6 * (points[:, 0] - middle)
    turned[NOSE, 0] = turned[EARS[(side + 1) // 2], 0] + 4 * side  # the nose's tip hides the far ear
    edge = turned[list(FACE_OVAL), 0].min() if side < 0 else turned[list(FACE_OVAL), 0].max()
    mouth, chin = round(float(turned[13, 1])), round(float(turned[CHIN, 1]))
    rows, columns = np.mgrid[: PARTS_SIZE[1], : PARTS_SIZE[0]]
    skin = ((side * (columns - edge) < 25) & (side * (columns - edge) > -60) & (rows < chin - 4)).astype(np.float32)
    oval = soft_polygon(turned[list(FACE_OVAL)], PARTS_SIZE, 0.75)
    head = head_of(turned, 0 * skin, skin, oval)
    beyond = np.s_[mouth - 30 : mouth + 30, round(edge) + 20 * side]
    assert head[beyond].min() > 0.9
    below = skin + (rows >= chin - 4) * (np.abs(columns - edge) < 40)  # a beard goes on down
    assert head_of(turned, 0 * skin, below.astype(np.float32), oval)[chin - 12, round(edge) + 20 * side] < 0.1
    assert head_of(points, 0 * skin, skin, oval)[mouth + 20, round(edge) + 20 * side] < 0.1, "beside a straight face"
