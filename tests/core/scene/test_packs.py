"""Every photographic look, rendered small from one sitter: what its file says is what is seen."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.colour import LUMINANCE, linear
from core.edit.crops import crop
from core.scene.compose import compose
from core.scene.stage import PLACES, Choice, look_of, set_up
from core.scene.style import Style, lamps_of, load, load_all, paper_of, preview_path, rgb_of, wardrobe
from core.types import F32, U8, Cutout, FaceMap, Layers

LOOKS = [look for look in load_all() if look.medium == "photo"]
FAMILIES = {"office", "founder", "outdoor", "editorial", "cv", "personal"}
SMALL = (192, 240)
NEAR, FAR = (50, 101, 205), (280, 330, 425)
"""Mesh points of the cheek at the picture's left and of the other one."""
"""Backdrops whose colour is a mood, not the wall's."""


@pytest.fixture(scope="module")
def small(collins_map: FaceMap, collins_cutout: Cutout) -> Layers:
    """One sitter's layers at a fraction of their size."""
    layers = set_up(collins_map, collins_cutout, load("office"), Choice(), 0, 5, 0.0).layers
    scale = SMALL[0] / layers.head.shape[1]

    def shrunk(layer: U8) -> U8:
        return cv2.resize(layer, SMALL, interpolation=cv2.INTER_AREA)

    return replace(
        layers, sitter=shrunk(layers.sitter), head=shrunk(layers.head), neck=shrunk(layers.neck),
        garment=shrunk(layers.garment), marks=layers.marks[:0], chin=layers.chin * scale,
        normals=cv2.resize(layers.normals.astype(np.float32), SMALL, interpolation=cv2.INTER_AREA).astype(np.int8),
        landmarks=layers.landmarks * np.float32(scale), frame_width=layers.unit * scale,
        regions=shrunk(layers.regions),
    )  # fmt: skip


def drawn(layers: Layers, look: Style, light: str | None = None) -> U8:
    settings = {
        "paper": paper_of(look.backdrop), "lamps": lamps_of(light or look.light), "key_side": -1.0, "relight": 1.0,
        "black_and_white": look.black_and_white, "stops": 0.0, "warmth": 0.0, "retouch": 0.0,
    }  # fmt: skip
    return compose(layers, look_of(settings, seed=1))


def cheeks(rgb: U8, landmarks: F32) -> float:
    """Light on the cheek at the picture's left over that on the other."""
    light = cv2.blur((linear(rgb) @ LUMINANCE).astype(np.float32), (3, 3))
    at = np.round(landmarks[:, :2]).astype(int)
    near, far = (float(np.mean([light[at[p, 1], at[p, 0]] for p in points])) for points in (NEAR, FAR))
    return near / far


def test_there_are_two_dozen_looks_in_six_families_with_previews() -> None:
    assert len(LOOKS) >= 24
    assert {look.family for look in LOOKS} == FAMILIES
    for look in LOOKS:
        path = preview_path(f"{look.id}.jpg")
        assert path is not None, f"{look.id} has no preview"
        assert path.stat().st_size <= 60_000
    for purpose in wardrobe().purposes:
        assert len({look.family for look in LOOKS if purpose in look.purposes}) >= 2


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.id)
def test_a_look_keeps_its_promises(look: Style, small: Layers) -> None:
    picture = drawn(small, look)
    assert picture.shape == (SMALL[1], SMALL[0], 3)
    if look.black_and_white:
        assert np.ptp(picture.astype(int), axis=-1).max() == 0
    lamps, flat = lamps_of(look.light), cheeks(drawn(small, look, "flat"), small.landmarks)
    if abs(lamps["key_deg"]) >= 30:
        assert cheeks(picture, small.landmarks) > 1.03 * flat, "the cheek at the key is the brighter one"
    paper = paper_of(look.backdrop)
    if paper["kind"] not in PLACES and not look.black_and_white:
        corner = np.median(picture[: SMALL[1] // 6, : SMALL[0] // 6].reshape(-1, 3), axis=0)
        pair = [np.array(rgb_of(paper[key]), float) for key in ("colour", "second") if paper[key]]
        darkest, lightest = np.min(pair, axis=0) * 0.55 - 12, np.max(pair, axis=0) * 1.3 + 12
        assert np.all(corner >= darkest), (corner, darkest)
        assert np.all(corner <= lightest), (corner, lightest)
    if look.crop == "id":
        cut = crop(picture, "id")
        assert abs(cut.shape[1] / cut.shape[0] - 35 / 45) < 0.02
        assert look.retouch == 0
        assert float(picture[:20, :20].mean()) > 195, "a document's backdrop is plain and light"


def test_the_page_of_looks_names_every_one() -> None:
    page = (Path(__file__).parents[3] / "docs" / "looks.md").read_text("utf-8")
    for look in LOOKS:
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{look.id}` | ![{look.title}]"))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1] == f"![{look.title}](../styles/previews/{look.id}.jpg)"
        assert cells[2].startswith(wardrobe().backdrops[look.backdrop].title)
        assert cells[2].endswith("black and white") == look.black_and_white
        assert cells[3] == wardrobe().lights[look.light].title
        outfits = (wardrobe().outfits[name].title for name in (look.outfit, *look.more_outfits))
        assert cells[4] == ", ".join(outfits)
        assert cells[5] == ", ".join(look.purposes)
