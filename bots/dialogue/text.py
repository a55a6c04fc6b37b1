"""Every sentence a person reads, by key. The catalogues are data: `bots/words/en.toml`, one file a language.

What looks, garments and edits are called is the studio's: `core.catalogue`. A sentence that counts something takes its
form by its value `n`; Babel knows which number takes which form, and how dates and durations are written. A new
language is a new file here and there, and a line in `LANGUAGES`.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_timedelta

from core.catalogue import FORMS as FORMS
from core.catalogue import LANGUAGES as LANGUAGES
from core.catalogue import Sentence, sentences
from core.catalogue import spoken as spoken

FOLDER = Path(__file__).resolve().parents[1] / "words"
MOMENT_S = 45.0  # a time shorter than this is not counted
MINUTES_UNTIL_H = 1.5  # hours from which minutes are no longer counted


@cache
def catalogue(language: str) -> dict[str, Sentence]:
    """Read a language, the studio's words included: dotted key -> sentence, or plural form -> sentence."""
    return {**sentences(language), **sentences(language, FOLDER)}


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
