"""The side the key light stands on."""

from typing import Final

from core.edit.step import StepKind

STEPS: Final = (
    StepKind("light_left", 1, settings=lambda settings, _: {**settings, "key_side": -1.0}),
    StepKind("light_right", 1, settings=lambda settings, _: {**settings, "key_side": 1.0}),
)
