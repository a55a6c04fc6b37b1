"""Where the lamps stand and how hard they are."""

from typing import Final

from core.edit.step import Settings, StepKind, strengths
from core.errors import Refused

SIDE_DEG: Final = {"touch": 34.0, "more": 50.0, "lots": 66.0}
"""How far to the side the key light stands."""
SIDE_STRENGTH: Final = {34.0: 0.6, 50.0: 0.8, 66.0: 0.95}
"""How much of the photo's own light it then replaces."""
ABOVE_DEG: Final = {"touch": 45.0, "more": 58.0}
SOFTER: Final = {"touch": 0.25, "more": 0.5, "lots": 0.8}
"""Part of the key's strength that goes into the fill."""
CRISPER: Final = {"touch": 0.2, "more": 0.4, "lots": 0.6}
"""Part of the fill's strength that goes into the key."""
RIM: Final = {"touch": 0.25, "more": 0.5, "lots": 0.85}
"""Strength of the lamp behind."""


def _from_side(side: float, settings: Settings, degrees: float) -> Settings:
    lamps = settings["lamps"]
    stronger = max(float(lamps["strength"]), SIDE_STRENGTH[degrees])
    return {**settings, "key_side": side, "lamps": {**lamps, "key_deg": degrees, "strength": stronger}}


def _from_above(settings: Settings, degrees: float) -> Settings:
    lamps = settings["lamps"]
    stronger = max(float(lamps["strength"]), 0.8)
    return {**settings, "lamps": {**lamps, "key_deg": 8.0, "key_up_deg": degrees, "strength": stronger}}


def _softer(settings: Settings, part: float) -> Settings:
    return _moved(settings, "key", "fill", part)


def _crisper(settings: Settings, part: float) -> Settings:
    return _moved(settings, "fill", "key", part)


def _moved(settings: Settings, less: str, more: str, part: float) -> Settings:
    """Move part of one lamp's strength to another. Raises Refused where too little of it is left to be seen."""
    lamps = settings["lamps"]
    given, by = float(lamps[less]), part * float(lamps[less])
    if given < 0.1:
        raise Refused("tweak_limit", f"{less} light is {given:g} already, the limit is 0.1")
    return {**settings, "lamps": {**lamps, less: round(given - by, 3), more: round(float(lamps[more]) + by, 3)}}


def _rimmed(settings: Settings, rim: float) -> Settings:
    return {**settings, "lamps": {**settings["lamps"], "rim": rim}}


STEPS: Final = (
    StepKind("light_left", 1, settings=lambda settings, _: {**settings, "key_side": -1.0}),
    StepKind("light_right", 1, settings=lambda settings, _: {**settings, "key_side": 1.0}),
    strengths("light_left", 2, SIDE_DEG, "more", settings=lambda settings, deg: _from_side(-1.0, settings, deg)),
    strengths("light_right", 2, SIDE_DEG, "more", settings=lambda settings, deg: _from_side(1.0, settings, deg)),
    strengths("light_above", 1, ABOVE_DEG, "touch", settings=_from_above),
    strengths("soft_light", 1, SOFTER, "more", settings=_softer),
    strengths("crisp_light", 1, CRISPER, "more", settings=_crisper),
    strengths("rim_light", 1, RIM, "more", settings=_rimmed),
)
