"""Portrait + tweak -> portrait: every edit is a line in the recipe, replayed from the layers; undo takes one away.

No network is called here: light, colour, backdrop, retouch and crop work on what was drawn.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from core.errors import Refused
from core.scene.compose import compose
from core.scene.stage import look_of
from core.scene.style import Crop, wardrobe
from core.types import U8, Layers, Recipe

Settings = dict[str, Any]

CROPS: Final[dict[str, tuple[float, float, float, float]]] = {
    "portrait": (0.0, 0.0, 1.0, 1.0),
    "close": (0.12, 0.05, 0.88, 0.81),
    "square": (0.0, 0.02, 1.0, 0.82),
    "avatar": (0.07, 0.045, 0.93, 0.733),
}
"""Left, top, right, bottom as parts of the print: 4:5, 4:5 nearer, 1:1, 1:1 nearest."""


@dataclass(frozen=True, slots=True)
class Tweak:
    """One edit: how it changes the settings, and the value it takes (what, choices or limits), if any."""

    change: Callable[[Settings, str], Settings]
    takes: str = ""


def _step(key: str, by: float, least: float, most: float) -> Callable[[Settings, str], Settings]:
    def change(settings: Settings, value: str) -> Settings:
        moved = float(np.clip(settings[key] + by, least, most))
        if moved == settings[key]:
            raise Refused("tweak_limit", f"{key} is {moved:g} already, the limit is {least:g} to {most:g}")
        return {**settings, key: round(moved, 3)}

    return change


def _light(side: float) -> Callable[[Settings, str], Settings]:
    return lambda settings, value: {**settings, "key_side": side}


def _backdrop(settings: Settings, value: str) -> Settings:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", value) and value not in wardrobe().backdrops:
        raise Refused("tweak_value", f"backdrop {value!r}: give #rrggbb or one of {', '.join(wardrobe().backdrops)}")
    return {**settings, "backdrop": value}


def _retouch(settings: Settings, value: str) -> Settings:
    try:
        amount = float(value)
    except ValueError:
        amount = -1.0
    if not 0 <= amount <= 1:
        raise Refused("tweak_value", f"retouch {value!r}: give a number from 0 to 1")
    return {**settings, "retouch": amount}


def _crop(settings: Settings, value: str) -> Settings:
    if value not in CROPS:
        raise Refused("tweak_value", f"crop {value!r}: give one of {', '.join(CROPS)}")
    return {**settings, "crop": value}


TWEAKS: Final[dict[str, Tweak]] = {
    "warmer": Tweak(_step("warmth", 0.35, -1.4, 1.4)),
    "cooler": Tweak(_step("warmth", -0.35, -1.4, 1.4)),
    "brighter": Tweak(_step("stops", 0.2, -1.0, 1.0)),
    "darker": Tweak(_step("stops", -0.2, -1.0, 1.0)),
    "light_left": Tweak(_light(-1.0)),
    "light_right": Tweak(_light(1.0)),
    "backdrop": Tweak(_backdrop, "#rrggbb or a backdrop's name"),
    "retouch": Tweak(_retouch, "0 to 1"),
    "crop": Tweak(_crop, ", ".join(CROPS)),
}
"""Every edit there is. `undo` is not one: it takes the last of them away."""


def parse(text: str) -> tuple[str, str]:
    """Split NAME[=VALUE]. Raises Refused for an unknown name, a missing value or one too many."""
    name, _, value = text.partition("=")
    if name == "undo" and not value:
        return name, ""
    if name not in TWEAKS:
        raise Refused("tweak_unknown", f"tweak {name!r} is unknown, choose from {', '.join(TWEAKS)}, undo")
    if bool(TWEAKS[name].takes) != bool(value):
        needs = f"needs a value: {TWEAKS[name].takes}" if TWEAKS[name].takes else "takes no value"
        raise Refused("tweak_value", f"tweak {name!r} {needs}")
    return name, value


def tweak(recipe: Recipe, *texts: str) -> Recipe:
    """Add edits to a recipe, in order; `undo` takes the last one away.

    Raises Refused for a tweak that is unknown, out of its limits, or an undo with nothing to undo.
    """
    tweaks = list(recipe.tweaks)
    for text in texts:
        name, _ = parse(text)
        if name != "undo":
            tweaks.append(text)
        elif tweaks:
            tweaks.pop()
        else:
            raise Refused("nothing_to_undo", "undo: this portrait has 0 edits")
        effective(replace(recipe, tweaks=tuple(tweaks)))
    return replace(recipe, tweaks=tuple(tweaks))


def effective(recipe: Recipe) -> Settings:
    """Return the settings a recipe ends with: as drawn, then each edit in order."""
    settings = dict(recipe.settings)
    for text in recipe.tweaks:
        name, value = parse(text)
        settings = TWEAKS[name].change(settings, value)
    return settings


def develop(layers: Layers, recipe: Recipe) -> U8:
    """Make the picture a recipe asks for from its layers: (H, W, 3) uint8, uncropped; same recipe, same bytes."""
    return compose(layers, look_of(effective(recipe), recipe.seed))


def crop(rgb: U8, name: Crop | str) -> U8:
    """Cut a print (H, W, 3) to one of CROPS; nothing is enlarged."""
    height, width = rgb.shape[:2]
    left, top, right, bottom = CROPS[name]
    cut_width = round((right - left) * width)
    cut_height = cut_width if name in ("square", "avatar") else round((bottom - top) * height)
    x, y = round(left * width), round(top * height)
    return rgb[y : y + cut_height, x : x + cut_width]
