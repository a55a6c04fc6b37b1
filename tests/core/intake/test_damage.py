"""Claims about files that are odd, cut short or dear to open: what viewers show is taken, too dear ones are not."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from core.intake import bounded
from core.intake.bounded import BoundedDecoder
from core.intake.decode import Photo, decode
from core.intake.refusals import REASONS, refuse
from core.intake.review import look
from core.types import Rejected, Selfie
from tests.sitters import MODELS, RGB, encoded, hopper

HEIC = (Path(__file__).parents[2] / "pictures" / "astronaut.heic").read_bytes()


def photo_of(data: bytes) -> Photo:
    photo = decode(data, "file")
    assert isinstance(photo, Photo), photo
    return photo


def refused(data: bytes, draft: bool = False) -> Rejected:
    seen = decode(data, "file", draft)
    assert isinstance(seen, Rejected)
    return seen


@cache
def tall() -> RGB:
    """Hopper above a plain wall: the lower half holds nothing of her."""
    wall = np.random.default_rng(0).integers(80, 130, (600, 512, 1), np.uint8)
    return np.concatenate([hopper(), wall.repeat(3, axis=2)])


def png_with(*chunks: tuple[bytes, bytes]) -> bytes:
    whole = encoded(hopper(), compress_level=1)
    packed = (struct.pack(">I", len(b)) + name + b + struct.pack(">I", zlib.crc32(name + b)) for name, b in chunks)
    return whole[:33] + b"".join(packed) + whole[33:]


# --- what every viewer shows ---


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: png_with((b"iCCP", b"big\0\0" + zlib.compress(bytes(3_000_000), 1))), id="a big profile"),
        pytest.param(lambda: png_with((b"tEXt", b"Comment\0" + b"x" * 3_000_000)), id="long text"),
        pytest.param(lambda: png_with((b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 9_000_000))), id="packed text"),
        pytest.param(lambda: encoded(hopper())[:-12], id="no end"),
        pytest.param(lambda: png_with((b"acTL", struct.pack(">II", 1, 0))), id="APNG of one frame"),
        pytest.param(lambda: encoded(hopper(), "JPEG", quality=95)[:-2], id="JPEG without its end"),
        pytest.param(lambda: encoded(hopper(), "JPEG", quality=95)[:-1], id="JPEG with half its end"),
        pytest.param(lambda: encoded(hopper(), "JPEG", quality=95) + b"MOV behind it" * 99, id="JPEG and more"),
        pytest.param(lambda: last_scan_cut(), id="progressive JPEG, last scan cut"),
        pytest.param(lambda: encoded(hopper(), "GIF"), id="GIF of one frame"),
        pytest.param(lambda: webp_of_one_frame(), id="WebP animation of one frame"),
        pytest.param(lambda: as_sequence(), id="HEIC sequence with a still"),
    ],
)
def test_what_every_viewer_shows_is_taken(data: Callable[[], bytes]) -> None:
    seen = look(data(), "file", MODELS)
    assert isinstance(seen, Selfie), seen


def last_scan_cut() -> bytes:
    whole = encoded(hopper(), "JPEG", quality=95, progressive=True)
    return whole[: whole.rindex(b"\xff\xda") + 400]


def webp_of_one_frame() -> bytes:
    still = encoded(hopper(), "WEBP", quality=90)
    frame = bytes(6) + (511).to_bytes(3, "little") + (599).to_bytes(3, "little") + bytes(4) + still[12:]
    canvas = b"\x02\0\0\0" + (511).to_bytes(3, "little") + (599).to_bytes(3, "little")
    parts = ((b"VP8X", canvas), (b"ANIM", bytes(6)), (b"ANMF", frame))
    body = b"".join(name + len(part).to_bytes(4, "little") + part + b"\0" * (len(part) % 2) for name, part in parts)
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


def as_sequence() -> bytes:
    return HEIC[:8] + b"msf1" + HEIC[12:]


# --- what is missing ---


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_what_is_missing_is_cut_away_where_no_face_is(kind: str) -> None:
    whole = encoded(tall(), kind)
    photo = photo_of(whole[: len(whole) * 8 // 10])
    assert 0.02 < photo.missing < 0.5
    assert photo.notes == ("cut_short",)
    height = photo.rgb.shape[0]
    assert height == pytest.approx(1200 * (1 - photo.missing), abs=4)
    assert np.abs(photo.rgb[:600].astype(int) - hopper()).mean() < 4
    assert not (photo.rgb[-1] == 128).all(), "no row of the decoder's own grey is left"
    kept = look(whole[: len(whole) * 8 // 10], "cut", MODELS)
    assert isinstance(kept, Selfie)
    assert "cut_short" in kept.notes


def test_one_percent_missing_is_kept() -> None:
    whole = encoded(hopper(), "JPEG", quality=90)
    seen = look(whole[: len(whole) * 99 // 100], "file", MODELS)
    assert isinstance(seen, Selfie), seen


def test_a_file_that_ends_in_the_face_is_refused_as_cut_short_with_the_part_that_is_missing() -> None:
    whole = encoded(hopper(), "JPEG", quality=90)
    seen = look(whole[: len(whole) * 40 // 100], "file", MODELS)
    assert isinstance(seen, Rejected)
    assert seen.reason == "broken"
    assert 40 < seen.measured < 80
    assert seen.limit == 0


def test_a_cut_photo_that_lies_on_its_side_loses_the_side_that_is_missing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = encoded(np.ascontiguousarray(np.rot90(tall())), "JPEG", quality=90, exif=exif)
    photo = photo_of(whole[: len(whole) * 9 // 10])
    assert photo.rgb.shape[0] == 1200
    assert photo.rgb.shape[1] < 512


# --- cost ---


def scans(count: int, side: int) -> bytes:
    """A progressive JPEG with passes that hold nothing behind its own."""
    whole = encoded(np.full((side, side, 3), 90, np.uint8), "JPEG", progressive=True)
    at = whole.rindex(b"\xff\xda")
    length = 2 + int.from_bytes(whole[at + 2 : at + 4], "big")
    return whole[:-2] + (whole[at : at + length] + b"\x00") * count + b"\xff\xd9"


def test_many_passes_over_a_picture_are_refused_by_the_header() -> None:
    seen = refused(scans(2000, 2000))
    assert (seen.reason, seen.measured > seen.limit) == ("too_costly", True)
    assert isinstance(decode(scans(20, 400), "file"), Photo)


@pytest.mark.parametrize(
    ("kind", "width", "height", "kept"),
    [
        ("JPEG", 12_000, 9_000, True),  # a phone's 108 megapixels
        ("PNG", 12_000, 9_000, False),
        ("WEBP", 10_000, 8_200, False),
    ],
)
def test_limits_follow_what_the_format_costs(kind: str, width: int, height: int, kept: bool) -> None:
    options = {"JPEG": {"quality": 30}, "PNG": {"compress_level": 1}, "WEBP": {"quality": 1, "method": 0}}[kind]
    file = io.BytesIO()
    Image.new("RGB", (width, height), (90, 100, 120)).save(file, kind, **options)
    seen = decode(file.getvalue(), "file", True)
    if kept:
        assert isinstance(seen, Photo)
        assert seen.rgb.shape[0] * seen.rgb.shape[1] < 16_000_000
    else:
        assert isinstance(seen, Rejected)
        assert seen.reason == "too_many_pixels"
        assert seen.limit < 60


def test_a_large_phone_jpeg_shows_the_face_that_is_on_it() -> None:
    large = np.asarray(cv2.resize(hopper(), (9_000, 10_547), interpolation=cv2.INTER_LINEAR), np.uint8)
    seen = look(encoded(large, "JPEG", quality=40), "95 megapixels", MODELS)
    assert isinstance(seen, Selfie), seen
    assert 189 < seen.face.eye_px < 260


class CountedBytes(bytes):
    """Bytes that count how often they are looked at."""

    looks = 0

    def __getitem__(self, key: Any) -> Any:
        CountedBytes.looks += 1
        return bytes.__getitem__(self, key)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: b"\xff\xd8\xff" + b"\xff\xe0\0\2" * 5_000_000, id="JPEG segments"),
        pytest.param(lambda: encoded(hopper())[:33] + b"\0\0\0\0teSt\0\0\0\0" * 2_000_000, id="PNG chunks"),
        pytest.param(lambda: b"RIFF\0\0\0\0WEBP" + b"JUNK\0\0\0\0" * 3_000_000, id="WebP chunks"),
        pytest.param(lambda: encoded(hopper(), "GIF")[:781] + b"!\xfe\1x\0" * 3_000_000, id="GIF blocks"),
        pytest.param(lambda: encoded(hopper(), "GIF")[:781] + b"!\xfe" + b"\1x" * 9_000_000, id="GIF sub-blocks"),
        pytest.param(lambda: HEIC[:32] + b"\0\0\0\x08free" * 3_000_000, id="boxes"),
    ],
)
def test_millions_of_small_pieces_are_not_walked(data: Callable[[], bytes]) -> None:
    CountedBytes.looks = 0
    assert isinstance(decode(CountedBytes(data()), "file"), Rejected)
    assert CountedBytes.looks < 1_000_000


# --- decoding in a process of its own ---


def test_the_bounded_decoder_answers_as_the_plain_one() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    other = srgb.replace("sRGB".encode("utf-16-be"), "ours".encode("utf-16-be"))
    decoder = BoundedDecoder()
    try:
        for data in (encoded(hopper(), icc_profile=other), encoded(hopper(), "JPEG"), b"text", b""):
            here, there = decode(data, "file"), decoder.decode(data, "file")
            if isinstance(here, Photo):
                assert isinstance(there, Photo)
                assert np.array_equal(here.rgb, there.rgb)
                assert (here.colour, here.sha256, here.notes) == (there.colour, there.sha256, there.notes)
            else:
                assert here == there
        assert isinstance(look(encoded(hopper()), "file", MODELS, decoder.decode), Selfie)
    finally:
        decoder.close()


def test_a_photo_that_takes_too_much_memory_costs_only_itself() -> None:
    large = io.BytesIO()
    Image.new("RGB", (6000, 6000), (9, 9, 9)).save(large, "PNG", compress_level=1)
    decoder = BoundedDecoder(memory_bytes=60_000_000)
    try:
        seen = decoder.decode(large.getvalue(), "large")
        assert isinstance(seen, Rejected)
        assert (seen.reason, seen.hint) == ("too_costly", REASONS["too_costly"].hint)
        assert isinstance(decoder.decode(encoded(hopper(), "JPEG"), "next"), Photo)
    finally:
        decoder.close()


def test_a_photo_that_takes_too_long_costs_only_itself() -> None:
    decoder = BoundedDecoder(time_s=0.001)
    try:
        assert decoder.decode(encoded(hopper(), "JPEG"), "slow") == refuse("slow", "too_costly")
        decoder._time_s = bounded.TIME_S
        assert isinstance(decoder.decode(encoded(hopper(), "JPEG"), "next"), Photo)
    finally:
        decoder.close()
