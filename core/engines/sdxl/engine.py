"""SDXL on a small card: the CPU engine's portrait, inpainted where the figure stands, with the person's LoRA.

    setup -> the CPU engine's portrait -> diffusers' StableDiffusionXLInpaintPipeline, face included
    -> cut out again -> layers

Only the figure is drawn; the backdrop stays the recipe's, exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    StableDiffusionXLInpaintPipeline,
    UNet2DConditionModel,
)
from PIL import Image

from core.engines import lora as training
from core.engines.base import FaceNets
from core.engines.checkpoints import Checkpoint, load_net
from core.engines.facts import EngineFacts, Plan
from core.engines.redrawn import in_place, layers_of, map_drawn, unlit, without_face
from core.engines.redress.engine import RedressEngine
from core.engines.safety import check_words
from core.engines.sdxl.lora import RECIPE, WORD, DreamBoothTask, PromptEmbeds
from core.engines.teaching import teaching_photos
from core.errors import EngineMissing, Refused, Stopped
from core.scene.compose import compose
from core.scene.stage import Setup, look_of, with_colours
from core.scene.style import Outfit, backdrop_words, in_colour, pick
from core.types import F32, U8, Cutout, FaceMap, Identity, Layers, Portrait, Recipe

STEPS: Final = 30
"""DPM-Solver++(2M) steps from pure noise; a portrait begins part of the way and makes its share of them."""
GUIDANCE: Final = 5.0
"""Classifier-free guidance (Ho & Salimans 2022): SDXL's own default."""
STRENGTH: Final = (0.40, 0.62)
"""Noise at which drawing begins, for the gentlest redraw and for the first: below 0.4 the photo's own face comes
through, above two thirds pose and garment are no longer the setup's. From diffusers' img2img guides, not measured."""
NEGATIVE_PROMPT: Final = (
    "painting, drawing, 3d render, plastic skin, deformed face, crossed eyes, extra people, text, watermark"
)


