"""Claims about coloured light: it is taken out, nobody gets lighter or darker, white light and grey photos stay."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core import frame
from core.colour import LUMINANCE, linear, srgb, to_bytes
from core.face.constancy import EYE_PX, NEAR, SIZE, STRIP, correction_of, in_white_light
from core.face.landmarks import face_skin, fill
from core.face.mesh import BROWS, FACE_OVAL
from core.types import U8, FaceMap, Selfie

CASTS = {
    "leaves": (-0.45, -0.35),
    "stage green": (-0.9, -0.7),
    "magenta": (0.4, 0.4),
    "bulb": (0.5, -0.8),
    "screen": (-0.5, 0.8),
    "neon": (-1.3, 1.3),
}
"""Coloured lights, as log gains of red and blue against green."""


def lit(rgb: U8, red: float, blue: float, skin: np.ndarray) -> U8:
    """Throw a light on a photo, as bright on the skin as before."""
    light = linear(rgb)
    coloured = light * np.exp([red, 0, blue]).astype(np.float32)
    return to_bytes(srgb(coloured * ((light @ LUMINANCE)[skin].mean() / (coloured @ LUMINANCE)[skin].mean())))


def lab(rgb: U8, skin: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[skin]


def as_dark(selfie: Selfie, factor: float) -> Selfie:
    """The same face with darker skin, as far as a picture goes: a part of its light."""
    return replace(selfie, rgb=to_bytes(srgb(linear(selfie.rgb) * np.float32(factor))))


@pytest.fixture(params=["hopper_map", "collins_map"])
def selfie(request: pytest.FixtureRequest) -> Selfie:
    face: FaceMap = request.getfixturevalue(request.param)
    return face.selfie


def test_a_photo_in_white_light_is_left_as_it_is(selfie: Selfie) -> None:
    assert in_white_light(selfie) is selfie


@pytest.mark.parametrize("cast", CASTS)
def test_coloured_light_is_taken_out_as_far_as_skin_tells(collins_map: FaceMap, cast: str) -> None:
    """Of Collins, whose photo was taken in white light; Hopper's print has yellowed."""
    selfie = collins_map.selfie
    skin = face_skin(selfie.rgb, selfie.face.landmarks)
    before = replace(selfie, rgb=lit(selfie.rgb, *CASTS[cast], skin))
    after = in_white_light(before)
    own = np.median(lab(selfie.rgb, skin), axis=0)[1:]
    was, now = (np.linalg.norm(np.median(lab(s.rgb, skin), axis=0)[1:] - own) for s in (before, after))
    assert now < 0.6 * was, (cast, was, now)
    assert after.rgb.shape == selfie.rgb.shape
    assert np.array_equal(after.face.embedding, selfie.face.embedding)


@pytest.mark.parametrize("third", [0.12, 0.35, 1.0])
@pytest.mark.parametrize("cast", CASTS)
def test_nobody_is_made_lighter_or_darker(selfie: Selfie, cast: str, third: float) -> None:
    dark = as_dark(selfie, third)
    skin = face_skin(dark.rgb, dark.face.landmarks)
    before = replace(dark, rgb=lit(dark.rgb, *CASTS[cast], skin))
    after = in_white_light(before)
    assert abs(lab(after.rgb, skin)[:, 0].mean() - lab(before.rgb, skin)[:, 0].mean()) <= 1


def test_lamps_of_two_colours_are_brought_together(selfie: Selfie) -> None:
    skin = face_skin(selfie.rgb, selfie.face.landmarks)
    orange, blue = (lit(selfie.rgb, *CASTS[cast], skin) for cast in ("bulb", "screen"))
    nose = selfie.face.landmarks[1, 0]
    eye = np.linalg.norm(selfie.face.landmarks[33, :2] - selfie.face.landmarks[263, :2])
    side = 1 / (1 + np.exp((np.arange(selfie.rgb.shape[1]) - nose) / (0.12 * eye)))[None, :, None]
    mixed = to_bytes((orange * side + blue * (1 - side)).astype(np.float32) / 255)
    left = skin & (np.arange(selfie.rgb.shape[1]) < nose)[None]

    def apart(rgb: U8) -> float:
        halves = [np.median(lab(rgb, half), axis=0)[1:] for half in (left, skin & ~left)]
        return float(np.linalg.norm(halves[0] - halves[1]))

    after = in_white_light(replace(selfie, rgb=mixed))
    assert apart(after.rgb) < 0.6 * apart(mixed)


