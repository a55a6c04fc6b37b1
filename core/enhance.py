"""A delivered portrait + edits -> an edited portrait beside it: replayed from its layers, measured, scored again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.atomic import write_json
from core.deliver import files
from core.deliver.layers import layers_for, save_worn
from core.deliver.manifest import read_record
from core.edit import recipe as recipes
from core.edit.crops import CROPS
from core.edit.outfit import digest_of, dressed, never
from core.edit.output import OnProgress, silent
from core.edit.preview import is_slow, preview, shrunk
from core.errors import Refused
from core.judge.collar import collar_faults
from core.judge.likeness import cost_points, rescored
from core.models import Models
from core.scene.stage import with_colours
from core.scene.style import OWN, purpose_of
from core.types import Layers, Recipe, Step

OnPreview = Callable[[bytes], None]
"""Called with a small JPEG of the edit, with its recipe and AI mark as every picture has."""


def enhance(
    portrait: Path,
    tweaks: Sequence[str],
    out: Path,
    models: Models | None = None,
    on_progress: OnProgress = silent,
    steps: Sequence[Step] = (),
    on_preview: OnPreview | None = None,
) -> dict[str, Any]:
    """Edit a delivered portrait: read the recipe beside it, make the edits, write the new picture and its record.

    steps: of another recipe, made before the tweaks just as they stand there. on_progress: called with step and total
    of what takes seconds. on_preview: called before an edit that takes long is made whole (`core.edit.preview`).
    Raises Refused when the recipe or the layers are missing, a tweak is wrong, or `out` would overwrite the portrait.
    """
    record, recipe = read_record(portrait)
    folder = (portrait.parent / record["layers"]).resolve()
    files.format_of(out.suffix)
    written = (out.stem, *(f"{out.stem}-{crop}" for crop in CROPS))
    if out.parent.resolve() == portrait.parent.resolve() and portrait.stem in written:
        raise Refused("overwrites", f"{out.name} would overwrite {portrait.name} or its recipe; give another name")
    models = models or Models()
    edited = recipes.edit(recipes.follow(recipe, steps), *tweaks)
    layers = layers_for(folder, edited)
    if on_preview is not None:
        _show_preview(layers, edited, on_preview)
    layers, put_on = in_outfit(layers, folder, edited, models)
    layers = with_mesh(layers, models)
    done = recipes.developed(layers, edited, on_progress)
    settings = recipes.effective(edited)
    coloured, photograph = with_colours(edited.settings), done.photograph
    if coloured != edited.settings:  # as the judge saw it
        photograph = recipes.photographed(layers, replace(edited, settings=coloured)).rgb
    references, embedding = files.read_references(folder.parents[1]), models.recogniser.embed_only(photograph)
    scored = rescored(embedding, references, edited.source, edited.settings.get("references", ()))
    exports = () if settings.get("format") else purpose_of(edited.purpose).exports
    made = {
        **record,
        **scored,
        "edit_cost_points": cost_points(record, scored),
        "format": done.document,
        "notes": record.get("notes", []) if settings.get("black_and_white") else [],
        "grey": with_colours(settings) != settings,
        "file": out.name,
        "exports": files.save_pictures(done.rgb, edited, out, settings["crop"], exports),
        "layers": os.path.relpath(folder, out.parent.resolve()),
        "worn": os.path.relpath(put_on, out.parent.resolve()) if put_on else None,
        "parent": portrait.stem,
        "tweaks": list(recipes.texts_of(edited)),
        "recipe": recipes.to_dict(edited),
    }
    made.pop("request", None)  # an edit is not what a shoot asked for
    write_json(out.with_suffix(".json"), made)
    return made


def _show_preview(layers: Layers, edited: Recipe, on_preview: OnPreview) -> None:
    """Show a small picture where the whole takes long; for what will be refused there is none, the whole says why."""
    rgb = None
    with suppress(Refused):
        if is_slow(layers, edited) and (small := _shrunk_in_outfit(layers, edited)) is not None:
            rgb = preview(small, edited)
    if rgb is not None:
        on_preview(files.encode(rgb, ".jpg", edited))


def _shrunk_in_outfit(layers: Layers, edited: Recipe) -> Layers | None:
    """Return small layers in what the recipe puts on; None where it would not sit, or another engine draws it."""
    small, outfit = shrunk(layers), recipes.outfit_of(edited)
    if outfit is None or layers.outfit:
        return small
    if edited.settings.get("drawn_anew"):
        return None
    small = dressed(small, outfit, edited.seed, quick=True)
    return None if outfit.kind != OWN and collar_faults(small) else small


def in_outfit(layers: Layers, folder: Path, edited: Recipe, models: Models) -> tuple[Layers, Path | None]:
    """Return a portrait's layers in what its recipe puts on, and where they were kept in it, if it was now.

    layers: as `layers_for` read them from the folder. What an edit puts on is judged once, when it is drawn, and kept:
    all later edits begin with it. Raises Refused where the portrait cannot be dressed so, or where it would not sit.
    """
    outfit = recipes.outfit_of(edited)
    if outfit is None or layers.outfit:
        return layers, None
    drawn = replace(edited, steps=(), head="")
    if drawn.settings.get("drawn_anew"):
        engine = models.engine
        if not drawn.engine.startswith(f"{engine.name}-"):
            why = f"this portrait was drawn by {drawn.engine}, of which 0 run here: change its clothes where one does"
            raise Refused("outfit_engine", why)
        worn = engine.change_garment(layers, outfit, drawn, never)
        layers = replace(worn, outfit=digest_of(outfit))
    else:
        layers = dressed(layers, outfit, edited.seed)
    if outfit.kind == OWN:
        return layers, None  # kept with the portrait already, and nothing of it is drawn
    if wrong := collar_faults(layers):
        raise Refused("outfit_sits_badly", f"{outfit.title}: {wrong}; choose one that is closed at the neck")
    return layers, save_worn(layers, folder)


def with_mesh(layers: Layers, models: Models) -> Layers:
    """Return layers with the face's mesh: releases before 2026-12 kept none, so it is traced in their sitter."""
    if len(layers.landmarks):
        return layers
    found = models.landmarker.detect(layers.sitter)
    return layers if found is None else replace(layers, landmarks=found.landmarks)
