"""One setting, read where it is needed: the core has few and wants no validator to start.

`jobs.settings` checks all of them at once for the processes that serve people.
"""

from __future__ import annotations

import os
import tomllib
from contextlib import suppress
from pathlib import Path


def setting(name: str) -> str:
    """Return ATELIER_<name> as the environment, a secret's file, or `atelier.toml` give it; empty when none does."""
    value = os.environ.get(f"ATELIER_{name}", "")
    with suppress(OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        if not value and (file := os.environ.get(f"ATELIER_{name}_FILE")):
            value = Path(file).read_text(encoding="utf-8").strip()
        if not value:
            value = str(tomllib.loads(Path("atelier.toml").read_text(encoding="utf-8")).get(name.lower(), ""))
    return value