@pytest.mark.parametrize("note", ["colourless", "toned"])
def test_a_photo_without_colours_is_given_none(selfie: Selfie, note: str) -> None:
    sepia = to_bytes((linear(selfie.rgb) @ LUMINANCE)[..., None] ** (1 / 2.2) * np.array([1, 0.85, 0.6], np.float32))
    grey = replace(selfie, rgb=sepia, notes=(note,))
    assert in_white_light(grey) is grey


def test_a_photo_taller_than_a_strip_shows_no_seam(hopper_map: FaceMap) -> None:
    """Strips are a matter of memory: a flat wall stays flat across them."""
    selfie = hopper_map.selfie
    assert selfie.rgb.shape[0] > 2 * STRIP
    skin = face_skin(selfie.rgb, selfie.face.landmarks)
    wall = lit(selfie.rgb, *CASTS["leaves"], skin)
    wall[:, :40] = (150, 160, 120)
    after = in_white_light(replace(selfie, rgb=wall)).rgb[:, 20].astype(int)
    assert np.abs(np.diff(after, axis=0)).max() <= 1


def test_yellow_hair_beside_white_skin_keeps_its_colour(selfie: Selfie) -> None:
    """What is not skin is lit as the whole face is, whatever the skin next to it says."""
    to_frame = frame.to_frame(frame.eye_centres(selfie.face.landmarks[:, :2]), *SIZE)
    points = frame.carry(selfie.face.landmarks[:, :2], to_frame)
    face = frame.warp(selfie.rgb, to_frame, *SIZE).astype(np.float32) / 255
    forehead = round(float(points[10, 1])) + round(0.4 * EYE_PX)
    face[:forehead] *= np.array([1.0, 0.85, 0.3], np.float32)
    found = correction_of(face, points)
    if found is not None:
        crown = np.log(found.gains[: max(1, forehead - round(2.0 * EYE_PX))])
        assert np.abs(crown - crown.mean(axis=(0, 1))).max() < 0.1


def test_a_dyed_fringe_over_white_skin_is_no_lamp(selfie: Selfie) -> None:
    """Violet strands, light and dark, over the forehead: skin and strands stay as they are."""
    to_frame = frame.to_frame(frame.eye_centres(selfie.face.landmarks[:, :2]), *SIZE)
    points = frame.carry(selfie.face.landmarks[:, :2], to_frame)
    face = frame.warp(selfie.rgb, to_frame, *SIZE).astype(np.float32) / 255
    fringe = round(float(points[list(BROWS[0] + BROWS[1]), 1].min()))
    strands = 0.35 + 0.2 * np.sin(np.arange(SIZE[0]) * 2 * np.pi / 7, dtype=np.float32)
    face[:fringe] = strands[None, :, None] * np.array([1.0, 0.85, 1.7], np.float32)
    assert correction_of(face, points) is None


def test_red_skin_before_a_grey_wall_does_not_turn_the_wall_blue(collins_map: FaceMap) -> None:
    """It is the skin that was made red: no lamp threw that colour on face and wall."""
    to_frame = frame.to_frame(frame.eye_centres(collins_map.selfie.face.landmarks[:, :2]), *SIZE)
    points = frame.carry(collins_map.selfie.face.landmarks[:, :2], to_frame)
    face = frame.warp(collins_map.selfie.rgb, to_frame, *SIZE).astype(np.float32) / 255
    wall = ~fill((SIZE[1], SIZE[0]), points, FACE_OVAL, 1.15)
    face[~wall] *= np.array([1.0, 0.6, 0.55], np.float32)
    face[wall] = 0.5
    found = correction_of(face, points)
    assert found is not None
    far = cv2.erode(wall.astype(np.uint8), NEAR) > 0
    assert np.abs(np.log(found.gains[far])).max() < 0.1
    assert found.gains[~wall][:, 0].mean() < 0.9
