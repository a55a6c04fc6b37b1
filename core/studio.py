"""The story of one sitting, top to bottom; each step is the file of that name.

    look -> learn -> train -> shoot -> enhance

Knows nothing of chats, queues or accounts: photos in, portraits and reasons out. Files are the only
memory: call `shoot` again with the same folder after a kill and it goes on where it was.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from core.atomic import write_json
from core.deliver import files
from core.deliver.gallery import write_gallery
from core.deliver.manifest import build_manifest, finished_record, read_record, request_digest
from core.edit import recipe as recipes
from core.edit.crops import CROPS
from core.errors import NoMajority, Refused, Stopped
from core.face import embedding
from core.intake import review
from core.models import Models
from core.scene.style import ROLES, Purpose, Style, load, pick, purpose_of
from core.types import U8, Cutout, FaceMap, Identity, Rejected, Selfie

if TYPE_CHECKING:
    pass

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

    return observe(map_face(selfie), models.parser)


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
    for role in ROLES:
        if chosen := getattr(sitting, role):
            pick(role, chosen)
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
    for style in styles:
        records += _shoot_style(who, style, sitting, out, models, cutouts, on_progress, should_stop)
    clock.lap("shoot")
    manifest = build_manifest(asdict(sitting), models.engine.name, who, report.rejected, records, clock.timings_s)
    write_gallery(manifest, models.engine.honesty, out)
    files.write_reference_embeddings(out, who)
    clock.lap("deliver")
    write_json(out / "manifest.json", manifest)
    on_progress("deliver", 1, 1)
    return manifest


def enhance(portrait: Path, tweaks: Sequence[str], out: Path, models: Models | None = None) -> dict[str, Any]:
    """Edit a delivered portrait: read the recipe beside it, make the edits, write the new picture and its record.

    Raises Refused when the recipe or the layers are missing, a tweak is wrong, or `out` would overwrite the portrait.
    """
    record, recipe = read_record(portrait)
    files.format_of(out.suffix)
    if out.parent.resolve() == portrait.parent.resolve() and portrait.stem in (
        out.stem,
        *(f"{out.stem}-{c}" for c in CROPS),
    ):
        raise Refused("overwrites", f"{out.name} would overwrite {portrait.name} or its recipe; give another name")
    edited = recipes.edit(recipe, *tweaks)
    rgb = recipes.develop(files.load_layers(portrait.parent / record["layers"]), edited)
    exports = purpose_of(edited.purpose).exports
    made = {
        **record,
        **_judge_again(rgb, edited.source, portrait.parent, models or Models()),
        "file": out.name,
        "exports": files.save_pictures(rgb, edited, out, recipes.effective(edited)["crop"], exports),
        "layers": os.path.relpath((portrait.parent / record["layers"]).resolve(), out.parent.resolve()),
        "parent": portrait.stem,
        "tweaks": list(recipes.texts_of(edited)),
        "recipe": recipes.to_dict(edited),
    }
    made.pop("request", None)  # an edit is not what a shoot asked for
    write_json(out.with_suffix(".json"), made)
    return made


def _judge_again(rgb: U8, source: str, folder: Path, models: Models) -> dict[str, Any]:
    """Score an edit against the photos its parent was scored against; nothing changes where they are gone."""
    references, baseline = files.read_reference_embeddings(folder, source)
    drawn = models.recogniser.embed_only(rgb)
    if drawn is None or not references or baseline is None:
        return {}
    value = statistics.median(embedding.cosine(drawn, reference) for reference in references)
    return {"likeness": round(value, 4), "percent_of_baseline": round(100 * value / baseline, 1)}


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
) -> list[dict[str, Any]]:
    """Draw and judge one style's portraits; returns their records, kept or not.

    cutouts: by photo, for all styles of the sitting; what is missing is added.
    """
    from core.cutout.cutout import cut_out
    from core.judge.verdict import judge
    from core.scene import stage

    purpose = purpose_of(sitting.purpose)
    choice = stage.Choice(sitting.outfit, sitting.backdrop, sitting.light, sitting.angle)
    sources = stage.select_sources(who.maps, style, choice, sitting.count)
    asked = {
        "engine": f"{models.engine.name}-{models.engine.version}",
        "photos": sorted(face.selfie.sha256 for face in who.maps),
        "learned": who.proof if who.lora else None,
        "purpose": [sitting.purpose, purpose.model_dump()],
        "style": style.model_dump(),
        "chosen": {role: pick(role, getattr(choice, role) or getattr(style, role)).model_dump() for role in ROLES},
    }
    records: list[dict[str, Any]] = []
    for number, (face, take) in enumerate(sources, start=1):
        for redraw in range(REDRAWS + 1):
            if should_stop():
                raise Stopped(f"stopped at portrait {number} of {len(sources)} in style {style.id}")
            on_progress(f"shoot {style.id}", number - 1, len(sources))
            name = f"{style.id}-{number:02d}" + (f"-{redraw}" if redraw else "")
            seed, key = sitting.seed * 10007 + number + 1009 * redraw, face.selfie.sha256
            request = request_digest(**asked, source=key, take=take, seed=seed, redraw=redraw)
            record = finished_record(out / f"{name}.json", request)
            if record is None:
                if key not in cutouts:
                    cutouts[key] = models.engine.prepare(cut_out(face, models.parser), face, who)
                setup = stage.set_up(face, cutouts[key], style, choice, take, seed, purpose.retouch)
                crop = setup.settings["crop"] = style.crop or purpose.crop
                setup.settings["relight"] = GENTLER**redraw
                portrait = models.engine.portrait(setup, style.id, sitting.purpose, who, name, should_stop)
                verdict = judge(portrait, face, who, models.recogniser, models.landmarker)
                record = files.save_portrait(portrait, verdict, out, crop, purpose.exports, request)
            records.append(record)
            if record["kept"]:
                break
    on_progress(f"shoot {style.id}", len(sources), len(sources))
    return records
