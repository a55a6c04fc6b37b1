"""Manifest -> gallery.html and a contact sheet."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from core.atomic import write_bytes
from core.catalogue import named, sentences, spoken
from core.deliver.files import GREY_NOTES, encode_plain, read_picture
from core.edit.crops import CROPS
from core.scene.style import load, wardrobe
from core.types import U8

PAGES: Final = Path(__file__).parents[1] / "pages"
MOST_DEPTH: Final = 3
"""How far an edit of an edit is moved in on the page, in steps: a phone has no room for more."""
NOTHING_LOST: Final = 0.5
"""Percent of baseline up to which new light is said to have cost nothing: it would be rounded to 0."""


def write_gallery(manifest: Mapping[str, Any], out: Path) -> None:
    """Write gallery.html in the manifest's language, and contact_sheet.jpg where a portrait was kept.

    Edits that lie in the folder are shown as versions of the portrait they were made from, one that was not kept
    included.
    """
    cards, language = cards_of(manifest, out), _language(manifest)
    if cards:
        write_bytes(out / "contact_sheet.jpg", encode_plain(contact_sheet([card["rgb"] for card in cards])))
    dropped = [record for record in manifest["portraits"] if not record["kept"] and (out / record["file"]).is_file()]
    edited = [_card(record, read_picture(out / record["file"]), _names(manifest), language) for record in dropped]
    trees = [[card, *edits_of(card, manifest, out)] for card in [*cards, *edited]]
    trees = [tree for at, tree in enumerate(trees) if at < len(cards) or len(tree) > 1]
    write_bytes(out / manifest["gallery"], gallery_page(trees, _summary(manifest), language))


def _language(manifest: Mapping[str, Any]) -> str:
    """Return the language of a sitting's page; a manifest of an earlier version names none."""
    return spoken(manifest.get("language"))


def edits_of(first: Mapping[str, Any], manifest: Mapping[str, Any], out: Path) -> list[dict[str, Any]]:
    """Return what the gallery page shows of every edit of a portrait in a folder, each after what it was made from."""
    names, language = _names(manifest), _language(manifest)
    say = partial(_say, language)
    records = {path.stem: _record(path) for path in sorted(out.glob("*.json")) if path.name != "manifest.json"}
    records = {name: record for name, record in records.items() if record and (out / record["file"]).is_file()}
    found: list[dict[str, Any]] = []

    def below(parent: str, done: list[str], depth: int) -> None:
        for name, record in records.items():
            if record.get("parent") != parent or name == parent or depth > len(records):
                continue
            tweaks = [str(tweak) for tweak in record["tweaks"]]
            new = tweaks[len(done) :] if tweaks[: len(done)] == done else tweaks
            card = _card(record, read_picture(out / record["file"]), names, language)
            edits = _edits(language, tweaks) or say("as_drawn").lower()
            title = say("edited", title=card["title"], edits=edits)
            found.append({**card, "title": title, "depth": depth, "edit": _edits(language, new) or say("as_drawn")})
            below(name, tweaks, depth + 1)

    below(Path(first["file"]).stem, [], 1)
    return found


def _edits(language: str, tweaks: Sequence[str]) -> str:
    """Write edits as a person reads them: "Light from the left: a lot, Warmer"."""
    pairs = [tweak.partition("=") for tweak in tweaks]
    return ", ".join(
        named(language, "tweak", name) + (f": {named(language, 'value', value)}" if value else "")
        for name, _, value in pairs
    )


def _record(path: Path) -> dict[str, Any]:
    """Read a record; an empty one for a file that is none."""
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and {"file", "recipe", "tweaks"} <= set(record) else {}


def cards_of(manifest: Mapping[str, Any], out: Path) -> list[dict[str, Any]]:
    """Return what the gallery page shows of each kept portrait of a manifest, picture included."""
    names, language = _names(manifest), _language(manifest)
    kept = [record for record in manifest["portraits"] if record["kept"]]
    return [_card(record, read_picture(out / record["file"]), names, language) for record in kept]


def _names(manifest: Mapping[str, Any]) -> dict[str, str]:
    return {photo["sha256"]: photo["name"] for photo in manifest["photos"] if photo["kept"]}


