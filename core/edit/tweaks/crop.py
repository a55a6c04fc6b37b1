"""The crop a portrait is written in (`core.edit.crops`)."""

from typing import Final

from core.edit.crops import CROPS
from core.edit.step import Parameters, Settings, StepKind
from core.errors import Refused
from core.scene.stage import with_colours


def _read(text: str) -> Parameters:
    if text not in CROPS:
        raise Refused("tweak_value", f"crop {text!r}: give one of {', '.join(CROPS)}")
    return {"value": text}


def _cropped(settings: Settings, given: Parameters) -> Settings:
    """Choose a crop; an ID photo has the colours that hard light took (`core.scene.stage.set_up`)."""
    cropped = {**settings, "crop": given["value"]}
    return with_colours(cropped, ("light",)) if given["value"] == "id" else cropped


STEPS: Final = (StepKind("crop", 1, _read, _cropped, takes=", ".join(CROPS)),)
