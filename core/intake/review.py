"""Bytes -> Selfie | Rejected: is this a photo, is there one face on it, and is it good enough to learn from?

    decode   header first, then pixels: upright sRGB, nothing else of the file goes on
    look     one photo: its face, its pose, and the RULES
    review   the set: duplicates, another person, closed eyes
    check    look at each, then review

A refusal is a value, never an exception: machine reason, measured number, limit, one kind instruction.
What the rules are and where their limits come from stands in `core.intake.quality`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

import cv2
import numpy as np

from core import frame
from core.face import embedding as likeness
from core.face.embedding import Found, Recogniser
from core.intake.decode import Photo, decode
from core.intake.names import told_apart
from core.intake.quality import RULES, framed, measure
from core.intake.refusals import REASONS, refuse
from core.types import U8, Face, Rejected, Selfie

if TYPE_CHECKING:
    from core.face.landmarks import Landmarker, Trace

__all__ = [
    "REASONS",
    "RULES",
    "CheckReport",
    "Models",
    "Photo",
    "Sighting",
    "check",
    "decode",
    "look",
    "review",
    "sight",
]

PIECE_EYES_PX: Final = 1.1 * frame.INTEROCULAR_PX
"""Distance between the eyes a larger face is shrunk to, 208 px: a tenth more than a full-size print takes."""
DRAFT_EYES_PX: Final = 0.6 * PIECE_EYES_PX
"""A face with fewer, 125 px, on a photo that was decoded as a draft is decoded again in full: a full-size print would
enlarge it more than 1.5 times. Costs 0.1 s for 12 megapixels; a selfie from arm's length has more."""
PIECE_PIXELS: Final = 4_000_000
"""A photo that is larger than this after that is cut down to the head's surroundings."""
GROUP_PART: Final = 0.6
"""A second face at least this part of the largest one's size makes a group; smaller ones are cropped away."""
SAME_PHOTO_BITS: Final = 10
"""Bits of 64 that may differ between the perceptual hashes of one photo saved twice: copies that were recompressed,
resized, cropped, mirrored, brightened or leant differ in 0 to 6, different photos of one person in 22 to 32."""
SAME_PHOTO_LIKENESS: Final = 0.9
"""Likeness from which two pictures with the same hash are the same moment of one person."""
SURE_SCORE: Final = 0.88
"""YuNet's score below which a face may be lying on its side: upright ones, masks and glasses included, score more."""
SAME_POSE_DEG: Final = 6.0
SAME_EXPRESSION: Final = 0.35
"""How far turn, tilt and expression may differ within one moment: altered copies differ by 1.5 degrees and 0.31."""
EXPRESSION: Final = ([3], [9, 10], [25], [38], [44, 45])
"""Brows up, eyes shut, jaw open, lips pursed, smile: places in `core.face.mesh.BLENDSHAPES`, both
sides together."""
PROFILE_DEG: Final = 25.0
"""Turn by YuNet's five points from which a face without a mesh is a profile: turned copies of two portraits lost their
mesh from 60 degrees on and showed 33 to 42 here; 273 portraits in front of the camera show 18 at most."""
EYES_SHUT: Final = 0.45
"""mediapipe's eyeBlink, of the eye that is more open, from which a lone photo counts as eyes closed: 270 portraits
reach 0.40."""
EYES_SHUT_BEYOND_OWN: Final = 0.25
"""The same, above the person's own usual value: narrow or laughing eyes are not closed eyes."""


class Models(Protocol):
    """The networks a look needs, each loaded when the first photo needs it (`core.models.Models`)."""

    @property
    def recogniser(self) -> Recogniser: ...

    @property
    def landmarker(self) -> Landmarker: ...


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """The one face of a photo, found and traced, in the piece of the photo that goes on; not judged yet.

    focal_px: the lens's focal length in the piece's pixels, None where the file does not say.
    """

    name: str
    sha256: str
    rgb: U8
    found: Found
    trace: Trace
    notes: tuple[str, ...]
    focal_px: float | None


