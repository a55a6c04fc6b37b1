"""Manifest -> gallery.html and a contact sheet."""

from __future__ import annotations

import base64
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from core.atomic import write_bytes
from core.deliver.files import encode_plain, read_picture
from core.edit.crops import CROPS
from core.face.coverage import NOTES
from core.judge.verdict import REASONS
from core.scene.style import load, wardrobe
from core.types import U8

PAGES: Final = Path(__file__).parents[1] / "pages"
MOST_DEPTH: Final = 3
"""How far an edit of an edit is moved in on the page, in steps: a phone has no room for more."""
NOTHING_LOST: Final = 0.5
"""Percent of baseline up to which new light is said to have cost nothing: it would be rounded to 0."""
TRAINING: Final = {
    "not_asked": "Nothing was trained on these photos, as asked.",
    "photos_sharp": "Nothing had to be trained: the photos are sharp enough to be used as they are.",
    "nothing_to_learn_from": "Nothing could be trained: none of the photos is sharp enough to learn from.",
    "no_proof": "A small file was trained on these photos; with fewer than three that could teach there was "
    "none to prove it on.",
}
"""What training came to, in a sentence, by the reason the manifest gives."""


def write_gallery(manifest: Mapping[str, Any], honesty: str, out: Path) -> None:
    """Write gallery.html, and contact_sheet.jpg where a portrait was kept. honesty: as `core.engines.base.Engine`.

    Edits that lie in the folder are shown as versions of the portrait they were made from, one that was not kept
    included.
    """
    cards = cards_of(manifest, out)
    if cards:
        write_bytes(out / "contact_sheet.jpg", encode_plain(contact_sheet([card["rgb"] for card in cards])))
    dropped = [record for record in manifest["portraits"] if not record["kept"] and (out / record["file"]).is_file()]
    edited = [_card(record, read_picture(out / record["file"]), _names(manifest)) for record in dropped]
    trees = [[card, *edits_of(card, manifest, out)] for card in [*cards, *edited]]
    trees = [tree for at, tree in enumerate(trees) if at < len(cards) or len(tree) > 1]
    write_bytes(out / manifest["gallery"], gallery_page(trees, {**_summary(manifest), "honesty": honesty}))


def edits_of(first: Mapping[str, Any], manifest: Mapping[str, Any], out: Path) -> list[dict[str, Any]]:
    """Return what the gallery page shows of every edit of a portrait in a folder, each after what it was made from."""
    names = _names(manifest)
    records = {path.stem: _record(path) for path in sorted(out.glob("*.json")) if path.name != "manifest.json"}
    records = {name: record for name, record in records.items() if record and (out / record["file"]).is_file()}
    found: list[dict[str, Any]] = []

    def below(parent: str, done: list[str], depth: int) -> None:
        for name, record in records.items():
            if record.get("parent") != parent or name == parent or depth > len(records):
                continue
            tweaks = [str(tweak) for tweak in record["tweaks"]]
            new = tweaks[len(done) :] if tweaks[: len(done)] == done else tweaks
            card = _card(record, read_picture(out / record["file"]), names)
            title = words()["edited"].format(title=card["title"], edits=_edits(tweaks) or words()["as_drawn"].lower())
            found.append({**card, "title": title, "depth": depth, "edit": _edits(new) or words()["as_drawn"]})
            below(name, tweaks, depth + 1)

    below(Path(first["file"]).stem, [], 1)
    return found


def _edits(tweaks: Sequence[str]) -> str:
    """Write edits as a person reads them: "light left: lots, warmer"."""
    return ", ".join(tweak.replace("=", ": ").replace("_", " ") for tweak in tweaks)


def _record(path: Path) -> dict[str, Any]:
    """Read a record; an empty one for a file that is none."""
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and {"file", "recipe", "tweaks"} <= set(record) else {}


def cards_of(manifest: Mapping[str, Any], out: Path) -> list[dict[str, Any]]:
    """Return what the gallery page shows of each kept portrait of a manifest, picture included."""
    names = _names(manifest)
    kept = [record for record in manifest["portraits"] if record["kept"]]
    return [_card(record, read_picture(out / record["file"]), names) for record in kept]


def _names(manifest: Mapping[str, Any]) -> dict[str, str]:
    return {photo["sha256"]: photo["name"] for photo in manifest["photos"] if photo["kept"]}


def _card(record: Mapping[str, Any], rgb: U8, names: Mapping[str, str]) -> dict[str, Any]:
    recipe = record["recipe"]
    title, outfit = load(recipe["style"]).title, wardrobe().outfits[recipe["settings"]["outfit"]].title
    percent, cost = record["percent_of_baseline"], record["cost_points"]
    if percent is None:
        likeness = "No photo of yours is left to measure likeness against: send more"
    else:
        likeness = f"{percent:.0f} % of how alike your own photos are"
    colour = "Black and white, as the photo is. " if "black_and_white" in record.get("notes", ()) else ""
    about = f"From {names.get(recipe['source'], 'your photo')}, printed at {recipe['width']} x {recipe['height']} px"
    return {
        "rgb": rgb,
        "file": record["file"],
        "exports": record.get("exports", {}),
        "depth": 0,
        "edit": words()["as_drawn"],
        "width": rgb.shape[1],
        "height": rgb.shape[0],
        "title": title,
        "alt": f"Portrait in the style {title}: head and shoulders, {outfit.lower()}",
        "likeness": likeness,
        "about": f"{about}. {colour}{_cost_of_light(cost)}".strip(),
    }


