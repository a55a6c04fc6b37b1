"""Bytes -> the one face of a photo, in the piece of the photo that goes on: detector, mesh and recogniser must agree.

YuNet proposes faces, mediapipe fits its mesh to them, SFace measures them. Pans, trees and animals that YuNet takes for
faces give SFace short features and no mesh, or one that misses YuNet's points. A face that is printed or painted well
enough, on a poster or a shirt, passes all three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

import cv2
import numpy as np

from core import frame
from core.face.embedding import Detection, Recogniser, normalised
from core.intake.decode import Decode, Photo, decode
from core.intake.refusals import refuse
from core.types import F32, U8, Rejected

if TYPE_CHECKING:
    from core.face.landmarks import FaceMesh, Landmarker

PIECE_EYES_PX: Final = 1.1 * frame.INTEROCULAR_PX
"""Distance between the eyes a larger face is shrunk to, 208 px: a tenth more than a full-size print takes."""
DRAFT_EYES_PX: Final = 0.6 * PIECE_EYES_PX
"""A face with fewer, 125 px, on a photo that was decoded as a draft is decoded again in full: a full-size print would
enlarge it more than 1.5 times. Costs 0.1 s for 12 megapixels; a selfie from arm's length has more."""
PIECE_PIXELS: Final = 4_000_000
"""A photo that is larger than this after that is cut down to the head's surroundings."""
GROUP_PART: Final = 0.6
"""A second face more than this part of the largest one's size makes a group; smaller ones are cropped away."""
MOST_OTHERS: Final = 8
"""Other faces that are looked at, largest first; those of a crowd behind them are smaller."""
SURE_SCORE: Final = 0.88
"""YuNet's score below which a face may be lying on its side: upright ones, masks and glasses included, score more."""
PROFILE_DEG: Final = 25.0
"""Turn by YuNet's five points from which a face without a mesh is a profile: turned copies of two portraits lost their
mesh from 60 degrees on and showed 33 to 42 here; 273 portraits in front of the camera show 18 at most."""
BORDER_PART: Final = -0.03
"""Part of a face's box it may come near the photo's border; YuNet draws its box around what it sees, so that a face
that is cut ends there."""
WEAK_FEATURE: Final = 6.0
"""Length of SFace's feature below which nothing is a face: 270 portraits have 10.6 to 15.5, 400 synthetic faces 6.2 to
16.3, masks and dark glasses 8.2 or more; a copper pan 4.2, painted trees 4.4, a motorcycle 5.3 to 5.7."""
UNSURE_FEATURE: Final = 7.5
UNSURE_SCORE: Final = 0.85
"""Below this length YuNet must be sure as well: a cartoon has 6.6 with 0.81; real faces so weak score 0.86 or more."""
MESHLESS_FEATURE: Final = 8.5
"""Length from which something without a mesh is a face that is covered or turned away: a wooden figure has 8.2, a
cheetah 6.7."""
LEAN_DEG: Final = 8.0
"""Lean up to which a face is measured as it stands: one photo turned by 10 degrees keeps a likeness of 0.93 to 0.95 to
itself, by 26 degrees 0.71; YuNet's own points hardly follow a lean."""
MISFIT: Final = 1.2
"""Most eye distances that the mesh may be off YuNet's points: faces up to 1.02, painted trees 3.9."""


class Models(Protocol):
    """The networks a look needs, each loaded when the first photo needs it (`core.models.Models`)."""

    @property
    def recogniser(self) -> Recogniser: ...

    @property
    def landmarker(self) -> Landmarker: ...


@dataclass(frozen=True, slots=True, eq=False)
class LocatedFace:
    """The one face of a photo with its mesh, in the piece of the photo that goes on; not judged yet.

    rgb: (H, W, 3) uint8 sRGB. embedding: (128,) float32 of length 1, of the face turned upright. focal_px: the lens's
    focal length in the piece's pixels, None where the file does not say.
    """

    name: str
    sha256: str
    rgb: U8
    detection: Detection
    mesh: FaceMesh
    embedding: F32
    notes: tuple[str, ...]
    focal_px: float | None


def locate(data: bytes, name: str, models: Models, decode: Decode = decode) -> LocatedFace | Rejected:
    """Decode one photo, find its one face, cut out what goes on and fit the mesh to it.

    A photo whose face is missing or cut where the file itself ends early is refused as broken.
    """
    photo = decode(data, name, True)
    if isinstance(photo, Rejected):
        return photo
    photo, faces, notes = _find(photo, models.recogniser)
    if photo.draft and (not faces or faces[0].eye_px < DRAFT_EYES_PX):
        finer = decode(data, name, False)
        if isinstance(finer, Rejected):
            return finer
        photo, faces, notes = _find(finer, models.recogniser)
    seen = _one_face(photo, faces, notes, models)
    if isinstance(seen, Rejected) and photo.missing and seen.reason in ("no_face", "face_cut"):
        return refuse(name, "broken", 100 * photo.missing, 0)
    return seen


