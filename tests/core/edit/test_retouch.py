"""Claims about retouch: what was painted on goes, what is the person's stays, and skin keeps its texture."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.edit import masks
from core.edit.recipe import changed, develop, edit
from core.errors import Refused
from core.types import F32, U8, Layers, Portrait

Alter = Callable[[F32], F32]


def on(portrait: Portrait, text: str, layers: Layers | None = None) -> Layers:
    return changed(layers or portrait.layers, edit(portrait.recipe, text))


def with_lab(layers: Layers, where: F32, by: tuple[float, float, float]) -> Layers:
    """Shift CIELAB of the sitter's pixels where a mask says, by L*, a*, b*."""
    lab = masks.lab_of(layers) + where[..., None] * np.array(by, np.float32)
    rgb = np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1)
    return replace(layers, sitter=np.round(rgb * 255).astype(np.uint8))


def dot(layers: Layers, landmark: int, radius: float) -> tuple[F32, tuple[float, float]]:
    x, y = (float(v) for v in layers.landmarks[landmark, :2])
    drawn = np.zeros(layers.head.shape, np.float32)
    cv2.circle(drawn, (round(x * 16), round(y * 16)), round(radius * 16), 1.0, -1, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(drawn, (0, 0), 0.6), (x, y)


def off(layers: Layers, other: Layers, where: F32) -> float:
    """Return the mean CIELAB difference of two layers' sitters inside a mask."""
    away = np.linalg.norm(masks.lab_of(layers) - masks.lab_of(other), axis=-1)
    return float((away * where).sum() / where.sum())


def texture(rgb: U8, skin: F32) -> float:
    """Return the energy of what is finer than a hundredth of the frame's width, on skin."""
    luma = rgb.astype(np.float32).mean(axis=-1)
    fine = luma - cv2.GaussianBlur(luma, (0, 0), 0.006 * luma.shape[1])
    return float((fine[skin > 0.8] ** 2).mean())


@pytest.mark.parametrize("word", ["more", "lots"])
@pytest.mark.parametrize("by", [(-9.0, 8.0, 3.0), (-2.0, 12.0, 4.0), (-16.0, 4.0, 3.0)], ids=["spot", "red", "dark"])
def test_a_painted_blemish_goes_and_a_painted_mole_stays(
    collins: Portrait, word: str, by: tuple[float, float, float]
) -> None:
    clean = replace(collins.layers, marks=np.zeros((0, 3), np.float32))
    blemish, _ = dot(clean, 425, 3.0)
    mole, (x, y) = dot(clean, 205, 3.0)
    painted = with_lab(with_lab(clean, blemish, by), mole, by)
    painted = replace(painted, marks=np.array([[x, y, 4.0]], np.float32))
    done = on(collins, f"blemishes={word}", painted)
    assert off(done, clean, blemish) < 0.45 * off(painted, clean, blemish)
    assert off(done, painted, mole) < 0.3
    elsewhere = (masks.oval(clean) < 0.05).astype(np.float32)
    assert off(done, painted, elsewhere) < 0.02


def test_moles_fade_for_those_who_ask_and_only_where_there_are_some(collins: Portrait) -> None:
    clean = replace(collins.layers, marks=np.zeros((0, 3), np.float32))
    mole, (x, y) = dot(clean, 205, 3.0)
    painted = replace(with_lab(clean, mole, (-12, 3, 3)), marks=np.array([[x, y, 4.0]], np.float32))
    done = on(collins, "moles", painted)
    assert off(done, clean, mole) < 0.6 * off(painted, clean, mole)
    with pytest.raises(Refused, match="0 moles"):
        on(collins, "moles", clean)
    assert np.array_equal(on(collins, "moles=if_any", painted).sitter, done.sitter)
    assert on(collins, "moles=if_any", clean) is clean


def test_shade_under_the_eyes_is_lifted_and_no_further_than_the_cheek(collins: Portrait) -> None:
    layers = collins.layers
    below = masks.polygon(layers, masks.UNDER_EYES[0], 0.7, 0.03) * (1 - masks.eyes(layers))
    shaded = with_lab(layers, below, (-8, 0, -4))
    lightness = [
        float((masks.lab_of(each)[..., 0] * below).sum() / below.sum())
        for each in (shaded, *(on(collins, f"under_eye={word}", shaded) for word in ("touch", "more", "lots")))
    ]
    assert lightness[0] + 0.5 < lightness[1] < lightness[2] < lightness[3] < lightness[0] + 9.1
    assert np.array_equal(
        on(collins, "under_eye=lots").sitter[masks.eyes(layers) > 0.99], layers.sitter[masks.eyes(layers) > 0.99]
    )


def test_shine_comes_down_and_the_rest_of_the_skin_does_not(collins: Portrait) -> None:
    layers = collins.layers
    spot, _ = dot(layers, 425, 7.0)
    shiny = with_lab(layers, cv2.GaussianBlur(spot, (0, 0), 4), (14, -4, -6))
    done = on(collins, "shine=lots", shiny)
    before, after = masks.lab_of(shiny)[..., 0], masks.lab_of(done)[..., 0]
    assert (before - after)[spot > 0.9].mean() > 1
    dull = (masks.skin(layers) > 0.8) & (before < np.median(before[masks.skin(layers) > 0.8]))
    assert np.abs(before - after)[dull].mean() < 0.3


def test_redness_goes_down_where_it_is_above_the_skins_own(collins: Portrait) -> None:
    layers = collins.layers
    cheek = masks.polygon(layers, masks.CHEEKS[0], 0.8, 0.05)
    red = with_lab(layers, cheek, (0, 10, 2))
    done = [masks.lab_of(on(collins, f"redness={word}", red)) for word in ("touch", "more", "lots")]
    levels = [lab[..., 1][cheek > 0.8].mean() for lab in done]
    base = masks.lab_of(red)[..., 1][cheek > 0.8].mean()
    assert base - 1 > levels[0] > levels[1] > levels[2] > masks.lab_of(layers)[..., 1][cheek > 0.8].mean() - 3
    lips = masks.lips(layers) > 0.95
    assert np.abs(done[2] - masks.lab_of(red))[lips].mean() < 0.3


def test_teeth_become_less_yellow_and_not_white_as_paper(collins: Portrait, hopper: Portrait) -> None:
    layers = collins.layers
    teeth = masks.teeth(layers)
    yellow = with_lab(layers, teeth, (-4, 0, 9))
    done = [masks.lab_of(on(collins, f"teeth={word}", yellow)) for word in ("touch", "more", "lots")]
    inside = teeth > 0.7
    yellows = [lab[..., 2][inside].mean() for lab in (masks.lab_of(yellow), *done)]
    assert yellows[0] > yellows[1] > yellows[2] > yellows[3] > 2
    assert done[2][..., 0][inside].max() <= 97
    with pytest.raises(Refused, match="the mouth is closed"):
        on(hopper, "teeth")


def test_a_strand_that_hangs_out_is_taken_away_and_the_outline_stays(collins: Portrait) -> None:
    layers = collins.layers
    head = layers.head.copy()
    row = round(float(layers.landmarks[10, 1]))
    edge = int(np.flatnonzero(head[row] > 200)[-1])
    head[row - 1 : row + 1, edge : edge + 40] = 180
    stray = replace(layers, head=head)
    done = on(collins, "stray_hair=more", stray)
    assert done.head[row - 1 : row + 1, edge + 12 : edge + 38].max() < 60
    assert np.array_equal(done.head[row + 200 :], layers.head[row + 200 :])
    solid = cv2.erode((layers.head > 250).astype(np.uint8), np.ones((9, 9))) > 0
    assert (done.head[solid] > 245).mean() > 0.995


@pytest.mark.parametrize("text", ["blemishes=lots", "under_eye=lots", "shine=lots", "redness=lots", "retouch=1"])
@pytest.mark.parametrize("sitter", ["collins", "hopper"])
def test_skin_keeps_at_least_six_tenths_of_its_texture(sitter: str, text: str, request: pytest.FixtureRequest) -> None:
    portrait: Portrait = request.getfixturevalue(sitter)
    skin = masks.skin(portrait.layers)
    plain = develop(portrait.layers, edit(portrait.recipe, "retouch=0"))
    done = develop(portrait.layers, edit(portrait.recipe, "retouch=0", text))
    assert texture(done, skin) >= 0.6 * texture(plain, skin)
    assert not np.array_equal(done, plain)
