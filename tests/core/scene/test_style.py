"""Claims about looks: every pack loads, an unknown key is an error, names come from the wardrobe."""

from pathlib import Path

import pytest

from core.errors import StyleWrong
from core.scene import style


def test_every_pack_loads_and_hangs_in_the_wardrobe() -> None:
    styles = style.load_all()
    assert {"office", "founder", "studio_black", "outdoor"} <= {look.id for look in styles}
    for look in styles:
        assert isinstance(style.pick("outfit", look.outfit), style.Outfit)
        assert isinstance(style.pick("backdrop", look.backdrop), style.Paper)
        assert isinstance(style.pick("light", look.light), style.Lamps)


def test_every_offered_tweak_exists() -> None:
    from core.edit.recipe import newest

    for look in style.load_all():
        assert set(look.tweaks) <= set(newest())


def test_an_unknown_key_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (style.FOLDER / "office.toml").read_text()
    (tmp_path / "office.toml").write_text('colour_grade = "teal"\n' + source)
    (tmp_path / "wardrobe.toml").write_text((style.FOLDER / "wardrobe.toml").read_text())
    monkeypatch.setattr(style, "FOLDER", tmp_path)
    with pytest.raises(StyleWrong, match="colour_grade"):
        style.load.__wrapped__("office")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "suit_tie"', 'kind = "toga"', r"wardrobe\.toml, line 5: outfits\.charcoal_suit\.kind: .*'suit_tie'"),
        (
            'title = "Charcoal suit, burgundy tie"\n',
            "",
            r"wardrobe\.toml, line 3: outfits\.charcoal_suit\.title: .*required",
        ),
        ('jacket = "#30343b"', "jacket = 3", r"wardrobe\.toml, line 6: outfits\.charcoal_suit\.jacket: "),
        ("[outfits.charcoal_suit]", "[outfits.charcoal_suit", r"wardrobe\.toml: .*line 3"),
    ],
)
def test_what_is_wrong_in_a_pack_is_told_by_its_line(
    old: str, new: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (style.FOLDER / "wardrobe.toml").read_text("utf-8")
    assert old in source
    (tmp_path / "wardrobe.toml").write_text(source.replace(old, new, 1), "utf-8")
    monkeypatch.setattr(style, "FOLDER", tmp_path)
    with pytest.raises(StyleWrong, match=said):
        style.wardrobe.__wrapped__()


def test_a_wrong_name_is_answered_with_the_choices() -> None:
    with pytest.raises(StyleWrong, match="office"):
        style.load("ofice")
    with pytest.raises(StyleWrong, match="charcoal_suit"):
        style.pick("outfit", "tuxedo")
    with pytest.raises(StyleWrong):
        style.load("../office")


def test_an_outfit_in_another_colour_is_dyed_outermost() -> None:
    outfits = style.wardrobe().outfits
    suit = style.in_colour(outfits["charcoal_suit"], "forest")
    assert (suit.jacket, suit.shirt, suit.tie) == ("#24402f", "#eceff3", "#6a2231")
    jumper = style.in_colour(outfits["green_jumper"], "navy")
    assert jumper.jacket == jumper.shirt == style.CLOTH_COLOURS["navy"]
    shirt = style.in_colour(outfits["white_shirt_tie"], "blue")
    assert (shirt.shirt, shirt.tie) == (style.CLOTH_COLOURS["blue"], "#b3202c"), "no jacket is worn over it"
    for keeps_its_own in ("pinstripe_suit", style.OWN):
        assert style.in_colour(outfits[keeps_its_own], "navy") == outfits[keeps_its_own]
    assert style.in_colour(outfits["grey_crew"], None) == outfits["grey_crew"]
    with pytest.raises(StyleWrong, match="colour 'mauve' is unknown, choose from black"):
        style.in_colour(outfits["grey_crew"], "mauve")


def test_a_colour_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not a colour"):
        style.Outfit(title="x", kind="suit_tie", jacket="#12345g", shirt="#ffffff")
