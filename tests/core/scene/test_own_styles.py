"""A stranger's pack, wardrobe and garment in their configuration appear everywhere; faults are told by their line."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bots.dialogue.effects import Picture
from bots.dialogue.menu import default_menu
from bots.runtime.previews import preview_bytes
from core.cli import main
from core.errors import StyleWrong
from core.scene import style, wardrobe

PACK = """title = "Evening"
pitch = "Teal roll neck."
family = "editorial"
medium = "photo"
purposes = ["personal"]
outfit = "teal_neck"
backdrop = "teal_wall"
light = "one_lamp"
tweaks = ["warmer", "crop"]
"""
WARDROBE = """[outfits.teal_neck]
title = "Teal roll neck"
kind = "turtleneck"
garment = "my_roll_neck"
jacket = "#1f5560"

[backdrops.teal_wall]
title = "Teal wall"
kind = "canvas"
colour = "#1f5560"

[lights.one_lamp]
title = "One lamp"
key_deg = 40
"""
CACHED = (style.wardrobe, style.load_all, style.load, wardrobe.garments, wardrobe.photographed, default_menu)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of own looks."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "atelier" / "styles"
    (folder / "previews").mkdir(parents=True)
    for read in CACHED:
        read.cache_clear()
    yield folder
    monkeypatch.undo()
    for read in CACHED:
        read.cache_clear()


def fill(own: Path) -> None:
    (own / "evening_teal.toml").write_text(PACK, "utf-8")
    (own / "wardrobe.toml").write_text(WARDROBE, "utf-8")
    shutil.copytree(style.FOLDER / "wardrobe" / "roll_neck", own / "wardrobe" / "my_roll_neck")
    shutil.copy(style.FOLDER / "previews" / "office.jpg", own / "previews" / "evening_teal.jpg")


def test_an_own_pack_is_offered_on_the_command_line_and_in_the_bots(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(own)
    assert main(["styles", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {"evening_teal", "office"} <= {look["id"] for look in said["styles"]}
    assert {"teal_neck", "charcoal_suit"} <= set(said["wardrobe"]["outfits"])
    menu = default_menu()
    look = menu.look("evening_teal")
    assert look in menu.family("editorial")
    assert preview_bytes(Picture("style", look.preview)) == (own / "previews" / "evening_teal.jpg").read_bytes()
    offered = dict(menu.details)
    assert "teal_neck" in offered["outfit"]
    assert "teal_wall" in offered["backdrop"]
    assert "one_lamp" in offered["light"]


def test_an_own_garment_is_worn(own: Path) -> None:
    fill(own)
    assert "my_roll_neck" in {garment.name for garment in wardrobe.garments()}
    assert wardrobe.photographed("my_roll_neck").cloth.shape == wardrobe.photographed("roll_neck").cloth.shape


def test_of_two_packs_with_one_name_the_own_one_counts(own: Path) -> None:
    fill(own)
    (own / "office.toml").write_text(PACK.replace("Evening", "My office"), "utf-8")
    assert style.load("office").title == "My office"


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("evening_teal.toml", PACK + 'mood = "calm"\n', r"evening_teal\.toml, line 10: mood: "),
        ("evening_teal.toml", PACK.replace('"editorial"', '"night"'), r"evening_teal\.toml, line 3: family: "),
        ("evening_teal.toml", PACK.replace("teal_neck", "toga"), "outfit 'toga' is unknown"),
        ("wardrobe.toml", WARDROBE + "blink = 1\n", r"wardrobe\.toml, line 15: lights\.one_lamp\.blink: "),
        ("wardrobe.toml", WARDROBE.replace("teal_wall", "Teal-Wall"), "is no name"),
        ("Evening Teal.toml", PACK, "is no name"),
    ],
)
def test_what_is_wrong_in_an_own_file_is_told_by_its_line(own: Path, file: str, text: str, said: str) -> None:
    fill(own)
    (own / file).write_text(text, "utf-8")
    with pytest.raises(StyleWrong, match=said):
        style.load_all()


def test_a_wrong_key_of_an_own_garment_is_told_by_its_line(own: Path) -> None:
    fill(own)
    facts = own / "wardrobe" / "my_roll_neck" / "garment.toml"
    facts.write_text('hem = "long"\n' + facts.read_text("utf-8"), "utf-8")
    with pytest.raises(StyleWrong, match=r"garment\.toml, line 1: hem: "):
        wardrobe.garments()
