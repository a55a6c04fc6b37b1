"""Selfie + FaceMap -> Cutout: the sitter lifted off the photo, hair strands and all.

Three questions, coarse to fine, in the canonical frame: who is the person (segmenter, 256 px), which
part of them is head and bare neck and which is clothing (graph cut seeded by landmarks and skin
colour), and how much of each edge pixel is theirs (closed-form matting in a narrow band). Knows
nothing of garments or backdrops.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from core import frame, weights
from core.colour import normalized_convolution as spread
from core.cutout.closed_form import estimate_alpha_cf, estimate_foreground_ml
from core.cutout.decontaminate import without_backlight, without_rim
from core.face.landmarks import skip_close_at_exit
from core.face.mesh import FACE_OVAL
from core.frame import INTEROCULAR_PX as EYE
from core.types import F32, U8, Cutout, FaceMap

WIDTH, HEIGHT = frame.PRINT
MATTE_SIZE: Final = (512, 640)
"""Closed-form matting runs here: 0.2 to 0.5 s a head on two cores."""
GRAPH_SIZE: Final = (256, 320)
HEAD_CROP: Final = (72, 30, 952, 1130)
"""Left, top, right, bottom of the closer look the segmenter takes; closer still, it loses caps and ears."""
INSIDE_PX: Final = 7
OUTSIDE_PX: Final = 7
"""Half widths of the unknown band at 512 px; 10 outside let a busy backdrop speckle in beside short hair."""


@dataclass(frozen=True, slots=True, eq=False)
class Torso:
    """A photo's neck and clothes in the frame at MATTE_SIZE (H, W) = (640, 512), for training.

    rgb: (H, W, 3) float32 sRGB 0..1, the person's own colours. person, head, neck: (H, W) float32
    mattes; oval: the face's; valid: where the photo reaches. The rest as in `nouns.Cutout`.
    """

    rgb: F32
    person: F32
    head: F32
    neck: F32
    oval: F32
    valid: F32
    neckline: float
    neck_x: float
    neck_width: float
    shoulders: tuple[float, float] | None
    shoulder_y: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """What is head and what is the person, without the fine matte, at MATTE_SIZE: (H, W) = (640, 512).

    rgb: (H, W, 3) uint8, the photo in the frame. person, head, oval: (H, W) float32 0..1; head as in
    `nouns.Cutout`, oval the face alone.
    """

    rgb: U8
    person: F32
    head: F32
    oval: F32


class Segmenter:
    """mediapipe's selfie segmenter, loaded once: how surely each pixel is a person."""

    def __init__(self) -> None:
        options = vision.ImageSegmenterOptions(
            base_options=BaseOptions(model_asset_path=str(weights.path("selfie_segmentation.tflite"))),
            output_confidence_masks=True,
            output_category_mask=False,
        )
        self._net: Any = vision.ImageSegmenter.create_from_options(options)
        skip_close_at_exit(self._net)

    def person(self, rgb: U8) -> F32:
        """Return (H, W) float32 in 0..1 for a picture (H, W, 3) uint8 sRGB."""
        found = self._net.segment(mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb)))
        return np.array(found.confidence_masks[0].numpy_view(), np.float32).reshape(rgb.shape[:2])


def cut_out(face: FaceMap, segmenter: Segmenter) -> Cutout:
    """Lift the sitter off their photo at full print size; takes about a second on two cores."""
    picture, valid = framed(face)
    small = cv2.resize(picture, MATTE_SIZE, interpolation=cv2.INTER_AREA)
    person = _person(picture, face, segmenter)
    neck, _ = _bare_neck(picture, person, face)
    sure = cv2.resize(person, MATTE_SIZE, interpolation=cv2.INTER_LINEAR)
    guide = picture.astype(np.float32) / 255
    alpha = _closed_form(small, sure, face)
    matte = _at_print(alpha, guide, radius=3) * valid
    region, inside, jaw = _head(small, sure, alpha, face)
    head = region * matte
    bare = cv2.resize(neck.astype(np.float32), MATTE_SIZE, interpolation=cv2.INTER_CUBIC)
    bare = cv2.ximgproc.guidedFilter(small.astype(np.float32) / 255, bare, 3, 1e-4)
    neck_soft = cv2.resize(bare, frame.PRINT, interpolation=cv2.INTER_LINEAR).clip(0, 1) * matte * (1 - head)
    neckline, neck_x, neck_y, neck_width = _neckline(neck, face)
    return Cutout(
        rgb=without_backlight(
            without_rim(_upper_foreground(guide, matte), guide, head, jaw, neck_soft), head, neck_soft, face
        ),
        matte=matte,
        head=head.astype(np.float32),
        neck=neck_soft.astype(np.float32),
        hair=np.clip(head - inside - _ears(face, picture), 0, 1).astype(np.float32),
        neckline=neckline,
        neck_x=neck_x,
        neck_y=neck_y,
        neck_width=neck_width,
        shoulders=_shoulders(person, valid, face),
        shoulder_y=_shoulder_line(person, head, valid, neck_x, face),
    )


