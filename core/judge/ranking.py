"""The order in which kept portraits are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

MOST_PERCENT: Final = 110.0
"""Likeness in percent of baseline above which more counts no more."""
SHARPNESS_POINTS: Final = 10.0
"""Points of a face as sharp as its source."""
UNSURE_POINTS: Final = 4.0
"""Points lost for each squared eye distance that could not be told apart in a portrait's photo."""
REPEAT_POINTS: Final = 4.0
"""Points lost for each portrait of the same style and source that stands before."""


def rank_records(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Order kept portraits' records, best first, so that neighbours differ.

    By likeness in percent of baseline and by sharpness, less what was unsure, less REPEAT_POINTS for each repetition;
    ties by file name.
    """
    left = sorted(records, key=lambda record: (-_score(record), record["file"]))
    ordered: list[dict[str, Any]] = []
    seen: dict[tuple[str, str], int] = {}
    while left:
        best = max(left, key=lambda record: _score(record) - REPEAT_POINTS * seen.get(_origin(record), 0))
        left.remove(best)
        ordered.append(best)
        seen[_origin(best)] = seen.get(_origin(best), 0) + 1
    return ordered


def _origin(record: dict[str, Any]) -> tuple[str, str]:
    return record["recipe"]["style"], record["recipe"]["source"]


def _score(record: dict[str, Any]) -> float:
    percent = record["percent_of_baseline"]
    sharpness, unsure = min(record["measures"].get("sharpness", 1.0), 1.0), record["measures"].get("unsure", 0.0)
    points = min(100.0 if percent is None else percent, MOST_PERCENT) + SHARPNESS_POINTS * sharpness
    return points - UNSURE_POINTS * unsure
