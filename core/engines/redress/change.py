"""A finished portrait in another garment: the sitter as they are under it, dressed anew as `generate` dresses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.engines.redress.generate import reframe, wear
from core.engines.redress.kept import kept, without_surroundings
from core.engines.redress.nets import Nets
from core.errors import Refused
from core.scene.stage import put_on
from core.scene.style import Outfit
from core.types import Layers, Undressed


def change_garment(layers: Layers, outfit: Outfit, seed: int, nets: Nets, should_stop: Callable[[], bool]) -> Layers:
    """Put a garment on a portrait's sitter; the same as a portrait drawn in it from the beginning, to the byte.

    layers: as drawn, with what is under the garment; seed: the recipe's. Raises Refused where that is not kept.
    """
    under = layers.undressed
    if under is None:
        raise Refused("edit_undressed", "outfit: 0 pixels are kept of what is under this portrait's garment")
    worn = wear(put_on(under, outfit, seed), nets, should_stop)
    if under.from_row:
        worn = _with_upper_rows(worn, layers, _first_row(layers, under.window, under.from_row))
    return replace(worn, undressed=None)


def in_own_clothes(whole: Undressed) -> Layers:
    """Return the layers of a portrait in the sitter's own clothes, from a cut-out of the whole sitter."""
    return without_surroundings(reframe(whole.layers, whole.window))


def under_own_clothes(under: Undressed) -> Undressed:
    """Return what a garment is put on where the portrait itself shows the sitter's own clothes."""
    return kept(under, 0)


def _first_row(layers: Layers, window: tuple[float, float, float, float], from_row: int) -> int:
    """Return the first row of the print that shows nothing from above a row of the frame."""
    _, top, _, tall = window
    return int(np.clip(np.ceil((from_row + 0.5 - top) * len(layers.head) / tall - 0.5), 0, len(layers.head)))


def _with_upper_rows(worn: Layers, before: Layers, row: int) -> Layers:
    """Give a print the rows above one that it had before, where no garment reaches; and the numbers of its head."""

    def joined(new: NDArray[Any], old: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([old[:row], new[row:]])

    return replace(
        worn,
        sitter=joined(worn.sitter, before.sitter),
        neck=joined(worn.neck, before.neck),  # under thin hair it is softened by hair that is not kept up there
        normals=joined(worn.normals, before.normals),
        regions=joined(worn.regions, before.regions),
    )