def _one_face(
    photo: Photo, faces: tuple[Detection, ...], notes: tuple[str, ...], models: Models
) -> LocatedFace | Rejected:
    """Take the largest detection that is a face; the others are a group, cropped away, or no faces at all."""
    refused = refuse(photo.name, "no_face", 0, 1)
    for first, detection in enumerate(faces[:MOST_OTHERS]):
        rgb, found, others = _head_piece(photo, detection, *faces[first + 1 :])
        mesh = fit_mesh(rgb, found, models)
        if mesh is None:
            if refused.reason == "no_face":
                refused = _meshless(photo.name, rgb, found, models)
            continue
        embedding = _agreed(rgb, found, mesh, models)
        if embedding is None:
            continue
        if refused.reason != "no_face":  # a larger face, covered or turned away, stands before this one
            return refused
        focal_px = photo.focal_px and photo.focal_px * found.eye_px / detection.eye_px
        seen = LocatedFace(photo.name, photo.sha256, rgb, found, mesh, embedding, notes, focal_px)
        return _alone(seen, others, models)
    return refused


def _alone(seen: LocatedFace, others: Sequence[Detection], models: Models) -> LocatedFace | Rejected:
    """Refuse a group, crop smaller faces away; what the mesh does not confirm to be a face does not count."""
    small: list[Detection] = []
    for other in others[:MOST_OTHERS]:
        mesh = fit_mesh(seen.rgb, other, models)
        if mesh is None or _agreed(seen.rgb, other, mesh, models) is None:
            continue
        part = other.eye_px / seen.detection.eye_px
        if part > GROUP_PART:
            return refuse(seen.name, "group", 100 * part, 100 * GROUP_PART)
        small.append(other)
    if not small:
        return seen
    cut = _without_others(seen.rgb, seen.detection, small)
    if isinstance(cut, float):
        return refuse(seen.name, "faces_overlap", cut, 0)
    cropped = fit_mesh(*cut, models)
    if cropped is None:
        return refuse(seen.name, "no_face", 0, 1)
    return replace(seen, rgb=cut[0], detection=cut[1], mesh=cropped, notes=(*seen.notes, "others_cropped"))


