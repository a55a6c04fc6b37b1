"""Faults of a portrait's skin against the photo it comes from: a neck of another colour, a cast."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.colour import LUMINANCE, length, linear, srgb
from core.face.constancy import beyond_white_light
from core.scene.neck_tone import hue_at
from core.types import F32, U8

LEAST_PX: Final = 200
"""Pixels of skin below which a colour is not spoken of."""
CLOTH: Final = 25.0
"""CIELAB distance from the face's colour, at one luminance, from which a pixel of the photo is cloth and no neck."""


def neck_against_face(rgb: U8, neck: NDArray[np.bool_], face: NDArray[np.bool_], at: F32 | None = None) -> F32 | None:
    """Return a* and b* of the neck less the face's, both brought to one luminance: (2,), None unseen.

    A neck stands in the chin's shadow by right; only its hue and saturation can betray it. at: linear light (3,) whose
    luminance is meant, the face's where none is given.
    """
    if min(neck.sum(), face.sum()) < LEAST_PX:
        return None
    skin, own = (np.median(linear(rgb[part]), axis=0) for part in (face, neck))
    level = skin if at is None else at
    return _chroma(own, level) - _chroma(skin, level)


def neck_like_others(rgb: U8, neck: NDArray[np.bool_], face: NDArray[np.bool_], at: F32) -> F32:
    """Return a* and b* that necks as light as this one have, less the face's, brought to one luminance: (2,).

    As `neck_against_face`, of parts that are seen: skin in the shade is a little less saturated than in the light
    (`core.scene.neck_tone.hue_at`).
    """
    skin, own = (np.median(linear(rgb[part]), axis=0) for part in (face, neck))
    of_skin, of_neck = (cv2.cvtColor(srgb(each[None, None]), cv2.COLOR_RGB2LAB)[0, 0] for each in (skin, own))
    of_neck[1:] = of_skin[1:] * hue_at(of_neck[0] / max(float(of_skin[0]), 1), of_skin)
    others = linear(np.clip(cv2.cvtColor(of_neck[None, None], cv2.COLOR_LAB2RGB), 0, 1))[0, 0]
    return _chroma(others, at) - _chroma(skin, at)


def light_of(rgb: U8, part: NDArray[np.bool_]) -> F32 | None:
    """Return the median linear light (3,) of a part of a picture, None where it has too few pixels."""
    return np.median(linear(rgb[part]), axis=0).astype(np.float32) if part.sum() >= LEAST_PX else None


def is_skin(rgb: U8, face: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where a picture (H, W, 3) has the face's colour but for its luminance: not cloth."""
    skin = np.median(linear(rgb[face]), axis=0)
    away = _chroma(cv2.GaussianBlur(linear(rgb), (0, 0), 1.5), skin) - _chroma(skin, skin)
    return np.asarray(length(away) < CLOTH)


def _chroma(light: F32, skin: F32) -> F32:
    """Return CIELAB a* and b* (..., 2) of linear light (..., 3) brought to the luminance of skin (3,)."""
    level = float(skin @ LUMINANCE) / np.maximum(light @ LUMINANCE, 1e-4)
    flat = srgb(np.clip(light * level[..., None], 0, 1)).reshape(1, -1, 3).astype(np.float32)
    return cv2.cvtColor(flat, cv2.COLOR_RGB2LAB)[0, :, 1:].reshape(*light.shape[:-1], 2).astype(np.float32)


def cast_of(rgb: U8, face: NDArray[np.bool_]) -> float:
    """Return how far the face's chromaticity lies beyond skin's in white light, natural logarithm; 0 within."""
    return beyond_white_light(linear(rgb[face])) if face.sum() >= LEAST_PX else 0.0
