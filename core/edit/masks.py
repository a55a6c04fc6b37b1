"""Where the parts of a sitter are in their layers, derived from the face mesh, the mattes and the colours.

Nothing here is stored: a portrait keeps its mesh, its mattes and its garment's parts (`core.types.Layers`), and eyes,
teeth, lips, brows, skin, hair, beard and glasses follow from them. All masks are (H, W) float32 in 0..1 of the layers'
size, soft at their edges.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.colour import to_bytes
from core.errors import Refused
from core.face.mesh import BROWS, EYES, FACE_OVAL, LIPS, NOSTRILS
from core.types import F32, Layers

IRISES: Final = ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477))
"""Centre and rim of the sitter's right and left iris; the mesh's last ten points."""
MOUTH: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
"""The lips' inner edge (`FACEMESH_LIPS`)."""
CORNERS: Final = (61, 291)
"""Corners of the mouth, the sitter's right and left."""
UNDER_EYES: Final = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 243, 112, 232, 231, 230, 229, 228, 31, 226),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 463, 341, 452, 451, 450, 449, 448, 261, 446),
)
"""From the lower lid to where the cheek begins."""
CHEEKS: Final = ((50, 101, 118, 117, 123, 147, 187, 205), (280, 330, 347, 346, 352, 376, 411, 425))
"""Plain skin of the sitter's right and left cheek."""
DARK_MOUTH: Final = 32.0
"""CIELAB L* below which the open mouth shows its inside and not teeth."""
TOOTH_CHROMA: Final = 32.0
"""CIELAB chroma above which it shows tongue or gum."""
SKIN_DEVIATIONS: Final = 3.5
"""Median deviations of colour within which a pixel of the face is plain skin, with SKIN_FLOOR added."""
SKIN_FLOOR: Final = 5.0


def mesh_of(layers: Layers) -> F32:
    """Return the face mesh (478, 3) in the layers' pixels. Raises Refused where they have none."""
    if len(layers.landmarks) < 478:
        raise Refused("no_mesh", "this portrait's layers hold 0 of 478 points of the face: draw it again to edit it so")
    return layers.landmarks


def eye_px(layers: Layers) -> float:
    """Return the eye distance of the frame in the layers' pixels: the unit of all lengths in a face."""
    return frame.EYE_DISTANCE * layers.unit


