"""Claims about which photos are let in: every reason of refusal, on real pictures of two real people."""

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
import sitters
import skimage.data
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from sitters import MODELS, collins, encoded, hopper

from core.cli import main
from core.intake import decode as decoding
from core.intake import review as intake
from core.intake.review import REASONS, Photo, check, decode, look, review
from core.models import Models
from core.types import Rejected, Selfie

HEIC = (Path(__file__).parents[2] / "pictures" / "astronaut.heic").read_bytes()
"""scikit-image's astronaut, encoded once by libheif: nothing we depend on can write HEIC."""
TILED = (Path(__file__).parents[2] / "pictures" / "phone.heic").read_bytes()
"""matplotlib's Grace Hopper at 12 megapixels with a little noise, written as phones do: 56 tiles in one grid."""


def kept(photo: sitters.RGB, name: str = "photo") -> Selfie:
    seen = sitters.look(photo, name)
    assert isinstance(seen, Selfie), seen
    return seen


def test_a_phone_s_heic_of_many_tiles_is_one_whole_picture() -> None:
    seen, small = look(TILED, "IMG_0001.HEIC", MODELS), kept(hopper())
    assert isinstance(seen, Selfie), seen
    height, width = seen.rgb.shape[:2]
    assert width / height == pytest.approx(512 / 600, rel=0.01)
    there = cv2.resize(seen.rgb, (512, 600), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(there - small.rgb).mean() < 4, "every tile in its place"


def refused(data: bytes) -> Rejected:
    seen = look(data, "file", MODELS)
    assert isinstance(seen, Rejected), seen
    return seen


def decoded(data: bytes) -> Photo:
    photo = decode(data, "file")
    assert isinstance(photo, Photo), photo
    return photo


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


# --- the file ---


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
    first, second = Image.fromarray(hopper()), Image.fromarray(hopper()[::-1].copy())
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
        ("animated", encoded(collins(), "GIF")),
        ("animated", moving("PNG")),
        ("animated", moving("WEBP")),
        ("animated", moving("AVIF")),
        ("animated", b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(400)),
        ("animated", b"\x00\x00\x00\x14ftypqt  \x20\x05\x03\x00qt  " + bytes(400)),
        ("broken", encoded(hopper(), "JPEG")[:9000]),
        ("broken", encoded(hopper())[:9000]),
        ("broken", encoded(hopper(), "WEBP")[:3000]),
        ("broken", encoded(hopper(), "AVIF")[:3000]),
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
    assert (seen.name, seen.measured, seen.limit) == ("bomb.png", 900.0, 100.0)


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
    back = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p),
        7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
        8: lambda p: np.rot90(p, -1),
    }[orientation]
    stored = np.ascontiguousarray(back(hopper()))
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
    assert photo.rgb.shape[0] * photo.rgb.shape[1] <= decoding.MOST_PIXELS
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


# --- the face ---


def test_both_sitters_are_kept_as_they_are() -> None:
    for photo, eyes in ((hopper(), 82), (collins(), 41)):
        selfie = kept(photo)
        assert selfie.face.eye_px == pytest.approx(eyes, abs=1.5)
        assert selfie.face.landmarks.shape == (478, 3)
        assert selfie.face.blendshapes.shape == (52,)
        assert np.linalg.norm(selfie.face.embedding) == pytest.approx(1, abs=1e-5)
        assert abs(selfie.face.yaw_deg) < 15
        assert selfie.notes == ()


