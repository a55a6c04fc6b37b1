"""Claims about files of unknown origin: what every viewer shows is taken, the rest is refused at once."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from core.intake import decode as decoding
from core.intake.decode import Photo, decode
from core.intake.formats.pillow import MOST_PIXELS
from core.intake.review import REASONS, look
from core.types import Rejected, Selfie
from tests import sitters
from tests.sitters import MODELS, RGB, collins, encoded, hopper

HEIC = (Path(__file__).parents[2] / "pictures" / "astronaut.heic").read_bytes()
"""scikit-image's astronaut, encoded once by libheif: nothing we depend on can write HEIC."""


def decoded(data: bytes) -> Photo:
    photo = decode(data, "file")
    assert isinstance(photo, Photo), photo
    return photo


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def test_every_kind_of_photo_opens_as_the_same_person() -> None:
    photo = collins()
    files = {
        "jpeg": encoded(photo, "JPEG", quality=92),
        "png": encoded(photo),
        "webp": encoded(photo, "WEBP", quality=90),
        "avif": encoded(photo, "AVIF", quality=80),
        "heic": HEIC,
    }
    for kind, data in files.items():
        rgb = decoded(data).rgb
        assert rgb.shape == photo.shape
        assert rgb.dtype == np.uint8
        assert rgb.flags.c_contiguous
        assert np.abs(rgb.astype(int) - photo).mean() < 4, kind


def test_the_name_of_a_file_says_nothing() -> None:
    assert isinstance(look(encoded(collins()), "notes.txt", MODELS), Selfie)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photo.jpg", encoded(collins(), "JPEG"))
    return file.getvalue()


def moving(kind: str) -> bytes:
    file = io.BytesIO()
    picture = hopper()[:128, :128]
    first, second = Image.fromarray(picture), Image.fromarray(picture[::-1].copy())
    first.save(file, kind, save_all=True, append_images=[second], duration=100)
    return file.getvalue()


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("empty", b""),
        ("not_a_photo", b"this is not a photo, whatever its name says\n" * 40),
        ("not_a_photo", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(2000)),
        ("not_a_photo", zipped()),
        ("not_a_photo", encoded(collins(), "TIFF")),
        ("not_a_photo", encoded(collins(), "BMP")),
        ("animated", moving("GIF")),
        ("animated", moving("PNG")),
        ("animated", moving("WEBP")),
        ("animated", moving("AVIF")),
        ("animated", b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(400)),
        ("animated", b"\x00\x00\x00\x14ftypqt  \x20\x05\x03\x00qt  " + bytes(400)),
        ("broken", encoded(hopper(), "JPEG")[:3000]),
        ("broken", encoded(hopper())[:9000]),
        ("broken", encoded(hopper(), "WEBP")[:3000]),
        ("broken", encoded(hopper(), "AVIF", speed=10)[:3000]),
        ("broken", HEIC[:3000]),
        ("broken", b"\xff\xd8\xff\xe0" + bytes(5000)),
        ("too_few_pixels", encoded(np.zeros((1, 1, 3), np.uint8))),
        ("too_few_pixels", encoded(np.zeros((95, 4000, 3), np.uint8), "WEBP")),
        ("too_many_pixels", png_header(30_000, 30_000)),
        ("too_many_pixels", png_header(2**31 - 1, 2**31 - 1)),
        ("too_many_pixels", b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xfe\x3f\0" * 2 + bytes(90)),
        ("too_many_pixels", b"RIFF\x20\0\0\0WEBPVP8L\x0a\0\0\0\x2f\xff\xff\xff\x0f" + bytes(90)),
        ("too_many_bytes", b"\xff\xd8\xff" + bytes(decoding.MAX_BYTES)),
    ],
)  # fmt: skip
def test_a_file_that_is_no_photo_is_refused_for_the_right_reason(reason: str, data: bytes) -> None:
    seen = decode(data, "file.jpg")
    assert isinstance(seen, Rejected)
    assert seen.reason == reason
    assert seen.hint == REASONS[reason].hint


def test_a_refusal_carries_the_number_and_the_limit() -> None:
    seen = decode(png_header(30_000, 30_000), "bomb.png")
    assert isinstance(seen, Rejected)
    assert (seen.name, seen.measured) == ("bomb.png", 900.0)
    assert seen.limit == pytest.approx(decoding.MAX_DECODE_BYTES / 4e6, rel=0.001)


