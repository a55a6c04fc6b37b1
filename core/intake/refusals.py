"""Why a photo is not kept: every machine reason, what it means, and the one kind sentence that goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.errors import NoMajority, Refused
from core.types import Rejected


@dataclass(frozen=True, slots=True)
class Reason:
    """What a machine reason means, the unit of its measured number and limit, and what to tell the person."""

    means: str
    unit: str
    hint: str


REASONS: Final[dict[str, Reason]] = {
    # the file
    "empty": Reason("no bytes", "bytes", "That file arrived empty. Please send it again."),
    "too_many_bytes": Reason("the file is too large", "megabytes", "Please send a smaller copy of this photo."),
    "not_a_photo": Reason("not JPEG, PNG, WebP, HEIC or AVIF", "", "Please send a photo: JPEG, PNG, WebP or HEIC."),
    "animated": Reason("a video or an animation", "frames", "Please send a still photo instead."),
    "broken": Reason("cannot be decoded", "", "This file is damaged or cut short. Please send the original again."),
    "too_many_pixels": Reason("too large to open", "megapixels", "Please send a smaller copy of this photo."),
    "too_few_pixels": Reason("a thumbnail", "pixels on the short side", "Please send the original, not a thumbnail."),
    # the face
    "no_face": Reason(
        "no face was found", "faces", "I can't find a face. Please send a photo of you, facing the camera."
    ),
    "group": Reason(
        "a second face as large", "percent of the largest face", "Please send a photo with only you on it."
    ),
    "face_small": Reason(
        "too few pixels on the face", "pixels between the eyes", "Please come closer, or send the original file."
    ),
    "face_cut": Reason(
        "part of the face is outside", "percent of the outline", "Please keep your whole head in the picture."
    ),
    "turned_away": Reason("turned too far to the side", "degrees", "Please turn a little more towards the camera."),
    "tilted": Reason("looking too far up or down", "degrees", "Please hold the camera at eye level."),
    "covered": Reason(
        "something covers the face",
        "part of the skin's own light or red",
        "Please show your whole face, with nothing in front of it.",
    ),
    "sunglasses": Reason(
        "the eyes are hidden", "part of the skin's own light or tint", "Please take the sunglasses off."
    ),
    "too_bright": Reason(
        "the face is burnt out", "percent of the face", "Too bright. Please step out of the direct light."
    ),
    "too_dark": Reason("no tones left in the face", "grey levels", "Too dark. Please face a window or a lamp."),
    "harsh_light": Reason(
        "half of the face is in the dark", "times", "Please turn so that the light reaches both sides of your face."
    ),
    "blurred": Reason(
        "out of focus or shaken", "sharpness 0..1", "A bit blurred. Please wipe the lens and hold still."
    ),
    # the set
    "duplicate": Reason(
        "the same moment as a better photo", "percent alike", "I already have this one. Please send a different photo."
    ),
    "other_person": Reason(
        "not the person on most photos", "likeness", "This seems to be someone else. Please send only photos of you."
    ),
    "no_majority": Reason(
        "no person is on more than half",
        "photos of one person",
        "These show different people. Please send photos of one person.",
    ),
    "eyes_closed": Reason(
        "eyes closed, compared with the other photos",
        "eyeBlink 0..1",
        "Your eyes are closed here. Please send another one.",
    ),
}
"""Every reason `core.intake.review` may give."""


def refuse(name: str, reason: str, measured: float, limit: float) -> Rejected:
    """Make the value that says no; measured and limit are in the unit REASONS gives."""
    return Rejected(name, reason, float(measured), float(limit), REASONS[reason].hint)


def refusal_of(rejected: Sequence[Rejected]) -> Refused:
    """Return the error for a set of which no photo can be used; its message says why in one sentence."""
    if {item.reason for item in rejected} == {"no_majority"}:
        return NoMajority("no_majority", f"{len(rejected)} photos show different people; send photos of one person")
    first = rejected[0]
    return Refused(first.reason, f"no photo can be used ({len(rejected)} refused); {first.name}: {first.hint}")
