"""Photographed garments: read strictly, nothing of their wearers in them, chosen and placed by how they fit."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import frame
from core.errors import StyleWrong
from core.frame import INTEROCULAR_PX
from core.scene import wardrobe
from core.scene.style import FOLDER, Facts, GarmentKind, read_toml
from core.scene.style import wardrobe as wardrobe_of_outfits
from core.scene.wardrobe import (
    LEAST_COLLAR,
    LEAST_SQUEEZE,
    PART_NAMES,
    Garment,
    choose,
    front_of,
    garments,
    mirrored,
    neck_range,
    photographed,
    squeeze_of,
    takes_colours,
    targets_of,
)
from core.types import Body

CHIN: float = 0.385 * frame.PRINT[1] + 1.6 * INTEROCULAR_PX
BODY = Body(
    neck_x=512.0,
    neck_width=1.7 * INTEROCULAR_PX,
    collar_y=CHIN + 0.4 * INTEROCULAR_PX,
    chin_y=CHIN,
    shoulder_y=CHIN + 0.23 * INTEROCULAR_PX,
    left=512 - 3.1 * INTEROCULAR_PX,
    right=512 + 3.1 * INTEROCULAR_PX,
)
SKIN_LEAST, SKIN_MOST = (50, 135, 77), (255, 173, 125)
"""Y, Cr and Cb of skin in photographs (Chai & Ngan 1999), of all lightness."""
every = pytest.mark.parametrize("garment", garments(), ids=lambda garment: garment.name)


def test_thirty_garments_and_more_are_photographs_of_every_kind() -> None:
    assert len(garments()) >= 30
    assert {garment.facts.kind for garment in garments()} == set(get_args(GarmentKind))


@every
def test_a_garment_is_whole_and_says_where_it_is_from(garment: Garment) -> None:
    pictures = photographed(garment.name)
    assert pictures.cloth.shape[:2] == pictures.parts.shape[:2] == (garment.facts.height, garment.facts.width)
    assert "public domain" in garment.facts.provenance or "MIT" in garment.facts.provenance
    solid = pictures.cloth[..., 3] > 250
    assert (pictures.parts.max(axis=-1)[solid] > 100).mean() > 0.99, "every pixel is of one cloth"
    assert set(garment.facts.plain) <= set(PART_NAMES)
    sizes = sum((FOLDER / "wardrobe" / garment.name / name).stat().st_size for name in wardrobe.PICTURES)
    assert sizes < 100_000


@every
def test_no_skin_of_its_wearer_is_in_a_garment(garment: Garment) -> None:
    pictures = photographed(garment.name)
    colours = cv2.cvtColor(np.ascontiguousarray(pictures.cloth[..., :3]), cv2.COLOR_RGB2YCrCb)
    skin = cv2.inRange(colours, np.array(SKIN_LEAST), np.array(SKIN_MOST)) > 0
    skin &= (pictures.cloth[..., 3] > 127) & (pictures.parts[..., PART_NAMES.index("tie")] < 60)
    count, _, stats, _ = cv2.connectedComponentsWithStats(skin.astype(np.uint8))
    largest = max((stats[i, cv2.CC_STAT_AREA] for i in range(1, count)), default=0)
    assert largest < 0.02 * garment.facts.eye_px**2, "squared eye distances; a finger's tip has more"


def test_a_key_that_is_not_known_is_told_with_its_line(tmp_path: Path) -> None:
    good = (FOLDER / "wardrobe" / garments()[0].name / "garment.toml").read_text("utf-8").splitlines()
    wrong = tmp_path / "garment.toml"
    wrong.write_text("\n".join([good[0], "sleeves = 2", *good[1:]]), "utf-8")
    with pytest.raises(StyleWrong, match=r"garment\.toml, line 2: sleeves"):
        read_toml(Facts, wrong)


def test_a_garment_without_its_pictures_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "wardrobe" / "lost"
    folder.mkdir(parents=True)
    text = (FOLDER / "wardrobe" / garments()[0].name / "garment.toml").read_text("utf-8")
    (folder / "garment.toml").write_text(text, "utf-8")
    monkeypatch.setattr(wardrobe, "FOLDER", tmp_path)
    with pytest.raises(StyleWrong, match=r"lost: cloth\.webp, parts\.webp is missing"):
        garments.__wrapped__()


@every
def test_seen_in_a_mirror_twice_a_garment_is_itself(garment: Garment) -> None:
    once = mirrored(garment)
    assert once.facts.yaw_deg == -garment.facts.yaw_deg
    assert once.facts.neck[0][0] < once.facts.collar[0] < once.facts.neck[1][0]
    again = mirrored(once)
    assert not again.mirrored
    assert np.allclose(again.facts.neck, garment.facts.neck)
    assert np.allclose(again.facts.shoulders, garment.facts.shoulders)
    assert (again.facts.foot is None) == (garment.facts.foot is None)
    if again.facts.foot and garment.facts.foot:
        assert np.allclose(again.facts.foot, garment.facts.foot)


@given(width=st.floats(0.9, 2.6), turn=st.floats(-15, 15))
def test_what_is_chosen_is_never_squeezed_beyond_its_limit(width: float, turn: float) -> None:
    body = replace(BODY, neck_width=width * INTEROCULAR_PX)
    for kind in get_args(GarmentKind):
        found = choose(kind, body, turn, body.collar_y)
        if found is not None:
            least = LEAST_SQUEEZE[found.facts.neckline]
            assert found.facts.kind == kind
            assert least <= squeeze_of(found, body) <= 1 / least


@every
def test_a_garments_size_range_is_where_it_is_worn(garment: Garment) -> None:
    low, high = neck_range(garment)
    assert low < 1.7 < high, "most necks are as broad"

    def is_worn(width: float) -> bool:
        body = replace(BODY, neck_width=width * INTEROCULAR_PX)
        found = choose(garment.facts.kind, body, 0, 2 * CHIN, garment.name)
        return found is not None and found.name == garment.name

    assert is_worn(low + 0.01)
    assert is_worn(high - 0.01)
    assert not is_worn(high + 0.01)
    assert low == 0 or not is_worn(low - 0.01)


DRAWN_NARROWEST = {"collar": 0.77, "open": 0.63, "round": 0.78, "high": 0.71, "scoop": 0.66}
"""Least width of a garment's neck when it is put on, of its own, by neckline: slack included, on the thinnest necks."""