@pytest.mark.parametrize(
    ("reason", "picture"),
    [
        ("no_face", lambda: skimage.data.coffee()),
        ("no_face", lambda: skimage.data.chelsea()),
        ("no_face", lambda: skimage.data.rocket()),
        ("no_face", lambda: np.full((600, 800, 3), 90, np.uint8)),
        ("group", lambda: sitters.beside(hopper(), collins(), 1.0)),
        ("group", lambda: sitters.beside(hopper(), collins(), 0.7)),
        ("face_small", lambda: np.stack([skimage.data.camera()] * 3, axis=-1)),
        ("face_small", lambda: cv2.resize(hopper(), (205, 240), interpolation=cv2.INTER_AREA)),
        ("face_cut", lambda: hopper()[int(sitters.landmarks(hopper())[9, 1]) :]),
        ("face_cut", lambda: hopper()[: int(sitters.landmarks(hopper())[17, 1])]),
        ("face_cut", lambda: hopper()[:, int(sitters.landmarks(hopper())[4, 0]) :]),
        ("turned_away", lambda: sitters.turned(collins(), 75)),
        ("tilted", lambda: sitters.turned(hopper(), 0, -50)),
        ("tilted", lambda: sitters.turned(collins(), 0, 45)),
        ("covered", lambda: sitters.wearing_mask(hopper(), (150, 190, 215))),
        ("covered", lambda: sitters.wearing_mask(collins(), (225, 225, 222))),
        ("covered", lambda: sitters.wearing_mask(collins(), (30, 30, 33))),
        ("sunglasses", lambda: sitters.wearing_sunglasses(hopper())),
        ("sunglasses", lambda: sitters.wearing_sunglasses(collins(), (50, 30, 20), 0.85)),
        ("sunglasses", lambda: sitters.wearing_sunglasses(collins(), (90, 130, 190), 0.9)),
        ("too_bright", lambda: sitters.exposed(hopper(), 2)),
        ("too_dark", lambda: sitters.exposed(hopper(), -4)),
        ("harsh_light", lambda: sitters.lit_from_one_side(hopper())),
        ("blurred", lambda: sitters.blurred(hopper(), 0.035)),
        ("blurred", lambda: sitters.shaken(collins(), 0.15)),
    ],
)  # fmt: skip
def test_a_photo_is_refused_for_the_right_reason(reason: str, picture: Callable[[], sitters.RGB]) -> None:
    assert refused(encoded(np.asarray(picture(), np.uint8))).reason == reason


@pytest.mark.parametrize(
    "picture",
    [
        lambda: sitters.exposed(hopper(), -2),
        lambda: sitters.exposed(collins(), 0.5),
        lambda: sitters.wearing_sunglasses(hopper(), (60, 40, 30), 0.4),  # spectacles with a tint
        lambda: sitters.turned(hopper(), 25),
        lambda: sitters.blurred(hopper(), 0.01),
    ],
)
def test_an_imperfect_photo_is_kept(picture: Callable[[], sitters.RGB]) -> None:
    kept(picture())


def test_skin_three_stops_darker_in_the_same_light_is_kept() -> None:
    photo = hopper()
    points = sitters.landmarks(photo)
    shade = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(shade, [cv2.convexHull(points[:468, :2].astype(np.int32))], 255)
    for lids in (sitters.RIGHT_LIDS, sitters.LEFT_LIDS):  # eyes stay as bright as they are in everybody
        cv2.fillPoly(shade, [points[list(lids), :2].astype(np.int32)], 0)
    alpha = cv2.GaussianBlur(shade, (0, 0), 2)[..., None] / 255.0
    darker = (photo * (1 - alpha) + sitters.exposed(photo, -3) * alpha).astype(np.uint8)
    assert kept(darker).luminance < kept(photo).luminance / 5


def test_every_quarter_turn_comes_upright() -> None:
    for quarters in (1, 2, 3):
        for photo in (hopper(), collins()):
            selfie = kept(np.ascontiguousarray(np.rot90(photo, quarters)))
            assert selfie.notes == ("turned",)
            assert np.array_equal(selfie.rgb, photo)


def test_someone_smaller_in_the_background_is_cropped_away() -> None:
    selfie = kept(sitters.beside(hopper(), collins(), 0.45))
    assert selfie.notes == ("others_cropped",)
    assert len(MODELS.recogniser.find(selfie.rgb)) == 1
    alone = kept(hopper())
    assert selfie.face.embedding @ alone.face.embedding > 0.9


def test_a_small_face_in_a_large_photo_is_cut_out_at_the_files_own_resolution() -> None:
    wide = np.full((2400, 4000, 3), 200, np.uint8)
    wide[900:1500, 1700:2212] = hopper()
    selfie = look(encoded(wide, "JPEG", quality=92), "wide", MODELS)
    assert isinstance(selfie, Selfie)
    assert selfie.face.eye_px == pytest.approx(82, abs=3)
    assert selfie.rgb.shape[0] * selfie.rgb.shape[1] < 1_000_000


def test_a_close_up_is_brought_to_the_size_of_a_print() -> None:
    large = np.asarray(cv2.resize(hopper(), None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC), np.uint8)
    selfie = look(encoded(large, "JPEG", quality=85), "large", MODELS)
    assert isinstance(selfie, Selfie)
    assert 189 < selfie.face.eye_px < 240


# --- the set ---