def _cost_of_light(points: float | None) -> str:
    """Say what new light took from the likeness. points: percent of baseline, below 0 where it gained."""
    if points is None:
        return ""
    if points < NOTHING_LOST:
        return "The new light took nothing from the likeness."
    return f"The new light took {points:.0f} % of the likeness."


def _summary(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Say the counts, what is good to know of the photos, and what training came to."""
    why: dict[str, int] = {}
    for record in manifest["portraits"]:
        if not record["kept"]:
            why[record["reasons"][0]] = why.get(record["reasons"][0], 0) + 1
    dropped = "; ".join(f"{number} because {REASONS[reason]}" for reason, number in sorted(why.items()))
    drawn, asked = manifest["drawn"], manifest["asked"]
    counts = f"Drew {drawn}, kept {manifest['kept']}." + (f" Dropped {dropped}." if dropped else "")
    if drawn < asked:
        counts += f" {asked} were asked for; the photos carry {drawn}: send more photos for more."
    notes = "".join(f" {NOTES[word][0].upper()}{NOTES[word][1:]}." for word in manifest["notes"])
    return {"counts": counts + notes, "proof": _trained(manifest["training"])}


def _trained(training: Mapping[str, Any]) -> str:
    """Say what training on the person came to, with the numbers of the held-out photo where there are any."""
    if training["reason"] in TRAINING:
        return TRAINING[training["reason"]]
    numbers = (
        f"on a photo it never saw, the error was {training['error_with']:.3g} with and {training['error_without']:.3g} "
        "without it"
    )
    if training["used"]:
        return f"A small file was trained on these photos and used: {numbers}."
    return f"Training did not help and was not used: {numbers}."


@cache
def words() -> dict[str, str]:
    """Return the sentences of the page by key."""
    return tomllib.loads((PAGES / "gallery.toml").read_text("utf-8"))


def gallery_page(trees: Sequence[Sequence[Mapping[str, Any]]], summary: Mapping[str, Any]) -> bytes:
    """Render gallery.html: self-contained, good on a phone, every picture with its alt text and its likeness.

    trees: of each portrait what the template names, as drawn and then its edits; pictures go in as JPEG data so the
    page can be sent on alone. It asks nothing of any server, and its Content Security Policy says so.
    """
    environment = Environment(loader=PackageLoader("core", "pages"), autoescape=True, undefined=StrictUndefined)
    style, script = ((PAGES / f"gallery.{suffix}").read_text("utf-8") for suffix in ("css", "js"))
    shown = [_versions(tree, f"p{number}") for number, tree in enumerate(trees)]
    page = environment.get_template("gallery.html")
    return page.render(
        trees=shown, summary=summary, crops=CROPS, words=words(), style=Markup(style), style_hash=_hash(style),
        script=Markup(script), script_hash=_hash(script),
    ).encode()  # fmt: skip


def _versions(tree: Sequence[Mapping[str, Any]], portrait: str) -> list[dict[str, Any]]:
    """Return a portrait's versions as the template shows them, each with those it can be compared with.

    Only pictures of one shape can lie over each other: an edit is compared with the portrait as drawn where it has its.
    """
    cards = [{**card, "id": f"{portrait}v{at}", "data": _inline(card["rgb"])} for at, card in enumerate(tree)]
    for card in cards:
        card["depth"] = min(card["depth"], MOST_DEPTH)
        alike = [other for other in cards if other is not card and other["rgb"].shape == card["rgb"].shape]
        card["others"] = [
            {
                "id": other["id"],
                "name": words()["with"].format(name=other["edit"]),
                "alt": words()["before"].format(name=other["edit"]),
                "chosen": other is cards[0],
            }
            for other in alike
        ]
    return cards


def _hash(text: str) -> str:
    """Return what a Content Security Policy knows an inline style or script by (CSP Level 3, hash-source)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _inline(rgb: U8) -> str:
    scale = min(1.0, 720 / rgb.shape[1])
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
    return base64.b64encode(encode_plain(small)).decode()


def contact_sheet(pictures: Sequence[U8], columns: int = 4, width: int = 320) -> U8:
    """Lay pictures (H, W, 3) out on one sheet, each `width` wide in a 4:5 cell on paper grey."""
    height, gap = width * 5 // 4, 12
    rows = -(-len(pictures) // columns)
    columns = min(columns, len(pictures))
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 236, np.uint8)
    for index, picture in enumerate(pictures):
        scale = min(width / picture.shape[1], height / picture.shape[0])
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        y = gap + index // columns * (height + gap) + (height - size[1]) // 2
        x = gap + index % columns * (width + gap) + (width - size[0]) // 2
        sheet[y : y + size[1], x : x + size[0]] = small
    return sheet
