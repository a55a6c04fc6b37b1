"""Claims about previews: what takes long has one, it shows what the whole will, and nothing that will be refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from core.atomic import write_json
from core.deliver import files
from core.deliver.layers import save_layers
from core.edit.crops import crop
from core.edit.preview import WIDTH, is_slow, preview, shrunk
from core.edit.recipe import develop, edit, to_dict
from core.engines.redress.generate import generate
from core.engines.redress.nets import Nets
from core.enhance import enhance
from core.errors import Refused
from core.models import Models
from core.scene.stage import Choice, set_up
from core.scene.style import load
from core.types import F32, U8, Cutout, FaceMap, Portrait

QUICK = ("warmer", "retouch=0.6", "smile", "backdrop=#5a6f8c", "format=cv", "crop=square", "mono=soft")
SLOW = ("outfit=black_turtleneck", "tie=off", "upscale=x2", "finish=anime")
ALIKE_DE = 4.0
"""CIELAB difference between a preview and the whole brought to its size, in the median: seen as the same picture."""


@pytest.fixture(scope="module")
def large(collins_map: FaceMap, collins_cutout: Cutout, nets: Nets) -> Portrait:
    """Eileen Collins in a suit and tie, at a print that is wider than a preview."""
    wide = replace(collins_map, upscale_factor=3.0)  # the print becomes 768 x 960
    setup = set_up(wide, collins_cutout, load("office"), Choice(outfit="charcoal_suit"), 0, 5, 0.3)
    setup.settings["crop"] = "portrait"
    return generate(setup, "office", "job", nets, "large", lambda: False)


@pytest.fixture(scope="module")
def delivered(large: Portrait, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as it lies in a sitting's folder."""
    folder = tmp_path_factory.mktemp("sitting")
    save_layers(large.layers, folder / "layers" / "large")
    exports = files.save_pictures(large.rgb, large.recipe, folder / "large.jpg", "portrait", ())
    record: dict[str, Any] = {"file": "large.jpg", "exports": exports, "layers": "layers/large"}
    record |= {"recipe": to_dict(large.recipe)}
    record |= {"likeness": None, "percent_of_baseline": None, "parent": None, "tweaks": []}
    write_json(folder / "large.json", record)
    return folder / "large.jpg"


def differences(small: U8, large: U8) -> F32:
    """CIELAB differences of a picture from another that is brought to its size."""
    pictures = (small, cv2.resize(large, small.shape[1::-1], interpolation=cv2.INTER_AREA))
    one, other = (cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for rgb in pictures)
    return np.asarray(np.linalg.norm(one - other, axis=-1))


def test_what_takes_long_has_a_preview_and_nothing_else(large: Portrait) -> None:
    for text in SLOW:
        assert is_slow(large.layers, edit(large.recipe, text)), text
        assert not is_slow(large.layers, edit(large.recipe, text, "format=cv")), text
    for text in QUICK:
        assert not is_slow(large.layers, edit(large.recipe, text)), text


@pytest.mark.parametrize("text", SLOW)
def test_it_shows_small_what_the_whole_will_be(large: Portrait, text: str) -> None:
    recipe = edit(large.recipe, "warmer=lots", "crop=square", text)
    small = preview(shrunk(large.layers), recipe)
    assert small.shape[1] == WIDTH < large.rgb.shape[1]
    away = differences(small, crop(develop(large.layers, recipe), "square"))
    assert np.median(away) < ALIKE_DE
    from_before = differences(small, crop(large.rgb, "square"))
    assert from_before.mean() > 1.5 * away.mean(), "it is nearer to the edit than to what was edited"


def test_another_garment_is_shown_small_without_a_network(large: Portrait, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, small = edit(large.recipe, "outfit=navy_open"), shrunk(large.layers)
    shown = preview(small, recipe)
    monkeypatch.setattr("core.engines.redress.generate.predict_torso", None)
    monkeypatch.setattr("core.engines.redress.nets.Nets.__init__", None)
    assert np.array_equal(preview(small, recipe), shown)


def test_an_edit_that_takes_long_shows_its_preview_first_with_the_mark_of_every_picture(
    delivered: Path, models: Models, tmp_path: Path
) -> None:
    shown: list[bytes] = []
    out = tmp_path / "edit.jpg"

    def on_preview(data: bytes) -> None:
        assert not out.exists()
        shown.append(data)

    enhance(delivered, ["brighter"], tmp_path / "quick.jpg", models, on_preview=on_preview)
    assert shown == []
    enhance(delivered, ["brighter", "finish=pencil"], out, models, on_preview=on_preview)
    (data,) = shown
    assert files.decoded(data).shape == (WIDTH * 5 // 4, WIDTH, 3)
    assert files.AI_MARK.encode() in data
    without = tmp_path / "without.jpg"
    enhance(delivered, ["brighter", "finish=pencil"], without, models)
    assert without.read_bytes() == out.read_bytes(), "a preview changes nothing of the whole"


def test_what_is_refused_shows_nothing_before(
    delivered: Path, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[bytes] = []
    with pytest.raises(Refused, match="own clothes"):
        enhance(delivered, ["outfit=own"], tmp_path / "own.jpg", models, on_preview=shown.append)
    monkeypatch.setattr("core.enhance.collar_faults", lambda layers: "gap is 1.00, the limit is 0.1")
    with pytest.raises(Refused, match="gap is 1"):
        enhance(delivered, ["outfit=black_turtleneck"], tmp_path / "crew.jpg", models, on_preview=shown.append)
    assert shown == []
