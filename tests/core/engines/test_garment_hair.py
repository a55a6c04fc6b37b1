"""Claims about hair round a garment: behind a collar, beside it, and where the skin under it ends."""

from __future__ import annotations

import numpy as np
import pytest

from core.engines.redress.hair import (
    behind_collar,
    beside_collar,
    in_shade,
    outside_throat,
    soft_under_hair,
)
from core.types import F32, Body

BODY = Body(neck_x=512, neck_width=230, collar_y=800, chin_y=730, shoulder_y=780, left=60, right=960)


def roll_neck() -> F32:
    """A closed collar of 288 x 512, from row 80 on between columns 200 and 312, on shoulders from row 160 on."""
    cover = np.zeros((288, 512), np.float32)
    cover[80:, 200:312] = cover[160:, :] = 1
    return cover


def test_a_neck_ends_softly_under_hair_and_as_it_was_beside_it() -> None:
    """Hair is seen through by a tenth: where skin ended under it a box was seen."""
    neck, hair = (np.zeros((288, 512), np.float32) for _ in range(2))
    neck[60:200, 220:292] = 1
    hair[:130, 250:400] = 0.9
    made = soft_under_hair(neck, hair, 0.5)
    under, beside = made[100, 285:330], made[160]
    assert (made >= neck).all(), "nothing is lost: a gap beside the jaw would show the backdrop"
    assert np.abs(np.diff(under)).max() < 0.25 < np.abs(np.diff(neck[100])).max()
    assert under[-1] < 0.05
    assert np.array_equal(beside, neck[160])


def test_hair_that_the_photo_cuts_inside_a_collar_goes_behind_the_cloth() -> None:
    """Cut off above the chest, a lock ended in the air like a brush."""
    hair, cover = (np.zeros((288, 512), np.float32) for _ in range(2))
    cover[80:, :200] = cover[80:, 312:] = 1  # two sides of an open collar
    for row in range(80, 288):  # which come together below
        cover[row, 200 : 200 + (row - 80) // 4] = 1
    hair[:160, 150:230] = 1  # a lock at the left down to where the photo ends
    hair[:110, 300:340] = 1  # one at the right that ends above
    stay = behind_collar(hair, cover, 160, BODY, 0.5)
    assert stay[:80].min() == 1, "above the collar all stays"
    assert stay[:, 256:].min() == 1, "an end of its own stays"
    inner = [int(np.flatnonzero(stay[row, :256] > 0.5).max()) for row in (90, 120, 140, 157)]
    assert 226 <= inner[1] <= inner[0] <= 231, "it hangs as the photo shows it"
    assert inner[1] - inner[2] < inner[2] - inner[3], "and goes aside in a curve"
    assert stay[160:, 150:255].max() == 0
    assert np.array_equal(behind_collar(0 * hair, cover, 160, BODY, 0.5), np.ones_like(hair))


def test_the_ragged_end_of_hair_does_not_go_on_to_a_collar_as_a_bar() -> None:
    """A spike and the last rows of a lock had bars and triangles of hair beside them, in the air."""
    cover, nothing = roll_neck(), np.zeros((288, 512), np.float32)
    hair = nothing.copy()
    hair[:90, 330:420] = 1  # a lock that ends right below the collar's points
    hair[90:140, 352:360] = 1  # and a spike of it that goes on
    assert beside_collar(hair, nothing, cover, nothing, BODY, 0.5).max() < 0.05
    hair[90:150] = hair[60]
    assert beside_collar(hair, nothing, cover, nothing, BODY, 0.5)[120:140, 314:328].min() > 0.9, "a long one does"


@pytest.mark.parametrize("way", [1, -1])
def test_between_a_closed_collar_and_the_hair_beside_it_there_is_hair(way: int) -> None:
    """Backdrop, or a strip of skin, stood beside the collar where the photo ends above the shoulders."""
    cover, nothing = roll_neck(), np.zeros((288, 512), np.float32)
    hair, head = nothing.copy(), nothing.copy()
    hair[:160, 340:420] = 1  # with a gap of 28 columns
    hair[130:160, 360:366] = 0  # and one between its locks
    head[:90, 180:330] = 1
    hair, cover, head = (np.ascontiguousarray(part[:, ::way]) for part in (hair, cover, head))
    gap = beside_collar(hair, head, cover, nothing, BODY, 0.5)[:, ::way]
    assert gap[100:158, 312:340].min() > 0.9
    assert gap[132:158, 360:366].min() > 0.9
    assert gap[:76].max() < 0.05, "above the collar the photo says what is there"
    assert np.abs(np.diff(gap[:110, 335])).max() < 0.2, "it does not begin on a line"
    assert gap[:, :190].max() == 0, "there is no hair on that side"
    assert gap[:, 425:].max() == 0, "beyond the hair there is none"
    assert gap[:88, 312:328].max() < 0.05, "none over the face"
    wall = np.ones_like(hair)
    assert beside_collar(hair, head, cover, wall, BODY, 0.5).max() == 0, "where the photo has a backdrop there is none"
    assert beside_collar(nothing, head, cover, nothing, BODY, 0.5).max() == 0


def test_hair_that_ends_above_a_shoulder_is_not_joined_to_it() -> None:
    cover, nothing = roll_neck(), np.zeros((288, 512), np.float32)
    cover[100:, 400:] = 1  # a high shoulder
    hair = nothing.copy()
    hair[:110, 340:380] = 1
    gap = beside_collar(hair, nothing, cover, nothing, BODY, 0.5)
    assert gap[114:160, 312:400].max() < 0.05


def test_hair_in_a_gap_is_darker_than_the_hair_beside_it() -> None:
    rgb, hair = np.full((64, 64, 3), (0.4, 0.3, 0.2), np.float32), np.zeros((64, 64), np.float32)
    rgb[:, 32:], hair[:, :32] = 1, 1
    assert (in_shade(rgb, hair, 0.5)[:, 34:40] < (0.35, 0.26, 0.17)).all()


def test_hair_that_was_carried_on_is_seen_beside_a_collar_and_not_inside_it() -> None:
    """It hung before the throat of an open collar as a block, where the photo had old clothes."""
    cover, own = (np.zeros((288, 512), np.float32) for _ in range(2))
    cover[80:, :200] = cover[80:, 312:] = 1
    own[:120, 190:230] = 1
    hanging = own.copy()
    hanging[120:180, 190:230] = 1
    made = outside_throat(hanging, own, cover, BODY, 0.5)
    assert (made[:120] == own[:120]).all(), "the photo's own stays"
    assert made[120:180, 205:].max() == 0
    nothing, beside = np.zeros_like(own), np.zeros_like(own)
    beside[:180, 40:80] = 1
    assert np.array_equal(outside_throat(beside, nothing, cover, BODY, 0.5), beside)
