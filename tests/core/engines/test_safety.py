"""What may reach a net and what may leave it; all of it without a net."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core import studio
from core.catalogue import sentences
from core.cutout.parts import Parts
from core.deliver.files import AI_MARK, DRAWN_MARK, encode
from core.engines.flux2.engine import Flux2Engine
from core.engines.flux2.instruction import face_instruction, garment_instruction, instruction_of
from core.engines.safety import check_words, free_words, shows_too_much
from core.engines.sdxl.engine import SdxlEngine, prompt_of
from core.errors import Refused
from core.judge.verdict import REASONS, judge
from core.models import Models
from core.scene.style import wardrobe
from core.types import FaceMap, Identity, Portrait, Recipe
from tests import sitters


def test_all_that_the_wardrobe_can_say_is_let_through(three: list[FaceMap]) -> None:
    for outfit, worn in wardrobe().outfits.items():
        for backdrop, light in zip(
            [*wardrobe().backdrops, "#aabbcc"], [*wardrobe().lights] * len(wardrobe().backdrops), strict=False
        ):
            settings = {"outfit": outfit, "backdrop": backdrop, "light": light}
            assert instruction_of(settings, three[0], 4, known=True)
            assert prompt_of(settings, known=True)
        assert garment_instruction(worn)
    assert face_instruction(three[0], known=False)


@pytest.mark.parametrize(("words", "why"), [
    ("completely nude", "undressed"), ("NAKED.", "undressed"), ("wearing lingerie", "undressed"),
    ("topless on a beach", "undressed"), ("see-through blouse", "undressed"), ("a sexy pose", "sexual"),
    ("as a child", "minor"), ("a teenage look", "minor"), ("look younger", "minor"), ("school uniform", "minor"),
    ("a 12-year-old", "age"), ("twelve years old", "age"), ("aged 15", "age"), ("ten years older", "age"),
    ("with the face of a president", "other_person"), ("looking like a film star", "other_person"),
])  # fmt: skip
def test_words_for_nudity_minors_age_and_other_people_are_refused_by_name(words: str, why: str) -> None:
    with pytest.raises(Refused) as refused:
        check_words(f"portrait, {words}, soft light")
    assert refused.value.reason == f"words_{why}"


@pytest.mark.parametrize("words", [
    "gold earrings", "double-breasted jacket", "a bold smile", "cold morning light", "bookshelf behind",
    "Middlesex tweed", "a babysitter's badge", "grey wool, folded scarf",
])  # fmt: skip
def test_plain_words_are_let_through(words: str) -> None:
    assert check_words(words) == words


def test_own_words_are_off_unless_the_operator_allows_them_and_are_checked_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ATELIER_FREE_PROMPTS", raising=False)
    engine: Any = SimpleNamespace(name="any", draws_words=True)
    with pytest.raises(Refused, match="the operator allows them"):
        free_words("gold earrings", engine)
    monkeypatch.setenv("ATELIER_FREE_PROMPTS", "1")
    assert free_words("  gold\n earrings ", engine) == "gold earrings"
    for wrong in ("nude", "x" * 201, "d\u00e9shabill\u00e9", "\u5973\u5b69"):
        with pytest.raises(Refused):
            free_words(wrong, engine)


def test_own_words_need_an_engine_that_draws_anew_and_reach_the_instruction(
    monkeypatch: pytest.MonkeyPatch, models: Models, tmp_path: Path, three: list[FaceMap]
) -> None:
    photos = [("collins.png", sitters.encoded(sitters.collins()))]
    asked = studio.Sitting(styles=("office",), count=1, words="gold earrings")
    monkeypatch.delenv("ATELIER_FREE_PROMPTS", raising=False)
    with pytest.raises(Refused, match="the operator allows"):
        studio.shoot(photos, asked, tmp_path, models)
    monkeypatch.setenv("ATELIER_FREE_PROMPTS", "1")
    with pytest.raises(Refused, match="embedded draws no words"):
        studio.shoot(photos, asked, tmp_path, models)
    settings = {"outfit": "charcoal_suit", "backdrop": "grey_paper", "light": "soft_key", "words": "gold earrings"}
    assert instruction_of(settings, three[0], 1, known=False).endswith("gold earrings.")
    assert prompt_of(settings, known=False).endswith("gold earrings")


def parts(skin_below: float) -> Parts:
    """A figure of cloth below the chin, a part of its rows bare skin."""
    nothing = np.zeros((640, 512), np.float32)
    skin, clothes = nothing.copy(), nothing.copy()
    split = 400 + round(240 * skin_below)
    skin[400:split, 100:400], clothes[split:, 100:400] = 1, 1
    rgb = np.zeros((640, 512, 3), np.uint8)
    return Parts(rgb, nothing + 1, skin + clothes, nothing, nothing, skin, clothes, nothing, nothing)


def test_more_skin_than_presentable_clothes_leave_is_too_much() -> None:
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:, 1] = 700.0
    shown = [shows_too_much(parts(part), landmarks) for part in (0.0, 0.2, 0.35, 0.5, 0.8, 1.0)]
    assert shown == sorted(shown)
    assert shown[:2] == [False, False]
    assert shown[3:] == [True, True, True]


def recipe(**settings: object) -> Recipe:
    return Recipe("office", "job", "a" * 64, 1, "flux2-x", 64, 80, {"least_percent": 90.0, **settings})


def test_a_withheld_picture_is_dropped_before_anything_is_looked_at(three: list[FaceMap], models: Models) -> None:
    portrait = Portrait("x", np.zeros((80, 64, 3), np.uint8), None, recipe(withheld="unclothed"))  # type: ignore[arg-type]
    verdict = judge(portrait, three[0], Identity(tuple(three), 0.5), models.recogniser, models.landmarker)
    assert (verdict.kept, verdict.reasons) == (False, ("unclothed",))
    assert "unclothed" in REASONS


def test_a_head_that_was_drawn_anew_is_marked_as_made_by_a_net_alone() -> None:
    picture = np.full((80, 64, 3), 90, np.uint8)
    for made, mark in ((recipe(drawn_anew=True), DRAWN_MARK), (recipe(), AI_MARK)):
        for suffix in (".jpg", ".png", ".webp"):
            xmp = Image.open(io.BytesIO(encode(picture, suffix, made))).info["xmp"]
            assert f'DigitalSourceType="{mark}"'.encode() in xmp
    assert DRAWN_MARK.endswith("/trainedAlgorithmicMedia")


def test_galleries_say_that_the_head_is_drawn() -> None:
    assert "drawn anew" in Flux2Engine.honesty
    for name, engine in (("flux2", Flux2Engine), ("sdxl", SdxlEngine)):
        assert sentences("en")[f"page.honesty.{name}"] == engine.honesty
