"""The names photos go by in every message: what their owner called the files, told apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

Photos = Sequence[tuple[str, bytes]]
"""Name and bytes of each photo."""


def told_apart(photos: Photos) -> list[tuple[str, bytes]]:
    """Give photos of one name their own: the second IMG_0001.jpg becomes "IMG_0001 (2).jpg". Order is kept.

    A name is for people; what a photo is known by is the SHA-256 of its bytes (`core.types.Selfie`).
    """
    taken = {name for name, _ in photos}
    seen: set[str] = set()
    named = []
    for name, data in photos:
        file, number = PurePath(name), 2
        while name in seen:
            other = f"{file.stem} ({number}){file.suffix}"
            name = name if other in taken else other
            number += 1
        seen.add(name)
        taken.add(name)
        named.append((name, data))
    return named
