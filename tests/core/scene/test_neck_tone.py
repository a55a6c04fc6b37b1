"""Claims about a neck's tone: a studio's light in the face's hue; pores, beards and hair stay."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.colour import LUMINANCE, linear, srgb, to_bytes
from core.face.mesh import CHIN
from core.frame import INTEROCULAR_PX
from core.scene.neck_tone import (
    HELD,
    JAW_LIGHT,
    JAW_SIDES,
    LIGHT,
    LIGHT_SKIN,
    hue_at,
    jaws_of,
    skin_of,
    tone_of,
    toned,
    with_own_neck_toned,
)
from core.types import F32, Body, Layers, Undressed

HEIGHT, WIDTH = 640, 512
EYE = INTEROCULAR_PX / 2
CHIN_Y = 340
FACE = (0.8, 0.6, 0.5)
SKIN = linear(np.array(FACE, np.float32))
PALE, DARK = (np.array((lightness, 15, 18), np.float32) for lightness in (70, 40))
EVEN = np.array([1, 0, 0, 0, 0, 0, 0, 0, 0], np.float32)


def sitter(skin: F32, chin: tuple[float, float, float] = FACE, bearded: bool = False, light: F32 = EVEN) -> Undressed:
    """A sitter whose head ends at CHIN_Y, with a bare neck of that colour (H, W, 3), linear light, below it."""
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:, :2] = WIDTH / 2, CHIN_Y - 60
    landmarks[CHIN, 1] = CHIN_Y
    landmarks[132, 0], landmarks[361, 0] = 150, 362  # the jaw's ends
    head, neck = (np.zeros((HEIGHT, WIDTH), np.uint8) for _ in range(2))
    head[100:CHIN_Y, 150:362] = 255
    neck[CHIN_Y - 40 :, 180:332] = 255
    normals = np.zeros((HEIGHT, WIDTH, 3), np.int8)
    normals[..., 2] = 127
    layers = Layers(
        to_bytes(srgb(skin)), head, neck, np.zeros((HEIGHT, WIDTH, 4), np.uint8), normals, light,
        np.zeros((0, 3), np.float32), 1.0, 0.0, CHIN_Y, landmarks, regions=np.zeros((HEIGHT, WIDTH, 3), np.uint8),
    )  # fmt: skip
    body = Body(512, 304, 800, 2 * CHIN_Y, 780, 60, 960)
    nothing = np.zeros((HEIGHT, WIDTH), np.uint8)
    return Undressed(layers, nothing, nothing, (0, 0, 1, 1), body, chin, FACE, 800, 1, bearded=bearded)


def even(share: float = 0.5, tint: tuple[float, float, float] = (1, 1, 1)) -> F32:
    return np.ones((HEIGHT, WIDTH, 3), np.float32) * SKIN * np.float32(share) * np.array(tint, np.float32)


def lab_of(light: F32) -> F32:
    """CIELAB of linear light (..., 3)."""
    return cv2.cvtColor(srgb(np.clip(light, 0, 1)).reshape(1, -1, 3), cv2.COLOR_RGB2LAB)[0].reshape(light.shape)


def after(who: Undressed) -> F32:
    return linear(with_own_neck_toned(who).layers.sitter)


def test_necks_are_nearly_as_saturated_in_the_shade_as_in_the_light_and_dark_ones_less() -> None:
    """Those of light skin were grey and mauve below the chin; dark ones would be of rust."""
    shade, light = np.array(0.43, np.float32), np.array(0.88, np.float32)
    assert (hue_at(shade, PALE) > 0.85).all()
    assert hue_at(light, np.array((54, 14, 16), np.float32))[1] > 1.1, "a neck is yellower than its face"
    assert 1 < hue_at(light, PALE)[1] < 1.06, "a pale one only a little"
    assert (hue_at(shade, DARK) < 0.7).all()
    assert (hue_at(light, DARK) < 1).all()
    between = hue_at(shade, np.array((sum(LIGHT_SKIN) / 2, 15, 18), np.float32))
    assert (hue_at(shade, DARK) < between).all()
    assert (between < hue_at(shade, PALE)).all()


@pytest.mark.parametrize(
    ("share", "tint"), [(0.1, (1, 1, 1)), (0.6, (1, 1, 1)), (1.3, (1, 1, 1)), (0.4, (1.5, 0.8, 0.7))]
)
def test_any_neck_gets_the_light_and_the_hue_of_real_ones(share: float, tint: tuple[float, float, float]) -> None:
    made = after(sitter(even(share, tint)))
    light = made @ LUMINANCE / (SKIN @ LUMINANCE)
    face, hues = lab_of(SKIN), lab_of(made[CHIN_Y + 4 : CHIN_Y + 120 : 8, 256])
    expected = face[1:] * hue_at(hues[:, 0] / face[0], face)
    assert np.abs(hues[:, 1:] - expected).max() < 1.2
    for below, row in ((0.15, 3), (0.45, 5), (0.9, 8)):
        assert abs(light[round(CHIN_Y + below * EYE), 256] - LIGHT[row][0]) < 0.05
    assert (np.diff(light[CHIN_Y + 4 : CHIN_Y + 90, 256]) > -0.01).all(), "no band lies across it"


def test_what_is_no_neck_stays() -> None:
    before = sitter(even())
    made = with_own_neck_toned(before).layers.sitter
    same = (made == before.layers.sitter).all(axis=-1)
    assert same[:CHIN_Y].all()
    assert same[:, :178].all()
    assert not same[CHIN_Y + 5 :, 200:300].any()
    hair = before.layers.regions.copy()
    hair[CHIN_Y:, 200:230, 0] = 255
    hanging = replace(before, layers=replace(before.layers, regions=hair))
    assert (with_own_neck_toned(hanging).layers.sitter == before.layers.sitter)[:, 202:228].all()


def test_under_hair_that_goes_over_to_hair_behind_no_neck_is_toned() -> None:
    who = sitter(even())
    head, behind = who.layers.head.copy(), np.zeros((HEIGHT, WIDTH), np.uint8)
    head[CHIN_Y:, 180:230], behind[CHIN_Y:, 180:230] = 127, 128
    hairy = replace(who, layers=replace(who.layers, head=head), back_hair=behind)
    assert skin_of(hairy, who.layers.neck / np.float32(255))[CHIN_Y + 60 :, 180:230].max() == 0


def test_old_clothes_shine_into_no_neck_beside_them() -> None:
    stained = even()
    stained[CHIN_Y:, 316:332] = 0.08, 0.01, 0.01  # a red scarf's colour on the last of the neck
    who = sitter(stained)
    regions = who.layers.regions.copy()
    regions[CHIN_Y + 20 :, 326:420, 2] = 255
    dressed = replace(who, layers=replace(who.layers, regions=regions))

    def red(each: Undressed) -> float:
        made = after(each)[CHIN_Y + 40 : CHIN_Y + 120, 322:331]
        return float((made[..., 0] / made[..., 1]).mean() / (SKIN[0] / SKIN[1]))

    assert red(dressed) == pytest.approx(red(sitter(even())), abs=0.06)
    assert red(who) > 1.2, "without clothes beside it, it is the neck's own"


def test_a_strip_of_neck_between_clothes_has_no_skin_further_off_and_keeps_its_colours() -> None:
    who = sitter(even())
    patch = np.s_[CHIN_Y : CHIN_Y + 3, 300:303]
    neck, regions = np.zeros_like(who.layers.neck), who.layers.regions.copy()
    neck[patch], regions[..., 2] = 255, 255
    regions[..., 2][patch] = 0
    narrow = replace(who, layers=replace(who.layers, neck=neck, regions=regions), turn_deg=-10.0)
    made = with_own_neck_toned(narrow).layers.sitter[patch]
    assert made.max() < 160, "nothing is known there: what was made up was white"


def test_scraps_bands_and_colours_go_and_pores_stay() -> None:
    pores = 1 + 0.03 * np.random.default_rng(1).standard_normal((HEIGHT, WIDTH, 1)).astype(np.float32)
    skin = even(0.6) * pores
    seen = np.s_[CHIN_Y + 20 : CHIN_Y + 150, 190:320]

    def light(rgb: F32) -> F32:
        return np.log(after(sitter(rgb)) @ LUMINANCE)[seen]

    plain = light(skin)
    fine = plain - cv2.GaussianBlur(plain, (0, 0), 4)
    assert fine.std() > 0.8 * np.log(skin @ LUMINANCE)[seen].std()
    band, chain, blue = skin.copy(), skin.copy(), skin.copy()
    band[: CHIN_Y + 80] *= 0.4
    chain[:, 254:258] *= 0.3
    blue[:, 240:280] *= np.array((0.7, 0.9, 1.6), np.float32)
    step = cv2.GaussianBlur(light(band) - plain, (0, 0), 2).mean(axis=1)
    assert np.abs(np.diff(step)).max() < 0.5 * np.log(1 / 0.4) / (2 * 2.5)
    assert np.abs(light(chain) - plain)[:, 64:68].mean() < 0.3, "a necklace was log(1 / 0.3) = 1.2"
    made = after(sitter(blue))[CHIN_Y + 100, 260]
    assert made[2] / made[0] < 0.7 * blue[CHIN_Y + 100, 260, 2] / blue[CHIN_Y + 100, 260, 0]


def test_a_beard_stays_dark_and_uneven() -> None:
    rough = even(0.3) * np.exp(0.35 * np.random.default_rng(2).standard_normal((HEIGHT, WIDTH, 1))).astype(np.float32)
    who = sitter(rough, bearded=True)
    assert np.abs(with_own_neck_toned(who).layers.sitter.astype(int) - who.layers.sitter).max() < 6
    smooth = sitter(even(0.1), (0.2, 0.15, 0.12), bearded=True)
    below = round(0.2 * EYE) + CHIN_Y
    assert (with_own_neck_toned(smooth).layers.sitter == smooth.layers.sitter)[:below].all()
    assert (with_own_neck_toned(smooth).layers.sitter != smooth.layers.sitter)[CHIN_Y + 90, 256].all()


def test_the_tone_has_the_photo_s_own_light_which_relighting_takes_out() -> None:
    who = sitter(even())
    side = np.array([1, 0.6, 0, 0, 0, 0, 0, 0, 0], np.float32)
    normals = who.layers.normals.copy()
    normals[:, :256], normals[:, 256:] = (-90, 0, 90), (90, 0, 90)
    lit = replace(who, layers=replace(who.layers, normals=normals, light=side))
    tone = tone_of(lit)[130] @ LUMINANCE
    assert tone[80] > 1.2 * tone[48]
    plain = tone_of(replace(lit, layers=replace(lit.layers, light=EVEN)))[130] @ LUMINANCE
    assert plain[80] == pytest.approx(plain[48], rel=0.02)


def test_a_nape_is_as_light_as_the_head_above_it_and_goes_over_to_the_tone() -> None:
    who = sitter(even())
    head, neck = who.layers.head.copy(), who.layers.neck.copy()
    head[100:CHIN_Y, 362:420] = 255  # an ear and what is behind it, outside the jaw
    neck[CHIN_Y - 40 :, 362:420] = 255
    who = replace(who, layers=replace(who.layers, head=head, neck=neck), turn_deg=-10.0)
    skin = skin_of(who, neck / np.float32(255))
    assert skin[CHIN_Y + 3, 390] < 0.2
    assert skin[CHIN_Y + 60, 390] > 0.95
    assert skin[CHIN_Y + 3, 190] > 0.95, "below the far side of the jaw it is all"
    assert np.abs(np.diff(skin[CHIN_Y:, 390])).max() < 0.1
    for turn in (0.0, 10.0):  # a straight head shows no nape, one turned to the other side has it at the left
        assert skin_of(replace(who, turn_deg=turn), neck / np.float32(255))[CHIN_Y + 3, 390] > 0.95
    without = replace(who, layers=replace(who.layers, landmarks=np.zeros((0, 3), np.float32)))
    assert skin_of(without, neck / np.float32(255))[CHIN_Y + 3, 390] > 0.95, "layers of before have no mesh"


def test_too_small_a_neck_is_left_alone() -> None:
    rgb = np.full((40, 40, 3), 0.5, np.float32)
    speck = np.zeros((40, 40), np.float32)
    speck[10:14, 10:14] = 1
    assert np.array_equal(toned(rgb, speck, rgb), rgb)


def test_a_neck_below_a_shaded_jaw_is_as_dark_at_that_side_and_not_at_the_other() -> None:
    """Beside a face lit from one side a neck in LIGHT alone was flat, with a bright rim on the dark side."""
    soft, dark = sitter(even()), replace(sitter(even()), jaws=(1.0, 0.3))
    row = CHIN_Y + round(0.2 * EYE)
    plain, held = (tone_of(each)[row // 4] @ LUMINANCE for each in (soft, dark))
    left, middle, right = (256 - 72) // 4, 256 // 4, (256 + 72) // 4
    assert held[right] == pytest.approx(0.3 * HELD * float(SKIN @ LUMINANCE), rel=0.15)
    assert held[left] == pytest.approx(plain[left], rel=0.02)
    assert held[middle] == pytest.approx(plain[middle], rel=0.1)
    assert (held <= plain * 1.001).all()


@pytest.mark.parametrize("turn", [15.0, -15.0])
def test_a_turned_heads_nape_is_as_light_as_the_jaw_beside_it(turn: float) -> None:
    """A level step lay between the photo's own nape and what is drawn below it."""
    side = -1 if turn > 0 else 1
    row, column = CHIN_Y // 4, (256 + side * 72) // 4
    jaws = (0.9, 0.5) if turn > 0 else (0.5, 0.9)
    made = tone_of(replace(sitter(even()), turn_deg=turn, jaws=jaws))[row] @ LUMINANCE / (SKIN @ LUMINANCE)
    plain = tone_of(replace(sitter(even()), turn_deg=turn))[row] @ LUMINANCE / (SKIN @ LUMINANCE)
    assert plain[column] < 0.65
    assert made[column] > 0.75


def test_the_light_of_the_jaw_is_told_from_its_skin_alone() -> None:
    """Of its sides; hair there, a hat, or no mesh say nothing."""
    lit = even(1.0)
    lit[:, 256:] *= 0.4
    who = sitter(lit)
    points = who.layers.landmarks.copy()
    for side, x in zip(JAW_SIDES, (170, 340), strict=True):
        points[list(side), :2] = x, 300
    who = replace(who, layers=replace(who.layers, landmarks=points))
    assert jaws_of(who) == pytest.approx((1.0, 0.4), rel=0.05)
    hair = who.layers.regions.copy()
    hair[:, 256:, 0] = 255
    assert jaws_of(replace(who, layers=replace(who.layers, regions=hair)))[1] == 0
    assert jaws_of(replace(who, layers=replace(who.layers, landmarks=points[:0]))) == (0, 0)
    assert jaws_of(replace(who, layers=replace(who.layers, sitter=who.layers.sitter // 9))) == pytest.approx(
        (JAW_LIGHT[0],) * 2
    )
