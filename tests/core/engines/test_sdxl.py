"""SDXL on a CPU, tiny random nets through the real loading path: what they draw is noise, how is not."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, StableDiffusionXLInpaintPipeline, UNet2DConditionModel

from core import studio
from core.edit.recipe import develop, edit
from core.engines.checkpoints import Checkpoint, load_net
from core.engines.facts import Plan
from core.engines.lora import TrainConfig
from core.engines.sdxl import engine as drawing
from core.engines.sdxl import lora
from core.engines.sdxl.engine import SdxlEngine, figure_of, prompt_of
from core.engines.sdxl.facts import FACTS, WEIGHTS
from core.errors import EngineMissing, Stopped
from core.models import Models
from core.scene.stage import Choice, Setup, set_up
from core.scene.style import load
from core.types import Cutout, FaceMap, Identity
from tests import sitters, tiny_stable

TINY = Plan("tiny", "float32", "float32", (128, 160), (128, 160), 0, False, 1.0, 1.0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return Checkpoint("sdxl", WEIGHTS, tiny_stable.save(tmp_path_factory.mktemp("sdxl") / "model"))


@pytest.fixture
def engine(checkpoint: Checkpoint, models: Models, monkeypatch: pytest.MonkeyPatch) -> SdxlEngine:
    monkeypatch.setattr(SdxlEngine, "_redress", models.engine)  # the shipped nets are loaded once for all tests
    return SdxlEngine(FACTS, checkpoint, TINY, "cpu", models)


@pytest.fixture
def setup(collins_map: FaceMap, collins_cutout: Cutout) -> Setup:
    made = set_up(collins_map, collins_cutout, load("office"), Choice(), 0, 1, 0.3)
    made.settings["crop"] = "portrait"
    return made


def test_a_damaged_file_is_told_by_name(tmp_path: Path) -> None:
    folder = tiny_stable.save(tmp_path / "damaged")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"half a download")
    with pytest.raises(EngineMissing, match=r"unet in .* cannot be read"):
        load_net(UNet2DConditionModel, Checkpoint("sdxl", WEIGHTS, folder), "unet", torch.float32)


# drawing


def test_only_the_figure_is_drawn_and_the_same_seed_draws_the_same(
    engine: SdxlEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "STEPS", 6)
    init_image = cv2.resize(sitters.collins(), (256, 320))
    figure = np.zeros((320, 256), np.float32)
    figure[:, :128] = 1
    drawn = engine.draw(init_image, figure, "a person", 0.6, 1, studio.never)
    assert np.array_equal(drawn, engine.draw(init_image, figure, "a person", 0.6, 1, studio.never))
    assert np.array_equal(drawn[:, 128:], init_image[:, 128:])
    assert np.abs(drawn[:, :128].astype(int) - init_image[:, :128]).mean() > 5
    with pytest.raises(Stopped):
        engine.draw(init_image, figure, "a person", 0.6, 1, lambda: True)


def test_a_drawn_picture_is_taken_apart_so_that_it_develops_into_itself_and_can_be_edited(
    engine: SdxlEngine, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A net that gives the init image back stands for one that draws a face: what follows the drawing is claimed."""
    seen = []

    def as_it_was(self: SdxlEngine, init_image: np.ndarray, *rest: object) -> np.ndarray:
        seen.append(init_image)
        return init_image

    monkeypatch.setattr(SdxlEngine, "draw", as_it_was)
    who = Identity(maps=(setup.face,), baseline=None)
    portrait = engine.portrait(setup, "office", "job", who, "x", studio.never)
    away = np.abs(portrait.rgb.astype(np.float32) - seen[0]).mean(axis=-1)
    head = portrait.layers.head == 255
    assert head.mean() > 0.1
    assert away[head].mean() < 4
    assert away[portrait.layers.garment[..., 3] == 255].mean() < 8
    left, right = (develop(portrait.layers, edit(portrait.recipe, f"light_{side}")) for side in ("left", "right"))
    eyes = round(0.385 * len(left))
    difference = (left[eyes : eyes + 120].astype(np.float32) - right[eyes : eyes + 120]).mean(axis=(0, 2))
    assert difference[200:250].mean() > difference[262:312].mean()  # the left half is lighter when lit from the left
    assert portrait.recipe.engine.startswith("sdxl-")
    assert portrait.recipe.settings["strength"] == drawing.STRENGTH[1]
    assert portrait.recipe.settings["references"] == [setup.face.selfie.sha256]


def test_the_prompt_says_the_setup_and_the_rare_word_only_when_somebody_was_learnt(setup: Setup) -> None:
    known, unknown = (prompt_of(setup.settings, known) for known in (True, False))
    assert known.startswith(lora.WORD)
    assert "ohwx" not in unknown
    assert "charcoal suit, burgundy tie" in unknown
    assert "in forest" in prompt_of({**setup.settings, "colour": "forest"}, True)
    assert "#" not in prompt_of({**setup.settings, "backdrop": "#203040"}, True)


def test_the_figure_is_drawn_a_little_beyond_its_own_edge(setup: Setup) -> None:
    covered = np.maximum(setup.layers.head, setup.layers.neck) > 0
    assert (figure_of(setup.layers)[covered] > 0).all()
    assert (figure_of(setup.layers) > 0).sum() > covered.sum()


# learning a person


