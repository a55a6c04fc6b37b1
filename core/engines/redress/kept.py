"""What of a sitter is kept with a portrait: their own pixels, and what another garment would be put on."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.types import U8, Body, Layers, Undressed

AROUND: Final = 48
"""Pixels of the full print round the sitter within which their photo's pixels stay: edits blur by less than that."""
UNDER: Final = 28
"""The same of what lies under a garment: `generate.dress` blurs the sitter's own neck by 7, and shrinks by 8."""


def without_surroundings(layers: Layers, own_neck: U8 | None = None) -> Layers:
    """Return layers without what the photo shows around the sitter: nobody else's face or room is kept.

    own_neck: (H, W) matte of all that the photo shows of the neck, where a collar hides some of it.
    """
    neck = layers.neck if own_neck is None else np.maximum(layers.neck, own_neck)
    own = _near(np.maximum(layers.head, neck), AROUND)
    cloth = _near(layers.garment[..., 3], AROUND)
    garment = _only(layers.garment, cloth)
    garment[..., 3] = layers.garment[..., 3]
    return replace(
        layers,
        sitter=_only(layers.sitter, own),
        garment=garment,
        normals=_only(layers.normals, own | cloth),
    )


def kept(under: Undressed, from_row: int) -> Undressed:
    """Return what another garment needs of an undressed sitter, in its rows from one on; the mattes are kept whole."""
    layers = under.layers
    own = _near(np.maximum(np.maximum(layers.head, layers.neck), under.back_hair), UNDER if from_row else AROUND)
    own[:from_row] = False
    backdrop, regions, normals = under.backdrop.copy(), layers.regions.copy(), layers.normals.copy()
    for layer in (backdrop, regions, normals):
        layer[:from_row] = 0
    lower = replace(layers, sitter=_only(layers.sitter, own), normals=normals, regions=regions)
    given = {each.name: getattr(under, each.name) for each in fields(Undressed)}
    body = Body(*(float(getattr(under.body, each.name)) for each in fields(Body)))
    return Undressed(**{**given, "layers": lower, "backdrop": backdrop, "body": body, "from_row": from_row})


def _near(matte: U8, reach: int) -> NDArray[np.bool_]:
    """Return what is not further from a matte (H, W) than so many pixels of the full print, and a few pixels more."""
    height, width = matte.shape
    small = cv2.resize(matte.astype(np.float32), (-(-width // 4), -(-height // 4)), interpolation=cv2.INTER_AREA)
    around = round(reach / 4 * width / frame.PRINT[0]) + 1
    grown = cv2.dilate((small > 0).astype(np.uint8), np.ones((2 * around + 1,) * 2, np.uint8))
    return np.asarray(cv2.resize(grown, (width, height), interpolation=cv2.INTER_NEAREST) > 0)


def _only(layer: NDArray[Any], where: NDArray[np.bool_]) -> NDArray[Any]:
    return cv2.bitwise_and(layer, layer, mask=where.view(np.uint8))