@every
@pytest.mark.parametrize("width", [1.0, 1.35, 1.5, 1.9])
def test_what_is_put_on_is_narrowed_at_the_neck_no_further_than_is_said(garment: Garment, width: float) -> None:
    low, high = neck_range(garment)
    body = replace(BODY, neck_width=min(max(width, low), high) * INTEROCULAR_PX)
    left, right = targets_of(garment, body, 0)[1][:2, 0]
    own = (garment.facts.neck[1][0] - garment.facts.neck[0][0]) * INTEROCULAR_PX / garment.facts.eye_px
    assert (right - left) / own >= (0.8 if width == 1.9 else DRAWN_NARROWEST[garment.facts.neckline])


def test_a_neck_that_nothing_fits_keeps_the_drawing() -> None:
    assert choose("suit_tie", replace(BODY, neck_width=4 * INTEROCULAR_PX), 0, CHIN) is None
    assert choose("toga", BODY, 0, CHIN) is None


def test_the_turn_decides_between_garments_and_their_mirrors() -> None:
    left, right = choose("suit_tie", BODY, -15, CHIN), choose("suit_tie", BODY, 15, CHIN)
    assert left is not None
    assert right is not None
    assert left.facts.yaw_deg < 0 < right.facts.yaw_deg


@every
@pytest.mark.parametrize("turn", [-12, 0, 12])
def test_a_garment_meets_the_neck_and_leaves_the_chin_free(garment: Garment, turn: float) -> None:
    source, target = targets_of(garment, BODY, turn)
    assert len(source) == len(target)
    left, right, collar = target[:3]
    assert left[0] <= BODY.neck_x - BODY.neck_width / 2 + 0.35 * INTEROCULAR_PX
    assert right[0] >= BODY.neck_x + BODY.neck_width / 2 - 0.35 * INTEROCULAR_PX
    assert collar[1] >= BODY.chin_y + LEAST_COLLAR[garment.facts.neckline] * INTEROCULAR_PX - 1
    assert min(left[1], right[1]) > frame.GARMENT_TOP * frame.PRINT[1]


