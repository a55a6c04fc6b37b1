"""Claims about long beards: they hang over a garment whole, and a neck in the chin's shadow is none."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.cutout.beard import LONG, beard_of, with_beard
from core.cutout.cutout import cut_out
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
    assert np.allclose(told.hair + told.skin, long.hair + long.skin, atol=1e-5)


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
    assert not beard_of(parts, marks).any()


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
    for facial_hair, least, most in (("beard", 0.95, 1), ("none", 0, 0.05)):
        face = replace(collins_map, features=replace(features, facial_hair=facial_hair))
        assert least <= np.median(cut_out(face, models.parser).head[hanging]) <= most
