"""The crop a portrait is written in (`core.edit.crops`)."""

from typing import Final

from core.edit.crops import CROPS
from core.edit.step import Parameters, Settings, StepKind
from core.errors import Refused


def _read(text: str) -> Parameters:
    if text not in CROPS:
        raise Refused("tweak_value", f"crop {text!r}: give one of {', '.join(CROPS)}")
    return {"value": text}


def _cropped(settings: Settings, given: Parameters) -> Settings:
    """Choose a crop; an ID photo has the colours that hard light took (`core.scene.stage.set_up`)."""
    coloured = {"black_and_white": False} if given["value"] == "id" and settings.get("grey_for") == "light" else {}
    return {**settings, "crop": given["value"], **coloured}


STEPS: Final = (StepKind("crop", 1, _read, _cropped, takes=", ".join(CROPS)),)
