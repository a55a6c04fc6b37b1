"""A small picture of an edit that takes long, shown while the whole is made: its recipe over smaller layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.edit.crops import crop
from core.edit.outfit import dressed
from core.edit.recipe import drawn, effective, outfit_of, photographed
from core.frame import PRINT_SIZES
from core.scene.style import OWN
from core.types import U8, Layers, Recipe, Undressed

WIDTH: Final = min(width for width, _ in PRINT_SIZES)
"""Pixels across, those of the smallest print: a quarter of the work of the largest."""


def is_slow(layers: Layers, recipe: Recipe) -> bool:
    """Say whether a recipe's picture takes long at full print; others are there before a preview could be looked at.

    layers: as they were read for the recipe. Slow are a garment that is not put on yet, a drawn look, an enlargement;
    but no format, which has few pixels of its own.
    """
    settings, outfit = effective(recipe), outfit_of(recipe)
    to_be_worn = outfit is not None and not layers.outfit and outfit.kind != OWN
    slow = to_be_worn or settings.get("finish") or int(settings.get("upscale", 1)) > 1
    return bool(slow) and not settings.get("format")


def preview(layers: Layers, recipe: Recipe) -> U8:
    """Make a recipe's picture of layers that were `shrunk`, in its crop and not enlarged: (H, W, 3) uint8.

    Raises Refused as `core.edit.recipe.developed`.
    """
    if (outfit := outfit_of(recipe)) is not None:
        layers = dressed(layers, outfit, recipe.seed, quick=True)
    return crop(drawn(photographed(layers, recipe), recipe, enlarged=False), effective(recipe)["crop"])


def shrunk(layers: Layers) -> Layers:
    """Bring layers to at most WIDTH pixels across, with what is under their garment."""
    factor = min(1.0, WIDTH / layers.head.shape[1])
    if factor == 1:
        return layers
    by = np.float32(factor)
    return replace(
        layers,
        sitter=_resized(layers.sitter, factor),
        head=_resized(layers.head, factor),
        neck=_resized(layers.neck, factor),
        garment=_resized(layers.garment, factor),
        normals=_resized(layers.normals.astype(np.int16), factor).astype(np.int8),
        marks=layers.marks * by,
        chin=layers.chin * factor,
        landmarks=layers.landmarks * by,
        parts=_resized(layers.parts, factor),
        regions=_resized(layers.regions, factor),
        frame_width=layers.frame_width * factor,
        undressed=None if layers.undressed is None else _shrunk_under(layers.undressed, factor),
        own=None if layers.own is None else shrunk(layers.own),
    )


def _shrunk_under(under: Undressed, factor: float) -> Undressed:
    """Bring what is under a garment to a factor of its size; the body is told in pixels of the full print at any."""
    left, top, width, height = (factor * side for side in under.window)
    return replace(
        under,
        layers=shrunk(under.layers),
        back_hair=_resized(under.back_hair, factor),
        backdrop=_resized(under.backdrop, factor),
        window=(left, top, width, height),
        upscale_factor=max(1.0, factor * under.upscale_factor),
        from_row=round(factor * under.from_row),
    )


def _resized(layer: NDArray[Any], factor: float) -> NDArray[Any]:
    if factor == 1 or not layer.size:
        return layer
    height, width = layer.shape[:2]
    return cv2.resize(layer, (round(factor * width), round(factor * height)), interpolation=cv2.INTER_AREA)