def _agreed(rgb: U8, found: Detection, mesh: FaceMesh, models: Models) -> F32 | None:
    """Return the face's embedding where detector, mesh and recogniser all see a face, else None.

    A face that leans is turned upright by its mesh and found again, as it stands in every portrait.
    """
    points = mesh.landmarks[:, :2]
    if abs(mesh.roll_deg) > LEAN_DEG:
        eyes = frame.eye_centres(points)
        middle, side = eyes.mean(axis=0), max(32, round(5 * float(np.linalg.norm(eyes[1] - eyes[0]))))
        turn = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), mesh.roll_deg, 1.0)
        turn[:, 2] += side / 2 - middle
        upright = cv2.warpAffine(rgb, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
        again = models.recogniser.find(np.asarray(upright, np.uint8), far=False)
        if again:
            rgb, found, points = np.asarray(upright, np.uint8), again[0], frame.carry(points, turn.astype(np.float32))
    feature = models.recogniser.feature(rgb, found)
    strength = float(np.linalg.norm(feature))
    if strength < WEAK_FEATURE or (strength < UNSURE_FEATURE and found.score < UNSURE_SCORE):
        return None
    eyes = frame.eye_centres(points)
    five = np.stack([eyes[0], eyes[1], points[4], points[61], points[291]])  # eyes, nose tip, mouth corners
    if np.linalg.norm(five - found.points, axis=1).max() > MISFIT * found.eye_px:
        return None
    return normalised(feature)


def _meshless(name: str, rgb: U8, found: Detection, models: Models) -> Rejected:
    """Say why no mesh fits what was found: it is outside, in profile, something is before it, or it is no face."""
    strength = float(np.linalg.norm(models.recogniser.feature(rgb, found)))
    x, y, w, h = found.box
    beyond = max(-x / w, -y / h, (x + w - rgb.shape[1]) / w, (y + h - rgb.shape[0]) / h)
    if beyond > BORDER_PART and strength >= WEAK_FEATURE:
        return refuse(name, "face_cut", 100 * beyond, 100 * BORDER_PART)
    sure = strength >= MESHLESS_FEATURE or (strength >= WEAK_FEATURE and found.score >= UNSURE_SCORE)
    if abs(found.turn_deg) > PROFILE_DEG and sure:
        return refuse(name, "turned_away", abs(found.turn_deg), PROFILE_DEG)
    return refuse(name, "covered", 0, 1) if strength >= MESHLESS_FEATURE else refuse(name, "no_face", 0, 1)


def _find(photo: Photo, recogniser: Recogniser) -> tuple[Photo, tuple[Detection, ...], tuple[str, ...]]:
    """Find the faces, largest first; a photo that lies on its side is turned upright and noted."""
    faces = recogniser.find(photo.rgb)
    score = faces[0].score if faces else 0.0
    lean = round(faces[0].lean_deg / 90) % 4 if faces else 0
    if lean == 0 and score >= SURE_SCORE:
        return photo, faces, photo.notes
    notes = photo.notes
    upright = photo
    for quarters in (lean,) if lean else (1, 3, 2):
        turned = photo.turned(quarters)
        again = recogniser.find(turned.rgb, far=False)
        if again and abs(again[0].lean_deg) <= 45 and again[0].score >= max(score, SURE_SCORE):
            upright, faces, notes, score = turned, again, (*photo.notes, "turned"), again[0].score
    return upright, faces, notes


def _head_piece(photo: Photo, found: Detection, *others: Detection) -> tuple[U8, Detection, tuple[Detection, ...]]:
    """Bring the face to the size a print can use; keep the whole photo when it is small, else the head's surroundings.

    The frame is 5.4 x 6.8 eye distances around the head (`core.frame`); half as much again is kept
    for shoulders, tilt and other crops.
    """
    height, width = photo.rgb.shape[:2]
    scale = min(1.0, PIECE_EYES_PX / max(found.eye_px, 1.0))
    if scale > 0.75 and width * height <= PIECE_PIXELS:
        scale = 1.0  # a little too large costs the next stages less than shrinking here
    left, top, right, bottom = 0, 0, width, height
    if width * height * scale**2 > PIECE_PIXELS:
        (x, y), reach = found.points[:2].mean(axis=0), found.eye_px
        left, top = max(0, int(x - 4.1 * reach)), max(0, int(y - 4.1 * reach))
        right, bottom = min(width, int(x + 4.1 * reach)), min(height, int(y + 6.2 * reach))
        right, bottom = max(right, left + 2), max(bottom, top + 2)
    rgb = photo.cut(left, top, right, bottom, scale)
    inside = [_moved(other, left, top, scale) for other in others]
    whole = (0.0, 0.0, float(rgb.shape[1]), float(rgb.shape[0]))
    return rgb, _moved(found, left, top, scale), tuple(other for other in inside if _overlap(other.box, whole))


def _without_others(rgb: U8, found: Detection, others: Sequence[Detection]) -> tuple[U8, Detection] | float:
    """Crop smaller faces away along one side each, sparing the head; percent of one inside the head if that fails."""
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
            shared = (min(ox + ow, head[0] + head[2]) - max(ox, head[0])) * (
                min(oy + oh, head[1] + head[3]) - max(oy, head[1])
            )
            return max(100 * shared / (ow * oh), 0.1)
        left, top, right, bottom = max(cuts, key=lambda cut: (cut[2] - cut[0]) * (cut[3] - cut[1]))
    return np.ascontiguousarray(rgb[top:bottom, left:right]), _moved(found, left, top)


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return bool(
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


def _moved(found: Detection, left: float, top: float, scale: float = 1.0) -> Detection:
    """Return the same face after `left` and `top` were cropped away and the rest scaled."""
    x, y, w, h = found.box
    box = ((x - left) * scale, (y - top) * scale, w * scale, h * scale)
    return replace(found, box=box, points=((found.points - (left, top)) * scale).astype(np.float32))


def fit_mesh(rgb: U8, found: Detection, models: Models) -> FaceMesh | None:
    """Fit the mesh on a crop of 2.2 times the face's size, at most 512 px; results in the photo's own pixels."""
    x, y, w, h = found.box
    side = max(2, round(2.2 * max(w, h)))
    left, top = round(x + w / 2 - side / 2), round(y + h / 2 - side / 2)
    inside = rgb[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)]
    if not inside.size:
        return None
    shrink = min(1.0, 512 / side)
    patch = cv2.resize(inside, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else inside
    size = round(side * shrink)
    above, before = round(max(0, -top) * shrink), round(max(0, -left) * shrink)
    crop: U8 = np.full((max(size, above + patch.shape[0]), max(size, before + patch.shape[1]), 3), 127, np.uint8)
    crop[above : above + patch.shape[0], before : before + patch.shape[1]] = patch
    mesh = models.landmarker.detect(crop)
    if mesh is None:
        return None
    landmarks = mesh.landmarks / np.float32(shrink) + np.array([left, top, 0], np.float32)
    return replace(mesh, landmarks=landmarks.astype(np.float32))
