"""Every sentence a person reads, by key. The catalogues are data: `bots/words/en.toml`, one file a language.

A sentence that counts something has plural forms under CLDR's names (`one`, `few`, `other`), chosen by its value `n`.
Babel knows which number takes which form, and how dates and durations are written. A new language is a new file and a
line in `LANGUAGES`. English is the measure: every catalogue has exactly its keys and placeholders, which a test holds.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date, format_timedelta

FOLDER = Path(__file__).resolve().parents[1] / "words"
LANGUAGES = {"en": "English", "es": "Español"}
FORMS = frozenset({"zero", "one", "two", "few", "many", "other"})  # CLDR's plural categories
MOMENT_S = 45.0  # a time shorter than this is not counted
MINUTES_UNTIL_H = 1.5  # hours from which minutes are no longer counted

Sentence = str | dict[str, str]


@cache
def catalogue(language: str) -> dict[str, Sentence]:
    """Read a language: dotted key -> sentence, or plural form -> sentence."""
    return _flat("", tomllib.loads((FOLDER / f"{language}.toml").read_text("utf-8")))


def _flat(prefix: str, tree: dict[str, Any]) -> dict[str, Sentence]:
    flat: dict[str, Sentence] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and not set(value) <= FORMS:
            flat |= _flat(f"{prefix}{key}.", value)
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def spoken(code: str | None) -> str:
    """Return the catalogue for a language tag such as `es-MX`; English for a language there is none for."""
    short = (code or "en").split("-")[0].lower()
    return short if short in LANGUAGES else "en"


def say(language: str, key: str, **values: object) -> str:
    """Return the sentence for a key with its values filled in. Raises KeyError for a key that is in no catalogue."""
    sentence = catalogue(language)[key]
    if isinstance(sentence, dict):
        n = values["n"]
        assert isinstance(n, int)
        sentence = sentence.get(Locale.parse(language).plural_form(n), sentence["other"])
    return sentence.format(**values)


def said_or(language: str, key: str, otherwise: str, **values: object) -> str:
    """Return the sentence for a key, or the general one where machine words are newer than the catalogue."""
    return say(language, key if key in catalogue(language) else otherwise, **values)


def duration(language: str, seconds: float) -> str:
    """Return a length of time as people say it: never more precise than it is known."""
    if seconds < MOMENT_S:
        return say(language, "time.moment")
    length = format_timedelta(
        dt.timedelta(seconds=seconds), granularity="minute", threshold=MINUTES_UNTIL_H, locale=language
    )
    return say(language, "time.about", time=length)


def day(language: str, date: dt.date) -> str:
    """Return a date as it is written in that language."""
    return format_date(date, "long", locale=language)
