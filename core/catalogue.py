"""Words by language and key, for the studio's page and, beside its own, for the chat: `core/words/en.toml`.

A sentence that counts something has plural forms under CLDR's names (`one`, `few`, `other`). English is the measure:
every language has exactly its keys and placeholders, which a test holds.
"""

from __future__ import annotations

import os
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "words"
LANGUAGES: Final = {"en": "English", "es": "Español"}
FORMS: Final = frozenset({"zero", "one", "two", "few", "many", "other"})
"""CLDR's plural categories."""

Sentence = str | dict[str, str]


@cache
def sentences(language: str, folder: Path = FOLDER) -> dict[str, Sentence]:
    """Read a language: dotted key -> sentence, or plural form -> sentence."""
    return _flat("", tomllib.loads((folder / f"{language}.toml").read_text("utf-8")))


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


def locale_language() -> str:
    """Return the language of the process's locale, as POSIX names it (`LC_ALL`, `LANG`)."""
    named = re.match(r"[a-z]{2}", os.environ.get("LC_ALL") or os.environ.get("LANG") or "en")
    return spoken(named[0] if named else "en")


def named(language: str, table: str, word: str, otherwise: str = "") -> str:
    """Return what a machine word of a table is called; of one that is in no catalogue, the other name or itself."""
    sentence = sentences(language).get(f"{table}.{word}")
    return sentence if isinstance(sentence, str) else otherwise or word.replace("_", " ")
