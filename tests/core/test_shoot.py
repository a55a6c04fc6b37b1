"""What a sitting holds in memory: cut-outs that are still needed, and few of them."""

from dataclasses import replace

from core import shoot
from core.shoot import Cutouts
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
