"""Portrait -> its drawing, as strongly drawn as the sitter is still known in it.

The photograph under it has been judged; here only likeness is, by limits of its own: what a drawing leaves out, the
recogniser misses too. `tools/measure_looks.py` has what they were set by, docs/looks.md its figures.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from core.edit import recipe as recipes
from core.face.embedding import Recogniser, cosine
from core.face.landmarks import Landmarker
from core.judge.realism import shape_error
from core.types import U8, FaceMap, Portrait, Verdict

STRENGTHS: Final = (1.0, 0.75, 0.5, 0.25, 0.0)
"""How strongly a look is tried, one after the other, until its drawing is like the sitter."""
LIKENESS_LIMIT: Final = 0.34
"""Least cosine of a drawing to the photo it was drawn from. Drawings of strangers' faces: docs/looks.md."""
SHAPE_LIMIT: Final = 0.12
"""Most that a drawing's landmarks may stand off the sitter's own shape, in eye distances (root mean square). A
photograph has 0.03; large eyes and a caricature need more."""


def drawn_recognisably(
    portrait: Portrait, verdict: Verdict, source: FaceMap, recogniser: Recogniser, landmarker: Landmarker
) -> tuple[Portrait, Verdict]:
    """Draw a judged photograph in its recipe's finish, milder where it is not like the sitter.

    Returns the portrait with the drawing as its picture and the strength in its recipe, and the verdict with the
    drawing's measures. Dropped as `drawing_unlike` where even the mildest is not like them.
    """
    finish, finished, found = dict(portrait.recipe.settings["finish"]), portrait, (0.0, 1.0)
    for strength in STRENGTHS:
        settings = {**portrait.recipe.settings, "finish": {**finish, "strength": strength}}
        recipe = replace(portrait.recipe, settings=settings)
        rgb = recipes.develop(portrait.layers, recipe)
        finished = replace(portrait, rgb=rgb, recipe=recipe)
        found = likeness_of_drawing(rgb, source, recogniser, landmarker)
        if like(*found):
            break
    measures = {**verdict.measures, "drawing": round(found[0], 4), "drawing_shape": round(found[1], 4)}
    if like(*found):
        return finished, replace(verdict, measures=measures)
    return finished, replace(verdict, kept=False, reasons=("drawing_unlike",), measures=measures)


def likeness_of_drawing(
    rgb: U8, source: FaceMap, recogniser: Recogniser, landmarker: Landmarker
) -> tuple[float, float]:
    """Return the cosine of a drawing to its source and how far its landmarks stand off the source's shape.

    0 and 1 where no face, or no mesh, is found in it.
    """
    embedding, traced = recogniser.embed_only(rgb), landmarker.detect(rgb)
    return (
        0.0 if embedding is None else cosine(embedding, source.selfie.face.embedding),
        1.0 if traced is None else shape_error(traced.landmarks, source.landmarks),
    )


def like(likeness: float, shape: float) -> bool:
    """Say whether a drawing is the sitter, by LIKENESS_LIMIT and SHAPE_LIMIT."""
    return likeness >= LIKENESS_LIMIT and shape <= SHAPE_LIMIT
