"""Claims about tone, light, backdrop and film: each does what its name says, not too much, and nothing else."""

import cv2
import numpy as np
import pytest

from core.edit import masks
from core.edit.recipe import develop, edit
from core.errors import Refused
from core.types import F32, Portrait


def lab(rgb: F32) -> F32:
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def made(portrait: Portrait, *texts: str) -> F32:
    return develop(portrait.layers, edit(portrait.recipe, *texts)).astype(np.float32)


def change(portrait: Portrait, *texts: str) -> F32:
    return (lab(made(portrait, *texts)) - lab(made(portrait))).mean(axis=(0, 1))


TONES = [("warmer", 2, 1), ("cooler", 2, -1), ("brighter", 0, 1), ("darker", 0, -1)]


@pytest.mark.parametrize(("name", "channel", "sign"), TONES)
def test_tone_moves_its_own_way_and_further_by_strength(collins: Portrait, name: str, channel: int, sign: int) -> None:
    by = [sign * change(collins, f"{name}={word}")[channel] for word in ("touch", "more", "lots")]
    assert 0.3 < by[0] < by[1] < by[2] < 12


def test_a_plain_name_is_its_middle_strength_as_before(collins: Portrait) -> None:
    assert np.array_equal(made(collins, "warmer"), made(collins, "warmer=more"))


def test_contrast_spreads_tones_and_leaves_the_middle(collins: Portrait) -> None:
    spread = [made(collins, *texts).std() for texts in (["contrast=less"], [], ["contrast=more"], ["contrast=lots"])]
    assert spread[0] * 1.03 < spread[1] < spread[2] / 1.03
    assert spread[2] < spread[3] < 1.35 * spread[1]
    grey = np.abs(made(collins) - 127.5) < 2
    assert np.abs(made(collins, "contrast=lots") - made(collins))[grey].max() < 5


def cheeks(portrait: Portrait, *texts: str) -> float:
    """Return how much lighter the picture's left cheek is than its right one."""
    luma = made(portrait, *texts).mean(axis=-1)
    one, other = (luma[masks.polygon(portrait.layers, ring) > 0.8].mean() for ring in masks.CHEEKS)
    return float(one / other)  # the sitter's right cheek is the picture's left


@pytest.mark.parametrize("sitter", ["collins", "hopper"])
def test_light_from_a_side_raises_that_cheek(sitter: str, request: pytest.FixtureRequest) -> None:
    portrait: Portrait = request.getfixturevalue(sitter)
    left = [cheeks(portrait, f"light_left={word}") for word in ("touch", "more", "lots")]
    right = [cheeks(portrait, f"light_right={word}") for word in ("touch", "more", "lots")]
    assert left[1] > 1.05 * right[1]
    assert left[0] <= left[2] + 0.01
    assert max(*left, 1 / min(right)) < 2.6


def test_light_from_above_darkens_what_looks_down(collins: Portrait) -> None:
    flat, above = made(collins, "light_left=touch"), made(collins, "light_above=more")
    forehead = masks.polygon(collins.layers, (10, 109, 108, 151, 337, 338)) > 0.5
    jaw = masks.polygon(collins.layers, (152, 148, 171, 199, 396, 377)) > 0.5
    assert above[forehead].mean() / above[jaw].mean() > 1.02 * flat[forehead].mean() / flat[jaw].mean()


def test_crisp_light_has_more_shade_than_soft(collins: Portrait) -> None:
    side = [
        abs(np.log(cheeks(collins, "light_left=more", *more)))
        for more in (["soft_light=lots"], [], ["crisp_light=lots"])
    ]
    assert side[0] < side[1] < side[2] < 1.0


def test_rim_light_lightens_the_outline_alone(collins: Portrait) -> None:
    before, after = made(collins), made(collins, "rim_light=lots")
    face = masks.oval(collins.layers, 0.8) > 0.9
    assert np.abs(after - before)[face].max() <= 1
    assert (after - before).max() > 12
    assert (after - before).min() > -3