def _card(record: Mapping[str, Any], rgb: U8, names: Mapping[str, str], language: str) -> dict[str, Any]:
    recipe, say = record["recipe"], partial(_say, language)
    style, worn = recipe["style"], recipe["settings"]["outfit"]
    title = named(language, "style", f"{style}.title", load(style).title)
    outfit = named(language, "value", worn, wardrobe().outfits[worn].title)
    if colour := recipe["settings"].get("colour"):
        outfit = f"{outfit}, {named(language, 'value', colour)}"
    percent, photo = record["percent_of_baseline"], names.get(recipe["source"]) or say("your_photo")
    about = [say("source", name=photo, width=recipe["width"], height=recipe["height"])]
    about += [say(note) for note in record.get("notes", ()) if note in GREY_NOTES.values()]
    about += _cost_of_light(language, record["cost_points"])
    return {
        "rgb": rgb,
        "file": record["file"],
        "exports": record.get("exports", {}),
        "depth": 0,
        "edit": say("as_drawn"),
        "width": rgb.shape[1],
        "height": rgb.shape[0],
        "title": title,
        "alt": say("alt", title=title, outfit=outfit.lower()),
        "likeness": say("no_likeness") if percent is None else say("likeness", percent=percent),
        "about": " ".join(about),
    }


def _cost_of_light(language: str, points: float | None) -> list[str]:
    """Say what new light took from the likeness. points: percent of baseline, below 0 where it gained."""
    if points is None:
        return []
    if points < NOTHING_LOST:
        return [_say(language, "light_took_nothing")]
    return [_say(language, "light_took", percent=points)]


def _summary(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Say the counts, what is good to know of the photos, what training came to, and what made the portraits."""
    language = _language(manifest)
    say = partial(_say, language)
    why = Counter(record["reasons"][0] for record in manifest["portraits"] if not record["kept"])
    drawn, asked = manifest["drawn"], manifest["asked"]
    told = [say("counts", drawn=drawn, kept=manifest["kept"])]
    if why:
        reasons = [f"{number}, {named(language, 'dropped', reason)}" for reason, number in sorted(why.items())]
        told.append(say("dropped", reasons="; ".join(reasons)))
    if drawn < asked:
        told.append(say("too_few", asked=asked, drawn=drawn))
    told += [named(language, "of_set", word) for word in manifest["notes"]]
    honesty = named(language, "page.honesty", manifest["engine"], manifest["honesty"])
    return {"counts": " ".join(told), "proof": _trained(language, manifest["training"]), "honesty": honesty}


def _trained(language: str, training: Mapping[str, Any]) -> str:
    """Say what training on the person came to, with the numbers of the held-out photo where there are any."""
    if f"page.training.{training['reason']}" in sentences(language):
        return _say(language, f"training.{training['reason']}")
    outcome = "training.used" if training["used"] else "training.not_used"
    return _say(language, outcome, with_it=training["error_with"], without=training["error_without"])


def _say(language: str, key: str, **values: object) -> str:
    """Return a sentence of the page with its values filled in."""
    sentence = sentences(language)[f"page.{key}"]
    assert isinstance(sentence, str), f"page.{key} has plural forms, which nothing here chooses"
    return sentence.format(**values)


def gallery_page(
    trees: Sequence[Sequence[Mapping[str, Any]]], summary: Mapping[str, Any], language: str = "en"
) -> bytes:
    """Render gallery.html: self-contained, good on a phone, every picture with its alt text and its likeness.

    trees: of each portrait what the template names, as drawn and then its edits; pictures go in as JPEG data so the
    page can be sent on alone. It asks nothing of any server, and its Content Security Policy says so.
    """
    style, script = ((PAGES / f"gallery.{suffix}").read_text("utf-8") for suffix in ("css", "js"))
    shown = [_versions(tree, f"p{number}", language) for number, tree in enumerate(trees)]
    return _page().render(
        trees=shown, summary=summary, crops=CROPS, language=language, say=partial(_say, language),
        named=partial(named, language), style=Markup(style), style_hash=_hash(style),
        script=Markup(script), script_hash=_hash(script),
    ).encode()  # fmt: skip


@cache
def _page() -> Template:
    """Return the page's template, compiled once a process: 60 ms."""
    environment = Environment(loader=PackageLoader("core", "pages"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("gallery.html")


def _versions(tree: Sequence[Mapping[str, Any]], portrait: str, language: str) -> list[dict[str, Any]]:
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
                "name": _say(language, "with", name=other["edit"]),
                "alt": _say(language, "before", name=other["edit"]),
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
