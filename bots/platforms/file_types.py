"""What a file may be, by what its sender says of it: its content is looked at by the studio."""

from __future__ import annotations

import mimetypes
from typing import Final

NO_TYPE: Final = ("", "application/octet-stream", "binary/octet-stream")


def may_be_photo(mime_type: str, name: str) -> bool:
    """Whether a file's content is to be looked at: neither its type nor its name says that it is something else."""
    kind = mime_type.lower()
    if kind.startswith("image/"):
        return True
    guessed = mimetypes.guess_type(name)[0] or "image/?"
    return kind in NO_TYPE and guessed.startswith("image/")
