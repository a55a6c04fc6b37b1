"""Claims about the cutout: the whole head, none of the clothes, none of the old backdrop."""

import numpy as np

from core.facemap import FACE_OVAL, fill
from core.matte import EYE
from core.nouns import Cutout, FaceMap


def test_face_is_all_in_and_the_frame_edge_is_out(hopper_cutout: Cutout, hopper_map: FaceMap) -> None:
    face = fill(hopper_cutout.head.shape, hopper_map.landmarks, FACE_OVAL, 0.9)
    assert hopper_cutout.head[face].min() > 0.95
    assert hopper_cutout.matte[:40].max() < 0.05


def test_clothes_are_never_kept(hopper_cutout: Cutout, collins_cutout: Cutout) -> None:
    for cutout in (hopper_cutout, collins_cutout):
        below = int(cutout.neckline + 0.8 * EYE)
        kept = np.maximum(cutout.head, cutout.neck)[below:]
        clothed = cutout.matte[below:]
        assert kept.sum() < 0.01 * clothed.sum()


def test_a_cap_and_hair_stay_with_the_head(hopper_cutout: Cutout, hopper_map: FaceMap) -> None:
    crown = hopper_map.landmarks[10, 1]
    assert (hopper_cutout.head[: int(crown)] > 0.9).sum() > EYE**2


def test_the_neckline_lies_under_the_chin(hopper_cutout: Cutout, hopper_map: FaceMap) -> None:
    chin = hopper_map.landmarks[152, 1]
    assert chin < hopper_cutout.neckline < chin + 1.5 * EYE
    assert 0.6 * EYE < hopper_cutout.neck_width < 2.6 * EYE


def test_edge_pixels_hold_the_sitters_colour_not_the_backdrops(collins_cutout: Cutout) -> None:
    """Hair at the outline is as brown as hair inside it, though the photo's backdrop is light grey."""
    edge = (collins_cutout.hair > 0.25) & (collins_cutout.hair < 0.75)
    inside = collins_cutout.hair > 0.98
    top = np.zeros_like(edge)
    top[: int(0.45 * edge.shape[0])] = True
    bright = collins_cutout.rgb.mean(axis=-1)
    assert bright[edge & top].mean() < bright[inside & top].mean() + 0.15


def test_the_matte_is_finer_than_a_mask(collins_cutout: Cutout) -> None:
    partial = (collins_cutout.head > 0.05) & (collins_cutout.head < 0.95)
    assert partial.sum() > 4000
