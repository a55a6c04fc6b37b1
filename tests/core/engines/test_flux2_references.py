"""Claims about the photos that FLUX.2 is shown: the portrait's own, sharp ones from other angles, and not all."""

from dataclasses import replace

import pytest

from core.engines.flux2.references import reference_of, select_references
from core.models import Models
from core.types import FaceMap


def test_references_are_the_portraits_own_photo_and_sharp_ones_from_other_angles(three: list[FaceMap]) -> None:
    straight, up, aside = three
    soft = replace(up, selfie=replace(up.selfie, sha256="soft", sharpness=0.25))
    shut = replace(aside, selfie=replace(aside.selfie, sha256="shut"), expression=("eyes_closed",))
    far = [replace(aside, selfie=replace(aside.selfie, sha256=f"far{n}")) for n in range(3)]
    maps = [straight, soft, shut, up, *far]
    chosen = select_references(straight, maps, set(), 3)
    assert chosen[0] is straight
    assert chosen[1] in far, "the angle that is farthest adds most"
    assert shut not in select_references(straight, maps, set(), 4)
    assert chosen[2] is not soft


def test_one_photo_at_least_is_left_to_measure_likeness_by(three: list[FaceMap]) -> None:
    straight, up, aside = three
    assert select_references(straight, [straight], set()) == (straight,)
    assert select_references(straight, [straight, up], set()) == (straight,)
    assert len(select_references(straight, three, set())) == 2
    held_out = {aside.selfie.sha256}
    assert select_references(straight, three, held_out) == (straight, up)
    assert select_references(aside, three, held_out)[0] is aside, "a portrait's own photo is always shown"


def test_a_reference_is_cut_from_the_photo_and_never_enlarged(collins_map: FaceMap, models: Models) -> None:
    shown = reference_of(collins_map)
    height, width = collins_map.selfie.rgb.shape[:2]
    assert shown.shape[0] % 16 == shown.shape[1] % 16 == 0
    assert shown.shape[0] <= height
    assert shown.shape[1] <= width
    assert reference_of(collins_map, 64 * 80).size <= 3 * 80 * 96
    assert models.landmarker.detect(shown) is not None


@pytest.mark.parametrize("note", ["hard_light", "colourless"])
def test_where_all_photos_are_alike_in_it_their_light_is_no_reason_to_leave_any_out(
    three: list[FaceMap], note: str
) -> None:
    """Their light is not drawn; where one has better light, that one is shown."""
    noted = [replace(face, selfie=replace(face.selfie, notes=(note,))) for face in three]
    assert len(select_references(noted[0], noted, set())) == 2
    mixed = [noted[0], noted[1], three[2]]
    assert select_references(noted[0], mixed, set()) == (noted[0], three[2])
