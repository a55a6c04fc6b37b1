"""Selfie + FaceMap -> Cutout: the sitter lifted off the photo, hair strands and all.

Three questions, coarse to fine, in the canonical frame: who is the person (segmenter, 256 px), which
part of them is head and bare neck and which is clothing (graph cut seeded by landmarks and skin
colour), and how much of each edge pixel is theirs (closed-form matting in a narrow band). Knows
nothing of garments or backdrops.
"""

from __future__ import annotations

import warnings
from typing import Any, Final

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from core import frame, weights
from core.facemap import FACE_OVAL, let_go
from core.nouns import F32, U8, Cutout, FaceMap

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pymatting warns that it finds no GPU
    import pymatting

WIDTH, HEIGHT = frame.PRINT
EYE: Final = frame.EYE_DISTANCE * WIDTH
"""Distance between the eyes at print size: the sitter's own yardstick, 189 px."""
MATTE_SIZE: Final = (512, 640)
"""Closed-form matting runs here: 0.2 to 0.5 s a head on two cores."""
GRAPH_SIZE: Final = (256, 320)
INSIDE_PX: Final = 7
OUTSIDE_PX: Final = 7
"""Half widths of the unknown band at 512 px; 10 outside let a busy backdrop speckle in beside short hair."""


class Segmenter:
    """mediapipe's selfie segmenter, loaded once: how surely each pixel is a person."""

    def __init__(self) -> None:
        options = vision.ImageSegmenterOptions(
            base_options=BaseOptions(model_asset_path=str(weights.path("selfie_segmentation.tflite"))),
            output_confidence_masks=True,
            output_category_mask=False,
        )
        self._net: Any = vision.ImageSegmenter.create_from_options(options)
        let_go(self._net)

    def person(self, rgb: U8) -> F32:
        """Return (H, W) float32 in 0..1 for a picture (H, W, 3) uint8 sRGB."""
        found = self._net.segment(mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb)))
        return np.array(found.confidence_masks[0].numpy_view(), np.float32).reshape(rgb.shape[:2])


def cut_out(face: FaceMap, segmenter: Segmenter) -> Cutout:
    """Lift the sitter off their photo at full print size; takes about a second on two cores."""
    picture, valid = framed(face)
    person = _person(picture, face, segmenter)
    gone, neck, oval = _parts(picture, person, face)
    small = cv2.resize(picture, MATTE_SIZE, interpolation=cv2.INTER_AREA)
    alpha = _closed_form(small, cv2.resize(person, MATTE_SIZE, interpolation=cv2.INTER_LINEAR))
    guide = picture.astype(np.float32) / 255
    matte = _at_print(alpha, guide, radius=3) * valid
    neck_soft = _at_print(neck, guide, radius=6) * matte
    head: F32 = np.clip(matte * (1 - _at_print(gone, guide, radius=6)) - neck_soft, 0, 1)
    face_inside = np.clip(
        cv2.resize(oval.astype(np.float32), frame.PRINT, interpolation=cv2.INTER_LINEAR) * 2 - 1, 0, 1
    )
    head = np.maximum(head, face_inside * matte)
    neckline, neck_x, neck_y, neck_width = _neckline(neck, face)
    return Cutout(
        rgb=_foreground(guide, matte),
        matte=matte,
        head=head.astype(np.float32),
        neck=neck_soft,
        hair=np.clip(head - face_inside - _ears(face, picture), 0, 1).astype(np.float32),
        neckline=neckline,
        neck_x=neck_x,
        neck_y=neck_y,
        neck_width=neck_width,
        shoulders=_shoulders(person, valid, face),
    )


