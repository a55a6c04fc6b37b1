"""Portrait -> Verdict: whether it is the sitter, whether it is whole as a picture, and what new light cost.

The recogniser that judges takes no part in drawing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from core.face.embedding import SAME_PERSON, Recogniser, cosine
from core.face.landmarks import Landmarker
from core.judge import realism
from core.judge.likeness import BELOW_BASELINE, FLOOR, likeness_of, percent_of, reference_embeddings, references_of
from core.scene.compose import compose
from core.scene.stage import look_of, with_colours
from core.types import U8, FaceMap, Identity, Portrait, Verdict

COST_POINTS: Final = 3.0
"""What new light may cost, in percent of baseline, against the same picture with the head in its own light, for
another collar and backdrop move the recogniser by 0 to 4 points on their own (15 portraits of four photos)."""
COPY_ABOVE: Final = 0.12
"""Nearest photo this far above the baseline: the picture is that photo, re-lit, and the card says so."""
SELF_FLOOR: Final = 0.75
"""Least likeness of a portrait to its own source; all there is to compare with where no other photo is left."""

OF_THE_PHOTOS_PIXELS: Final = frozenset({"misshapen", "head_cut", "neck_seam", "outline_unsure", "grimace"})
"""Reasons that lie in the photo's own pixels: a head that was drawn anew has none of them."""

REASONS: Final = {
    "no_face": "no face is found in the portrait",
    "several_faces": "more than one face is found",
    "not_them": "likeness is under the person's own photo-to-photo match",
    "drifted": "new light moved the face away from its source",
    "misshapen": "landmarks stand elsewhere than in the sitter's own face",
    "grimace": "the face scowls, speaks, is tense or has its eyes half shut",
    "eyes_closed": "eyes are shut",
    "mouth_open": "the mouth is open in speech or shout",
    "looks_down": "the eyes look down",
    "soft": "the face is blurred",
    "burnt": "part of the skin is burnt out or drowned",
    "half_dark": "half of the face lies in the dark",
    "halo": "a ring shows around the head",
    "neck_seam": "the neck has another colour than the face",
    "head_cut": "the photo's border cuts the head straight, inside the picture",
    "crowded": "the face stands at the picture's side",
    "hair_cut": "the head's outline is a straight line, as no hair is",
    "hair_haze": "what is hair and what is backdrop could not be told",
    "outline_unsure": "where head, neck and old clothes end could not be told",
    "cast": "the skin has the colour of a lamp",
    "drawing_unlike": "the drawing is not like the sitter",
    "unclothed": "the figure that was drawn shows more skin than clothes",
    "gap": "backdrop shows between jaw, neck and collar",
}
"""Every machine reason a portrait may be dropped for, and what it means."""


def judge(
    portrait: Portrait, source: FaceMap, who: Identity, recogniser: Recogniser, landmarker: Landmarker
) -> Verdict:
    """Judge one portrait against its source and against the sitter's other photos; 0.4 s on two cores.

    Where no photo is left that neither drew nor trained it, likeness and percent_of_baseline are None, and only the
    source itself is compared. Likeness is that of the portrait in colour (`core.scene.stage.with_colours`).
    """
    settings = portrait.recipe.settings
    if withheld := settings.get("withheld"):
        return Verdict(False, None, None, None, None, False, (str(withheld),))
    anew, in_colour = bool(settings.get("drawn_anew")), _in_colour(portrait)
    rgb = in_colour.rgb
    faces = recogniser.find(rgb)
    if len(faces) != 1:
        reason = "no_face" if not faces else "several_faces"
        return Verdict(False, None, None, None, None, False, (reason,), {"faces": float(len(faces))})
    drawn, own = recogniser.embed(rgb, faces[0]), source.selfie.face.embedding
    others = reference_embeddings(references_of(who), source.selfie.sha256, settings.get("references", ()))
    measures, does = realism.measure(portrait, source, landmarker)
    to_source = cosine(drawn, own)
    measures["to_source"] = to_source
    reasons = list(dict.fromkeys([*realism.reasons_of(measures), *does]))
    if anew:
        measures["unsure"] = 0.0  # no pixel of the photo is in the picture
        reasons = [reason for reason in reasons if reason not in OF_THE_PHOTOS_PIXELS]
    if to_source < (SAME_PERSON if anew else SELF_FLOOR):
        reasons.append("drifted")
    if who.baseline is None or not others:
        return Verdict(not reasons, None, None, None, None, True, tuple(reasons), _rounded(measures))
    likeness, source_likeness = likeness_of(drawn, others), likeness_of(own, others)
    percent = percent_of(likeness, who.baseline)
    as_lit = recogniser.embed_only(in_own_light(in_colour))
    unlit = source_likeness if as_lit is None else likeness_of(as_lit, others)
    cost = percent_of(unlit - likeness, who.baseline)
    measures["setting_points"] = percent_of(source_likeness - unlit, who.baseline)
    if likeness < max(FLOOR, who.baseline - BELOW_BASELINE) or percent < portrait_limit(portrait):
        reasons.insert(0, "not_them")
    if cost > COST_POINTS and "drifted" not in reasons:
        reasons.append("drifted")
    copy = max([to_source, *(cosine(drawn, other) for other in others)]) > who.baseline + COPY_ABOVE
    return Verdict(
        not reasons, round(likeness, 4), round(percent, 1), round(source_likeness, 4), round(cost, 1), copy,
        tuple(reasons), _rounded(measures),
    )  # fmt: skip


def _in_colour(portrait: Portrait) -> Portrait:
    """Return a portrait with the colours that a look or hard light took; the same object where it has its own."""
    recipe = portrait.recipe
    settings = with_colours(recipe.settings)
    if settings == recipe.settings:
        return portrait
    return replace(portrait, rgb=compose(portrait.layers, look_of(settings, recipe.seed)))


def in_own_light(portrait: Portrait) -> U8:
    """Return a portrait with the head as its photo lit it and everything else as drawn."""
    head = portrait.layers.head[..., None].astype(np.float32) / 255
    return np.round(portrait.rgb * (1 - head) + portrait.layers.sitter * head).astype(np.uint8)


def portrait_limit(portrait: Portrait) -> float:
    """Return the least percent of baseline the portrait's style asks for."""
    return float(portrait.recipe.settings["least_percent"])


def _rounded(measures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in measures.items()}
