"""Claims about which photo serves which portrait: no bad one while a good one is left, and the best of bad ones."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core import frame
from core.scene.sources import PER_SOURCE, Sources, faults_of, select_sources
from core.scene.stage import Choice
from core.scene.style import load
from core.types import FaceMap

WHOLE = (0.0, 0.0, float(frame.PRINT[0]))
HALF_A_HEAD = (0.0, 0.45 * frame.PRINT[1], float(frame.PRINT[0]))
"""The photo ends below the hairline: no window of the print can hide that."""


def photo(face: FaceMap, name: str, **changes: Any) -> FaceMap:
    notes = changes.pop("notes", ())
    selfie = replace(face.selfie, sha256=name, notes=notes)
    return replace(face, selfie=selfie, **{"expression": (), "shown": WHOLE, **changes})


def chosen(maps: list[FaceMap], count: int = 4) -> list[tuple[str, int]]:
    return [(face.selfie.sha256, take) for face, take in picked(maps, count).chosen]


def picked(maps: list[FaceMap], count: int) -> Sources:
    return select_sources(maps, load("office"), Choice(), count)


@pytest.mark.parametrize(
    "bad",
    [
        {"expression": ("grimace",)},
        {"expression": ("mouth_open",)},
        {"expression": ("eyes_closed",)},
        {"expression": ("looks_down",)},
        {"shown": HALF_A_HEAD},
        {"notes": ("colourless",)},
        {"notes": ("toned",)},
        {"skin_lab": (75.0, 3.0, 2.0)},
        {"notes": ("hard_light",)},
    ],
)
def test_a_bad_photo_serves_only_after_every_take_of_the_good_ones(collins_map: FaceMap, bad: dict[str, Any]) -> None:
    maps = [photo(collins_map, "bad", **bad), photo(collins_map, "good")]
    assert chosen(maps) == [("good", 0), ("good", 1), ("bad", 0), ("bad", 1)]
    assert chosen(maps, 2) == [("good", 0), ("good", 1)]


def test_where_all_are_bad_the_least_bad_comes_first(collins_map: FaceMap) -> None:
    maps = [photo(collins_map, "worst", expression=("mouth_open", "looks_down")),
            photo(collins_map, "bad", expression=("mouth_open",))]  # fmt: skip
    assert chosen(maps, 1) == [("bad", 0)]


def test_a_grimace_is_worse_than_any_two_faults(collins_map: FaceMap) -> None:
    """A portrait of it is dropped; one in black and white, with eyes that look down, may be kept."""
    maps = [photo(collins_map, "scowls", expression=("grimace",)),
            photo(collins_map, "dim", expression=("looks_down",), notes=("hard_light",)),
            photo(collins_map, "good")]  # fmt: skip
    assert [name for name, _ in chosen(maps, 5)] == ["good", "good", "dim", "dim", "scowls"]


def test_black_and_white_is_no_fault_where_no_photo_has_colours(collins_map: FaceMap) -> None:
    for note in ("colourless", "hard_light"):
        alone = photo(collins_map, "a", notes=(note,))
        assert faults_of(alone, [alone, alone]) == ()


def test_hard_light_serves_before_no_colours_at_all(collins_map: FaceMap) -> None:
    """Drawn looks and ID photos keep its colours, and one edit brings them back."""
    maps = [photo(collins_map, "grey", notes=("colourless",)), photo(collins_map, "lamp", notes=("hard_light",))]
    assert chosen(maps) == [("lamp", 0), ("lamp", 1), ("grey", 0), ("grey", 1)]


def test_a_cut_that_a_closer_print_hides_is_no_fault(collins_map: FaceMap) -> None:
    a_little = (0.0, 0.08 * frame.PRINT[1], float(frame.PRINT[0]))
    assert faults_of(photo(collins_map, "a", shown=a_little), [collins_map]) == ()


def test_eyes_elsewhere_and_coloured_light_rank_behind(collins_map: FaceMap) -> None:
    maps = [photo(collins_map, "aside", expression=("gaze_aside",)),
            photo(collins_map, "neon", notes=("colour_cast",)),
            photo(collins_map, "plain")]  # fmt: skip
    assert chosen(maps, 3) == [("plain", 0), ("aside", 0), ("neon", 0)]


def test_what_is_spare_begins_with_photos_not_yet_used(collins_map: FaceMap) -> None:
    maps = [photo(collins_map, name) for name in "abc"]
    found = picked(maps, 2)
    assert len(found.chosen) + len(found.spare) == PER_SOURCE * len(maps)
    assert found.spare[0][0].selfie.sha256 not in {face.selfie.sha256 for face, _ in found.chosen}


def test_before_the_parser_has_looked_a_border_through_the_cheek_is_a_fault(collins_map: FaceMap) -> None:
    """Of the photo cut off 0.7 eye distances beside the eyes' middle; whole, it has none."""
    whole = photo(collins_map, "a", shown=None)
    assert faults_of(whole, [whole]) == ()
    selfie, face = whole.selfie, whole.selfie.face
    gone = int(frame.eye_centres(face.landmarks[:, :2])[:, 0].mean() - 0.7 * face.eye_px)
    moved = replace(face, landmarks=face.landmarks - np.array([gone, 0, 0], np.float32))
    to_frame = whole.transform.copy()
    to_frame[:, 2] += to_frame[:, 0] * gone
    cut = replace(whole, selfie=replace(selfie, rgb=selfie.rgb[:, gone:], face=moved), transform=to_frame)
    assert faults_of(cut, [cut]) == ("head_cut",)


def test_a_photo_with_more_styles_than_it_carries_says_so(collins_map: FaceMap) -> None:
    assert len(select_sources([collins_map], load("office"), Choice(), 5).chosen) == 2
