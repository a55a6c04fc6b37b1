"""Claims about what is looked at before drawing: glasses, beards, cropped and torn hair, shade, missing colour."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core import frame
from core.edit.recipe import developed
from core.face.mesh import LIPS
from core.face.worn import UPPER_LIP
from core.looks.beard import BEARD
from core.looks.features import brow_shape, brows, eyes_of, jaw_line
from core.looks.finish import newest, table
from core.looks.glasses import draw_frames
from core.looks.ink import INK
from core.looks.lines import disc, polygon, stroke
from core.looks.proportions import eyes_enlarged
from core.looks.study import HALF_SHADE, studied
from core.looks.subject import Subject, subject_of
from core.looks.tones import lightness
from core.types import F32, Layers, Recipe


@pytest.fixture(scope="module")
def subject(layers: Layers, recipe: Recipe) -> Subject:
    """The sitter large enough for a rim to be a line."""
    small = subject_of(developed(layers, recipe).photograph, layers)

    def twice(layer: F32) -> F32:
        return cv2.resize(layer, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)

    layers_of = (small.rgb, small.skin, small.hair, small.hat, small.cloth, small.figure)
    rgb, skin, hair, hat, cloth, figure = (np.clip(twice(layer), 0, 1) for layer in layers_of)
    return Subject(rgb, skin, hair, hat, cloth, figure, twice(small.normals), 2 * small.mesh, 2 * small.eye)


def drawn(look: str, subject: Subject, version: int | None = None) -> np.ndarray:
    cv2.setRNGSeed(1)
    finish = table()[look, version or newest()[look].version]
    return finish.draw(subject, 1.0, np.random.default_rng(1))


def rings_of(subject: Subject) -> list[F32]:
    turn = np.linspace(0, 2 * np.pi, 60, dtype=np.float32)
    lens = np.stack([0.42 * np.cos(turn), 0.34 * np.sin(turn)], axis=1) * subject.eye
    middles = frame.eye_centres(subject.mesh)[:, :2] + np.array([0, 0.06 * subject.eye], np.float32)
    return [middle + lens for middle in middles]


def in_glasses(subject: Subject, colour: tuple[float, float, float] = (0.08, 0.07, 0.07)) -> Subject:
    frames = np.zeros(subject.figure.shape, np.float32)
    right, left = rings_of(subject)
    for ring in (right, left):
        stroke(frames, ring, [0.05 * subject.eye])
    stroke(frames, np.stack([right[0], left[30]]), [0.05 * subject.eye])
    return replace(subject, rgb=subject.rgb + (np.array(colour, np.float32) - subject.rgb) * frames[..., None])


def bearded(subject: Subject) -> Subject:
    where = polygon(subject.figure.shape, subject.mesh[list(BEARD), :2]) * subject.skin
    where *= 1 - polygon(subject.figure.shape, subject.mesh[list(LIPS), :2])
    rough = np.random.default_rng(3).uniform(0.02, 0.3, where.shape).astype(np.float32)
    return replace(subject, rgb=subject.rgb + (np.dstack([rough] * 3) - subject.rgb) * where[..., None])


def test_glasses_are_traced_where_they_are_and_not_where_there_are_none(subject: Subject) -> None:
    bare, worn = studied(subject).study, studied(in_glasses(subject)).study
    assert bare
    assert bare.frames is None
    assert worn
    assert worn.frames
    for rim, ring in zip(worn.frames.rims, rings_of(subject), strict=True):
        away = np.linalg.norm(rim[:, None] - ring[None], axis=-1).min(axis=1)
        assert np.median(away) < 0.04 * subject.eye
        assert np.percentile(away, 90) < 0.10 * subject.eye


@pytest.mark.parametrize("look", ["anime", "cartoon", "ink", "pop_art", "stained_glass", "pencil", "poster"])
def test_gold_frames_are_drawn_as_dark_lines_all_round(look: str, subject: Subject) -> None:
    gold = in_glasses(subject, (0.45, 0.36, 0.2))
    study = studied(gold)
    ring = np.zeros(subject.figure.shape, np.float32)
    draw_frames(study, ring, 1.0)
    inside = (ring > 0.9) & (subject.skin > 0.9)
    assert inside.sum() > 1.5 * subject.eye
    with_frames, without = (lightness(drawn(look, s).astype(np.float32) / 255) for s in (gold, subject))
    assert np.median(with_frames[inside]) < np.median(without[inside]) - 15


def test_frames_move_with_the_eyes(subject: Subject) -> None:
    study = studied(in_glasses(subject))
    moved = study.moved(eyes_enlarged(study, 0.3, 0.6))
    assert study.study
    assert study.study.frames
    assert moved.study
    assert moved.study.frames
    before, after = (np.ptp(s.frames.rims[0][:, 1]) for s in (study.study, moved.study) if s.frames)
    assert after > 1.05 * before
    middle = moved.study.frames.rims[0].mean(axis=0) - frame.eye_centres(moved.mesh)[0, :2]
    assert np.abs(middle).max() < 0.2 * subject.eye


def test_a_beard_is_painted_in_its_own_colour_and_a_bare_chin_is_not(subject: Subject) -> None:
    hairy = bearded(subject)
    bare, grown = studied(subject).study, studied(hairy).study
    assert bare
    assert bare.beard.max() == 0
    assert grown
    chin = np.round(subject.mesh[[175, 171, 396], :2]).astype(int)
    cheeks = np.round(subject.mesh[[50, 280], :2]).astype(int)
    assert (grown.beard[chin[:, 1], chin[:, 0]] > 0.5).all()
    assert grown.beard[: int(subject.mesh[4, 1])].max() < 0.01, "over the nose's tip"
    assert grown.beard[cheeks[:, 1], cheeks[:, 0]].max() < 0.01
    light = lightness(drawn("anime", hairy).astype(np.float32) / 255)
    assert np.median(light[grown.beard > 0.9]) < np.median(light[cheeks[:, 1], cheeks[:, 0]]) - 15


def test_a_white_moustache_is_painted_white(subject: Subject) -> None:
    where = polygon(subject.figure.shape, subject.mesh[list(UPPER_LIP), :2])
    where *= 1 - polygon(subject.figure.shape, subject.mesh[list(LIPS), :2])
    white = replace(subject, rgb=subject.rgb + (np.float32(0.93) - subject.rgb) * where[..., None])
    study = studied(white).study
    assert study
    there = cv2.erode(where, np.ones((5, 5))) > 0.9
    assert study.beard[there].mean() > 0.6
    assert study.beard[: int(subject.mesh[4, 1])].max() < 0.01
    lab = cv2.cvtColor(drawn("anime", white).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[there]
    assert np.median(np.hypot(lab[:, 1], lab[:, 2])) < 10


def test_a_beard_hangs_over_the_neck_and_shade_under_the_jaw_does_not(subject: Subject) -> None:
    below = np.round(subject.mesh[152, :2] + np.array([0, 0.08 * subject.eye])).astype(int)
    there = np.s_[below[1] - 2 : below[1] + 3, below[0] - 6 : below[0] + 7]
    hairy = bearded(subject)
    under = disc(subject.figure.shape, below.astype(np.float32), 0.3 * subject.eye) * subject.skin
    under *= np.arange(subject.size[1])[:, None] > subject.mesh[152, 1]
    smooth = replace(hairy, rgb=hairy.rgb + (np.float32(0.15) - hairy.rgb) * under[..., None])
    rough = np.random.default_rng(4).uniform(0.02, 0.3, under.shape).astype(np.float32)[..., None]
    hanging = replace(hairy, rgb=hairy.rgb + (rough - hairy.rgb) * under[..., None])
    shade, beard = (studied(s).study for s in (smooth, hanging))
    assert shade
    assert beard
    assert np.median(beard.beard[there]) > 0.5
    assert np.median(shade.beard[there]) < 0.3


def test_stubble_on_a_shaven_head_is_drawn_as_skin(subject: Subject) -> None:
    scalp = subject.skin + subject.hair
    patch = disc(subject.figure.shape, subject.mesh[10, :2], 0.4 * subject.eye) * scalp
    shaven = replace(subject, hair=patch, skin=scalp - patch)
    seen = studied(shaven)
    assert seen.hair.max() == 0
    assert np.abs((seen.skin + seen.cloth + seen.hat) - seen.figure).max() < 0.02
    assert studied(subject).hair.sum() > 0.8 * subject.hair.sum(), "a head of hair stays one"
    under = replace(shaven, hat=subject.hair, hair=patch * (1 - subject.hair), skin=subject.skin * (1 - patch))
    assert studied(under).hair.sum() > 0.5 * under.hair.sum(), "and what shows under a hat is hair"


def test_torn_curls_become_locks(subject: Subject) -> None:
    noise = np.random.default_rng(5).uniform(0, 1, subject.hair.shape).astype(np.float32)
    torn = cv2.GaussianBlur(noise, (0, 0), 1.2)
    torn = (torn > np.median(torn)).astype(np.float32)
    fringe = cv2.dilate(subject.hair, np.ones((9, 9))) - cv2.erode(subject.hair, np.ones((9, 9)))
    keep = 1 - np.clip(fringe, 0, 1) * (1 - torn) * (subject.skin < 0.1) * (subject.cloth < 0.1)
    ragged = replace(subject, hair=subject.hair * keep, figure=subject.figure * keep)

    def outline_length(matte: F32) -> float:
        rings, _ = cv2.findContours((matte > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        return sum(cv2.arcLength(ring, True) for ring in rings)

    seen = studied(ragged)
    assert outline_length(seen.figure) < 0.8 * outline_length(ragged.figure)
    assert outline_length(seen.hair) < 0.7 * outline_length(ragged.hair)
    total = seen.skin + seen.hair + seen.hat + seen.cloth
    assert np.abs(total - seen.figure).max() < 0.02


def test_a_photo_without_colour_gets_skin_and_one_with_it_keeps_its_own(subject: Subject) -> None:
    def cheek(rgb: F32) -> F32:
        lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
        x, y = np.round(subject.mesh[50, :2]).astype(int)
        return np.asarray(lab[y - 2 : y + 3, x - 2 : x + 3].mean(axis=(0, 1)))

    grey = replace(subject, rgb=np.dstack([subject.rgb.mean(axis=-1)] * 3))
    tinted = cheek(studied(grey).rgb)
    assert tinted[1] > 6, "red"
    assert tinted[2] > 6, "and yellow"
    own, kept = cheek(subject.rgb), cheek(studied(subject).rgb)
    assert np.abs(kept - own).max() < 4
    eye = eyes_of(studied(grey))[0].colour
    assert np.ptp(eye) < 0.05, "eyes stay as grey as they are"


def test_half_a_face_in_deep_shade_is_drawn_in_half_shade(subject: Subject) -> None:
    dark = np.arange(subject.size[0])[None] > subject.mesh[1, 0]
    hard = replace(subject, rgb=np.where(dark[..., None], 0.25 * subject.rgb, subject.rgb).astype(np.float32))
    there = (subject.skin > 0.95) & (polygon(subject.figure.shape, subject.mesh[list(BEARD), :2]) > 0.5)

    def halves(rgb: F32) -> float:
        light = lightness(rgb)
        return float(np.median(light[there & ~dark]) - np.median(light[there & dark]))

    assert halves(hard.rgb) > 3 * HALF_SHADE
    assert halves(studied(hard).rgb) < 0.6 * halves(hard.rgb)
    even = studied(subject).rgb[there]
    assert np.abs(even - subject.rgb[there]).mean() < 0.03, "even light stays as it is"


def test_a_turned_faces_far_cheek_has_no_second_outline(subject: Subject) -> None:
    mesh = subject.mesh.copy()
    nose = mesh[1, 0]
    mesh[:, 0] = np.where(mesh[:, 0] < nose, nose + 0.3 * (mesh[:, 0] - nose), mesh[:, 0])
    turned = studied(replace(subject, mesh=mesh))
    ink = np.zeros(subject.figure.shape, np.float32)
    jaw_line(turned, ink, 3.0)
    left, right = ink[:, : int(nose - 0.05 * subject.eye)].sum(), ink[:, int(nose) :].sum()
    assert left < 0.1 * right
    assert right > subject.eye


def test_a_dark_garment_keeps_its_colour_in_ink(subject: Subject) -> None:
    wine = np.array([0.30, 0.04, 0.09], np.float32)
    shade = np.linspace(0.7, 1.3, subject.size[0], dtype=np.float32)[None, :, None]
    dressed = replace(subject, rgb=subject.rgb + (wine * shade - subject.rgb) * subject.cloth[..., None])
    cloth = cv2.erode((subject.cloth > 0.9).astype(np.uint8), np.ones((9, 9))) > 0
    black = [np.mean(np.abs(drawn("ink", dressed, v)[cloth] / 255 - INK).max(axis=1) < 0.06) for v in (1, 2)]
    assert black[0] > 0.5
    assert black[1] < 0.15


@pytest.mark.parametrize("look", ["anime", "cartoon", "ink"])
def test_blond_hair_mostly_in_the_shade_is_blond_where_it_is_lit(look: str, subject: Subject) -> None:
    edge = np.percentile(np.nonzero(subject.hair > 0.9)[1], 65)  # two thirds lie in the shade
    lit = (np.arange(subject.size[0])[None, :, None] > edge).astype(np.float32)
    blond, shaded = np.array([0.82, 0.68, 0.45], np.float32), np.array([0.22, 0.15, 0.08], np.float32)
    hair = shaded + (blond - shaded) * lit
    two = replace(subject, rgb=subject.rgb + (hair - subject.rgb) * subject.hair[..., None])
    there = (cv2.erode(subject.hair, np.ones((9, 9))) > 0.9) & (lit[..., 0] > 0)
    own = float(lightness(blond[None, None])[0, 0])
    off = [own - np.median(lightness(drawn(look, two, v).astype(np.float32) / 255)[there]) for v in (1, 2)]
    assert off[1] < 0.75 * off[0]


def test_no_brow_is_drawn_over_a_fringe(subject: Subject) -> None:
    study = studied(subject)
    ring = brow_shape(study, 1)
    fringe = polygon(subject.figure.shape, (ring + 3 * (ring - ring.mean(axis=0))).astype(np.float32))
    covered = replace(study, hair=np.maximum(study.hair, fringe), skin=study.skin * (1 - fringe))
    there = polygon(subject.figure.shape, ring) > 0.5
    light = lightness(subject.rgb)
    assert brows(study, light, 40.0)[there].mean() > 0.4
    assert brows(covered, light, 40.0)[there].mean() < 0.02
