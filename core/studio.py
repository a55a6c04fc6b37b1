"""The story of one sitting, top to bottom; each step is the room of that name.

    check -> map -> train -> shoot -> enhance

Knows nothing of chats, queues or accounts: photos in, portraits and reasons out. Files are the only memory: call
`shoot` again with the same folder after a kill and it goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from core.atomic import write_json
from core.deliver import files
from core.deliver.gallery import write_gallery
from core.deliver.manifest import Timings, build_manifest
from core.engines.safety import free_words
from core.enhance import enhance as enhance
from core.face.constancy import in_white_light
from core.face.embedding import baseline
from core.face.features import Observer, observe
from core.face.landmarks import map_face
from core.face.preferred_skin import with_preferred_skin
from core.intake import review
from core.intake.refusals import refusal_of
from core.judge.likeness import references_of
from core.models import Models
from core.scene.style import ROLES, colour_of, load, pick
from core.shoot import OnPortrait, Progress, Stop, shoot_styles
from core.shoot import Sitting as Sitting
from core.types import FaceMap, Identity, Rejected, Selfie


def silent(stage: str, step: int, total: int) -> None:
    """Report progress to nobody."""


def ignore(record: dict[str, Any], to_come: int) -> None:
    """Take no notice of a portrait before all are there."""


def never() -> bool:
    """Never stop."""
    return False


def look(data: bytes, name: str, models: Models) -> Selfie | Rejected:
    """Look at one photo: kept, or refused with a reason; never raises for what the photo holds."""
    return review.look(data, name, models)


def map_photo(selfie: Selfie, models: Models) -> FaceMap:
    """Map one kept photo, features and all, its colours as white light shows them, and skin as it is preferred."""
    return observe(_mapped(selfie, models), models.parser)


def map_photos(selfies: Sequence[Selfie], models: Models, on_progress: Progress) -> Identity:
    """Map every photo in white light, without features, and measure the baseline: how alike the photos are."""
    maps = []
    for done, selfie in enumerate(selfies):
        on_progress("map", done, len(selfies))
        maps.append(_mapped(selfie, models))
    on_progress("map", len(selfies), len(selfies))
    return Identity(maps=tuple(maps), baseline=baseline([selfie.face.embedding for selfie in selfies]))


def _mapped(selfie: Selfie, models: Models) -> FaceMap:
    """Map a photo in white light and of preferred skin, its light noted where it is hard or coloured."""
    return map_face(with_preferred_skin(models.light_classifier.noted(in_white_light(selfie))))


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
    on_portrait: OnPortrait = ignore,
    language: str = "en",
) -> dict[str, Any]:
    """Turn photos (name, bytes) into delivered portraits; returns the manifest, which is written last.

    language: of the gallery page, one of `core.catalogue.LANGUAGES`.
    Raises Refused when no photo is kept (NoMajority when they show different people), StyleWrong for
    an unknown style or choice, EngineMissing where the engine asked for cannot run, Stopped when asked
    to stop; what is finished stays and is reused.
    """
    styles = [load(name) for name in sitting.styles]
    for role in ROLES:
        if chosen := getattr(sitting, role):
            pick(role, chosen)
    colour_of(sitting.colour)
    models = models or Models()
    if sitting.words:
        sitting = replace(sitting, words=free_words(sitting.words, models.engine))
    timings = Timings()
    report = review.check(photos, models, lambda done, total: on_progress("check", done, total))
    timings.lap("check")
    if not report.kept:
        raise refusal_of(report.rejected)
    _ = models.engine  # what is missing for it is said before any work is done
    who = map_photos(report.kept, models, on_progress)
    timings.lap("map")
    if sitting.train:
        who = train(who, out / "identity", models, on_progress, should_stop)
    timings.lap("train")
    observer = Observer(models.parser)
    records = shoot_styles(who, styles, sitting, out, models, observer, on_progress, should_stop, on_portrait)
    timings.lap("shoot")
    who = replace(who, maps=tuple(map(observer.of, who.maps)))
    manifest = build_manifest(asdict(sitting), models.engine.name, who, report.rejected, records, timings.seconds)
    manifest["honesty"] = models.engine.honesty
    manifest["language"] = language
    write_gallery(manifest, out)
    files.write_references(out, references_of(who))
    timings.lap("deliver")
    write_json(out / "manifest.json", manifest)
    on_progress("deliver", 1, 1)
    return manifest
