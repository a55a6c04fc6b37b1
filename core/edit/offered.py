"""What the desk offers as data: families of edits, the values of each, and presets. Imports nothing that draws."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from core.scene.style import Strict, read_toml, wardrobe

ALL: Final = "*"
"""The values of a backdrop or an outfit: all that the wardrobe has."""
OVER_MARKS: Final = frozenset({"retouch", "blemishes", "shine", "redness"})
"""Edits of skin that leave moles and scars alone unless the person wants them out too."""
WITH_MARKS: Final = "moles=if_any"
"""The edit that takes them out."""
MOST_EDITS: Final = 12
"""Edits that one press may make."""


class Offered(Strict):
    """families: family -> edit -> its values. presets: name -> edits in order."""

    families: dict[str, dict[str, tuple[str, ...]]]
    presets: dict[str, Annotated[tuple[str, ...], Field(min_length=2, max_length=8)]]


@cache
def offered() -> Offered:
    """Read what is offered, the wardrobe's own filled in. Raises StyleWrong with the line that is wrong."""
    read = read_toml(Offered, Path(__file__).with_name("offered.toml"))
    every = {"backdrop": tuple(wardrobe().backdrops), "outfit": tuple(wardrobe().outfits)}
    filled = {
        family: {name: every[name] if values == (ALL,) else values for name, values in edits.items()}
        for family, edits in read.families.items()
    }
    return read.model_copy(update={"families": filled})
