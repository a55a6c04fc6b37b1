"""Files to send; one that is more than its platform takes is made smaller: the same picture, AI mark and all.

What an operator's signature covers are the bytes of the file as it was made: a smaller one has none any more.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

QUALITIES: Final = (88, 80)  # of JPEG and WebP at full size; after that the picture gets fewer pixels
SCALE: Final = 0.8  # of width and height, again and again until it fits
XMP: Final = "XML:com.adobe.xmp"  # where a PNG has it (XMP specification, part 3)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to send. data: its bytes, empty when the message has it already. alt: what is seen in it."""

    name: str
    data: bytes
    alt: str = ""


def within(uploads: Sequence[Upload], file_bytes: int, request_bytes: int) -> tuple[Upload, ...]:
    """Return the files of one message so that each has at most `file_bytes`, and all together `request_bytes`.

    What fits stays as it is, to the byte. What is larger and no picture stays too: the platform says what is wrong.
    """
    size = sum(len(upload.data) for upload in uploads)
    most = min(file_bytes, request_bytes // len(uploads)) if size > max(request_bytes, file_bytes) else file_bytes
    return tuple(replace(upload, data=smaller(upload.data, most)) for upload in uploads)


def smaller(data: bytes, most: int, edges: int = 0) -> bytes:
    """Return a picture's file with at most `most` bytes; `edges`, where given: and width and height together within it.

    One that is more is encoded again in its own format, at lower quality and then with fewer pixels, until it fits.
    What is no picture stays.
    """
    if len(data) <= most and not edges:
        return data
    try:
        with Image.open(io.BytesIO(data)) as opened:
            if len(data) <= most and sum(opened.size) <= edges:
                return data
            opened.load()
            kind, told, picture = opened.format or "", _told(opened), opened.copy()
    except (UnidentifiedImageError, OSError):
        return data
    if edges and sum(picture.size) > edges:
        picture = _scaled(picture, edges / sum(picture.size))
    for quality in QUALITIES if kind in {"JPEG", "WEBP"} else (QUALITIES[0],):
        encoded = _encoded(picture, kind, {**told, "quality": quality})
        if len(encoded) <= most:
            return encoded
    while True:
        picture = _scaled(picture, SCALE)
        encoded = _encoded(picture, kind, {**told, "quality": QUALITIES[0]})
        if len(encoded) <= most or max(picture.size) == 1:
            return encoded


def _scaled(picture: Image.Image, factor: float) -> Image.Image:
    return picture.resize((max(1, int(picture.width * factor)), max(1, int(picture.height * factor))))


def _told(picture: Image.Image) -> dict[str, Any]:
    """Return what a picture says of itself, as options for writing it again: colour profile, Exif, XMP."""
    told = {name: picture.info[name] for name in ("icc_profile", "exif", "xmp") if picture.info.get(name)}
    if picture.format == "PNG" and XMP in picture.info:
        told["pnginfo"] = PngInfo()
        told["pnginfo"].add_itxt(XMP, picture.info[XMP])
    return told


def _encoded(picture: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()
