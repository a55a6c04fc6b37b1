"""The rigs are what the field calls them: cheeks, the nose's shadow and catch-lights measured over the mesh."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.colour import LUMINANCE, linear
from core.face.landmarks import fill
from core.face.mesh import CHIN, EYES, FACE_OVAL
from core.scene.backdrop import Backdrop, draw_backdrop
from core.scene.compose import Look, compose
from core.scene.lighting import CONTRAST, Rig, head_normals, relight
from core.scene.shadows import IRISES, catch_lights
from core.scene.stage import Choice, Setup, look_of, set_up
from core.scene.style import Lamps, Paper, load, paper_of, pick, rgb_of
from core.types import F32, U8, Cutout, FaceMap, Layers

NEAR, FAR = (50, 101, 205), (280, 330, 425)
"""Mesh points of the cheek at the picture's left, where the rigs below have their key, and of the other one."""
BESIDE_NOSE = ((129, 203), (358, 423))
"""Points between nostril and cheek at the picture's left, and at its right, where a key from the left throws."""
UNDER_NOSE, CHIN_FRONT, FOREHEAD = (2, 164), (199, 175), (9, 151)


@pytest.fixture(scope="module")
def setup(collins_map: FaceMap, collins_cutout: Cutout) -> Setup:
    return set_up(collins_map, collins_cutout, load("office"), Choice(), 0, 5, 0.0)


def rig_of(name: str) -> Rig:
    """The rig with its key at the picture's left."""
    lamps = pick("light", name)
    assert isinstance(lamps, Lamps)
    rig = Rig(**lamps.model_dump(exclude={"title"}))
    return replace(rig, key_deg=-abs(rig.key_deg))


@pytest.fixture(scope="module")
def lit(setup: Setup) -> dict[str, F32]:
    """Light on the skin under each rig over that under even light, at each mesh point, blurred over a few pixels."""

    def luminance(rig: Rig) -> F32:
        look = Look(Backdrop("paper", (90, 92, 97)), rig, seed=1, retouch=0.0)
        return cv2.blur((linear(compose(setup.layers, look)) @ LUMINANCE).astype(np.float32), (5, 5))

    even = luminance(rig_of("flat"))
    at = np.round(setup.layers.landmarks[:, :2]).astype(int)
    found = {}
    for name in ("soft_key", "loop", "rembrandt", "split", "clamshell", "hard", "low_key", "high_key", "window_left"):
        ratio = luminance(rig_of(name)) / np.maximum(even, 1e-3)
        found[name] = ratio[at[:, 1], at[:, 0]]
    return found


def mean(light: F32, points: tuple[int, ...]) -> float:
    return float(light[list(points)].mean())


def across(light: F32) -> float:
    """Light on the far cheek over that on the near one."""
    return mean(light, FAR) / mean(light, NEAR)


@pytest.mark.parametrize("name", ["soft_key", "loop", "rembrandt", "split", "hard", "window_left"])
def test_the_cheek_at_the_key_is_the_brighter_one(name: str, lit: dict[str, F32]) -> None:
    assert across(lit[name]) < 0.95


def test_rigs_are_as_deep_as_their_names(lit: dict[str, F32]) -> None:
    assert across(lit["split"]) < 0.65
    assert across(lit["rembrandt"]) < 0.8
    assert across(lit["split"]) < across(lit["rembrandt"]) < across(lit["loop"]) < across(lit["high_key"])


@pytest.mark.parametrize("name", ["clamshell", "high_key"])
def test_clamshell_and_high_key_light_both_cheeks_alike(name: str, lit: dict[str, F32]) -> None:
    assert 0.88 < across(lit[name]) < 1.12


def test_the_nose_throws_its_shadow_away_from_the_key(lit: dict[str, F32]) -> None:
    def thrown(name: str) -> float:
        near, far = (mean(lit[name], points) for points in BESIDE_NOSE)
        return far / near

    assert thrown("rembrandt") < 0.8
    assert thrown("loop") < 0.95
    assert thrown("hard") < 0.95
    assert thrown("rembrandt") < thrown("loop") < thrown("clamshell")


