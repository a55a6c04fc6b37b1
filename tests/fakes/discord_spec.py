"""Checks requests and the fake's own answers against Discord's published OpenAPI description, where it is at hand.

The file is large and not ours to ship: `DISCORD_API_SPEC` names it, or it lies as `discord-openapi.json` in the folder
`shared/specs` beside the repository. Without it the fake still refuses what it knows by itself; the names and
types of everything else are then not checked.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "specs" / "discord-openapi.json"
LOOSE = {"SnowflakeType": {"type": ["string", "integer"]}}
"""Ids are published as text; the server also takes numbers, which discord.py sends for an upload's placeholder."""


@cache
def spec() -> dict[str, Any] | None:
    """Return the published description, or None where the file is not present."""
    path = Path(os.environ.get("DISCORD_API_SPEC", BESIDE))
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    found["components"]["schemas"] |= LOOSE
    return found


def problems(method: str, path: str, body: Any) -> list[str]:
    """Name what of a request's body is not as published; empty when all is well or no description is at hand."""
    operation = _operation(method, path)
    content = (operation or {}).get("requestBody", {}).get("content", {}).get("application/json")
    if spec() is not None and operation is None:
        return [f"{method} {path}: no such route"]
    if not content or body in ({}, None):
        return []
    return [f"{method} {path}: {fault}" for fault in _faults(content["schema"], body)]


def misshapen(method: str, path: str, status: int, body: Any) -> list[str]:
    """Name what of the fake's own answer is not as published."""
    operation = _operation(method, path)
    answers = (operation or {}).get("responses", {})
    answer = answers.get(str(status)) or (answers.get("4XX") if status >= 400 else None)
    schema = ((answer or {}).get("content") or {}).get("application/json", {}).get("schema")
    if schema is None:
        return []
    return [f"{method} {path} -> {status}: {fault}" for fault in _faults(schema, body)]


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for pattern, found in _routes():
        if pattern.fullmatch(path) and method.lower() in found:
            operation: dict[str, Any] = found[method.lower()]
            return operation
    return None


@cache
def _routes() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    api = spec()
    if api is None:
        return []
    routes = sorted(api["paths"].items(), key=lambda item: item[0].count("{"))
    return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path.lstrip("/"))), methods) for path, methods in routes]


def _faults(schema: dict[str, Any], body: Any) -> list[str]:
    from jsonschema.exceptions import best_match

    fault = best_match(_validator(json.dumps(schema)).iter_errors(body))
    return [] if fault is None else [f"{list(fault.absolute_path)} {fault.message[:300]}"]


@cache
def _validator(schema: str) -> Any:
    """Return a validator of one schema inside the whole description; jsonschema comes with moto, which tests need."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator({**json.loads(schema), "components": (spec() or {}).get("components")})
