"""How much uneven skin is evened out, 0 to 1 (`core.scene.compose.retouch`)."""

import math
from typing import Final

from core.edit.step import Parameters, StepKind
from core.errors import Refused


def _read(text: str) -> Parameters:
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not 0 <= amount <= 1:
        raise Refused("tweak_value", f"retouch {text!r}: give a number from 0 to 1")
    return {"value": amount}


STEPS: Final = (
    StepKind("retouch", 1, _read, lambda settings, given: {**settings, "retouch": given["value"]}, takes="0 to 1"),
)
