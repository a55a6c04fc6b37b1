"""Claims about which photos are let in: every reason of refusal, on real pictures of two real people."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from core.cli import main
from core.face.embedding import Detection
from core.intake import review as intake
from core.intake.review import REASONS, check, look, review
from core.models import Models
from core.types import Rejected, Selfie
from tests import sitters
from tests.sitters import MODELS, collins, encoded, hopper

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


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


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
        ("tilted", lambda: sitters.turned(collins(), 0, 35)),
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


# --- what is a face ---


def cartoon() -> sitters.RGB:
    """A drawn face: flat colours, two eyes, a nose, a mouth and hair."""
    drawn = np.full((640, 512, 3), (190, 215, 240), np.uint8)
    cv2.ellipse(drawn, (256, 320), (150, 200), 0, 0, 360, (240, 200, 170), -1, 16)
    for x in (190, 322):
        cv2.ellipse(drawn, (x, 290), (38, 22), 0, 0, 360, (255, 255, 255), -1, 16)
        cv2.circle(drawn, (x, 290), 16, (60, 40, 30), -1, 16)
        cv2.ellipse(drawn, (x, 250), (45, 14), 0, 190, 350, (60, 35, 20), 8, 16)
    cv2.line(drawn, (256, 300), (244, 365), (180, 130, 100), 5, 16)
    cv2.ellipse(drawn, (256, 420), (50, 20), 0, 0, 180, (180, 70, 70), -1, 16)
    cv2.ellipse(drawn, (256, 180), (160, 90), 0, 180, 360, (70, 45, 30), -1, 16)
    return drawn


def pencil_drawing() -> sitters.RGB:
    grey, _ = cv2.pencilSketch(hopper()[..., ::-1].copy(), sigma_s=60, sigma_r=0.07, shade_factor=0.05)
    return np.asarray(np.dstack([grey] * 3), np.uint8)


def pan() -> sitters.RGB:
    """Two round holes and a rim over a wooden board."""
    board = np.full((500, 600, 3), (150, 110, 70), np.uint8) + np.random.default_rng(0).integers(
        0, 30, (500, 600, 1), np.uint8
    )
    cv2.circle(board, (300, 250), 180, (184, 115, 51), -1, 16)
    cv2.circle(board, (300, 250), 160, (120, 70, 30), 12, 16)
    for x in (245, 355):
        cv2.circle(board, (x, 210), 22, (30, 20, 15), -1, 16)
    cv2.ellipse(board, (300, 320), (60, 22), 0, 0, 180, (40, 25, 18), -1, 16)
    return np.asarray(board, np.uint8)


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket", "coins", "horse", "gravel", "motorcycle", "clock"])
def test_animals_cups_and_machines_are_no_face(name: str) -> None:
    pictures = {
        "motorcycle": lambda: skimage.data.stereo_motorcycle()[0],
        "horse": lambda: np.uint8(255) * skimage.data.horse(),
    }
    picture = np.asarray(pictures.get(name, lambda: getattr(skimage.data, name)())(), np.uint8)
    rgb = picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1)
    large = np.asarray(cv2.resize(rgb[..., :3], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)
    for each in (rgb[..., :3], large):
        assert refused(encoded(np.ascontiguousarray(each))).reason == "no_face"


@pytest.mark.parametrize("picture", [cartoon, pencil_drawing, pan])
def test_drawings_and_pans_are_no_face(picture: Callable[[], sitters.RGB]) -> None:
    assert refused(encoded(picture())).reason == "no_face"


class DetectorWithGhosts:
    """The real recogniser, whose detector also sees faces in given places of every photo."""

    def __init__(self, *ghosts: Detection) -> None:
        self._ghosts = ghosts

    def find(self, rgb: sitters.RGB, far: bool = True) -> tuple[Detection, ...]:
        found = (*MODELS.recogniser.find(rgb, far), *self._ghosts)
        return tuple(sorted(found, key=lambda face: face.box[2] * face.box[3], reverse=True))

    def __getattr__(self, name: str) -> object:
        return getattr(MODELS.recogniser, name)


def ghost(x: float, y: float, eyes: float) -> Detection:
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32) * (2.5 * eyes)
    return Detection((x, y, 2.5 * eyes, 2.5 * eyes), 0.9, points + np.array((x, y), np.float32))


@pytest.mark.parametrize("eyes", [40.0, 70.0, 120.0])
def test_a_second_detection_counts_only_when_the_mesh_confirms_it(eyes: float) -> None:
    wall = np.random.default_rng(0).integers(90, 110, (600, 700, 3), np.uint8)
    photo = np.concatenate([hopper(), wall], axis=1)
    models = Models()
    models.__dict__.update(landmarker=MODELS.landmarker, recogniser=DetectorWithGhosts(ghost(700, 100, eyes)))
    seen = look(encoded(photo), "painted backdrop", models)
    assert isinstance(seen, Selfie), seen
    assert seen.notes == ()
    assert np.array_equal(seen.rgb, photo)


def test_a_smaller_face_over_the_head_says_how_much_of_it_is_there() -> None:
    small = cv2.resize(collins()[40:260, 130:330], (90, 99), interpolation=cv2.INTER_AREA)
    photo = hopper()
    photo = np.pad(photo, ((200, 0), (100, 100), (0, 0)), mode="edge")
    x, y, w, _ = (round(value) for value in MODELS.recogniser.find(photo)[0].box)
    photo[y - 99 : y, x + w // 2 - 45 : x + w // 2 + 45] = small
    seen = look(encoded(photo), "a face on the hat", MODELS)
    assert isinstance(seen, Rejected), seen.notes
    assert seen.reason == "faces_overlap"
    assert seen.measured > seen.limit == 0


# --- colours ---


def test_odd_colours_are_kept_and_told() -> None:
    def told(picture: sitters.RGB) -> tuple[str, ...]:
        return kept(np.clip(picture, 0, 255).astype(np.uint8)).notes

    grey = cv2.cvtColor(hopper(), cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    assert told(np.repeat(grey, 3, axis=2).astype(np.uint8)) == ("colourless",)
    assert told((grey * (1.07, 0.95, 0.78)).astype(np.uint8)) == ("toned",)
    assert told((hopper() * (0.6, 1.0, 0.6)).astype(np.uint8)) == ("colour_cast",)
    assert told((hopper() * (0.4, 0.7, 1.2)).clip(0, 255).astype(np.uint8)) == ("colour_cast",)
    assert told(hopper()) == told(collins()) == ()
    assert told(sitters.exposed(hopper(), -1.5)) == ()


def test_an_old_print_whose_tint_is_uneven_is_told_too() -> None:
    """A sepia face stood in a blue jacket."""
    grey = cv2.cvtColor(hopper(), cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    across = np.abs(np.mod(np.linspace(0, 8, grey.shape[1], dtype=np.float32), 2) - 1)[None, :, None]
    uneven = grey * ((1.07, 0.95, 0.78) + across * np.array((-0.03, 0.02, 0.08), np.float32))
    assert kept(np.clip(uneven, 0, 255).astype(np.uint8)).notes == ("toned",)


@pytest.mark.parametrize("lean", [-40, -25, 25, 40])
def test_a_leaning_head_is_as_like_itself_as_an_upright_one(lean: int) -> None:
    photo = np.pad(hopper(), ((150, 150), (200, 200), (0, 0)), mode="edge")
    turn = cv2.getRotationMatrix2D((photo.shape[1] / 2, photo.shape[0] / 2), lean, 1.0)
    leant = cv2.warpAffine(photo, turn, photo.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    selfie = kept(np.asarray(leant, np.uint8))
    assert selfie.face.embedding @ kept(hopper()).face.embedding > 0.93


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
