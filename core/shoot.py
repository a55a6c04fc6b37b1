"""Identity + styles -> records: choose photos, cut out, draw, judge, draw again differently what was dropped, save.

Each portrait is saved as soon as it is judged; one that an earlier, killed run finished for the same request is taken
up as it is.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

from core.deliver import files
from core.deliver.manifest import finished_record, request_digest
from core.errors import Stopped
from core.face.features import Observer
from core.looks.finish import finish_settings
from core.models import Models
from core.scene import stage
from core.scene.dressing import closed_for, outfit_for, outfit_within, with_clothes_for
from core.scene.sources import select_sources
from core.scene.style import OWN, ROLES, Purpose, Style, pick, purpose_of
from core.types import Cutout, FaceMap, Identity

Progress = Callable[[str, int, int], None]
"""Called with stage, step and total."""
Stop = Callable[[], bool]
OnPortrait = Callable[[dict[str, Any], int], None]
"""Called with the record of a portrait, kept or not, as soon as it is saved, and with how many are still to come."""

REDRAWS: Final = 2
"""How often a portrait that was dropped is drawn again, differently; after that fewer are delivered, and said."""
GENTLER: Final = 0.5
"""A redraw for the light re-lights half as much: new light is what costs likeness."""
OF_THE_LIGHT: Final = frozenset({"drifted", "burnt", "cast"})
"""Reasons of the judge that gentler light may mend."""
OF_THE_PHOTO: Final = frozenset({"outline_unsure", "grimace"})
"""Reasons that hold for every portrait of a photo."""
OF_THE_COLLAR: Final = frozenset({"gap", "neck_seam"})
"""Reasons that a garment closed at the neck may mend."""
OTHER_CLOTHES_KEPT: Final = 3
"""Photos whose sitter in other clothes is held at a time: 19 MB each at full print size."""
CUTOUTS_KEPT: Final = 8
"""Cut-outs held at a time: one has 37 MB, and cutting one out again takes about a second."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """What is asked for: styles, purpose, portraits per style, seed, and the person's own choices over the style's.

    words: the person's own, for an engine that draws anew, as `core.engines.safety.free_words` lets them through.
    """

    styles: tuple[str, ...]
    purpose: Purpose = "business"
    count: int = 4
    seed: int = 0
    train: bool = True
    outfit: str | None = None
    backdrop: str | None = None
    light: str | None = None
    angle: str | None = None
    colour: str | None = None
    words: str | None = None


class Cutouts:
    """The cut-outs of a sitting that are still needed, at most CUTOUTS_KEPT of them.

    cut: makes one, of the whole sitter where it is told so. sources: the photo of every portrait to come, in order,
    and whether it shows the whole sitter. A cut-out is let go after its last portrait; beyond the limit the one that
    was used longest ago goes, and is cut again when needed.
    """

    def __init__(self, cut: Callable[[FaceMap, bool], Cutout], sources: Iterable[tuple[FaceMap, bool]]) -> None:
        self._cut = cut
        self._left = Counter((face.selfie.sha256, whole) for face, whole in sources)
        self._held: OrderedDict[tuple[str, bool], Cutout] = OrderedDict()

    def of(self, face: FaceMap, whole: bool) -> Cutout:
        """Return a photo's cut-out, of the whole sitter or of what no garment replaces."""
        key = face.selfie.sha256, whole
        if key not in self._held:
            while len(self._held) >= CUTOUTS_KEPT:
                self._held.popitem(last=False)
            self._held[key] = self._cut(face, whole)
        self._held.move_to_end(key)
        return self._held[key]

    def done(self, face: FaceMap, whole: bool) -> None:
        """Say that one of the photo's portraits is finished."""
        key = face.selfie.sha256, whole
        self._left[key] -= 1
        if self._left[key] <= 0:
            self._held.pop(key, None)


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """One way to draw a portrait: photo, its take, part of the style's light, outfit (None for the style's)."""

    face: FaceMap
    take: int
    relight: float = 1.0
    outfit: str | None = None


