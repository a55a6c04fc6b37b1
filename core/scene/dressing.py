"""What a style's portraits wear, one after the other, where the person asked for nothing: several outfits, few ties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.scene.stage import garment_of
from core.scene.style import OWN, Style
from core.types import FaceMap

TIED: Final = ("suit_tie", "shirt_tie")
"""The kinds of garment with a tie."""
CLOSED: Final = "charcoal_suit"
"""Of the outfits with a collar the one that shows least of the neck."""
CLOSED_KNIT: Final = "black_turtleneck"
"""The same of those without one, and for who wears no tie."""


def has_tie(outfit: str) -> bool:
    """Say whether an outfit has a tie."""
    return garment_of(outfit).kind in TIED


def outfits_of(style: Style, wears_tie: bool) -> tuple[str, ...]:
    """Return what a style is worn with, in turn; without ties for who wears none, where it has anything else."""
    offered = (style.outfit, *style.more_outfits)
    return tuple(outfit for outfit in offered if wears_tie or not has_tie(outfit)) or (CLOSED_KNIT,)


def outfit_for(style: Style, number: int, face: FaceMap) -> str:
    """Return what the style's portrait of that number, from 1, wears when it is made from that photo."""
    offered = outfits_of(style, wears_tie=bool(face.features and face.features.tie))
    return offered[(number - 1) % len(offered)]


def closed_for(outfit: str, face: FaceMap) -> str:
    """Return an outfit that shows less of the neck, of a kind that the sitter wears."""
    knit = garment_of(outfit).kind in ("crew_neck", "turtleneck") or not (face.features and face.features.tie)
    return CLOSED_KNIT if knit else CLOSED


def with_clothes_for(style: Style, maps: Sequence[FaceMap]) -> Style:
    """Return a style of the sitter's own clothes with its first other outfit, where no photo shows clothes of theirs.

    maps: with their features.
    """
    shown = any(face.features and face.features.own_clothes is not None for face in maps)
    if style.outfit != OWN or shown or not style.more_outfits:
        return style
    return style.model_copy(update={"outfit": style.more_outfits[0], "more_outfits": style.more_outfits[1:]})
