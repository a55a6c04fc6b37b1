"""Claims about grimaces: a smile is none, half a word is nearer to one, and size, light and mirrors do not matter."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core import frame
from core.face import landmarks as mapping
from core.face.grimace import GRIMACE, POINTS, SIZE, aligned, edges_of, features, grimace
from core.face.landmarks import map_face
from core.face.mesh import BLENDSHAPES
from core.judge import realism
from core.judge.verdict import REASONS
from core.models import Models
from core.types import U8, FaceMap, Layers, Portrait, Recipe


def odds(face: FaceMap, rgb: U8 | None = None, **scores: float) -> float:
    """The log odds of a sitter with some blendshapes set; a name without a side means both."""
    told = face.selfie.face.blendshapes.copy()
    for name, score in scores.items():
        for place, full in enumerate(BLENDSHAPES):
            if full in (name, f"{name}Left", f"{name}Right"):
                told[place] = score
    return grimace(face.selfie.rgb if rgb is None else rgb, face.selfie.face.landmarks, told)


@pytest.fixture(params=["collins_map", "hopper_map"])
def sitter(request: pytest.FixtureRequest) -> FaceMap:
    face: FaceMap = request.getfixturevalue(request.param)
    return face


def test_an_official_portrait_is_no_grimace_and_speech_is_nearer_to_one(sitter: FaceMap) -> None:
    assert odds(sitter) < GRIMACE - 1
    assert "grimace" not in sitter.expression
    assert odds(sitter, jawOpen=0.6, mouthFunnel=0.4, mouthSmile=0.0, browDown=0.8) > odds(sitter) + 1


def test_more_or_less_light_makes_no_grimace(sitter: FaceMap) -> None:
    for gain in (0.5, 1.3):
        lit = np.clip(sitter.selfie.rgb.astype(np.float32) * gain, 0, 255).astype(np.uint8)
        assert odds(sitter, lit) == pytest.approx(odds(sitter), abs=0.7)


def test_a_photo_of_another_size_says_the_same(sitter: FaceMap) -> None:
    selfie = sitter.selfie
    small = cv2.resize(selfie.rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    half = grimace(small, ((selfie.face.landmarks + 0.5) / 2 - 0.5).astype(np.float32), selfie.face.blendshapes)
    assert half == pytest.approx(odds(sitter), abs=0.5)


def test_edges_are_those_of_the_mirror_image_too(sitter: FaceMap) -> None:
    face = frame.warp(
        sitter.selfie.rgb, frame.to_frame(frame.eye_centres(sitter.selfie.face.landmarks[:, :2]), *SIZE), *SIZE
    )
    mirrored = np.zeros_like(face)
    mirrored[:, 60:196] = face[:, 60:196][:, ::-1]
    assert edges_of(mirrored).shape == (2520,)
    assert np.corrcoef(edges_of(mirrored), edges_of(face))[0, 1] > 0.98


def test_a_mesh_is_the_same_wherever_it_stands(sitter: FaceMap) -> None:
    mesh = sitter.selfie.face.landmarks
    mean = mesh[:POINTS] - mesh[:POINTS].mean(axis=0)
    mean = (mean / np.linalg.norm(mean)).astype(np.float32)
    turn, _ = cv2.Rodrigues(np.array([0.2, -0.3, 0.4]))
    moved = (3 * mesh @ turn.T + np.array([100, -50, 7])).astype(np.float32)
    assert np.allclose(aligned(moved, mean), mean, atol=1e-5)
    assert np.allclose(aligned(np.zeros((478, 3), np.float32), mean), 0), "no mesh at all is no number either"


def test_a_grimace_is_the_first_word_of_what_a_face_does(collins_map: FaceMap, monkeypatch: pytest.MonkeyPatch) -> None:
    assert collins_map.expression == ("smile",)
    monkeypatch.setattr(mapping, "grimace", lambda *_: GRIMACE + 0.1)
    assert map_face(collins_map.selfie).expression == ("grimace", "smile")
    monkeypatch.setattr(mapping, "grimace", lambda *_: GRIMACE - 0.1)
    assert map_face(collins_map.selfie).expression == ("smile",)


def test_what_is_looked_at_are_muscles_their_logarithms_the_mesh_and_edges(collins_map: FaceMap) -> None:
    face = collins_map.selfie.face
    mean = aligned(face.landmarks, face.landmarks[:POINTS])
    told = features(collins_map.selfie.rgb, face.landmarks, face.blendshapes, mean)
    muscles, logarithms, mesh, edges = np.split(told, [52, 104, 104 + 3 * POINTS])
    assert np.array_equal(muscles, face.blendshapes)
    assert np.allclose(np.exp(logarithms), face.blendshapes + 0.02)
    assert np.allclose(mesh, 0, atol=1e-5), "her own mesh is the mean here"
    assert edges.shape == (2520,)


def test_the_judge_drops_a_portrait_of_a_photo_that_grimaces(
    collins_map: FaceMap, small_layers: Layers, small_recipe: Recipe, models: Models
) -> None:
    shown = frame.warp(collins_map.selfie.rgb, (collins_map.transform / 4).astype("float32"), *SIZE)
    portrait = Portrait("x", shown, small_layers, small_recipe)
    tense = replace(collins_map, expression=("grimace", *collins_map.expression))
    assert "grimace" not in realism.measure(portrait, collins_map, models.landmarker)[1]
    assert realism.measure(portrait, tense, models.landmarker)[1] == ("grimace",)
    assert "grimace" in REASONS