def next_attempt(
    before: Attempt, reasons: Collection[str], spare: list[tuple[FaceMap, int]], style: Style, choice: stage.Choice
) -> Attempt | None:
    """Choose how to draw a portrait again that was dropped for `reasons`: by what may mend them.

    Light that cost likeness is halved, a fault at the neck gets a closed garment unless the outfit was asked for, all
    else another photo, or another take of one, taken from `spare`; where none is left, the same photo in gentler light.
    What cannot be told apart in a photo, and a face that grimaces on it, are so in every take of it: None where there
    is no other photo.
    """
    if OF_THE_PHOTO & set(reasons):
        spare[:] = [pair for pair in spare if pair[0].selfie.sha256 != before.face.selfie.sha256]
        if not spare:
            return None
    gentler = replace(before, relight=before.relight * GENTLER)
    if set(reasons) <= OF_THE_LIGHT and before.relight == 1.0:
        return gentler
    worn = before.outfit or choice.outfit or style.outfit
    closed = closed_for(worn, before.face)
    kinds = OWN, stage.garment_of(closed).kind
    if set(reasons) <= OF_THE_COLLAR and choice.outfit is None and stage.garment_of(worn).kind not in kinds:
        return replace(before, outfit=closed)
    if spare:
        face, take = spare.pop(0)
        return Attempt(face, take, outfit=before.outfit)
    return gentler


def shoot_styles(
    who: Identity,
    styles: Sequence[Style],
    sitting: Sitting,
    out: Path,
    models: Models,
    observer: Observer,
    on_progress: Progress,
    should_stop: Stop,
    on_portrait: OnPortrait,
) -> list[dict[str, Any]]:
    """Draw and judge every style's portraits; returns their records, kept or not. Raises Stopped between portraits.

    A photo's features are measured, and it is cut out, when its first portrait is due: the first portrait of all waits
    for one photo, not for the set.
    """
    from core.cutout.cutout import cut_out
    from core.cutout.whole import cut_out_whole
    from core.engines.redress.change import in_own_clothes, under_own_clothes

    def cut(face: FaceMap, whole: bool) -> Cutout:
        lifted = (cut_out_whole if whole else cut_out)(face, models.parser)
        return models.engine.prepare(lifted, face, who)

    @lru_cache(maxsize=OTHER_CLOTHES_KEPT)
    def other_clothes(sha256: str, whole: bool) -> dict[str, Any]:
        """Return what a photo's portraits can be changed into by edits, as fields of `Layers`.

        Under a portrait of the whole sitter the garments, under any other their own clothes where the photo shows them.
        """
        face = observer.of(next(face for face in who.maps if face.selfie.sha256 == sha256))
        if whole:
            return {"undressed": under_own_clothes(stage.undress(face, cut(face, False)))}
        if face.features is None or face.features.own_clothes is None:
            return {}
        return {"own": in_own_clothes(stage.undress(face, cut(face, True)))}

    choice = stage.Choice(sitting.outfit, sitting.backdrop, sitting.light, sitting.angle, sitting.colour)
    whole_by_style: dict[str, bool] = {}
    sources_by_style = []
    for asked in styles:
        whole = (choice.outfit or asked.outfit) == OWN
        maps = tuple(map(observer.of, who.maps)) if whole else who.maps
        style = with_clothes_for(asked, maps) if whole and choice.outfit is None else asked
        whole_by_style[style.id] = (choice.outfit or style.outfit) == OWN
        sources_by_style.append((style, select_sources(maps, style, choice, sitting.count)))
    cutouts = Cutouts(
        cut, [(face, whole_by_style[style.id]) for style, sources in sources_by_style for face, _ in sources.chosen]
    )
    records: list[dict[str, Any]] = []
    to_come = sum(len(sources.chosen) for _, sources in sources_by_style)
    for style, sources in sources_by_style:
        request, whole = _request(who, style, choice, sitting, models), whole_by_style[style.id]
        spare, total = list(sources.spare), len(sources.chosen)
        for number, (face, take) in enumerate(sources.chosen, start=1):
            to_come -= 1
            worn = None if whole or choice.outfit else outfit_for(style, number, observer.of(face))
            attempt = Attempt(face, take, outfit=worn)
            for redraw in range(REDRAWS + 1):
                if should_stop():
                    raise Stopped(f"stopped at portrait {number} of {total} in style {style.id}")
                on_progress(f"shoot {style.id}", number - 1, total)
                name = f"{style.id}-{number:02d}" + (f"-{redraw}" if redraw else "")
                seed = sitting.seed * 10007 + number + 1009 * redraw
                drawn = {"source": attempt.face.selfie.sha256, "take": attempt.take, "outfit": attempt.outfit}
                digest = request_digest(**request, **drawn, relight=attempt.relight, seed=seed)
                record = finished_record(out / f"{name}.json", digest)
                if record is None:
                    seen, purpose = observer.of(attempt.face), purpose_of(sitting.purpose)
                    retouch = purpose.retouch if style.retouch is None else style.retouch
                    own = attempt.outfit is None and whole
                    cutout = cutouts.of(seen, own)
                    worn = attempt.outfit and outfit_within(attempt.outfit, style, seen, cutout.figure, seed)
                    dressed = replace(choice, outfit=worn or choice.outfit)
                    setup = stage.set_up(seen, cutout, style, dressed, attempt.take, seed, retouch)
                    setup.settings["crop"] = style.crop or purpose.crop
                    setup.settings["relight"] = attempt.relight
                    if sitting.words:
                        setup.settings["words"] = sitting.words
                    if style.finish:
                        setup.settings["finish"] = finish_settings(style.finish)
                    others = partial(other_clothes, attempt.face.selfie.sha256, own)
                    record = _draw(setup, style, sitting, who, name, out, digest, models, should_stop, others)
                records.append(record)
                on_portrait(record, to_come)
                if record["kept"]:
                    break
                following = next_attempt(attempt, record["reasons"], spare, style, choice)
                if following is None:
                    break
                attempt = following
            cutouts.done(face, whole)
        on_progress(f"shoot {style.id}", total, total)
    return records


