"""FaceMap -> Cutout: the sitter lifted off the photo, hair strands and all.

The parser says which pixels are theirs and what they are (`core.cutout.parser`); here the matte comes to print size,
the old surroundings are taken out of its edge, and hair, head and neck become layers of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from core import frame
from core.colour import to_bytes
from core.cutout.beard import beard_of, with_beard
from core.cutout.body import bare_neck, figure_of
from core.cutout.decontaminate import (
    decontaminate,
    in_own_hue,
    without_backlight,
    without_rim_light,
    without_spill,
)
from core.cutout.foreground import estimate_foreground_ml
from core.cutout.hair import Hair, layer_hair, less, shown_window, without_fringe
from core.cutout.parser import Parser
from core.cutout.parts import HALF, PARTS_SIZE, Parts
from core.face.mesh import FACE_OVAL
from core.frame import INTEROCULAR_PX
from core.types import F32, U8, Cutout, FaceMap, Figure

HAZE: Final = 0.05
"""Alpha that the guided filter leaves where there is none, and takes where there is all; seen on both demo sitters."""
JAW_BEGINS, JAW_SETS_IN = 1.3, 0.5
"""Eye distances above the chin from which on a face's edge counts as its jaw, and over which it does: a rim that was
taken away from one height on had a level end."""
MARGIN_PX: Final = 16
"""Pixels round the sitter in which their colours are estimated too: no matte's edge is wider."""
BORDER_PX: Final = 25
"""Width of the square that the photo's area is eroded with before it may call something backdrop; a neck's matte fades
over eight pixels at the photo's border."""


@dataclass(frozen=True, slots=True, eq=False)
class Torso:
    """A photo's neck and clothes in the frame at PARTS_SIZE (H, W) = (640, 512), for training.

    rgb: (H, W, 3) float32 sRGB 0..1, the person's own colours. person, head, neck: (H, W) float32
    mattes; oval: the face's; valid: where the photo reaches. figure: as in `types.Cutout`.
    """

    rgb: F32
    person: F32
    head: F32
    neck: F32
    oval: F32
    valid: F32
    figure: Figure


def cut_out(face: FaceMap, parser: Parser) -> Cutout:
    """Lift the sitter off their photo at full print size."""
    told = parser.parse(face)
    facial_hair = face.features.facial_hair if face.features is not None else None
    beardless, shaven = facial_hair in ("none", "moustache"), facial_hair == "none"
    beard = np.zeros_like(told.skin) if beardless else beard_of(told, face.landmarks)
    parts, seen = without_fringe(told), told
    figure = figure_of(parts, face.landmarks)  # a neck stands where a beard hangs before it
    if beard.any():
        seen = with_beard(told, beard)
        parts = without_fringe(seen)
    picture, valid = frame.framed(face.selfie.rgb, face.transform, *frame.PRINT)
    guide = picture.astype(np.float32) / 255
    kept = kept_of(parts)
    neck = kept - parts.head
    whole, large_kept = np.moveaxis(at_print(np.dstack([parts.person, kept]), guide), -1, 0)
    whole = whole * (valid > 0.95)
    large_kept = np.minimum(large_kept, whole)
    rgb = foreground_of(guide, large_kept)
    small = cv2.resize(rgb, PARTS_SIZE, interpolation=cv2.INTER_AREA)
    hair = less(layer_hair(seen, small, figure, face.landmarks, beard, shaven), seen.hair - parts.hair)
    head = np.clip(parts.head - (parts.hair - hair.front), 0, 1)
    head_large = np.minimum(at_print(head, guide), large_kept)
    back, neck_large = _behind(large_kept, head_large, hair, neck, parts)
    hairy = np.minimum(head_large + back, large_kept)
    rgb = decontaminate(rgb, guide, hairy, _jaw_edge(parts, face), neck_large, shaven)
    rgb = in_own_hue(rgb, hairy, parts.hair, parts.hat)
    rgb = without_spill(rgb, guide, hairy, parts, face.landmarks)
    rgb = without_backlight(rgb, head_large, neck_large, face)
    rgb = without_rim_light(rgb, hairy, parts.hair, parts.hat, parts.valid)
    if hair.drawn.any():  # in the colours that hair has now
        small = cv2.resize(rgb, PARTS_SIZE, interpolation=cv2.INTER_AREA)
        hair = replace(hair, rgb=layer_hair(seen, small, figure, face.landmarks, beard, shaven).rgb)
    left, top, right = shown_window(np.maximum(seen.head, seen.hair), seen.valid)
    return Cutout(
        rgb=_with_grown(rgb, hair, np.maximum(kept - parts.hair, 0)),
        matte=whole.astype(np.float32),
        head=head_large.astype(np.float32),
        back_hair=back.astype(np.float32),
        neck=neck_large.astype(np.float32),
        backdrop=backdrop_of(valid, whole),
        figure=figure,
        shown=(left, top, right),
        regions=regions_of(parts),
        bearded=bool(beard.any()),
    )


def torso_of(face: FaceMap, parser: Parser) -> Torso:
    """Take neck and clothes of a photo instead of the head, as the base model's training pairs need them."""
    parts = parser.parse(face)
    guide = parts.rgb.astype(np.float32) / 255
    return Torso(
        rgb=foreground_of(guide, parts.person),
        person=parts.person,
        head=parts.head,
        neck=np.minimum(bare_neck(parts, face.landmarks), parts.person) * (1 - parts.head),
        oval=parts.oval,
        valid=parts.valid,
        figure=figure_of(parts, face.landmarks),
    )


