"""Who is on a photo, as one number: YuNet finds the face, SFace measures it. OpenCV 4.x, CPU, no torch.

Measured on 46 real photos of 11 people: two photos of one person have a median cosine of 0.61 to
0.87 depending on the person, the lowest pair 0.50; two strangers 0.13, 99 % of them under 0.35, the
highest pair 0.45. OpenCV's own limit of 0.363 therefore says "could be", never "looks like": the bar
is each person's own photo-to-photo `baseline`. The recogniser is replaceable: whatever offers
`find` and `embed` serves. What SFace was trained on is not documented upstream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import weights
from core.types import F32, U8

SAME_PERSON: Final = 0.42
"""Mean cosine between two groups of photos from which they are one person. Of 144,991 pairs of strangers (539 official
portraits) 0.04 % reach it, 0.28 % reach the 0.363 of OpenCV's sample, the highest scores 0.498; a person's own lowest
pair was 0.50."""
FACE_SCORE: Final = 0.7
"""YuNet's confidence from which a detection counts; clear faces score 0.85 to 0.96, also at 20 px and in close-up."""
LOOK_PX: Final = 384
"""Long side of the copy that is searched first. At 384 YuNet finds faces from 4 % of the long side up to faces that
fill the frame (0.92 to 0.95 on both); at 640 and above it loses the close-ups."""
LOOK_AGAIN_PX: Final = 1280
"""Long side of the second copy, searched when the first shows nobody: someone far away."""
ALIGNED_EYES_PX: Final = 35.0
"""Distance of the eyes in SFace's aligned 112 x 112 picture (`FaceRecognizerSF::alignCrop`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face: box x, y, width, height; YuNet's score; its five points, all in the photo's pixels.

    points: (5, 2) float32: the sitter's right eye, left eye, nose tip, right and left mouth corner.
    """

    box: tuple[float, float, float, float]
    score: float
    points: F32

    @property
    def eye_px(self) -> float:
        """Distance between the eyes in pixels."""
        return float(np.linalg.norm(self.points[1] - self.points[0]))

    @property
    def lean_deg(self) -> float:
        """How far the eyes' line is turned from level, clockwise on screen, in -180..180 degrees."""
        dx, dy = self.points[1] - self.points[0]
        return float(np.degrees(np.arctan2(dy, dx)))

    @property
    def turn_deg(self) -> float:
        """A rough yaw: how far the nose lies off the eyes' middle, taking it to stand out by half their distance."""
        along = (self.points[1] - self.points[0]) / max(self.eye_px, 1e-3)
        off = float((self.points[2] - self.points[:2].mean(axis=0)) @ along)
        return float(np.degrees(np.arctan(2 * off / max(self.eye_px, 1e-3))))


