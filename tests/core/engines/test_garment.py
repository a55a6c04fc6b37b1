"""Garments as drawings: they obey in colour, cover the neck's end, and look the same at every size."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from core import frame
from core.engines.redress.drape import drape
from core.engines.redress.garment import JACKET, KINDS, SHIRT, TIE, Cloth, cloths_of, lay_out
from core.engines.redress.neck import near_neck, up_to_collar
from core.engines.redress.paint import SIZE, TOP, Layout
from core.types import Body

BODY = Body(neck_x=512, neck_width=190, collar_y=945, chin_y=858, shoulder_y=900, left=-9, right=1033)
NAVY, WHITE, RED = (31, 42, 68), (237, 241, 247), (130, 30, 40)


def cloth(kind: str) -> Cloth:
    return Cloth(kind, NAVY, WHITE, RED)


@cache
def at_print(kind: str) -> Layout:
    return lay_out(cloth(kind), BODY)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_closes_round_the_foot_of_the_neck(kind: str) -> None:
    matte = at_print(kind).rgba[..., 3]
    foot = round(BODY.collar_y + 0.7 * frame.INTEROCULAR_PX - TOP)
    left, right = (round(BODY.neck_x + side * BODY.neck_width / 2) for side in (-1, 1))
    assert matte[foot:, left:right].min() > 0.99  # nothing of where the neck ends is seen below
    assert matte[foot:].min(axis=0)[200:824].min() > 0.99  # and the chest has no gaps


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_covers_the_face(kind: str) -> None:
    matte = at_print(kind).rgba[..., 3]
    chin = round(BODY.chin_y - TOP)
    middle = slice(round(BODY.neck_x) - 40, round(BODY.neck_x) + 40)
    assert matte[: chin - 20, middle].max() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_collar_lies_inside_the_garment_and_meets_the_neck_in_the_middle(kind: str) -> None:
    drawn = at_print(kind)
    assert (drawn.collar <= drawn.rgba[..., 3] + 1e-3).all()
    assert drawn.collar[:, round(BODY.neck_x)].max() > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_small_layout_is_the_large_one_seen_from_afar(kind: str) -> None:
    large, small = at_print(kind), lay_out(cloth(kind), BODY, (256, 144))
    shrunk = cv2.resize(large.rgba, (256, 144), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk[..., 3] - small.rgba[..., 3]).mean() < 0.005
    both = (shrunk[..., 3] > 0.99) & (small.rgba[..., 3] > 0.99)
    assert np.abs(shrunk - small.rgba)[both].mean() < 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_an_edge_s_pixels_have_the_colour_of_the_cloth_beside_them(kind: str) -> None:
    drawn = lay_out(Cloth(kind, WHITE, WHITE, WHITE), BODY)
    rgb, matte = drawn.rgba[..., :3], drawn.rgba[..., 3]
    edge = (cv2.dilate(matte, np.ones((5, 5))) > 0) & (matte < 0.99)
    assert rgb[edge].min() > rgb[matte > 0.99].min() - 0.01, "none of it is mixed with black"


def test_shoulders_are_as_high_as_the_body_s() -> None:
    def top(body: Body) -> int:
        column = round(body.neck_x + 2.2 * frame.INTEROCULAR_PX)
        return int(np.argmax(lay_out(cloth("suit_tie"), body).rgba[:, column, 3] > 0.5) + TOP)

    for asked in (920, 945):
        assert top(replace(BODY, shoulder_y=asked)) == pytest.approx(asked, abs=12)
    assert top(replace(BODY, shoulder_y=0)) > BODY.chin_y, "but never as high as a coat hanger's"
    assert top(replace(BODY, shoulder_y=1200)) < BODY.chin_y + 0.8 * frame.INTEROCULAR_PX, "nor a pawn's"


def test_the_neck_fills_what_lies_between_a_turned_jaw_and_its_collar() -> None:
    throat, cover, head = (np.zeros((90, 1024), np.float32) for _ in range(3))
    throat[20:, 440:560] = 1
    head[:20, 430:] = 1
    cover[10:, 300:420] = 1  # its collar stands 20 px off the neck, and 10 off the jaw
    neck = up_to_collar(throat, cover, head, BODY, 1.0)
    seen = np.maximum(neck, np.maximum(cover, head))
    assert seen[46:, 300:560].min() == 1
    widths = [int((neck[row, 420:440] > 0.5).sum()) for row in range(20, 90)]
    assert widths == sorted(widths), "the neck grows wider towards its foot"
    assert max(np.diff(widths)) <= 1, "and nowhere by a ledge"
    assert seen[:10, :430].max() == 0, "above the collar the backdrop is seen beside the jaw"
    assert seen[:, :300].max() == 0
    assert seen[20:, 561:].max() == 0, "where no collar stands nothing is filled"
    cover[:, :400] = 0
    narrow = up_to_collar(throat, cover, head, BODY, 1.0)
    assert narrow[75:, 403:440].min() == 1
    assert narrow[:, :403].max() == 0, "and no skin shines through the collar's outer edge"


def test_a_turned_head_keeps_its_nape_and_no_bare_shoulder() -> None:
    head, skin = (np.zeros((1280, 1024), np.uint8) for _ in range(2))
    head[300:780, 380:720] = 255
    skin[780:1000, 420:720] = 255  # 150 px beside the narrow neck's side, under the ear
    skin[800:1000, 760:1000] = 255  # a shoulder before the backdrop
    near = near_neck(BODY, head, skin)
    assert near[785:800, 440:700].min() > 0.9
    assert near[:, 770:].max() == 0
    assert near[1000:, 715:].max() == 0, "below the collar only what lies under the chin"


@pytest.mark.parametrize("colour", [(20, 20, 24), (120, 30, 60), (200, 190, 170), (60, 110, 80)])
def test_jacket_is_the_colour_that_was_asked_for(colour: tuple[int, int, int]) -> None:
    drawn = lay_out(Cloth("suit_open", colour, WHITE), BODY, (512, 288))
    plain = (drawn.regions["jacket"] > 0.99) & (drawn.crease < 0.01)
    assert np.abs(drawn.rgba[..., :3][plain] * 255 - colour).max() < 2


def test_suit_shows_shirt_and_tie_in_their_own_colours() -> None:
    drawn = at_print("suit_tie")
    for region, colour in (("shirt", WHITE), ("tie", RED)):
        seen = drawn.rgba[..., :3][(drawn.regions[region] > 0.99) & (drawn.crease < 0.1)] * 255
        assert len(seen) > 500
        assert np.abs(np.median(seen, axis=0) - colour).max() < 12


def test_regions_never_claim_a_pixel_twice() -> None:
    for kind in KINDS:
        drawn = at_print(kind)
        total = sum(drawn.regions.values())
        assert np.max(total) < 1.02


def test_a_suit_is_told_as_jacket_shirt_and_tie_and_a_jumper_as_one_cloth() -> None:
    def cloths(kind: str) -> set[int]:
        layout = at_print(kind)
        return set(np.unique(cloths_of(layout, kind)[layout.rgba[..., 3] > 0.99]).tolist())

    assert cloths("suit_tie") == {JACKET, SHIRT, TIE}
    assert cloths("suit_open") == {JACKET, SHIRT}
    assert cloths("turtleneck") == {JACKET}


def test_the_tie_hangs_from_the_collar_down_the_middle() -> None:
    rows, columns = np.nonzero(cloths_of(at_print("suit_tie"), "suit_tie") == TIE)
    assert abs(columns.mean() - BODY.neck_x) < 3
    assert 0 < rows.min() - (BODY.collar_y - TOP) < 24  # an eighth of an eye distance below: the knot's upper edge
    assert rows.max() == SIZE[1] - 1


def test_same_seed_draws_the_same_and_another_draws_another() -> None:
    first, again, other = (lay_out(cloth("suit_tie"), BODY, (256, 144), seed).rgba for seed in (3, 3, 4))
    assert (first == again).all()
    assert np.abs(first - other).mean() > 0.002


def test_shoulders_fall_from_the_neck_to_both_sides() -> None:
    matte = at_print("suit_tie").rgba[..., 3] > 0.5
    tops = matte.argmax(axis=0)
    assert tops[60] > tops[200] > tops[340]
    assert tops[-60] > tops[-200] > tops[-340]
    assert SIZE == (1024, 576)


def test_unknown_kind_is_an_error_not_a_guess() -> None:
    with pytest.raises(KeyError, match="toga"):
        lay_out(cloth("toga"), BODY)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fold_that_lies_outside_the_frame_leaves_the_cloth_s_normals_finite(kind: str) -> None:
    """Shoulders as wide as these push folds out at the frame's sides, where no distance to them can be measured."""
    body = Body(455.0, 346.0, 948.3, 830.8, 874.4, -132.3, 1042.3)
    layout = lay_out(Cloth(kind, (40, 45, 60), (235, 235, 235), (120, 20, 40)), body, SIZE, 30023)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        normals = drape(layout, kind, body, 30023)
    assert np.allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-3)
