"""A file opened by one of Pillow's decoders -> upright RGB of at most `MOST_PIXELS`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.intake.colour_space import Cicp, apply_icc
from core.intake.formats.header import Pixels
from core.types import U8

MOST_PIXELS: Final = 16_000_000
"""Photos are never handed on larger: a head on a quarter of 16 megapixels is 2000 px wide, a print 1024."""


def read(picture: Image.Image, colour: bytes | Cicp | None = None, missing: float = 0.0) -> Pixels:
    """Load a picture, make it 8-bit RGB on white, reduce it to `MOST_PIXELS` and turn it by its EXIF orientation."""
    exif = exif_of(picture)
    size = picture.size
    picture.load()
    colour = colour or picture.info.get("icc_profile")
    rgb, colour = rgb_of(picture, colour)
    return Pixels(upright(rgb, exif), colour, focal_of(exif, size), missing)


def rgb_of(picture: Image.Image, colour: bytes | Cicp | None) -> tuple[U8, bytes | Cicp | None]:
    """Return (H, W, 3) uint8 and the colour space it is in; grey and CMYK profiles are applied here."""
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 bits of grey
        deep = np.asarray(picture)
        eight = np.empty(deep.shape, np.uint8)
        for top in range(0, deep.shape[0], 256):
            eight[top : top + 256] = np.clip(deep[top : top + 256].astype(np.float32) / 257, 0, 255)
        picture = Image.fromarray(eight)
    elif picture.mode in ("P", "PA", "1"):
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    if (over := picture.width * picture.height / MOST_PIXELS) > 1:
        picture = picture.reduce(math.ceil(math.sqrt(over)))
    alpha = picture.getchannel("A") if "A" in picture.getbands() else None
    if alpha is not None:
        picture = picture.convert("L" if picture.mode in ("LA", "La") else "RGB")
    if picture.mode != "RGB":
        picture, colour = apply_icc(picture, colour if isinstance(colour, bytes) else None), None
    if alpha is not None:
        picture = Image.composite(picture, Image.new("RGB", picture.size, "white"), alpha)
    return np.asarray(picture), colour


def exif_of(picture: Image.Image) -> Image.Exif:
    """Return the EXIF block, an empty one where it is broken: no reason to refuse a photo."""
    try:
        return picture.getexif()
    except Exception:  # hostile blocks raise anything
        return Image.Exif()


def exif_from(block: bytes | None) -> Image.Exif:
    """Parse an EXIF block that a container holds; an empty one where it is broken."""
    exif = Image.Exif()
    try:
        exif.load(block or b"")
    except Exception:  # hostile blocks raise anything
        return Image.Exif()
    return exif


def focal_of(exif: Image.Exif, size: tuple[int, int]) -> float | None:
    """Return the focal length as a part of the picture's diagonal; the one number of a lens that is used.

    FocalLengthIn35mmFilm (EXIF 2.32, tag 0xA405) over the 43.27 mm diagonal of such film. A file whose pixels are
    not those the camera wrote (0xA002, 0xA003) was cropped or made smaller, by an unknown amount.
    """
    try:
        camera = exif.get_ifd(0x8769)
        focal, written = float(camera[0xA405]), sorted((int(camera[0xA002]), int(camera[0xA003])))
    except Exception:  # a broken EXIF block, or none
        return None
    return focal / 43.27 if 10 <= focal <= 300 and written == sorted(size) else None


def upright(rgb: U8, exif: Image.Exif) -> U8:
    """Turn pixels as the EXIF orientation (tag 0x0112) says."""
    try:
        turn = _UPRIGHT.get(int(exif.get(0x0112, 1)))
    except Exception:
        turn = None
    return np.asarray(turn(rgb) if turn else rgb, np.uint8)


_UPRIGHT: Final[dict[int, Callable[[NDArray[Any]], NDArray[Any]]]] = {
    2: lambda rgb: cv2.flip(rgb, 1),
    3: lambda rgb: cv2.rotate(rgb, cv2.ROTATE_180),
    4: lambda rgb: cv2.flip(rgb, 0),
    5: lambda rgb: cv2.transpose(rgb),
    6: lambda rgb: cv2.rotate(rgb, cv2.ROTATE_90_CLOCKWISE),
    7: lambda rgb: cv2.transpose(cv2.rotate(rgb, cv2.ROTATE_180)),
    8: lambda rgb: cv2.rotate(rgb, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
"""EXIF orientation -> how to turn the pixels upright (EXIF 2.32, tag 0x0112)."""