def torso_of(face: FaceMap, segmenter: Segmenter) -> Torso:
    """Take neck and clothes of a photo instead of the head, as the base model's training pairs need them."""
    picture, valid = framed(face)
    person = _person(picture, face, segmenter)
    neck, oval = _bare_neck(picture, person, face)
    small = cv2.resize(picture, MATTE_SIZE, interpolation=cv2.INTER_AREA)
    guide = small.astype(np.float32) / 255

    def soft(mask: F32 | U8) -> F32:
        half = cv2.resize(mask.astype(np.float32), MATTE_SIZE, interpolation=cv2.INTER_LINEAR)
        return np.clip((cv2.ximgproc.guidedFilter(guide, half, 4, 1e-4) - 0.1) / 0.8, 0, 1)

    body, bare = soft(person), soft(neck)
    region, _, _ = _head(small, cv2.resize(person, MATTE_SIZE, interpolation=cv2.INTER_LINEAR), body, face)
    head = cv2.resize(region, MATTE_SIZE, interpolation=cv2.INTER_AREA)  # cut as `cut_out` cuts it
    neckline, neck_x, _, neck_width = _neckline(neck, face)
    return Torso(
        rgb=_foreground(guide, body),
        person=body,
        head=head * body,
        neck=np.minimum(bare, body) * (1 - head),
        oval=cv2.resize(oval.astype(np.float32), MATTE_SIZE, interpolation=cv2.INTER_LINEAR),
        valid=cv2.resize(valid, MATTE_SIZE, interpolation=cv2.INTER_AREA),
        neckline=neckline,
        neck_x=neck_x,
        neck_width=neck_width,
        shoulders=_shoulders(person, valid, face),
        shoulder_y=_shoulder_line(person, region, valid, neck_x, face),
    )


def regions_of(face: FaceMap, segmenter: Segmenter) -> Regions:
    """Tell head, face and person apart as `cut_out` does, but with the coarse matte: a quarter of its time."""
    picture, valid = framed(face)
    small = cv2.resize(picture, MATTE_SIZE, interpolation=cv2.INTER_AREA)
    seen = cv2.resize(valid, MATTE_SIZE, interpolation=cv2.INTER_AREA)
    person = cv2.resize(_person(picture, face, segmenter), MATTE_SIZE, interpolation=cv2.INTER_LINEAR)
    soft = np.clip((cv2.ximgproc.guidedFilter(small.astype(np.float32) / 255, person, 4, 1e-4) - 0.1) / 0.8, 0, 1)
    head, oval, _ = _head(small, person, soft, face)
    head, oval = (cv2.resize(part, MATTE_SIZE, interpolation=cv2.INTER_AREA) for part in (head, oval))
    return Regions(rgb=small, person=person * seen, head=head * soft * seen, oval=oval)


def framed(face: FaceMap) -> tuple[U8, F32]:
    """Draw the photo into the frame: (1280, 1024, 3) uint8 and where it reaches, (1280, 1024) float32."""
    photo = face.selfie.rgb
    picture = frame.warp(photo, face.transform, WIDTH, HEIGHT)
    reached = np.ones(photo.shape[:2], np.float32)
    valid = cv2.warpAffine(reached, face.transform, frame.PRINT, flags=cv2.INTER_LINEAR)
    return picture.astype(np.uint8), valid.astype(np.float32)


