"""Other colours of what the sitter wears: jacket, shirt and tie, by the garment's own parts."""

from dataclasses import replace
from typing import Final

import numpy as np

from core.colour import to_bytes
from core.edit.step import Parameters, StepKind
from core.engines.redress.fitting import recoloured
from core.errors import Refused
from core.scene.style import CLOTH_COLOURS, rgb_of
from core.scene.wardrobe import PART_NAMES
from core.types import Layers

SHIRTS: Final = {"white": "#f1f3f6", "blue": "#b9cbe4", "pink": "#e9cdd0", "grey": "#c3c7cc", "black": "#1c1d22"}
TIES: Final = {
    "burgundy": "#6a2231", "navy": "#24304e", "blue": "#34507e", "green": "#2b4a3a", "grey": "#6f747b",
    "gold": "#a8833a",
}  # fmt: skip
LEAST_PIXELS: Final = 200
"""Pixels of a part below which it is said not to be worn."""


def _step(name: str, part: str, colours: dict[str, str], *until: str) -> StepKind:
    def read(text: str) -> Parameters:
        colour = colours.get(text, text)
        if len(colour) != 7 or colour[0] != "#" or not set(colour[1:].lower()) <= set("0123456789abcdef"):
            raise Refused("tweak_value", f"{name} {text!r}: give #rrggbb or one of {', '.join(colours)}")
        return {"value": text, "colour": colour.lower()}

    def dye(layers: Layers, parameters: Parameters, seed: int) -> Layers:
        if not layers.parts.size:
            raise Refused("edit_own_clothes", f"{name}: 0 pixels of a garment are known, these are own clothes")
        where = layers.parts[..., PART_NAMES.index(part)]
        rows = np.flatnonzero((where > 127).any(axis=1))
        if (where > 127).sum() < LEAST_PIXELS:
            raise Refused("not_worn", f"{name}: {int((where > 127).sum())} pixels of it are seen: it is not worn")
        below = slice(int(rows[0]), len(where))
        cloth = layers.garment[below].astype(np.float32) / 255
        dyed = recoloured(cloth, where[below].astype(np.float32) / 255, rgb_of(parameters["colour"]))
        garment = layers.garment.copy()
        garment[below, :, :3] = to_bytes(dyed[..., :3])
        return replace(layers, garment=garment)

    return StepKind(name, 1, read, layers=dye, takes=f"#rrggbb, {', '.join(colours)}", until=frozenset(until))


STEPS: Final = (
    _step("jacket_colour", "jacket", CLOTH_COLOURS, "outfit"),
    _step("shirt_colour", "shirt", SHIRTS, "outfit"),
    _step("tie_colour", "tie", TIES, "outfit", "tie"),
)
