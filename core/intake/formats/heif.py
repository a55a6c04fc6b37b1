"""HEIC by libheif (pi-heif), AVIF by libavif (Pillow), and what both have in common: boxes of ISO/IEC 14496-12."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from PIL.AvifImagePlugin import AvifImageFile

from core.intake.colour_space import Cicp
from core.intake.formats import pillow
from core.intake.formats.header import MAX_PARTS, Header, Pixels


def open_heic(data: bytes) -> Header:
    """Read the primary picture's header; a burst or a sequence may hold others, which are not shown."""
    import pi_heif  # brings libheif and libde265; most photos never need them

    opened = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
    width, height = opened.size
    nclx = opened.info.get("nclx_profile")
    cicp = Cicp(int(nclx["color_primaries"]), int(nclx["transfer_characteristics"])) if nclx else None
    hdr = cicp is not None and cicp.hdr and not opened.info.get("icc_profile")
    deep = opened.info.get("bit_depth", 8) > 8
    if hdr and deep:
        opened = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    per_pixel = 12.0 if deep else 4.6  # planes and RGB; tiles of 12 megapixels took 4.1 to 4.9
    return Header(width, height, per_pixel * width * height, lambda _: _read_heic(opened, cicp))


def _read_heic(opened: Any, cicp: Cicp | None) -> Pixels:
    """Take the pixels as libheif has them, upright: through Pillow and out again costs 0.09 s of 12 megapixels."""
    colour = opened.info.get("icc_profile") or cicp
    exif = pillow.exif_from(opened.info.get("exif"))
    focal = pillow.focal_of(exif, opened.size)
    if opened.mode not in ("RGB", "RGB;16"):
        rgb, colour = pillow.rgb_of(opened.to_pillow(), colour)
        return Pixels(rgb, colour, focal)
    pixels = np.asarray(opened)
    if (over := opened.size[0] * opened.size[1] / pillow.MOST_PIXELS) > 1:
        shrink = over**-0.5
        return Pixels(cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), colour, focal)
    return Pixels(pixels.copy(), colour, focal)  # libheif frees its own with the file


def open_avif(data: bytes) -> Header:
    """Read the header; libavif takes memory for pixels only when they are asked for."""
    picture = AvifImageFile(io.BytesIO(data))
    pixels = picture.width * picture.height
    colour = None if picture.info.get("icc_profile") else _nclx(data)
    frames = int(getattr(picture, "n_frames", 1))
    return Header(picture.width, picture.height, 11.0 * pixels, lambda _: pillow.read(picture, colour), frames=frames)


def has_still(data: bytes) -> bool:
    """Say whether an ISO file holds a still picture (a primary item), whatever else moves in it."""
    return any(_find(data, 0, len(data), b"meta", b"pitm"))


def _nclx(data: bytes) -> Cicp | None:
    """Return the code points of the first "nclx" colour property."""
    for start, end in _find(data, 0, len(data), b"meta", b"iprp", b"ipco", b"colr"):
        if data[start : start + 4] == b"nclx" and end - start >= 10:
            primaries, transfer = data[start + 4 : start + 6], data[start + 6 : start + 8]
            return Cicp(int.from_bytes(primaries, "big"), int.from_bytes(transfer, "big"))
    return None


def _find(data: bytes, start: int, end: int, *path: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the bodies of the boxes at this path begin and end."""
    for _ in range(MAX_PARTS):
        if start + 8 > end:
            return
        size, name, body = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8], start + 8
        if size == 1:
            size, body = int.from_bytes(data[start + 8 : start + 16], "big"), start + 16
        stop = end if size == 0 else min(start + size, end)
        if stop <= start + 7:
            return
        if name == path[0]:
            body += 4 if name == b"meta" else 0  # a full box: version and flags
            if len(path) == 1:
                yield body, stop
            else:
                yield from _find(data, body, stop, *path[1:])
                return  # one of each that holds others
        start = stop