def look(data: bytes, name: str, models: Models) -> Selfie | Rejected:
    """Decode one photo, find its one face, measure it and hold it against the RULES.

    A face taken from nearer than a metre is drawn as from further away (`core.face.perspective`); its embedding stays
    that of the photo as it came, so that likeness counts what this costs.
    """
    seen = sight(data, name, models)
    if isinstance(seen, Rejected):
        return seen
    measures = measure(seen.rgb, seen.trace)
    for rule in RULES:
        if rule.broken_by(measures):
            return refuse(name, rule.reason, getattr(measures, rule.measure), rule.limit)
    embedding = models.recogniser.embed_upright(seen.rgb, seen.found, seen.trace.roll_deg)
    seen = _from_afar(seen, models)
    face = Face(
        box=seen.found.box,
        score=seen.found.score,
        landmarks=seen.trace.landmarks,
        blendshapes=seen.trace.blendshapes,
        yaw_deg=seen.trace.yaw_deg,
        pitch_deg=seen.trace.pitch_deg,
        roll_deg=seen.trace.roll_deg,
        eye_px=measures.eye_px,
        embedding=embedding,
    )
    return Selfie(name, seen.sha256, seen.rgb, face, measures.sharpness, measures.luminance, seen.notes)


def _from_afar(seen: Sighting, models: Models) -> Sighting:
    """Undo a near lens's perspective, trace the face again and note it; the same where the file shows none to undo."""
    if seen.focal_px is None:
        return seen
    from core.face import perspective  # brings scipy, which most photos need not wait for

    away = perspective.distance_m(seen.focal_px, seen.trace.landmarks)
    if away >= perspective.NEAR_M:
        return seen
    rgb = perspective.undo(seen.rgb, seen.trace.landmarks, away)
    trace = _trace(rgb, seen.found, models)
    return seen if trace is None else replace(seen, rgb=rgb, trace=trace, notes=(*seen.notes, "perspective_undone"))


def sight(data: bytes, name: str, models: Models) -> Sighting | Rejected:
    """Decode one photo, find its one face, cut out what goes on and trace the face there."""
    photo = decode(data, name, draft=True)
    if isinstance(photo, Rejected):
        return photo
    photo, faces, notes = _find(photo, models.recogniser)
    if photo.draft and faces and faces[0].eye_px < DRAFT_EYES_PX:
        finer = decode(data, name)
        if isinstance(finer, Rejected):
            return finer
        photo, faces, notes = _find(finer, models.recogniser)
    if not faces:
        return refuse(name, "no_face", 0, 1)
    alike = max((other.eye_px / faces[0].eye_px for other in faces[1:]), default=0.0)
    if alike >= GROUP_PART:
        return refuse(name, "group", 100 * alike, 100 * GROUP_PART)
    rgb, found, others = _head_piece(photo, *faces)
    if others:
        cut = _without_others(rgb, found, others)
        if cut is None:
            return refuse(name, "group", 100 * alike, 100 * GROUP_PART)
        (rgb, found), notes = cut, (*notes, "others_cropped")
    trace = _trace(rgb, found, models)
    if trace is None:
        return _untraceable(name, rgb, found)
    focal_px = photo.focal_px and photo.focal_px * found.eye_px / faces[0].eye_px
    return Sighting(name, photo.sha256, rgb, found, trace, notes, focal_px)


def _untraceable(name: str, rgb: U8, found: Found) -> Rejected:
    """Say why no mesh fits a face that was found: it is outside, in profile, or something is before it."""
    x, y, w, h = found.box
    beyond = max(-x / w, -y / h, (x + w - rgb.shape[1]) / w, (y + h - rgb.shape[0]) / h)
    if beyond > -0.03:  # YuNet draws its box around what it sees, so a cut face ends at the border
        return refuse(name, "face_cut", 100 * max(beyond, 0.0), 0)
    if abs(found.turn_deg) > PROFILE_DEG:
        return refuse(name, "turned_away", abs(found.turn_deg), PROFILE_DEG)
    return refuse(name, "covered", 0, 1)


def _find(photo: Photo, recogniser: Recogniser) -> tuple[Photo, tuple[Found, ...], tuple[str, ...]]:
    """Find the faces, largest first; a photo that lies on its side is turned upright and noted."""
    faces = recogniser.find(photo.rgb)
    score = faces[0].score if faces else 0.0
    lean = round(faces[0].lean_deg / 90) % 4 if faces else 0
    if lean == 0 and score >= SURE_SCORE:
        return photo, faces, ()
    notes: tuple[str, ...] = ()
    upright = photo
    for quarters in (lean,) if lean else (1, 3, 2):
        turned = photo.turned(quarters)
        again = recogniser.find(turned.rgb, far=False)
        if again and abs(again[0].lean_deg) <= 45 and again[0].score >= max(score, SURE_SCORE):
            upright, faces, notes, score = turned, again, ("turned",), again[0].score
    return upright, faces, notes