@pytest.mark.parametrize("eyes", [1.0, 1.4, 1.7, 2.0])
@pytest.mark.parametrize("name", ["mock_neck", "roll_neck"])
def test_a_standing_collar_hugs_a_thin_neck_and_a_broad_one(name: str, eyes: float) -> None:
    garment = next(garment for garment in garments() if garment.name == name)
    body = replace(BODY, neck_width=eyes * INTEROCULAR_PX)
    for each in (garment, mirrored(garment)):
        source, target = targets_of(each, body, 0)
        assert (np.diff(target[:2, 0]) / INTEROCULAR_PX)[0] <= max(eyes + 0.3, 1.65), "no point stands off the neck"
        assert target[2, 1] - target[:2, 1].min() <= 0.21 * INTEROCULAR_PX, "nor above the front like a horn"
        assert target[2, 1] >= CHIN + 0.15 * INTEROCULAR_PX
        shoulders = [source.tolist().index(list(point)) for point in each.facts.shoulders]
        assert np.diff(target[shoulders, 0])[0] > 4 * INTEROCULAR_PX, "the shoulders are not squeezed with it"


def test_the_front_of_a_garment_goes_where_the_sitter_turns() -> None:
    for garment in garments():
        fronts = [targets_of(garment, BODY, turn)[1][2, 0] for turn in (-15, 0, 15)]
        assert fronts[0] < fronts[1] < fronts[2]


@pytest.mark.parametrize("name", ["dark_suit", "two_button_suit", "pinstripe_suit", "slim_suit"])
def test_a_suit_photographed_on_a_turned_body_is_worn_upright_by_who_faces_the_camera(name: str) -> None:
    """One end of its collar stood half an eye distance above the other, and its tie hung aside, below frontal heads."""
    garment = next(garment for garment in garments() if garment.name == name)
    own = float(np.diff([y for _, y in garment.facts.neck])[0]) / garment.facts.eye_px
    for each, turn in ((garment, 0.0), (mirrored(garment), 0.0), (garment, garment.facts.yaw_deg)):
        target = targets_of(each, BODY, turn)[1]
        uneven = abs(float(target[1, 1] - target[0, 1])) / INTEROCULAR_PX
        at = [to for to in target[3:] if abs(to[0] - BODY.neck_x) < INTEROCULAR_PX]
        aside = max(abs(float(x) - BODY.neck_x) for x, y in at if y < BODY.collar_y + 2 * INTEROCULAR_PX)
        if turn == 0:
            assert uneven < 0.35 * abs(own) + 0.05
            assert aside < 0.25 * INTEROCULAR_PX
        else:
            assert uneven > 0.5 * abs(own), "who is turned as far wears it as it is"


def test_the_roll_necks_rim_has_no_corner_that_stands_up() -> None:
    """It had one at its left, a third of an eye distance above the right one: it looked like a wing."""
    garment = next(garment for garment in garments() if garment.name == "roll_neck")
    solid = photographed("roll_neck").cloth[..., 3] > 127
    top, (x, y) = np.where(solid.any(axis=0), np.argmax(solid, axis=0), len(solid)), garment.facts.collar
    reach, eye = round(garment.facts.eye_px * 1.3), garment.facts.eye_px
    sides = [
        int(top[part].min()) for part in (slice(max(0, round(x) - reach), round(x)), slice(round(x), round(x) + reach))
    ]
    assert abs(sides[0] - sides[1]) < 0.1 * eye
    assert y - min(sides) < 0.3 * eye