def test_a_reflector_fills_what_lies_under_nose_and_chin(lit: dict[str, F32]) -> None:
    def below(name: str) -> float:
        return mean(lit[name], (*UNDER_NOSE, *CHIN_FRONT)) / mean(lit[name], FOREHEAD)

    assert below("clamshell") > 1.08 * below("hard")
    assert below("clamshell") > below("loop")


def drawn_eyes(layers: Layers, white: float = 0.8, spark: float = 0.15) -> F32:
    """Return a face of one colour, its eyes drawn: sRGB of the whites, and of a spot in each brown iris."""
    rgb = np.full((*layers.head.shape, 3), 0.6, np.float32)
    for iris, lid in zip(IRISES, EYES, strict=True):
        middle = layers.landmarks[iris[0], :2]
        radius = float(np.linalg.norm(layers.landmarks[list(iris[1:]), :2] - middle, axis=-1).mean())
        at = tuple(int(v) for v in middle.round())
        cv2.fillPoly(rgb, [np.round(layers.landmarks[list(lid), :2]).astype(np.int32)], (white,) * 3)
        cv2.circle(rgb, at, round(radius), (0.15,) * 3, -1)
        cv2.circle(rgb, at, 1, (spark,) * 3, -1)
    return rgb


def test_no_lamp_is_seen_in_an_eye_under_hair_or_behind_dark_glass_nor_a_second_one(setup: Setup) -> None:
    layers, lamp = setup.layers, Rig(-50, 40).lamp
    bare = layers.regions[..., 0] * 0

    def seen(rgb: F32, hair: U8) -> float:
        return float(catch_lights(layers.landmarks, lamp, rgb, hair).max())

    assert seen(drawn_eyes(layers), bare) > 0.3
    assert seen(drawn_eyes(layers), bare + 255) == 0
    assert seen(drawn_eyes(layers, white=0.16), bare) == 0
    assert seen(drawn_eyes(layers, spark=0.9), bare) == 0


@pytest.mark.parametrize(("key_deg", "up_deg"), [(-50, 40), (50, 40), (0, 45)])
def test_catch_lights_stand_in_the_iris_towards_the_lamp(key_deg: float, up_deg: float, setup: Setup) -> None:
    layers = setup.layers
    seen = catch_lights(layers.landmarks, Rig(key_deg, up_deg).lamp, drawn_eyes(layers), layers.regions[..., 0] * 0)
    rows, columns = np.nonzero(seen > 0.1)
    assert len(rows) > 0
    for iris in IRISES:
        middle = layers.landmarks[iris[0], :2]
        radius = np.linalg.norm(layers.landmarks[list(iris[1:]), :2] - middle, axis=-1).mean()
        mine = np.hypot(columns - middle[0], rows - middle[1]) < 1.3 * radius
        assert mine.any()
        weight = seen[rows[mine], columns[mine]]
        x, y = np.average(columns[mine], weights=weight), np.average(rows[mine], weights=weight)
        assert y < middle[1]
        assert abs(x - middle[0]) < 0.25 * radius if key_deg == 0 else np.sign(x - middle[0]) == np.sign(key_deg)


def test_layers_of_before_have_no_mesh_and_are_lit_without_shadows(setup: Setup) -> None:
    old = replace(setup.layers, landmarks=np.zeros((0, 3), np.float32))
    look = Look(Backdrop("paper", (90, 92, 97)), rig_of("rembrandt"), seed=1)
    assert compose(old, look).shape == (*old.head.shape, 3)


