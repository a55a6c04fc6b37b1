"""The last step of a recipe: a composed portrait -> a drawing, by one of the looks of this folder.

A look is a module with FINISHES. It draws from what the layers hold, is seeded, and loads nothing, so that the same
recipe gives the same bytes. Recipes name a look with its version: a release that changes a drawing adds the next
version and keeps this one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np

import core.looks
from core.errors import Refused
from core.looks.subject import Subject, subject_of
from core.types import U8, Layers


@dataclass(frozen=True, slots=True)
class Finish:
    """One version of one look.

    draw: subject, strength 0..1 and a generator seeded with the recipe's seed -> (H, W, 3) uint8 sRGB. Strength is how
    far the drawing leaves the sitter's own proportions and tones: at any strength all of it is drawn.
    """

    name: str
    version: int
    draw: Callable[[Subject, float, np.random.Generator], U8]


@cache
def table() -> Mapping[tuple[str, int], Finish]:
    """Return every finish by name and version. Raises ValueError where two modules name the same one."""
    found: dict[tuple[str, int], Finish] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(core.looks.__path__)):
        for finish in getattr(importlib.import_module(f"{core.looks.__name__}.{module}"), "FINISHES", ()):
            if (finish.name, finish.version) in found:
                raise ValueError(f"core/looks/{module}.py: finish {finish.name!r} version {finish.version} is taken")
            found[finish.name, finish.version] = finish
    return found


@cache
def newest() -> Mapping[str, Finish]:
    """Return the newest version of every finish by name."""
    return {name: finish for (name, _), finish in sorted(table().items())}


def finish_settings(name: str, strength: float = 1.0) -> dict[str, Any]:
    """Return a look as a recipe's settings hold it. Raises Refused for one that is unknown."""
    if name not in newest():
        raise Refused("look_unknown", f"look {name!r} is unknown, choose from {', '.join(newest())}")
    return {"look": name, "version": newest()[name].version, "strength": strength}


def draw(rgb: U8, layers: Layers, finish: Mapping[str, Any], seed: int) -> U8:
    """Draw a composed portrait (H, W, 3) uint8 as a recipe's `finish` settings say; the same inputs, the same bytes.

    Raises Refused where this release does not know the look's version, or the layers are too old to be drawn.
    """
    kind = table().get((finish["look"], finish["version"]))
    if kind is None:
        wanted = f"look {finish['look']!r} version {finish['version']}"
        raise Refused("look_unknown", f"{wanted} is not known here: update Atelier")
    cv2.setRNGSeed(seed % 2**31)
    return kind.draw(subject_of(rgb, layers), float(finish["strength"]), np.random.default_rng([seed, 17]))
