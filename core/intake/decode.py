"""Bytes of unknown origin -> upright sRGB pixels, or why not. Nothing else of the file goes on."""

from __future__ import annotations

import hashlib
import io
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.AvifImagePlugin import AvifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from core.intake.refusals import refuse
from core.types import U8, Rejected

MAX_BYTES: Final = 40_000_000
"""Largest file. A 48-megapixel phone photo is 10 to 25 MB; Telegram's bots can fetch 20 MB."""
MAX_PIXELS: Final = 100_000_000
"""Largest picture by its header, 100 megapixels: about 400 MB while a PNG is decoded."""
MIN_SIDE: Final = 96
"""Shortest side that is worth looking at: a face with `MIN_EYES_PX` needs more."""
MOST_PIXELS: Final = 16_000_000
"""Photos are never handed on larger: a head on a quarter of 16 megapixels is 2000 px wide, a print 1024."""
DRAFT_PIXELS: Final = 3_000_000
"""A JPEG is first decoded to no less than this, where libjpeg does so at a fraction of the cost (60 instead of 110 ms
for 12 megapixels): enough for every photo taken from arm's length."""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A decoded photo, upright: (H, W, 3) uint8 in the file's own RGB, at most `MOST_PIXELS`.

    focal_px: the lens's focal length in these pixels, None where the file does not say or was cropped since.
    draft: the file holds finer pixels than these, `decode` them with `draft=False`. profile: the
    ICC profile of that RGB, None for sRGB; it is applied to what is `cut`, since it costs more than
    decoding and no face fills a whole photo.
    """

    name: str
    sha256: str
    rgb: U8
    profile: bytes | None
    draft: bool
    focal_px: float | None

    def cut(self, left: int, top: int, right: int, bottom: int, scale: float = 1.0) -> U8:
        """Cut a piece out and shrink it by area; (H, W, 3) uint8 sRGB, C-contiguous. scale: 0..1."""
        piece = self.rgb[max(0, top) : bottom, max(0, left) : right]
        if scale < 1:
            size = max(1, round(piece.shape[1] * scale)), max(1, round(piece.shape[0] * scale))
            piece = np.asarray(cv2.resize(piece, size, interpolation=cv2.INTER_AREA), np.uint8)
        if self.profile:
            piece = np.asarray(_to_srgb(Image.fromarray(np.ascontiguousarray(piece)), self.profile))
        return np.ascontiguousarray(piece)

    def turned(self, quarters: int) -> Photo:
        """The same photo turned left by a number of quarters, 1 to 3."""
        how = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)[quarters - 1]
        return replace(self, rgb=np.asarray(cv2.rotate(self.rgb, how), np.uint8))


_Read = tuple[U8, bytes | None, float | None]
"""Upright pixels, their ICC profile where they need it, and the focal length over the diagonal."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file whose header was read: its size, its number of frames, and the way to its pixels."""

    width: int
    height: int
    frames: int
    read: Callable[[float], _Read]
    """Takes what a JPEG may be reduced to, in pixels."""