def test_light_falls_on_a_neck_that_goes_on_where_the_photo_ends(collins_map: FaceMap, collins_cutout: Cutout) -> None:
    """A neck that ended at the photo's border faced down there: a level dark band stood in every open collar."""
    neck = collins_cutout.neck.copy()
    chin = round(float(collins_map.landmarks[CHIN, 1]))
    neck[chin + 60 :] = 0
    normals = head_normals(collins_map, replace(collins_cutout, neck=neck))
    middle = round(collins_cutout.figure.neck_x)
    assert np.abs(normals[chin + 40 : chin + 200, middle - 20 : middle + 20, 1]).max() < 0.3


def test_no_rig_brings_a_face_to_more_contrast_than_the_limit_or_its_own(setup: Setup) -> None:
    layers = setup.layers
    face = fill(layers.head.shape, layers.landmarks, FACE_OVAL)

    def contrast(rgb: F32) -> float:
        light = cv2.GaussianBlur((linear(rgb) @ LUMINANCE).astype(np.float32), (0, 0), 12)
        return float(np.log(np.maximum(light[face], 1e-3)).std())

    rgb = layers.sitter.astype(np.float32) / 255
    whole = slice(0, rgb.shape[0]), slice(0, rgb.shape[1])
    dark = np.linspace(1.0, 0.35, rgb.shape[1], dtype=np.float32)[None, :, None]
    for photo in (rgb, rgb * dark):
        own = contrast(photo)
        for name in ("rembrandt", "split", "hard"):
            lit = relight(photo, layers, rig_of(name), whole)
            light = cv2.GaussianBlur((lit @ LUMINANCE).astype(np.float32), (0, 0), 12)
            assert np.log(np.maximum(light[face], 1e-3)).std() < max(own, CONTRAST) + 0.1


@pytest.mark.parametrize("take", [0, 1])
@pytest.mark.parametrize("side", [-0.15, 0.15])
def test_a_room_has_its_window_on_the_side_that_the_photo_is_lit_from(
    side: float, take: int, collins_map: FaceMap, collins_cutout: Cutout
) -> None:
    face = replace(collins_map, light_side=side)
    settings = set_up(face, collins_cutout, load("founder"), Choice(), take, 5, 0.0).settings
    look = look_of(settings, 5)
    room = draw_backdrop(look.backdrop, 5, 64, 80).mean(axis=(0, 2))
    lit, far = (room[:16], room[48:])[:: -1 if side > 0 else 1]
    assert np.sign(look.rig.key_deg) == np.sign(side)
    assert lit.mean() > 1.5 * far.mean()
    before = {**settings, "paper": {**settings["paper"], "side": -settings["paper"]["side"]}}
    assert look_of(before, 5) == look, "in recipes of before the sign is a side of its own"


def test_the_other_take_is_lit_from_the_other_side_where_the_photo_is_from_none(
    collins_map: FaceMap, collins_cutout: Cutout
) -> None:
    face = replace(collins_map, light_side=0.05)
    first, second = (
        set_up(face, collins_cutout, load("founder"), Choice(), take, 5, 0.0).settings["key_side"] for take in (0, 1)
    )
    assert first == -second


@pytest.mark.parametrize("seed", range(1, 7))
def test_in_a_room_nothing_stands_where_a_head_would_cut_it(seed: int) -> None:
    """A lamp beside a jaw and a frame behind hair draw the eye to the outline; what is at the sides may be anything."""
    paper = Paper(title="", **paper_of("window_room"))
    assert paper.second is not None
    for side in (-1.0, 1.0):
        backdrop = Backdrop("window", rgb_of(paper.colour), paper.pool, paper.vignette, side, rgb_of(paper.second))
        light = draw_backdrop(backdrop, seed, 128, 160) @ LUMINANCE
        wall = light[:88, :: -1 if side < 0 else 1][:, 36:78]  # above the shoulders, the window at the right
        assert np.abs(np.diff(wall, axis=1)).max() < 0.02
        assert np.ptp(np.concatenate([light[:88, :24], light[:88, 104:]], axis=1)) > 0.5
