"""Recipe + edits -> recipe -> picture: a tree of steps, replayed from the layers.

A recipe holds how a portrait was drawn (style, photo, seed, engine, print size, settings) and every step made since. A
step follows its parent; `head` is the step that is shown. Undo moves the head to its parent, redo to the newest child,
a new edit adds a child: nothing is ever taken out. No network is called here.

Steps are looked up by name and version in one table, which is read from the modules of `core/edit/tweaks`.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Final

from core.edit import tweaks
from core.edit.outfit import WORN, dressed, worn_in
from core.edit.output import OnProgress, document_of, finished, place, silent
from core.edit.step import Parameters, Settings, StepKind
from core.errors import Refused
from core.looks.finish import draw
from core.scene.compose import compose
from core.scene.stage import look_of
from core.scene.style import Outfit, lamps_of, paper_of
from core.types import U8, Layers, Recipe, Step

SCHEMA: Final = 2
"""1: edits as a list of texts, backdrop and light by name only. 2: a tree of steps, backdrop and light in numbers."""
MOST_EDITS: Final = 100
"""Edits one picture is made with: its recipe must fit the 64 kB that a JPEG has for XMP."""
ID_DIGITS: Final = 12
"""Hexadecimal digits of a step's id: 48 bits tell the few hundred steps of a recipe apart."""


@cache
def table() -> Mapping[tuple[str, int], StepKind]:
    """Return every kind of step by name and version. Raises ValueError where two modules name the same one."""
    found: dict[tuple[str, int], StepKind] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(tweaks.__path__)):
        for kind in importlib.import_module(f"{tweaks.__name__}.{module}").STEPS:
            if (kind.name, kind.version) in found or kind.name in ("undo", "redo"):
                raise ValueError(f"core/edit/tweaks/{module}.py: step {kind.name!r} version {kind.version} is taken")
            found[kind.name, kind.version] = kind
    return found


@cache
def newest() -> Mapping[str, StepKind]:
    """Return the newest version of every step by name: what new edits are made with."""
    return {name: kind for (name, _), kind in sorted(table().items(), key=lambda entry: entry[0][1])}


def edit(recipe: Recipe, *texts: str) -> Recipe:
    """Make edits, each NAME or NAME=VALUE, in order; `undo` and `redo` go back and forth.

    Raises Refused for an edit that is unknown or out of its limits, and when there is nothing to undo or redo.
    """
    for text in texts:
        if text == "undo":
            recipe = _undone(recipe)
        elif text == "redo":
            recipe = _redone(recipe)
        else:
            recipe = _added(recipe, text)
            effective(recipe)
    return recipe


def _added(recipe: Recipe, text: str) -> Recipe:
    name, equals, value = text.partition("=")
    kind = newest().get(name)
    if kind is None:
        raise Refused("tweak_unknown", f"tweak {name!r} is unknown, choose from {', '.join(newest())}, undo, redo")
    left_out = not equals and kind.default
    if not left_out and (bool(kind.takes) != bool(value) or (equals and not value)):
        needs = f"needs a value: {kind.takes}" if kind.takes else "takes no value"
        raise Refused("tweak_value", f"tweak {name!r} {needs}")
    if len(lineage(recipe)) >= MOST_EDITS:
        raise Refused("too_many_edits", f"this portrait has {MOST_EDITS} edits, the limit is {MOST_EDITS}; undo some")
    return _with_step(recipe, kind, value)


def _with_step(recipe: Recipe, kind: StepKind, value: str) -> Recipe:
    return _with_parameters(recipe, kind, kind.read(value))


def _with_parameters(recipe: Recipe, kind: StepKind, parameters: Parameters) -> Recipe:
    """Add a step after the head. The same edit made twice from one place is one step: its id says what it is."""
    made = (recipe.head, kind.name, kind.version, parameters)
    number = hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:ID_DIGITS]
    step = Step(number, *made)
    others = tuple(other for other in recipe.steps if other.id != number)
    known = len(others) < len(recipe.steps)
    return replace(recipe, steps=recipe.steps if known else (*others, step), head=number)