def test_one_photo_sent_nine_times_is_kept_once() -> None:
    photo = Image.fromarray(hopper())
    files = [
        ("best", encoded(hopper())),
        *((f"saved at {quality}", encoded(hopper(), "JPEG", quality=quality)) for quality in (40, 60, 80, 95)),
        ("smaller", encoded(np.asarray(photo.resize((384, 450), Image.Resampling.LANCZOS)))),
        ("cropped", encoded(hopper()[20:, 30:])),
        ("mirrored", encoded(hopper()[:, ::-1].copy())),
        ("brighter", encoded(sitters.exposed(hopper(), 0.3))),
    ]
    report = check(files, MODELS)
    assert len(report.kept) == 1
    assert [no.reason for no in report.rejected] == ["duplicate"] * 8
    assert report.baseline is None


def test_another_turn_of_the_head_is_not_a_duplicate() -> None:
    left, right = kept(sitters.turned(hopper(), 20), "left"), kept(sitters.turned(hopper(), -8), "right")
    both, nobody = review([left, right])
    assert [selfie.name for selfie in both] == ["left", "right"]
    assert nobody == ()


def test_somebody_else_among_the_photos_is_refused() -> None:
    mine = [kept(sitters.turned(hopper(), yaw), f"{yaw}") for yaw in (-12, 0, 22)]
    left, out = review([*mine[:1], kept(collins(), "friend"), *mine[1:]])
    assert [selfie.name for selfie in left] == ["-12", "0", "22"]
    assert [(no.name, no.reason) for no in out] == [("friend", "other_person")]
    assert out[0].measured < out[0].limit


def test_without_a_majority_person_everybody_is_refused() -> None:
    report = check([("one", encoded(hopper())), ("two", encoded(collins()))], MODELS)
    assert report.kept == ()
    assert [(no.reason, no.measured, no.limit) for no in report.rejected] == [("no_majority", 1, 2)] * 2


def test_nine_copies_do_not_outvote_two_photos_of_somebody_else() -> None:
    copies = [kept(hopper(), f"copy {number}") for number in range(9)]
    others = [kept(collins(), "a"), kept(sitters.turned(collins(), -14), "b")]
    left, _ = review([*copies, *others])
    assert [selfie.name for selfie in left] == ["a", "b"]


def test_closed_eyes_are_refused_against_the_persons_own_eyes() -> None:
    shut = kept(sitters.with_eyes_closed(collins()), "shut")
    mine = [kept(collins(), "a"), kept(sitters.turned(collins(), -14), "b"), shut]
    left, out = review(mine)
    assert [selfie.name for selfie in left] == ["a", "b"]
    assert [(no.name, no.reason) for no in out] == [("shut", "eyes_closed")]
    assert review([shut])[1][0].reason == "eyes_closed"


def test_a_set_of_nothing_is_an_empty_report() -> None:
    report = check([], Models())
    assert (report.kept, report.rejected, report.baseline) == ((), (), None)


def test_check_tells_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    check([("a", b""), ("b", encoded(hopper()))], MODELS, lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_each_rule_and_refusal_is_documented() -> None:
    assert {rule.reason for rule in intake.RULES} <= REASONS.keys()
    for reason in REASONS.values():
        assert reason.means
        assert reason.hint.endswith(".")
        assert len(reason.hint) < 80


# --- the command line ---


@pytest.mark.parametrize(
    ("photos", "reasons"),
    [
        (lambda: {"text.jpg": b"hello"}, ["not_a_photo"]),
        (lambda: {"header.png": png_header(30_000, 30_000)}, ["too_many_pixels"]),
        (lambda: {"cut.jpg": encoded(hopper(), "JPEG")[:9000]}, ["broken"]),
        (lambda: {"dot.png": encoded(hopper()[:1, :1])}, ["too_few_pixels"]),
        (lambda: {"cup.png": encoded(skimage.data.coffee())}, ["no_face"]),
        (lambda: {"we.png": encoded(sitters.beside(hopper(), collins(), 1.0))}, ["group"]),
        (lambda: {"me.png": encoded(hopper()), "you.png": encoded(collins())}, ["no_majority", "no_majority"]),
    ],
)  # fmt: skip
def test_check_refuses_with_exit_code_two_and_the_reason(
    photos: Callable[[], dict[str, bytes]], reasons: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = photos()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    assert main(["check", *(str(tmp_path / name) for name in files), "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert [(photo["name"], photo["kept"]) for photo in said["photos"]] == [(name, False) for name in files]
    assert [photo["reason"] for photo in said["photos"]] == reasons


def test_check_keeps_with_exit_code_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "me.png").write_bytes(encoded(hopper()))
    assert main(["check", str(tmp_path / "me.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["photos"][0]["kept"] is True
