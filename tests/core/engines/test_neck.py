"""Claims about drawn skin: where the net's neck ends, and where its folds are deep, no line is seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.engines.redress.fitting import opening_of
from core.engines.redress.neck import (
    BOW,
    TRAPEZIUS,
    rounded,
    up_to_head,
    up_to_tips,
    widening,
    within_collar,
    without_ledges,
)
from core.engines.redress.skin import FOLDS, pores, skin_only, surely_own
from core.frame import INTEROCULAR_PX
from core.types import Body

BODY = Body(neck_x=512, neck_width=230, collar_y=800, chin_y=730, shoulder_y=780, left=60, right=960)
SKIN = np.array([0.75, 0.55, 0.45], np.float32)
NOTHING = np.zeros((288, 512), np.float32)


def shaded_neck() -> np.ndarray:
    """A neck of 1024 x 576 with a dark furrow down its middle; white cloth below row 288."""
    across = np.exp(-(((np.arange(1024) - 512) / 25.0) ** 2)).astype(np.float32)
    neck = SKIN * (1 - 0.5 * across[:, None])
    rgb = np.ones((576, 1024, 3), np.float32)
    rgb[:288] = neck
    return rgb


def test_skin_below_the_net_s_neck_begins_in_the_colour_that_it_ends_in() -> None:
    matte = np.zeros((72, 128), np.float32)
    matte[:36] = 1
    skin = skin_only(shaded_neck(), matte)
    above, below = skin[270, 400:620], skin[312, 400:620]
    assert np.abs(above - below).max() < 0.12
    assert np.abs(np.diff(skin[260:330, 512], axis=0)).max() < 0.05


def test_folds_of_the_net_are_kept_in_part() -> None:
    matte = np.ones((72, 128), np.float32)
    matte[-8:] = 0
    furrow = skin_only(shaded_neck(), matte)[100]
    depth = float((furrow[300] - furrow[512]).mean() / (shaded_neck()[100, 300] - shaded_neck()[100, 512]).mean())
    assert FOLDS < depth < 0.9


def test_steps_and_notches_of_a_neck_s_outline_are_rounded_and_head_and_garment_stay() -> None:
    neck, head, cover = (np.zeros((640, 512), np.float32) for _ in range(3))
    neck[280:420, 200:312] = 1
    neck[280:330, 190:200] = 1  # a step beside the jaw
    neck[360:366, 300:312] = 0  # a notch
    head[:290, 180:330] = 1
    cover[400:, 150:362] = 1
    made = rounded(neck, head, 0 * neck, cover, 340, BODY, 0.5)
    assert made[326:330, 190:193].max() < 0.3, "the step's corner"
    assert made[361:365, 300:306].min() > 0.6, "the notch is filled"
    assert made[:335][neck[:335] == 0].max() == 0, "the photo has no skin beside it above the torso"
    assert made[300:395, 230:290].min() > 0.99
    assert np.array_equal(made[410:], neck[410:])
    assert np.array_equal(rounded(neck, head + 1, 0 * neck, cover, 340, BODY, 0.5), neck)


def test_no_corner_between_a_collar_and_what_lies_outside_it_is_filled_with_skin() -> None:
    neck, head, cover = (np.zeros((640, 512), np.float32) for _ in range(3))
    neck[280:480, 200:312] = 1
    head[:290, 180:330] = 1
    for away in range(150):  # shoulders that fall away from a collar's highest points, right beside the neck
        cover[400 + away // 2 :, 199 - away] = cover[400 + away // 2 :, 312 + away] = 1
    made = rounded(neck, head, 0 * neck, cover, 340, BODY, 0.5)
    assert made[350:, :199].max() == made[350:, 313:].max() == 0


def beside_tips(gap: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A neck of columns 200 to 311, a head above it, and a collar whose tips stand `gap` columns off it in row 400."""
    neck, head, cover = (np.zeros((640, 512), np.float32) for _ in range(3))
    neck[280:480, 200:312] = 1
    head[:290, 180:330] = 1
    for away in range(100):
        cover[400 + away // 2 :, 200 - gap - away] = cover[400 + away // 2 :, 311 + gap + away] = 1
    return neck, head, cover


@pytest.mark.parametrize(("gap", "touched"), [(15, True), (40, False)])
def test_a_neck_touches_the_tips_of_a_collar_that_stands_off_it(gap: int, touched: bool) -> None:
    neck, head, cover = beside_tips(gap)
    made = up_to_tips(neck, head, cover, 340, BODY, 0.5)
    if not touched:
        assert np.array_equal(made, neck)
        return
    assert made[400:410, 200 - gap + 1 : 312 + gap - 1].min() > 0.9
    assert made[:, : 199 - gap].max() == made[:, 313 + gap :].max() == 0, "beside the collar is no neck"
    assert (made[:335] <= neck[:335]).all(), "above the torso's part the photo has no skin beside it"
    left = (made[340:400] > 0.5).argmax(axis=1)
    assert np.abs(np.diff(left)).max() <= 2, "and comes to them slantwise"
    assert 199 <= left[0] <= 202, "nothing is added in the first row in which it may be"


def test_a_neck_that_is_seen_in_few_rows_does_not_come_in_to_a_collar_as_a_bite() -> None:
    neck, head, cover = beside_tips(-12)
    assert up_to_tips(neck, head, cover, 340, BODY, 0.5)[395, 202] < 0.5, "from a jaw further up it comes in slantwise"
    head[:390, 180:330] = 1
    assert np.array_equal(up_to_tips(neck, head, cover, 340, BODY, 0.5), neck)


def test_nothing_is_added_along_the_soft_edge_of_a_head_that_covers_the_neck() -> None:
    neck, head, cover = beside_tips(15)
    for row in range(290, 370):
        head[row, 180 - (370 - row) : 330 + (370 - row)] = 1
    soft = cv2.GaussianBlur(head, (0, 0), 3)
    made = up_to_tips(neck, soft, cover, 300, BODY, 0.5)
    assert np.array_equal(made[:360, 320:], neck[:360, 320:])
    assert np.array_equal(made[:360, :190], neck[:360, :190])


def test_a_neck_half_seen_above_the_torso_s_part_is_made_firm_beside_a_whole_one_below() -> None:
    """Its soft edge ended there on a level line: a grey box beside the jaw."""
    neck, head, cover = (np.zeros((640, 512), np.float32) for _ in range(3))
    neck[280:480, 200:312] = 1
    neck[:340, 200:206] = 0.4
    head[:290, 206:330] = 1
    cover[400:, 150:362] = 1
    made = rounded(neck, head, 0 * neck, cover, 340, BODY, 0.5)
    assert made[336:340, 203:206].min() > 0.55
    half = neck.copy()
    half[:400, 200:206] = 0.5
    even = rounded(half, head, 0 * neck, cover, 340, BODY, 0.5)[330:390, 204]
    assert np.diff(even).min() > -0.1, "and one that is half seen on both sides has no ledge there"
    assert made[325:338, :199].max() == 0, "where the photo has none of it there is none"


def test_what_stands_out_above_a_collar_s_tips_is_an_old_collar_and_goes() -> None:
    neck, head, cover = beside_tips(0)
    neck[320:400, 312:330] = 1  # an old collar beside the neck, a block above the new one
    made = up_to_tips(neck, head, cover, 340, BODY, 0.5)
    right = 511 - (made[320:400, ::-1] > 0.5).argmax(axis=1)
    assert 310 <= right.min() <= right.max() <= 312 + BOW * INTEROCULAR_PX / 2
    assert np.abs(made[:, :250] - neck[:, :250]).max() <= 0.5, "the other side stays, its edge half a column further in"


def test_no_skin_stands_outside_a_collar() -> None:
    """A shoulder of the photo beside the neck is covered by any garment, even where the cloth there is lower."""
    cover = np.zeros((288, 512), np.float32)
    for x in range(512):  # a collar highest at 60 pixels beside the neck, shoulders falling away from there
        away = abs(x - 256)
        cover[120 if away < 60 else round(80 + 0.5 * (away - 60)) :, x] = 1
    hair = np.zeros_like(cover)
    hair[:40, 150:170] = 1
    window = within_collar(cover, np.zeros_like(cover), hair, BODY, 0.5)
    assert window.shape == cover.shape
    assert window[:, 256 - 57 : 256 + 57].min() == 1
    assert window[80:, : 256 - 66].max() == 0
    assert window[80:, 256 + 66 :].max() == 0
    assert window[60, : 256 - 86].max() == window[60, 256 + 86 :].max() == 0, "above it no more than a column a row"
    assert window[:40, 150:256].min() == 1, "between hair and neck there is no backdrop"
    assert window[35:40, :145].max() == 0


def test_skin_reaches_a_collar_that_is_wider_below_its_highest_points() -> None:
    """The tips of an open collar lean inwards: the backdrop stood beside the neck below them."""
    cover = np.zeros((288, 512), np.float32)
    cover[90:, :190], cover[90:, 322:] = 1, 1
    cover[80:100, 180:200], cover[80:100, 312:332] = 1, 1  # the tips
    cover[200:] = 1
    opening = opening_of(cover, BODY)
    window = within_collar(cover, opening, np.zeros_like(cover), BODY, 0.5)
    assert window[105:195, 191:321].min() == 1
    assert window[80:, :176].max() == 0
    assert window[60, :156].max() == 0


@pytest.mark.parametrize(("turn", "columns"), [(9.0, 6), (0.0, 25), (-9.0, 25)])
def test_no_ledge_lies_between_a_jaw_and_the_collar_beside_it(turn: float, columns: int) -> None:
    """Left of the neck a collar stands off; the skin's outline comes down to it from the head, and not sideways."""
    head, neck, cover = (np.zeros((288, 512), np.float32) for _ in range(3))
    for row in range(140):
        head[row, 180 + row // 2 : 330] = 1  # a jaw that recedes towards the chin
    for away in range(202):
        cover[110 + away // 2 :, 204 - away] = 1
        cover[110 + away // 2 :, 310 + away] = 1
    neck[110:200, 205:310] = 1
    filled = np.maximum(up_to_head(neck, head, np.zeros_like(neck), cover, BODY, turn, 0.5), head)
    outline, before = (each[50:130].argmax(axis=1) for each in (filled, np.maximum(neck, head)))
    assert np.abs(np.diff(outline)).max() <= 1, "each row begins within a column of the one above it"
    assert np.abs(np.diff(before)).max() > 15, "without it the skin begins at once"
    assert outline[0] == 180 + 50 // 2, "higher up the head is as it was"
    assert outline[40] - 204 <= columns, "a nape is upright"


def collared() -> np.ndarray:
    """A garment whose collar is highest 52 pixels beside the neck's middle, at row 110 of 288, at half size."""
    cover = np.zeros((288, 512), np.float32)
    for away in range(202):
        cover[110 + away // 2 :, 204 - away] = 1
        cover[110 + away // 2 :, 308 + away] = 1
    return cover


@pytest.mark.parametrize(("turn", "side"), [(0.0, 1), (0.0, -1), (9.0, 1), (-9.0, -1)])
def test_a_shoulder_of_the_photo_does_not_begin_as_a_block_beside_the_jaw(turn: float, side: int) -> None:
    """Nor does skin stand out over a collar on the side to which a head is turned."""
    head, neck = (np.zeros((288, 512), np.float32) for _ in range(2))
    head[:60, 210:302] = 1
    neck[60:110, 210:302] = 1
    block = neck.copy()
    block[70:110, 302:330] = 1
    given = block if side > 0 else block[:, ::-1].copy()
    made = without_ledges(given, head, given, collared(), NOTHING, NOTHING, BODY, turn, 0.5)
    reach = (made[60:109, 256:] if side > 0 else made[60:109, 255::-1]).sum(axis=1)
    assert np.diff(reach).max() < 1.2, "it comes out slantwise, by whole pixels"
    assert reach[-1] < 56, "and ends at the collar"
    assert reach.min() >= 45, "the neck itself is as broad as it was"
    head[:110, 330:340] = head[:110, 172:182] = 1
    beside = without_ledges(given, head, given, collared(), NOTHING, NOTHING, BODY, turn, 0.5)
    assert (given[60:109] - beside[60:109]).max() < 1e-3, "no backdrop shows between a neck and hair further out"


def test_an_own_neck_cut_off_beside_the_jaw_does_not_end_in_the_air() -> None:
    """A bit of neck that the old collar cut hung below the jaw, beyond the drawn one."""
    head, neck, own = (np.zeros((288, 512), np.float32) for _ in range(3))
    head[:40, 200:312] = 1
    own[40:80, 280:306] = 1
    neck[40:110, 220:290] = 1
    before = np.maximum(neck, own)
    made = without_ledges(before, head, own, collared(), NOTHING, NOTHING, BODY, 0.0, 0.5)
    edges = [(256 + each[44:109, 256:].sum(axis=1)) for each in (before, made)]
    assert np.diff(edges[0]).min() < -10
    assert np.diff(edges[1]).min() >= -1, "a column a row at most, of whole pixels"
    assert np.array_equal(made[:, 180:250], before[:, 180:250]), "the other side is as it was"


def below_a_head() -> tuple[np.ndarray, np.ndarray]:
    """A head of columns 210 to 301 down to row 59 of the torso's part, and a narrower neck below it."""
    head, neck = (np.zeros((288, 512), np.float32) for _ in range(2))
    head[:60, 210:302] = 1
    neck[60:110, 220:292] = 1
    return head, neck


def test_old_cloth_that_was_taken_for_neck_does_not_stand_beside_the_jaw() -> None:
    """A scarf beside a jaw stood there as a square: above the torso's part of the print nothing bounded a neck."""
    head, neck = below_a_head()
    scarf = neck.copy()
    scarf[10:60, 302:350] = 1
    made = without_ledges(scarf, head, scarf, collared(), NOTHING, NOTHING, BODY, 0.0, 0.5)
    reach = np.maximum(made, head)[:110, 256:].sum(axis=1)
    assert reach[:60].max() < 308 - 256 + 0.2 * 110 + 2, "no further out than a neck that comes up from the collar"
    assert np.abs(np.diff(reach)).max() < 1.3, "and without a step"


def test_a_line_that_stands_apart_from_the_neck_is_no_skin() -> None:
    """The rim of a shoulder was carried down as a line beside the neck, with backdrop between."""
    head, neck = below_a_head()
    lined = neck.copy()
    lined[60:100, 296:299] = 0.8
    made = without_ledges(lined, head, neck, collared(), NOTHING, NOTHING, BODY, 0.0, 0.5)
    assert made[65:100, 294:300].max() < 0.01
    under_hair = head.copy()
    under_hair[60:100, 291:305] = 1
    kept = without_ledges(lined, under_hair, neck, collared(), NOTHING, NOTHING, BODY, 0.0, 0.5)
    assert kept[65:90, 296:299].min() > 0.79, "under hair it is not seen, and no backdrop may shine through"


def test_what_the_photo_has_of_clothes_and_backdrop_beside_a_neck_is_no_skin_under_hair() -> None:
    """Drawn skin ended as a block beside the collar, behind hair that is seen through."""
    head, neck = below_a_head()
    shoulder = neck.copy()
    shoulder[60:110, 292:340] = 1

    def beside(hair: float, clothes: np.ndarray, backdrop: np.ndarray, lock: int = 336) -> np.ndarray:
        hung = head.copy()
        hung[:110, 318:lock] = np.maximum(hung[:110, 318:lock], hair)
        hung[:110, lock : lock + 10] = 1
        return without_ledges(shoulder, hung, neck, collared(), backdrop, clothes, BODY, 0.0, 0.5)[65:100]

    coat = NOTHING.copy()
    coat[60:, 302:] = 1
    assert beside(0.5, NOTHING, NOTHING)[:, 320:332].min() > 0.9, "with nothing known of it, it is skin"
    assert beside(0.5, coat, NOTHING)[:, 320:332].max() < 0.01, "the old coat was seen through the hair"
    assert beside(0.0, coat, NOTHING, 326)[:, 321:325].min() > 0.9, "a slit of it between neck and hair is filled"
    assert beside(0.0, NOTHING, coat, 326)[:, 321:325].max() < 0.01, "one of backdrop is seen"


def test_skin_between_a_neck_and_hair_ends_slantwise_where_the_hair_ends_above_cloth() -> None:
    """It ended as a ledge with a level lower edge; where hair goes on to the cloth there is no backdrop."""
    head, neck = below_a_head()
    filled = neck.copy()
    filled[60:85, 292:316] = 1
    ends = []
    for last in (86, 140):
        hung = head.copy()
        hung[:last, 316:324] = 1
        made = without_ledges(filled, hung, neck, collared(), NOTHING, NOTHING, BODY, 0.0, 0.5)
        ends.append(made[58:84, 292:316].sum(axis=1))
    short, long = ends
    gapped = head.copy()
    gapped[:140, 316:324] = 1
    gapped[75] = 0  # a thin row bare of hair is no end
    made = without_ledges(filled, gapped, neck, collared(), NOTHING, NOTHING, BODY, 0.0, 0.5)
    assert made[62:74, 292:316].min() == 1
    assert np.abs(np.diff(short[-20:])).max() <= 1.5, "a column a row"
    assert short[-1] < 5 < 20 < long[-1]


def test_what_a_photo_shows_of_a_neck_is_surer_further_inwards() -> None:
    shown = np.zeros((200, 300), np.float32)
    shown[:120, 40:260] = 1
    sure = surely_own(shown, 0.5)
    down = sure[:, 150]
    assert down[119] == 0 == sure[60, 40]
    assert down[40] == 1
    assert 0 < np.abs(np.diff(down)).max() < 0.1, "no line"
    assert surely_own(np.ones((200, 300), np.float32), 0.5).min() == 1, "without an edge all is theirs"


def test_a_slit_between_neck_and_collar_is_filled() -> None:
    head, neck, cover = (np.zeros((288, 512), np.float32) for _ in range(3))
    head[:60, 210:302] = 1
    neck[60:102, 210:302] = 1
    cover[110:, 150:362] = 1
    own = np.zeros_like(neck)
    made = without_ledges(neck, head, own, cover, NOTHING, NOTHING, BODY, 0.0, 0.5)
    assert np.maximum(made, cover)[60:, 230:282].min() == 1
    short = neck.copy()
    short[80:] = 0
    assert without_ledges(short, head, own, cover, NOTHING, NOTHING, BODY, 0.0, 0.5)[90, 256] == 0, (
        "a wide gap is the judge's to see"
    )


def test_drawn_skin_has_no_stripes() -> None:
    """Creases of the own neck, and rows that enlarging drew, lay over drawn skin like the grain of wood."""
    rng = np.random.default_rng(3)
    creases = cv2.GaussianBlur(rng.standard_normal((120, 160)).astype(np.float32), (0, 0), 9.0, sigmaY=0.8)
    own = SKIN * (1 + 0.05 * creases / creases.std())[..., None]
    grain = pores(own.astype(np.float32), np.ones((120, 160), np.float32), 0.5, 1)
    along, across = (np.abs(np.diff(grain, axis=axis)).mean() for axis in (1, 0))
    assert grain.std() > 0
    assert 0.8 < along / across < 1.25
    assert np.abs(np.diff(creases, axis=1)).mean() < 0.3 * np.abs(np.diff(creases, axis=0)).mean(), "the photo had"


def test_an_own_neck_that_the_photo_cuts_goes_on_down_to_the_collar() -> None:
    cover, own = (np.zeros((288, 512), np.float32) for _ in range(2))
    for away in range(202):
        cover[110 + away // 2 :, 204 - away] = 1
        cover[110 + away // 2 :, 310 + away] = 1
    own[20:90, 206:308] = 1
    filled = up_to_head(own, np.zeros_like(own), own, cover, BODY, 0, 0.5)
    assert filled[88:112, 212:302].min() == 1


def test_a_frame_without_a_garment_near_the_neck_keeps_some_neck() -> None:
    nothing = np.zeros((288, 512), np.float32)
    assert within_collar(nothing, nothing, nothing, BODY, 0.5)[:, 200:312].min() == 1


def test_an_opening_is_skin_down_to_its_foot_and_begins_without_a_ledge() -> None:
    """The neck ends above the foot of an open collar; beside its top no square of skin stands off the neck."""
    figure, opening = (np.zeros((200, 400), np.float32) for _ in range(2))
    figure[:90, 150:250] = 1
    opening[20:, 110:290] = 1
    skin = widening(opening, figure, TRAPEZIUS)
    assert skin[60:, 110:290].min() == 1
    assert skin[20:, 150:250].min() == 1, "no line where the neck ends"
    assert skin[21, 110:140].max() == 0


def test_a_notch_below_the_jaw_is_filled_little_by_little_from_the_torso_s_first_row_on() -> None:
    """Filled from one row on it had a ledge beside the jaw, in the photo's backdrop above."""
    neck, head, cover = (np.zeros((640, 512), np.float32) for _ in range(3))
    for row in range(250, 352):  # a jaw that comes in, and a neck that goes out again
        head[row, 150 + (row - 250) : 362 - (row - 250)] = 1
    for row in range(340, 450):
        neck[row, 240 - (row - 340) // 2 : 272 + (row - 340) // 2] = 1
    cover[450:, 150:362] = 1
    made = np.maximum(rounded(neck, head, 0 * neck, cover, 340, BODY, 0.5), head)
    left = (made[300:440] > 0.5).argmax(axis=1)
    assert np.diff(left[38:]).min() >= -3, "no row stands out by more than three columns beside the one above"
