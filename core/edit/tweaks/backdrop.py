"""Another backdrop: one of the wardrobe's, or a plain colour; and how far out of focus it is."""

import re
from typing import Final

from core.edit.step import Parameters, Settings, StepKind, strengths
from core.errors import Refused
from core.scene.style import paper_of, wardrobe

BLUR: Final = {"touch": 0.008, "more": 0.018, "lots": 0.04}
"""Standard deviation as a part of the frame's width."""
EVEN: Final = {"pool": 0.25, "vignette": 0.15}
"""Light on a plain colour that was asked for: little enough that most of it is that colour."""


def _read(text: str) -> Parameters:
    """Take a name or #rrggbb. The backdrop's numbers go into the recipe: a wardrobe may change later."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text) and text not in wardrobe().backdrops:
        raise Refused("tweak_value", f"backdrop {text!r}: give #rrggbb or one of {', '.join(wardrobe().backdrops)}")
    return {"value": text, "paper": paper_of(text)}


def _read_even(text: str) -> Parameters:
    read = _read(text)
    return {**read, "paper": {**read["paper"], **EVEN}} if text.startswith("#") else read


def _stand(settings: Settings, parameters: Parameters) -> Settings:
    return {**settings, "backdrop": parameters["value"], "paper": parameters["paper"]}


def _blurred(settings: Settings, part: float) -> Settings:
    kind = settings["paper"]["kind"]
    if kind == "paper":
        raise Refused("nothing_to_blur", "backdrop_blur: a plain backdrop has 0 things to blur; choose a place first")
    return {**settings, "backdrop_blur": part}


STEPS: Final = (
    StepKind("backdrop", 1, read=_read, settings=_stand, takes="#rrggbb or a backdrop's name"),
    StepKind("backdrop", 2, read=_read_even, settings=_stand, takes="#rrggbb or a backdrop's name"),
    strengths("backdrop_blur", 1, BLUR, "more", settings=_blurred),
)
