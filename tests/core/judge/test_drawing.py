"""Claims about judging drawings: the photograph is composed once, and tried milder until the sitter is known."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from core.edit import recipe as recipes
from core.edit.recipe import develop, edit, effective
from core.engines.redrawn import without_face
from core.judge import drawing
from core.judge.drawing import KNOWN, LIKENESS_LIMIT, STRENGTHS, drawn_recognisably, judge_drawn_anew
from core.looks.finish import finish_settings
from core.scene.compose import Look, compose
from core.types import U8, Layers, Portrait, Recipe, Verdict

OWN = np.array([1.0, 0.0], np.float32)
KEPT = Verdict(True, None, None, None, None, True, ())
SOURCE: Any = SimpleNamespace(selfie=SimpleNamespace(face=SimpleNamespace(embedding=OWN)))
NO_FACE: Any = SimpleNamespace(detect=lambda rgb: None)


def recogniser(*cosines: float) -> Any:
    """A recogniser that gives these cosines to the sitter, one drawing after the other."""
    left = list(cosines)

    def embed(rgb: object, face: object) -> np.ndarray:
        cosine = left.pop(0)
        return np.array([cosine, np.sqrt(1 - cosine**2)], np.float32)

    return SimpleNamespace(embed=embed)


@pytest.fixture
def portrait(small_layers: Layers, small_recipe: Recipe) -> Portrait:
    ordered = replace(small_recipe, settings={**small_recipe.settings, "finish": finish_settings("poster")})
    return Portrait("p", develop(small_layers, small_recipe), small_layers, ordered)


def test_a_photograph_is_composed_once_for_every_strength_that_is_tried(
    portrait: Portrait, small_recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Layers] = []

    def counted(layers: Layers, look: Look) -> U8:
        calls.append(layers)
        return compose(layers, look)

    monkeypatch.setattr(recipes, "compose", counted)
    low = LIKENESS_LIMIT - 0.1
    drawn, verdict = drawn_recognisably(portrait, KEPT, SOURCE, recogniser(low, low, LIKENESS_LIMIT + 0.1), NO_FACE)
    assert len(calls) == 1
    assert verdict.kept
    assert effective(drawn.recipe)["finish"]["strength"] == STRENGTHS[-1]
    asked = edit(small_recipe, "finish=poster", f"strength={STRENGTHS[-1]}")
    assert np.array_equal(drawn.rgb, develop(portrait.layers, asked)), "the same bytes as drawn by itself"
    assert np.array_equal(drawn.rgb, develop(drawn.layers, drawn.recipe))


@pytest.mark.parametrize(
    ("cosines", "strength"),
    [
        ((KNOWN,), 1.0),
        ((LIKENESS_LIMIT + 0.01, LIKENESS_LIMIT + 0.03, LIKENESS_LIMIT + 0.02), 0.5),
        ((LIKENESS_LIMIT + 0.03, LIKENESS_LIMIT + 0.03, LIKENESS_LIMIT - 0.1), 1.0),
        ((LIKENESS_LIMIT + 0.01, KNOWN + 0.1), 0.5),
    ],
)
def test_the_boldest_that_is_known_is_taken_and_else_the_likest(
    cosines: tuple[float, ...], strength: float, portrait: Portrait
) -> None:
    drawn, verdict = drawn_recognisably(portrait, KEPT, SOURCE, recogniser(*cosines), NO_FACE)
    assert verdict.kept
    assert effective(drawn.recipe)["finish"]["strength"] == strength


def test_a_drawing_that_is_like_nobody_at_any_strength_is_dropped(portrait: Portrait) -> None:
    _, verdict = drawn_recognisably(portrait, KEPT, SOURCE, recogniser(0.1, 0.1, 0.1), NO_FACE)
    assert verdict.reasons == ("drawing_unlike",)
    assert verdict.measures["drawing"] == pytest.approx(0.1)


def test_what_an_engine_drew_by_its_instruction_is_judged_by_likeness_alone(
    portrait: Portrait, small_layers: Layers
) -> None:
    """Its backdrop, light and neck are the drawing's own: nothing of the photograph's measures can hold them."""

    def judged(landmarks: np.ndarray | None, cosine: float, **settings: str) -> Verdict:
        recipe = replace(portrait.recipe, settings={"drawn_look": "oil", **settings})
        made = Portrait("p", portrait.rgb, without_face(portrait.rgb, landmarks), recipe)
        return judge_drawn_anew(made, SOURCE, recogniser(cosine), NO_FACE)

    mesh = small_layers.landmarks
    assert judged(mesh, LIKENESS_LIMIT + 0.1).kept
    assert judged(mesh, LIKENESS_LIMIT - 0.1).reasons == ("drawing_unlike",)
    assert judged(None, 0.9).reasons == ("no_face",)
    assert judged(mesh, 0.9, withheld="unclothed").reasons == ("unclothed",)
    assert drawing.is_like(LIKENESS_LIMIT, drawing.SHAPE_LIMIT)
