"""Every sentence a person reads, by key. The catalogues are data: `bots/words/en.toml`, one file a language.

A sentence that counts something has plural forms (`one`, `many`: the names are ours, `many` is CLDR's `other`) chosen
by its value `n`. A new language is a new file and, where its plurals differ, one line in `PLURALS`. English is the
measure: every catalogue has exactly its keys, plural forms and placeholders, which a test holds.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "words"
LANGUAGES = {"en": "English", "es": "Español"}
PLURALS: dict[str, Callable[[int], str]] = {
    "en": lambda n: "one" if n == 1 else "many",
    "es": lambda n: "one" if n == 1 else "many",
}
FORMS = frozenset({"one", "few", "many"})

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
        sentence = sentence[PLURALS[language](n)]
    return sentence.format(**values)


def said_or(language: str, key: str, otherwise: str, **values: object) -> str:
    """Return the sentence for a key, or the general one where machine words are newer than the catalogue."""
    return say(language, key if key in catalogue(language) else otherwise, **values)


def duration(language: str, seconds: float) -> str:
    """Return a length of time as people say it: never more precise than it is known."""
    if seconds < 45:
        return say(language, "time.moment")
    minutes = round(seconds / 60)
    return (
        say(language, "time.minutes", n=max(1, minutes))
        if minutes < 90
        else say(language, "time.hours", n=round(minutes / 60))
    )


def day(language: str, date: dt.date) -> str:
    """Return a date as it is written in that language."""
    months = say(language, "time.months").split()
    return say(language, "time.day", day=date.day, month=months[date.month - 1], year=date.year)
