"""SDXL and SD 1.5 on a GPU: image to image from the CPU engine's portrait, with the person's LoRA.

    setup -> the CPU engine's portrait -> latents, noised part of the way -> denoised, face included
    -> pixels -> cut out again -> layers

Only the figure is drawn; the backdrop stays the recipe's, exact.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from peft import PeftModel

from core import frame
from core.colour import linear, srgb, to_bytes
from core.engines import lora as training
from core.engines.base import FaceNets
from core.engines.denoise import denoise
from core.engines.redress.engine import RedressEngine
from core.engines.sdxl.checkpoints import PARTS
from core.engines.sdxl.lora import RECIPE, WORD, DreamBoothTask
from core.engines.sdxl.vram import FAMILIES, precision_of
from core.errors import EngineMissing
from core.scene.compose import compose
from core.scene.stage import Setup, look_of
from core.scene.style import Lamps, Outfit, Paper, pick
from core.types import F32, U8, Cutout, FaceMap, Identity, Layers, Portrait, Recipe

STEPS: Final = 30
"""DPM-Solver++(2M) steps from pure noise; a portrait begins part of the way and makes its share of them."""
GUIDANCE: Final = 5.0
"""Classifier-free guidance (Ho & Salimans 2022): SDXL's own default."""
STRENGTH: Final = (0.40, 0.62)
"""Time at which drawing begins, for the gentlest redraw and for the first: below 0.4 the photo's own face comes
through, above two thirds pose and garment are no longer the setup's. From diffusers' img2img guides, not measured."""
NEGATIVE_PROMPT: Final = (
    "painting, drawing, 3d render, plastic skin, deformed face, crossed eyes, extra people, text, watermark"
)
ROUNDS: Final = 2
"""How often `unlit` takes off what composing puts on; the third round changes a print by less than grain does."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptEmbeds:
    """An encoded prompt: (1, 77, C), and SDXL's pooled (1, 1280) beside it."""

    embeds: torch.Tensor
    pooled: torch.Tensor | None


