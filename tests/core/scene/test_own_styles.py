"""A stranger's pack, wardrobe and garment in their configuration appear everywhere; faults are told by their line."""

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bots.dialogue.effects import Picture
from bots.dialogue.menu import default_menu
from bots.dialogue.screens.choices import DetailsOpened
from bots.runtime.previews import preview_bytes
from core.cli import main
from core.errors import StyleWrong
from core.scene import style, wardrobe
from tests.conversations import NOW, advance, card_of, with_photos

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


def test_an_own_outfit_goes_by_its_own_title_in_the_bots(own: Path) -> None:
    fill(own)
    walk_in = dataclasses.replace(with_photos(), language="es")
    menu, seen = default_menu(), []
    for page in range(9):
        step = advance(walk_in, DetailsOpened("outfit", page), NOW, menu=menu)
        seen += [button.label for row in card_of(step).rows for button in row]
    assert "Teal roll neck" in seen


def test_a_garment_alone_is_an_outfit_as_it_was_photographed(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No file names it: who lays a garment into their folder finds it on the command line and in the bots."""
    shutil.copytree(style.FOLDER / "wardrobe" / "polo", own / "wardrobe" / "my_polo")
    assert main(["styles", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["wardrobe"]["outfits"]["my_polo"]["as_photographed"]
    low, high = said["garments"]["my_polo"]["fits_neck"]
    assert low < 1.7 < high
    assert main(["styles"]) == 0
    outfits, *_, cloths = capsys.readouterr().out.splitlines()[-4:]
    assert "my_polo" in outfits
    assert "my_polo" in cloths
    assert "my_polo" in dict(default_menu().details)["outfit"]
    assert style.wardrobe().outfits["my_polo"].garment == "my_polo"
    (own / "wardrobe" / "my_polo").rename(own / "wardrobe" / "My polo")
    style.wardrobe.cache_clear()
    with pytest.raises(StyleWrong, match="My polo: is no name"):
        style.wardrobe()


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


def test_a_wrong_key_of_an_own_garment_is_told_by_its_line(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(own)
    facts = own / "wardrobe" / "my_roll_neck" / "garment.toml"
    facts.write_text('hem = "long"\n' + facts.read_text("utf-8"), "utf-8")
    with pytest.raises(StyleWrong, match=r"garment\.toml, line 1: hem: "):
        wardrobe.garments()
    assert main(["styles"]) == 2
    assert "garment.toml, line 1: hem: " in capsys.readouterr().err
    with pytest.raises(StyleWrong, match=r"garment\.toml, line 1: hem: "):
        default_menu()
