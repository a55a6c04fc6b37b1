"""The desk's commands: edit a portrait, and list the edits there are. What draws is imported when it is needed."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

from core.atomic import to_json
from core.errors import Refused
from core.progress import Bars


def enhance(options: argparse.Namespace) -> int:
    """Make the edits of a preset, of another portrait and those named; tell what they cost and what is not met."""
    from core import studio
    from core.deliver.manifest import read_record
    from core.edit.offered import offered
    from core.edit.recipe import lineage
    from core.judge.likeness import COSTLY_POINTS

    presets = offered().presets
    if options.preset and options.preset not in presets:
        raise Refused("usage", f"preset {options.preset!r} is unknown, choose from {', '.join(presets)}")
    tweaks = [*(presets[options.preset] if options.preset else ()), *options.tweaks]
    steps = lineage(read_record(options.recipe)[1]) if options.recipe else ()
    if not tweaks and not steps:
        raise Refused("usage", "nothing to edit: 0 of --tweak, --preset and --recipe are given")
    with Bars() as bars:
        record = studio.enhance(
            options.portrait, tweaks, options.out, on_progress=partial(bars, "enhance"), steps=steps
        )
    _show_in_gallery(options.out.parent)
    if options.json:
        print(to_json(record, ascii_only=True))
    else:
        percent, cost = record["percent_of_baseline"], record["edit_cost_points"]
        print(f"{options.out}" + ("" if percent is None else f": {percent:.0f} % of baseline"))
        if cost is not None and cost > COSTLY_POINTS:
            print(f"note      this cost {cost:.0f} points of likeness; --tweak undo takes it back")
        if document := record["format"]:
            wrong = ", ".join(document["wrong"])
            print(f"{document['name']}: " + (f"does not meet: {wrong}" if wrong else "meets what is measured"))
    return 0


def sticker(options: argparse.Namespace) -> int:
    """Cut a portrait out as a sticker or an emoji; the file says what made it, as every picture does."""
    from core.atomic import write_bytes
    from core.deliver.sticker import KINDS, sticker_of

    suffix = KINDS[options.kind].suffix
    if options.out.suffix != suffix:
        raise Refused("format", f"a {options.kind} is written as {suffix}, not as {options.out.suffix or 'no suffix'}")
    write_bytes(options.out, sticker_of(options.portrait, options.kind))
    print(options.out)
    return 0


def _show_in_gallery(folder: Path) -> None:
    """Draw the gallery page of a shoot's folder anew, where there is one: an edit in it is compared with its first."""
    from core.deliver.gallery import write_gallery

    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        write_gallery(manifest, folder)
    except (OSError, ValueError, KeyError):
        return  # no shoot's folder, or one of an earlier release: the edit is written all the same


def tweaks(options: argparse.Namespace) -> int:
    """List every edit with the values it takes."""
    from core.edit.recipe import newest

    kinds = newest().values()
    if options.json:
        print(
            to_json(
                {"tweaks": [{"name": kind.name, "version": kind.version, "takes": kind.takes} for kind in kinds]},
                ascii_only=True,
            )
        )
        return 0
    for kind in kinds:
        print(f"{kind.name:14} {kind.takes}".rstrip())
    print(f"{'undo, redo':14} one edit back, one forward")
    return 0
