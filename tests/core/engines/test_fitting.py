"""A photographed garment on a body: it covers what it should, in the colours that are asked for."""

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from core.engines.redress.fitting import (
    MOST_STRETCH,
    as_sharp,
    down_to_the_foot,
    opening_of,
    recoloured,
    trunk_normals,
    worn,
)
from core.engines.redress.garment import Cloth
from core.engines.redress.paint import SIZE, TOP, Layout
from core.frame import INTEROCULAR_PX
from core.scene.wardrobe import PART_NAMES, Garment, garments, mirrored, photographed
from tests.core.scene.test_wardrobe import BODY

CLOTH = Cloth("suit_tie", (48, 52, 59), (236, 239, 243), (106, 34, 49))
every = pytest.mark.parametrize("garment", garments(), ids=lambda garment: garment.name)


def lab_of(rgb: NDArray[np.floating]) -> NDArray[np.floating]:
    return cv2.cvtColor(rgb.astype(np.float32).reshape(1, -1, 3), cv2.COLOR_RGB2LAB)[0]


def put_on(garment: Garment, size: tuple[int, int] = (512, 288), turn: float = 0.0) -> Layout:
    return worn(garment, CLOTH, BODY, turn, size, plain=True)


@every
def test_a_garment_covers_the_print_below_the_shoulders_to_both_sides_and_the_foot(garment: Garment) -> None:
    for each in (garment, mirrored(garment)):
        cover = put_on(each).rgba[..., 3]
        assert cover[-1].min() > 0.9, "no backdrop at the print's foot"
        assert cover[0].max() < 0.5, "nothing is cut at the part's upper edge"
        assert np.isfinite(cover).all()
        row = round((BODY.collar_y + 1.6 * INTEROCULAR_PX - TOP) / 2)
        assert cover[row].mean() > 0.9


@every
def test_plain_cloth_takes_the_colour_that_is_asked_for(garment: Garment) -> None:
    pictures = photographed(garment.name)
    rgba, parts = pictures.cloth.astype(np.float32) / 255, pictures.parts.astype(np.float32) / 255
    for index, name in enumerate(PART_NAMES):
        known = (parts[..., index] > 0.9) & (rgba[..., 3] > 0.9)
        if name not in garment.facts.plain or known.sum() < 50:
            continue
        for wanted in ((48, 52, 59), (31, 42, 68), (185, 203, 228), (106, 34, 49), (236, 239, 243)):
            made = recoloured(rgba, parts[..., index], wanted)[..., :3][known]
            off = np.median(lab_of(made), axis=0) - lab_of(np.array(wanted, np.float32) / 255)[0]
            assert np.linalg.norm(off) <= 4, f"{name} in {wanted} is off by dE {np.linalg.norm(off):.1f}"


def test_black_cloth_worn_as_white_has_no_dots_where_it_met_a_lighter_one() -> None:
    """Pixels of its edge hold the jacket's light too, which the brightening would take for a gleam of the cloth."""
    across = np.clip((np.arange(60, dtype=np.float32) - 29.5) / 4 + 0.5, 0, 1)
    part = np.tile(across, (40, 1))
    dithered = np.where(np.indices((40, 60)).sum(axis=0) % 2 == 0, part, np.clip(part - 0.3, 0, 1))
    grey = 0.75 * (1 - dithered) + 0.06 * dithered
    rgba = np.dstack([grey, grey, grey, np.ones_like(grey)]).astype(np.float32)
    made = recoloured(rgba, part, (236, 239, 243))[..., 0]
    edge = np.s_[:, 31:33]  # three quarters of it are the cloth
    assert np.ptp(made[edge], axis=0).max() < 0.1
    assert made[edge].max() < 0.97


def test_the_grain_of_black_cloth_is_not_embossed_on_grey_and_its_folds_stay() -> None:
    rng, fold = np.random.default_rng(5), np.exp(-(((np.arange(120) - 60) / 5) ** 2)).astype(np.float32)
    grey = 0.1 * (1 - 0.5 * fold)[None] * np.exp(rng.normal(0, 0.08, (120, 120)).astype(np.float32))
    rgba = np.dstack([grey, grey, grey, np.ones_like(grey)])
    part = np.ones_like(grey)
    black, lighter = (np.log(recoloured(rgba, part, wanted)[..., 1]) for wanted in ((25, 25, 25), (90, 94, 101)))
    flat = np.s_[:, :40]
    assert lighter[flat].std() < 0.15 * black[flat].std()
    depth = [cloth[:, 58:63].mean() - cloth[flat].mean() for cloth in (lighter, black)]
    assert 0.2 < depth[0] / depth[1] < 1


