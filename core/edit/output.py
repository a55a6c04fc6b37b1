"""Layers and settings -> the print or format that is shown, before it is composed and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from core.edit import formats
from core.edit.upscale import silent as silent
from core.edit.upscale import upscaled
from core.edit.warp import placed
from core.edit.widen import widened
from core.errors import Refused
from core.types import U8, Layers

OnProgress = Callable[[int, int], None]
"""Called with step and total of what takes seconds."""


def place(layers: Layers, settings: Mapping[str, Any]) -> Layers:
    """Bring layers into the format that is asked for, or nearer, further and higher in their own print."""
    if name := settings.get("format"):
        return formats.place(layers, name)
    zoom, headroom = 1 + float(settings.get("zoom", 0.0)), float(settings.get("headroom", 0.0))
    if zoom == 1 and headroom == 0:
        return layers
    height, width = layers.head.shape
    middle = float(layers.landmarks[1, 0]) if len(layers.landmarks) else width / 2
    eyes = formats.head_of(layers)[1]
    down = eyes + headroom * height - zoom * eyes  # the eyes stay at their height, but for the headroom
    if zoom * height + down < height:  # never show where the body ends
        down = height - zoom * height
        if zoom < 1 and headroom < 0:
            raise Refused("tweak_limit", f"headroom is {headroom:g}, the limit is 0 where the sitter is further away")
    if down > 0.5 and (layers.head[0] > 127).any():
        raise Refused("crown_cut", f"the photo cuts the hair: {down:.0f} px above it would be bare")
    across = width / 2 - zoom * (middle + (width / 2 - middle) * min(1.0, 1 / zoom))
    left = int(max(0, np.ceil(across / zoom)))
    right = int(max(0, np.ceil((width - zoom * width - across) / zoom)))
    wide, left = widened(layers, left, right)
    move = np.array([[zoom, 0, across - zoom * left], [0, zoom, down]], np.float32)
    return placed(wide, move, (width, height))


def finished(rgb: U8, layers: Layers, settings: Mapping[str, Any], on_progress: OnProgress = silent) -> U8:
    """Return a composed picture cut to a circle and enlarged where the settings ask for it."""
    name = settings.get("format")
    if int(settings.get("upscale", 1)) > 1:
        rgb = upscaled(rgb, layers, int(settings["upscale"]), on_progress)
    return formats.circled(rgb) if name and formats.formats()[name].circle else rgb


def document_of(layers: Layers, rgb: U8, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a document's format measures and does not meet, as JSON values; None where none is asked for."""
    name = settings.get("format")
    if not name or not formats.formats()[name].size_mm:
        return None
    found, wrong = formats.measured(layers, rgb, name)
    numbers = {key: round(value, 2) for key, value in found.items()}
    return {"name": name, "meets": not wrong, "wrong": wrong, "measures": numbers}
