"""Exposure, white balance and contrast of the whole picture."""

from typing import Final

import cv2
import numpy as np

from core.edit.step import Settings, StepKind, added, moved, strengths
from core.types import U8, Layers

STOPS: Final = (-1.0, 1.0)
"""Limits of exposure in stops."""
WARMTH: Final = (-1.4, 1.4)
"""Limits of warmth; `core.scene.lighting.tint` gives the unit."""
WARMER: Final = {"touch": 0.2, "more": 0.35, "lots": 0.75}
BRIGHTER: Final = {"touch": 0.1, "more": 0.2, "lots": 0.45}
CONTRAST: Final = {"less": -0.35, "more": 0.3, "lots": 0.6}
"""How much steeper the middle of the tone curve becomes."""
PIVOT: Final = 0.5
"""sRGB value that contrast leaves where it is, near that of a face's middle tones."""


def _warmed(settings: Settings, by: float) -> Settings:
    return added(settings, "warmth", by, *WARMTH)


def _lit(settings: Settings, by: float) -> Settings:
    return added(settings, "stops", by, *STOPS)


def curve(steeper: float) -> U8:
    """Return a tone curve of 256 bytes through 0, PIVOT and 1, its middle steeper by that part, without a corner."""
    x = np.linspace(0, 1, 256)
    bend = steeper * (x - PIVOT) * 4 * x * (1 - x)
    return np.round(np.clip(x + bend, 0, 1) * 255).astype(np.uint8)


def _contrasted(rgb: U8, layers: Layers, steeper: float, seed: int) -> U8:
    return cv2.LUT(rgb, curve(steeper)).astype(np.uint8)


STEPS: Final = (
    StepKind("warmer", 1, settings=moved("warmth", 0.35, *WARMTH)),
    StepKind("cooler", 1, settings=moved("warmth", -0.35, *WARMTH)),
    StepKind("brighter", 1, settings=moved("stops", 0.2, *STOPS)),
    StepKind("darker", 1, settings=moved("stops", -0.2, *STOPS)),
    strengths("warmer", 2, WARMER, "more", settings=_warmed),
    strengths("cooler", 2, {word: -by for word, by in WARMER.items()}, "more", settings=_warmed),
    strengths("brighter", 2, BRIGHTER, "more", settings=_lit),
    strengths("darker", 2, {word: -by for word, by in BRIGHTER.items()}, "more", settings=_lit),
    strengths("contrast", 1, CONTRAST, "more", picture=_contrasted),
)
