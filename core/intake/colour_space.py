"""RGB values of a photo's own colour space -> sRGB: ICC profiles, and the code points of ITU-T H.273 ("nclx", cICP).

PQ and HLG (ITU-R BT.2100) are tone-mapped: reference white, 203 cd/m2 (ITU-R BT.2408), becomes sRGB white. Light up to
KNEE of it keeps its value, brighter light is compressed into what is left, and hue is kept.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from core.colour import linear, srgb
from core.types import F32, U8

UNSPECIFIED, BT709, BT470M, BT470BG, BT601, SMPTE240, BT2020, P3_DCI, P3_D65 = 2, 1, 4, 5, 6, 7, 9, 11, 12
"""H.273 ColourPrimaries that occur in photos."""
LINEAR, SRGB, PQ, HLG = 8, 13, 16, 18
GAMMA_22, GAMMA_28 = 4, 5
SRGB_LIKE: Final = (1, UNSPECIFIED, 6, 7, SRGB, 14, 15)
"""H.273 TransferCharacteristics that photo viewers show with the sRGB curve."""
REFERENCE_WHITE: Final = 203.0
"""cd/m2 of a white sheet of paper in HDR pictures (BT.2408)."""
HLG_PEAK: Final = 1000.0
"""cd/m2 of the display HLG is seen on (BT.2100: system gamma 1.2)."""
KNEE: Final = 0.8
STRIP_ROWS: Final = 128
"""Rows converted at once, so that a whole photo is never held as float."""

_XY: Final = {
    BT470BG: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),
    BT601: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    SMPTE240: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    BT709: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    P3_D65: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
"""Chromaticities x, y of red, green and blue (H.273 table 2); white is D65 for all of them."""
_D65: Final = (0.3127, 0.3290)


@dataclass(frozen=True, slots=True)
class Cicp:
    """Coding-independent code points (H.273): colour primaries and transfer characteristics."""

    primaries: int
    transfer: int

    @property
    def hdr(self) -> bool:
        """Whether values above diffuse white can occur, so that tone mapping is needed."""
        return self.transfer in (PQ, HLG)

    @property
    def known(self) -> bool:
        """Whether `to_srgb` can convert it."""
        transfers = (*SRGB_LIKE, LINEAR, GAMMA_22, GAMMA_28, PQ, HLG)
        return self.primaries in (UNSPECIFIED, *_XY) and self.transfer in transfers

    @property
    def is_srgb(self) -> bool:
        """Whether nothing has to be converted: BT.601's primaries are nearer to sRGB's than cameras are to either."""
        plain = (UNSPECIFIED, BT709, BT470BG, BT601, SMPTE240)
        return self.primaries in plain and self.transfer in SRGB_LIKE


def convertible(colour: bytes | Cicp | None) -> bool:
    """Say whether a file's colours can be converted; what cannot is shown as sRGB, and told."""
    if isinstance(colour, Cicp):
        return colour.known
    if colour:
        try:
            ImageCms.ImageCmsProfile(io.BytesIO(colour))
        except (ImageCms.PyCMSError, OSError, ValueError):
            return False
    return True


def simplified(colour: bytes | Cicp | None) -> bytes | Cicp | None:
    """Return None for what is sRGB already, or cannot be converted."""
    if colour is None or not convertible(colour):
        return None
    if isinstance(colour, Cicp):
        return None if colour.is_srgb else colour
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(colour)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    return None if "sRGB" in name else colour


def to_srgb(rgb: U8 | NDArray[np.uint16], colour: bytes | Cicp | None) -> U8:
    """Convert (H, W, 3) to uint8 sRGB; a profile made for other channels than RGB is passed over."""
    if isinstance(colour, Cicp):
        return _by_code_points(rgb, colour)
    eight = rgb if rgb.dtype == np.uint8 else (rgb >> 8)
    plain = np.asarray(eight, np.uint8)
    return np.asarray(apply_icc(Image.fromarray(np.ascontiguousarray(plain)), colour)) if colour else plain


def apply_icc(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert a picture of any mode to an sRGB picture of mode RGB; a broken or unfit profile is passed over."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(picture, source, _srgb_profile(), outputMode="RGB") or picture.convert(
                "RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return picture.convert("RGB")


@lru_cache(maxsize=1)
def _srgb_profile() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _by_code_points(rgb: U8 | NDArray[np.uint16], colour: Cicp) -> U8:
    light = _light_of_codes(colour.transfer, 256 if rgb.dtype == np.uint8 else 65536)
    to_709 = _matrix(colour.primaries)
    shown = np.empty(rgb.shape, np.uint8)
    for top in range(0, rgb.shape[0], STRIP_ROWS):
        value = light[rgb[top : top + STRIP_ROWS]]
        if colour.transfer == HLG:  # the display's gamma acts on luminance (BT.2100 OOTF)
            luminance = value @ np.array([0.2627, 0.6780, 0.0593], np.float32)
            value *= (HLG_PEAK / REFERENCE_WHITE) * np.maximum(luminance, 1e-6)[..., None] ** np.float32(0.2)
        value = np.maximum(value @ to_709.T, 0)
        if colour.hdr:
            value = _tone_map(value)
        shown[top : top + STRIP_ROWS] = np.round(255 * np.clip(srgb(value), 0, 1)).astype(np.uint8)
    return shown


def _tone_map(light: F32) -> F32:
    """Compress linear light (..., 3) into 0..1 by its brightest channel; 1 is reference white, hue is kept."""
    brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-6)
    room = 1 - KNEE
    compressed = np.where(brightest > KNEE, 1 - room * np.exp(-(brightest - KNEE) / room), brightest)
    return np.asarray(light * (compressed / brightest), np.float32)


@lru_cache(maxsize=8)
def _light_of_codes(transfer: int, codes: int) -> F32:
    """Return linear light for every code value: PQ in reference whites, HLG as scene light, else 0..1."""
    value = np.arange(codes, dtype=np.float64) / (codes - 1)
    if transfer == PQ:  # SMPTE ST 2084
        root = value ** (1 / 78.84375)
        nits = 10000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
        return np.asarray(nits / REFERENCE_WHITE, np.float32)
    if transfer == HLG:  # BT.2100 inverse OETF
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        return np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12).astype(np.float32)
    gamma = {LINEAR: 1.0, GAMMA_22: 2.2, GAMMA_28: 2.8}.get(transfer)
    return linear(value.astype(np.float32)) if gamma is None else np.asarray(value**gamma, np.float32)


@lru_cache(maxsize=8)
def _matrix(primaries: int) -> F32:
    """Return the (3, 3) matrix from linear RGB of these primaries to linear sRGB."""
    source, target = _to_xyz(_XY.get(primaries, _XY[BT709])), _to_xyz(_XY[BT709])
    return np.asarray(np.linalg.inv(target) @ source, np.float32)


def _to_xyz(corners: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in corners]).T
    white = np.array([_D65[0] / _D65[1], 1.0, (1 - sum(_D65)) / _D65[1]])
    return np.asarray(columns * np.linalg.solve(columns, white))