def polygon(layers: Layers, ring: tuple[int, ...], grow: float = 1.0, soft: float = 0.01) -> F32:
    """Fill a ring of the mesh, grown about its middle; soft: blur of its edge in eye distances."""
    points = mesh_of(layers)[list(ring), :2]
    middle = points.mean(axis=0)
    filled = np.zeros(layers.head.shape, np.float32)
    outline = np.round(((points - middle) * grow + middle) * 16).astype(np.int32)
    cv2.fillPoly(filled, [outline], 1.0, cv2.LINE_AA, 4)
    sigma = max(0.5, soft * eye_px(layers))
    reach = 2 * round(4 * sigma + 2)  # twice what OpenCV's kernel reaches: outside of it nothing is blurred
    (left, top), (right, bottom) = outline.min(axis=0) // 16 - reach, outline.max(axis=0) // 16 + reach + 2
    near = np.s_[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if filled[near].size:
        filled[near] = cv2.GaussianBlur(filled[near], (0, 0), sigma)
    return filled


def eyes(layers: Layers) -> F32:
    """Return what is seen of the eyeballs between the lids."""
    return np.maximum(*(polygon(layers, ring) for ring in EYES))


def irises(layers: Layers) -> F32:
    """Return the irises with their pupils, between the lids."""
    discs = np.zeros(layers.head.shape, np.float32)
    points = mesh_of(layers)
    for centre, *rim in IRISES:
        radius = float(np.linalg.norm(points[rim, :2] - points[centre, :2], axis=1).mean())
        x, y = (round(float(v) * 16) for v in points[centre, :2])
        cv2.circle(discs, (x, y), round(radius * 16), 1.0, -1, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(discs, (0, 0), 0.5) * eyes(layers)


def brows(layers: Layers) -> F32:
    """Return the eyebrows."""
    return np.maximum(*(polygon(layers, ring, 1.1, 0.02) for ring in BROWS))


def mouth(layers: Layers) -> F32:
    """Return what is seen between the lips."""
    return polygon(layers, MOUTH, 1.0, 0.006)


def lips(layers: Layers) -> F32:
    """Return the lips without what is seen between them."""
    return polygon(layers, LIPS) * (1 - mouth(layers))


def teeth(layers: Layers) -> F32:
    """Return the teeth: what is light and pale between the lips."""
    lab = lab_of(layers)
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    light = np.clip((lab[..., 0] - DARK_MOUTH) / 12, 0, 1) * np.clip((TOOTH_CHROMA - chroma) / 8, 0, 1)
    return cv2.GaussianBlur((mouth(layers) * light).astype(np.float32), (0, 0), max(0.5, 0.006 * eye_px(layers)))


def lab_of(layers: Layers) -> F32:
    """Return the sitter's own pixels as CIELAB (H, W, 3) float32."""
    return cv2.cvtColor(layers.sitter.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2LAB)


def oval(layers: Layers, grow: float = 1.0) -> F32:
    """Return the face from forehead to chin."""
    return polygon(layers, FACE_OVAL, grow, 0.04)


def features(layers: Layers) -> F32:
    """Return eyes, brows, lips and nostrils with a margin: what no skin retouch may touch."""
    around = ((EYES[0], 1.5), (EYES[1], 1.5), (LIPS, 1.12), (BROWS[0], 1.3), (BROWS[1], 1.3), (NOSTRILS, 1.0))
    return np.maximum.reduce([polygon(layers, ring, grow, 0.02) for ring, grow in around])


def skin(layers: Layers) -> F32:
    """Return the face's plain skin: the oval without features, and without what has another colour (hair, glasses)."""
    bare = 1 - features(layers)
    inside = oval(layers) * bare * (layers.head > 200)
    return cv2.GaussianBlur(
        (inside * _like_skin(layers, bare)).astype(np.float32), (0, 0), max(0.5, 0.015 * eye_px(layers))
    )


def _like_skin(layers: Layers, bare: F32) -> NDArray[np.bool_]:
    """Say where the sitter's low frequencies have the colour of their face's plain skin; bare: where no feature is."""
    lab = cv2.GaussianBlur(lab_of(layers), (0, 0), 0.02 * eye_px(layers))
    plain = lab[(oval(layers, 0.9) * bare) > 0.9]
    if len(plain) < 20:
        return np.zeros(layers.head.shape, bool)
    middle = np.median(plain, axis=0)
    spread = SKIN_DEVIATIONS * np.median(np.abs(plain - middle), axis=0) + SKIN_FLOOR
    return np.asarray(np.all(np.abs(lab - middle) < spread * np.array([1.6, 1, 1], np.float32), axis=-1))


def hair(layers: Layers) -> F32:
    """Return the hair (and a hat): the head outside of the face, where it has not the colour of skin."""
    outside = layers.head.astype(np.float32) / 255 * (1 - oval(layers, 1.02))
    return outside * (
        1 - cv2.GaussianBlur(_like_skin(layers, 1 - features(layers)).astype(np.float32), (0, 0), 0.02 * eye_px(layers))
    )


def beard(layers: Layers) -> F32:
    """Return facial hair: what is darker than skin on the lower half of the face, lips apart."""
    lower = (np.arange(len(layers.head), dtype=np.float32)[:, None] > mesh_of(layers)[2, 1]).astype(np.float32)
    return oval(layers, 0.98) * lower * (1 - polygon(layers, LIPS, 1.1)) * ~_like_skin(layers, 1 - features(layers))


def glasses(layers: Layers) -> F32:
    """Return what is worn round the eyes: what has not the colour of skin there, eyes and brows apart."""
    return glasses_band(layers) * ~_like_skin(layers, 1 - features(layers))


def glasses_band(layers: Layers) -> F32:
    """Return where glasses would be: the face between brows and cheeks, eyes and brows apart."""
    points = mesh_of(layers)
    rows = np.arange(len(layers.head), dtype=np.float32)[:, None]
    band = ((rows > points[[105, 334], 1].min()) & (rows < points[[117, 346], 1].max())).astype(np.float32)
    own = np.maximum(np.maximum(*(polygon(layers, ring, 1.3) for ring in EYES)), brows(layers))
    return oval(layers) * band * (1 - own)


def open_mouth(layers: Layers) -> float:
    """Return how far the lips stand apart, as a part of the mouth's width."""
    points = mesh_of(layers)[:, :2]
    width = float(np.linalg.norm(points[CORNERS[0]] - points[CORNERS[1]]))
    return float(np.linalg.norm(points[13] - points[14])) / max(width, 1e-3)


def yaw_deg(layers: Layers) -> float:
    """Return how far the face is turned to the picture's right, in degrees, from the cheeks' depths in the mesh."""
    points = mesh_of(layers)
    across = points[454] - points[234]
    return float(np.degrees(np.arctan2(across[2], across[0])))


LEAST_CHANGE: Final = 0.1
"""CIELAB steps below which nothing is changed."""
MARGIN: Final = 0.5
"""Eye distances round the face within which face edits work."""


def face_box(layers: Layers) -> tuple[slice, slice]:
    """Return the rows and columns of the face with MARGIN around it, inside the picture."""
    points = mesh_of(layers)[:, :2]
    reach = MARGIN * eye_px(layers)
    (left, top), (right, bottom) = points.min(axis=0) - reach, points.max(axis=0) + reach
    height, width = layers.head.shape
    rows = slice(int(np.clip(top, 0, height - 8)), int(np.clip(bottom, 8, height)))
    columns = slice(int(np.clip(left, 0, width - 8)), int(np.clip(right, 8, width)))
    if rows.stop - rows.start < 8 or columns.stop - columns.start < 8:
        raise Refused("no_mesh", "the face lies outside of this portrait: there are 0 pixels of it to edit")
    return rows, columns


def cut(layers: Layers, box: tuple[slice, slice]) -> Layers:
    """Return the part of the layers in a box, as layers."""
    rows, columns = box
    shift = np.array([columns.start, rows.start, 0], np.float32)
    return replace(
        layers,
        sitter=layers.sitter[box],
        head=layers.head[box],
        neck=layers.neck[box],
        garment=layers.garment[box],
        normals=layers.normals[box],
        marks=layers.marks - shift,
        chin=layers.chin - rows.start,
        landmarks=layers.landmarks - shift,
        parts=layers.parts[box] if layers.parts.size else layers.parts,
        regions=layers.regions[box] if layers.regions.size else layers.regions,
        frame_width=layers.unit,
    )


def with_face(layers: Layers, box: tuple[slice, slice], lab: F32) -> Layers:
    """Return the layers with other colours of the sitter in a box: CIELAB (h, w, 3) float32.

    A pixel whose colour does not change keeps its bytes: CIELAB and back would move them by one.
    """
    sitter = layers.sitter.copy()
    part = sitter[box]
    other = np.abs(lab - lab_of(replace(layers, sitter=part))).max(axis=-1) > LEAST_CHANGE
    part[other] = to_bytes(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB))[other]
    return replace(layers, sitter=sitter)