def _head_piece(photo: Photo, found: Found, *others: Found) -> tuple[U8, Found, tuple[Found, ...]]:
    """Bring the face to the size a print can use; keep the whole photo when it is small, else the head's surroundings.

    The frame is 5.4 x 6.8 eye distances around the head (`core.frame`); half as much again is kept
    for shoulders, tilt and other crops.
    """
    height, width = photo.rgb.shape[:2]
    scale = min(1.0, PIECE_EYES_PX / found.eye_px)
    if scale > 0.75 and width * height <= PIECE_PIXELS:
        scale = 1.0  # a little too large costs the next stages less than shrinking here
    left, top, right, bottom = 0, 0, width, height
    if width * height * scale**2 > PIECE_PIXELS:
        (x, y), reach = found.points[:2].mean(axis=0), found.eye_px
        left, top = max(0, int(x - 4.1 * reach)), max(0, int(y - 4.1 * reach))
        right, bottom = min(width, int(x + 4.1 * reach)), min(height, int(y + 6.2 * reach))
    rgb = photo.cut(left, top, right, bottom, scale)
    inside = [_moved(other, left, top, scale) for other in others]
    whole = (0.0, 0.0, float(rgb.shape[1]), float(rgb.shape[0]))
    return rgb, _moved(found, left, top, scale), tuple(other for other in inside if _overlap(other.box, whole))


def _without_others(rgb: U8, found: Found, others: Sequence[Found]) -> tuple[U8, Found] | None:
    """Crop smaller faces away along one side each, sparing the head; None when one overlaps it."""
    x, y, w, h = found.box
    head = (x - 0.5 * w, y - 0.6 * h, 2.0 * w, 2.2 * h)
    left, top, right, bottom = 0, 0, rgb.shape[1], rgb.shape[0]
    for other in others:
        ox, oy, ow, oh = other.box
        if not _overlap(other.box, (left, top, right - left, bottom - top)):
            continue  # an earlier cut took it along
        sides = {
            "left": (math.ceil(ox + ow), top, right, bottom),
            "right": (left, top, math.floor(ox), bottom),
            "top": (left, math.ceil(oy + oh), right, bottom),
            "bottom": (left, top, right, math.floor(oy)),
        }
        spares = {
            "left": ox + ow <= head[0],
            "right": ox >= head[0] + head[2],
            "top": oy + oh <= head[1],
            "bottom": oy >= head[1] + head[3],
        }
        cuts = [sides[side] for side, spared in spares.items() if spared]
        if not cuts:
            return None
        left, top, right, bottom = max(cuts, key=lambda cut: (cut[2] - cut[0]) * (cut[3] - cut[1]))
    return np.ascontiguousarray(rgb[top:bottom, left:right]), _moved(found, left, top)


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return bool(
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


def _moved(found: Found, left: float, top: float, scale: float = 1.0) -> Found:
    """The same face after `left` and `top` were cropped away and the rest scaled."""
    x, y, w, h = found.box
    box = ((x - left) * scale, (y - top) * scale, w * scale, h * scale)
    return replace(found, box=box, points=((found.points - (left, top)) * scale).astype(np.float32))


def _trace(rgb: U8, found: Found, models: Models) -> Trace | None:
    """Trace the face on a crop of twice its size, at most 512 px; results in the photo's own pixels."""
    x, y, w, h = found.box
    side = max(2, round(2.2 * max(w, h)))
    left, top = round(x + w / 2 - side / 2), round(y + h / 2 - side / 2)
    inside = rgb[max(0, top) : top + side, max(0, left) : left + side]
    shrink = min(1.0, 512 / side)
    patch = cv2.resize(inside, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else inside
    size = round(side * shrink)
    above, before = round(max(0, -top) * shrink), round(max(0, -left) * shrink)
    crop: U8 = np.full((max(size, above + patch.shape[0]), max(size, before + patch.shape[1]), 3), 127, np.uint8)
    crop[above : above + patch.shape[0], before : before + patch.shape[1]] = patch
    trace = models.landmarker.trace(crop)
    if trace is None:
        return None
    landmarks = trace.landmarks / np.float32(shrink) + np.array([left, top, 0], np.float32)
    return replace(trace, landmarks=landmarks.astype(np.float32))


# --- the set ---


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
) -> CheckReport:
    """Look at every photo (name, bytes), then review the set; never raises for what a photo holds."""
    selfies: list[Selfie] = []
    rejected: list[Rejected] = []
    for done, (name, data) in enumerate(told_apart(photos), start=1):
        seen = look(data, name, models)
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
            percent, limit = 100 * (1 - min(bits) / 64), 100 * (1 - SAME_PHOTO_BITS / 64)
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
            alike = float(np.mean([likeness.cosine(embeddings[index], embeddings[one]) for one in same]))
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
