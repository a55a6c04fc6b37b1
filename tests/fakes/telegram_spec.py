"""Checks every request of the bot against the published Bot API, where its machine-readable form is at hand.

The file is large and not ours to ship: `TELEGRAM_BOT_API_SPEC` names it, or it lies in the folder `shared/specs` beside
the repository. Without it the fake server still refuses what it knows by itself; the names, required fields and
types of everything else are then not checked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "specs" / "telegram-bot-api.json"


@cache
def spec() -> dict[str, Any] | None:
    """Return the published Bot API, or None where the file is not present."""
    path = Path(os.environ.get("TELEGRAM_BOT_API_SPEC", BESIDE))
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.is_file() else None
    return found


def problems(method: str, params: Mapping[str, Any]) -> list[str]:
    """Name everything in a request that the Bot API does not allow; empty when all is well or no spec is at hand."""
    api = spec()
    if api is None:
        return []
    if method not in api["methods"]:
        return [f"{method}: no such method"]
    return _fields(method, api["methods"][method].get("fields", []), params)


def _fields(where: str, wanted: list[dict[str, Any]], got: Mapping[str, Any]) -> list[str]:
    known = {field["name"]: field for field in wanted}
    found = [f"{where}: {name} is not a field" for name in got if name not in known and not name.startswith("attached")]
    found += [f"{where}: {name} is required" for name, f in known.items() if f["required"] and name not in got]
    for name, value in got.items():
        if name in known:
            tries: list[list[str]] = [_value(f"{where}.{name}", kind, value) for kind in known[name]["types"]]
            if all(tries):
                found += sorted(tries, key=len)[0]
    return found


def _value(where: str, kind: str, value: Any) -> list[str]:
    """Check one value; forms carry everything as text, so numbers and JSON are read out of it first."""
    if kind == "InputFile":
        return [] if isinstance(value, bytes | bytearray) or hasattr(value, "file") else [f"{where}: not a file"]
    if kind == "String":
        return [] if isinstance(value, str) else [f"{where}: {value!r} is not text"]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return [f"{where}: {value[:40]!r} is not {kind}"]
    if kind == "Integer":
        return [] if isinstance(value, int) and not isinstance(value, bool) else [f"{where}: {value!r} is not a number"]
    if kind == "Float":
        return [] if isinstance(value, int | float) else [f"{where}: {value!r} is not a number"]
    if kind == "Boolean":
        return [] if isinstance(value, bool) else [f"{where}: {value!r} is not true or false"]
    if kind.startswith("Array of "):
        if not isinstance(value, list):
            return [f"{where}: not a list"]
        return [p for i, item in enumerate(value) for p in _value(f"{where}[{i}]", kind[9:], item)]
    if not isinstance(value, dict):
        return [f"{where}: not an object"]
    api = spec()
    assert api is not None
    described = api["types"][kind]
    if "subtypes" in described:
        tries = [_value(where, sub, value) for sub in described["subtypes"]]
        return min(tries, key=len) if all(tries) else []
    return _fields(f"{where}:{kind}", described.get("fields", []), value)
