"""Files to send; one that has more bytes than Discord takes is made smaller: the same picture, AI mark and all."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from bots.platforms.discord.limits import REQUEST_BYTES

QUALITIES: Final = (88, 80)  # of JPEG and WebP at full size; after that the picture gets fewer pixels
SCALE: Final = 0.8  # of width and height, again and again until it fits
XMP: Final = "XML:com.adobe.xmp"  # where a PNG has it (XMP specification, part 3)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to send. data: its bytes, empty when the message has it already. alt: what is seen in it."""

    name: str
    data: bytes
    alt: str = ""


def within(uploads: Sequence[Upload], file_bytes: int) -> tuple[Upload, ...]:
    """Return the files of one message so that each has at most `file_bytes`, and all together `REQUEST_BYTES`.

    What fits stays as it is, to the byte. What is larger and no picture stays too: Discord says what is wrong with it.
    """
    size = sum(len(upload.data) for upload in uploads)
    most = min(file_bytes, REQUEST_BYTES // len(uploads)) if size > max(REQUEST_BYTES, file_bytes) else file_bytes
    return tuple(upload if len(upload.data) <= most else _smaller(upload, most) for upload in uploads)


def _smaller(upload: Upload, most: int) -> Upload:
    """Encode a picture again in its own format, at lower quality and then smaller, until it fits."""
    try:
        with Image.open(io.BytesIO(upload.data)) as opened:
            opened.load()
            kind, told, picture = opened.format or "", _told(opened), opened.copy()
    except (UnidentifiedImageError, OSError):
        return upload
    for quality in QUALITIES if kind in {"JPEG", "WEBP"} else ():
        data = _encoded(picture, kind, {**told, "quality": quality})
        if len(data) <= most:
            return replace(upload, data=data)
    while True:
        picture = picture.resize((max(1, int(picture.width * SCALE)), max(1, int(picture.height * SCALE))))
        data = _encoded(picture, kind, {**told, "quality": QUALITIES[0]})
        if len(data) <= most or max(picture.size) == 1:
            return replace(upload, data=data)


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
