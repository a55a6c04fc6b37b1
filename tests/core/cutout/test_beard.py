"""Claims about long beards: they hang over a garment whole, and a neck in the chin's shadow is none."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.cutout.beard import LONG, beard_of, with_beard
from core.cutout.body import figure_of
from core.cutout.cutout import cut_out
from core.cutout.hair import layer_hair
from core.cutout.parts import HALF, Parts
from core.face.features import observe
from core.face.mesh import CHIN
from core.face.worn import IOD
from core.models import Models
from core.types import F32, FaceMap


def bearded(parts: Parts, landmarks: F32, *, length: float, strands: float = 0.3, dark: float = 0.35) -> Parts:
    """Paint a beard from the lower lip down to some eye distances below the chin, and call it skin as the parser does.

    strands: how much single hairs differ in light; dark: the beard's light, of the skin's.
    """
    points = landmarks[:, :2] * np.float32(HALF)
    (x, y), lip = points[CHIN], points[17, 1]
    rows, columns = np.mgrid[: len(parts.skin), : parts.skin.shape[1]].astype(np.float32)
    depth = y + length * IOD
    shape = (rows > lip) & (np.abs(columns - x) < 0.75 * IOD) & (rows < depth)
    shape = cv2.GaussianBlur(shape.astype(np.float32), (0, 0), 1.0)
    grain = cv2.GaussianBlur(np.random.default_rng(5).standard_normal(parts.skin.shape).astype(np.float32), (0, 0), 1.2)
    hairs = dark * np.clip(1 + strands * grain / grain.std(), 0.1, 2)
    colour = np.array([1.0, 1.05, 1.15]) if strands else np.ones(3)  # greyer than skin; a shade has its hue
    own = np.median(parts.rgb[parts.oval > 0.9], axis=0)
    painted = parts.rgb * (1 - shape[..., None]) + shape[..., None] * hairs[..., None] * colour * own
    below = shape * (1 - parts.oval)
    return replace(
        parts,
        rgb=np.clip(painted, 0, 255).astype(np.uint8),
        skin=np.maximum(parts.skin, below),
        clothes=parts.clothes * (1 - below),
        hair=parts.hair * (1 - below),
        person=np.maximum(parts.person, below),
    )


def test_a_beard_that_hangs_below_the_chin_is_hair(collins_map: FaceMap, models: Models) -> None:
    parts, marks = models.parser.parse(collins_map), collins_map.landmarks
    long = bearded(parts, marks, length=1.0)
    beard = beard_of(long, marks)
    x, y = (marks[CHIN, :2] * HALF).astype(int)
    middle = np.s_[y + 10 : y + round(0.85 * IOD), x - round(0.5 * IOD) : x + round(0.5 * IOD)]
    assert beard[middle].min() > 0.9
    assert beard[y + round(1.15 * IOD) :].max() < 0.05
    told = with_beard(long, beard)
    assert told.head[middle].min() > 0.9
    assert told.skin[middle].max() < 0.1


@pytest.mark.parametrize(
    ("length", "strands", "dark"),
    [(LONG - 0.15, 0.3, 0.35), (1.0, 0.0, 0.35), (1.0, 0.0, 0.8)],
    ids=["a short beard", "a neck in deep shade", "a neck in light shade"],
)
def test_a_short_beard_and_a_shaded_neck_are_left(
    length: float, strands: float, dark: float, collins_map: FaceMap, models: Models
) -> None:
    parts, marks = models.parser.parse(collins_map), collins_map.landmarks
    assert not beard_of(bearded(parts, marks, length=length, strands=strands, dark=dark), marks).any()


def test_a_shaven_neck_in_the_shade_of_its_chin_is_no_beard(hopper_map: FaceMap, models: Models) -> None:
    """Lightness is not looked at: the neck keeps its skin's colour and texture in any shade."""
    parts, marks = models.parser.parse(hopper_map), hopper_map.landmarks
    rows = np.arange(len(parts.skin))[:, None, None]
    for shade in (1.0, 0.6, 0.3):
        below = np.where(rows > marks[17, 1] * HALF, shade, 1.0)
        assert not beard_of(replace(parts, rgb=(parts.rgb * below).astype(np.uint8)), marks).any()


def test_hair_that_comes_down_from_the_head_beside_a_beard_is_none_of_it(collins_map: FaceMap, models: Models) -> None:
    long, marks = bearded(models.parser.parse(collins_map), collins_map.landmarks, length=1.0), collins_map.landmarks
    x, y = (marks[CHIN, :2] * HALF).astype(int)
    lock = np.s_[y - round(1.2 * IOD) : y + round(0.7 * IOD), x + round(0.7 * IOD) : x + round(1.05 * IOD)]
    patch = np.s_[y + 10 : y + 20, x - 40 : x + 40]
    hair, skin, rgb = long.hair.copy(), long.skin.copy(), long.rgb.copy()
    hair[lock], skin[lock] = 1, 0
    tall, wide = hair[lock].shape
    rgb[lock] = np.resize(np.tile(rgb[patch], (tall // 10 + 1, 1, 1))[:tall, :wide], (tall, wide, 3))
    beard = beard_of(replace(long, hair=hair, skin=skin, rgb=rgb), marks)
    assert beard[y + 20, x] > 0.9
    assert beard[lock][:, 4:].max() < 0.05


def test_a_beard_wider_than_the_jaw_hangs_in_front_and_the_hair_beside_it_behind(
    collins_map: FaceMap, models: Models
) -> None:
    parts, marks = models.parser.parse(collins_map), collins_map.landmarks
    y, left = int(marks[CHIN, 1] * HALF), int(marks[172, 0] * HALF)
    hair, beard = np.zeros_like(parts.hair), np.zeros_like(parts.hair)
    wide, beside = np.s_[y - 10 : y + 15, left - 40 : left - 15], np.s_[y - 80 : y + 15, left - 90 : left - 50]
    hair[wide] = hair[beside] = beard[wide] = 1
    rgb = parts.rgb.astype(np.float32) / 255
    layered = layer_hair(replace(parts, hair=hair), rgb, figure_of(parts, marks), marks, beard)
    assert layered.front[wide].min() > 0.95
    assert np.median(layered.back[beside][80:]) > 0.95


def test_a_long_beard_lies_over_clothes_beyond_the_jaw_and_a_shaven_face_has_none(
    collins_map: FaceMap, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = observe(collins_map, models.parser).features
    assert features is not None
    long = bearded(models.parser.parse(collins_map), collins_map.landmarks, length=1.0)
    monkeypatch.setattr(type(models.parser), "parse", lambda _parser, _face: long)
    x, y = collins_map.landmarks[CHIN, :2].astype(int)
    eye = 2 * IOD
    hanging = np.s_[y + 20 : y + round(0.8 * eye), x - round(0.6 * eye) : x + round(0.6 * eye)]
    known = {hair: replace(features, facial_hair=hair) for hair in ("beard", None, "moustache", "none")}
    for hair, told in (*known.items(), ("unseen", None)):
        cutout = cut_out(replace(collins_map, features=told), models.parser)
        found = hair in ("beard", None, "unseen")
        assert cutout.bearded is found
        assert bool(np.median(cutout.head[hanging]) > 0.95) == found