class StableDiffusionEngine:
    """One model of the SD family, opened once; its nets are loaded when first needed.

    device: as torch names it. "cpu" works and takes minutes a portrait. Deterministic per device and torch build.
    """

    honesty: Final = (
        "Made by an AI system that was trained on the sitter's photographs: head, garment and neck are drawn anew "
        "in the pose of one of them, and measured against the others. Each file says so in its metadata."
    )

    def __init__(self, name: str, folder: Path, device: str, nets: FaceNets) -> None:
        if device.startswith("cuda") and not torch.cuda.is_available():
            step = "check the driver with nvidia-smi" if torch.version.cuda else "install torch's CUDA build"
            raise EngineMissing(name, f"torch {torch.__version__} sees no CUDA card", step)
        self.name, self.family = name, FAMILIES[name]
        self._folder, self._nets = folder, nets
        self.version = f"{folder.name}-{fingerprint_of(folder)}"
        self._device = torch.device(device)
        capability = torch.cuda.get_device_capability(self._device) if self._device.type == "cuda" else None
        self._dtype: torch.dtype = getattr(torch, precision_of(capability))
        self._prompts: dict[str, PromptEmbeds] = {}

    def train(
        self, who: Identity, folder: Path, on_progress: training.OnProgress, should_stop: Callable[[], bool]
    ) -> Identity:
        """See `Engine.train`: `folder` gets one of its own for this engine, for its LoRA fits no other."""
        here = folder / self.name
        key = training.training_key(who.maps, f"{self.name}-{self.version}", RECIPE)

        def work() -> training.TrainingResult:
            task = DreamBoothTask(self, who.maps, self._nets.parser)
            try:
                return training.fit(task, here, key, on_progress, should_stop)
            finally:
                task.close()

        return training.with_lora(who, training.cached(here, key, work), here)

    def prepare(self, cutout: Cutout, face: FaceMap, who: Identity) -> Cutout:
        """See `Engine.prepare`: repaired without what was learnt, for a LoRA of this engine fits no head net."""
        return self._redress.prepare(cutout, face, replace(who, lora=None))

    def portrait(
        self, setup: Setup, style: str, purpose: str, who: Identity, name: str, should_stop: Callable[[], bool]
    ) -> Portrait:
        """See `Engine.portrait`. A redraw re-lights less, and begins nearer to the photo."""
        init = self._redress.portrait(setup, style, purpose, who, name, should_stop)
        strength = round(STRENGTH[0] + (STRENGTH[1] - STRENGTH[0]) * float(setup.settings["relight"]), 3)
        settings = {**setup.settings, "strength": strength}
        recipe = replace(init.recipe, engine=f"{self.name}-{self.version}", settings=settings)
        text = prompt_of(setup.settings, known=who.lora is not None)
        with self._with_lora(who.lora) as net:
            drawn = self.draw(net, init.rgb, figure_of(init.layers), text, strength, setup.seed, should_stop)
        layers = unlit(self._layers(drawn, init.layers, setup.face), drawn, recipe)
        return Portrait(name, compose(layers, look_of(recipe.settings, recipe.seed)), layers, recipe)

    def draw(
        self,
        net: Any,
        init_image: U8,
        figure: F32,
        text: str,
        strength: float,
        seed: int,
        should_stop: Callable[[], bool],
    ) -> U8:
        """Draw a picture (H, W, 3) anew where `figure` (H, W) 0..1 says, from noise of that strength; same size."""
        height, width = init_image.shape[:2]
        size = min((width, height), self.family.draws)
        known = self.encode(cv2.resize(init_image, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255)
        small = cv2.resize(figure.astype(np.float32), known.shape[:1:-1], interpolation=cv2.INTER_AREA)
        free = torch.from_numpy((small > 0.01).astype(np.float32))[None, None].to(self._device)
        noise = torch.randn(known.shape, generator=torch.Generator().manual_seed(seed)).to(self._device)
        prompt, negative = self.encode_prompt(text), self.encode_prompt(NEGATIVE_PROMPT)

        def guided_x0(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
            away = self.pred_x0(net, x, time, negative)
            return away + GUIDANCE * (self.pred_x0(net, x, time, prompt) - away)

        def blend_known_latents(x: torch.Tensor, alpha_bar: float) -> torch.Tensor:
            there = math.sqrt(alpha_bar) * known + math.sqrt(1 - alpha_bar) * noise
            return x * free + there * (1 - free)

        begin = self.alpha_bar(strength)
        x = math.sqrt(begin) * known + math.sqrt(1 - begin) * noise
        steps = max(2, round(STEPS * strength))
        latents = denoise(guided_x0, x, steps, should_stop, self.alpha_bar, strength, blend_known_latents)
        return cv2.resize(self.decode(latents), (width, height), interpolation=cv2.INTER_LANCZOS4)

    def pred_x0(self, net: Any, x: torch.Tensor, time: torch.Tensor, prompt: PromptEmbeds) -> torch.Tensor:
        """Predict x0 from noisy latents (N, 4, h, w) at times (N,) 0..1, in float32 on the device."""
        extra: dict[str, torch.Tensor] | None = None
        if prompt.pooled is not None:
            height, width = 8 * x.shape[2], 8 * x.shape[3]
            sizes = torch.tensor([[height, width, 0, 0, height, width]], device=self._device, dtype=self._dtype)
            extra = {"text_embeds": prompt.pooled.expand(len(x), -1), "time_ids": sizes.expand(len(x), -1)}
        embeds = prompt.embeds.expand(len(x), -1, -1)
        steps = (time * len(self._alphas_cumprod) - 1).clamp(min=0).to(self._device)
        said = net(x.to(self._dtype), steps, encoder_hidden_states=embeds, added_cond_kwargs=extra).sample.float()
        alpha_bar = torch.tensor([self.alpha_bar(float(t)) for t in time], device=self._device)[:, None, None, None]
        if self._predicts == "v_prediction":
            return alpha_bar.sqrt() * x - (1 - alpha_bar).sqrt() * said
        return (x - (1 - alpha_bar).sqrt() * said) / alpha_bar.sqrt()

    def alpha_bar(self, time: float) -> float:
        """Return alpha_bar at a time 0..1, interpolated between the steps the net was trained on."""
        step = max(time * len(self._alphas_cumprod) - 1, 0.0)
        return float(np.exp(np.interp(step, np.arange(len(self._alphas_cumprod)), np.log(self._alphas_cumprod))))

    @torch.no_grad()
    def encode(self, rgb: F32) -> torch.Tensor:
        """Return a picture (H, W, 3) float32 sRGB 0..1 as latents (1, 4, H / 8, W / 8), their mean: always the same."""
        pixels = torch.from_numpy(rgb.transpose(2, 0, 1)[None].copy()).to(self._device) * 2 - 1
        return self._vae.encode(pixels).latent_dist.mean * self._vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> U8:
        """Return latents (1, 4, h, w) as a picture (8 h, 8 w, 3) uint8; what is no number is drawn black."""
        said = self._vae.decode(latents / self._vae.config.scaling_factor).sample[0]
        picture = np.nan_to_num(said.permute(1, 2, 0).cpu().numpy() / 2 + 0.5)
        return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)

    @torch.no_grad()
    def encode_prompt(self, text: str) -> PromptEmbeds:
        """Encode a prompt, once each. The encoders stay on the CPU: a sitting has a handful of texts."""
        if text not in self._prompts:
            each, pooled = [], None
            for tokenizer, encoder in self._encoders:
                ids = tokenizer(
                    text, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
                ).input_ids
                out = encoder(ids, output_hidden_states=True)
                each.append(out.hidden_states[-2] if self.name == "sdxl" else out.last_hidden_state)
                pooled = out.text_embeds if self.name == "sdxl" and len(each) == 2 else None
            joined = torch.cat(each, dim=-1).to(self._device, self._dtype)
            self._prompts[text] = PromptEmbeds(joined, None if pooled is None else pooled.to(self._device, self._dtype))
        return self._prompts[text]

    @contextmanager
    def _with_lora(self, lora: str | None) -> Iterator[Any]:
        """Lend the UNet with a person's LoRA on; it is taken off again, for the next sitter's sake."""
        if lora is None:
            yield self.unet
            return
        adapted = PeftModel.from_pretrained(self.unet, lora)
        try:
            yield adapted
        finally:
            adapted.unload()

    def _layers(self, drawn: U8, init: Layers, source: FaceMap) -> Layers:
        """Take a drawn picture apart as if it were a photo; without a face it keeps the init image's masks."""
        traced = self._nets.landmarker.detect(drawn)
        if traced is None or len(self._nets.recogniser.find(drawn)) != 1:
            garment = np.dstack([drawn, init.garment[..., 3]])
            return replace(init, sitter=drawn, garment=garment)
        from core.cutout.cutout import cut_out

        height, width = drawn.shape[:2]
        scale = frame.PRINT[0] / width
        selfie = replace(source.selfie, rgb=drawn, face=replace(source.selfie.face, landmarks=traced.landmarks))
        there = np.array([[scale, 0, 0], [0, scale, 0]], np.float32)  # where it was drawn, tilt and all
        face = replace(source, selfie=selfie, transform=there, landmarks=traced.landmarks * np.float32(scale))
        cut = cut_out(face, self._nets.parser)

        def sized(layer: F32) -> F32:
            return cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA)

        head, matte = sized(cut.head), sized(cut.matte)
        below = np.clip((matte - head) / np.maximum(1 - head, 1e-3), 0, 1)
        bare = np.clip(sized(cut.neck) / np.maximum(1 - head, 1e-3), 0, 1)
        neck, worn = below * np.clip(2 * bare, 0, 1), below * np.clip(2 * (1 - bare), 0, 1)  # no gap where they meet
        picture = drawn.astype(np.float32) / 255
        near = cv2.dilate(head, np.ones((9, 9)))[..., None] * (1 - bare[..., None])
        pixels = picture + (sized(cut.rgb) - picture) * near  # hair without the backdrop between it
        return replace(
            init,
            sitter=to_bytes(pixels),
            head=to_bytes(head),
            neck=to_bytes(neck),
            garment=np.dstack([drawn, to_bytes(worn)]),
            marks=init.marks[:0],  # moles are where the net put them: nothing is known of them
            chin=float(traced.landmarks[152, 1]),
            landmarks=traced.landmarks,
            regions=cv2.resize(cut.regions, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8),
        )

    @cached_property
    def _redress(self) -> RedressEngine:
        return RedressEngine()

    @cached_property
    def unet(self) -> Any:
        """The UNet, frozen."""
        return self._load(UNet2DConditionModel, "unet", self._dtype).requires_grad_(False).to(self._device)

    @cached_property
    def _vae(self) -> Any:
        """The VAE, in 32 bits: SDXL's overflows in 16."""
        return self._load(AutoencoderKL, "vae", torch.float32).requires_grad_(False).to(self._device)

    @cached_property
    def _encoders(self) -> list[tuple[Any, Any]]:
        from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

        kinds = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
        found = []
        for part in PARTS[self.name][2:]:
            folder = self._folder / part.replace("text_encoder", "tokenizer")
            tokenizer: Any = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
            found.append((tokenizer, self._load(kinds[part], part, torch.float32)))
        return found

    @cached_property
    def _scheduler(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads((self._folder / "scheduler" / "scheduler_config.json").read_text("utf-8"))
        return said

    @cached_property
    def _alphas_cumprod(self) -> F32:
        """alpha_bar at each step of the training: the "scaled linear" schedule."""
        said = self._scheduler
        roots = np.linspace(said["beta_start"] ** 0.5, said["beta_end"] ** 0.5, said.get("num_train_timesteps", 1000))
        return np.cumprod(1 - roots**2)

    @property
    def _predicts(self) -> str:
        return str(self._scheduler.get("prediction_type", "epsilon"))

    def _load(self, kind: Any, part: str, dtype: torch.dtype) -> Any:
        """Load one net from its folder, in half the bytes where such a file is there alone."""
        files = [file.name for file in (self._folder / part).glob("*.safetensors")]
        variant = "fp16" if all(".fp16." in name for name in files) else None
        try:
            net = kind.from_pretrained(
                self._folder / part, variant=variant, local_files_only=True, use_safetensors=True, torch_dtype=dtype
            )
        except (OSError, ValueError, RuntimeError) as wrong:
            said = str(wrong).strip().splitlines() or [type(wrong).__name__]
            why = f"{part} in {self._folder} cannot be read ({said[0][:200]})"
            raise EngineMissing(self.name, why, "fetch the model again") from wrong
        return net.eval()


FINGERPRINT_BYTES: Final = 1 << 16
"""Read at the beginning, the middle and the end of each weight file: enough to tell two trainings apart."""


def fingerprint_of(folder: Path) -> str:
    """Return 12 hex digits that tell a model's weights from others of the same name, without reading gigabytes."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.safetensors")):
        size = file.stat().st_size
        digest.update(f"{file.relative_to(folder)} {size}".encode())
        with file.open("rb") as weights:
            for start in (0, size // 2, size - FINGERPRINT_BYTES):
                weights.seek(max(0, start))
                digest.update(weights.read(FINGERPRINT_BYTES))
    return digest.hexdigest()[:12]


def prompt_of(settings: dict[str, Any], known: bool) -> str:
    """Say a setup in words, from the wardrobe's own titles. known: the rare word stands for somebody."""
    outfit, lamps = pick("outfit", settings["outfit"]), pick("light", settings["light"])
    assert isinstance(outfit, Outfit)
    assert isinstance(lamps, Lamps)
    backdrop = str(settings["backdrop"])
    behind = "plain studio paper"
    if not backdrop.startswith("#"):
        paper = pick("backdrop", backdrop)
        assert isinstance(paper, Paper)
        behind = paper.title.lower()
    who = WORD if known else "photo of a person"
    return (
        f"{who}, head and shoulders portrait, wearing {outfit.title.lower()}, {behind}, {lamps.title.lower()}, "
        "85mm, natural skin texture, sharp focus on the eyes"
    )


def figure_of(layers: Layers) -> F32:
    """Return where the figure may be drawn, (H, W) 0..1: all layers' mattes, a thirtieth of the width wider."""
    covered = np.maximum(np.maximum(layers.head, layers.neck), layers.garment[..., 3])
    reach = max(3, round(covered.shape[1] / 30) | 1)
    return cv2.dilate(covered, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)) / np.float32(255)


def unlit(layers: Layers, drawn: U8, recipe: Recipe) -> Layers:
    """Take off the layers what composing will put on, so that the recipe develops into the picture that was drawn.

    The net drew the light in; relighting, cloth shade, rim and exposure of `core.scene.compose` come again on top
    at every edit. What they make of the layers is divided out in linear light, softly, so that no grain is
    copied: new light is then new light over old, and the unedited portrait is the drawn one.
    """
    wanted = _soft(linear(drawn))
    for _ in range(ROUNDS):
        ratio = np.clip(wanted / _soft(linear(compose(layers, look_of(recipe.settings, recipe.seed)))), 0.4, 2.5)
        layers = replace(
            layers,
            sitter=to_bytes(srgb(linear(layers.sitter) * ratio)),
            garment=np.dstack([to_bytes(srgb(linear(layers.garment[..., :3]) * ratio)), layers.garment[..., 3]]),
        )
    return layers


def _soft(light: F32) -> F32:
    return cv2.GaussianBlur(light.astype(np.float32), (0, 0), 0.003 * light.shape[1]) + np.float32(0.004)
