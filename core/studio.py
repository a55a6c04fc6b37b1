"""The story of one sitting, top to bottom; each step is the file of that name.

    look -> learn -> train -> shoot -> enhance

Knows nothing of chats, queues or accounts: photos in, portraits and reasons out. Files are the only
memory: call `shoot` again with the same folder after a kill and it goes on where it was.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from core.deliver import files
from core.errors import NoMajority, Refused, Stopped
from core.face import embedding
from core.intake import review
from core.scene.style import Purpose, Style, load, wardrobe
from core.settings import setting
from core.types import U8, Cutout, FaceMap, Identity, Recipe, Rejected, Selfie

if TYPE_CHECKING:
    from core.cutout.matte import Segmenter
    from core.engines.base import Engine

Progress = Callable[[str, int, int], None]
"""Called with stage, step and total."""
Stop = Callable[[], bool]

REDRAWS: Final = 2
"""How often a portrait that was dropped is drawn again, with a new seed; after that fewer are delivered, and said."""
GENTLER: Final = 0.5
"""Each redraw re-lights half as much: new light is what costs likeness."""


def silent(stage: str, step: int, total: int) -> None:
    """Report progress to nobody."""


def never() -> bool:
    """Never stop."""
    return False


class Models(review.Models):
    """Every model the studio uses, each loaded when first asked for and then kept.

    engine: "embedded", "sdxl", "sd15", or "auto", the best that can run here; by default as ATELIER_ENGINE says.
    """

    def __init__(self, engine: str | None = None) -> None:
        self._asked = engine or setting("ENGINE") or "auto"

    @cached_property
    def segmenter(self) -> Segmenter:
        from core.cutout.matte import Segmenter

        return Segmenter()

    @cached_property
    def engine(self) -> Engine:
        """What draws. Raises EngineMissing where it cannot run here."""
        from core.engines.base import open_engine

        return open_engine(self._asked, self)


@dataclass(frozen=True, slots=True)
class Sitting:
    """What is asked for: styles, purpose, portraits per style, seed, and the person's own choices over the style's."""

    styles: tuple[str, ...]
    purpose: Purpose = "business"
    count: int = 4
    seed: int = 0
    train: bool = True
    outfit: str | None = None
    backdrop: str | None = None
    light: str | None = None
    angle: str | None = None


def look(data: bytes, name: str, models: Models) -> Selfie | Rejected:
    """Look at one photo: kept, or refused with a reason; never raises for what the photo holds."""
    return review.look(data, name, models)


def map_photo(selfie: Selfie, models: Models) -> FaceMap:
    """Map one kept photo, features and all."""
    from core.face.features import observe
    from core.face.landmarks import map_face

    return observe(map_face(selfie), models.segmenter)


def learn(selfies: Sequence[Selfie], models: Models, on_progress: Progress) -> Identity:
    """Map every photo and measure the person's own baseline: how alike their photos are."""
    maps = []
    for done, selfie in enumerate(selfies):
        on_progress("map", done, len(selfies))
        maps.append(map_photo(selfie, models))
    on_progress("map", len(selfies), len(selfies))
    baseline = embedding.baseline([selfie.face.embedding for selfie in selfies])
    return Identity(maps=tuple(maps), baseline=baseline)


def train(who: Identity, folder: Path, models: Models, on_progress: Progress, should_stop: Stop) -> Identity:
    """Learn the person as the engine does, a LoRA that is kept only if it is not proven useless.

    folder: keeps training's state and outcome; an outcome that is there already is used again.
    """
    return models.engine.train(who, folder, lambda step, total, loss: on_progress("train", step, total), should_stop)


