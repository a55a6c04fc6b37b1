"""Claims about a whole sitting of photos in hard light: black and white, kept, said, and in colour where it must be."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import studio
from core.deliver import files
from core.deliver.layers import load_layers, save_layers
from core.deliver.manifest import read_record
from core.face.constancy import HARD_LIGHT
from core.models import Models
from core.types import Selfie, Undressed
from tests import sitters
from tests.core.face.test_light import across, lit

ORDER = studio.Sitting(styles=("office",), purpose="job", count=1, seed=3, train=False)


def between_lamps(rgb: np.ndarray) -> np.ndarray:
    """A warm lamp at the face's left, a dimmer blue one at its right, as far as intake lets in."""
    selfie = sitters.look(rgb, "whole")
    assert isinstance(selfie, Selfie)
    warm, blue = np.array((1.4, 1.0, 0.7), np.float32), np.array((0.25, 0.35, 0.7), np.float32)
    right = across(selfie, 0.25)
    return lit(selfie, (1 - right) * warm + right * blue).rgb


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory, models: Models) -> Path:
    """Three photos of one person in hard light, one portrait."""
    out = tmp_path_factory.mktemp("hard")
    photos = [(f"{number}.png", sitters.encoded(between_lamps(rgb))) for number, rgb in enumerate(sitters.frames())]
    studio.shoot(photos, ORDER, out, models)
    return out


def colours(file: Path) -> int:
    return int(np.ptp(files.read_picture(file).astype(int), axis=-1).max())


def test_mapping_notes_hard_light(models: Models) -> None:
    photo = sitters.encoded(sitters.frames()[0])
    hard = sitters.encoded(between_lamps(sitters.frames()[0]))
    for data, noted in ((photo, False), (hard, True)):
        selfie = studio.look(data, "a.png", models)
        assert isinstance(selfie, Selfie)
        assert (HARD_LIGHT in studio.map_photo(selfie, models).selfie.notes) is noted


def test_portraits_in_hard_light_are_black_and_white_and_kept(shot: Path) -> None:
    """Greys alone took more likeness than new light may: they were dropped wherever there was another photo."""
    manifest: dict[str, Any] = json.loads((shot / "manifest.json").read_text("utf-8"))
    (record,) = manifest["portraits"]  # the first is kept, none is drawn again
    assert record["kept"], record["reasons"]
    assert record["percent_of_baseline"] > 90
    assert record["notes"] == ["hard_light"]
    assert record["grey"]
    assert colours(shot / record["file"]) < 8  # JPEG
    assert "hard or coloured" in (shot / "gallery.html").read_text("utf-8")


@pytest.mark.parametrize("edit", ["in_colour", "crop=id", "format=schengen_visa"])
def test_its_colours_come_back_when_asked_and_in_documents(
    shot: Path, models: Models, tmp_path: Path, edit: str
) -> None:
    before, _ = read_record(shot / "office-01.jpg")
    made = studio.enhance(shot / "office-01.jpg", [edit], tmp_path / "edited.jpg", models)
    assert colours(tmp_path / "edited.jpg") > 40
    assert made["notes"] == []
    assert not made["grey"], "nothing is left to bring back"
    assert abs(made["percent_of_baseline"] - before["percent_of_baseline"]) < 6


def test_an_edit_that_leaves_it_grey_costs_no_likeness_for_that(shot: Path, models: Models, tmp_path: Path) -> None:
    before, _ = read_record(shot / "office-01.jpg")
    made = studio.enhance(shot / "office-01.jpg", ["vignette=touch"], tmp_path / "edited.jpg", models)
    assert colours(tmp_path / "edited.jpg") < 8
    assert made["grey"]
    assert made["notes"] == ["hard_light"]
    assert abs(made["percent_of_baseline"] - before["percent_of_baseline"]) < 1.5


def test_the_light_of_a_jaw_is_kept_with_what_lies_under_a_garment(shot: Path, tmp_path: Path) -> None:
    """Another garment's neck is drawn by it; what older releases kept has none."""
    record, _ = read_record(shot / "office-01.jpg")
    layers = load_layers(shot / record["layers"], changeable=True)
    under = layers.undressed
    assert isinstance(under, Undressed)
    assert under.jaws != (0, 0)
    save_layers(replace(layers, undressed=replace(under, jaws=(0.4, 0.9))), tmp_path / "kept")
    again = load_layers(tmp_path / "kept", changeable=True).undressed
    assert again is not None
    assert again.jaws == (0.4, 0.9)
    (numbers,) = (
        file for file in (tmp_path / "kept").rglob("*.json") if "undressed" in json.loads(file.read_text("utf-8"))
    )
    told = json.loads(numbers.read_text("utf-8"))
    del told["undressed"]["jaws"]
    numbers.write_text(json.dumps(told))
    older = load_layers(tmp_path / "kept", changeable=True).undressed
    assert older is not None
    assert older.jaws == (0, 0)