def clothes_of(face: FaceMap, segmenter: Segmenter) -> tuple[F32, F32, F32]:
    """Lift the clothes off a photo instead of the head, as the base model's training pairs need them.

    Returns, at MATTE_SIZE, float32 0..1: clothes (640, 512, 4) with their own colours at the edge and
    their matte, head and neck (640, 512, 4), and where the photo reaches (640, 512).
    """
    picture, valid = framed(face)
    person = _person(picture, face, segmenter)
    gone, neck, _ = _parts(picture, person, face)
    guide = cv2.resize(picture, MATTE_SIZE, interpolation=cv2.INTER_AREA).astype(np.float32) / 255

    def soft(mask: F32) -> F32:
        small = cv2.resize(mask.astype(np.float32), MATTE_SIZE, interpolation=cv2.INTER_LINEAR)
        return np.clip((cv2.ximgproc.guidedFilter(guide, small, 4, 1e-4) - 0.1) / 0.8, 0, 1)

    body = soft(person)
    bare = soft(np.maximum(1 - gone, neck))
    clothes = body * (1 - bare)
    colours = _foreground(guide, clothes)
    reach = cv2.resize(valid, MATTE_SIZE, interpolation=cv2.INTER_AREA)
    return np.dstack([colours, clothes]), np.dstack([guide, body * bare]), reach


def framed(face: FaceMap) -> tuple[U8, F32]:
    """Draw the photo into the frame: (1280, 1024, 3) uint8 and where it reaches, (1280, 1024) float32."""
    photo = face.selfie.rgb
    picture = frame.warp(photo, face.transform, WIDTH, HEIGHT)
    reached = np.ones(photo.shape[:2], np.float32)
    valid = cv2.warpAffine(reached, face.transform, frame.PRINT, flags=cv2.INTER_LINEAR)
    return picture.astype(np.uint8), valid.astype(np.float32)


def _person(picture: U8, face: FaceMap, segmenter: Segmenter) -> F32:
    """Return the sitter alone, (1280, 1024): the blob of the segmenter's answer that holds the nose."""
    small = cv2.resize(picture, MATTE_SIZE, interpolation=cv2.INTER_AREA)
    sure = segmenter.person(small)
    _, blobs = cv2.connectedComponents((sure > 0.3).astype(np.uint8))
    x, y = (face.landmarks[1, :2] / 2).astype(int)
    return cv2.resize(sure * (blobs == blobs[y, x]), frame.PRINT, interpolation=cv2.INTER_LINEAR).astype(np.float32)