def test_a_photograph_that_ends_too_high_is_stretched_to_the_foot_and_its_neck_is_not() -> None:
    rows = np.repeat(np.arange(-20, 130, dtype=np.float32)[:, None], 4, axis=1)
    made = down_to_the_foot(rows, start=30, last=110)
    assert np.array_equal(made[rows <= 30], rows[rows <= 30]), "nothing changes above the shoulder line"
    assert made[-1].max() == pytest.approx(110, abs=0.01)
    steps = np.diff(made[:, 0])
    assert np.all(np.diff(steps) < 1e-4), "the stretch grows evenly"
    assert np.all(steps > 1 / MOST_STRETCH - 0.02)
    short = down_to_the_foot(rows, start=30, last=40)
    assert np.diff(short[:, 0]).min() == pytest.approx(1 / MOST_STRETCH, abs=0.02), "there is an end to it"
    assert np.array_equal(down_to_the_foot(rows, start=30, last=200), rows), "long ones are left as they are"


@every
def test_one_dressing_takes_a_second_and_a_half_of_processor_time_at_most(garment: Garment) -> None:
    """At full print size, dyed and warped; 0.2 to 0.35 s were measured."""
    began = time.thread_time()
    cloth = replace(CLOTH, tie=(20, 60, 90))  # none that is dyed already
    worn(garment, cloth, BODY, 0.0, SIZE, plain=True)
    assert time.thread_time() - began <= 1.5


def test_as_photographed_keeps_its_own_colours() -> None:
    garment = garments()[0]
    own = worn(garment, CLOTH, BODY, 0, (256, 144), plain=False)
    other = worn(garment, replace(CLOTH, jacket=(200, 30, 30)), BODY, 0, (256, 144), plain=False)
    assert np.array_equal(own.rgba, other.rgba)


@every
def test_a_small_layout_is_the_large_one_made_small(garment: Garment) -> None:
    large, small = put_on(garment, SIZE), put_on(garment, (128, 72))
    shrunk = cv2.resize(large.rgba[..., 3], (128, 72), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk - small.rgba[..., 3]).mean() < 0.02


def test_the_opening_is_between_the_sides_and_above_the_front() -> None:
    cover = np.zeros((100, 200), np.float32)
    cv2.fillPoly(cover, [np.array([(0, 40), (80, 10), (100, 70), (120, 10), (199, 40), (199, 99), (0, 99)])], 1.0)
    body = replace(BODY, neck_x=512.0, neck_width=200.0)
    found = opening_of(cover, body)
    assert found[30, 100] == 1, "the V is skin"
    assert found[5, 100] == 0, "nothing above its sides"
    assert found[20, 5] == 0, "nothing above a shoulder"
    assert found[80].max() == 0, "nothing below the front"


def test_the_softer_of_cloth_and_head_decides_how_sharp_the_cloth_is() -> None:
    rng = np.random.default_rng(0)
    cloth = np.repeat(rng.random((64, 64, 1)), 3, axis=2).astype(np.float32)
    blurred, crisp = as_sharp(cloth, 1.0, 2.3), as_sharp(cv2.GaussianBlur(cloth, (0, 0), 1.2), 2.3, 1.0)
    assert blurred.std() < 0.7 * cloth.std()
    assert crisp.std() > cv2.GaussianBlur(cloth, (0, 0), 1.2).std()
    assert np.array_equal(as_sharp(cloth, 1.0, 1.0), cloth)


def test_a_body_under_a_garment_is_round() -> None:
    normals = trunk_normals(put_on(garments()[0]).rgba[..., 3])
    assert np.allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-3)
    assert normals[-40, 250, 2] > 0.8


def test_an_arm_goes_on_falling_beyond_its_photographs_side() -> None:
    """It ended in a horizontal step, and stripes ran from there to the print's side."""
    body = replace(BODY, neck_x=BODY.neck_x + 220)  # a turned head stands aside: the photograph ends before the print
    garment = next(each for each in garments() if each.name == "roll_neck")
    cover = worn(garment, CLOTH, body, 14.0, (512, 288), plain=True).rgba[..., 3] > 0.5
    top = np.where(cover.any(axis=0), np.argmax(cover, axis=0), 288)
    assert (np.diff(top[:60]) <= 1).all(), "from the side upwards to the shoulder"
    assert top[0] > top[59] + 20
