"""FLUX.2 klein on a CPU, tiny random nets through the real loading path: what they draw is noise, how is not."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from diffusers import Flux2KleinInpaintPipeline, Flux2KleinPipeline

from core import studio
from core.deliver.layers import layers_for, save_layers
from core.edit.recipe import develop, edit
from core.engines.checkpoints import Checkpoint
from core.engines.flux2 import engine as drawing
from core.engines.flux2 import instruction, klein
from core.engines.flux2.engine import Flux2Engine
from core.engines.flux2.facts import FACTS
from core.engines.flux2.klein import Klein
from core.engines.flux2.references import reference_of
from core.enhance import in_outfit
from core.errors import EngineMissing, Refused, Stopped
from core.judge.drawing import judge_drawn_anew
from core.looks.finish import finish_settings, newest
from core.models import Models
from core.scene.compose import compose
from core.scene.stage import Choice, Setup, garment_of, look_of, set_up
from core.scene.style import load
from core.types import Cutout, FaceMap, Identity, Portrait
from tests import tiny_flux2
from tests.tiny_flux2 import FP8, SIZE, TINY

SMALLER = replace(TINY, name="smaller", draws=(64, 64), drawing_gb=1.0, learning_gb=1.0)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(klein, "TEXT_LAYERS", tiny_flux2.LAYERS)
    monkeypatch.setattr(klein, "TOKENS", 64)
    monkeypatch.setattr(drawing, "FACE_PASS", (128, 128))
    monkeypatch.setattr(drawing, "HEAD_REFERENCE", 64)


@pytest.fixture
def nets(checkpoints: dict[str, Checkpoint]) -> Klein:
    return Klein(checkpoints["draws"], TINY, "cpu")


@pytest.fixture
def engine(checkpoints: dict[str, Checkpoint], models: Models) -> Flux2Engine:
    facts = replace(FACTS, plans=(TINY, SMALLER))
    return Flux2Engine(facts, checkpoints, TINY, "cpu", models)


@pytest.fixture
def setup(collins_map: FaceMap, collins_cutout: Cutout) -> Setup:
    return _setup(collins_map, collins_cutout)


@pytest.fixture(scope="module")
def redressed(collins_map: FaceMap, collins_cutout: Cutout, models: Models) -> Portrait:
    """The sitter as the CPU engine draws her: stands for what a net that draws people would draw."""
    return models.engine.portrait(
        _setup(collins_map, collins_cutout), "office", "job", Identity((collins_map,), None), "x", studio.never
    )


def _setup(face: FaceMap, cutout: Cutout) -> Setup:
    made = set_up(face, cutout, load("office"), Choice(), 0, 1, 0.3)
    made.settings["crop"] = "portrait"
    return made


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


# the pipelines


def test_words_are_read_from_the_layers_and_padded_to_the_length_that_the_pipelines_use() -> None:
    """diffusers' training example defaults to layers 10, 20, 30: a LoRA learnt with those does not fit."""
    source = inspect.getsource(klein)
    assert "TEXT_LAYERS: Final = (9, 18, 27)" in source
    assert "TOKENS: Final = 512" in source
    for pipeline in (Flux2KleinPipeline, Flux2KleinInpaintPipeline):
        defaults = inspect.signature(pipeline.__call__).parameters
        assert defaults["text_encoder_out_layers"].default == (9, 18, 27)
        assert defaults["max_sequence_length"].default == 512


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_what_is_drawn_from_references_is_what_the_stock_pipeline_draws(
    count: int, nets: Klein, checkpoints: dict[str, Checkpoint]
) -> None:
    from PIL import Image

    references = [picture(number) for number in range(count)]
    drawn = nets.draw("a person", references, SIZE, 7, None, studio.never)
    stock = Flux2KleinPipeline.from_pretrained(checkpoints["draws"].folder)
    theirs = stock(
        image=[Image.fromarray(rgb) for rgb in references], prompt="a person", width=SIZE[0], height=SIZE[1],
        num_inference_steps=4, generator=torch.Generator().manual_seed(7), max_sequence_length=64,
        text_encoder_out_layers=tiny_flux2.LAYERS, output_type="np",
    ).images[0]  # fmt: skip
    assert np.abs(drawn.astype(float) - 255 * theirs).max() <= 1
    assert drawn.shape == (SIZE[1], SIZE[0], 3)
    other = nets.draw("a person", references[:-1] or [picture(9)], SIZE, 7, None, studio.never)
    assert not np.array_equal(drawn, other), "every reference has a say"


