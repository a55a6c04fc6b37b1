"""GIF: pictures counted by walking its blocks, one picture decoded by Pillow."""

from __future__ import annotations

import io
from typing import Final

from PIL.GifImagePlugin import GifImageFile

from core.intake.formats import pillow
from core.intake.formats.header import MAX_PARTS, Header

MAX_SUB_BLOCKS: Final = 400_000
"""Most pieces of one picture; 60 MB in full pieces of 255 bytes have 235,000."""


def open_gif(data: bytes) -> Header:
    """Count the pictures without decoding one; raises ValueError where there is none."""
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    frames, at = 0, 13 + _table(data[10])
    for _ in range(MAX_PARTS):
        if at >= len(data):
            break
        kind = data[at]
        if kind == 0x2C:  # a picture: place, colour table, code size, sub-blocks
            frames += 1
            at = _past(data, at + 11 + _table(data[at + 9]))
        elif kind == 0x21:  # an extension
            at = _past(data, at + 2)
        else:  # the trailer, or garbage behind the last picture
            break
    if not frames:
        raise ValueError("no picture")
    return Header(
        width, height, 9.0 * width * height, lambda _: pillow.read(GifImageFile(io.BytesIO(data))), frames=frames
    )


def _table(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _past(data: bytes, at: int) -> int:
    """Return where the sub-blocks that begin here end."""
    for _ in range(MAX_SUB_BLOCKS):
        if at >= len(data) or not data[at]:
            return at + 1
        at += 1 + data[at]
    raise ValueError("too many sub-blocks")
