"""The photos of a job as they lie in its folder, for the child to read: what `jobs.worker.workspace` writes.

photos/000-NAME, photos/001-NAME, ...    in the order they were given in, NAME quoted
set.json                                 [name, sha256] of each photo of a set; one that the child holds has no file
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

SET: Final = "set.json"


class LaidPhoto(NamedTuple):
    """A photo of a set that is looked at. data: None where the studio holds it decoded since an earlier look."""

    name: str
    sha256: str
    data: bytes | None


def photo_file(number: int, name: str) -> str:
    """Return where in a workspace a photo lies: numbered in its order, with its name quoted."""
    return f"photos/{number:03d}-{quote(name, safe='')}"


def laid_photos(folder: Path) -> list[tuple[str, bytes]]:
    """Read the photos that `Workspace.lay_photos` wrote, (name, bytes) in the order they were given in."""
    files = sorted((folder / "photos").iterdir())
    return [(unquote(file.name.partition("-")[2]), file.read_bytes()) for file in files]


def set_json(laid: Sequence[tuple[str, str]]) -> bytes:
    """Write names and sha256 of a set, for `laid_set`."""
    return json.dumps(laid).encode()


def laid_set(folder: Path) -> list[LaidPhoto]:
    """Read what `Workspace.lay_set` wrote, in its order."""
    listed: list[list[str]] = json.loads((folder / SET).read_text("utf-8"))
    found = []
    for number, (name, sha256) in enumerate(listed):
        file = folder / photo_file(number, name)
        found.append(LaidPhoto(name, sha256, file.read_bytes() if file.exists() else None))
    return found
