"""A picture's rows, a band at a time: what is worked out for one pixel after the other stays in a core's cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

BAND: Final = 64
"""Rows of a band: 0.8 MB of colours at full print. Of whole pictures each step between would go to memory and back."""


def bands(rows: slice) -> Iterator[slice]:
    """Return consecutive slices of at most BAND rows that together are `rows`, which has a start and a stop."""
    for top in range(rows.start, rows.stop, BAND):
        yield slice(top, min(top + BAND, rows.stop))
