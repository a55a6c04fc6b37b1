"""Claims about colours: code points count as ICC profiles do, HDR becomes the SDR picture, what is unknown is told."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.colour import linear, srgb
from core.intake.colour_space import BT709, BT2020, HLG, P3_D65, PQ, SRGB, Cicp, to_srgb
from core.intake.decode import Photo, decode
from core.intake.review import look
from core.types import Selfie
from tests.sitters import MODELS, RGB, encoded, hopper

HEIC = (Path(__file__).parents[2] / "pictures" / "astronaut.heic").read_bytes()
TO_XYZ = {  # published matrices, D65 (BT.709, BT.2020, SMPTE EG 432-1)
    BT709: ((0.4123908, 0.3575843, 0.1804808), (0.2126390, 0.7151687, 0.0721923), (0.0193308, 0.1191948, 0.9505322)),
    BT2020: ((0.6369580, 0.1446169, 0.1688810), (0.2627002, 0.6779981, 0.0593017), (0.0, 0.0280727, 1.0609851)),
    P3_D65: ((0.4865709, 0.2656677, 0.1982173), (0.2289746, 0.6917385, 0.0792869), (0.0, 0.0451134, 1.0439444)),
}
Floats = NDArray[np.floating]


def carried(rgb: RGB, primaries: int) -> Floats:
    """Linear light of an sRGB picture in other primaries."""
    matrix = np.linalg.solve(np.array(TO_XYZ[primaries]), np.array(TO_XYZ[BT709]))
    return np.maximum(linear(rgb).astype(np.float64) @ matrix.T, 0)


def as_pq(light: Floats) -> Floats:
    """SMPTE ST 2084, white at 203 cd/m2."""
    y = (light * 203 / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def as_hlg(light: Floats) -> Floats:
    """BT.2100 for a display of 1000 cd/m2, white at 203 cd/m2."""
    shown = light * 0.203
    luminance = np.maximum(shown @ np.array([0.2627, 0.6780, 0.0593]), 1e-9)[..., None]
    scene = shown * luminance ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def with_cicp(png: bytes, primaries: int, transfer: int) -> bytes:
    body = b"cICP" + bytes([primaries, transfer, 0, 1])
    return png[:33] + struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body)) + png[33:]


def patched(file: bytes, primaries: int, transfer: int) -> bytes:
    """The same AVIF or HEIC file with other code points in its colour box."""
    at = file.index(b"colrnclx") + 8
    return file[:at] + struct.pack(">HH", primaries, transfer) + file[at + 4 :]


def shown(data: bytes) -> RGB:
    photo = decode(data, "file")
    assert isinstance(photo, Photo), photo
    return photo.cut(0, 0, photo.rgb.shape[1], photo.rgb.shape[0])


def off(one: RGB, other: RGB, most_light: float = 1.0) -> float:
    """Mean difference in 8-bit steps, of the pixels whose brightest channel in linear light is at most `most_light`."""
    dim = linear(other).max(axis=-1) <= most_light
    return float(np.abs(one.astype(int) - other.astype(int))[dim].mean())


def test_display_p3_by_cicp_is_converted_as_its_profile_would_be() -> None:
    stored = np.round(255 * srgb(carried(hopper(), P3_D65).astype(np.float32))).astype(np.uint8)
    assert off(stored, hopper()) > 2.5
    assert off(shown(with_cicp(encoded(stored), P3_D65, SRGB)), hopper()) < 1


@pytest.mark.parametrize(("transfer", "curve"), [(PQ, as_pq), (HLG, as_hlg)])
def test_hdr_becomes_the_sdr_picture_it_was_made_from(transfer: int, curve: object) -> None:
    assert callable(curve)
    stored = np.round(255 * curve(carried(hopper(), BT2020))).astype(np.uint8)
    seen = decode(with_cicp(encoded(stored), BT2020, transfer), "hdr")
    assert isinstance(seen, Photo)
    assert seen.notes == ("tone_mapped",)
    assert off(stored, hopper()) > 14
    assert off(seen.rgb, hopper(), most_light=0.8) < 2.5


def test_sixteen_bits_of_pq_are_exact_below_the_knee_and_ordered_above_it() -> None:
    grey = np.linspace(0, 4, 400)[None, :, None].repeat(3, axis=2)
    stored = np.round(65535 * as_pq(grey)).astype(np.uint16)
    seen = to_srgb(stored, Cicp(BT709, PQ))[0, :, 0].astype(int)
    expected = np.round(255 * srgb(grey[0, :, 0].astype(np.float32)))
    below = grey[0, :, 0] < 0.8
    assert np.abs(seen[below] - expected[below]).max() <= 1
    assert (np.diff(seen) >= 0).all()
    assert seen[-1] == 255
    assert seen[np.searchsorted(grey[0, :, 0], 1.0)] < 250  # there is room left above white


@pytest.mark.parametrize("kind", ["heic", "avif"])
def test_code_points_of_an_iso_file_are_read(kind: str) -> None:
    plain = HEIC if kind == "heic" else encoded(hopper(), "AVIF", quality=90)
    wide, hdr = shown(patched(plain, P3_D65, SRGB)), decode(patched(plain, BT2020, PQ), "hdr")
    assert isinstance(hdr, Photo)
    assert "tone_mapped" in hdr.notes
    saturation = [float(np.ptp(rgb.astype(int), axis=-1).mean()) for rgb in (shown(patched(plain, BT709, SRGB)), wide)]
    assert saturation[1] > 1.05 * saturation[0]


def test_what_is_unknown_is_told_and_shown_as_srgb() -> None:
    seen = look(with_cicp(encoded(hopper()), 200, 99), "odd", MODELS)
    assert isinstance(seen, Selfie)
    assert seen.notes == ("colour_unknown",)
    assert np.array_equal(seen.rgb, hopper())
    broken = look(encoded(hopper(), icc_profile=b"no profile at all"), "broken", MODELS)
    assert isinstance(broken, Selfie)
    assert broken.notes == ("colour_unknown",)


def test_code_points_count_before_a_profile() -> None:
    both = with_cicp(encoded(hopper(), icc_profile=b"no profile at all"), BT709, SRGB)
    photo = decode(both, "both")
    assert isinstance(photo, Photo)
    assert photo.notes == ()
