"""PNG: its chunks read by hand, so that only pixels reach the decoder; a file cut short keeps the rows it holds.

Text of any length, chunks with a wrong checksum and profiles of any size are what viewers pass over or show.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from PIL.PngImagePlugin import PngImageFile

from core.intake.colour_space import Cicp
from core.intake.formats import pillow
from core.intake.formats.header import MAX_PARTS, Header, Pixels

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
MAX_PROFILE: Final = 8_000_000
"""Bytes of the largest ICC profile that is unpacked; a printer's has 3 MB."""
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MIN_ROWS: Final = 96


@dataclass(slots=True)
class _Chunks:
    head: bytes = b""
    kept: list[tuple[bytes, bytes]] = field(default_factory=list)  # PLTE, tRNS, eXIf
    idat: list[memoryview | bytes] = field(default_factory=list)
    colour: bytes | Cicp | None = None
    frames: int = 1


def open_png(data: bytes) -> Header:
    """Walk the chunks; raises ValueError where IHDR or IDAT is missing."""
    chunks = _chunks(data)
    if len(chunks.head) != 13 or not chunks.idat:
        # the size is still told of a header alone: it is judged first
        width, height = struct.unpack(">II", chunks.head[:8]) if len(chunks.head) == 13 else (0, 0)
        if not width * height:
            raise ValueError("no header")
        return Header(width, height, 4.0 * width * height, lambda _: _nothing())
    width, height, depth, kind = struct.unpack(">IIBB", chunks.head[:10])
    per_pixel = {0: 1.0 if depth < 16 else 3.0, 2: 4.0, 3: 5.0, 4: 8.0, 6: 4.0}.get(kind, 8.0)
    return Header(
        width,
        height,
        per_pixel * width * height + 3 * min(width * height, pillow.MOST_PIXELS) + len(data),  # it is written anew
        lambda _: _read(chunks),
        frames=chunks.frames,
    )


def _nothing() -> Pixels:
    raise ValueError("no picture data")


def _chunks(data: bytes) -> _Chunks:
    found, at = _Chunks(), len(SIGNATURE)
    profile: bytes | None = None
    cicp: Cicp | None = None
    whole = memoryview(data)
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            break
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + size] if name != b"IDAT" else b""
        at += 12 + size
        if name == b"IHDR" and not found.head:
            found.head = body
        elif name == b"IDAT":
            found.idat.append(whole[at - 4 - size : at - 4])
        elif name in (b"PLTE", b"tRNS", b"eXIf") and len(body) == size:
            found.kept.append((name, body))
        elif name == b"iCCP" and profile is None:
            profile = _unpacked(body)
        elif name == b"cICP" and size >= 4:
            cicp = Cicp(body[0], body[1])
        elif name == b"acTL" and size >= 4:
            found.frames = int.from_bytes(body[:4], "big") or 1
        elif name == b"IEND":
            break
    found.colour = cicp or profile
    return found


def _unpacked(body: bytes) -> bytes | None:
    """Return the ICC profile of an iCCP chunk (name, 0, method, deflate stream); broken bytes where it is broken."""
    name_end = body.find(b"\0")
    try:
        return zlib.decompressobj().decompress(body[name_end + 2 :], MAX_PROFILE) or b"?"
    except zlib.error:
        return b"?"


def _read(chunks: _Chunks) -> Pixels:
    try:
        return pillow.read(PngImageFile(_written(chunks, chunks.head, chunks.idat)), chunks.colour)
    except (OSError, SyntaxError, ValueError):
        return _salvaged(chunks)


def _salvaged(chunks: _Chunks) -> Pixels:
    """Decode the rows that are there of a file that is cut short or damaged further on, as viewers show it."""
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks.head)
    if interlaced:
        raise ValueError("an interlaced file that is cut short")
    row = 1 + (width * depth * _CHANNELS[kind] + 7) // 8
    stream, raw = zlib.decompressobj(), bytearray()
    try:
        for part in chunks.idat:
            raw += stream.decompress(part, row * height - len(raw) + 1)
            if len(raw) >= row * height:
                break
    except zlib.error:
        pass
    rows = min(len(raw) // row, height)
    if rows < _MIN_ROWS:
        raise ValueError("too few rows")
    del raw[rows * row :]
    head = chunks.head[:4] + struct.pack(">I", rows) + chunks.head[8:]
    packed = zlib.compress(raw, 1)
    del raw
    picture = PngImageFile(_written(chunks, head, [packed]))
    return pillow.read(picture, chunks.colour, missing=1 - rows / height)


def _written(chunks: _Chunks, head: bytes, idat: Sequence[memoryview | bytes]) -> io.BytesIO:
    """Write a PNG of nothing but its pixels, palette, transparency and EXIF, with checksums that are right."""
    parts = [(b"IHDR", head), *chunks.kept, *((b"IDAT", part) for part in idat), (b"IEND", b"")]
    file = io.BytesIO()
    file.write(SIGNATURE)
    for name, body in parts:
        for piece in (len(body).to_bytes(4, "big"), name, body, zlib.crc32(body, zlib.crc32(name)).to_bytes(4, "big")):
            file.write(piece)
    file.seek(0)
    return file
