"""Claims about grimaces: a smile is none, half a word is nearer to one, and size, light and mirrors do not matter."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core import frame
from core.face import landmarks as mapping
from core.face.grimace import LIDS, POINTS, SIZE, TENSE, Odds, aligned, evened, features, grimace, other_points
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
    return grimace(face.selfie.rgb if rgb is None else rgb, face.selfie.face.landmarks, told).tense


@pytest.fixture(params=["collins_map", "hopper_map"])
def sitter(request: pytest.FixtureRequest) -> FaceMap:
    face: FaceMap = request.getfixturevalue(request.param)
    return face


def test_an_official_portrait_is_no_grimace_and_speech_is_nearer_to_one(sitter: FaceMap) -> None:
    assert odds(sitter) < TENSE - 1
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
    assert half.tense == pytest.approx(odds(sitter), abs=0.5)


def test_a_mirror_image_says_the_same(sitter: FaceMap, models: Models) -> None:
    """Front cameras mirror."""
    to_frame = frame.to_frame(frame.eye_centres(sitter.selfie.face.landmarks[:, :2]), 512, 640)
    shown = frame.warp(sitter.selfie.rgb, to_frame, 512, 640)
    told = []
    for rgb in (shown, np.ascontiguousarray(shown[:, ::-1])):
        mesh = models.landmarker.detect(rgb)
        assert mesh is not None
        told.append(grimace(rgb, mesh.landmarks, mesh.blendshapes).tense)
    assert told[0] == pytest.approx(told[1], abs=0.35), "all that the landmarker itself differs by"


def test_a_mesh_is_evened_by_the_points_of_its_other_side() -> None:
    mean = np.array([[0, 1, 0], [-1, 0, 0.5], [1, 0, 0.5]], np.float32)
    mesh = mean + np.array([[0, 0, 0], [-0.4, 0.2, 0], [0, 0, 0]], np.float32)
    assert np.allclose(
        evened(mesh, other_points(mean)), mean + np.array([[0, 0, 0], [-0.2, 0.1, 0], [0.2, 0.1, 0]], np.float32)
    )


def test_no_single_muscle_that_hardly_stirs_decides(collins_map: FaceMap) -> None:
    for name in BLENDSHAPES:
        place = BLENDSHAPES.index(name)
        told = collins_map.selfie.face.blendshapes.copy()
        told[place] += 1e-3
        rgb, mesh = collins_map.selfie.rgb, collins_map.selfie.face.landmarks
        assert grimace(rgb, mesh, told).tense == pytest.approx(odds(collins_map), abs=0.05), name


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
    for tense, lids, said in (
        (0.1, -0.1, ("grimace", "smile")),
        (-0.1, 0.1, ("grimace", "eyes_closed", "smile")),
        (-0.1, -0.1, ("smile",)),
    ):
        found = Odds(TENSE + tense, LIDS + lids)
        monkeypatch.setattr(mapping, "grimace", lambda *_, found=found: found)
        assert map_face(collins_map.selfie).expression == said


def test_lowered_lids_are_no_open_eyes(sitter: FaceMap) -> None:
    """Of a face, not of a muscle alone: closing the eyes lowers a mesh's lids too."""
    face = sitter.selfie.face
    shut = face.landmarks.copy()
    for upper, lower in ((159, 145), (158, 153), (160, 144), (386, 374), (385, 380), (387, 373)):
        shut[upper] = shut[lower] + (shut[upper] - shut[lower]) * 0.1
    told = face.blendshapes.copy()
    for name in ("eyeBlink", "eyeLookDown"):
        for side in ("Left", "Right"):
            told[BLENDSHAPES.index(name + side)] = 0.7
    assert grimace(sitter.selfie.rgb, face.landmarks, face.blendshapes).lids < LIDS - 0.5
    assert grimace(sitter.selfie.rgb, shut, told).lids > LIDS


def test_what_is_looked_at_are_muscles_their_logarithms_the_mesh_and_edges(collins_map: FaceMap) -> None:
    face = collins_map.selfie.face
    mean = aligned(face.landmarks, face.landmarks[:POINTS])
    others = other_points(mean)
    mean = evened(mean, others)
    told = features(face.blendshapes, face.landmarks, np.arange(2520, dtype=np.float32), mean, others)
    muscles, logarithms, mesh, edges = np.split(told, [52, 104, 104 + 3 * POINTS])
    assert muscles.sum() == pytest.approx(face.blendshapes.sum(), rel=1e-5)
    assert np.allclose(np.exp(logarithms), muscles + 0.02)
    assert np.abs(mesh).max() < 0.01, "evened, her own mesh is the mean here"
    assert np.array_equal(edges, np.arange(2520))


def test_the_judge_drops_a_portrait_of_a_photo_that_grimaces(
    collins_map: FaceMap, small_layers: Layers, small_recipe: Recipe, models: Models
) -> None:
    shown = frame.warp(collins_map.selfie.rgb, (collins_map.transform / 4).astype("float32"), *SIZE)
    portrait = Portrait("x", shown, small_layers, small_recipe)
    tense = replace(collins_map, expression=("grimace", *collins_map.expression))
    assert "grimace" not in realism.measure(portrait, collins_map, models.landmarker)[1]
    assert realism.measure(portrait, tense, models.landmarker)[1] == ("grimace",)
    assert "grimace" in REASONS
