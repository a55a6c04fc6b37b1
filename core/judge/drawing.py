"""Portrait -> its drawing, as strongly drawn as the sitter is still known in it.

The photograph under it has been judged; here only likeness is, by limits of its own: what a drawing leaves out, the
recogniser misses too. `tools/measure_looks.py` measures what they come to, docs/looks.md has its figures.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from core import frame
from core.edit import recipe as recipes
from core.face.embedding import Detection, Recogniser, cosine
from core.face.landmarks import Landmarker
from core.judge.realism import shape_error
from core.types import F32, U8, FaceMap, Portrait, Verdict

STRENGTHS: Final = (1.0, 0.5, 0.0)
"""How strongly a look is tried, one after the other, until its drawing is like the sitter."""
LIKENESS_LIMIT: Final = 0.34
"""Least cosine of a drawing to the photo it was drawn from. The nearest of 100 strangers has 0.33 in the median."""
KNOWN: Final = 0.40
"""Cosine from which a drawing is as it was asked for; below it milder ones are tried too, and the likest is taken. Of
213 drawings of 18 people the nearest of 100 strangers is nearer in none above 0.39 and in six of those below.
"""
SHAPE_LIMIT: Final = 0.09
"""Most that a drawing's landmarks may stand off the sitter's own shape, in eye distances (root mean square). 189
drawings of 16 people in twelve looks have 0.027 in the median and 0.049 at most; the landmarker reads turned heads
worse, 0.114 at most in 48 drawings of 24 people. Of 8,930 pairs of other people 30 % are nearer (half of them at 0.12).
"""
AFAR: Final = 0.03
"""Eye distances over which a drawing is blurred before the recogniser sees it, so that hatching and dots become tones
as they do to the eye. Of 24 engraved people all rank before 100 strangers with it and 22 without, of pop art 19 and 7.
"""
FIVE_POINTS: Final = (4, 61, 291)
"""Nose tip and corners of the mouth: with the eyes' centres the points the recogniser aligns a face by."""


def drawn_recognisably(
    portrait: Portrait, verdict: Verdict, source: FaceMap, recogniser: Recogniser, landmarker: Landmarker
) -> tuple[Portrait, Verdict]:
    """Draw a judged photograph in its recipe's finish, milder where it is not like the sitter and milder is liker.

    Returns the portrait with the drawing as its picture and the strength in its recipe, and the verdict with the
    drawing's measures. Dropped as `drawing_unlike` where none is like them.
    """
    finish, finished, found = dict(portrait.recipe.settings["finish"]), portrait, (-1.0, 0.0)
    taken = recipes.photographed(portrait.layers, portrait.recipe)
    for strength in STRENGTHS:
        settings = {**portrait.recipe.settings, "finish": {**finish, "strength": strength}}
        recipe = replace(portrait.recipe, settings=settings)
        drawn = replace(portrait, rgb=recipes.drawn(taken, recipe), recipe=recipe)
        likeness = likeness_of_drawing(drawn.rgb, portrait.layers.landmarks, source, recogniser, landmarker)
        if (is_like(*likeness), likeness[0]) > (is_like(*found), found[0]):
            finished, found = drawn, likeness
        if is_like(*found) and found[0] >= KNOWN:
            break
    measures = {**verdict.measures, "drawing": round(found[0], 4), "drawing_shape": round(found[1], 4)}
    if is_like(*found):
        return finished, replace(verdict, measures=measures)
    return finished, replace(verdict, kept=False, reasons=("drawing_unlike",), measures=measures)


def judge_drawn_anew(portrait: Portrait, source: FaceMap, recogniser: Recogniser, landmarker: Landmarker) -> Verdict:
    """Judge a drawing that an engine made of its instruction: by likeness alone, there is no photograph under it."""
    settings, landmarks, found = portrait.recipe.settings, portrait.layers.landmarks, (0.0, 0.0)
    if len(landmarks):
        found = likeness_of_drawing(portrait.rgb, landmarks, source, recogniser, landmarker)
    reasons = [str(settings["withheld"])] if settings.get("withheld") else []
    reasons += ["no_face"] if not len(landmarks) else [] if is_like(*found) else ["drawing_unlike"]
    measures = {"drawing": round(found[0], 4), "drawing_shape": round(found[1], 4)}
    return Verdict(not reasons, None, None, None, None, True, tuple(reasons), measures)


def likeness_of_drawing(
    rgb: U8, landmarks: F32, source: FaceMap, recogniser: Recogniser, landmarker: Landmarker
) -> tuple[float, float]:
    """Return the cosine of a drawing to its source, and how far its face stands off the source's shape.

    landmarks: (478, 3) of the picture that was drawn: the face is known to be there, whether or not a detector made
    for photographs finds it. The shape is 0 where the landmarker finds none: most engraved faces.
    """
    soft, face = seen_from_afar(rgb, landmarks)
    traced = landmarker.detect(soft)
    shape = 0.0 if traced is None else shape_error(traced.landmarks, source.landmarks)
    return cosine(recogniser.embed(soft, face), source.selfie.face.embedding), shape


def seen_from_afar(rgb: U8, landmarks: F32) -> tuple[U8, Detection]:
    """Return a drawing as the recogniser is to see it, and where its face is."""
    points = landmarks[:, :2]
    five = np.vstack([frame.eye_centres(points), points[list(FIVE_POINTS)]]).astype(np.float32)
    low, high = points.min(axis=0), points.max(axis=0)
    face = Detection((*map(float, low), *map(float, high - low)), 1.0, five)  # type: ignore[arg-type]
    return cv2.GaussianBlur(rgb, (0, 0), AFAR * face.eye_px).astype(np.uint8), face


def is_like(likeness: float, shape: float) -> bool:
    """Say whether a drawing is the sitter, by LIKENESS_LIMIT and SHAPE_LIMIT."""
    return likeness >= LIKENESS_LIMIT and shape <= SHAPE_LIMIT
