"""FaceMaps + Style -> which photo serves which portrait: the best first, and no bad one while a good one is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from core import frame
from core.cutout.parts import MOST_UNSURE
from core.errors import Refused
from core.face.constancy import is_colourless, prints_grey
from core.scene.stage import ENLARGE_LIMIT, Choice, window_of
from core.scene.style import OWN, Style
from core.types import FaceMap

PER_SOURCE: Final = 2
"""Portraits of one style from one photo; a third would only repeat the expression."""
NO_OWN_CLOTHES: Final = (
    "your own clothes cannot be shown: in every photo the picture's border cuts your body or hair too near your face; "
    "send one from further away that shows both shoulders, or choose an outfit"
)
UNWANTED: Final = ("grimace", "eyes_closed", "mouth_open", "looks_down")
"""Expressions nobody posts; the judge drops them in portraits too (`core.judge.verdict`)."""
HEAD: Final = (0.9, 1.2)
"""Eye distances beside and above the eyes within which every head has hair or skin."""
LEANS_DEG: Final = 12.0
"""Roll up to which a head's lean is natural; the portraits reach 14."""


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """Photos of one style's portraits as (map, take), take counting the uses of a photo.

    chosen: one for each portrait. spare: what else the photos hold, for portraits that are dropped, photos not yet
    used first.
    """

    chosen: tuple[tuple[FaceMap, int], ...]
    spare: tuple[tuple[FaceMap, int], ...]


def select_sources(maps: Sequence[FaceMap], style: Style, choice: Choice, count: int) -> Sources:
    """Choose a photo for each portrait: the best first, each used at most PER_SOURCE times.

    Fewer than `count` when the photos do not reach further. Photos with a fault of `faults_of` serve only after
    every take of those without, and grimaces after those. For the sitter's own clothes only photos serve that show
    them; raises Refused where none does.
    """
    if (choice.outfit or style.outfit) == OWN:
        maps = [face for face in maps if face.features and face.features.own_clothes is not None]
        if not maps:
            raise Refused("own_clothes", NO_OWN_CLOTHES)
    ordered = sorted(maps, key=lambda face: suits(face, style, choice), reverse=True)
    faults = {id(face): faults_of(face, maps) for face in maps}
    ordered.sort(key=lambda face: len(faults[id(face)]))
    good = [face for face in ordered if not faults[id(face)]]
    tense = [face for face in ordered if "grimace" in faults[id(face)]]  # the judge drops them for certain
    bad = [face for face in ordered if faults[id(face)] and face not in tense]
    pairs = [(face, take) for group in (good, bad, tense) for take in range(PER_SOURCE) for face in group]
    used = {id(face) for face, _ in pairs[:count]}
    spare = sorted(pairs[count:], key=lambda pair: id(pair[0]) in used)
    return Sources(tuple(pairs[:count]), tuple(spare))


def faults_of(face: FaceMap, among: Sequence[FaceMap]) -> tuple[str, ...]:
    """Name what makes a photo the last choice: words of UNWANTED, "head_cut", "no_colour", "hard_light".

    Of a photo without colours both are named where another photo has soft light, "no_colour" where any has colours.
    "unsure" where its parts cannot be told apart, once it was looked at (`core.face.features.observe`).
    """
    found: list[str] = [word for word in UNWANTED if word in face.expression]
    if _free_standing_cut(face):
        found.append("head_cut")
    if is_colourless(face) and not all(map(is_colourless, among)):
        found.append("no_colour")
    if prints_grey(face) and not all(map(prints_grey, among)):
        found.append("hard_light")
    if face.unsure > MOST_UNSURE:
        found.append("unsure")
    return tuple(found)


def _free_standing_cut(face: FaceMap) -> bool:
    """Say whether a border of the photo cuts the head where the print's own border cannot lie."""
    whole = (0.0, 0.0, float(frame.PRINT[0]))
    shown = _shown_of_usual_head(face) if face.shown is None else face.shown
    if shown == whole:
        return False
    return window_of(shown, float(face.landmarks[1, 0]), frame.PRINT)[2:] == frame.PRINT


def _shown_of_usual_head(face: FaceMap) -> tuple[float, float, float]:
    """Return what a photo shows of a head that reaches no further than HEAD, before the parser has looked for hair."""
    height, width = face.selfie.rgb.shape[:2]
    corners = frame.carry(np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float32), face.transform)
    eyes = frame.eye_centres(face.landmarks[:, :2]).mean(axis=0)
    left, right = float(corners[[0, 2], 0].max()), float(corners[[1, 3], 0].min())
    top = float(corners[:2, 1].max())
    aside, above = HEAD[0] * frame.INTEROCULAR_PX, HEAD[1] * frame.INTEROCULAR_PX
    return (
        left if left > eyes[0] - aside else 0.0,
        top if top > eyes[1] - above else 0.0,
        right if right < eyes[0] + aside else float(frame.PRINT[0]),
    )


def suits(face: FaceMap, style: Style, choice: Choice) -> float:
    """Return a photo's rank for a style: size and sharpness, less what the style does not want.

    Another angle, turn and tilt beyond 12 degrees, lean beyond LEANS_DEG, eyes elsewhere, a frown, coloured light, a
    smile where none is wanted and the other way round.
    """
    seen = face.selfie.face
    points = min(1.0, ENLARGE_LIMIT / face.upscale_factor) * 2 + min(face.selfie.sharpness, 1.0)
    points -= max(0.0, abs(seen.yaw_deg) - 12) / 15 + max(0.0, abs(seen.pitch_deg) - 12) / 15
    points -= max(0.0, abs(seen.roll_deg) - LEANS_DEG) / 15
    points -= 0.6 * ("gaze_aside" in face.expression) + 0.3 * ("frown" in face.expression)
    points -= 0.8 * ("colour_cast" in face.selfie.notes)
    if style.smile is not None and ("smile" in face.expression) != style.smile:
        points -= 0.5
    wanted = {"front": abs(seen.yaw_deg) < 10, "left": seen.yaw_deg < -6, "right": seen.yaw_deg > 6}.get(
        choice.angle or style.angle, True
    )
    if (choice.outfit or style.outfit) == OWN and not (face.features and face.features.own_clothes):
        points -= 1.0
    return points - (0 if wanted else 1.5)
