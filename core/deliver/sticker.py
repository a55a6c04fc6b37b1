"""A portrait as a sticker or an emoji: head and shoulders cut out along their outline, with a white rim."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from core import frame
from core.deliver import files
from core.deliver.layers import layers_for
from core.deliver.manifest import read_record
from core.edit.recipe import whole
from core.errors import Refused
from core.face.mesh import CHIN
from core.types import F32, U8, Layers


@dataclass(frozen=True, slots=True)
class StickerKind:
    """size: width and height in pixels. suffix: the file's. most_bytes: what the chat takes."""

    size: int
    suffix: str
    most_bytes: int


KINDS: Final = {
    "telegram_sticker": StickerKind(512, ".webp", 512_000),
    "discord_sticker": StickerKind(320, ".png", 512_000),
    "discord_emoji": StickerKind(128, ".png", 256_000),
}
"""core.telegram.org/stickers (one side exactly 512, PNG or WebP, 512 kB); Discord's help centre (320x320, 512 kB; an
emoji 128x128, 256 kB)."""
RIM: Final = 0.018
"""Width of the white rim as a part of the sticker's."""
BUST: Final = 1.75
"""Eye distances below the chin at which the shoulders are cut off in an arc; by eye."""
GROWN: Final = 0.03
"""Eye distances by which the cut lies outside the matte: the line drawn round a sitter is half outside."""


def sticker_of(portrait: Path, kind: str) -> bytes:
    """Cut a portrait's file out by its record and layers: an encoded picture, which says what made it.

    Raises Refused as `sticker`, and where the portrait has more bytes cut out than the chat takes.
    """
    record, recipe = read_record(portrait)
    rgb, layers = whole(layers_for((portrait.parent / record["layers"]).resolve(), recipe), recipe)
    data = files.encode(sticker(rgb, layers, kind), KINDS[kind].suffix, recipe)
    if len(data) > KINDS[kind].most_bytes:
        raise Refused("sticker", f"a {kind} has {len(data)} bytes, the limit is {KINDS[kind].most_bytes}")
    return data


def sticker(rgb: U8, layers: Layers, kind: str) -> U8:
    """Cut a developed print (H, W, 3) out by its layers: (size, size, 4) uint8 sRGB and alpha.

    Raises Refused for an unknown kind, and where the layers are too old to say where the face is.
    """
    if kind not in KINDS:
        raise Refused("sticker", f"{kind!r} is unknown, choose from {', '.join(KINDS)}")
    if len(layers.landmarks) <= CHIN:
        raise Refused("not_drawable", f"this portrait has {len(layers.landmarks)} face points; shoot it again")
    size = KINDS[kind].size
    alpha = _bust(layers)
    rows, columns = (np.flatnonzero((alpha > 0.5).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise Refused("sticker", "0 pixels of the sitter are in this picture")
    room = 2.5 * RIM
    scale = size * (1 - 2 * room) / max(np.ptp(rows) + 1, np.ptp(columns) + 1)
    middle = (columns[0] + columns[-1] + 1) / 2, (rows[0] + rows[-1] + 1) / 2
    move = np.array([[scale, 0, size / 2 - scale * middle[0]], [0, scale, size / 2 - scale * middle[1]]], np.float32)
    smooth = max(0.35 / scale, 0.3)
    cover = cv2.warpAffine(cv2.GaussianBlur(alpha, (0, 0), smooth), move, (size, size), flags=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(rgb, (0, 0), smooth).astype(np.float32)
    picture = cv2.warpAffine(soft, move, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    reach = 2 * round(RIM * size) + 1
    rim = cv2.dilate((cover > 0.5).astype(np.float32), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    rim = np.maximum(cv2.GaussianBlur(rim, (0, 0), 0.9), cover)
    blended = 255 + (picture - 255) * cover[..., None]
    return np.dstack([np.round(blended), np.round(255 * rim)]).clip(0, 255).astype(np.uint8)


def _bust(layers: Layers) -> F32:
    """Return the sitter's outline (H, W) 0..1, a little grown, the shoulders cut in an arc below the chin."""
    figure = np.maximum(np.maximum(layers.head, layers.neck), layers.garment[..., 3]).astype(np.float32) / 255
    eye = float(np.linalg.norm(np.diff(frame.eye_centres(layers.landmarks), axis=0)))
    reach = 2 * round(GROWN * eye) + 1
    solid = cv2.dilate(figure, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    chin = layers.landmarks[CHIN, :2]
    height, width = figure.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    radius = 2.6 * eye
    away = np.hypot(x - chin[0], y - (chin[1] + BUST * eye - radius))
    arc = np.clip(radius - away + 0.5, 0, 1)
    return np.where(y < chin[1] - 0.2 * eye, solid, np.minimum(solid, arc)).astype(np.float32)