def test_a_file_that_is_no_photo_never_loads_a_model() -> None:
    script = (
        "import sys, json; from core.intake import review; from core.models import Models;"
        "m = Models(); r = review.look(b'text', 'a.jpg', m);"
        "print(json.dumps([r.reason, sorted(vars(m)), 'mediapipe' in sys.modules, 'torch' in sys.modules]))"
    )
    root = Path(__file__).parents[3]
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True, cwd=root)
    assert json.loads(out.stdout) == ["not_a_photo", ["_asked"], False, False]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    turns: dict[int, Callable[[RGB], RGB]] = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p),
        7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
        8: lambda p: np.rot90(p, -1),
    }
    stored = np.ascontiguousarray(turns[orientation](hopper()))
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = decoded(encoded(stored, "JPEG", quality=95, exif=exif))
    assert photo.rgb.shape == hopper().shape
    assert np.abs(photo.rgb.astype(int) - hopper()).mean() < 4


def test_an_embedded_colour_profile_is_applied() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"tmp!").replace(b"bXYZ", b"rXYZ").replace(b"tmp!", b"bXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "ours".encode("utf-16-be"))  # red and blue change places
    photo = hopper()
    plain = decoded(encoded(photo, icc_profile=srgb)).cut(0, 0, 512, 600)
    other = decoded(encoded(photo, icc_profile=swapped)).cut(0, 0, 512, 600)
    assert np.array_equal(plain, photo)
    assert np.abs(other[..., ::-1].astype(int) - photo).mean() < 3


def test_a_broken_colour_profile_does_not_lose_the_photo() -> None:
    assert np.array_equal(decoded(encoded(hopper(), icc_profile=b"no profile at all")).rgb, hopper())


def test_grey_sixteen_bit_cmyk_palette_and_transparency_become_plain_rgb() -> None:
    photo = Image.fromarray(hopper())
    grey = np.asarray(photo.convert("L"))

    def through(picture: Image.Image, kind: str = "PNG") -> sitters.RGB:
        file = io.BytesIO()
        picture.save(file, kind)
        return decoded(file.getvalue()).rgb

    assert np.array_equal(through(photo.convert("L")), np.stack([grey] * 3, axis=-1))
    deep = through(Image.fromarray(grey.astype(np.uint16) * 257))
    assert np.abs(deep[..., 0].astype(int) - grey).max() <= 1
    assert np.abs(through(photo.convert("CMYK"), "JPEG").astype(int) - hopper()).mean() < 6
    assert np.abs(through(photo.quantize(256)).astype(int) - hopper()).mean() < 10
    see_through = photo.copy()
    see_through.putalpha(
        Image.fromarray(np.repeat([[0, 255]], 300, axis=0).repeat(256, axis=1).repeat(2, 0).astype(np.uint8))
    )
    over_white = through(see_through)
    assert (over_white[:, :256] == 255).all()
    assert np.array_equal(over_white[:, 256:], hopper()[:, 256:])


def test_a_photo_larger_than_the_working_size_is_reduced_while_it_is_decoded() -> None:
    large = np.asarray(cv2.resize(hopper(), (4096, 4800)), np.uint8)
    photo = decoded(encoded(large, "JPEG", quality=80))
    assert photo.rgb.shape[0] * photo.rgb.shape[1] <= MOST_PIXELS
    assert photo.rgb.shape[0] >= 2400


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif", "heic"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_a_photo_or_a_refusal_and_never_an_exception(kind: str, data: st.DataObject) -> None:
    whole = bytearray(SMALL[kind])
    for _ in range(data.draw(st.integers(0, 6), "how many bytes change")):
        near_front = data.draw(st.booleans())
        place = data.draw(st.integers(0, (min(300, len(whole)) if near_front else len(whole)) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))), "where it ends")
    seen = decode(bytes(whole[:cut]), "file")
    assert isinstance(seen, Photo | Rejected)
    if isinstance(seen, Photo):
        assert seen.rgb.ndim == 3
        assert seen.rgb.shape[2] == 3
        assert seen.rgb.dtype == np.uint8
        assert seen.cut(0, 0, 50, 50).shape == (50, 50, 3)


SMALL = {
    kind: encoded(np.asarray(cv2.resize(hopper(), (128, 150)), np.uint8), kind.upper())
    for kind in ("jpeg", "png", "webp", "avif")
} | {"heic": HEIC}


@settings(max_examples=200, deadline=None)
@given(head=st.sampled_from([d[:24] for d in SMALL.values()] + [b""]), tail=st.binary(max_size=400))
def test_bytes_behind_any_header_never_raise(head: bytes, tail: bytes) -> None:
    assert isinstance(decode(head + tail, "file"), Photo | Rejected)
