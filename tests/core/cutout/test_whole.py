"""The sitter in their own clothes: no border of the photo inside the print, one matte, edits that leave them alone."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import frame
from core.cutout.parts import HALF, PARTS_SIZE, Parts
from core.cutout.whole import LEAST_WINDOW, cut_out_whole, own_clothes, window_of_whole
from core.edit.recipe import develop, edit
from core.errors import Refused
from core.face.features import observe
from core.models import Models
from core.scene.sources import select_sources
from core.scene.stage import Choice, set_up
from core.scene.style import OWN, load
from core.types import F32, FaceMap, Identity, Portrait

HEIGHT, WIDTH = PARTS_SIZE[1], PARTS_SIZE[0]


def parts_of(valid: tuple[int, int, int, int], shoulder_y: int = 420, skin: bool = False) -> Parts:
    """A figure of a disc on a slab from `shoulder_y` down, in a photo that reaches from left, top to right, bottom."""
    left, top, right, bottom = valid
    reached = np.zeros((HEIGHT, WIDTH), np.float32)
    reached[top:bottom, left:right] = 1
    head, body = np.zeros_like(reached), np.zeros_like(reached)
    cv2.circle(head, (256, 246), 110, 1.0, -1)
    cv2.rectangle(body, (60, shoulder_y), (452, HEIGHT), 1.0, -1)
    person = np.maximum(head, body) * reached
    cloth = body * (1 - head) * reached
    nothing = np.zeros_like(reached)
    worn, bare = (nothing, cloth) if skin else (cloth, nothing)
    return Parts(
        np.zeros((HEIGHT, WIDTH, 3), np.uint8), reached, person, nothing, nothing, head * reached + bare, worn,
        head * reached, head * reached,
    )  # fmt: skip


def window_in_parts(landmarks: F32, parts: Parts) -> tuple[int, int, int, int] | None:
    found = window_of_whole(parts, landmarks)
    if found is None:
        return None
    left, top, wide, tall = (value * HALF for value in found)
    return int(left + 1), int(top + 1), int(left + wide - 1), int(top + tall - 1)


@settings(deadline=None, max_examples=60)
@given(
    left=st.integers(0, 150), top=st.integers(0, 200), right=st.integers(0, 150), bottom=st.integers(0, 260),
    shoulder=st.integers(370, 520),
)  # fmt: skip
def test_a_border_of_the_photo_that_cuts_the_sitter_is_never_inside_the_print(
    collins_map: FaceMap, left: int, top: int, right: int, bottom: int, shoulder: int
) -> None:
    parts = parts_of((left, top, WIDTH - right, HEIGHT - bottom), shoulder)
    found = window_in_parts(collins_map.landmarks, parts)
    if found is None:
        return
    x0, y0, x1, y1 = found
    assert 0 <= x0 < x1 <= WIDTH
    assert 0 <= y0 < y1 <= HEIGHT
    seen, person = parts.valid[y0:y1, x0:x1], parts.person[y0:y1, x0:x1]
    outside = cv2.dilate(1 - seen, np.ones((3, 3), np.uint8))
    assert (person * outside * seen).sum() == 0


def test_a_photo_that_cuts_nothing_is_shown_whole(collins_map: FaceMap) -> None:
    found = window_of_whole(parts_of((0, 0, WIDTH, HEIGHT)), collins_map.landmarks)
    assert found is not None
    assert found[2:] == (frame.PRINT[0], frame.PRINT[1])


def test_a_face_that_fills_its_photo_cannot_be_shown_in_its_clothes(collins_map: FaceMap) -> None:
    parts = parts_of((150, 130, WIDTH - 150, 390), shoulder_y=370)
    assert window_of_whole(parts, collins_map.landmarks) is None
    assert own_clothes(parts, collins_map.landmarks) is None


def test_clothes_are_offered_first_only_with_both_shoulders_and_cloth_on_them(collins_map: FaceMap) -> None:
    whole = (0, 0, WIDTH, HEIGHT)
    assert own_clothes(parts_of(whole), collins_map.landmarks) is True
    assert own_clothes(parts_of(whole, skin=True), collins_map.landmarks) is False
    close = parts_of((0, 0, WIDTH, 415), shoulder_y=370)
    assert own_clothes(close, collins_map.landmarks) in (None, False)
    assert 0.5 < LEAST_WINDOW < 0.8


@pytest.fixture(scope="module")
def worn(collins_map: FaceMap, models: Models) -> Portrait:
    face = observe(collins_map, models.parser)
    cutout = cut_out_whole(face, models.parser)
    setup = set_up(face, cutout, load("office"), Choice(outfit=OWN), take=1, seed=3, retouch=0.3)
    who = Identity(maps=(face,), baseline=None)
    return models.engine.portrait(setup, "office", "job", who, "own", lambda: False)


def test_nothing_of_the_sitter_is_drawn_and_no_seam_is_there(worn: Portrait) -> None:
    assert not worn.layers.garment.any()
    assert not worn.layers.neck.any()
    assert worn.recipe.settings["outfit"] == OWN
    assert worn.recipe.settings["tilt_deg"] == 0, "a photo's border would come in at a slant"
    head = worn.layers.head
    assert head[-2, head.shape[1] // 2 - 50 : head.shape[1] // 2 + 50].min() > 250, "down to the print's border"


def test_another_backdrop_leaves_every_inner_pixel_of_the_sitter(worn: Portrait) -> None:
    other = develop(worn.layers, edit(worn.recipe, "backdrop=white_paper")).astype(int)
    reach = round(0.05 * other.shape[1])
    inner = cv2.erode(worn.layers.head, np.ones((reach, reach), np.uint8), borderValue=255) == 255
    assert inner.sum() > 0.2 * inner.size
    assert np.abs(other - worn.rgb.astype(int))[inner].max() <= 1, "more than rounding"
    bare = worn.layers.head == 0
    assert np.abs(other - worn.rgb.astype(int))[bare].mean() > 30


def test_light_and_crop_still_work(worn: Portrait) -> None:
    lit = [develop(worn.layers, edit(worn.recipe, side)).astype(float) for side in ("light_left", "light_right")]
    half = lit[0].shape[1] // 2
    face = np.s_[lit[0].shape[0] // 4 : lit[0].shape[0] // 2]
    assert (lit[0] - lit[1])[face][:, half // 2 : half].mean() > (lit[0] - lit[1])[face][:, half : 3 * half // 2].mean()
    edit(worn.recipe, "crop=close")


def test_only_photos_that_show_the_clothes_serve_and_none_is_refused_kindly(collins_map: FaceMap) -> None:
    assert collins_map.features is None or collins_map.features.own_clothes is None
    with pytest.raises(Refused, match="both shoulders"):
        select_sources([replace(collins_map, features=None)], load("office"), Choice(outfit=OWN), 2)