def open_engine(
    facts: EngineFacts, checkpoints: Mapping[str, Checkpoint], plan: Plan, device: str, nets: FaceNets
) -> SdxlEngine:
    """Open the engine; its nets are loaded when first needed. Raises EngineMissing where there is no card."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        step = "check the driver with nvidia-smi" if torch.version.cuda else "install torch's CUDA build"
        raise EngineMissing(facts.name, f"torch {torch.__version__} sees no CUDA card", step)
    return SdxlEngine(facts, checkpoints["draws"], plan, device, nets)


class SdxlEngine:
    """See `core.engines.base.Engine`. Deterministic per device, plan and torch build."""

    draws_words: Final = True
    honesty: Final = (
        "Made by an AI system that was trained on the sitter's photographs: head, garment and neck are drawn anew "
        "in the pose of one of them, and measured against the others. Each file says so in its metadata."
    )

    def __init__(self, facts: EngineFacts, checkpoint: Checkpoint, plan: Plan, device: str, nets: FaceNets) -> None:
        self.name, self.plan = facts.name, plan
        self._checkpoint, self._nets = checkpoint, nets
        self.version = f"{checkpoint.folder.name[:12]}-{checkpoint.fingerprint()}"
        self._device = torch.device(device)
        self.dtype: torch.dtype = getattr(torch, plan.compute)
        self._prompts: dict[str, PromptEmbeds] = {}

    def train(
        self, who: Identity, folder: Path, on_progress: training.OnProgress, should_stop: Callable[[], bool]
    ) -> Identity:
        """See `Engine.train`: `folder` gets one of its own for this engine, for its LoRA fits no other."""
        here = folder / self.name
        key = training.training_key(who.maps, f"{self.name}-{self.version}", RECIPE)

        def work() -> training.TrainingResult:
            if not teaching_photos(who.maps, self.plan.learns)[0]:
                return training.TrainingResult(False, "nothing_to_learn_from")
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
        coloured = replace(setup, settings=with_colours(setup.settings))  # greys come last
        init = self._redress.portrait(coloured, style, purpose, who, name, should_stop)
        strength = round(STRENGTH[0] + (STRENGTH[1] - STRENGTH[0]) * float(setup.settings["relight"]), 3)
        shown = [setup.face.selfie.sha256]
        settings = {**setup.settings, "strength": strength, "drawn_anew": True, "references": shown}
        text = prompt_of(setup.settings, known=who.lora is not None)
        with self._with_lora(who.lora):
            drawn = self.draw(init.rgb, figure_of(init.layers), text, strength, setup.seed, should_stop)
        face = map_drawn(drawn, self._nets)
        layers, too_bare = without_face(drawn), False
        if face is not None:
            layers, too_bare = layers_of(in_place(face, drawn), self._nets.parser, drawn.shape[1::-1])
        if too_bare:
            layers, settings["withheld"] = without_face(np.zeros_like(drawn)), "unclothed"
        recipe = replace(init.recipe, engine=f"{self.name}-{self.version}", settings=settings)
        if face is not None and not too_bare:
            layers = unlit(layers, drawn, recipe)
        return Portrait(name, compose(layers, look_of(recipe.settings, recipe.seed)), layers, recipe)

    def change_garment(self, layers: Layers, outfit: Outfit, recipe: Recipe, should_stop: Callable[[], bool]) -> Layers:
        """See `Engine.change_garment`: refused, for it draws figures as a whole."""
        raise Refused("outfit_engine", f"{self.name} draws 0 garments alone: shoot again in another outfit")

    def draw(
        self, init_image: U8, figure: F32, text: str, strength: float, seed: int, should_stop: Callable[[], bool]
    ) -> U8:
        """Draw a picture (H, W, 3) anew where `figure` (H, W) 0..1 says, from noise of that strength; same size.

        Raises Stopped between steps.
        """
        height, width = init_image.shape[:2]
        size = min((width, height), self.plan.draws)
        small = cv2.resize(init_image, size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(figure.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        prompt = self.embed(text)

        def after_step(pipeline: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
            if should_stop():
                raise Stopped(f"stopped at denoising step {step + 1}")
            return kwargs

        pipeline = StableDiffusionXLInpaintPipeline(
            self._vae, None, None, None, None, self.unet,
            DPMSolverMultistepScheduler.from_config(self.scheduler.config), add_watermarker=False,
        )  # fmt: skip
        pipeline.set_progress_bar_config(disable=True)
        said = pipeline(
            prompt_embeds=prompt.embeds, pooled_prompt_embeds=prompt.pooled,
            negative_prompt_embeds=prompt.negative, negative_pooled_prompt_embeds=prompt.negative_pooled,
            image=Image.fromarray(small), mask_image=Image.fromarray(np.where(mask > 0.01, 255, 0).astype(np.uint8)),
            width=size[0], height=size[1], original_size=size[::-1], target_size=size[::-1], strength=strength,
            num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=torch.Generator().manual_seed(seed),
            callback_on_step_end=after_step, output_type="np",
        )  # fmt: skip
        picture = np.nan_to_num(said.images[0]).astype(np.float32)
        large = np.clip(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LANCZOS4), 0, 1) * 255
        part = np.clip(figure, 0, 1)[..., None]
        return np.round(init_image + (large - init_image) * part).astype(np.uint8)

    @torch.no_grad()
    def encode(self, rgb: U8) -> torch.Tensor:
        """Encode a picture (H, W, 3) as latents (1, 4, H / 8, W / 8), their mean; the VAE in 32 bits meanwhile.

        In 16 SDXL's VAE overflows.
        """
        pixels = torch.from_numpy(rgb.transpose(2, 0, 1)[None].copy()).float().to(self._device) / 127.5 - 1
        vae: Any = torch.nn.Module.to(self._vae, torch.float32)
        latents = vae.encode(pixels).latent_dist.mean * vae.config.scaling_factor
        torch.nn.Module.to(vae, self.dtype)
        return latents

    @torch.no_grad()
    def embed(self, text: str) -> PromptEmbeds:
        """Encode a prompt and the negative one, once each. The encoders stay on the CPU: a sitting has few texts."""
        if text not in self._prompts:
            embeds, negative, pooled, negative_pooled = self._encoders.encode_prompt(
                text, device="cpu", do_classifier_free_guidance=True, negative_prompt=NEGATIVE_PROMPT
            )
            here = (each.to(self._device, self.dtype) for each in (embeds, pooled, negative, negative_pooled))
            self._prompts[text] = PromptEmbeds(*here)
        return self._prompts[text]

    @contextmanager
    def _with_lora(self, lora: str | None) -> Iterator[None]:
        """Put a person's LoRA on the UNet; it is taken off again, for the next sitter's sake."""
        if lora is None:
            yield
            return
        pipeline = StableDiffusionXLInpaintPipeline(
            self._vae, None, None, None, None, self.unet, self.scheduler, add_watermarker=False
        )
        pipeline.load_lora_weights(lora)
        try:
            yield
        finally:
            pipeline.unload_lora_weights()

    @cached_property
    def _redress(self) -> RedressEngine:
        return RedressEngine()

    @cached_property
    def unet(self) -> Any:
        """The UNet, frozen."""
        return load_net(UNet2DConditionModel, self._checkpoint, "unet", self.dtype).to(self._device)

    @cached_property
    def _vae(self) -> Any:
        """The VAE, in tiles; the pipeline runs it in 32 bits where 16 would overflow."""
        vae = load_net(AutoencoderKL, self._checkpoint, "vae", self.dtype).to(self._device)
        vae.enable_tiling()
        return vae

    @cached_property
    def scheduler(self) -> Any:
        """The noise schedule the net was trained with."""
        folder = self._checkpoint.folder / "scheduler"
        return DPMSolverMultistepScheduler.from_pretrained(folder, local_files_only=True)

    @cached_property
    def _encoders(self) -> Any:
        """A pipeline of the text encoders alone, in 32 bits on the CPU."""
        from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

        folder = self._checkpoint.folder
        tokenizers = (
            CLIPTokenizer.from_pretrained(folder / f"tokenizer{end}", local_files_only=True) for end in ("", "_2")
        )
        kinds = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
        encoders = [load_net(kind, self._checkpoint, part, torch.float32) for part, kind in kinds.items()]
        return StableDiffusionXLInpaintPipeline(
            None, *encoders, *tokenizers, None, self.scheduler, add_watermarker=False
        )  # fmt: skip


def prompt_of(settings: dict[str, Any], known: bool) -> str:
    """Say a setup in words, from the wardrobe's own titles. known: the rare word stands for somebody."""
    outfit, lamps = pick("outfit", settings["outfit"]), pick("light", settings["light"])
    assert isinstance(outfit, Outfit)
    outfit = in_colour(outfit, settings.get("colour"))
    behind = backdrop_words(settings["backdrop"])
    who = WORD if known else "photo of a person"
    return check_words(
        f"{who}, head and shoulders portrait, wearing {outfit.title.lower()}, {behind}, {lamps.title.lower()}, "
        "85mm, natural skin texture, sharp focus on the eyes"
        + (f", {settings['words']}" if settings.get("words") else "")
    )


def figure_of(layers: Layers) -> F32:
    """Return where the figure may be drawn, (H, W) 0..1: all layers' mattes, a thirtieth of the width wider."""
    covered = np.maximum(np.maximum(layers.head, layers.neck), layers.garment[..., 3])
    reach = max(3, round(covered.shape[1] / 30) | 1)
    return cv2.dilate(covered, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)) / np.float32(255)