def at_print(part: F32, guide: F32) -> F32:
    """Bring small mattes to print size and let them snap to the picture's own edges (guided filter, He et al. 2013).

    part: (640, 512) or (640, 512, N) float32 0..1; several at once cost little more than one.
    """
    large = cv2.resize(part, frame.PRINT, interpolation=cv2.INTER_CUBIC)
    filtered = cv2.ximgproc.guidedFilter(guide, large, 3, 1e-4)
    return np.clip((filtered - HAZE) / (1 - 2 * HAZE), 0, 1).astype(np.float32)


def regions_of(parts: Parts) -> U8:
    """Return how much of each pixel is hair, hat and clothes: (1280, 1024, 3) uint8."""
    told_apart = to_bytes(np.dstack([parts.hair, parts.hat, parts.clothes]))
    return cv2.resize(told_apart, frame.PRINT, interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def kept_of(parts: Parts) -> F32:
    """Return how much of each pixel is the sitter's own and no clothes: (640, 512) float32 0..1.

    Where hair meets the neck's skin both count: half of one and half of the other is all of the sitter.
    """
    return np.clip(np.maximum(parts.head, parts.hair + parts.hat + parts.skin), 0, 1).astype(np.float32)


def _behind(kept: F32, head: F32, hair: Hair, neck: F32, parts: Parts) -> tuple[F32, F32]:
    """Share what is kept and is not head out to back hair and neck, so that no seam between them lets light through.

    kept, head (1280, 1024), neck (640, 512). Back hair is added to the head's matte; the neck lies under both, so that
    neck, hair and head laid over one another cover just what is kept (Porter & Duff 1984). Returns back hair, with
    what was carried on below its end, and neck: (1280, 1024) float32 0..1.
    """
    own = np.minimum(hair.back, parts.hair)
    hairy, bare = (cv2.GaussianBlur(part, (0, 0), 1.5) + least for part, least in ((own, 0.0), (neck, 1e-3)))
    share = cv2.resize(hairy / (hairy + bare), frame.PRINT, interpolation=cv2.INTER_LINEAR)
    back = (kept - head) * share
    under = (kept - head - back) / np.maximum(1 - head - back, 0.02)
    inner = cv2.erode((parts.valid > 0.95).astype(np.float32), np.ones((9, 9), np.uint8), borderValue=1)
    beyond = np.clip(hair.back - own * inner, 0, 1)  # from the photo's border on, where `kept` ends at once
    grown = cv2.resize(beyond, frame.PRINT, interpolation=cv2.INTER_LINEAR) * (1 - kept)
    return np.clip(back + grown, 0, 1).astype(np.float32), np.clip(under, 0, 1).astype(np.float32)


def foreground_of(guide: F32, matte: F32) -> F32:
    """Estimate the sitter's own colours in edge pixels (multi-level foreground estimation, Germer et al. 2020).

    Only the rectangle that holds the sitter is looked at: MARGIN_PX beyond them the picture stays as it is.
    """
    rows, columns = (np.flatnonzero((matte > 0).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return guide
    own = np.s_[
        max(0, rows[0] - MARGIN_PX) : rows[-1] + MARGIN_PX, max(0, columns[0] - MARGIN_PX) : columns[-1] + MARGIN_PX
    ]
    rgb = guide.copy()
    rgb[own] = estimate_foreground_ml(guide[own].astype(np.float64), matte[own].astype(np.float64))
    return rgb


def backdrop_of(valid: F32, whole: F32) -> F32:
    """Return where the photo surely shows something else than the sitter: (1280, 1024) float32 0..1.

    Not at the photo's own border: a neck that the border cuts goes on below it.
    """
    inner = cv2.erode((valid > 0.95).astype(np.uint8), np.ones((BORDER_PX, BORDER_PX), np.uint8))
    return (inner * (1 - whole)).astype(np.float32)


def _jaw_edge(parts: Parts, face: FaceMap) -> F32:
    """Return where the jaw is the head's edge, without hair over it: (1280, 1024) float32 0..1."""
    points, eye = face.landmarks[:, :2] * np.float32(HALF), INTEROCULAR_PX * HALF
    rows = np.arange(PARTS_SIZE[1])[:, None]
    near = cv2.dilate((parts.oval > 0.5).astype(np.uint8), np.ones((1, 2 * round(0.12 * eye) + 1), np.uint8)) > 0
    hairy = cv2.dilate((parts.hair > 0.1).astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    start = points[list(FACE_OVAL), 1].max() - JAW_BEGINS * eye
    jaw = np.clip((rows - start) / (JAW_SETS_IN * eye), 0, 1) * (near & ~hairy)
    return np.clip(cv2.resize(jaw.astype(np.float32), frame.PRINT, interpolation=cv2.INTER_CUBIC), 0, 1)


def _with_grown(rgb: F32, hair: Hair, others: F32) -> F32:
    """Put the colours of hair that was carried on where it was, but on no `others`: what else is kept of the photo."""
    if not hair.drawn.any():
        return rgb
    drawn = hair.drawn * (1 - others)
    drawn = cv2.GaussianBlur(cv2.resize(drawn, frame.PRINT, interpolation=cv2.INTER_LINEAR), (0, 0), 2)[..., None]
    colours = cv2.resize(hair.rgb, frame.PRINT, interpolation=cv2.INTER_CUBIC)
    return np.clip(rgb + (colours - rgb) * drawn, 0, 1).astype(np.float32)
