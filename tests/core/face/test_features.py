"""Claims about what the map says of glasses, beards, hair and hats: two real photos, and pixels drawn onto them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core import frame
from core.cli import main
from core.cutout.parts import MOST_UNSURE, Parts
from core.face.coverage import coverage, draw_map, notes_of
from core.face.features import judge, measure, observe, words
from core.face.worn import CHIN, IOD, JAW, UPPER_LIP
from core.models import Models
from core.types import FaceMap, Features
from jobs.worker.core_studio import CoreStudio
from jobs.worker.laid_photos import LaidPhoto
from tests import sitters
from tools.measure_map import share, wearing_hat

RGB = sitters.RGB
Sight = tuple[Parts, NDArray[np.float32]]


@pytest.fixture(scope="module")
def hopper(hopper_map: FaceMap, models: Models) -> FaceMap:
    return observe(hopper_map, models.parser)


@pytest.fixture(scope="module")
def collins(collins_map: FaceMap, models: Models) -> FaceMap:
    return observe(collins_map, models.parser)


@pytest.fixture(scope="module")
def bare(collins_map: FaceMap, models: Models) -> Sight:
    return models.parser.parse(collins_map), collins_map.landmarks


def judged(sight: Sight) -> Features:
    return judge(measure(*sight))


def painted(sight: Sight, rgb: RGB) -> Sight:
    return replace(sight[0], rgb=rgb), sight[1]


def wearing_glasses(sight: Sight, colour: tuple[int, int, int] = (70, 52, 45)) -> Sight:
    """Two rims, a bridge over the nose and temples to the ears."""
    points, worn = sight[1][:, :2] / 2, sight[0].rgb.copy()
    eyes, reach = frame.eye_centres(points), round(0.36 * IOD)
    for (x, y), ear in zip(eyes, points[[127, 356], 0], strict=True):
        cv2.ellipse(worn, (round(x), round(y + 0.08 * IOD)), (reach, round(0.27 * IOD)), 0, 0, 360, colour, 5, 16)
        cv2.line(worn, (round(x + np.sign(ear - x) * reach), round(y)), (round(ear), round(y)), colour, 5, 16)
    (left, y), (right, _) = eyes
    cv2.line(worn, (round(left + reach), round(y)), (round(right - reach), round(y)), colour, 5, 16)
    return painted(sight, worn)


def wearing_hair(sight: Sight, *rings: tuple[int, ...]) -> Sight:
    """Short strands over parts of the face, as dark as four tenths of its skin and without its red."""
    points, rgb = sight[1][:, :2] / 2, sight[0].rgb
    where = np.zeros(rgb.shape[:2], np.uint8)
    for ring in rings:
        cv2.fillPoly(where, [np.round(points[list(ring)]).astype(np.int32)], 255)
    alpha = cv2.GaussianBlur(where, (0, 0), 2).astype(np.float32)[..., None] / 255
    strands = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, rgb.shape[:2]).astype(np.float32), (0, 0), 1)
    hair = 0.4 * rgb[where > 0].mean() * (1 + 0.9 * strands / strands.std())[..., None] * (1.0, 0.97, 0.95)
    return painted(sight, np.asarray(rgb * (1 - 0.85 * alpha) + np.clip(hair, 0, 255) * 0.85 * alpha, np.uint8))


def darker(sight: Sight) -> Sight:
    """A third of the light, hues kept: nothing may hang on how light a skin is."""
    return painted(sight, sitters.exposed(sight[0].rgb, -1.5))


def repainted(sight: Sight, lightness: float, colour: float) -> Sight:
    """The hair's CIELAB lightness and colour times a factor."""
    lab = cv2.cvtColor(sight[0].rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    hair = (sight[0].head * (1 - sight[0].oval))[..., None]
    lab *= 1 + hair * (np.array([lightness, colour, colour], np.float32) - 1)
    rgb = cv2.cvtColor(np.clip(lab, (0, -127, -127), (100, 127, 127)).astype(np.float32), cv2.COLOR_LAB2RGB)
    return painted(sight, np.clip(rgb * 255, 0, 255).astype(np.uint8))


def test_hoppers_cap_and_glasses_are_seen(hopper: FaceMap) -> None:
    found = hopper.features
    assert found
    assert (found.hat, found.glasses, found.facial_hair) == (True, True, "none")
    assert (found.hair_colour, found.hair_length) == (None, None)  # the cap hides her crown: no guess
    assert words(found) == "hat, glasses, no facial hair"


def test_collins_has_no_glasses_no_beard_and_short_hair(collins: FaceMap) -> None:
    found = collins.features
    assert found
    assert (found.glasses, found.facial_hair, found.hair_length) == (False, "none", "short")
    assert found.hair_colour in {"brown", "blond"}  # light brown: people say either
    assert found.hat is not True  # a fringe as low as a cap's edge may leave it open


@pytest.mark.parametrize("light", [lambda sight: sight, darker])
def test_glasses_drawn_on_are_seen_in_any_light(light: Callable[[Sight], Sight], bare: Sight) -> None:
    assert judged(light(bare)).glasses is False
    assert judged(light(wearing_glasses(bare))).glasses is True


@pytest.mark.parametrize("light", [lambda sight: sight, darker])
def test_beard_and_moustache_drawn_on_are_told_apart_in_any_light(light: Callable[[Sight], Sight], bare: Sight) -> None:
    assert judged(light(bare)).facial_hair == "none"
    assert judged(light(wearing_hair(bare, UPPER_LIP, CHIN, *JAW))).facial_hair == "beard"
    assert judged(light(wearing_hair(bare, UPPER_LIP))).facial_hair == "moustache"


def test_a_noisy_photo_grows_no_beard(bare: Sight) -> None:
    noise = np.random.default_rng(0).normal(0, 8, bare[0].rgb.shape)
    assert judged(painted(bare, np.clip(bare[0].rgb + noise, 0, 255).astype(np.uint8))).facial_hair == "none"


def test_coloured_hats_are_seen_and_a_plain_one_is_never_taken_for_a_bald_head(bare: Sight) -> None:
    hats = [judged((wearing_hat(*bare, seed), bare[1])) for seed in range(5)]
    assert sum(found.hat is True for found in hats) >= 2
    assert all(found.hair_length != "bald" for found in hats)


def test_a_fringe_is_no_hat_however_dark_or_white(bare: Sight) -> None:
    assert judged(bare).hat is not True
    assert judged(repainted(bare, 0.2, 0.1)).hat is not True
    assert judged(repainted(bare, 1.9, 0.1)).hat is not True


def test_repainted_hair_is_called_by_its_new_colour(bare: Sight) -> None:
    assert judged(repainted(bare, 0.2, 0.1)).hair_colour == "black"
    assert judged(repainted(bare, 1.9, 0.1)).hair_colour in {"grey", "white"}
    assert judged(repainted(bare, 0.5, 0.6)).hair_colour == "dark brown"


def test_hair_that_falls_beside_the_neck_is_long(bare: Sight) -> None:
    """Her hair's own pixels, laid downwards beside neck and chest."""
    points = bare[1] / 2
    rgb, head, person = bare[0].rgb.copy(), bare[0].head.copy(), bare[0].person.copy()
    ear, middle = round(points[159, 1]), round(points[10, 0])
    patch = rgb[150:200, middle - 40 : middle + 40]
    for x in (round(points[234, 0]) - 60, round(points[454, 0]) - 20):
        for y in range(ear, 620, 50):
            rgb[y : y + 50, x : x + 80] = patch[: 640 - y]
        head[ear:620, x : x + 80] = person[ear:620, x : x + 80] = 1
    assert judged((replace(bare[0], rgb=rgb, head=head, person=person), bare[1])).hair_length != "short"
    assert judged(bare).hair_length == "short"


def test_a_hat_is_asked_off_once_and_differences_are_noted(hopper: FaceMap, collins: FaceMap) -> None:
    alone = coverage([hopper])
    assert alone.missing[0] == "bare_head"
    assert alone.notes == ()
    both = coverage([hopper, collins])
    assert "bare_head" not in both.missing
    assert both.notes == ("glasses_differ",)
    assert coverage([collins]).notes == ()


def test_unsure_features_have_no_say_in_the_set(hopper: FaceMap, collins: FaceMap) -> None:
    assert hopper.features
    unsure = replace(hopper, features=replace(hopper.features, hat=None, glasses=None, facial_hair=None))
    assert coverage([unsure, collins]).notes == ()


def test_a_rim_of_glasses_is_no_mole_and_without_glasses_all_stay(
    hopper_map: FaceMap, hopper: FaceMap, collins_map: FaceMap, collins: FaceMap
) -> None:
    assert len(hopper_map.marks) > 5
    assert len(hopper.marks) == 0
    assert np.array_equal(collins.marks, collins_map.marks)


def test_the_drawn_map_outlines_what_is_worn(hopper: FaceMap) -> None:
    plain, drawn = draw_map(replace(hopper, features=None)), draw_map(hopper)
    changed = np.abs(plain.astype(int) - drawn).sum(axis=-1) > 60
    eyes = hopper.landmarks[[33, 263], 1].mean() / 2
    assert changed[round(eyes) - 50 : round(eyes) + 60].sum() > 300  # the lenses
    assert changed[:90].sum() > 300  # the line of words


def test_what_could_not_be_told_apart_is_kept_with_the_map_and_asks_for_another_photo(
    collins_map: FaceMap, models: Models
) -> None:
    assert observe(collins_map, models.parser).unsure == models.parser.parse(collins_map).unsure > 0
    assert "unsure" not in notes_of(replace(collins_map, unsure=MOST_UNSURE - 0.1))
    assert "unsure" in notes_of(replace(collins_map, unsure=MOST_UNSURE + 0.1))
    assert "mouth_open" in notes_of(replace(collins_map, expression=("mouth_open",)))
    said = notes_of(replace(collins_map, expression=("grimace", "mouth_open", "looks_down")))
    assert said[-2:] == ("grimace", "looks_down"), "one sentence is enough for half a word"
    said = notes_of(replace(collins_map, expression=("grimace", "eyes_closed", "mouth_open", "looks_down")))
    assert said[-2:] == ("eyes_closed", "mouth_open"), "lids are said as lids, once"
    assert "grimace" not in said


def test_check_tells_features_and_the_chat_is_told_of_the_hat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], models: Models
) -> None:
    photo = tmp_path / "hopper.png"
    photo.write_bytes(sitters.encoded(sitters.hopper(), compress_level=1))
    assert main(["check", str(photo), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["photos"][0]["features"]["hat"] is True
    assert told["notes"] == []
    looked = CoreStudio().look([LaidPhoto("photos/1", "00", photo.read_bytes())])
    assert looked["notes"] == ["hat", "own_clothes"]
    assert looked["missing"][0] == "bare_head"
    assert looked["of_set"] == []


def test_nothing_is_claimed_for_fewer_than_eight() -> None:
    assert share([True] * 7) == "n = 7, too few"
    assert share([True] * 6 + [False] * 2).startswith("75.0 % (")
