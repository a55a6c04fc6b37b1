"""What an edit puts on: the outfit as a recipe's settings say it, and the layers in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any, Final

from core.errors import Refused
from core.scene.style import OWN, Outfit, in_colour, wardrobe
from core.types import Layers

WORN: Final = "worn"
"""The setting that holds an outfit as JSON values, so that a recipe stays what it is when the wardrobe changes."""
ID_DIGITS: Final = 12


def worn_in(settings: dict[str, Any]) -> Outfit:
    """Return what a portrait with these settings wears, put on by an edit or as drawn.

    Raises Refused where it was drawn in what the wardrobe has no more.
    """
    if WORN in settings:
        return Outfit.model_validate(settings[WORN])
    drawn = wardrobe().outfits.get(settings["outfit"])
    if drawn is None:
        raise Refused("outfit_unknown", f"the wardrobe has 0 outfits {settings['outfit']!r} any more: choose another")
    return in_colour(drawn, settings.get("colour"))


def digest_of(outfit: Outfit) -> str:
    """Return what tells one outfit from another: hexadecimal."""
    facts = json.dumps(outfit.model_dump(exclude={"title"}), sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:ID_DIGITS]


def never() -> bool:
    """Never stop."""
    return False


def dressed(layers: Layers, outfit: Outfit, seed: int, quick: bool = False) -> Layers:
    """Return a portrait's layers, as drawn, in another outfit; as they are where they are in it already.

    quick: as a preview shows it, without a network; folds and grown skin are smoother. Raises Refused where the
    portrait does not carry what that needs, and says what would.
    """
    digest = digest_of(outfit)
    if layers.outfit == digest:
        return layers
    if outfit.kind != OWN:
        from core.engines.redress.change import change_garment
        from core.engines.redress.nets import QuickNets, shipped

        nets = QuickNets() if quick else shipped()
        return replace(change_garment(layers, outfit, seed, nets, never), outfit=digest)
    if layers.own is not None:
        return replace(layers.own, outfit=digest)
    if layers.undressed is not None and not layers.undressed.from_row:  # drawn so: all of it lies in the portrait
        return replace(layers, outfit=digest)
    raise Refused("edit_no_own_clothes", "outfit: 0 pixels of the photo's own clothes are kept with this portrait")
