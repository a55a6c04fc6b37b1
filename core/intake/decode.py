"""Bytes of unknown origin -> upright sRGB pixels, or why not. Nothing else of the file goes on.

The header is judged first: what decoding would cost in memory and in passes over the picture follows from the format
(`core.intake.formats`, one file each), and what costs too much is refused before a pixel is decoded. In a server the
decoding runs in a process of its own on top of that (`core.intake.bounded`).
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from core.intake.colour_space import Cicp, convertible, simplified, to_srgb
from core.intake.formats.gif import open_gif
from core.intake.formats.header import Header, Pixels
from core.intake.formats.heif import has_still, open_avif, open_heic
from core.intake.formats.jpeg import open_jpeg
from core.intake.formats.pillow import MOST_PIXELS
from core.intake.formats.png import open_png
from core.intake.formats.webp import open_webp
from core.intake.refusals import refuse
from core.types import U8, Rejected

MAX_BYTES: Final = 60_000_000
"""Largest file. A 108-megapixel phone photo is 15 to 50 MB; Telegram's bots can fetch 20 MB."""
MAX_DECODE_BYTES: Final = 240_000_000
"""Most memory for one photo, its file included. With every net loaded the process has 350 MB, and 600 MB is the bound.
In megapixels: PNG 36 to 60, HEIC 50, WebP 25 to 38, AVIF 20, progressive JPEG 57, baseline JPEG MAX_PIXELS."""
MAX_WORK: Final = 1_500_000_000
"""Most pixels visited in all passes over a JPEG: a usual progressive one has 8 passes. libjpeg visits 2,000,000,000
a second in passes that hold nothing, and 80 megapixels a second in the first."""
MAX_PIXELS: Final = 220_000_000
"""Most pixels of a JPEG, the one format decoded at a fraction of its size: phones write up to 200 megapixels."""
MIN_SIDE: Final = 96
"""Shortest side that is worth looking at: a face with `MIN_EYES_PX` needs more."""
DRAFT_PIXELS: Final = 3_000_000
"""A JPEG is first decoded to no less than this, where libjpeg does so at a fraction of the cost (60 instead of 110 ms
for 12 megapixels): enough for every photo taken from arm's length."""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A decoded photo, upright: (H, W, 3) uint8 in the file's own RGB, at most `MOST_PIXELS`.

    focal_px: the lens's focal length in these pixels, None where the file does not say or was cropped since.
    draft: the file holds finer pixels than these, `decode` them with `draft=False`. colour: ICC profile or code points
    of that RGB, None for sRGB; applied to what is `cut`, since it costs more than decoding and no face fills a whole
    photo. missing: part of the picture's rows that the file does not hold, 0..1; they are cropped away.
    notes: machine words for what was done ("tone_mapped") or is lost ("cut_short", "colour_unknown").
    """

    name: str
    sha256: str
    rgb: U8
    colour: bytes | Cicp | None
    draft: bool
    focal_px: float | None
    missing: float = 0.0
    notes: tuple[str, ...] = ()

    def cut(self, left: int, top: int, right: int, bottom: int, scale: float = 1.0) -> U8:
        """Cut a piece out and shrink it by area; (H, W, 3) uint8 sRGB, C-contiguous. scale: 0..1."""
        piece = self.rgb[max(0, top) : bottom, max(0, left) : right]
        if scale < 1:
            size = max(1, round(piece.shape[1] * scale)), max(1, round(piece.shape[0] * scale))
            piece = np.asarray(cv2.resize(piece, size, interpolation=cv2.INTER_AREA), np.uint8)
        return np.ascontiguousarray(to_srgb(piece, self.colour))

    def turned(self, quarters: int) -> Photo:
        """Return the same photo turned left by a number of quarters, 1 to 3."""
        how = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)[quarters - 1]
        return replace(self, rgb=np.asarray(cv2.rotate(self.rgb, how), np.uint8))


Decode = Callable[[bytes, str, bool], Photo | Rejected]
"""`decode` or a bounded form of it: bytes, name, draft."""


def decode(data: bytes, name: str, draft: bool = False) -> Photo | Rejected:
    """Decode a file of unknown origin; its cost is judged by the header before a pixel is touched.

    Format by content, never by name; only the decoders named here can be reached. 16-bit, CMYK, grey and palettes
    become 8-bit RGB, transparency goes on white, EXIF orientation is applied, PQ and HLG are tone-mapped, and all
    metadata but the colour space ends here. What every viewer shows of a file cut short is taken.
    Never raises for what `data` holds. draft: let a JPEG come as small as `DRAFT_PIXELS`.
    """
    if not data:
        return refuse(name, "empty", 0, 1)
    if len(data) > MAX_BYTES:
        return refuse(name, "too_many_bytes", len(data) / 1e6, MAX_BYTES / 1e6)
    kind = _kind(data)
    if kind not in _READERS:
        return refuse(name, kind)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders grumble about EXIF, ICC and sizes, which are all judged here
            header = _READERS[kind](data)
            if refusal := _too_costly(name, header, len(data)):
                return refusal
            pixels = header.read(DRAFT_PIXELS if draft else MOST_PIXELS / 4)
            return _photo(name, data, header, pixels, draft)
    except MemoryError:
        return refuse(name, "too_costly")
    except Exception:  # hostile bytes make decoders raise anything, from struct.error to RecursionError
        return refuse(name, "broken")


def _too_costly(name: str, header: Header, size: int) -> Rejected | None:
    """Judge a header: size, cost of decoding, frames."""
    pixels, side = header.width * header.height, min(header.width, header.height)
    if side < MIN_SIDE:
        return refuse(name, "too_few_pixels", side, MIN_SIDE)
    limit = min(MAX_PIXELS, pixels * (MAX_DECODE_BYTES - size) / header.peak_bytes)
    if pixels > limit:
        return refuse(name, "too_many_pixels", pixels / 1e6, limit / 1e6)
    if header.work > MAX_WORK:
        return refuse(name, "too_costly", header.work / pixels, MAX_WORK / pixels)
    if header.frames > 1:
        return refuse(name, "animated", header.frames, 1)
    return None


def _photo(name: str, data: bytes, header: Header, pixels: Pixels, draft: bool) -> Photo | Rejected:
    rgb, notes = pixels.rgb, ("cut_short",) if pixels.missing else ()
    notes = notes if convertible(pixels.colour) else (*notes, "colour_unknown")
    if pixels.missing and (1 - pixels.missing) * header.height < MIN_SIDE:
        return refuse(name, "broken", 100 * pixels.missing, 0)
    colour = simplified(pixels.colour)
    if rgb.dtype != np.uint8 or (isinstance(colour, Cicp) and colour.hdr):
        notes = (*notes, "tone_mapped") if isinstance(colour, Cicp) and colour.hdr else notes
        rgb, colour = to_srgb(rgb, colour), None
    reduced = 2 * rgb.shape[0] * rgb.shape[1] < (1 - pixels.missing) * min(header.width * header.height, MOST_PIXELS)
    focal_px = pixels.focal * math.hypot(*rgb.shape[:2]) if pixels.focal else None
    digest = hashlib.sha256(data).hexdigest()
    return Photo(name, digest, np.asarray(rgb, np.uint8), colour, draft and reduced, focal_px, pixels.missing, notes)


_READERS: Final[dict[str, Callable[[bytes], Header]]] = {
    "jpeg": open_jpeg,
    "png": open_png,
    "webp": open_webp,
    "gif": open_gif,
    "avif": open_avif,
    "heic": open_heic,
}


def _kind(data: bytes) -> str:
    """Name the format by its first bytes: a key of `_READERS`, or the reason to refuse it."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF":
        return {b"WEBP": "webp", b"AVI ": "animated"}.get(data[8:12], "not_a_photo")
    if data[4:8] == b"ftyp":  # the ISO family: its major brand, then the compatible ones
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, min(int.from_bytes(data[:4], "big"), 256), 4))}
        if {b"avif", b"avis"} & brands:
            return "avif"
        heic = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx"} & brands
        return "heic" if heic and has_still(data) else "animated"  # MP4, MOV, a sequence without a still
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return "animated" if data.startswith(b"\x1a\x45\xdf\xa3") else "not_a_photo"
