"""A garment made from an annotated photograph: what is cut out, what is evened, what is covered."""

import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from core.colour import LUMINANCE
from core.scene.style import Facts
from core.types import U8
from tools.make_garment import Annotation, facts_text, make, without_rags

BACKDROP, JACKET, SHIRT, SKIN = (60, 90, 220), (50, 55, 65), (235, 236, 238), (205, 150, 120)
MARKED: dict[str, Any] = {
    "title": "Made for a test",
    "kind": "suit_open",
    "neckline": "open",
    "provenance": "drawn by a test, public domain",
    "eye_px": 40.0,
    "base": "jacket",
    "plain": ["jacket", "shirt"],
    "outline": [[0, 120], [80, 80], [100, 130], [120, 80], [199, 120], [199, 199], [0, 199]],
    "collar": [100, 130],
    "neck": [[80, 80], [120, 80]],
    "shoulders": [[12, 114], [188, 114]],
    "parts": {"shirt": [[80, 76], [100, 126], [120, 76], [130, 110], [115, 199], [85, 199], [70, 110]]},
    "patches": [{"at": [40, 160], "radius": 9, "source": [40, 185]}],
}


@pytest.fixture(scope="module")
def photo() -> U8:
    """A jacket over a shirt, skin in its V, lit from the left, with a yellow badge."""
    picture = np.full((200, 200, 3), BACKDROP, np.uint8)
    cv2.fillPoly(picture, [np.array([(80, 40), (120, 40), (120, 100), (100, 132), (80, 100)])], SKIN)
    ring = np.array([(0, 120), (80, 80), (100, 130), (120, 80), (199, 120), (199, 199), (0, 199)])
    cloth = np.zeros((200, 200), np.uint8)
    cv2.fillPoly(cloth, [ring], 1)
    picture[cloth > 0] = JACKET
    shirt = np.zeros_like(cloth)
    cv2.fillPoly(shirt, [np.array([(80, 80), (100, 130), (120, 80), (130, 110), (115, 199), (85, 199), (70, 110)])], 1)
    picture[(shirt & cloth) > 0] = SHIRT
    cv2.circle(picture, (40, 160), 6, (230, 200, 40), -1)
    light = np.linspace(1.0, 0.6, 200)[None, :, None]
    noise = np.random.default_rng(1).normal(0, 2, picture.shape)
    return np.clip(picture * light + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def made(photo: U8) -> tuple[U8, U8, Facts]:
    return make(photo, Annotation.model_validate(MARKED))


def test_only_the_garment_is_left(made: tuple[U8, U8, Facts]) -> None:
    cloth, parts, facts = made
    assert (facts.width, facts.height) == (200, len(cloth))
    top = 200 - len(cloth)
    alpha = cloth[..., 3]
    assert alpha[100 - top, 100] < 20, "the skin in the V"
    assert alpha[90 - top, 30] < 20, "the backdrop"
    assert alpha[-1].min() > 240, "down to the photo's border"
    assert parts[150 - top, 30].argmax() == 0
    assert parts[150 - top, 100].argmax() == 1
    assert (parts.sum(axis=-1, dtype=int)[alpha > 200] > 230).mean() > 0.99
    edge = cv2.dilate((alpha < 128).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & (alpha > 128)
    blue = cloth[..., 2].astype(int) - cloth[..., 0]
    assert edge.any()
    assert np.percentile(blue[edge], 95) < 60, "no backdrop shines in: it has 160"


def test_the_studios_light_is_taken_out_and_a_badge_is_covered(made: tuple[U8, U8, Facts], photo: U8) -> None:
    cloth, _, _ = made
    top = 200 - len(cloth)
    luma = cloth[..., :3].astype(np.float32) @ LUMINANCE
    before = photo.astype(np.float32) @ LUMINANCE
    left, right = np.s_[170 - top : 190 - top, 10:40], np.s_[170 - top : 190 - top, 160:190]
    was = before[170:190, 10:40].mean() / before[170:190, 160:190].mean()
    assert abs(np.log(luma[left].mean() / luma[right].mean())) < 0.5 * np.log(was)
    badge = cloth[152 - top : 168 - top, 32:48, :3].astype(int)
    assert (badge[..., 0] - badge[..., 2]).max() < 40


def test_braces_are_filled_from_the_cloth_around_and_brown_cloth_is_stored_grey(photo: U8) -> None:
    brown = photo.copy()
    brown[(np.abs(photo.astype(int) - JACKET).sum(axis=-1) < 90)] = (120, 80, 40)
    brown[118:, 40:52] = (15, 15, 15)
    strap = [[36, 100], [56, 100], [56, 199], [36, 199]]
    cloth, _, _ = make(
        brown, Annotation.model_validate({**MARKED, "patches": [], "smooth": [strap], "grey": ["jacket"]})
    )
    top = 200 - len(cloth)
    part = cloth[150 - top : 190 - top, 15:75, :3].astype(int)
    luma = part.mean(axis=-1)
    assert luma[:, 25:37].mean() > 0.8 * luma[:, :15].mean(), "no dark strap is left"
    assert np.abs(part.max(axis=-1) - part.min(axis=-1)).max() < 12
    shirt = cloth[150 - top : 190 - top, 95:105, :3].astype(int)
    assert shirt.mean() > 120, "the other part keeps its own"


def test_less_of_a_soft_outlines_edge_is_spread_where_it_is_told_to() -> None:
    photo = np.random.default_rng(2).integers(0, 255, (200, 200, 3), np.uint8)
    rim = [
        make(photo, Annotation.model_validate({**MARKED, "parts": {}, "patches": [], "soft": True, "inset": inset}))[0]
        for inset in (3, 1)
    ]
    top = 200 - len(rim[0])
    kept = [
        (np.abs(cloth[..., :3].astype(int) - photo[top:]).max(axis=-1) < 40)[cloth[..., 3] > 250].mean()
        for cloth in rim
    ]
    assert kept[1] > kept[0]


def test_facts_are_written_as_they_are_read(made: tuple[U8, U8, Facts]) -> None:
    _, _, facts = made
    assert Facts.model_validate(tomllib.loads(facts_text(facts))) == facts
    assert facts.yaw_deg == 0


def test_a_key_that_no_annotation_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="sleeves"):
        Annotation.model_validate({**MARKED, "sleeves": 2})


def test_every_garment_of_the_wardrobe_has_the_annotation_it_was_made_from() -> None:
    for folder in (Path(__file__).parents[2] / "styles" / "wardrobe").iterdir():
        marked = Annotation.model_validate(tomllib.loads((folder / "annotation.toml").read_text("utf-8")))
        facts = Facts.model_validate(tomllib.loads((folder / "garment.toml").read_text("utf-8")))
        assert (marked.title, marked.kind, marked.provenance) == (facts.title, facts.kind, facts.provenance)


def test_an_edge_loses_its_teeth_and_stays_where_it_was() -> None:
    teeth = np.zeros((120, 200), np.float32)
    for x in range(200):
        teeth[60 + (2 if x // 2 % 2 else -2) :, x] = 1
    even = without_rags(teeth, 2.6)
    rows = (even < 0.5).sum(axis=0)[10:-10]
    assert rows.max() - rows.min() <= 1, "the teeth were four pixels high"
    assert abs(float(rows.mean()) - 60) < 0.75
    assert ((even > 0.05) & (even < 0.95)).sum(axis=0)[10:-10].max() <= 4, "as sharp as before"
