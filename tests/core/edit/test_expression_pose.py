"""Claims about eyes, mouth and pose: small, in their own direction, refused beyond their range, garment untouched."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.edit import masks
from core.edit.recipe import changed, edit
from core.edit.tweaks.expression import gaze_of
from core.edit.tweaks.pose import depth_of
from core.edit.warp import grid, moved
from core.errors import Refused
from core.face.mesh import EYES
from core.types import Layers, Portrait


def on(portrait: Portrait, text: str, layers: Layers | None = None) -> Layers:
    return changed(layers or portrait.layers, edit(portrait.recipe, text))


def test_eyes_become_brighter_and_pupils_stay_dark(collins: Portrait) -> None:
    layers = collins.layers
    eyes = masks.eyes(layers) > 0.6
    before = masks.lab_of(layers)[..., 0]
    lifted = [masks.lab_of(on(collins, f"eyes_brighter={word}"))[..., 0] for word in ("touch", "more", "lots")]
    means = [float(each[eyes].mean()) for each in lifted]
    assert float(before[eyes].mean()) < means[0] < means[1] < means[2] < float(before[eyes].mean()) + 6
    dark = eyes & (before < np.percentile(before[eyes], 5))
    assert (lifted[2] - before)[dark].mean() < 2.5
    away = masks.oval(layers, 0.98) * (cv2.dilate(masks.eyes(layers), np.ones((9, 9))) < 0.01) > 0.9
    assert np.abs(lifted[2] - before)[away].max() < 0.8


SMILES = [("smile=touch", 1), ("smile=more", 1), ("less_smile=touch", -1), ("less_smile=more", -1)]


@pytest.mark.parametrize(("text", "sign"), SMILES)
def test_a_smile_moves_the_corners_of_the_mouth_by_a_touch(hopper: Portrait, text: str, sign: int) -> None:
    layers, done = hopper.layers, on(hopper, text)
    up = sign * (layers.landmarks[[61, 291], 1] - done.landmarks[[61, 291], 1]) / masks.eye_px(layers)
    assert (up > 0.008).all()
    assert (up < 0.06).all()
    still = masks.polygon(layers, (70, 63, 105, 66, 107, 336, 296, 334, 293, 300), 1.2) > 0.5
    assert np.abs(done.sitter[still].astype(int) - layers.sitter[still]).max() <= 2
    assert np.array_equal(done.garment, layers.garment)


def test_a_smile_is_refused_for_an_open_mouth_and_a_turned_face(hopper: Portrait) -> None:
    points = hopper.layers.landmarks.copy()
    points[14, 1] += 0.5 * np.linalg.norm(points[61, :2] - points[291, :2])
    with pytest.raises(Refused, match=r"open by 0\.\d+ of its width, at most 0\.3"):
        on(hopper, "smile", replace(hopper.layers, landmarks=points))
    turned = hopper.layers.landmarks.copy()
    turned[454, 2] += 400
    with pytest.raises(Refused, match="at most 25"):
        on(hopper, "smile", replace(hopper.layers, landmarks=turned))


def looking(layers: Layers, aside: float) -> Layers:
    """Draw dark irises on white eyes, `aside` eye distances right of where they look into the camera."""
    points, sitter = layers.landmarks.copy(), layers.sitter.copy()
    sitter[masks.eyes(layers) > 0.5] = 220
    by = aside - gaze_of(layers)
    for (centre, *rim), off in zip(masks.IRISES, by, strict=True):
        points[[centre, *rim], 0] += off * masks.eye_px(layers)
        x, y = (round(float(v)) for v in points[centre, :2])
        disc = np.zeros(layers.head.shape, np.float32)
        cv2.circle(disc, (x, y), 5, 1.0, -1)
        sitter[(disc * masks.eyes(layers)) > 0.5] = 40
    return replace(layers, sitter=sitter, landmarks=points)


def dark_middle(layers: Layers, ring: tuple[int, ...]) -> float:
    """Return the column of what is dark between the lids."""
    dark = (masks.polygon(layers, ring) > 0.8) * np.clip(120 - layers.sitter.mean(axis=-1), 0, None)
    return float((dark.sum(axis=0) * np.arange(dark.shape[1])).sum() / dark.sum())


@pytest.mark.parametrize("aside", [0.045, -0.045])
def test_eyes_are_brought_to_the_camera_inside_their_lids(collins: Portrait, aside: float) -> None:
    layers = looking(collins.layers, aside)
    done = on(collins, "eyes_to_camera", layers)
    for ring in EYES:
        moved_by = (dark_middle(done, ring) - dark_middle(layers, ring)) / masks.eye_px(layers)
        assert 0.4 * abs(aside) < -np.sign(aside) * moved_by < 1.3 * abs(aside)
    away = cv2.dilate(masks.eyes(layers), np.ones((7, 7))) < 0.01
    assert np.abs(done.sitter[away].astype(int) - layers.sitter[away]).max() <= 2


def test_eyes_to_the_camera_is_refused_where_they_are_or_too_far_off(collins: Portrait) -> None:
    with pytest.raises(Refused, match="look into the camera"):
        on(collins, "eyes_to_camera", looking(collins.layers, 0.0))
    with pytest.raises(Refused, match=r"at most 0\.07"):
        on(collins, "eyes_to_camera", looking(collins.layers, 0.09))


def tilt(layers: Layers) -> float:
    right, left = layers.landmarks[33, :2], layers.landmarks[263, :2]
    return float(np.degrees(np.arctan2(left[1] - right[1], left[0] - right[0])))


@pytest.mark.parametrize(("text", "degrees"), [("lean_right=touch", 2), ("lean_right=more", 4), ("lean_left=more", -4)])
def test_a_head_leans_by_as_much_as_asked_and_the_garment_stays(collins: Portrait, text: str, degrees: float) -> None:
    done = on(collins, text)
    assert abs(tilt(done) - tilt(collins.layers) - degrees) < 0.4
    assert np.array_equal(done.garment, collins.layers.garment)


@pytest.mark.parametrize(("text", "sign"), [("turn_right=touch", 1), ("turn_right=more", 1), ("turn_left=more", -1)])
def test_a_turn_moves_the_nose_against_the_ears(collins: Portrait, text: str, sign: int) -> None:
    before, after = collins.layers.landmarks, on(collins, text).landmarks
    moved_by = (after - before)[:, 0] / masks.eye_px(collins.layers)
    assert 0.005 < sign * (moved_by[1] - moved_by[[234, 454]].mean()) < 0.12


def test_a_longer_lens_makes_the_nose_smaller_than_the_face(collins: Portrait) -> None:
    before = collins.layers.landmarks
    for text in ("slimmer=touch", "slimmer=more"):
        after = on(collins, text).landmarks

        def shrunk(one: int, other: int, after: np.ndarray = after) -> float:
            return float(
                np.linalg.norm((after[one] - after[other])[:2]) / np.linalg.norm((before[one] - before[other])[:2])
            )

        assert 0.85 < shrunk(98, 327) < shrunk(234, 454) < 1.01


def test_depth_is_greatest_at_the_nose(collins: Portrait) -> None:
    depth, points = depth_of(collins.layers), collins.layers.landmarks

    def at(landmark: int) -> float:
        x, y = (round(float(v) / 8) for v in points[landmark, :2])
        return float(depth[y, x])

    assert at(1) > at(205) > at(234) - 0.05
    assert 0.3 < at(1) < 1.5


def test_a_field_moves_points_and_pixels_alike(collins: Portrait) -> None:
    x, y = grid(collins.layers)
    done = moved(collins.layers, np.full_like(x, 3.0), np.full_like(y, -2.0))
    assert np.allclose(done.landmarks[:, :2] - collins.layers.landmarks[:, :2], [3, -2], atol=1e-3)
    assert np.array_equal(done.head[:-10, 10:], collins.layers.head[2:-8, 7:-3])
