"""Claims about doing it again: a request is drawn once, another one anew; `test_studio` has two processes' bytes."""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import studio
from core.deliver.gallery import cards_of
from core.edit.recipe import develop
from core.scene import style
from core.scene.stage import Setup
from core.types import Cutout, FaceMap, Identity, Portrait, Recipe
from tests import sitters
from tests.photos_once import work_once

COLLINS = ("collins.png", sitters.encoded(sitters.collins()))
TURNED = ("collins.png", sitters.encoded(sitters.turned(sitters.collins(), 10)))
HOPPER = ("hopper.png", sitters.encoded(sitters.hopper()))
ONE = studio.Sitting(styles=("office",), purpose="job", count=1, seed=3)


class Sketch:
    """An engine that draws the sitter without a garment, at once, and notes each portrait it was asked for."""

    name, version, honesty = "sketch", "1", "A sketch."

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def train(self, who: Identity, *_: object) -> Identity:
        return who

    def prepare(self, cutout: Cutout, face: FaceMap, who: Identity) -> Cutout:
        return cutout

    def portrait(self, setup: Setup, of: str, purpose: str, who: Identity, name: str, *_: object) -> Portrait:
        self.drawn.append(name)
        height, width = setup.layers.head.shape
        source = setup.face.selfie.sha256
        recipe = Recipe(of, purpose, source, setup.seed, f"{self.name}-{self.version}", width, height, setup.settings)
        return Portrait(name, develop(setup.layers, recipe), setup.layers, recipe)


Shoot = Callable[..., tuple[list[str], dict[str, Any]]]


@pytest.fixture
def shoot(models: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shoot:
    """Shoot into one folder with a sketch; returns which portraits were drawn, and the manifest."""
    monkeypatch.setattr("core.shoot.REDRAWS", 0)
    work_once(monkeypatch)
    own = copy.copy(models)
    vars(own).update(recogniser=models.recogniser, landmarker=models.landmarker, parser=models.parser)

    def again(sitting: studio.Sitting = ONE, *photos: tuple[str, bytes]) -> tuple[list[str], dict[str, Any]]:
        engine = vars(own)["engine"] = Sketch()
        manifest = studio.shoot(photos or [COLLINS], sitting, tmp_path / "out", own)
        return engine.drawn, manifest

    return again


@pytest.fixture
def packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the style packs that may be edited; `reread` takes the edits."""
    shutil.copytree(style.FOLDER, tmp_path / "styles", ignore=shutil.ignore_patterns("previews"))
    monkeypatch.setattr(style, "FOLDER", tmp_path / "styles")
    reread()
    yield tmp_path / "styles"
    monkeypatch.undo()
    reread()


def reread() -> None:
    for cached in (style.wardrobe, style.load, style.load_all):
        cached.cache_clear()


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    reread()


def test_the_same_request_is_not_drawn_again(shoot: Shoot) -> None:
    first, manifest = shoot()
    again, same = shoot()
    assert first
    assert again == []
    assert same["portraits"] == json.loads(json.dumps(manifest["portraits"]))


def test_another_request_is_drawn_and_so_is_the_first_one_after_it(shoot: Shoot) -> None:
    """Each is one change away from the one before it: what was chosen then must not be used again."""
    drawn, manifest = shoot()
    assert drawn
    first = manifest["portraits"][0]["recipe"]
    for asked in (
        {"outfit": "navy_suit"},
        {},
        {"backdrop": "park"},
        {"light": "low_key"},
        {"seed": 4},
        {"purpose": "personal"},
        {"purpose": "personal", "colour": "forest"},
        {},
    ):
        drawn, manifest = shoot(replace(ONE, **asked))
        assert drawn, asked
    recipe = manifest["portraits"][0]["recipe"]
    assert recipe == first
    assert (recipe["settings"]["backdrop"], recipe["settings"]["light"]) == ("grey_paper", "soft_key")


def test_a_purpose_decides_crop_and_retouch_where_the_look_does_not(shoot: Shoot) -> None:
    seen = set()
    for purpose, asks in style.wardrobe().purposes.items():
        settings = shoot(replace(ONE, purpose=purpose))[1]["portraits"][0]["recipe"]["settings"]
        assert (settings["crop"], settings["retouch"]) == (asks.crop, asks.retouch)
        seen.add((asks.crop, asks.retouch))
    assert len(seen) == 3


def test_somebody_elses_folder_holds_nothing_of_this_order(shoot: Shoot) -> None:
    shoot(ONE, HOPPER)
    assert shoot()[0]


def test_another_set_of_photos_is_judged_anew(shoot: Shoot) -> None:
    """Likeness is measured against all photos: a second one changes the verdict on the first."""
    shoot()
    drawn, manifest = shoot(ONE, COLLINS, TURNED)
    assert drawn
    assert manifest["portraits"][0]["likeness"] is not None


def test_an_edited_style_is_drawn_anew(shoot: Shoot, packs: Path) -> None:
    shoot()
    assert shoot()[0] == []
    for file, old, new in (
        ("office.toml", 'light = "soft_key"', 'light = "low_key"'),
        ("office.toml", "purposes =", 'crop = "close"\npurposes ='),
        ("wardrobe.toml", 'jacket = "#30343b"', 'jacket = "#303b34"'),
        ("wardrobe.toml", "[backdrops.grey_paper]", "[backdrops.grey_paper]\nside = 0.5"),
        ("wardrobe.toml", "retouch =", "retouch = 0.123 #"),
    ):
        change(packs / file, old, new)
        assert shoot()[0], new


def test_portraits_of_another_version_of_the_engine_are_drawn_anew(
    shoot: Shoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    shoot()
    assert shoot()[0] == []
    monkeypatch.setattr(Sketch, "version", "2")
    assert shoot()[0] == ["office-01"]


def test_an_edit_in_a_portraits_place_is_no_portrait_of_the_order(shoot: Shoot, models: Any, tmp_path: Path) -> None:
    shoot()
    out = tmp_path / "out"
    studio.enhance(out / "office-01.jpg", ["warmer"], out / "edit.jpg", models)
    for suffix in (".jpg", ".json"):
        (out / "edit").with_suffix(suffix).replace((out / "office-01").with_suffix(suffix))
    assert "office-01" in shoot()[0]


def test_a_record_that_is_not_whole_is_drawn_again(shoot: Shoot, tmp_path: Path) -> None:
    shoot()
    for broken in ("[]", '{"request": 1}'):
        (tmp_path / "out" / "office-01.json").write_text(broken)
        assert "office-01" in shoot()[0]


def test_two_photos_of_one_name_are_told_apart_on_the_page(shoot: Shoot, tmp_path: Path) -> None:
    _, manifest = shoot(replace(ONE, count=2), COLLINS, TURNED)
    assert [photo["name"] for photo in manifest["photos"]] == ["collins.png", "collins (2).png"]
    sources = {record["recipe"]["source"] for record in manifest["portraits"]}
    assert sources == {photo["sha256"] for photo in manifest["photos"]}
    shown = cards_of(
        {**manifest, "portraits": [{**record, "kept": True} for record in manifest["portraits"]]}, tmp_path / "out"
    )
    told = {card["about"].partition(", printed")[0] for card in shown}
    assert told == {"From collins.png", "From collins (2).png"}
