"""The drawn look a portrait is finished in, and how strongly it is drawn (`core.looks.finish`)."""

import math
from typing import Final

from core.edit.step import Parameters, Settings, StepKind
from core.errors import Refused
from core.looks.finish import finish_settings, newest

PHOTO: Final = "none"
"""The look that is none: the photograph itself."""


def _read_look(text: str) -> Parameters:
    """Take a look's name. Its version goes into the recipe: a later release may draw it otherwise."""
    if text != PHOTO and text not in newest():
        raise Refused("tweak_value", f"finish {text!r}: give {PHOTO} or one of {', '.join(newest())}")
    return {"value": text, "finish": None if text == PHOTO else finish_settings(text)}


def _read_strength(text: str) -> Parameters:
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not 0 <= amount <= 1:
        raise Refused("tweak_value", f"strength {text!r}: give a number from 0 to 1")
    return {"value": amount}


def _drawn_as_strongly(settings: Settings, parameters: Parameters) -> Settings:
    if not settings.get("finish"):
        raise Refused("not_drawn", "strength: this portrait is a photograph, give it a finish first")
    return {**settings, "finish": {**settings["finish"], "strength": parameters["value"]}}


STEPS: Final = (
    StepKind(
        "finish",
        1,
        _read_look,
        lambda settings, given: {**settings, "finish": given["finish"]},
        takes=f"{PHOTO} or a drawn look: {', '.join(newest())}",
    ),
    StepKind("strength", 1, _read_strength, _drawn_as_strongly, takes="0 to 1"),
)