def _parts(picture: U8, person: F32, face: FaceMap) -> tuple[U8, U8, U8]:
    """Tell head and bare neck from all that is not kept: three (320, 256) uint8 masks: gone, neck, face oval.

    GrabCut (Rother et al. 2004) with seeds: the face oval and all above the mouth are the sitter,
    the frame's foot is clothing, skin-coloured pixels near the chin are probably neck. The person's
    surroundings are painted in the clothes' own colour so that the backdrop teaches nothing.
    """
    scale = GRAPH_SIZE[0] / WIDTH
    small = cv2.resize(picture, GRAPH_SIZE, interpolation=cv2.INTER_AREA)
    is_person = cv2.resize(person, GRAPH_SIZE, interpolation=cv2.INTER_AREA) > 0.5
    points = face.landmarks[:, :2] * np.float32(scale)
    inside = np.zeros(is_person.shape, np.uint8)
    cv2.fillPoly(inside, [np.round(points[list(FACE_OVAL)]).astype(np.int32)], 1)
    skin = _skin_likeness(small, face)
    rows, columns = np.mgrid[: GRAPH_SIZE[1], : GRAPH_SIZE[0]]
    below_chin = (rows - points[152, 1]) / (EYE * scale)
    aside = np.abs(columns - points[1, 0]) / (EYE * scale)
    label = np.full(is_person.shape, cv2.GC_PR_BGD, np.uint8)
    label[(below_chin < -0.1) & (aside < 3.2)] = cv2.GC_PR_FGD
    label[rows < points[13, 1]] = cv2.GC_FGD
    label[(skin > 0.5) & (below_chin < 1.1)] = cv2.GC_PR_FGD
    label[inside > 0] = cv2.GC_FGD
    label[rows > 0.97 * GRAPH_SIZE[1]] = cv2.GC_BGD
    label[~is_person] = cv2.GC_BGD
    clothes = is_person & (below_chin > 0.9) & (skin < 0.2)
    painted = small.copy()
    painted[~is_person] = np.median(small[clothes], axis=0) if clothes.sum() > 50 else 60
    cv2.setRNGSeed(0)  # GrabCut seeds its k-means from OpenCV's own generator
    cv2.grabCut(painted, label, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    bare = np.isin(label, (cv2.GC_FGD, cv2.GC_PR_FGD)) & is_person
    column = _neck_column(points, rows, columns) & (inside == 0)
    hair = _thick(bare & ~column & (inside == 0), 2)
    falling = _thick(bare & column & (skin < 0.12), 2)  # hair in front of the neck, not the shadow under the chin
    _, blobs = cv2.connectedComponents((hair | falling).astype(np.uint8))
    neck = bare & column & ~(falling & np.isin(blobs, np.unique(blobs[hair])))
    neck &= ~_thick(neck & (skin < 0.03) & (rows > points[152, 1]), 3)  # a microphone before the neck is none of it
    neck = _largest(neck)  # a pin of skin colour on a lapel is no neck
    head = _thick((bare & ~neck) | (inside > 0), 6)  # a neighbour's hair hangs on by a thread, a microphone by a neck
    _, blobs = cv2.connectedComponents(head.astype(np.uint8))
    head = blobs == blobs[int(points[1, 1]), int(points[1, 0])]
    near = cv2.dilate(head.astype(np.uint8), np.ones((13, 13))) > 0
    clothes = _reaching(is_person & ~bare & ~neck, int(points[152, 1] + 0.5 * EYE * scale))
    rim = cv2.dilate(clothes.astype(np.uint8), np.ones((5, 5))) > 0  # a white collar shines into the skin beside it
    neck &= ~rim
    gone = ~near | clothes | (rim & (rows > points[13, 1]) & (inside == 0) & ~hair)
    return gone.astype(np.uint8), neck.astype(np.uint8), inside


def _thick(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Keep what a disc of this radius fits into (morphological opening)."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc) > 0


def _reaching(mask: NDArray[np.bool_], row: int) -> NDArray[np.bool_]:
    """Keep the blobs of a mask that reach down to a row: clothes hang down, a shadow by the ear does not."""
    _, blobs = cv2.connectedComponents(mask.astype(np.uint8))
    below = np.unique(blobs[row:][mask[row:]])
    return mask & np.isin(blobs, below)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest blob of a mask."""
    count, blobs, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return blobs == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else mask


def _neck_column(points: F32, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where a neck can be: under the jaw line and no wider than the jaw and an eighth."""
    left, right = points[172, 0], points[397, 0]
    margin = 0.12 * (right - left)
    return (columns > left - margin) & (columns < right + margin) & (rows > np.interp(columns, *_jaw(points)))


def _jaw(points: F32) -> tuple[F32, F32]:
    """Return the jaw line as columns and rows, left to right, for interpolation."""
    line = points[[132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361]]
    line = line[np.argsort(line[:, 0])]
    return line[:, 0], line[:, 1]


def _skin_likeness(rgb: U8, face: FaceMap) -> F32:
    """Return how much each pixel looks like this face's skin, 0..1.

    A Gaussian around the face's own colour in Lab, lenient towards darkness: the neck stands in the
    chin's shadow. The spreads were set by eye on twelve photos.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    away = (lab - np.array(face.skin_lab, np.float32)) / np.array([12, 5, 5], np.float32)
    away[..., 0] *= np.where(away[..., 0] < 0, 0.45, 0.8)
    return np.exp(-0.5 * (away**2).sum(axis=-1) / 4).astype(np.float32)


def _closed_form(rgb: U8, person: F32) -> F32:
    """Solve the matte in a narrow band around the segmenter's edge (Levin et al. 2008), head rows only.

    rgb: (640, 512, 3) uint8, person: (640, 512). Below 0.72 of the height the sitter's clothes begin,
    which are never kept, so the coarse matte is enough there.
    """
    disc = [cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * r + 1, 2 * r + 1)) for r in (INSIDE_PX, OUTSIDE_PX)]
    trimap = np.full(person.shape, 0.5)
    trimap[cv2.erode((person > 0.9).astype(np.uint8), disc[0]) > 0] = 1
    trimap[cv2.dilate((person > 0.1).astype(np.uint8), disc[1]) == 0] = 0
    foot = round(0.72 * person.shape[0])
    columns = np.flatnonzero((person[:foot] > 0.1).any(axis=0))
    left, right = max(0, columns[0] - 16), min(person.shape[1], columns[-1] + 16)
    window = (slice(0, foot), slice(left, right))
    solved = person.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solved[window] = pymatting.estimate_alpha_cf(
            rgb[window].astype(np.float64) / 255, trimap[window], laplacian_kwargs={"epsilon": 1e-6, "radius": 1}
        )
    # the solver leaves haze where hair and backdrop look alike; on a dark backdrop it would glow
    return np.clip((solved - 0.18) / 0.68, 0, 1).astype(np.float32)


def _at_print(mask: F32 | U8, guide: F32, radius: int) -> F32:
    """Bring a small mask to print size and let it snap to the picture's own edges (guided filter, He et al. 2013)."""
    large = cv2.resize(mask.astype(np.float32), frame.PRINT, interpolation=cv2.INTER_CUBIC)
    return np.clip(cv2.ximgproc.guidedFilter(guide, large, radius, 1e-4), 0, 1).astype(np.float32)


def _foreground(guide: F32, matte: F32) -> F32:
    """Estimate the sitter's own colours in edge pixels (multi-level foreground estimation, Germer et al. 2020)."""
    return pymatting.estimate_foreground_ml(guide.astype(np.float64), matte.astype(np.float64)).astype(np.float32)


def _ears(face: FaceMap, picture: U8) -> F32:
    """Return skin beside the face oval, between brow and mouth: ears belong to the face, not to the hair."""
    skin = _skin_likeness(cv2.resize(picture, GRAPH_SIZE, interpolation=cv2.INTER_AREA), face)
    skin = cv2.resize(skin, frame.PRINT, interpolation=cv2.INTER_LINEAR)
    rows = np.arange(HEIGHT, dtype=np.float32)[:, None]
    between = (rows > face.landmarks[105, 1]) & (rows < face.landmarks[13, 1])
    return (skin * between).astype(np.float32)


def _neckline(neck: U8, face: FaceMap) -> tuple[float, float, float, float]:
    """Measure the bare neck in print pixels: y where clothes begin, then x, y and width where it is widest.

    Where no neck is bare, stand-ins: 0.35 eye distances below the chin and 80 % of the jaw's width.
    """
    scale = WIDTH / GRAPH_SIZE[0]
    chin = face.landmarks[152]
    jaw = float(face.landmarks[397, 0] - face.landmarks[172, 0])
    jaw_x = float(face.landmarks[397, 0] + face.landmarks[172, 0]) / 2
    middle = int(np.clip(chin[0] / scale, 2, GRAPH_SIZE[0] - 3))
    below = neck[:, middle - 2 : middle + 3].mean(axis=1) > 0.5
    rows = np.flatnonzero(below & (np.arange(len(below)) > chin[1] / scale - 2))
    level = np.arange(neck.shape[0]) * scale
    reach = np.flatnonzero((level > chin[1] - 0.3 * EYE) & (level < chin[1] + 0.4 * EYE))
    widths = neck[reach].sum(axis=1)
    if len(rows) < 4 or widths.max() * scale < 0.5 * jaw:
        return float(chin[1] + 0.35 * EYE), jaw_x, float(chin[1] - 0.1 * EYE), 0.8 * jaw
    bottom = rows[0] + int(np.argmax(np.append(np.diff(rows) > 1, True)))
    widest = int(reach[int(np.argmax(widths))])
    columns = np.flatnonzero(neck[widest])
    width = float(np.clip((columns[-1] - columns[0]) * scale, 0.6 * jaw, 1.1 * jaw))
    return float(bottom * scale), float((columns[-1] + columns[0]) / 2 * scale), float(widest * scale), width


def _shoulders(person: F32, valid: F32, face: FaceMap) -> tuple[float, float, float] | None:
    """Find the shoulder points: where the outline, coming from the neck, turns from slope to arm.

    Returns left x, right x and their mean y in print pixels, or None when the frame or the photo ends first.
    """
    chin_y = face.landmarks[152, 1]
    level = min(int(chin_y + 1.9 * EYE), HEIGHT - 4)
    columns = np.flatnonzero((person[level] > 0.5) & (valid[level] > 0.5))
    if len(columns) == 0 or columns[0] < 12 or columns[-1] > WIDTH - 12:
        return None
    return float(columns[0]), float(columns[-1]), float(level)
