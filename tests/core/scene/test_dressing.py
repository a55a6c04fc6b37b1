"""What portraits wear where nobody asked: several outfits in turn, few ties, own clothes where they are seen."""

from dataclasses import replace

import pytest

from core.scene.dressing import CLOSED, CLOSED_KNIT, closed_for, has_tie, outfit_for, outfits_of, with_clothes_for
from core.scene.style import OWN, Style, load, load_all
from core.types import FaceMap, Features

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


def test_a_look_of_own_clothes_is_worn_with_others_where_no_photo_shows_any(collins_map: FaceMap) -> None:
    own = load("as_you_are")
    assert own.outfit == OWN
    assert with_clothes_for(own, [wearing(collins_map, None, True)]) is own
    other = with_clothes_for(own, [wearing(collins_map, None, None)])
    assert (other.outfit, other.id) == (own.more_outfits[0], own.id)
    assert OWN not in (other.outfit, *other.more_outfits)
