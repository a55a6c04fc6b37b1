"""JPEG: passes and sizes by its markers, decoding by Pillow at a fraction of the size, files cut short included."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Final

from PIL.JpegImagePlugin import JpegImageFile

from core.intake.formats import pillow
from core.intake.formats.header import MAX_PARTS, Header, Pixels
from core.types import U8

_SCAN_END: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""A marker that ends entropy-coded data: neither a stuffed byte nor a restart."""
_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_EOI: Final = b"\xff\xd9"
FILL: Final = 128
"""What libjpeg leaves where a file holds no data: mid grey."""


@dataclass(slots=True)
class _Markers:
    """What the markers of a JPEG state; `end` is where the usable data ends, `whole` whether it ends with EOI."""

    width: int = 0
    height: int = 0
    planes: tuple[tuple[int, float], ...] = ()  # component id, samples per pixel
    buffered: bool = False  # libjpeg keeps the coefficients of the whole picture
    work: float = 0.0
    end: int = 0
    whole: bool = False


def open_jpeg(data: bytes) -> Header:
    """Read the markers; raises ValueError where there is no frame or no scan."""
    found = _markers(data)
    if not found.work:
        raise ValueError("no scan")
    pixels = found.width * found.height
    samples = pixels * sum(part for _, part in found.planes)
    decoded = pixels / _part(pixels, pillow.MOST_PIXELS / 4) ** 2
    coefficients = 2 * samples if found.buffered else 0
    peak = max(4 * decoded + coefficients, 10 * decoded)  # they are gone before the pixels are copied
    return Header(found.width, found.height, peak, lambda least: _read(data, found, least), found.work)


def _markers(data: bytes) -> _Markers:
    found, at, scans = _Markers(), 2, 0
    for _ in range(MAX_PARTS):
        if at + 4 > len(data):
            break
        if data[at] != 0xFF:  # bytes between segments: libjpeg skips to the next marker
            at = data.find(b"\xff", at)
            if at < 0:
                break
            continue
        marker = data[at + 1]
        if marker in (0xFF, 0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            found.end, found.whole = at + 2, True
            return found
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + size]
        if size < 2 or at + 2 + size > len(data):
            break
        if marker in _FRAMES and not found.width and len(body) >= 6:
            _frame(found, marker, body)
        at += 2 + size
        if marker == 0xDA:
            scans += 1
            chosen = body[1 : 1 + 2 * body[0] : 2] if body else b""
            parts = dict(found.planes)
            found.work += found.width * found.height * max(sum(parts.get(c, 0.0) for c in chosen), 0.1)
            found.buffered |= scans > 1
            ended = _SCAN_END.search(data, at)
            found.end = ended.start() if ended else len(data)
            at = found.end
    found.whole = data[found.end : found.end + 2] == _EOI
    return found


def _frame(found: _Markers, marker: int, body: bytes) -> None:
    found.height, found.width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    found.buffered = marker not in (0xC0, 0xC1, 0xC9)
    rows = [body[6 + 3 * i : 9 + 3 * i] for i in range(body[5]) if len(body) >= 9 + 3 * i]
    most = max((r[1] >> 4) for r in rows) * max((r[1] & 15) for r in rows) if rows else 1
    found.planes = tuple((r[0], (r[1] >> 4) * (r[1] & 15) / max(most, 1)) for r in rows)


def _part(pixels: int, least_pixels: float) -> int:
    """Return by what a picture can be divided on each side, so that no less than `least_pixels` are left."""
    return next((d for d in (8, 4, 2) if pixels >= d * d * least_pixels), 1)


def _read(data: bytes, found: _Markers, least_pixels: float) -> Pixels:
    """Decode at 1, 1/2, 1/4 or 1/8 of the size, but to no less than `least_pixels`; rows that are missing are cut off.

    libjpeg fills what a file does not hold with mid grey once an end marker is there. Scans of a progressive file
    that are missing only cost sharpness, as in every viewer.
    """
    picture = JpegImageFile(io.BytesIO(data if found.whole else data[: found.end] + _EOI))
    exif = pillow.exif_of(picture)
    size = picture.size
    part = _part(size[0] * size[1], least_pixels)
    picture.draft(None, (picture.width // part, picture.height // part))
    picture.load()
    rgb, colour = pillow.rgb_of(picture, picture.info.get("icc_profile"))
    there = _rows_there(rgb)
    missing = 1 - there / rgb.shape[0]
    return Pixels(
        pillow.upright(rgb[:there], exif), colour, pillow.focal_of(exif, size) if not missing else None, missing
    )


def _rows_there(rgb: U8) -> int:
    """Return how many rows hold data: those above the last run of rows that end in mid grey."""
    edge = (rgb[:, -8:] == FILL).all(axis=(1, 2))
    rows = rgb.shape[0]
    while rows and edge[rows - 1]:
        rows -= 1
    filled = rows < rgb.shape[0] and bool((rgb[-1] == FILL).all())
    return max(rows - 2, 0) if filled else rgb.shape[0]  # the last two share their colour with the fill