def shoot(
    photos: Sequence[tuple[str, bytes]],
    sitting: Sitting,
    out: Path,
    models: Models | None = None,
    on_progress: Progress = silent,
    should_stop: Stop = never,
) -> dict[str, Any]:
    """Turn photos (name, bytes) into delivered portraits; returns the manifest, which is written last.

    Raises Refused when no photo is kept (NoMajority when they show different people), StyleWrong for
    an unknown style or choice, EngineMissing where the engine asked for cannot run, Stopped when asked
    to stop; what is finished stays and is reused.
    """
    styles = [load(name) for name in sitting.styles]
    models = models or Models()
    clock = _Clock()
    report = review.check(photos, models, lambda done, total: on_progress("check", done, total))
    clock.lap("check")
    if not report.kept:
        raise _refusal(report.rejected)
    _ = models.engine  # what is missing for it is said before any work is done
    who = learn(report.kept, models, on_progress)
    clock.lap("learn")
    if sitting.train:
        who = train(who, out / "identity", models, on_progress, should_stop)
    clock.lap("train")
    records: list[dict[str, Any]] = []
    cutouts: dict[str, Cutout] = {}
    drawn = 0
    for style in styles:
        finished, tried = _shoot_style(who, style, sitting, out, models, cutouts, on_progress, should_stop)
        records += finished
        drawn += tried
    clock.lap("shoot")
    manifest = _deliver(records, drawn, who, report, sitting, models.engine, out, clock)
    on_progress("deliver", 1, 1)
    return manifest


def enhance(
    portrait: Path, tweaks: Sequence[str], out: Path, models: Models | None = None, judge: bool = True
) -> dict[str, Any]:
    """Edit a delivered portrait: read the recipe beside it, add the tweaks, write the new picture and its record.

    Raises Refused when the recipe is missing or a tweak is wrong.
    """
    from core.edit.enhance import crop, develop, effective, tweak

    record = read_record(portrait)
    recipe = tweak(recipe_of(record), *tweaks)
    layers = files.load_layers(portrait.parent / record["layers"])
    rgb = develop(layers, recipe)
    crop_name = effective(recipe)["crop"]
    files.write_whole(out, files.encode(crop(rgb, crop_name), out.suffix, recipe))
    verdict = _judge_again(rgb, record, portrait.parent, models or Models()) if judge else {}
    made = {
        **record,
        **verdict,
        "file": out.name,
        "exports": {},
        "layers": _relative(portrait.parent / record["layers"], out.parent),
        "parent": portrait.stem,
        "recipe": asdict(recipe),
    }
    files.write_json(out.with_suffix(".json"), made)
    return made


def read_record(portrait: Path) -> dict[str, Any]:
    """Read the JSON beside a portrait. Raises Refused when there is none."""
    beside = portrait.with_suffix(".json")
    try:
        record: dict[str, Any] = json.loads(beside.read_text("utf-8"))
        recipe_of(record)
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise Refused(
            "no_recipe", f"{beside.name} is missing or not a recipe: only portraits made here can be edited"
        ) from wrong
    return record


def recipe_of(record: dict[str, Any]) -> Recipe:
    """Return the recipe a record holds."""
    return Recipe(**{**record["recipe"], "tweaks": tuple(record["recipe"]["tweaks"])})


def _judge_again(rgb: U8, record: dict[str, Any], folder: Path, models: Models) -> dict[str, Any]:
    """Score an edit against the photos its parent was scored against; nothing changes where they are gone."""
    witnesses, baseline = files.read_witnesses(folder, record["recipe"]["source"])
    drawn = models.recogniser.embed_only(rgb)
    if drawn is None or not witnesses or baseline is None:
        return {}
    value = statistics.median(embedding.cosine(drawn, witness) for witness in witnesses)
    return {"likeness": round(value, 4), "percent_of_baseline": round(100 * value / baseline, 1)}


def _relative(target: Path, start: Path) -> str:
    return os.path.relpath(target.resolve(), start.resolve())


class _Clock:
    """Seconds by stage, for the manifest."""

    def __init__(self) -> None:
        self.timings_s: dict[str, float] = {}
        self._since = time.monotonic()

    def lap(self, stage: str) -> None:
        now = time.monotonic()
        self.timings_s[stage] = round(now - self._since, 2)
        self._since = now


def _refusal(rejected: Sequence[Rejected]) -> Refused:
    """Say in one sentence why no photo could be used."""
    reasons = {item.reason for item in rejected}
    if reasons == {"no_majority"}:
        return NoMajority("no_majority", f"{len(rejected)} photos show different people; send photos of one person")
    first = rejected[0]
    return Refused(first.reason, f"no photo can be used ({len(rejected)} refused); {first.name}: {first.hint}")


