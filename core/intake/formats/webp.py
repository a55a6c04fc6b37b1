"""WebP: its chunks read by hand, decoding by OpenCV, which takes a third of the memory Pillow's canvas does."""

from __future__ import annotations

import cv2
import numpy as np

from core.intake.formats import pillow
from core.intake.formats.header import MAX_PARTS, Header, Pixels
from core.types import U8


def open_webp(data: bytes) -> Header:
    """Walk the RIFF chunks; raises ValueError where none holds a picture."""
    chunks = _chunks(data, 12)
    frames = [body for name, body in chunks if name == b"ANMF"]
    parts = _chunks(frames[0], 16) if frames else chunks  # a frame: 16 bytes of place and time, then its chunks
    alpha = next((part for part in parts if part[0] == b"ALPH"), None)
    picture = next((part for part in parts if part[0] in (b"VP8 ", b"VP8L")), None)
    if picture is None:
        canvas = next((body for name, body in chunks if name == b"VP8X" and len(body) >= 10), None)
        if canvas is None:
            raise ValueError("no picture")
        width, height = (1 + int.from_bytes(canvas[at : at + 3], "little") for at in (4, 7))
        return Header(width, height, 6.0 * width * height, lambda _: _nothing())
    width, height = _size(*picture)
    block = next((body for name, body in chunks if name == b"EXIF"), None)
    profile = next((body for name, body in chunks if name == b"ICCP"), None)
    per_pixel = 9.0 if alpha or picture[0] == b"VP8L" else 6.0
    still = _still(width, height, alpha, picture)
    return Header(
        width,
        height,
        per_pixel * width * height,
        lambda _: _read(still, block, profile),
        frames=max(len(frames), 1),
    )


def _nothing() -> Pixels:
    raise ValueError("no picture data")


def _chunks(data: bytes, at: int) -> list[tuple[bytes, bytes]]:
    found = []
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            break
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        found.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return found


def _size(name: bytes, body: bytes) -> tuple[int, int]:
    if name == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF


def _still(width: int, height: int, alpha: tuple[bytes, bytes] | None, picture: tuple[bytes, bytes]) -> bytes:
    """Write a plain WebP file of one frame."""
    parts = [picture]
    if alpha:
        size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        parts = [(b"VP8X", b"\x10\0\0\0" + size), alpha, picture]
    body = b"".join(name + len(part).to_bytes(4, "little") + part + b"\0" * (len(part) % 2) for name, part in parts)
    return b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"WEBP" + body


def _read(still: bytes, block: bytes | None, profile: bytes | None) -> Pixels:
    decoded = cv2.imdecode(np.frombuffer(still, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ValueError("cannot be decoded")
    full = decoded.shape[1::-1]
    if (over := full[0] * full[1] / pillow.MOST_PIXELS) > 1:
        shrink = over**-0.5
        decoded = cv2.resize(decoded, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    rgb: U8 = np.ascontiguousarray(decoded[..., 2::-1])
    if decoded.shape[2] == 4:
        alpha = decoded[..., 3:].astype(np.uint16)
        rgb = ((rgb * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    exif = pillow.exif_from(block)
    return Pixels(pillow.upright(rgb, exif), profile, pillow.focal_of(exif, full))