def test_only_the_part_is_drawn_and_the_rest_stays_to_the_byte(nets: Klein) -> None:
    whole, mask = picture(1), np.zeros(SIZE[::-1], np.float32)
    mask[32:64, 16:48] = 1
    drawn = nets.inpaint("a shirt", whole, mask, [picture(2), picture(3)], 1.0, 4, 3, None, studio.never)
    assert np.array_equal(drawn[mask == 0], whole[mask == 0])
    assert np.abs(drawn[mask > 0].astype(int) - whole[mask > 0]).mean() > 5
    half = nets.inpaint("a shirt", whole, mask, [], 0.5, 4, 3, None, studio.never)
    assert not np.array_equal(half, drawn)


def test_drawing_stops_between_steps(nets: Klein) -> None:
    asked: list[int] = []

    def second_time() -> bool:
        asked.append(1)
        return len(asked) == 2

    with pytest.raises(Stopped, match="denoising step 2"):
        nets.draw("a person", [picture(1)], SIZE, 7, None, second_time)


def test_fp8_storage_halves_the_transformer_and_draws_nearly_the_same(checkpoints: dict[str, Checkpoint]) -> None:
    wide, small = (Klein(checkpoints["draws"], plan, "cpu") for plan in (replace(FP8, storage="bfloat16"), FP8))
    one, other = (net.draw("a person", [picture(1)], SIZE, 7, None, studio.never) for net in (wide, small))
    assert np.abs(one.astype(float) - other).mean() < 4
    assert not np.array_equal(one, other)
    stored = {p.dtype for p in small._transformer.transformer_blocks.parameters() if p.dim() > 1}
    assert stored == {torch.float8_e4m3fn}


def test_an_instruction_is_encoded_once_and_the_encoder_is_let_go(nets: Klein, monkeypatch: pytest.MonkeyPatch) -> None:
    first = nets.embed("a person")
    nets.release()
    assert "_encoder" not in nets.__dict__
    monkeypatch.setattr(Flux2KleinPipeline, "_get_qwen3_prompt_embeds", None)
    assert nets.embed("a person") is first


# memory


