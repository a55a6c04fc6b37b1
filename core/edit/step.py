"""What one kind of edit step is: how its text is read, and what it changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
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
    takes none. default: the value that is meant where none is given; empty where one must be. until: names of later
    edits that take away what this one changed.
    """

    name: str
    version: int
    read: Callable[[str], Parameters] = _no_value
    settings: Callable[[Settings, Parameters], Settings] = _same_settings
    layers: Callable[[Layers, Parameters, int], Layers] = _same_layers
    picture: Callable[[U8, Layers, Parameters, int], U8] = _same_picture
    takes: str = ""
    default: str = ""
    until: frozenset[str] = frozenset()


def moved(key: str, by: float, least: float, most: float) -> Callable[[Settings, Parameters], Settings]:
    """Return a change that adds `by` to a setting within limits; it raises Refused where it stands at one already."""

    return lambda settings, parameters: added(settings, key, by, least, most)


def added(settings: Settings, key: str, by: float, least: float, most: float) -> Settings:
    """Return settings with `by` added to one within limits. Raises Refused where it stands at one already."""
    value = min(max(float(settings.get(key, 0.0)) + by, least), most)
    if value == settings.get(key, 0.0):
        raise Refused("tweak_limit", f"{key} is {value:g} already, the limit is {least:g} to {most:g}")
    return {**settings, key: round(value, 3)}


def one_of(name: str, choices: Collection[str]) -> Callable[[str], Parameters]:
    """Return a reader of a value that is one of `choices`; it raises Refused for another."""

    def read(text: str) -> Parameters:
        if text not in choices:
            raise Refused("tweak_value", f"{name} {text!r}: give one of {', '.join(choices)}")
        return {"value": text}

    return read


def strengths(
    name: str,
    version: int,
    by: Mapping[str, float],
    default: str,
    *,
    settings: Callable[[Settings, float], Settings] | None = None,
    layers: Callable[[Layers, float], Layers] | None = None,
    picture: Callable[[U8, Layers, float, int], U8] | None = None,
) -> StepKind:
    """Return a step that comes in strengths, each a word that people choose it by and the number it stands for.

    One of settings, layers and picture changes by that number; picture takes the recipe's seed as well. Without a word
    it is the strength `default`.
    """
    read = one_of(name, by)

    def number(parameters: Parameters) -> float:
        return by[parameters.get("value", default)]

    return StepKind(
        name,
        version,
        lambda text: read(text) if text else {},
        _same_settings if settings is None else lambda given, parameters: settings(given, number(parameters)),
        _same_layers if layers is None else lambda given, parameters, _: layers(given, number(parameters)),
        _same_picture
        if picture is None
        else lambda rgb, given, parameters, seed: picture(rgb, given, number(parameters), seed),
        takes=", ".join(by),
        default=default,
    )