@pytest.mark.parametrize("colour", ["#83878e", "#5a6f8c", "#a8977f", "#2e3b32"])
def test_a_backdrop_lands_on_its_colour_and_leaves_the_head(collins: Portrait, colour: str) -> None:
    before, after = made(collins), made(collins, f"backdrop={colour}")
    layers = collins.layers
    behind = np.maximum(np.maximum(layers.head, layers.neck), layers.garment[..., 3]) == 0
    asked = lab(np.array([[[int(colour[i : i + 2], 16) for i in (1, 3, 5)]]]))[0, 0]
    assert np.linalg.norm(np.median(lab(after)[behind], axis=0) - asked) < 5
    inside = cv2.erode((layers.head == 255).astype(np.uint8), np.ones((15, 15))) > 0
    assert np.abs(after - before)[inside].max() <= 1


def test_a_place_goes_further_out_of_focus_and_plain_paper_cannot(hopper: Portrait, collins: Portrait) -> None:
    behind = np.maximum(np.maximum(hopper.layers.head, hopper.layers.neck), hopper.layers.garment[..., 3]) == 0

    def detail(*texts: str) -> float:
        luma = cv2.GaussianBlur(made(hopper, *texts).mean(axis=-1), (0, 0), 3)
        return float(
            np.abs(cv2.Sobel(luma, cv2.CV_32F, 1, 0))[cv2.erode(behind.astype(np.uint8), np.ones((9, 9))) > 0].mean()
        )

    steps = [detail("backdrop=park", *more) for more in ([], ["backdrop_blur=touch"], ["backdrop_blur=lots"])]
    assert steps[0] > steps[1] > steps[2] > 0
    with pytest.raises(Refused, match="plain backdrop"):
        made(collins, "backdrop_blur")


# --- renderings ---


@pytest.mark.parametrize("name", ["neutral", "soft", "crisp", "warm"])
def test_black_and_white_has_no_colour_but_its_papers(collins: Portrait, name: str) -> None:
    rgb = made(collins, f"mono={name}")
    chroma = np.hypot(*np.moveaxis(lab(rgb)[..., 1:], -1, 0))
    assert chroma.max() < (14 if name == "warm" else 0.5)
    assert rgb.std() > 25


def test_red_sensitive_film_renders_lips_lighter_than_green_sensitive(collins: Portrait) -> None:
    skin, lips = masks.skin(collins.layers) > 0.8, masks.lips(collins.layers) > 0.8
    soft, crisp = (made(collins, f"mono={name}") for name in ("soft", "crisp"))
    assert soft[lips].mean() / soft[skin].mean() > 1.02 * crisp[lips].mean() / crisp[skin].mean()


@pytest.mark.parametrize("name", ["golden", "faded", "vivid", "cinema"])
def test_a_film_look_is_seen_and_leaves_skin_skin(collins: Portrait, name: str) -> None:
    before, after = lab(made(collins)), lab(made(collins, f"film={name}"))
    skin = masks.skin(collins.layers) > 0.8
    assert np.abs(after - before).mean() > 0.5
    hue = [np.degrees(np.arctan2(*picture[skin].mean(axis=0)[[2, 1]])) for picture in (before, after)]
    assert abs(hue[1] - hue[0]) < 12
    assert np.linalg.norm(after[skin].mean(axis=0) - before[skin].mean(axis=0)) < 14


def test_grain_is_as_strong_as_asked_and_has_no_mean(collins: Portrait) -> None:
    before = made(collins)
    for word, level in (("touch", 0.010), ("lots", 0.028)):
        noise = made(collins, f"grain={word}") - before
        assert abs(noise.mean()) < 0.2
        assert 0.5 * level < noise.std() / 255 < 1.1 * level


def test_a_vignette_darkens_corners_and_not_the_face(collins: Portrait) -> None:
    before, after = made(collins), made(collins, "vignette=lots")
    face = masks.oval(collins.layers) > 0.5
    assert np.abs(after - before)[face].mean() < 2
    assert after[:20, :20].mean() < 0.8 * before[:20, :20].mean()
