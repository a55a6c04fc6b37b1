"""One sitter's layers, small, with a shirt of two colours: what claims about drawings are tried on."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from core.scene.stage import Choice, set_up
from core.scene.style import lamps_of, load, paper_of
from core.types import Cutout, FaceMap, Layers, Recipe

SIZE = (256, 320)


@pytest.fixture(scope="session")
def small_layers(collins_map: FaceMap, collins_cutout: Cutout) -> Layers:
    whole = set_up(collins_map, collins_cutout, load("founder"), Choice(), 0, 1, 0.3).layers
    shrink = SIZE[0] / whole.head.shape[1]

    def small(layer: np.ndarray) -> np.ndarray:
        return cv2.resize(layer, SIZE, interpolation=cv2.INTER_AREA)

    garment = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    garment[..., :3] = np.where(np.abs(columns - 128)[..., None] < 24, (236, 236, 238), (40, 60, 110))
    garment[..., 3] = np.where(rows > 236 + 0.25 * np.abs(columns - 128), 255, 0)
    return replace(
        whole,
        sitter=small(whole.sitter),
        head=small(whole.head),
        neck=small(whole.neck),
        garment=garment,
        normals=small(whole.normals.astype(np.float32)).round().astype(np.int8),
        marks=whole.marks * np.float32(shrink),
        chin=whole.chin * shrink,
        landmarks=whole.landmarks * np.float32(shrink),
        regions=small(whole.regions),
    )


@pytest.fixture(scope="session")
def small_recipe() -> Recipe:
    settings = {
        "outfit": "navy_open", "backdrop": "grey_paper", "light": "soft_key", "paper": paper_of("grey_paper"),
        "lamps": lamps_of("soft_key"), "key_side": 1.0, "relight": 1.0, "stops": 0.0, "warmth": 0.0, "retouch": 0.3,
        "crop": "portrait",
    }  # fmt: skip
    return Recipe("anime", "personal", "0", 1, "embedded", *SIZE, settings)