def _person(picture: U8, face: FaceMap, segmenter: Segmenter) -> F32:
    """Return the sitter alone, (1280, 1024): the blob of the segmenter's answer that holds the nose.

    The segmenter sees 256 px whatever it is given: the whole frame tells it who is a person, a closer
    crop where the hair ends. Each is asked twice, once mirrored, and the closer look counts more.
    """
    answers = []
    for left, top, right, bottom in ((0, 0, WIDTH, HEIGHT), HEAD_CROP):
        view = cv2.resize(picture[top:bottom, left:right], MATTE_SIZE, interpolation=cv2.INTER_AREA)
        seen = (segmenter.person(view) + segmenter.person(view[:, ::-1])[:, ::-1]) / 2
        answers.append(cv2.resize(seen, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR))
    sure, close = answers
    left, top, right, bottom = HEAD_CROP
    trust = np.zeros((HEIGHT, WIDTH), np.float32)
    trust[top + 60 : bottom - 120, left + 60 : right - 60] = 0.6
    trust = cv2.GaussianBlur(trust, (0, 0), 24)
    sure = sure + trust * (
        cv2.copyMakeBorder(close, top, HEIGHT - bottom, left, WIDTH - right, cv2.BORDER_REPLICATE) - sure
    )
    _, blobs = cv2.connectedComponents((sure > 0.3).astype(np.uint8))
    x, y = face.landmarks[1, :2].astype(int)
    return (sure * (blobs == blobs[y, x])).astype(np.float32)


def _head(rgb: U8, person: F32, alpha: F32, face: FaceMap) -> tuple[F32, F32, F32]:
    """Return what is head, if it is the person at all: (1280, 1024) float32 0..1, soft by three pixels at the jaw.

    Inside the jaw everything; beside it and above the ear lobes everything (ears, hair, hat); below them
    only hair, told by its colour beside the face and by hanging together with it. Also the face alone,
    and where the jaw is the head's edge.
    """
    points, eye = face.landmarks[:, :2] / 2, EYE / 2
    ring = _jaw_ring(rgb, person, face)
    inside = _soft_polygon(ring, 1.5)
    rows, columns = np.mgrid[: rgb.shape[0], : rgb.shape[1]].astype(np.float32)
    lobes = [_lobe(rgb, person, ring / 2, face, side) for side in (0, 1)]
    middle = np.interp(rows[:, 0], [points[10, 1], points[152, 1]], [points[10, 0], points[152, 0]])[:, None]
    lowest = np.where(columns < middle, *lobes)
    behind = np.maximum(_beside_oval(ring / 2, rows, columns) - 0.38 * eye, 0)  # what tapers away behind the lobe
    above = np.clip((lowest - behind - rows) / 4 + 0.5, 0, 1)
    hair = _hanging_hair(rgb, person, face, lowest)
    above *= _near_head(alpha, above > 0.5, points, eye)
    blunt = ((above > 0.5) & (person > 0.5)) | (cv2.resize(inside, MATTE_SIZE) > 0.5)
    rounded = cv2.GaussianBlur(_thick(blunt, round(0.11 * eye)).astype(np.float32), (0, 0), 1.2)
    left = columns < middle
    short = np.where(left, *((hair * (rows > lowest) * side).sum() < 0.05 * eye**2 for side in (left, ~left)))
    ends = short * np.clip((rows - lowest) / (0.15 * eye) + 1.6, 0, 1)
    above += ends * (np.minimum(above, rounded) - above)  # a cut ear or nape ends round
    region = np.maximum(above, hair).astype(np.float32)
    hairy = cv2.dilate((hair > 0.1).astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    jaw = ((rows > lowest - 0.2 * eye) & (_beside_oval(ring / 2, rows, columns) < 0.12 * eye) & ~hairy).astype(
        np.float32
    )
    region, jaw = (cv2.resize(part, frame.PRINT, interpolation=cv2.INTER_CUBIC).clip(0, 1) for part in (region, jaw))
    return np.maximum(region, inside), inside, jaw


def _near_head(alpha: F32, above: NDArray[np.bool_], points: F32, eye: float) -> F32:
    """Return (640, 512) 0..1 where the head can be above the lobes: what is solid and hangs together, and its strands.

    A neighbour's hair beside the ear is a solid of its own once the matte is solved, and is kept out.
    """
    _, blobs, stats, _ = cv2.connectedComponentsWithStats(
        _thick((alpha > 0.5) & above, round(0.05 * eye)).astype(np.uint8)
    )
    own = blobs[int(points[168, 1]), int(points[168, 0])]
    foreign = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] > 0.1 * eye**2)
    others = np.isin(blobs, foreign[(foreign != own) & (foreign > 0)]).astype(np.uint8)
    near = cv2.dilate((blobs == own).astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25)))
    near &= 1 - cv2.dilate(others, np.ones((7, 7), np.uint8))
    return cv2.GaussianBlur(near.astype(np.float32), (0, 0), 1.2)


