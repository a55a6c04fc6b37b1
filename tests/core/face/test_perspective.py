"""Claims about nearness: it is undone where the file tells the lens, and only there."""

import io
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core import frame
from core.face import perspective
from core.intake import review
from core.types import Rejected, Selfie
from tests import sitters

NEAR_M = 0.35


@cache
def taken_from_near() -> NDArray[np.uint8]:
    """Hopper as a phone in her own hand would have seen her."""
    hopper = sitters.hopper()
    return perspective.dolly(hopper, sitters.landmarks(hopper), perspective.FAR_M, NEAR_M)


def as_file(rgb: NDArray[np.uint8], from_m: float, size_told: tuple[int, int] | None = None) -> bytes:
    """A JPEG whose EXIF tells the lens that sees these eyes at that distance."""
    eyes = frame.eye_centres(sitters.landmarks(rgb))
    focal_px = from_m / perspective.EYES_M * float(np.linalg.norm(eyes[1] - eyes[0]))
    exif = Image.Exif()
    lens = exif.get_ifd(0x8769)
    lens[0xA405] = round(focal_px / np.hypot(*rgb.shape[:2]) * 43.27)
    lens[0xA002], lens[0xA003] = size_told or (rgb.shape[1], rgb.shape[0])
    packed = io.BytesIO()
    Image.fromarray(rgb).save(packed, "JPEG", quality=97, exif=exif)
    return packed.getvalue()


def look_at(data: bytes) -> Selfie | Rejected:
    return review.look(data, "photo", sitters.MODELS)


def test_a_face_seen_from_near_gets_its_own_shape_back() -> None:
    near, undone = look_at(as_file(taken_from_near(), 2.0)), look_at(as_file(taken_from_near(), NEAR_M))
    assert isinstance(near, Selfie) and isinstance(undone, Selfie)  # noqa: PT018
    assert (near.notes, undone.notes) == ((), ("perspective_undone",))
    hopper = sitters.hopper()
    x, y, width, height = (round(side) for side in undone.face.box)
    face = (slice(y, y + height), slice(x, x + width))
    apart = [float(np.abs(seen.rgb[face].astype(float) - hopper[face]).mean()) for seen in (near, undone)]
    assert apart[1] < 0.6 * apart[0]


def test_the_eyes_stay_where_they_are_and_as_large() -> None:
    undone = look_at(as_file(taken_from_near(), NEAR_M))
    assert isinstance(undone, Selfie)
    before = frame.eye_centres(sitters.landmarks(taken_from_near()))[:, :2]
    after = frame.eye_centres(undone.face.landmarks)[:, :2]
    assert np.abs(after - before).max() < 0.03 * undone.face.eye_px


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: sitters.encoded(taken_from_near()), id="no lens told"),
        pytest.param(lambda: as_file(taken_from_near(), 1.2), id="far enough"),
        pytest.param(lambda: as_file(taken_from_near(), NEAR_M, (4032, 3024)), id="cropped since"),
        pytest.param(lambda: as_file(taken_from_near(), 0.03), id="no such lens"),
    ],
)
def test_without_evidence_nothing_is_bent(data: Callable[[], bytes]) -> None:
    seen = look_at(data())
    assert isinstance(seen, Selfie)
    assert "perspective_undone" not in seen.notes
