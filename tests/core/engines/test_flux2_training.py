"""Learning a person on klein Base, on a CPU with tiny random nets: loss, masks, proof, resuming, saving."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline, Flux2Transformer2DModel
from diffusers.training_utils import compute_density_for_timestep_sampling, compute_loss_weighting_for_sd3

from core import studio
from core.engines import lora as training
from core.engines.checkpoints import Checkpoint
from core.engines.flux2 import klein, lora
from core.engines.flux2.engine import Flux2Engine
from core.engines.flux2.facts import FACTS
from core.engines.flux2.klein import Klein
from core.engines.flux2.lora import Flux2Task, caption_of, flow_loss, framed_photo, lora_config
from core.engines.lora import TrainConfig
from core.engines.teaching import BODY, ROOM, teaching_photos
from core.errors import Stopped
from core.models import Models
from core.types import FaceMap, Identity
from tests import tiny_flux2
from tests.tiny_flux2 import FP8, SIZE, TINY

SEEDS = lora.PROOF_SEEDS
SHORT = TrainConfig(6, 2e-2, check_every=2, patience=8, least_gain=2.0, accumulate=1, most_gradient=1.0)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(klein, "TEXT_LAYERS", tiny_flux2.LAYERS)
    monkeypatch.setattr(klein, "TOKENS", 64)
    monkeypatch.setattr(lora, "RANK", 4)
    monkeypatch.setattr(lora, "CONFIG", SHORT)


@pytest.fixture
def engine(checkpoints: dict[str, Checkpoint], models: Models) -> Flux2Engine:
    return Flux2Engine(replace(FACTS, plans=(TINY,)), checkpoints, TINY, "cpu", models)


def learn(engine: Flux2Engine, maps: list[FaceMap], folder: Path, stop_at: int | None = None) -> Identity:
    seen: list[float] = []
    who = Identity(maps=tuple(maps), baseline=1.0)
    return engine.train(
        who, folder, lambda step, total, loss: seen.append(loss), lambda: stop_at is not None and len(seen) >= stop_at
    )


def scripted(monkeypatch: pytest.MonkeyPatch, alone: float, *with_lora: float) -> list[str | None]:
    """Let generations come as near to the held-out photo as is said: references alone, then at each check."""
    asked: list[str | None] = []

    def likeness(
        self: Flux2Engine, net: Klein, photos: Any, proof: Any, seed: int, lora: str | None, stop: Any
    ) -> float:
        asked.append(lora)
        learnt = len([each for each in asked if each]) - 1
        return alone if lora is None else with_lora[learnt // len(SEEDS)]

    monkeypatch.setattr(Flux2Engine, "_generated_likeness", likeness)
    return asked


# the loss


def test_the_loss_is_that_of_diffusers_own_example_on_the_same_batch_and_noise(
    checkpoints: dict[str, Checkpoint],
) -> None:
    """`examples/dreambooth/train_dreambooth_lora_flux2_klein.py`, the lines of its training loop."""
    net = Flux2Transformer2DModel.from_pretrained(checkpoints["learns"].folder / "transformer")
    schedule = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)
    rng = torch.Generator().manual_seed(0)
    model_input, noise = (torch.randn(1, 16, 5, 4, generator=rng) for _ in range(2))
    prompt_embeds = torch.randn(1, 8, 48, generator=rng)
    text_ids = Flux2KleinPipeline._prepare_text_ids(prompt_embeds)
    torch.manual_seed(3)
    for _ in range(3):
        u = compute_density_for_timestep_sampling("none", 1, 0.0, 1.0, 1.29)
        indices = (u * schedule.config.num_train_timesteps).long()
        timesteps = schedule.timesteps[indices]
        step_indices = [(schedule.timesteps == t).nonzero().item() for t in timesteps]
        sigmas = schedule.sigmas[step_indices].flatten()[:, None, None, None]
        noisy_model_input = (1.0 - sigmas) * model_input + sigmas * noise
        packed = Flux2KleinPipeline._pack_latents(noisy_model_input)
        ids = Flux2KleinPipeline._prepare_latent_ids(model_input)
        model_pred = net(
            hidden_states=packed, timestep=timesteps / 1000, guidance=None, encoder_hidden_states=prompt_embeds,
            txt_ids=text_ids, img_ids=ids, return_dict=False,
        )[0]  # fmt: skip
        model_pred = Flux2KleinPipeline._unpack_latents_with_ids(model_pred[:, : packed.size(1)], ids)
        weighting = compute_loss_weighting_for_sd3("none", sigmas)
        target = noise - model_input
        theirs = torch.mean((weighting.float() * (model_pred.float() - target.float()) ** 2).reshape(1, -1), 1).mean()
        ours = flow_loss(net, schedule, model_input, torch.ones(1, 1, 5, 4), prompt_embeds, noise, int(indices))
        torch.testing.assert_close(ours, theirs)


def test_what_does_not_count_changes_the_loss_by_nothing(checkpoints: dict[str, Checkpoint]) -> None:
    net = Flux2Transformer2DModel.from_pretrained(checkpoints["learns"].folder / "transformer")
    schedule = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)
    rng = torch.Generator().manual_seed(0)
    latents, noise, words = (torch.randn(s, generator=rng) for s in ((1, 16, 5, 4), (1, 16, 5, 4), (1, 8, 48)))
    weight = torch.zeros(1, 1, 5, 4)
    weight[..., :2, :] = 1
    inside = flow_loss(net, schedule, latents, weight, words, noise, 500)
    whole = flow_loss(net, schedule, latents, torch.ones_like(weight), words, noise, 500)
    lower = flow_loss(net, schedule, latents, 1 - weight, words, noise, 500)
    torch.testing.assert_close(whole, (2 * inside + 3 * lower) / 5)


# what is learnt from


def test_face_and_hair_count_old_clothes_and_the_room_hardly(three: list[FaceMap], models: Models) -> None:
    picture, weight = framed_photo(three[0], models.parser, (256, 320))
    assert picture.shape == (320, 256, 3)
    eyes, chest, corner = weight[123, 128], weight[300, 128], weight[10, 10]
    assert eyes == pytest.approx(1)
    assert corner == pytest.approx(ROOM, abs=0.02) or corner == 0
    assert chest < BODY + 0.05
    assert weight[305:, 100:156].mean() < 0.3


def test_photos_that_are_soft_or_with_closed_eyes_teach_nothing(three: list[FaceMap]) -> None:
    straight, turned, aside = three
    soft = replace(turned, selfie=replace(turned.selfie, sharpness=0.25, sha256="soft"))
    shut = replace(turned, expression=("eyes_closed",))
    small = replace(turned, upscale_factor=60.0)
    photos, proof = teaching_photos([straight, soft, shut, small, turned, aside], SIZE)
    assert proof is straight, "the least turned one"
    assert photos == [aside, turned]
    assert teaching_photos([straight, turned], SIZE) == ([turned, straight], None)


def test_a_caption_tells_pose_and_light_and_never_the_face(three: list[FaceMap]) -> None:
    said = caption_of(three[2])
    assert said.startswith("Photograph of ohwx person. Head turned slightly to the picture's left")
    for word in ("hair", "beard", "glasses", "eyes", "skin", "man", "woman"):
        assert word not in said.replace("ohwx person", "").lower()


# training


def test_the_lora_that_comes_nearest_is_kept_and_stock_diffusers_reads_it(
    engine: Flux2Engine, three: list[FaceMap], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    checkpoints: dict[str, Checkpoint],
) -> None:  # fmt: skip
    asked = scripted(monkeypatch, 0.40, 0.45, 0.60, 0.50)
    who = learn(engine, three, tmp_path)
    assert len(asked) == 8, "references alone once, and every check, from two noises"
    assert (who.proof["reason"], who.proof["steps"]) == ("helped", 6)
    assert who.proof["error_without"] == pytest.approx(0.60)
    assert who.proof["error_with"] == pytest.approx(0.40), "the second check, not the last"
    assert {who.proof["held_out"], *who.trained_on} == {face.selfie.sha256 for face in three}
    assert who.lora is not None
    assert [file.name for file in Path(who.lora).iterdir()] == ["pytorch_lora_weights.safetensors"]

    text, references = "a person", [np.full((80, 64, 3), 90, np.uint8)]
    net = Klein(checkpoints["draws"], TINY, "cpu")
    fused = net.draw(text, references, SIZE, 7, who.lora, studio.never)
    plain = net.draw(text, references, SIZE, 7, None, studio.never)
    assert not np.array_equal(fused, plain)
    assert np.array_equal(
        plain, Klein(checkpoints["draws"], TINY, "cpu").draw(text, references, SIZE, 7, None, studio.never)
    )
    stock = Flux2KleinPipeline.from_pretrained(checkpoints["draws"].folder)
    stock.load_lora_weights(who.lora)
    from PIL import Image

    theirs = stock(
        image=[Image.fromarray(references[0])], prompt=text, width=SIZE[0], height=SIZE[1], num_inference_steps=4,
        generator=torch.Generator().manual_seed(7), max_sequence_length=64, text_encoder_out_layers=tiny_flux2.LAYERS,
        output_type="np",
    ).images[0]  # fmt: skip
    assert np.abs(fused.astype(float) - 255 * theirs).max() <= 1, "fused draws what the adapter draws"


def test_where_references_alone_are_as_near_no_lora_is_kept(
    engine: Flux2Engine, three: list[FaceMap], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, 0.50, 0.50, 0.505, 0.49)
    who = learn(engine, three, tmp_path)
    assert (who.lora, who.proof["reason"], who.trained_on) == (None, "did_not_help", ())
    assert not (tmp_path / "flux2" / "lora").exists()


def test_checkpoints_are_judged_by_real_generations_from_photos_that_are_not_held_out(
    engine: Flux2Engine, three: list[FaceMap], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: Models
) -> None:
    """The recogniser is a stand-in that sees a face in noise: its pixels, coarsely."""
    drawn: list[tuple[int, int, str | None]] = []
    draw = Klein.draw

    def watched(self: Klein, text: str, references: Any, size: Any, seed: int, lora: str | None, stop: Any) -> Any:
        drawn.append((len(references), seed, lora and "lora"))
        return draw(self, text, references, size, seed, lora, stop)

    def seen(rgb: np.ndarray) -> np.ndarray:
        vector = cv2.resize(rgb, (8, 16)).mean(axis=-1).ravel() - 128
        return vector / np.linalg.norm(vector)

    monkeypatch.setattr(Klein, "draw", watched)
    engine._nets = SimpleNamespace(
        recogniser=SimpleNamespace(embed_only=seen), landmarker=models.landmarker, parser=models.parser
    )
    who = learn(engine, three, tmp_path)
    assert drawn == [(2, seed, lora) for lora in (None, "lora", "lora", "lora") for seed in SEEDS]
    assert who.proof["error_with"] != who.proof["error_without"]


def test_a_killed_training_goes_on_and_comes_to_the_same(
    engine: Flux2Engine, three: list[FaceMap], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, 0.40, 0.45, 0.50, 0.55)
    whole = learn(engine, three, tmp_path / "whole")
    scripted(monkeypatch, 0.40, 0.45, 0.50, 0.55)
    with pytest.raises(Stopped, match="step 3 of 6"):
        learn(engine, three, tmp_path / "cut", stop_at=3)
    assert engine._klein._transformer is None
    scripted(monkeypatch, 0.40, 0.50, 0.55)
    resumed = learn(engine, three, tmp_path / "cut")
    assert {**resumed.proof, "seconds": 0} == {**whole.proof, "seconds": 0}
    one, other = (next((tmp_path / run / "flux2" / "lora").glob("*.safetensors")) for run in ("whole", "cut"))
    assert content(one) == content(other)


def content(file: Path) -> tuple[Any, bytes]:
    """A safetensors file's header as JSON and the bytes of its tensors: safetensors writes metadata in any order."""
    data = file.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