def _jaw_ring(rgb: U8, person: F32, face: FaceMap) -> F32:
    """Return the face oval at print size, (36, 2), its jaw pushed out to the outline where the cheek is the outline.

    The mesh fits a mean face: a heavy cheek stands out of it by up to 0.15 eye distances. Where the
    person goes on further there is a neck or a collar, and the oval holds.
    """
    ring = face.landmarks[list(FACE_OVAL), :2]
    outward = np.roll(ring, 1, axis=0) - np.roll(ring, -1, axis=0)
    outward = np.stack([-outward[:, 1], outward[:, 0]], axis=1)
    outward *= np.sign(((ring - ring.mean(axis=0)) * outward).sum(axis=1, keepdims=True))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    steps = np.arange(0, 0.22 * EYE, 2, dtype=np.float32)
    ways = ((ring[:, None] + steps[None, :, None] * outward[:, None]) / 2).astype(np.float32)
    seen = cv2.remap(person, ways[..., 0], ways[..., 1], cv2.INTER_LINEAR)
    skin = cv2.remap(_skin_likeness(rgb, face), ways[..., 0], ways[..., 1], cv2.INTER_LINEAR)
    ends = np.where((seen < 0.5).any(axis=1), np.argmax(seen < 0.5, axis=1) * 2.0, 0.0)
    of_skin = np.array([skin[i, : max(1, int(end / 2))].mean() > 0.35 for i, end in enumerate(ends)])
    jaw = ring[:, 1] > face.landmarks[[93, 323], 1].min()
    push = np.where(jaw & of_skin & (ends < 0.15 * EYE), ends, 0.0)
    push = np.convolve(np.pad(push, 2, mode="wrap"), [0.1, 0.2, 0.4, 0.2, 0.1], mode="valid")
    return (ring + np.minimum(push, np.maximum(ends, 0))[:, None] * outward - outward).astype(np.float32)