def test_where_memory_ends_the_next_smaller_plan_goes_on_and_the_last_says_so(
    engine: Flux2Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, tried = Klein.draw, []

    def full(self: Klein, *rest: Any) -> np.ndarray:
        tried.append(self.plan.name)
        if self.plan.name in ends:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return draw(self, *rest)

    monkeypatch.setattr(Klein, "draw", full)
    ends = {"tiny"}
    run: Callable[[Klein], np.ndarray] = lambda k: k.draw("a", [picture(1)], k.plan.draws, 1, None, studio.never)  # noqa: E731
    assert engine._within_memory(run).shape == (64, 64, 3)
    assert (tried, engine.plan.name) == (["tiny", "smaller"], "smaller")
    ends = {"tiny", "smaller"}
    with pytest.raises(EngineMissing, match="memory ends under plan smaller: CUDA out of memory"):
        engine._within_memory(run)


# words


def test_the_instruction_says_the_setup_and_only_what_was_measured(setup: Setup, three: list[FaceMap]) -> None:
    said = instruction.instruction_of(setup.settings, three[0], 2, known=False)
    assert "images 1 to 2" in said
    assert "charcoal suit, burgundy tie" in said
    assert "grey studio paper" in said
    assert "ohwx" not in said
    assert "ohwx person" in instruction.instruction_of(setup.settings, three[0], 1, known=True)
    features = three[0].features
    assert features is not None
    worn = replace(features, glasses=True, facial_hair="beard", hair_length="short", hair_colour="grey")
    facts = instruction.facts_of(worn)
    assert facts == ["Has short grey hair", "Has a beard", "Wears the glasses of the photos"]
    unknown = replace(features, glasses=None, facial_hair=None, hair_length=None, hair_colour=None)
    assert instruction.facts_of(unknown) == []
    for word in (" man", "woman", " he ", " she ", " old", "young", "year"):
        assert word not in said.lower()
    assert "in forest" in instruction.instruction_of({**setup.settings, "colour": "forest"}, three[0], 1, True)
    assert "#" not in instruction.instruction_of({**setup.settings, "backdrop": "#203040"}, three[0], 1, True)


def test_a_drawn_look_is_said_in_words_of_its_own_and_not_as_a_photograph(setup: Setup, three: list[FaceMap]) -> None:
    assert set(instruction.DRAWN) == set(newest())
    for look in newest():
        said = instruction.instruction_of({**setup.settings, "finish": finish_settings(look)}, three[0], 2, known=False)
        assert said.startswith(instruction.DRAWN[look])
        assert "images 1 to 2" in said
        assert "photograph" not in said
        assert "pores" not in said


# the portrait


def test_an_engine_that_draws_words_draws_a_look_itself_and_leaves_the_finish_out(
    engine: Flux2Engine,
    setup: Setup,
    monkeypatch: pytest.MonkeyPatch,
    three: list[FaceMap],
    models: Models,
    redressed: Portrait,
) -> None:
    drawn = cv2.resize(redressed.rgb, (320, 400), interpolation=cv2.INTER_AREA)
    said: list[str] = []

    def draw(klein: Klein, text: str, *_: object) -> np.ndarray:
        said.append(text)
        return drawn

    monkeypatch.setattr(Klein, "draw", draw)
    setup.settings["finish"] = finish_settings("oil")
    portrait = engine.portrait(setup, "oil", "job", Identity(tuple(three), 0.5), "x", studio.never)
    assert said[0].startswith("Oil painting on canvas")
    settings = portrait.recipe.settings
    assert (settings["finish"], settings["drawn_look"]) == (None, "oil")
    away = np.abs(portrait.rgb.astype(np.float32) - drawn).mean(axis=-1)
    assert np.median(away) < 6, "backdrop and all are as the net drew them"
    assert np.array_equal(develop(portrait.layers, portrait.recipe), portrait.rgb)
    assert judge_drawn_anew(portrait, setup.face, models.recogniser, models.landmarker).kept


def test_a_portrait_names_its_references_and_noise_keeps_the_masks_of_none(
    engine: Flux2Engine, setup: Setup, three: list[FaceMap], models: Models
) -> None:
    from core.judge.verdict import judge

    who = Identity((*three, replace(three[2], selfie=replace(three[2].selfie, sha256="d"))), 0.5)
    portrait = engine.portrait(setup, "office", "job", who, "x", studio.never)
    again = engine.portrait(setup, "office", "job", who, "x", studio.never)
    assert np.array_equal(portrait.rgb, again.rgb), "the same seed draws the same"
    assert portrait.recipe.settings["references"][0] == setup.face.selfie.sha256
    assert len(portrait.recipe.settings["references"]) == 3, "one of four is left to measure by"
    assert portrait.recipe.engine.startswith("flux2-")
    assert judge(portrait, setup.face, who, models.recogniser, models.landmarker).reasons == ("no_face",)


@pytest.mark.parametrize(("why", "grey"), [("light", False), ("photo", True)])
def test_a_face_drawn_anew_has_a_light_of_its_own(
    engine: Flux2Engine,
    collins_map: FaceMap,
    collins_cutout: Cutout,
    monkeypatch: pytest.MonkeyPatch,
    redressed: Portrait,
    why: str,
    grey: bool,
) -> None:
    """Hard light in the photo is not drawn, and its portrait stays in colour; a photo without colours gives none."""
    drawn = cv2.resize(redressed.rgb, (320, 400), interpolation=cv2.INTER_AREA)
    monkeypatch.setattr(Klein, "draw", lambda *_: drawn)
    setup = _setup(collins_map, collins_cutout)
    setup.settings.update(black_and_white=True, grey_for=why)
    portrait = engine.portrait(setup, "office", "job", Identity((collins_map,), None), "x", studio.never)
    assert portrait.recipe.settings["black_and_white"] is grey
    assert (np.ptp(portrait.rgb.astype(int), axis=-1).max() < 3) == grey


def test_a_drawn_picture_is_taken_apart_so_that_it_develops_into_itself_and_can_be_edited(
    engine: Flux2Engine,
    setup: Setup,
    monkeypatch: pytest.MonkeyPatch,
    three: list[FaceMap],
    models: Models,
    redressed: Portrait,
) -> None:
    """A net that draws a portrait of ours stands for one that draws a face: what follows the drawing is claimed."""
    drawn = cv2.resize(redressed.rgb, (320, 400), interpolation=cv2.INTER_AREA)  # so that the print is small, and quick
    monkeypatch.setattr(Klein, "draw", lambda *_: drawn)
    monkeypatch.setattr(drawing, "SMALL_FACE_PX", 0)
    portrait = engine.portrait(setup, "office", "job", Identity(tuple(three), 0.5), "x", studio.never)
    layers = portrait.layers
    assert portrait.rgb.shape[:2] == layers.head.shape
    away = np.abs(portrait.rgb.astype(np.float32) - layers.garment[..., :3]).mean(axis=-1)
    head = layers.head == 255
    assert head.mean() > 0.08
    points = models.landmarker.detect(portrait.rgb)
    assert points is not None
    assert (layers.garment[..., 3] > 200).mean() > 0.1
    left, right = (develop(layers, edit(portrait.recipe, f"light_{side}")) for side in ("left", "right"))
    eyes = round(0.385 * len(left))
    difference = (left[eyes : eyes + 120].astype(np.float32) - right[eyes : eyes + 120]).mean(axis=(0, 2))
    middle = left.shape[1] // 2
    assert difference[middle - 60 : middle - 10].mean() > difference[middle + 10 : middle + 60].mean()
    blue = develop(layers, edit(portrait.recipe, "backdrop=#2040a0"))
    corner = blue[:40, :40].reshape(-1, 3).mean(axis=0)
    assert corner[2] > 1.5 * corner[0], "the backdrop is the recipe's own"
    assert np.array_equal(blue.shape, portrait.rgb.shape)
    assert np.isfinite(away).all()


def test_a_small_face_is_drawn_again_and_nothing_else_is(
    engine: Flux2Engine, setup: Setup, three: list[FaceMap], models: Models
) -> None:
    photo = reference_of(three[0])
    mesh = models.landmarker.detect(photo)
    assert mesh is not None
    again = engine._face_again(engine._klein, photo, setup, tuple(three[:2]), None, studio.never)
    changed = np.abs(again.astype(int) - photo).max(axis=-1) > 0
    face = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(mesh.landmarks[:, :2].astype(np.int32)), 1)
    assert changed[face > 0].mean() > 0.9
    reach = int(np.ptp(mesh.landmarks[:, 1])) // 2
    assert not changed[cv2.dilate(face, np.ones((2 * reach + 1,) * 2, np.uint8)) == 0].any()
    large = cv2.resize(photo, None, fx=5, fy=5)
    assert engine._face_again(engine._klein, large, setup, tuple(three[:1]), None, studio.never) is large


