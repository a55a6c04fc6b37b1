"""What portraits wear where nobody asked: several outfits in turn, few ties, own clothes where they are seen."""

from dataclasses import replace
from typing import get_args

import pytest

from core.scene.dressing import (
    CLOSED,
    CLOSED_KNIT,
    TIED,
    closed_for,
    has_tie,
    outfit_for,
    outfit_within,
    outfits_of,
    with_clothes_for,
)
from core.scene.stage import garment_of
from core.scene.style import DRAWN_AS, OWN, DrawnKind, GarmentKind, Style, load, load_all, wardrobe
from core.scene.wardrobe import garments
from core.types import Cutout, FaceMap, Features

PHOTO_LOOKS = [look for look in load_all() if look.medium == "photo"]
NOTHING = Features(None, 0.0, None, 0.0, 0.0, None, (0.0, 0.0, 0.0), None, 0.0, None, 0.0)


def wearing(face: FaceMap, tie: bool | None, own: bool | None = None) -> FaceMap:
    return replace(face, features=replace(NOTHING, tie=tie, own_clothes=own))


@pytest.mark.parametrize("look", PHOTO_LOOKS, ids=lambda look: look.id)
def test_a_gallery_of_four_shows_variety_and_no_tie_on_who_wears_none(look: Style, collins_map: FaceMap) -> None:
    for tie in (False, None):
        worn = [outfit_for(look, number, wearing(collins_map, tie)) for number in (1, 2, 3, 4)]
        assert not any(has_tie(outfit) for outfit in worn)
        assert len(set(worn)) >= 2
    with_tie = outfits_of(look, wears_tie=True)
    assert with_tie[0] == look.outfit


def test_who_wears_a_tie_may_get_one(collins_map: FaceMap) -> None:
    office = load("office")
    assert has_tie(outfit_for(office, 1, wearing(collins_map, True)))
    assert closed_for("navy_open", wearing(collins_map, True)) == CLOSED
    assert closed_for("navy_open", wearing(collins_map, None)) == CLOSED_KNIT
    assert closed_for("grey_crew", wearing(collins_map, True)) == CLOSED_KNIT


@pytest.mark.parametrize("look", PHOTO_LOOKS, ids=lambda look: look.id)
def test_nobody_gets_a_dress_unasked_and_a_beard_no_blouse(look: Style, collins_map: FaceMap) -> None:
    kinds = [garment_of(outfit).kind for outfit in outfits_of(look, wears_tie=True)]
    assert "dress" not in kinds
    bearded = replace(collins_map, features=replace(NOTHING, facial_hair="beard"))
    worn = {garment_of(outfit_for(look, number, bearded)).kind for number in range(1, 9)}
    assert not worn & {"blouse", "dress"}


def test_a_neck_that_the_photo_does_not_show_is_covered(collins_map: FaceMap, collins_cutout: Cutout) -> None:
    """An open collar would show a throat that nobody photographed; a neck that is seen may be shown."""
    face, look, figure = wearing(collins_map, False), load("founder"), collins_cutout.figure
    seen = replace(figure, bare=0.6)
    assert outfit_within("navy_open", look, face, seen, 1) == "navy_open"
    hidden = replace(figure, bare=0.05)
    worn = outfit_within("navy_open", look, face, hidden, 1)
    assert worn == "black_turtleneck", "of what the look offers"
    assert outfit_within("navy_open", load("weekend"), face, hidden, 1) == CLOSED_KNIT, "where it offers nothing closed"
    assert outfit_within("navy_suit", load("office"), wearing(collins_map, True), hidden, 1) == "navy_suit"


def test_a_turned_up_jumper_asks_for_less_neck_than_a_jacket(collins_map: FaceMap, collins_cutout: Cutout) -> None:
    face, some = wearing(collins_map, False), replace(collins_cutout.figure, bare=0.25)
    assert outfit_within("grey_crew", load("weekend"), face, some, 1) == "grey_crew"
    assert outfit_within("navy_open", load("founder"), face, some, 1) != "navy_open"


def test_every_kind_of_garment_can_be_had_photographed_and_is_drawn_as_something_else_where_none_fits() -> None:
    photographed = {garment.facts.kind for garment in garments()}
    kinds = set(get_args(GarmentKind))
    assert set(DRAWN_AS) == kinds
    assert {DRAWN_AS[kind] for kind in kinds} == set(get_args(DrawnKind))
    assert photographed == kinds
    for outfit in wardrobe().outfits.values():
        assert outfit.garment is None or outfit.kind == {g.name: g.facts.kind for g in garments()}[outfit.garment]


def test_garments_that_close_at_the_neck_are_there_with_a_tie_and_without() -> None:
    closed = {garment.name: garment.facts for garment in garments() if garment.facts.neckline in ("collar", "high")}
    assert {facts.kind for facts in closed.values()} >= {"suit_tie", "shirt_tie", "turtleneck", "blazer"}
    for facts in closed.values():
        assert (facts.neckline == "collar") == (facts.kind in TIED), "buttoned to the top is worn with a tie here"
    assert sum(facts.neckline == "high" for facts in closed.values()) >= 3


def test_a_look_of_own_clothes_is_worn_with_others_where_no_photo_shows_any(collins_map: FaceMap) -> None:
    own = load("as_you_are")
    assert own.outfit == OWN
    assert with_clothes_for(own, [wearing(collins_map, None, True)]) is own
    other = with_clothes_for(own, [wearing(collins_map, None, None)])
    assert (other.outfit, other.id) == (own.more_outfits[0], own.id)
    assert OWN not in (other.outfit, *other.more_outfits)
