"""What one kind of edit step is: how its text is read, and what it changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.errors import Refused
from core.types import U8, Layers

Settings = dict[str, Any]
"""What a portrait is composed with; `core.scene.stage.set_up` lists the keys."""
Parameters = dict[str, Any]
"""JSON values a step was given; "value" is what stood after NAME=."""


def _no_value(text: str) -> Parameters:
    return {}


def _same_settings(settings: Settings, parameters: Parameters) -> Settings:
    return settings


def _same_layers(layers: Layers, parameters: Parameters, seed: int) -> Layers:
    return layers


def _same_picture(rgb: U8, layers: Layers, parameters: Parameters, seed: int) -> U8:
    return rgb


@dataclass(frozen=True, slots=True)
class StepKind:
    """One version of one edit. A module in `core/edit/tweaks` lists its kinds in STEPS.

    A release that changes what a step does adds a StepKind with the next version and keeps this one: recipes name the
    version they were made with.
    read: the text after NAME= -> parameters; raises Refused. settings: settings, parameters -> settings; raises
    Refused beyond a limit. layers: the layers, parameters and the recipe's seed -> layers; raises Refused where they
    lack what it needs. picture: the composed (H, W, 3) uint8 sRGB, its layers, parameters and the recipe's seed ->
    a picture of the same shape; the same inputs must give the same bytes. takes: what value, in words; empty when it
    takes none.
    """

    name: str
    version: int
    read: Callable[[str], Parameters] = _no_value
    settings: Callable[[Settings, Parameters], Settings] = _same_settings
    layers: Callable[[Layers, Parameters, int], Layers] = _same_layers
    picture: Callable[[U8, Layers, Parameters, int], U8] = _same_picture
    takes: str = ""


def moved(key: str, by: float, least: float, most: float) -> Callable[[Settings, Parameters], Settings]:
    """Return a change that adds `by` to a setting within limits; it raises Refused where it stands at one already."""

    def change(settings: Settings, parameters: Parameters) -> Settings:
        value = min(max(float(settings[key]) + by, least), most)
        if value == settings[key]:
            raise Refused("tweak_limit", f"{key} is {value:g} already, the limit is {least:g} to {most:g}")
        return {**settings, key: round(value, 3)}

    return change
