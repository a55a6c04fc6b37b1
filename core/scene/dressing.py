"""What a style's portraits wear, one after the other, where the person asked for nothing: several outfits, few ties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.frame import INTEROCULAR_PX
from core.scene.stage import body_of, garment_of, torso_turn
from core.scene.style import OWN, Style
from core.scene.wardrobe import Garment, choose, front_of
from core.types import Body, FaceMap, Figure

TIED: Final = ("suit_tie", "shirt_tie")
"""The kinds of garment with a tie."""
FEMININE: Final = ("blouse", "dress")
"""Kinds that are worn by women. A photo does not say who is one, but a beard says who hardly is."""
CLOSED: Final = "charcoal_suit"
"""Of the outfits with a collar the one that shows least of the neck."""
CLOSED_KNIT: Final = "black_turtleneck"
"""The same of those without one, and for who wears no tie."""
BARE_FROM, BARE_PER_EYE, MOST_BARE = 0.2, 0.7, 0.4
"""How deep a photo must show the bare neck, in eye distances in the mean, for an opening that nobody asked for: nothing
as far as BARE_FROM below the chin, BARE_PER_EYE of what is deeper, MOST_BARE at most. Of 55 people in a jacket over an
open shirt 19 showed less than 0.4: of 12 of them the throat was seen to be drawn."""


def has_tie(outfit: str) -> bool:
    """Say whether an outfit has a tie."""
    return garment_of(outfit).kind in TIED


def outfits_of(style: Style, wears_tie: bool, bearded: bool = False) -> tuple[str, ...]:
    """Return what a style is worn with, in turn: no tie for who wears none, no blouse or dress for who has a beard.

    Where nothing else is left, the closed one. What nobody asked for is to surprise nobody.
    """
    kinds = {outfit: garment_of(outfit).kind for outfit in (style.outfit, *style.more_outfits)}
    unworn = (() if wears_tie else TIED) + (FEMININE if bearded else ())
    return tuple(outfit for outfit, kind in kinds.items() if kind not in unworn) or (CLOSED_KNIT,)


def outfit_for(style: Style, number: int, face: FaceMap) -> str:
    """Return what the style's portrait of that number, from 1, wears when it is made from that photo."""
    offered = _offered(style, face)
    return offered[(number - 1) % len(offered)]


def _offered(style: Style, face: FaceMap) -> tuple[str, ...]:
    seen = face.features
    return outfits_of(style, bool(seen and seen.tie), bool(seen and seen.facial_hair in ("beard", "moustache")))


def outfit_within(outfit: str, style: Style, face: FaceMap, figure: Figure, seed: int) -> str:
    """Return that outfit if the photo shows the skin that its neckline leaves bare, else the style's next that may be.

    Where the style has none, the closed one. face: with its features. figure: the photo's, as it was cut out.
    """
    offered = _offered(style, face)
    after = offered.index(outfit) + 1 if outfit in offered else 0
    body, turn = body_of(face, figure), torso_turn(face)
    for name in (outfit, *offered[after:], *offered[:after]):
        worn = garment_of(name)
        garment = choose(worn.kind, body, turn, figure.neckline, worn.garment, seed)
        if garment is not None and figure.bare >= _asked_of_neck(garment, body):
            return name
    return closed_for(outfit, face)


def _asked_of_neck(garment: Garment, body: Body) -> float:
    """Return how deep a photo must show the bare neck for a garment, in eye distances."""
    if garment.facts.neckline in ("collar", "high"):
        return 0.0
    deep = (front_of(garment, body) - body.chin_y) / INTEROCULAR_PX
    return min(max(0.0, BARE_PER_EYE * (deep - BARE_FROM)), MOST_BARE)


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
