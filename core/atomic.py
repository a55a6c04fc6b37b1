"""Write a file whole or not at all: beside its place first, then moved there, whatever is killed when."""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give an empty file beside `path` to write to; it takes the place of `path` when the block ends without an error.

    The data is flushed to the disk before the rename (POSIX rename is atomic within one file system). The draft's name
    begins with a dot and ends in `.part`. Folders above `path` are made. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".part")
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        with draft.open("r+b") as written:
            os.fsync(written.fileno())
        draft.chmod(0o644)  # mkstemp gives 0600; a shared folder is read by other accounts
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, replacing what is there. Raises OSError."""
    with writing(path) as draft:
        draft.write_bytes(data)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a value as `to_json` gives it, with a newline at the end."""
    write_bytes(path, (to_json(value) + "\n").encode())


def to_json(value: Any, ascii_only: bool = False) -> str:
    """Return a value as RFC 8259 JSON, keys in the order given. ascii_only: for a stream of unknown encoding.

    RFC 8259 has no NaN and no infinity: a number that is not finite becomes null. Text that is not Unicode (a lone
    surrogate, as in a file name that is not UTF-8) becomes U+FFFD.
    """
    return json.dumps(_plain(value), indent=1, ensure_ascii=ascii_only, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
