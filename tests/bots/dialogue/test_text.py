"""Words: complete in every language, right in number."""

from __future__ import annotations

import datetime as dt
import string

import pytest

from bots.dialogue.menu import default_menu
from bots.dialogue.text import FORMS, LANGUAGES, catalogue, day, duration, say
from core.intake.refusals import REASONS


def names(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_language_has_every_sentence_with_the_same_placeholders(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert set(other) == set(english)
    for key, sentence in english.items():
        theirs = other[key]
        if isinstance(sentence, dict):
            assert isinstance(theirs, dict), key
            assert "other" in theirs, key
            assert set(theirs) <= FORMS, key
            assert set.union(*map(names, theirs.values())) == set.union(*map(names, sentence.values())), key
        else:
            assert isinstance(theirs, str), key
            assert names(theirs) == names(sentence), key
            assert theirs.strip() or key == "value.other"


def test_plurals_are_chosen_by_number_as_cldr_has_them() -> None:
    assert say("es", "photo.count", n=1) == "Tengo 1 foto buena."
    assert say("es", "photo.count", n=3) == "Tengo 3 fotos buenas."
    assert say("es", "photo.count", n=1_000_000) == "Tengo 1000000 fotos buenas.", (
        "a form of its own, which is not there"
    )
    assert say("en", "photo.count", n=0) == "I have 0 good photos."


@pytest.mark.parametrize(
    ("seconds", "english", "spanish"),
    [
        (10, "less than a minute", "menos de un minuto"),
        (50, "about 1 minute", "1 minuto, más o menos"),
        (70, "about 1 minute", "1 minuto, más o menos"),
        (600, "about 10 minutes", "10 minutos, más o menos"),
        (5_000, "about 83 minutes", "83 minutos, más o menos"),
        (7_300, "about 2 hours", "2 horas, más o menos"),
        (86_400, "about 24 hours", "24 horas, más o menos"),
    ],
)
def test_durations_are_no_more_precise_than_they_are_known(seconds: float, english: str, spanish: str) -> None:
    assert duration("en", seconds) == english
    assert duration("es", seconds) == spanish


def test_dates_are_written_as_in_their_language() -> None:
    assert day("en", dt.date(2026, 11, 6)) == "November 6, 2026"
    assert day("es", dt.date(2026, 11, 6)) == "6 de noviembre de 2026"


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_every_reason_of_the_studio_has_a_sentence(language: str) -> None:
    assert {f"reason.{reason}" for reason in REASONS} <= set(catalogue(language))


def test_everything_on_the_menu_has_a_word_in_every_language() -> None:
    menu = default_menu()
    wanted = {f"style.{look.id}.{part}" for look in menu.looks for part in ("title", "pitch")}
    wanted |= {f"purpose.{purpose}" for purpose in menu.purposes}
    wanted |= {f"value.{value}" for _, values in (*menu.details, *menu.tweaks) for value in values}
    wanted |= {f"desk.{family}" for family, _ in menu.desk} | {f"preset.{name}" for name, _ in menu.presets}
    wanted |= {f"tweak.{name}" for name, _ in menu.tweaks} | {f"button.detail_{name}" for name, _ in menu.details}
    for language in LANGUAGES:
        assert wanted <= set(catalogue(language)), wanted - set(catalogue(language))


def test_a_family_begins_with_the_look_it_is_known_by() -> None:
    first = [default_menu().family(family)[0].id for family in ("office", "founder", "outdoor", "editorial")]
    assert first == ["office", "founder", "outdoor", "studio_black"]
