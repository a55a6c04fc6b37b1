"""The crop a portrait is written in (`core.edit.crops`)."""

from typing import Final

from core.edit.crops import CROPS
from core.edit.step import Parameters, StepKind
from core.errors import Refused


def _read(text: str) -> Parameters:
    if text not in CROPS:
        raise Refused("tweak_value", f"crop {text!r}: give one of {', '.join(CROPS)}")
    return {"value": text}


STEPS: Final = (
    StepKind("crop", 1, _read, lambda settings, given: {**settings, "crop": given["value"]}, takes=", ".join(CROPS)),
)