class Recogniser:
    """The two nets, loaded once. Not for two threads at the same time: OpenCV's nets keep state."""

    def __init__(self) -> None:
        detector = weights.path("face_detection_yunet_2023mar_int8bq.onnx")
        recogniser = weights.path("face_recognition_sface_2021dec_int8bq.onnx")
        self._detector = cv2.FaceDetectorYN.create(str(detector), "", (LOOK_PX, LOOK_PX), FACE_SCORE, 0.3, 200)
        self._recogniser = cv2.FaceRecognizerSF.create(str(recogniser), "")

    def find(self, rgb: U8, far: bool = True) -> tuple[Detection, ...]:
        """Find the faces of a photo, largest first; (H, W, 3) uint8 sRGB. Boxes may reach over its border.

        far: when nobody is near, search a larger copy for someone far away, eight times as long.
        """
        for long_side in (LOOK_PX, LOOK_AGAIN_PX) if far else (LOOK_PX,):
            if found := self._at(rgb, long_side):
                return found
            if max(rgb.shape[:2]) <= long_side:
                break
        return ()

    def _at(self, rgb: U8, long_side: int) -> tuple[Detection, ...]:
        height, width = rgb.shape[:2]
        scale = long_side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        copy = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        self._detector.setInputSize(size)
        rows: F32 | None = self._detector.detect(cv2.cvtColor(copy, cv2.COLOR_RGB2BGR))[1]
        if rows is None:
            return ()
        back = np.tile([width / size[0], height / size[1]], 7)
        faces = []
        for row in rows:
            place = (row[:14] * back).astype(np.float32)
            x, y, w, h = (float(value) for value in place[:4])
            faces.append(Detection((x, y, w, h), float(row[14]), place[4:].reshape(5, 2)))
        return tuple(sorted(faces, key=lambda face: face.box[2] * face.box[3], reverse=True))

    def embed(self, rgb: U8, found: Detection) -> F32:
        """Measure a face: (128,) float32 of length 1. The cosine of two of them is their likeness."""
        return normalised(self.feature(rgb, found))

    def feature(self, rgb: U8, found: Detection) -> F32:
        """Return SFace's feature (128,) float32; its length, about 4 to 16, says how much of a face SFace sees.

        A face much larger than the net's own 112 px is shrunk by area first, so that the aligned
        picture is not aliased and the same face gives the same numbers from 1 or 12 megapixels.
        """
        shrink = min(1.0, 2 * ALIGNED_EYES_PX / max(found.eye_px, 1.0))
        height, width = rgb.shape[:2]
        x, y, w, h = found.box
        left, top = min(max(0, int(x - w / 2)), width - 2), min(max(0, int(y - h / 2)), height - 2)
        crop: NDArray[Any] = rgb[top : max(top + 2, int(y + 1.5 * h)), left : max(left + 2, int(x + 1.5 * w))]
        if shrink < 1:
            crop = cv2.resize(crop, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        row = np.zeros(15, np.float32)
        row[:4] = (x - left) * shrink, (y - top) * shrink, w * shrink, h * shrink
        row[4:14] = ((found.points - (left, top)) * shrink).ravel()
        row[14] = found.score
        aligned = self._recogniser.alignCrop(cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), row)
        return np.asarray(self._recogniser.feature(aligned)[0], np.float32)

    def embed_only(self, rgb: U8) -> F32 | None:
        """Measure the face of a picture that shows one; None where it shows none or several."""
        faces = self.find(rgb)
        return self.embed(rgb, faces[0]) if len(faces) == 1 else None


def normalised(feature: F32) -> F32:
    """Scale a feature (128,) to length 1."""
    return np.asarray(feature / max(float(np.linalg.norm(feature)), 1e-6), np.float32)


def cosine(one: F32, other: F32) -> float:
    """Likeness of two embeddings, -1..1."""
    return float(one @ other)


def baseline(embeddings: Sequence[F32]) -> float | None:
    """Median likeness over all pairs of one person's photos; None with fewer than two photos."""
    pairs = [cosine(one, other) for one, other in combinations(embeddings, 2)]
    return float(np.median(pairs)) if pairs else None


def majority(embeddings: Sequence[F32]) -> tuple[int, ...] | None:
    """Indices of the photos that show the person most of them show; None when nobody is on more than half."""
    largest = largest_group(embeddings)
    return largest if 2 * len(largest) > len(embeddings) else None


def largest_group(embeddings: Sequence[F32]) -> tuple[int, ...]:
    """Indices of the most photos that show one person, in order; of two as large the later one."""
    return max(((len(group), group) for group in groups(embeddings)), default=(0, ()))[1]


def groups(embeddings: Sequence[F32]) -> tuple[tuple[int, ...], ...]:
    """Sort photos by person: tuples of indices, each in order.

    Groups join while the mean likeness between them is at least `SAME_PERSON` (average linkage), so
    one unlucky pair neither splits a person nor chains two strangers together.
    """
    joined: list[tuple[int, ...]] = [(index,) for index in range(len(embeddings))]
    alike = np.stack(embeddings) @ np.stack(embeddings).T if embeddings else np.zeros((0, 0))
    while len(joined) > 1:
        score, one, other = max((float(alike[np.ix_(a, b)].mean()), a, b) for a, b in combinations(joined, 2))
        if score < SAME_PERSON:
            break
        joined = [group for group in joined if group not in (one, other)] + [one + other]
    return tuple(tuple(sorted(group)) for group in joined)


def group_likeness(embeddings: Sequence[F32], one: Sequence[int], other: Sequence[int]) -> float:
    """Mean likeness between two groups of photos: under `SAME_PERSON` between any two that `groups` keeps apart."""
    return float(np.mean([cosine(embeddings[a], embeddings[b]) for a in one for b in other]))