@pytest.fixture
def task(checkpoints: dict[str, Checkpoint], three: list[FaceMap], models: Models) -> Iterator[Flux2Task]:
    made = Flux2Task(
        Klein(checkpoints["draws"], FP8, "cpu"), checkpoints["learns"], three, models.parser, lambda *_: 0.5
    )
    yield made
    made.close()


def test_base_is_stored_in_8_bits_and_the_lora_learns_in_32(task: Flux2Task, tmp_path: Path) -> None:
    kinds = {p.dtype for name, p in task.model.named_parameters() if "transformer_blocks" in name and p.dim() > 1}
    assert kinds == {torch.float8_e4m3fn, torch.float32}
    assert {p.dtype for p in task.model.parameters() if p.requires_grad} == {torch.float32}
    assert task.model.is_gradient_checkpointing
    assert "_encoder" not in task._klein.__dict__, "the encoder is gone before Base learns"
    before = np.mean([float(task.loss(number).detach()) for number in range(12)])
    result = training.fit(task, tmp_path, "key", lambda *_: None, studio.never)
    after = np.mean([float(task.loss(number).detach()) for number in range(12)])
    assert result.steps == 6
    assert after < before


def test_gradients_are_clipped_and_some_steps_see_no_caption(
    task: Flux2Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms: list[float] = []
    clip = torch.nn.utils.clip_grad_norm_

    def clipped(parameters: Any, most: float) -> Any:
        norms.append(most)
        return clip(parameters, most)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clipped)
    training.fit(task, tmp_path, "key", lambda *_: None, studio.never)
    assert norms == [1.0] * 6
    without: list[bool] = []

    def noted(net: Any, schedule: Any, latents: Any, weight: Any, words: Any, noise: Any, index: int) -> None:
        without.append(words is task._nothing)

    monkeypatch.setattr(lora, "flow_loss", noted)
    for number in range(400):
        task.loss(number)
    assert 0.01 < np.mean(without) < 0.10


def test_only_attention_learns_and_every_layer_of_it(checkpoints: dict[str, Checkpoint]) -> None:
    """A target named `attn.to_out` alone would also name the double blocks' list of modules."""
    net = Flux2Transformer2DModel.from_pretrained(checkpoints["learns"].folder / "transformer")
    net.add_adapter(lora_config(net.config.num_single_layers))
    learnt = {name.partition(".lora_")[0] for name, p in net.named_parameters() if p.requires_grad}
    assert "single_transformer_blocks.1.attn.to_out" in learnt
    assert "transformer_blocks.0.attn.to_out.0" in learnt
    assert all(".attn." in name for name in learnt)
    assert len(learnt) == 8 + 2 * 2


def test_progress_tells_step_time_and_what_is_left() -> None:
    assert training.pace(200, 1000, 0.9) == "step 200 of 1000, 0.90 s a step, at most 12 min to go"
