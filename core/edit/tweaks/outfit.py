"""What the sitter wears: another outfit of the wardrobe, their own clothes, a tie or none."""

from typing import Any, Final

from core.edit.outfit import WORN, worn_in
from core.edit.step import Parameters, Settings, StepKind
from core.errors import Refused
from core.scene.style import wardrobe

TIED, OPEN = "suit_tie", "suit_open"
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
    return {**settings, "outfit": parameters["value"], WORN: parameters[WORN]}


def _read_tie(text: str) -> Parameters:
    if text not in ("on", "off"):
        raise Refused("tweak_value", f"tie {text!r}: give on or off")
    return {"value": text}


def _tie(settings: Settings, parameters: Parameters) -> Settings:
    """Change a suit into the same with or without a tie; a garment that was meant by its folder is of one kind only."""
    outfit, wanted = worn_in(settings), TIED if parameters["value"] == "on" else OPEN
    if outfit.kind not in (TIED, OPEN):
        raise Refused("no_tie", f"tie: a {outfit.kind.replace('_', ' ')} has 0 ties: choose a suit first")
    if outfit.kind == wanted:
        raise Refused("tweak_limit", f"the tie is {parameters['value']} already")
    tie = TIE if outfit.tie == "#000000" else outfit.tie
    other: dict[str, Any] = {
        "kind": wanted,
        "tie": tie,
        "title": f"{outfit.title}, {'with a tie' if wanted == TIED else 'no tie'}",
        "garment": None,
        "as_photographed": False,
    }
    return {**settings, WORN: {**outfit.model_dump(), **other}}


STEPS: Final = (
    StepKind("outfit", 1, read=_read_outfit, settings=_put_on, takes="an outfit's name, or own for your own clothes"),
    StepKind("tie", 1, read=_read_tie, settings=_tie, takes="on, off"),
)