def _draw(
    setup: stage.Setup,
    style: Style,
    sitting: Sitting,
    who: Identity,
    name: str,
    out: Path,
    digest: str,
    models: Models,
    should_stop: Stop,
    other_clothes: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Draw one portrait, judge it and save it; returns its record.

    other_clothes: what a kept one can be changed into, as fields of its layers.
    """
    from core.judge.drawing import drawn_recognisably, judge_drawn_anew
    from core.judge.verdict import judge

    portrait = models.engine.portrait(setup, style.id, sitting.purpose, who, name, should_stop)
    if portrait.recipe.settings.get("drawn_look"):
        verdict = judge_drawn_anew(portrait, setup.face, models.recogniser, models.landmarker)
    else:
        verdict = judge(portrait, setup.face, who, models.recogniser, models.landmarker)
        if style.finish and verdict.kept:
            portrait, verdict = drawn_recognisably(portrait, verdict, setup.face, models.recogniser, models.landmarker)
    if verdict.kept and not portrait.recipe.settings.get("drawn_anew"):
        portrait = replace(portrait, layers=replace(portrait.layers, **other_clothes()))
    exports = purpose_of(sitting.purpose).exports
    return files.save_portrait(portrait, verdict, out, setup.settings["crop"], exports, digest)


def _request(who: Identity, style: Style, choice: stage.Choice, sitting: Sitting, models: Models) -> dict[str, Any]:
    """Return all that decides how a style's portraits are drawn and judged, but for what each has of its own."""
    return {
        "engine": f"{models.engine.name}-{models.engine.version}",
        "photos": sorted(face.selfie.sha256 for face in who.maps),
        "learned": who.proof if who.lora else None,
        **({"words": sitting.words} if sitting.words else {}),
        **({"colour": sitting.colour} if sitting.colour else {}),
        "purpose": [sitting.purpose, purpose_of(sitting.purpose).model_dump()],
        "style": style.model_dump(),
        "finish": finish_settings(style.finish) if style.finish else None,
        "chosen": {role: pick(role, getattr(choice, role) or getattr(style, role)).model_dump() for role in ROLES},
    }
