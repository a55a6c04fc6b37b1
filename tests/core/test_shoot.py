"""What a sitting holds in memory, and how a portrait that was dropped is drawn again."""

from dataclasses import replace

import pytest

from core import shoot
from core.scene.stage import Choice
from core.scene.style import load
from core.shoot import GENTLER, Attempt, Cutouts, next_attempt
from core.types import Cutout, FaceMap


def photos(face: FaceMap, count: int) -> list[FaceMap]:
    return [replace(face, selfie=replace(face.selfie, sha256=str(number))) for number in range(count)]


def test_never_more_than_a_few_cutouts_are_held(collins_map: FaceMap, collins_cutout: Cutout) -> None:
    cut: list[str] = []

    def cut_out(face: FaceMap, whole: bool) -> Cutout:
        cut.append(face.selfie.sha256)
        return collins_cutout

    set_of_30 = photos(collins_map, 30)
    cutouts = Cutouts(cut_out, [(face, False) for face in (*set_of_30, *set_of_30)])
    for face in (*set_of_30, *set_of_30):  # two styles
        cutouts.of(face, False)
        assert len(cutouts._held) <= shoot.CUTOUTS_KEPT
        cutouts.done(face, False)
    assert not cutouts._held, "after its last portrait none is needed"


def test_a_cutout_serves_all_portraits_of_its_photo_and_goes_after_the_last(
    collins_map: FaceMap, collins_cutout: Cutout
) -> None:
    cut: list[str] = []

    def cut_out(face: FaceMap, whole: bool) -> Cutout:
        cut.append(face.selfie.sha256)
        return collins_cutout

    one, other = photos(collins_map, 2)
    cutouts = Cutouts(cut_out, [(one, False), (other, False), (one, False)])
    for face in (one, other):
        cutouts.of(face, False)
        cutouts.of(face, False)  # a redraw
        cutouts.done(face, False)
    assert set(cutouts._held) == {("0", False)}
    cutouts.of(one, False)
    cutouts.done(one, False)
    assert cut == ["0", "1"]
    assert not cutouts._held


def test_the_whole_sitter_and_the_head_alone_are_two_cutouts_of_one_photo(
    collins_map: FaceMap, collins_cutout: Cutout
) -> None:
    cut: list[bool] = []

    def cut_out(face: FaceMap, whole: bool) -> Cutout:
        cut.append(whole)
        return collins_cutout

    cutouts = Cutouts(cut_out, [(collins_map, True), (collins_map, False)])
    for whole in (True, False):
        cutouts.of(collins_map, whole)
    cutouts.done(collins_map, True)
    cutouts.of(collins_map, False)
    assert cut == [True, False]
    assert len(cutouts._held) == 1


def again(face: FaceMap, *reasons: str, spare: int = 1, outfit: str | None = None) -> Attempt:
    left = [(other, 0) for other in photos(face, spare)]
    following = next_attempt(Attempt(face, 0), reasons, left, load("founder"), Choice(outfit=outfit))
    assert following is not None
    return following


def test_a_dropped_portrait_is_drawn_again_by_what_may_mend_it(collins_map: FaceMap) -> None:
    light = again(collins_map, "drifted")
    assert (light.face, light.relight, light.outfit) == (collins_map, GENTLER, None)
    collar = again(collins_map, "gap")
    assert (collar.face, collar.relight, collar.outfit) == (collins_map, 1.0, "black_turtleneck"), (
        "no tie for who wears none"
    )
    for reason in ("mouth_open", "head_cut", "misshapen", "not_them"):
        assert again(collins_map, reason).face.selfie.sha256 == "0", f"{reason} asks for another photo"
    assert again(collins_map, "gap", "mouth_open").face.selfie.sha256 == "0"


def test_what_the_person_asked_to_wear_is_not_changed(collins_map: FaceMap) -> None:
    other = again(collins_map, "gap", outfit="grey_open")
    assert other.outfit is None
    assert other.face.selfie.sha256 == "0"


def test_without_another_photo_the_same_one_is_lit_more_gently(collins_map: FaceMap) -> None:
    same = again(collins_map, "mouth_open", spare=0)
    assert (same.face, same.relight) == (collins_map, GENTLER)


def test_a_photo_that_gentler_light_did_not_mend_makes_room_for_another(collins_map: FaceMap) -> None:
    spare = [(photos(collins_map, 1)[0], 1)]
    before = Attempt(collins_map, 0, relight=GENTLER)
    following = next_attempt(before, ["drifted"], spare, load("office"), Choice())
    assert following is not None
    assert following.face.selfie.sha256 == "0"
    assert not spare, "a photo is spent once"


@pytest.mark.parametrize("reason", ["outline_unsure", "grimace"])
def test_a_photo_that_is_itself_to_blame_is_drawn_once(collins_map: FaceMap, reason: str) -> None:
    other = photos(collins_map, 1)[0]
    spare = [(collins_map, 1), (other, 0), (collins_map, 2)]
    following = next_attempt(Attempt(collins_map, 0), [reason, "drifted"], spare, load("office"), Choice())
    assert following is not None
    assert following.face is other
    spare = [(collins_map, 1)]
    assert next_attempt(Attempt(collins_map, 0), [reason], spare, load("office"), Choice()) is None