def test_the_loss_is_that_of_diffusers_own_example(engine: SdxlEngine) -> None:
    """`examples/dreambooth/train_dreambooth_lora_sdxl.py` with --snr_gamma 5, its lines on one batch."""
    from diffusers.training_utils import compute_snr

    schedule = DDPMScheduler(**{k: v for k, v in tiny_stable.SCHEDULE.items() if k != "clip_sample"})
    rng = torch.Generator().manual_seed(0)
    latents, noise = (torch.randn(1, 4, 20, 16, generator=rng) for _ in range(2))
    prompt, sizes = engine.embed("a person"), torch.tensor([[512.0, 400, 3, 5, 160, 128]])
    sample = lora.Sample(latents, torch.ones(1, 1, 20, 16), sizes)
    for step in (40, 500, 960):
        ours = lora.denoising_loss(engine.unet, schedule, sample, prompt, noise, step)
        timesteps = torch.tensor([step])
        noisy_model_input = schedule.add_noise(latents, noise, timesteps)
        conditions = {"time_ids": sizes, "text_embeds": prompt.pooled}
        model_pred = engine.unet(noisy_model_input, timesteps, prompt.embeds, added_cond_kwargs=conditions)[0]
        snr = compute_snr(schedule, timesteps)
        mse_loss_weights = torch.stack([snr, 5 * torch.ones_like(timesteps)], dim=1).min(dim=1)[0] / snr
        loss = torch.nn.functional.mse_loss(model_pred.float(), noise.float(), reduction="none")
        loss = (loss.mean(dim=list(range(1, len(loss.shape)))) * mse_loss_weights).mean()
        torch.testing.assert_close(ours, loss)


def test_a_photo_tells_its_true_size_and_the_corner_it_is_cut_at(collins_map: FaceMap) -> None:
    transform = np.array([[0.5, 0, -40], [0, 0.5, -12]], np.float32)
    assert lora.sizes_of(collins_map, transform, (128, 160)).tolist() == [[512, 512, 12, 40, 160, 128]]
    beyond = np.array([[2, 0, 30], [0, 2, 5]], np.float32)
    assert lora.sizes_of(collins_map, beyond, (128, 160)).tolist() == [[512, 512, 0, 0, 160, 128]]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig(4, 2e-2, check_every=2, patience=8, least_gain=0.1, accumulate=2, most_gradient=1.0)
    monkeypatch.setattr(lora, "CONFIG", config)


def learn(engine: SdxlEngine, maps: list[FaceMap], folder: Path, stop_at: int | None = None) -> Identity:
    seen: list[float] = []
    who = Identity(maps=tuple(maps), baseline=1.0)
    return engine.train(
        who, folder, lambda step, total, loss: seen.append(loss), lambda: stop_at is not None and len(seen) >= stop_at
    )


@pytest.mark.usefixtures("short")
def test_training_lowers_the_held_out_loss_is_read_by_stock_diffusers_and_leaves_the_net_as_it_was(
    engine: SdxlEngine, three: list[FaceMap], tmp_path: Path, checkpoint: Checkpoint
) -> None:
    before = {key: tensor.clone() for key, tensor in engine.unet.state_dict().items()}
    who = learn(engine, three, tmp_path)
    assert who.proof["reason"] == "helped"
    assert {who.proof["held_out"], *who.trained_on} == {face.selfie.sha256 for face in three}
    assert len(who.trained_on) == 2, "what it is proven on taught it nothing"
    after = engine.unet.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)

    stock = StableDiffusionXLInpaintPipeline(
        None, None, None, None, None, UNet2DConditionModel.from_pretrained(checkpoint.folder / "unet"),
        engine.scheduler, add_watermarker=False,
    )  # fmt: skip
    stock.load_lora_weights(who.lora)
    x, prompt = torch.randn(1, 4, 8, 8), engine.embed(lora.WORD)
    extra = {"text_embeds": prompt.pooled, "time_ids": torch.zeros(1, 6)}

    def predicted(net: UNet2DConditionModel) -> torch.Tensor:
        with torch.no_grad():
            said: torch.Tensor = net(x, 500, prompt.embeds, added_cond_kwargs=extra).sample
        return said

    with engine._with_lora(who.lora):
        own = predicted(engine.unet)
    torch.testing.assert_close(own, predicted(stock.unet))
    assert not torch.allclose(own, predicted(engine.unet)), "it is off again"


@pytest.mark.usefixtures("short")
def test_a_stopped_training_goes_on_and_comes_to_the_same(
    engine: SdxlEngine, three: list[FaceMap], tmp_path: Path
) -> None:
    whole = learn(engine, three, tmp_path / "whole")
    with pytest.raises(Stopped, match="step 3 of 4"):
        learn(engine, three, tmp_path / "cut", stop_at=3)
    resumed = learn(engine, three, tmp_path / "cut")
    assert {**resumed.proof, "seconds": 0} == {**whole.proof, "seconds": 0}
    one, other = (next((tmp_path / run / "sdxl" / "lora").glob("*.safetensors")) for run in ("whole", "cut"))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.usefixtures("short")
def test_in_float16_the_loss_is_scaled_and_the_lora_stays_in_32_bits(
    checkpoint: Checkpoint, three: list[FaceMap], tmp_path: Path, models: Models
) -> None:
    engine = SdxlEngine(FACTS, checkpoint, replace(TINY, compute="float16", storage="float16"), "cpu", models)
    scales: list[float] = []
    fp32 = {torch.float32}

    class Watched(lora.DreamBoothTask):
        def loss(self, number: int) -> torch.Tensor:
            assert self.scales_loss
            assert {p.dtype for p in self.model.parameters() if p.requires_grad} == fp32
            loss = super().loss(number)
            loss.register_hook(lambda gradient: scales.append(float(gradient)))  # type: ignore[no-untyped-call]
            return loss

    from core.engines import lora as training

    task = Watched(engine, three, models.parser)
    result = training.fit(task, tmp_path, "key", lambda *_: None, studio.never)
    task.close()
    assert result.steps == 4
    assert min(scales) > 1000, "gradients are scaled up before they go through 16 bits"
