"""GIF: pictures counted by walking its blocks, one picture decoded by Pillow."""

from __future__ import annotations

import io

from PIL.GifImagePlugin import GifImageFile

from core.intake.formats import pillow
from core.intake.formats.header import Header


def open_gif(data: bytes) -> Header:
    """Count the pictures without decoding one; raises ValueError where there is none."""
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    frames, at = 0, 13 + _table(data[10])
    while at < len(data):
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
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1