def _shoot_style(
    who: Identity,
    style: Style,
    sitting: Sitting,
    out: Path,
    models: Models,
    cutouts: dict[str, Cutout],
    on_progress: Progress,
    should_stop: Stop,
) -> tuple[list[dict[str, Any]], int]:
    """Draw, judge and keep one style's portraits; returns their records, kept or not, and how many were drawn.

    cutouts: by photo, for all styles of the sitting; what is missing is added.
    """
    from core.cutout.matte import cut_out
    from core.judge.judge import judge
    from core.scene import stage

    asked, drawn_by = wardrobe().purposes[sitting.purpose], f"{models.engine.name}-{models.engine.version}"
    choice = stage.Choice(sitting.outfit, sitting.backdrop, sitting.light, sitting.angle)
    sources = stage.select_sources(who.maps, style, choice, sitting.count)
    records: list[dict[str, Any]] = []
    tried = 0
    for number, (face, take) in enumerate(sources, start=1):
        record: dict[str, Any] = {}
        for redraw in range(REDRAWS + 1):
            if should_stop():
                raise Stopped(f"stopped at portrait {number} of {len(sources)} in style {style.id}")
            on_progress(f"shoot {style.id}", number - 1, len(sources))
            name = f"{style.id}-{number:02d}" + (f"-{redraw}" if redraw else "")
            seed = sitting.seed * 10007 + number + 1009 * redraw
            record = _finished(out / f"{name}.json", sitting, seed, drawn_by, face.selfie.sha256)
            if not record:
                key = face.selfie.sha256
                if key not in cutouts:
                    cutouts[key] = models.engine.prepare(cut_out(face, models.segmenter), face, who)
                setup = stage.set_up(face, cutouts[key], style, choice, take, seed, asked.retouch)
                setup.settings["crop"] = style.crop or asked.crop
                setup.settings["relight"] = GENTLER**redraw
                portrait = models.engine.portrait(setup, style.id, sitting.purpose, who, name, should_stop)
                verdict = judge(portrait, face, who, models.recogniser, models.landmarker)
                record = files.save_portrait(portrait, verdict, out, setup.settings["crop"], asked.exports)
            tried += 1
            if record["kept"]:
                break
            records.append(record)
        else:
            continue
        records.append(record)
    on_progress(f"shoot {style.id}", len(sources), len(sources))
    return records, tried