def follow(recipe: Recipe, steps: Iterable[Step]) -> Recipe:
    """Make the steps of another recipe, in their order and in the versions they stand there. Raises Refused."""
    for step in steps:
        recipe = _with_parameters(recipe, kind_of(step), step.parameters)
    effective(recipe)
    return recipe


def _undone(recipe: Recipe) -> Recipe:
    done = lineage(recipe)
    if not done:
        raise Refused("nothing_to_undo", "undo: this portrait has 0 edits")
    return replace(recipe, head=done[-1].parent)


def _redone(recipe: Recipe) -> Recipe:
    after = [step for step in recipe.steps if step.parent == recipe.head]
    if not after:
        raise Refused("nothing_to_redo", "redo: 0 edits were undone here")
    return replace(recipe, head=after[-1].id)


def lineage(recipe: Recipe) -> tuple[Step, ...]:
    """Return the steps from the portrait as drawn to the head, in order: what the picture is made with."""
    known = {step.id: step for step in recipe.steps}
    done: list[Step] = []
    at = recipe.head
    while at:
        done.append(known[at])
        at = known[at].parent
    return tuple(reversed(done))


def pruned(recipe: Recipe) -> Recipe:
    """Return the recipe without the steps its picture is not made with: what the picture itself carries.

    An undone picture is to have the bytes it had before, so it must not tell of what was undone.
    """
    return replace(recipe, steps=lineage(recipe))


def texts_of(recipe: Recipe) -> tuple[str, ...]:
    """Return the edits the picture is made with as `edit` takes them: "warmer", "retouch=0.5"."""
    return tuple(_text_of(step) for step in lineage(recipe))


def _text_of(step: Step) -> str:
    value = step.parameters.get("value")
    return (
        step.name if value is None else f"{step.name}={value:g}" if isinstance(value, float) else f"{step.name}={value}"
    )


def effective(recipe: Recipe) -> Settings:
    """Return the settings a recipe ends with: as drawn, then each step in order. Raises Refused beyond a limit."""
    settings = dict(recipe.settings)
    for step in lineage(recipe):
        settings = kind_of(step).settings(settings, step.parameters)
    return settings


def kind_of(step: Step) -> StepKind:
    """Look a step up in the table. Raises Refused where this release does not know it."""
    kind = table().get((step.name, step.version))
    if kind is None:
        raise Refused("step_unknown", f"step {step.name!r} version {step.version} is not known here: update Atelier")
    return kind


@dataclass(frozen=True, slots=True, eq=False)
class Developed:
    """A recipe's picture. rgb: what is delivered, (H, W, 3) uint8; photograph: the same before it was drawn, cut to a
    circle or enlarged; document: what a document's format measures, None for any other.
    """

    rgb: U8
    photograph: U8
    document: dict[str, Any] | None


def developed(layers: Layers, recipe: Recipe, on_progress: OnProgress = silent) -> Developed:
    """Make the picture a recipe asks for from its layers; same recipe, same bytes.

    The steps change the layers, which are placed in the print or format and composed; then the steps change the
    photograph. It is drawn where the recipe has a finish, every other edit acting under it, and enlarged last where
    that was asked for. Raises Refused where the layers lack what a step or the finish needs.
    """
    taken = photographed(layers, recipe)
    document = document_of(taken.layers, taken.rgb, effective(recipe))
    return Developed(drawn(taken, recipe, on_progress), taken.rgb, document)


@dataclass(frozen=True, slots=True, eq=False)
class Photographed:
    """A recipe's photograph before it is drawn, (H, W, 3) uint8, and the layers it was composed from."""

    rgb: U8
    layers: Layers


def photographed(layers: Layers, recipe: Recipe) -> Photographed:
    """Change, place and compose layers as a recipe asks for; its finish has no say. Raises Refused as `developed`."""
    placed = place(changed(layers, recipe), effective(recipe))
    return Photographed(_photograph(placed, recipe), placed)