@pytest.fixture
def tinted(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """What the inpainting net brings back is the print in another colour: only cloth may take it on."""
    masks: list[np.ndarray] = []

    def inpaint(self: Klein, text: str, rgb: np.ndarray, mask: np.ndarray, *rest: object) -> np.ndarray:
        masks.append(mask)
        assert "navy suit" in text
        return np.where(mask[..., None] > 0.5, (rgb * [0.6, 0.7, 1.0]).astype(np.uint8), rgb)

    monkeypatch.setattr(Klein, "inpaint", inpaint)
    return masks


def test_other_clothes_are_drawn_in_place_of_the_garment_alone(
    engine: Flux2Engine, redressed: Portrait, tinted: list[np.ndarray]
) -> None:
    before = redressed
    after = engine.change_garment(before.layers, garment_of("navy_suit"), before.recipe, studio.never)
    assert np.array_equal(after.head, before.layers.head)
    assert np.array_equal(after.sitter, before.layers.sitter)
    assert not np.array_equal(after.garment, before.layers.garment)
    head = cv2.resize(before.layers.head, tinted[0].shape[::-1], interpolation=cv2.INTER_AREA) == 255
    assert tinted[0][head].max() == 0
    cloth = before.layers.garment[..., 3] == 255
    rgb = compose(after, look_of(before.recipe.settings, before.recipe.seed))
    assert (rgb[cloth].astype(int) - before.rgb[cloth]).mean(axis=0)[0] < -3


def test_an_edit_of_a_portrait_it_drew_has_it_draw_the_clothes_once(
    engine: Flux2Engine, redressed: Portrait, tinted: list[np.ndarray], models: Models, tmp_path: Path
) -> None:
    """The portrait stands for one of its own: nothing is kept under its garment."""
    settings = {**redressed.recipe.settings, "drawn_anew": True, "crop": "portrait"}
    recipe = replace(redressed.recipe, engine=f"{engine.name}-{engine.version}", settings=settings)
    before = replace(redressed.layers, undressed=None)
    save_layers(before, tmp_path)
    here = Models("embedded")
    here.__dict__["engine"] = engine
    suited = edit(recipe, "outfit=navy_suit", "warmer")
    layers, put_on = in_outfit(layers_for(tmp_path, suited), tmp_path, suited, here)
    assert len(tinted) == 1
    assert put_on is not None
    later = edit(suited, "brighter")
    again, now = in_outfit(layers_for(tmp_path, later), tmp_path, later, here)
    assert now is None
    assert len(tinted) == 1, "the second edit begins with what the first one had drawn"
    assert np.array_equal(develop(again, suited), develop(layers, suited))
    with pytest.raises(Refused, match="0 pixels"):
        in_outfit(before, tmp_path, edit(recipe, "outfit=own"), here)
    with pytest.raises(Refused, match="0 run here") as refused:
        in_outfit(before, tmp_path, edit(recipe, "outfit=grey_crew"), models)
    assert refused.value.reason == "outfit_engine"
