"""What the sitter wears: another outfit of the wardrobe, their own clothes, a tie or none."""

from typing import Any, Final

from core.edit.outfit import WORN, worn_in
from core.edit.step import Parameters, Settings, StepKind
from core.errors import Refused
from core.scene.style import wardrobe

TIE_OFF: Final = {"suit_tie": "suit_open", "shirt_tie": "shirt"}
TIE_ON: Final = {without: tied for tied, without in TIE_OFF.items()}
"""The one kind of garment with a tie, and the same without."""
TIE: Final = "#6a2231"
"""The colour of a tie that is put on where the outfit has none: burgundy, as the first outfit's."""


def _read_outfit(text: str) -> Parameters:
    """Take a name. The outfit's own facts go into the recipe: a wardrobe may change later."""
    outfits = wardrobe().outfits
    if text not in outfits:
        raise Refused("tweak_value", f"outfit {text!r}: give one of {', '.join(outfits)}")
    return {"value": text, WORN: outfits[text].model_dump()}


def _put_on(settings: Settings, parameters: Parameters) -> Settings:
    dyed = {**settings, "outfit": parameters["value"], WORN: parameters[WORN]}
    return {name: value for name, value in dyed.items() if name != "colour"}


def _read_tie(text: str) -> Parameters:
    if text not in ("on", "off"):
        raise Refused("tweak_value", f"tie {text!r}: give on or off")
    return {"value": text}


def _tie(settings: Settings, parameters: Parameters) -> Settings:
    """Change a suit or a shirt into the same with or without a tie; a garment named by its folder is one kind only."""
    outfit, on = worn_in(settings), parameters["value"] == "on"
    if outfit.kind in (TIE_OFF if on else TIE_ON):
        raise Refused("tweak_limit", f"the tie is {parameters['value']} already")
    if outfit.kind not in (TIE_ON if on else TIE_OFF):
        raise Refused("no_tie", f"tie: a {outfit.kind.replace('_', ' ')} has 0 ties: choose a suit first")
    kind = TIE_ON[outfit.kind] if on else TIE_OFF[outfit.kind]
    other: dict[str, Any] = {
        "kind": kind,
        "jacket": outfit.shirt if kind == "shirt" else outfit.jacket,
        "tie": TIE if outfit.tie == "#000000" else outfit.tie,
        "title": f"{outfit.title}, {'with a tie' if on else 'no tie'}",
        "garment": None,
        "as_photographed": False,
    }
    return {**settings, WORN: {**outfit.model_dump(), **other}}


STEPS: Final = (
    StepKind("outfit", 1, read=_read_outfit, settings=_put_on, takes="an outfit's name, or own for your own clothes"),
    StepKind("tie", 1, read=_read_tie, settings=_tie, takes="on, off"),
)
