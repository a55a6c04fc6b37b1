"""What a shoot came to, as JSON: the record beside each portrait, and the manifest of the whole."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.edit import recipe as recipes
from core.errors import Refused
from core.face.coverage import coverage, notes_of
from core.judge.ranking import rank_records
from core.types import FaceMap, Identity, Recipe, Rejected


class Timings:
    """Seconds by stage of a shoot."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def lap(self, stage: str) -> None:
        """Book the time since the last call on a stage."""
        now = time.monotonic()
        self.seconds[stage] = round(now - self._since, 2)
        self._since = now


def build_manifest(
    request: Mapping[str, Any],
    engine: str,
    who: Identity,
    rejected: Sequence[Rejected],
    records: Sequence[dict[str, Any]],
    timings_s: dict[str, float],
) -> dict[str, Any]:
    """Put a manifest together: kept portraits first, the best of them first.

    request: styles, purpose, seed and count that were asked for. records: one a portrait that was drawn.
    """
    shown = coverage(who.maps)
    kept = rank_records([record for record in records if record["kept"]])
    return {
        "engine": engine,
        "seed": request["seed"],
        "styles": list(request["styles"]),
        "purpose": request["purpose"],
        "timings_s": timings_s,
        "photos": [
            *({**photo_facts(face), "sha256": face.selfie.sha256} for face in who.maps),
            *({"kept": False, **asdict(item)} for item in rejected),
        ],
        "missing": list(shown.missing),
        "notes": list(shown.notes),
        "baseline": None if who.baseline is None else round(who.baseline, 4),
        "training": who.proof or {"used": False, "reason": "not_asked"},
        "asked": len(request["styles"]) * request["count"],
        "drawn": len(records),
        "kept": len(kept),
        "portraits": [*kept, *(record for record in records if not record["kept"])],
        "gallery": "gallery.html",
    }


def photo_facts(face: FaceMap) -> dict[str, Any]:
    """Return what check and manifest tell of a kept photo: its name, what was mended, what the sitter wears."""
    selfie, seen = face.selfie, face.features
    facts = {"name": selfie.name, "kept": True, "notes": list(notes_of(face))}
    return {**facts, "features": asdict(seen) if seen else None}


def request_digest(**parts: Any) -> str:
    """Return a SHA-256 of everything that decides how a portrait is drawn and judged; JSON values by name."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def finished_record(beside: Path, request: str) -> dict[str, Any] | None:
    """Return the record at `beside` where an earlier, killed run finished the very same request, else None."""
    try:
        record: dict[str, Any] = json.loads(beside.read_text("utf-8"))
        return record if record["request"] == request else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_record(portrait: Path) -> tuple[dict[str, Any], Recipe]:
    """Read the record beside a portrait, and its recipe. Raises Refused where there is none."""
    beside = portrait.with_suffix(".json")
    try:
        record: dict[str, Any] = json.loads(beside.read_text("utf-8"))
        recipe, _ = recipes.from_dict(record["recipe"]), record["layers"]
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise Refused(
            "no_recipe", f"{beside.name} is missing or not a recipe: only portraits made here can be edited"
        ) from wrong
    return record, recipe
