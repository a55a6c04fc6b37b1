"""Another backdrop: one of the wardrobe's, or a plain colour."""

import re
from typing import Final

from core.edit.step import Parameters, Settings, StepKind
from core.errors import Refused
from core.scene.style import paper_of, wardrobe


def _read(text: str) -> Parameters:
    """Take a name or #rrggbb. The backdrop's numbers go into the recipe: a wardrobe may change later."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text) and text not in wardrobe().backdrops:
        raise Refused("tweak_value", f"backdrop {text!r}: give #rrggbb or one of {', '.join(wardrobe().backdrops)}")
    return {"value": text, "paper": paper_of(text)}


def _stand(settings: Settings, parameters: Parameters) -> Settings:
    return {**settings, "backdrop": parameters["value"], "paper": parameters["paper"]}


STEPS: Final = (StepKind("backdrop", 1, read=_read, settings=_stand, takes="#rrggbb or a backdrop's name"),)