def _soft_polygon(ring: F32, sigma: float) -> F32:
    """Fill a ring of print points with an edge a few pixels soft: (1280, 1024) float32 0..1."""
    smooth = np.stack(
        [np.interp(np.linspace(0, len(ring), 288), np.arange(len(ring) + 1), np.append(c, c[0])) for c in ring.T], 1
    )
    smooth = np.stack([np.convolve(np.pad(c, 6, mode="wrap"), np.full(13, 1 / 13), mode="valid") for c in smooth.T], 1)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(mask, [np.round(smooth * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    return (cv2.GaussianBlur(mask, (0, 0), sigma).astype(np.float32) / 255).astype(np.float32)


def _lobe(rgb: U8, person: F32, ring: F32, face: FaceMap, side: int) -> float:
    """Find the row (of 640) where an ear lobe ends: there what stands out beside the jaw narrows at once.

    side: 0 the picture's left, 1 its right. Between the heights of the ear's hole and of the jaw's corner;
    where nothing narrows (a turned head's neck, hair) a third of the way below the oval's widest point.
    """
    points, eye = face.landmarks[:, :2] / 2, EYE / 2
    hole, attach, corner = (points[i, 1] for i in ((234, 132, 172), (454, 361, 397))[side])
    outline = ring[ring[:, 0] < ring[:, 0].mean()] if side == 0 else ring[ring[:, 0] > ring[:, 0].mean()]
    outline = outline[np.argsort(outline[:, 1])]
    rows = np.arange(int(hole), int(corner))
    edge = np.interp(rows, outline[:, 1], outline[:, 0])
    reach = np.arange(0, 0.6 * eye)
    ways = edge[:, None] + reach[None] * (1 if side else -1)
    seen = cv2.remap(
        person, ways.astype(np.float32), np.repeat(rows[:, None], len(reach), 1).astype(np.float32), cv2.INTER_LINEAR
    )
    wide = np.argmin(np.pad(seen > 0.5, ((0, 0), (0, 1))), axis=1).astype(float)
    fall = wide[:-6] - wide[6:]
    usual = attach + 0.3 * (corner - attach)
    allowed = (rows[:-6] > hole + 0.3 * (attach - hole)) & (rows[:-6] < attach + 0.6 * (corner - attach))
    if len(fall) == 0 or not allowed.any():
        return float(usual)
    steepest = int(np.argmax(np.where(allowed, fall, -1)))
    return float(rows[steepest] + 6) if fall[steepest] > 0.05 * eye else float(usual)


def _beside_oval(ring: F32, rows: F32, columns: F32) -> F32:
    """Return how far each pixel lies to the side of a ring of points, 0 inside its widest span."""
    order = np.argsort(ring[:, 1])
    left, right = (ring[order][side(ring[order][:, 0], ring[:, 0].mean())] for side in (np.less, np.greater))
    before = np.interp(rows[:, 0], left[:, 1], left[:, 0])[:, None] - columns
    after = columns - np.interp(rows[:, 0], right[:, 1], right[:, 0])[:, None]
    return np.maximum(np.maximum(before, after), 0).astype(np.float32)


def _hanging_hair(rgb: U8, person: F32, face: FaceMap, lowest: F32) -> F32:
    """Return hair beside the face and what hangs down from it, (640, 512) 0..1; nothing for short hair.

    GrabCut (Rother et al. 2004) on half the size: hair above the ear lobes teaches it hair, the skin of
    face and neck, the chest under the chin and the surroundings teach it the rest. Far below the chin
    hair and jacket are told apart less and less surely, so that it fades out there.
    """
    half = (rgb.shape[1] // 2, rgb.shape[0] // 2)
    points, eye = face.landmarks[:, :2] / 4, EYE / 4
    small = cv2.resize(rgb, half, interpolation=cv2.INTER_AREA)
    mine = cv2.resize(person, half, interpolation=cv2.INTER_AREA)
    lobe = cv2.resize(lowest, half, interpolation=cv2.INTER_NEAREST) / 2
    rows, columns = np.mgrid[: half[1], : half[0]].astype(np.float32)
    oval = _filled(points, mine.shape)
    skin = _skin_likeness(small, face)
    aside = _beside_oval(points[list(FACE_OVAL)], rows, columns)
    no_ear = (skin < 0.2) | (aside > 0.38 * eye)
    beside = (mine > 0.8) & no_ear & (aside > 0.06 * eye) & (rows > points[159, 1]) & (rows < lobe)
    _, blobs = cv2.connectedComponents(((mine > 0.5) & (rows < lobe)).astype(np.uint8))
    beside = _thick(beside & (blobs == blobs[int(points[1, 1]), int(points[1, 0])]), 1)  # a neighbour's is not theirs
    from_above = (beside & (rows < lobe - 0.4 * eye)).any(axis=0)  # a shoulder as high as the ear is no hair
    beside &= cv2.dilate(from_above[None].astype(np.uint8), np.ones((1, 7)))[0].astype(bool)
    reaching = beside & (rows > lobe - 0.12 * eye)
    if reaching.any(axis=0).sum() < 0.2 * eye:
        return np.zeros(person.shape, np.float32)
    below = rows - points[152, 1]
    off = np.abs(columns - points[152, 0])
    label = np.full(mine.shape, cv2.GC_BGD, np.uint8)
    may = (mine > 0.3) & (oval == 0) & (rows > points[159, 1])
    label[may] = np.where((skin < 0.4) & (below < 0.7 * eye), cv2.GC_PR_FGD, cv2.GC_PR_BGD)[may]
    label[(below > 0) & (off < 0.45 * eye)] = cv2.GC_BGD
    label[(below > 0.9 * eye) & (off > 2.3 * eye)] = cv2.GC_BGD
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    usual = np.median(lab[beside], axis=0)
    spread = 2.5 * 1.4826 * np.median(np.abs(lab[beside] - usual), axis=0) + np.array([18, 8, 8], np.float32)
    label[(np.abs(lab - usual) > spread)[..., 1:].any(axis=-1)] = cv2.GC_BGD  # a blouse, a lapel, a lip
    label[usual[0] - lab[..., 0] > spread[0]] = cv2.GC_BGD  # a grey suit under white hair
    label[beside] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # GrabCut seeds its k-means from OpenCV's own generator
    cv2.grabCut(small, label, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    hair = _thick(np.isin(label, (cv2.GC_FGD, cv2.GC_PR_FGD)), 2) | beside
    _, blobs = cv2.connectedComponents(hair.astype(np.uint8))
    hair &= np.isin(blobs, np.unique(blobs[reaching & hair]))
    closed = cv2.morphologyEx((hair | (oval > 0)).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8)) > 0
    hair |= (closed & (oval == 0) & (below < 0)) | (
        (oval > 0) & (cv2.dilate(hair.astype(np.uint8), np.ones((9, 9))) > 0)
    )
    fade = np.clip(1 - (below - 0.9 * eye) / (0.8 * eye), 0, 1)
    large = cv2.resize(cv2.GaussianBlur(hair * fade, (0, 0), 0.8).astype(np.float32), rgb.shape[1::-1])
    soft = cv2.ximgproc.guidedFilter(rgb.astype(np.float32) / 255, large, 3, 1e-4)
    return np.clip((soft - 0.15) / 0.7, 0, 1).astype(np.float32)


def _bare_neck(picture: U8, person: F32, face: FaceMap) -> tuple[U8, U8]:
    """Tell the bare neck from head and clothes: two (320, 256) uint8 masks, the neck and the face oval.

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
    clothes = _reaching(is_person & ~bare & ~neck, int(points[152, 1] + 0.5 * EYE * scale))
    rim = cv2.dilate(clothes.astype(np.uint8), np.ones((5, 5))) > 0  # a white collar shines into the skin beside it
    return (neck & ~rim).astype(np.uint8), inside


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


def _closed_form(rgb: U8, person: F32, face: FaceMap) -> F32:
    """Solve the matte in a band around the segmenter's edge (Levin et al. 2008), head rows only.

    rgb: (640, 512, 3) uint8, person: (640, 512). Below 0.72 of the height the sitter's clothes begin,
    which are never kept, so the coarse matte is enough there.
    """
    trimap = _trimap(rgb.astype(np.float32) / 255, person, face)
    foot = round(0.72 * person.shape[0])
    columns = np.flatnonzero((person[:foot] > 0.1).any(axis=0))
    left, right = max(0, columns[0] - 16), min(person.shape[1], columns[-1] + 16)
    window = (slice(0, foot), slice(left, right))
    solved = person.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solved[window] = estimate_alpha_cf(
            rgb[window].astype(np.float64) / 255, trimap[window], laplacian_kwargs={"epsilon": 1e-6, "radius": 1}
        )
    # the solver leaves haze where hair and backdrop look alike; on a dark backdrop it would glow
    clear = np.clip((solved - 0.18) / 0.68, 0, 1)
    away = cv2.distanceTransform((~_thick(clear > 0.7, 2)).astype(np.uint8), cv2.DIST_L2, 5)
    return (clear * np.clip(1 - (away - 3) / 4, 0, 1)).astype(np.float32)


def _trimap(rgb: F32, person: F32, face: FaceMap) -> F32:
    """Say where the matte is known: (640, 512) of 0, 1 and 0.5 for what must be solved.

    A pixel of the band that looks like the surroundings at its place and unlike the person is known
    too, however the segmenter wavers: that keeps a flag or a window out of the hair before it. Not so
    beside the cheeks: an ear with the light behind it looks like nothing else of the person.
    """
    points, eye = face.landmarks[:, :2] / 2, EYE / 2
    rows, columns = np.mgrid[: person.shape[0], : person.shape[1]].astype(np.float32)
    ear = (rows > points[105, 1]) & (_beside_oval(points[list(FACE_OVAL)], rows, columns) < 0.45 * eye)
    inner, outer = (
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * r + 1, 2 * r + 1)) for r in (INSIDE_PX, OUTSIDE_PX)
    )
    mine = cv2.erode((person > 0.85).astype(np.uint8), inner) > 0
    none = cv2.dilate((person > 0.2).astype(np.uint8), outer) == 0
    to_mine, to_none = (_unlike(rgb, where) for where in (mine, none))
    trimap = np.full(person.shape, 0.5)
    trimap[mine] = 1
    trimap[none] = 0
    face_inside = cv2.dilate(_filled(points, person.shape), np.ones((9, 9), np.uint8)) > 0
    gap = mine & ~face_inside & (to_none < 3) & (to_mine > 12)  # the backdrop seen through a curl
    trimap[cv2.dilate(gap.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0] = 0.5
    trimap[~mine & (to_none < 3) & (to_mine > 9) & ~(ear & (person > 0.5)) & (person < 0.98)] = 0
    return trimap


def _filled(points: F32, shape: tuple[int, ...]) -> U8:
    """Return the face oval filled with ones, for landmarks in that shape's pixels."""
    oval = np.zeros(shape, np.uint8)
    cv2.fillPoly(oval, [np.round(points[list(FACE_OVAL)]).astype(np.int32)], 1)
    return oval


def _unlike(rgb: F32, where: NDArray[np.bool_]) -> F32:
    """Return each pixel's squared distance, in local variances, to the colours found nearby in a region."""
    weight = where.astype(np.float32)
    mean = spread(rgb, weight, 10)
    variance = spread((rgb - mean) ** 2, weight, 10)
    return ((rgb - mean) ** 2 / (variance + 0.025**2)).sum(axis=-1).astype(np.float32)


def _at_print(mask: F32 | U8, guide: F32, radius: int) -> F32:
    """Bring a small mask to print size and let it snap to the picture's own edges (guided filter, He et al. 2013)."""
    large = cv2.resize(mask.astype(np.float32), frame.PRINT, interpolation=cv2.INTER_CUBIC)
    return np.clip(cv2.ximgproc.guidedFilter(guide, large, radius, 1e-4), 0, 1).astype(np.float32)


def _foreground(guide: F32, matte: F32) -> F32:
    """Estimate the sitter's own colours in edge pixels (multi-level foreground estimation, Germer et al. 2020)."""
    return estimate_foreground_ml(guide.astype(np.float64), matte.astype(np.float64)).astype(np.float32)


def _upper_foreground(guide: F32, matte: F32) -> F32:
    """Estimate them for a head's cutout: nothing of the sitter but hair is kept below 0.8 of the height."""
    foot = round(0.8 * len(guide))
    own = guide.copy()
    own[:foot] = _foreground(guide[:foot], matte[:foot])
    return own


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


def _shoulders(person: F32, valid: F32, face: FaceMap) -> tuple[float, float] | None:
    """Find the arms' outer edges below the shoulders.

    Returns left and right x in print pixels, or None when the frame or the photo ends first, or what is seen is
    narrower than three eye distances.
    """
    chin_y = face.landmarks[152, 1]
    level = min(int(chin_y + 1.9 * EYE), HEIGHT - 4)
    columns = np.flatnonzero((person[level] > 0.5) & (valid[level] > 0.5))
    if len(columns) < 3 * EYE or columns[0] < 12 or columns[-1] > WIDTH - 12:  # fewer are a sleeve of someone's
        return None
    return float(columns[0]), float(columns[-1])


def _shoulder_line(person: F32, head: F32, valid: F32, neck_x: float, face: FaceMap) -> float | None:
    """Find how high the shoulders stand beside the neck, in print pixels.

    The mean of the sides that show it; None where hair or the photo's edge hides both. What lies beyond the
    heights measured on portraits, 0.2 eye distances above the chin to 0.65 below it (10th to 90th percentile of 90
    portraits without long hair; median 0.23), is no shoulder line but somebody else, or an arm.
    """
    chin = float(face.landmarks[152, 1])
    found = []
    for side in (-1, 1):
        x = round(neck_x + side * frame.SHOULDER)
        if not 8 <= x < WIDTH - 8:
            continue
        strip = np.s_[:, x - 4 : x + 5]
        top = int(np.argmax(person[strip].mean(axis=1) > 0.5))
        hair = (head[strip].mean(axis=1) > 0.1)[: top + round(0.2 * EYE)].any()
        if not hair and valid[strip][max(0, top - 8) : top + 8].min() > 0.5 and -0.2 < (top - chin) / EYE < 0.65:
            found.append(float(top))
    return float(np.mean(found)) if found else None
