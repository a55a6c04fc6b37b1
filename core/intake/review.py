"""Bytes -> Selfie | Rejected: is this a photo, is there one face on it, and is it good enough to learn from?

    decode   header first, then pixels: upright sRGB, nothing else of the file goes on
    locate   the one face of a photo, its mesh, and the piece of the photo that goes on
    look     one photo: the measures of its face against the RULES
    review   the set: duplicates, another person, closed eyes
    check    look at each, then review

A refusal is a value, never an exception: machine reason, measured number, limit, one kind instruction.
What the rules are and where their limits come from stands in `core.intake.quality`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from core.face import embedding as likeness
from core.intake.decode import Decode, decode
from core.intake.locate import LocatedFace, Models, fit_mesh, locate
from core.intake.names import told_apart
from core.intake.quality import RULES, colour_notes, framed, measure
from core.intake.refusals import REASONS, refuse
from core.types import Face, Rejected, Selfie

__all__ = ["REASONS", "RULES", "CheckReport", "Models", "check", "look", "review"]

SAME_PHOTO_BITS: Final = 10
"""Bits of 64 that may differ between the perceptual hashes of one photo saved twice: copies that were recompressed,
resized, cropped, mirrored, brightened or leant differ in 0 to 6, different photos of one person in 22 to 32."""
SAME_PHOTO_LIKENESS: Final = 0.9
"""Likeness from which two pictures with the same hash are the same moment of one person."""
SAME_POSE_DEG: Final = 6.0
SAME_EXPRESSION: Final = 0.35
"""How far turn, tilt and expression may differ within one moment: altered copies differ by 1.5 degrees and 0.31."""
EXPRESSION: Final = ([3], [9, 10], [25], [38], [44, 45])
"""Brows up, eyes shut, jaw open, lips pursed, smile: places in `core.face.mesh.BLENDSHAPES`, both
sides together."""
EYES_SHUT: Final = 0.45
"""mediapipe's eyeBlink, of the eye that is more open, from which a lone photo counts as eyes closed: 270 portraits
reach 0.40."""
EYES_SHUT_BEYOND_OWN: Final = 0.25
"""The same, above the person's own usual value: narrow or laughing eyes are not closed eyes."""


def look(data: bytes, name: str, models: Models, decode: Decode = decode) -> Selfie | Rejected:
    """Decode one photo, find its one face, measure it and hold it against the RULES.

    A face taken from nearer than a metre is drawn as from further away (`core.face.perspective`); its embedding stays
    that of the photo as it came, so that likeness counts what this costs. decode: a bounded form of it in a server.
    """
    seen = locate(data, name, models, decode)
    if isinstance(seen, Rejected):
        return seen
    measures = measure(seen.rgb, seen.mesh)
    for rule in RULES:
        if rule.broken_by(measures):
            return refuse(name, rule.reason, getattr(measures, rule.measure), rule.limit)
    seen = _from_afar(seen, models)
    notes = (*seen.notes, *colour_notes(measures))
    face = Face(
        box=seen.detection.box,
        score=seen.detection.score,
        landmarks=seen.mesh.landmarks,
        blendshapes=seen.mesh.blendshapes,
        yaw_deg=seen.mesh.yaw_deg,
        pitch_deg=seen.mesh.pitch_deg,
        roll_deg=seen.mesh.roll_deg,
        eye_px=measures.eye_px,
        embedding=seen.embedding,
    )
    return Selfie(name, seen.sha256, seen.rgb, face, measures.sharpness, measures.luminance, notes)


def _from_afar(seen: LocatedFace, models: Models) -> LocatedFace:
    """Undo a near lens's perspective, trace the face again and note it; the same where the file shows none to undo."""
    if seen.focal_px is None:
        return seen
    from core.face import perspective  # brings scipy, which most photos need not wait for

    away = perspective.distance_m(seen.focal_px, seen.mesh.landmarks)
    if away >= perspective.NEAR_M:
        return seen
    rgb = perspective.undo(seen.rgb, seen.mesh.landmarks, away)
    mesh = fit_mesh(rgb, seen.detection, models)
    return seen if mesh is None else replace(seen, rgb=rgb, mesh=mesh, notes=(*seen.notes, "perspective_undone"))


@dataclass(frozen=True, slots=True, eq=False)
class CheckReport:
    """What became of a set of photos. baseline: median likeness between the kept ones, None below two."""

    kept: tuple[Selfie, ...]
    rejected: tuple[Rejected, ...]
    baseline: float | None


def check(
    photos: Sequence[tuple[str, bytes]],
    models: Models,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    decode: Decode = decode,
) -> CheckReport:
    """Look at every photo (name, bytes), then review the set; never raises for what a photo holds."""
    selfies: list[Selfie] = []
    rejected: list[Rejected] = []
    for done, (name, data) in enumerate(told_apart(photos), start=1):
        seen = look(data, name, models, decode)
        selfies.append(seen) if isinstance(seen, Selfie) else rejected.append(seen)
        on_progress(done, len(photos))
    kept, set_aside = review(selfies)
    return CheckReport(kept, (*rejected, *set_aside), likeness.baseline([s.face.embedding for s in kept]))


