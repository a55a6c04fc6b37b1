"""Settings of core, each read where it is needed, without pydantic.

`jobs.settings` checks all of them at once for the processes that serve people.
"""

from __future__ import annotations

import os
import tomllib
from contextlib import suppress
from pathlib import Path

from core.errors import Refused


def setting(name: str) -> str:
    """Return ATELIER_<name> as the environment, a secret's file, or `atelier.toml` give it; empty when none does."""
    value = os.environ.get(f"ATELIER_{name}", "")
    with suppress(OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        if not value and (file := os.environ.get(f"ATELIER_{name}_FILE")):
            value = Path(file).read_text(encoding="utf-8").strip()
        if not value:
            value = str(tomllib.loads(Path("atelier.toml").read_text(encoding="utf-8")).get(name.lower(), ""))
    return value


def threads() -> int:
    """Return how many threads a net may use: the first number of OMP_NUM_THREADS, else the cores this process may use.

    OpenMP takes a list, one number a level of nesting (OpenMP 5.2, 21.1.2); the nets have one level. Raises Refused
    for anything else.
    """
    given = os.environ.get("OMP_NUM_THREADS", "").strip()
    if not given:
        return usable_cores()
    first = given.partition(",")[0].strip()
    if not first.isdecimal() or int(first) < 1:
        raise Refused("setting", f"OMP_NUM_THREADS is {given!r}: give a number of threads from 1 up, or leave it out")
    return int(first)


def usable_cores() -> int:
    """Return how many cores this process may run on; all there are where the system does not tell (macOS, Windows)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
