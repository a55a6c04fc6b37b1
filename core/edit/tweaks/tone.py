"""Exposure and white balance of the whole picture."""

from typing import Final

from core.edit.step import StepKind, moved

STOPS: Final = (-1.0, 1.0)
"""Limits of exposure in stops."""
WARMTH: Final = (-1.4, 1.4)
"""Limits of warmth; `core.scene.lighting.tint` gives the unit."""

STEPS: Final = (
    StepKind("warmer", 1, settings=moved("warmth", 0.35, *WARMTH)),
    StepKind("cooler", 1, settings=moved("warmth", -0.35, *WARMTH)),
    StepKind("brighter", 1, settings=moved("stops", 0.2, *STOPS)),
    StepKind("darker", 1, settings=moved("stops", -0.2, *STOPS)),
)