def test_a_pattern_goes_on_to_its_edge() -> None:
    """The spotted blouse had a smooth grey border, as broad as its spots, where its colours had been spread outward."""
    cloth = photographed("bow_blouse").cloth
    solid = (cloth[..., 3] > 127).astype(np.uint8)
    depth = cv2.distanceTransform(cv2.copyMakeBorder(solid, 0, 9, 9, 9, cv2.BORDER_REPLICATE), cv2.DIST_L2, 5)[
        :-9, 9:-9
    ]
    luma = cloth[..., :3].mean(axis=-1)
    detail = np.abs(luma - cv2.GaussianBlur(luma, (0, 0), 2.0))
    rim, inner = detail[(depth > 3) & (depth < 6)].mean(), detail[depth > 12].mean()
    assert rim > 0.7 * inner, f"{rim:.1f} beside {inner:.1f}"


def test_patterned_cloth_is_worn_only_by_the_outfit_that_names_it() -> None:
    patterned = {garment.name for garment in garments() if not takes_colours(garment)}
    assert patterned
    for kind in ("suit_tie", "suit_open"):
        chosen = {garment.name for seed in range(8) if (garment := choose(kind, BODY, 0, CHIN, seed=seed))}
        assert chosen.isdisjoint(patterned)
    for outfit in wardrobe_of_outfits().outfits.values():
        if outfit.garment:
            assert outfit.garment in {garment.name for garment in garments()}
            named = choose(outfit.kind, BODY, 0, CHIN + INTEROCULAR_PX, outfit.garment)
            assert named is not None
            assert named.name == outfit.garment


def test_seeds_change_the_garment_where_several_fit() -> None:
    found = {garment.name for seed in range(6) if (garment := choose("suit_tie", BODY, 15, CHIN, seed=seed))}
    assert len(found) > 1
    first, again = (choose("suit_tie", BODY, 15, CHIN, seed=3) for _ in range(2))
    assert first == again


def test_what_the_old_clothes_hide_decides_how_deep_the_next_may_open(monkeypatch: pytest.MonkeyPatch) -> None:
    shallow = next(garment for garment in garments() if garment.facts.kind == "suit_open")
    x, y = shallow.facts.collar
    deeper = shallow.facts.model_copy(update={"collar": (x, y + 0.5 * shallow.facts.eye_px)})
    plain = shallow.facts.model_copy(update={"plain": PART_NAMES})
    both = (Garment("deep", deeper.model_copy(update={"plain": PART_NAMES})), Garment("shallow", plain))
    monkeypatch.setattr(wardrobe, "garments", lambda: both)
    fronts = {garment.name: front_of(garment, BODY) for garment in both}
    hidden = choose("suit_open", BODY, 0, CHIN)
    assert hidden is not None
    assert hidden.name == "shallow"
    assert fronts["deep"] > fronts["shallow"]
    shown = choose("suit_open", BODY, 0, fronts["deep"], seed=0)
    assert shown is not None
    assert shown.name == "deep", "where the photo shows the skin either will do, and the first by name is taken"


@every
def test_the_edge_of_a_garment_is_even(garment: Garment) -> None:
    """Teeth of the matting were seen at collars: the outline is hardly longer than the same one smoothed."""
    solid = (photographed(garment.name).cloth[..., 3] > 127).astype(np.uint8)
    smooth = (cv2.GaussianBlur(solid.astype(np.float32), (0, 0), 0.02 * garment.facts.eye_px) > 0.5).astype(np.uint8)
    wrong = (solid != smooth)[4:-4, 4:-4].sum()
    edge = cv2.morphologyEx(solid, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))[4:-4, 4:-4].sum() / 2
    assert wrong < 0.012 * edge, f"{wrong} of {edge:.0f} pixels of the edge stand out"


def test_a_dress_is_worn_where_the_photo_shows_the_skin_it_leaves_bare() -> None:
    """Its outfit is worn as a crew neck by the others: drawn collarbones are seen to be drawn."""
    shown = choose("dress", BODY, 0, BODY.chin_y + INTEROCULAR_PX, "scoop_dress")
    hidden = choose("dress", BODY, 0, BODY.chin_y + 0.1 * INTEROCULAR_PX, "scoop_dress")
    assert shown is not None
    assert hidden is not None
    assert (shown.name, shown.facts.neckline) == ("scoop_dress", "scoop")
    assert hidden.facts.kind == "crew_neck"
    assert takes_colours(hidden), "in the dress's own colour"
