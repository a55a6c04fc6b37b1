"""How hard a photo was processed, and the glare of a lens that takes that back.

Phones and picture generators sharpen pores and draw shadows black. In a soft room such a head looks pasted on; some of
the picture's light, scattered over it as a lens scatters it, brings its blacks up to the room's.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core import frame
from core.colour import LUMINANCE, linear, thrice
from core.cutout.parts import HALF, PARTS_SIZE
from core.face.landmarks import fill
from core.face.mesh import FACE_OVAL
from core.scene.blur import blurred
from core.types import F32, Cutout, FaceMap, Layers

FINE: Final = (0.7, 2.0)
"""Gaussians' deviations in pixels of PARTS_SIZE, of whose difference the texture is: pores and sharpened edges."""
DARK: Final = 0.004
"""Linear light that is added before the logarithm: below it a photo has noise alone."""
TEXTURE: Final = (0.14, 0.16)
"""Deviation of the binary logarithm of light between FINE, on the face's skin, from which on there is glare, and most
of it. Of 44 blind pairs in colour, without and with a glare of about MOST everywhere, a reader preferred it in 19 of 23
from 0.15 on and in 8 of 21 below, where it made soft photos milky."""
MOST: Final = 0.11
"""Part of a print's light that is scattered."""
SPREAD: Final = (0.02, 0.09)
"""Deviations of the two Gaussians it is scattered by, half by each, as a part of the print's width; by eye."""
ON_CLOTH: Final = 0.2
"""Part of it on a garment, which was photographed in soft light: with all of it readers saw mist on jackets."""
ON_FACE: Final = 0.4
"""Part of it on the middle of a face. With all of it readers saw veiled eyes, and of three photos of one person it took
3.4 points of likeness from one and nothing from the others; so 0.3."""
SOFT: Final = 0.25
"""Eye distances over which the middle of a face goes over to the rest, as a Gaussian's deviation; by eye."""


def texture_of(face: FaceMap, cutout: Cutout) -> float:
    """Return how strong the texture of a face's skin is in its photo, as TEXTURE says; 0 where no skin is seen."""
    rgb, valid = frame.framed(face.selfie.rgb, (face.transform * HALF).astype(np.float32), *PARTS_SIZE)
    head, regions = (
        cv2.resize(each, PARTS_SIZE, interpolation=cv2.INTER_AREA) for each in (cutout.head, cutout.regions)
    )
    covered = regions[..., :2].max(axis=-1)  # by hair and a hat
    bare = fill(head.shape, face.landmarks[:, :2] * np.float32(HALF), FACE_OVAL) & (covered < 100)
    bare &= (head > 0.9) & (valid > 0.95)
    if not bare.any():
        return 0.0
    light = np.log2(linear(rgb) @ LUMINANCE + np.float32(DARK))
    fine, broad = (cv2.GaussianBlur(light, (0, 0), deviation) for deviation in FINE)
    return float(np.std((fine - broad)[bare]))


def glare_for(face: FaceMap, cutout: Cutout) -> float:
    """Return the part of its light that a portrait from a photo scatters, 0..MOST."""
    first, all_of_it = TEXTURE
    return round(MOST * float(np.clip((texture_of(face, cutout) - first) / (all_of_it - first), 0, 1)), 3)


def add_glare(picture: F32, amount: float, figure: F32, cloth: F32, face: F32) -> None:
    """Scatter a part of a picture's light (H, W, 3) over the sitter; `picture`, linear light, is changed.

    figure, cloth, face: (H, W) how much of each pixel is the sitter with what they wear, a garment, and the middle of a
    face. What stands behind them stays: before black a bright hat would glow.
    """
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    scattered = sum(cv2.GaussianBlur(small, (0, 0), part * small.shape[1]) for part in SPREAD) / np.float32(len(SPREAD))
    scattered = cv2.resize(scattered, (width, height), interpolation=cv2.INTER_LINEAR)
    scattered -= picture
    bare = figure - cloth
    scattered *= thrice(np.float32(amount) * (ON_CLOTH * cloth + bare * (1 - np.float32(1 - ON_FACE) * face)))
    picture += scattered


def middle_of_face(layers: Layers) -> F32:
    """Return the inside of a face's oval, softly: (H, W) float32 0..1, nothing for layers without a mesh."""
    shape = layers.head.shape
    if not len(layers.landmarks):
        return np.zeros(shape, np.float32)
    oval = fill(shape, layers.landmarks, FACE_OVAL).astype(np.float32)
    return blurred(oval, SOFT * frame.EYE_DISTANCE * layers.unit)