def _finished(beside: Path, sitting: Sitting, seed: int, drawn_by: str, source: str) -> dict[str, Any]:
    """Return the record of a portrait an earlier, killed run of the same order has finished, else nothing.

    drawn_by: the engine and its version: other weights draw anew. source: sha256 of the photo: a folder that was used
    for somebody else holds nothing of this order.
    """
    try:
        record: dict[str, Any] = json.loads(beside.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    recipe = record["recipe"]
    asked = {k: getattr(sitting, k) for k in ("outfit", "backdrop", "light") if getattr(sitting, k)}
    made = (recipe["seed"], recipe["purpose"], recipe["engine"], recipe["source"])
    same = made == (seed, sitting.purpose, drawn_by, source)
    return record if same and recipe["settings"].items() >= asked.items() else {}


def _deliver(
    records: list[dict[str, Any]],
    drawn: int,
    who: Identity,
    report: review.CheckReport,
    sitting: Sitting,
    engine: Engine,
    out: Path,
    clock: _Clock,
) -> dict[str, Any]:
    """Rank what was kept; write contact sheet, gallery page, witnesses for later edits, and last the manifest."""
    from core.face.coverage import coverage
    from core.judge.judge import rank_records

    cover = coverage(who.maps)
    kept = rank_records([record for record in records if record["kept"]])
    dropped = [record for record in records if not record["kept"]]
    wanted = len(sitting.styles) * sitting.count
    manifest: dict[str, Any] = {
        "engine": engine.name,
        "seed": sitting.seed,
        "styles": list(sitting.styles),
        "purpose": sitting.purpose,
        "timings_s": clock.timings_s,
        "photos": [
            *({**told_of(face), "sha256": face.selfie.sha256} for face in who.maps),
            *({"kept": False, **asdict(item)} for item in report.rejected),
        ],
        "missing": list(cover.missing),
        "notes": list(cover.notes),
        "baseline": None if who.baseline is None else round(who.baseline, 4),
        "training": who.proof or {"used": False, "reason": "not_asked"},
        "asked": wanted,
        "drawn": drawn,
        "kept": len(kept),
        "portraits": [*kept, *dropped],
        "gallery": "gallery.html",
    }
    cards = cards_of(manifest, out)
    if cards:
        sheet = files.contact_sheet([card["rgb"] for card in cards])
        files.write_whole(out / "contact_sheet.jpg", files.encode_plain(sheet))
    summary = {**_summary(drawn, dropped, manifest), "honesty": engine.honesty}
    files.write_whole(out / "gallery.html", files.gallery_page(cards, summary))
    files.write_witnesses(out, who)
    clock.lap("deliver")
    files.write_json(out / "manifest.json", manifest)
    return manifest


def cards_of(manifest: dict[str, Any], out: Path) -> list[dict[str, Any]]:
    """Return what the gallery page shows of each kept portrait of a manifest, picture included."""
    names = {photo["sha256"]: photo["name"] for photo in manifest["photos"] if photo["kept"]}
    kept = [record for record in manifest["portraits"] if record["kept"]]
    return [_card(record, files.read_picture(out / record["file"]), names) for record in kept]


def _card(record: dict[str, Any], rgb: U8, names: dict[str, str]) -> dict[str, Any]:
    recipe = record["recipe"]
    title = load(recipe["style"]).title
    percent, cost = record["percent_of_baseline"], record["cost_points"]
    if percent is None:
        said = "One photo only: there is no second one to measure likeness against"
    else:
        said = f"{percent:.0f} % of how alike your own photos are"
    about = f"From {names.get(recipe['source'], 'your photo')}, printed at {recipe['width']} x {recipe['height']} px"
    if cost is not None:
        about += f"; new light cost {max(cost, 0):.1f} points"
    return {
        "rgb": rgb,
        "width": rgb.shape[1],
        "height": rgb.shape[0],
        "title": title,
        "alt": f"Portrait in the style {title}: head and shoulders, "
        f"{wardrobe().outfits[recipe['settings']['outfit']].title.lower()}",
        "likeness": said,
        "about": about,
    }


def told_of(face: FaceMap) -> dict[str, Any]:
    """Say of a kept photo what check and manifest tell alike: its name, what was mended, what the sitter wears."""
    selfie, seen = face.selfie, face.features
    told = {"name": selfie.name, "kept": True, "notes": list(selfie.notes)}
    return {**told, "features": asdict(seen) if seen else None}


def _summary(drawn: int, dropped: Sequence[dict[str, Any]], manifest: dict[str, Any]) -> dict[str, str]:
    """Tell the counts, what is good to know of the photos, and what training came to."""
    from core.face.coverage import NOTES
    from core.judge.judge import REASONS

    why: dict[str, int] = {}
    for record in dropped:
        why[record["reasons"][0]] = why.get(record["reasons"][0], 0) + 1
    told = "; ".join(f"{number} because {REASONS[reason]}" for reason, number in sorted(why.items()))
    counts = f"Drew {drawn}, kept {manifest['kept']}." + (f" Dropped {told}." if told else "")
    if drawn < manifest["asked"]:
        counts += f" {manifest['asked']} were asked for; the photos carry {drawn}: send more photos for more."
    notes = "".join(f" {NOTES[word][0].upper()}{NOTES[word][1:]}." for word in manifest["notes"])
    return {"counts": counts + notes, "proof": _trained(manifest["training"])}


def _trained(training: dict[str, Any]) -> str:
    """Say what training on the person came to, with the numbers of the held-out photo where there are any."""
    said = {
        "not_asked": "Nothing was trained on these photos, as asked.",
        "photos_sharp": "Nothing had to be trained: the photos are sharp enough to be used as they are.",
        "nothing_to_learn_from": "Nothing could be trained: none of the photos is sharp enough to learn from.",
        "no_proof": "A small file was trained on these photos; with fewer than three that could teach there was "
        "none to prove it on.",
    }
    if training["reason"] in said:
        return said[training["reason"]]
    numbers = (
        f"on a photo it never saw, the error was {training['error_with']:.3g} with and {training['error_without']:.3g} "
        "without it"
    )
    if training["used"]:
        return f"A small file was trained on these photos and used: {numbers}."
    return f"Training did not help and was not used: {numbers}."