def review(selfies: Sequence[Selfie]) -> tuple[tuple[Selfie, ...], tuple[Rejected, ...]]:
    """Judge photos as a set: one of each moment, one person, eyes open. Order is kept.

    Duplicates go first, so that one photo sent nine times has one vote on who the person is. Without
    a majority person everybody is refused. Of duplicates the one with the most, sharpest pixels stays.
    """
    rejected: list[Rejected] = []
    unique = _one_of_each(selfies, rejected)
    theirs = _one_person(unique, rejected)
    kept = _eyes_open(theirs, rejected)
    return kept, tuple(rejected)


def _one_of_each(selfies: Sequence[Selfie], rejected: list[Rejected]) -> tuple[Selfie, ...]:
    moments = [_moment(selfie) for selfie in selfies]
    kept: list[int] = []
    for index in sorted(range(len(selfies)), key=lambda i: -selfies[i].face.eye_px * selfies[i].sharpness):
        bits = [
            _bits_apart(moments[index], moments[before])
            for before in kept
            if likeness.cosine(selfies[index].face.embedding, selfies[before].face.embedding) >= SAME_PHOTO_LIKENESS
            and _same_pose(selfies[index].face, selfies[before].face)
        ]
        if bits and min(bits) <= SAME_PHOTO_BITS:
            percent, limit = 100 * (1 - min(bits) / 64), 100 * (1 - (SAME_PHOTO_BITS + 1) / 64)
            rejected.append(refuse(selfies[index].name, "duplicate", percent, limit))
        else:
            kept.append(index)
    return tuple(selfies[index] for index in sorted(kept))


def _same_pose(one: Face, other: Face) -> bool:
    """Whether two faces do the same, mirrored or not: a smile in the same place and light is a new photo."""
    turns = abs(abs(one.yaw_deg) - abs(other.yaw_deg)), abs(one.pitch_deg - other.pitch_deg)
    changes = [abs(float(one.blendshapes[pair].mean() - other.blendshapes[pair].mean())) for pair in EXPRESSION]
    return max(turns) <= SAME_POSE_DEG and max(changes) <= SAME_EXPRESSION


def _bits_apart(one: tuple[int, int], other: tuple[int, int]) -> int:
    """Bits that differ between two hashes, the first as it is or mirrored."""
    return min((either ^ other[0]).bit_count() for either in one)


def _moment(selfie: Selfie) -> tuple[int, int]:
    """Hash a face in the canonical frame, as it is and mirrored: 64 bits each of its lowest cosine frequencies.

    In the frame, crop, size and lean of the photo cancel; what is left is pose, expression and light.
    """
    face, _ = framed(selfie.rgb, selfie.face.landmarks, 128)
    face = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(face[16:128, 16:112], (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    hashes = []
    for picture in (small, small[:, ::-1]):
        waves = cv2.dct(np.ascontiguousarray(picture))[:8, :8].ravel()
        bits = waves > np.median(waves[1:])
        hashes.append(int("".join("1" if bit else "0" for bit in bits), 2))
    return hashes[0], hashes[1]


def _one_person(selfies: Sequence[Selfie], rejected: list[Rejected]) -> tuple[Selfie, ...]:
    embeddings = [selfie.face.embedding for selfie in selfies]
    same = likeness.majority(embeddings)
    if same is None:
        more_than_half = len(selfies) // 2 + 1
        largest = len(likeness.largest_group(embeddings))
        rejected.extend(refuse(selfie.name, "no_majority", largest, more_than_half) for selfie in selfies)
        return ()
    for index, selfie in enumerate(selfies):
        if index not in same:
            theirs = next(group for group in likeness.groups(embeddings) if index in group)
            alike = likeness.group_likeness(embeddings, theirs, same)
            rejected.append(refuse(selfie.name, "other_person", alike, likeness.SAME_PERSON))
    return tuple(selfies[index] for index in same)


def _eyes_open(selfies: Sequence[Selfie], rejected: list[Rejected]) -> tuple[Selfie, ...]:
    """Refuse shut eyes; how open this person's eyes usually are is their own lower quartile of eyeBlink."""
    blinks = [_blink(selfie) for selfie in selfies]
    limit = EYES_SHUT
    if len(selfies) >= 3:
        limit = float(np.percentile(blinks, 25)) + EYES_SHUT_BEYOND_OWN
    kept = []
    for selfie, blink in zip(selfies, blinks, strict=True):
        if blink > limit:
            rejected.append(refuse(selfie.name, "eyes_closed", blink, limit))
        else:
            kept.append(selfie)
    return tuple(kept)


def _blink(selfie: Selfie) -> float:
    """eyeBlink of the eye that is more open, 0..1: a wink is an expression."""
    # eyeBlinkLeft, eyeBlinkRight in `core.face.mesh.BLENDSHAPES`
    return float(selfie.face.blendshapes[[9, 10]].min())