def drawn(taken: Photographed, recipe: Recipe, on_progress: OnProgress = silent, enlarged: bool = True) -> U8:
    """Draw a photograph in the recipe's finish, where it has one, and cut and enlarge it: what is delivered.

    enlarged: False leaves an enlargement out.
    """
    settings = effective(recipe) if enlarged else {**effective(recipe), "upscale": 1}
    finish = settings.get("finish")
    rgb = draw(taken.rgb, taken.layers, finish, recipe.seed) if finish else taken.rgb
    return finished(rgb, taken.layers, settings, on_progress)


def develop(layers: Layers, recipe: Recipe, on_progress: OnProgress = silent) -> U8:
    """Make the picture alone that a recipe asks for: (H, W, 3) uint8, uncropped. Raises Refused as `developed`."""
    return developed(layers, recipe, on_progress).rgb


def whole(layers: Layers, recipe: Recipe) -> tuple[U8, Layers]:
    """Make a recipe's picture in the print's own frame, in no format and not enlarged; and its layers."""
    edited = changed(layers, recipe)
    finish = effective(recipe).get("finish")
    taken = _photograph(edited, recipe)
    return (draw(taken, edited, finish, recipe.seed) if finish else taken), edited


def changed(layers: Layers, recipe: Recipe) -> Layers:
    """Return the layers as a recipe's steps leave them. Raises Refused where they lack what a step needs.

    What is put on comes first, however late it was chosen: all that was done to face and light lies over it.
    """
    if (outfit := outfit_of(recipe)) is not None:
        layers = dressed(layers, outfit, recipe.seed)
    steps = lineage(recipe)
    for done, step in enumerate(steps, start=1):
        kind = kind_of(step)
        if not any(later.name in kind.until for later in steps[done:]):
            layers = kind.layers(layers, step.parameters, recipe.seed)
    return layers


def outfit_of(recipe: Recipe) -> Outfit | None:
    """Return the outfit that a recipe's edits put on; None where the portrait wears what it was drawn in."""
    settings = effective(recipe)
    return worn_in(settings) if WORN in settings else None


def _photograph(placed: Layers, recipe: Recipe) -> U8:
    """Compose layers that are changed and placed, and let every step change the picture, in order."""
    rgb = compose(placed, look_of(effective(recipe), recipe.seed))
    for step in lineage(recipe):
        rgb = kind_of(step).picture(rgb, placed, step.parameters, recipe.seed)
    return rgb


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as JSON values, its schema number first."""
    return {"schema": SCHEMA, **asdict(recipe), "steps": [asdict(step) for step in recipe.steps]}


def from_dict(value: Mapping[str, Any]) -> Recipe:
    """Read a recipe of any schema up to SCHEMA.

    Raises KeyError, TypeError or ValueError for what is none, Refused for one of a later release.
    """
    schema = int(value.get("schema", 1))
    if schema > SCHEMA:
        raise Refused(
            "recipe_too_new", f"the recipe has schema {schema}, this release reads up to {SCHEMA}: update Atelier"
        )
    if schema == 1:
        return _from_schema_1(value)
    fields = {name: item for name, item in value.items() if name != "schema"}
    recipe = Recipe(**{**fields, "steps": tuple(Step(**step) for step in value["steps"])})
    known = {""}
    for step in recipe.steps:
        if step.id in known or step.parent not in known:
            raise ValueError(f"step {step.id!r} does not follow an earlier step")
        known.add(step.id)
    if recipe.head not in known:
        raise ValueError(f"the recipe's head {recipe.head!r} is none of its steps")
    return recipe


def _from_schema_1(value: Mapping[str, Any]) -> Recipe:
    """Read a recipe of releases before 2026-12: every text becomes version 1 of its step, in a row."""
    fields = {name: item for name, item in value.items() if name not in ("schema", "tweaks", "settings")}
    settings = dict(value["settings"])
    settings |= {"paper": paper_of(settings["backdrop"]), "lamps": lamps_of(settings["light"])}
    recipe = Recipe(**fields, settings=settings)
    for text in value["tweaks"]:
        name, _, given = str(text).partition("=")
        recipe = _with_step(recipe, table()[name, 1], given)
    return recipe
