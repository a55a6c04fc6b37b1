"""Why a photo is not kept: every machine reason, what it means, and the one kind sentence that goes with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from core.errors import NoMajority, Refused
from core.types import Rejected

Bound = Literal["min", "max", "none"]


@dataclass(frozen=True, slots=True)
class Reason:
    """What a machine reason means, the unit of its measured number and limit, and what to tell the person.

    bounds: which sides of its limit the number may break (`core.types.Rejected.bound`).
    """

    means: str
    unit: str
    hint: str
    bounds: tuple[Bound, ...]


REASONS: Final[dict[str, Reason]] = {
    "empty": Reason("no bytes", "bytes", "That file arrived empty. Please send it again.", ("min",)),
    "too_many_bytes": Reason(
        "the file is too large", "megabytes", "Please send a smaller copy of this photo.", ("max",)
    ),
    "not_a_photo": Reason(
        "not JPEG, PNG, WebP, HEIC, AVIF or GIF", "", "Please send a photo: JPEG, PNG, WebP or HEIC.", ("none",)
    ),
    "animated": Reason("a video or an animation", "frames", "Please send a still photo instead.", ("none", "max")),
    "broken": Reason(
        "cannot be decoded",
        "percent of the picture that is missing",
        "This file is damaged or cut short. Please send the original again.",
        ("none", "max"),
    ),
    "too_many_pixels": Reason("too large to open", "megapixels", "Please send a smaller copy of this photo.", ("max",)),
    "too_costly": Reason(
        "takes too long or too much memory to open",
        "passes over the picture",
        "Please open this photo, save it anew, and send that.",
        ("none", "max"),
    ),
    "too_few_pixels": Reason(
        "a thumbnail", "pixels on the short side", "Please send the original, not a thumbnail.", ("min",)
    ),
    "no_face": Reason(
        "no face was found, or detector, mesh and recogniser do not agree on one",
        "faces",
        "I can't find a face. Please send a photo of you, facing the camera.",
        ("min",),
    ),
    "group": Reason(
        "a second face as large", "percent of the largest face", "Please send a photo with only you on it.", ("max",)
    ),
    "faces_overlap": Reason(
        "a smaller face cannot be cropped away from the head",
        "percent of it inside the head's surroundings",
        "Please send a photo with only you on it.",
        ("max",),
    ),
    "face_small": Reason(
        "too few pixels on the face",
        "pixels between the eyes",
        "Please come closer, or send the original file.",
        ("min",),
    ),
    "face_cut": Reason(
        "part of the face is outside", "percent of the outline", "Please keep your whole head in the picture.", ("max",)
    ),
    "turned_away": Reason(
        "turned too far to the side", "degrees", "Please turn a little more towards the camera.", ("max",)
    ),
    "tilted": Reason("looking too far up or down", "degrees", "Please hold the camera at eye level.", ("max",)),
    "covered": Reason(
        "something covers the face",
        "part of the skin's own light or red",
        "Please show your whole face, with nothing in front of it.",
        ("min", "max"),
    ),
    "sunglasses": Reason(
        "the eyes are hidden", "part of the skin's own light or tint", "Please take the sunglasses off.", ("min", "max")
    ),
    "too_bright": Reason(
        "the face is burnt out", "percent of the face", "Too bright. Please step out of the direct light.", ("max",)
    ),
    "too_dark": Reason(
        "no tones left in the face", "grey levels", "Too dark. Please face a window or a lamp.", ("min",)
    ),
    "harsh_light": Reason(
        "half of the face is in the dark",
        "times",
        "Please turn so that the light reaches both sides of your face.",
        ("max",),
    ),
    "blurred": Reason(
        "out of focus or shaken", "sharpness 0..1", "A bit blurred. Please wipe the lens and hold still.", ("min",)
    ),
    "duplicate": Reason(
        "the same moment as a better photo",
        "percent alike",
        "I already have this one. Please send a different photo.",
        ("max",),
    ),
    "other_person": Reason(
        "not the person on most photos",
        "likeness",
        "This seems to be someone else. Please send only photos of you.",
        ("min",),
    ),
    "no_majority": Reason(
        "no person is on more than half",
        "photos of one person",
        "These show different people. Please send photos of one person.",
        ("min",),
    ),
    "eyes_closed": Reason(
        "eyes closed, compared with the other photos",
        "eyeBlink 0..1",
        "Your eyes are closed here. Please send another one.",
        ("max",),
    ),
}
"""Every reason `core.intake.review` may give."""


def refuse(name: str, reason: str, measured: float = 0.0, limit: float = 0.0) -> Rejected:
    """Make the value that says no; measured and limit are in the unit REASONS gives.

    The number is rounded to three figures away from its limit, so that it breaks it in print too.
    Raises ValueError where the number does not break the limit on a side the reason knows.
    """
    entry, measured, limit = REASONS[reason], float(measured), float(limit)
    bound: Bound = "min" if measured < limit else "max" if measured > limit else "none"
    if bound not in entry.bounds:
        raise ValueError(f"{reason}: {measured} against the limit {limit} is no reason to refuse")
    return Rejected(name, reason, _rounded(measured, bound), limit, entry.hint, bound)


def _rounded(value: float, bound: Bound) -> float:
    """Return three significant figures, away from the limit."""
    if not 1e-9 < abs(value) < 1e15 or bound == "none":
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    near = round(value / step)
    exact = abs(near * step - value) < 1e-9 * abs(value)
    if exact:
        return value
    return round((math.ceil(value / step) if bound == "max" else math.floor(value / step)) * step, 12)


def refusal_of(rejected: Sequence[Rejected]) -> Refused:
    """Return the error for a set of which no photo can be used; its message says why in one sentence."""
    if {item.reason for item in rejected} == {"no_majority"}:
        return NoMajority("no_majority", f"{len(rejected)} photos show different people; send photos of one person")
    first = rejected[0]
    return Refused(first.reason, f"no photo can be used ({len(rejected)} refused); {first.name}: {first.hint}")