def decode(data: bytes, name: str, draft: bool = False) -> Photo | Rejected:
    """Decode a file of unknown origin; the header is judged before a pixel is touched.

    Format by content, never by name; only the five decoders named here can be reached. 16-bit,
    CMYK, grey and palettes become 8-bit RGB, transparency goes on white, EXIF orientation is
    applied, and all metadata but the colour profile ends here. Never raises for what `data` holds.
    draft: let a JPEG come as small as `DRAFT_PIXELS`.
    """
    if not data:
        return refuse(name, "empty", 0, 1)
    if len(data) > MAX_BYTES:
        return refuse(name, "too_many_bytes", len(data) / 1e6, MAX_BYTES / 1e6)
    kind = _kind(data)
    if kind not in _DECODERS:
        return refuse(name, kind, 0, 0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders grumble about EXIF, ICC and sizes, which are all judged here
            opened = _DECODERS[kind](data)
            if opened.width * opened.height > MAX_PIXELS:
                return refuse(name, "too_many_pixels", opened.width * opened.height / 1e6, MAX_PIXELS / 1e6)
            if min(opened.width, opened.height) < MIN_SIDE:
                return refuse(name, "too_few_pixels", min(opened.width, opened.height), MIN_SIDE)
            if opened.frames > 1:
                return refuse(name, "animated", opened.frames, 1)
            rgb, profile, focal = opened.read(DRAFT_PIXELS if draft else MOST_PIXELS / 4)
    except Exception:  # hostile bytes make decoders raise anything, from struct.error to RecursionError
        return refuse(name, "broken", 0, 0)
    reduced = 2 * rgb.shape[0] * rgb.shape[1] < min(opened.width * opened.height, MOST_PIXELS)
    focal_px = focal * math.hypot(*rgb.shape[:2]) if focal else None
    return Photo(name, hashlib.sha256(data).hexdigest(), rgb, profile, draft and reduced, focal_px)


def _kind(data: bytes) -> str:
    """Name the format by its first bytes: a key of `_DECODERS`, or the reason to refuse it."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF":
        return {b"WEBP": "webp", b"AVI ": "animated"}.get(data[8:12], "not_a_photo")
    if data[4:8] == b"ftyp":  # the ISO family: its major brand, then the compatible ones
        brands = [data[8:12], *(data[at : at + 4] for at in range(16, min(int.from_bytes(data[:4], "big"), 256), 4))]
        if brands[0] in (b"avis", b"hevc", b"hevx", b"msf1"):
            return "animated"
        if b"avif" in brands:
            return "avif"
        return "heic" if {b"heic", b"heix", b"heim", b"heis", b"mif1"} & set(brands) else "animated"  # MP4, MOV
    return "animated" if data.startswith((b"GIF8", b"\x1a\x45\xdf\xa3")) else "not_a_photo"


def _open_png(data: bytes) -> _Opened:
    """Pillow reads on to the first pixels before it tells the size, so IHDR is read by hand first."""
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    return _Opened(width, height, 1, _nothing) if _beyond(width, height) else _by_pillow(PngImageFile, data)


def _open_webp(data: bytes) -> _Opened:
    """libwebp takes memory for its canvas as soon as it opens a file, so the header is read by hand first."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        width, height = 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    elif chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width = int.from_bytes(data[26:28], "little") & 0x3FFF
        height = int.from_bytes(data[28:30], "little") & 0x3FFF
    return _Opened(width, height, 1, _nothing) if _beyond(width, height) else _by_pillow(WebPImageFile, data)


def _beyond(width: int, height: int) -> bool:
    return width * height > MAX_PIXELS or min(width, height) < MIN_SIDE


def _nothing(_: float) -> _Read:
    raise ValueError("a picture of this size is refused before its pixels are asked for")


def _open_heic(data: bytes) -> _Opened:
    import pi_heif  # brings libheif and libde265; most photos never need them

    opened = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
    width, height = opened.size

    def read(least_pixels: float) -> _Read:
        """Take a phone's usual pixels as they are: through Pillow and out again costs 0.09 s of 12 megapixels."""
        if opened.mode != "RGB" or width * height > MOST_PIXELS:
            return _read(opened.to_pillow(), least_pixels)
        profile = opened.info.get("icc_profile")
        focal = _focal(partial(_exif, opened.info.get("exif")), (width, height))
        rgb = np.array(opened, np.uint8)  # a copy: libheif frees its own with the file; it has turned them upright
        return rgb, None if _is_srgb(profile) else profile, focal

    return _Opened(width, height, 1, read)  # a burst holds several: the primary one counts


def _exif(block: bytes | None) -> Image.Exif:
    exif = Image.Exif()
    exif.load(block or b"")
    return exif


def _by_pillow(decoder: Callable[[io.BytesIO], Image.Image], data: bytes) -> _Opened:
    picture = decoder(io.BytesIO(data))
    frames = 1 if isinstance(picture, JpegImageFile) else getattr(picture, "n_frames", 1)
    return _Opened(picture.width, picture.height, frames, partial(_read, picture))


def _read(picture: Image.Image, least_pixels: float) -> _Read:
    focal = _focal(picture.getexif, picture.size)
    return *_upright(picture, least_pixels), focal


_DECODERS: Final[dict[str, Callable[[bytes], _Opened]]] = {
    "jpeg": lambda data: _by_pillow(JpegImageFile, data),
    "png": _open_png,
    "webp": _open_webp,
    "avif": lambda data: _by_pillow(AvifImageFile, data),
    "heic": _open_heic,
}


def _focal(exif_of: Callable[[], Image.Exif], size: tuple[int, int]) -> float | None:
    """Read the focal length as a part of the picture's diagonal; the one number of a lens that is used, then dropped.

    FocalLengthIn35mmFilm (EXIF 2.32, tag 0xA405) over the 43.27 mm diagonal of such film. A file whose pixels are
    not those the camera wrote (0xA002, 0xA003) was cropped or made smaller, nobody knows which.
    """
    try:
        exif = exif_of().get_ifd(0x8769)
        focal, written = float(exif[0xA405]), sorted((int(exif[0xA002]), int(exif[0xA003])))
    except Exception:  # a broken EXIF block, or none
        return None
    return focal / 43.27 if 10 <= focal <= 300 and written == sorted(size) else None


def _upright(picture: Image.Image, least_pixels: float) -> tuple[U8, bytes | None]:
    """Load, reduce to `MOST_PIXELS`, make it RGB and turn it; returns pixels and their ICC profile.

    least_pixels: what a JPEG may be reduced to while it is decoded, by 2, 4 or 8 on each side.
    """
    try:
        orientation = int(picture.getexif().get(0x0112, 1))
    except Exception:  # a broken EXIF block is no reason to refuse a photo
        orientation = 1
    profile: bytes | None = picture.info.get("icc_profile")
    if isinstance(picture, JpegImageFile):
        part = next((d for d in (8, 4, 2) if picture.width * picture.height >= d * d * least_pixels), 1)
        picture.draft(None, (picture.width // part, picture.height // part))
    picture.load()
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 bits of grey
        picture = Image.fromarray(np.clip(np.asarray(picture, np.float32) / 257, 0, 255).astype(np.uint8))
    elif picture.mode in ("P", "PA", "1"):
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    if (over := picture.width * picture.height / MOST_PIXELS) > 1:
        picture = picture.reduce(math.ceil(math.sqrt(over)))
    alpha = picture.getchannel("A") if "A" in picture.getbands() else None
    if alpha is not None:
        picture = picture.convert("L" if picture.mode in ("LA", "La") else "RGB")
    if picture.mode != "RGB":
        picture, profile = _to_srgb(picture, profile), None
    if alpha is not None:
        picture = Image.composite(picture, Image.new("RGB", picture.size, "white"), alpha)
    turn = _UPRIGHT.get(orientation)
    rgb = np.asarray(picture)
    return np.asarray(turn(rgb) if turn else rgb, np.uint8), None if _is_srgb(profile) else profile


def _is_srgb(profile: bytes | None) -> bool:
    """Whether a profile is sRGB itself, the one most files carry."""
    if not profile:
        return True
    try:
        return "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError):
        return True  # unreadable, so there is nothing to apply


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Apply an ICC profile; one that is broken or made for other channels is passed over."""
    if profile:
        try:
            source, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB") or picture.convert("RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return picture.convert("RGB")


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
