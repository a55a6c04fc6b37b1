"""FLUX.2 [klein]'s nets behind diffusers' own pipelines, opened as a plan says: what is on the card, and in what.

    words -> embeddings (kept; the encoder is on the card only where the plan has room)
    embeddings + references -> picture          Flux2KleinPipeline
    embeddings + picture + mask + references -> picture      Flux2KleinInpaintPipeline

The transformer is built on the CPU, with the sitter's LoRA fused into it, cast to the plan's storage and moved as a
whole; for another LoRA it is built again, so that nothing of one sitter is left for the next.
"""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinInpaintPipeline,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from PIL import Image

from core.engines.checkpoints import Checkpoint, load_net
from core.engines.facts import Plan
from core.errors import Stopped
from core.types import F32, U8

STEPS: Final = 4
"""Of the distilled net (its model card); more change little."""
TEXT_LAYERS: Final = (9, 18, 27)
"""Layers of Qwen3-4B whose states are the words: what the pipelines read. diffusers' training example defaults to
others, and a LoRA learnt with those does not fit."""
TOKENS: Final = 512
"""The pipelines pad every instruction to this."""
EMBEDDINGS_KEPT: Final = 32
"""Instructions whose embeddings are kept: 8 MB each."""


class Klein:
    """The distilled net, its VAE and its text encoder under one plan. Deterministic per device, plan and torch build.

    checkpoint: of the distilled model.
    """

    def __init__(self, checkpoint: Checkpoint, plan: Plan, device: str) -> None:
        self.checkpoint, self.plan, self.device = checkpoint, plan, torch.device(device)
        self.dtype: torch.dtype = getattr(torch, plan.compute)
        self._embeddings: OrderedDict[str, torch.Tensor] = OrderedDict()
        self._transformer: Any = None
        self._lora: str | None = None

    def draw(
        self,
        text: str,
        references: Sequence[U8],
        size: tuple[int, int],
        seed: int,
        lora: str | None,
        should_stop: Callable[[], bool],
    ) -> U8:
        """Draw a picture of (width, height) from one to four references and an instruction: (H, W, 3) uint8.

        Raises Stopped between steps.
        """
        pipeline = Flux2KleinPipeline(**self._parts(lora), is_distilled=True)
        pipeline.set_progress_bar_config(disable=True)
        said = pipeline(
            image=[Image.fromarray(rgb) for rgb in references],
            prompt_embeds=self.embed(text),
            width=size[0],
            height=size[1],
            num_inference_steps=STEPS,
            guidance_scale=1.0,
            generator=torch.Generator().manual_seed(seed),
            callback_on_step_end=_stopping(should_stop),
            output_type="np",
        )
        return _bytes_of(said.images[0])

    def inpaint(
        self,
        text: str,
        picture: U8,
        mask: F32,
        references: Sequence[U8],
        strength: float,
        steps: int,
        seed: int,
        lora: str | None,
        should_stop: Callable[[], bool],
    ) -> U8:
        """Draw the part of a picture (H, W, 3) anew where `mask` (H, W) 0..1 says; the rest stays to the byte.

        Sides must be multiples of 16. references: all of one size. strength: part of the way back to noise. Raises
        Stopped between steps.
        """
        pipeline = Flux2KleinInpaintPipeline(**self._parts(lora), is_distilled=True)
        pipeline.set_progress_bar_config(disable=True)
        said = pipeline(
            image=Image.fromarray(picture),
            mask_image=Image.fromarray(np.where(mask > 0.01, 255, 0).astype(np.uint8)),
            image_reference=[Image.fromarray(rgb) for rgb in references] or None,
            prompt_embeds=self.embed(text),
            num_inference_steps=steps,
            strength=strength,
            guidance_scale=1.0,
            generator=torch.Generator().manual_seed(seed),
            callback_on_step_end=_stopping(should_stop),
            output_type="np",
        )
        drawn = _bytes_of(said.images[0]).astype(np.float32)
        part = mask[..., None].astype(np.float32)
        return np.round(picture + (drawn - picture) * part).astype(np.uint8)

    def embed(self, text: str) -> torch.Tensor:
        """Encode an instruction, once: (1, TOKENS, 3 C) in the plan's precision, on the device."""
        if text not in self._embeddings:
            while len(self._embeddings) >= EMBEDDINGS_KEPT:
                self._embeddings.popitem(last=False)
            tokenizer, encoder = self._encoder
            with torch.no_grad():
                words = Flux2KleinPipeline._get_qwen3_prompt_embeds(
                    encoder, tokenizer, text, max_sequence_length=TOKENS, hidden_states_layers=TEXT_LAYERS
                )
            self._embeddings[text] = words.to(self.device, self.dtype)
        self._embeddings.move_to_end(text)
        return self._embeddings[text]

    def encode(self, rgb: U8) -> torch.Tensor:
        """Encode a picture (H, W, 3): (1, 4 C, H / 16, W / 16) latents, patched and normalised as the pipeline does."""
        pipeline = Flux2KleinPipeline(self.scheduler, self.vae, None, None, None, is_distilled=True)
        pixels = pipeline.image_processor.preprocess(Image.fromarray(rgb), *rgb.shape[:2]).to(self.device, self.dtype)
        with torch.no_grad():
            return pipeline._encode_vae_image(pixels, None)

    def release(self) -> None:
        """Take transformer and text encoder off the card and out of memory: another net needs the room."""
        self._transformer, self._lora = None, None
        self.__dict__.pop("_encoder", None)
        free_memory()

    def _parts(self, lora: str | None) -> dict[str, Any]:
        """Return the pipelines' parts; the words come as embeddings, so that no encoder is among them."""
        if self._transformer is None or self._lora != lora:
            self._transformer = None
            free_memory()
            self._transformer, self._lora = self._load_transformer(lora), lora
        return {
            "scheduler": self.scheduler, "vae": self.vae, "text_encoder": None, "tokenizer": None,
            "transformer": self._transformer,
        }  # fmt: skip

    def _load_transformer(self, lora: str | None) -> Any:
        net = load_net(Flux2Transformer2DModel, self.checkpoint, "transformer", self.dtype)
        if lora is not None:
            pipeline = Flux2KleinPipeline(self.scheduler, self.vae, None, None, net, is_distilled=True)
            pipeline.load_lora_weights(lora)
            pipeline.fuse_lora()
            pipeline.unload_lora_weights()
        return placed(net, self.plan, self.device)

    @cached_property
    def vae(self) -> Any:
        """The VAE, on the device."""
        return load_net(AutoencoderKLFlux2, self.checkpoint, "vae", self.dtype).requires_grad_(False).to(self.device)

    @cached_property
    def scheduler(self) -> Any:
        """The flow-matching schedule."""
        return FlowMatchEulerDiscreteScheduler.from_pretrained(
            self.checkpoint.folder / "scheduler", local_files_only=True
        )

    @cached_property
    def _encoder(self) -> tuple[Any, Any]:
        from transformers import Qwen2TokenizerFast, Qwen3ForCausalLM

        tokenizer: Any = Qwen2TokenizerFast.from_pretrained(self.checkpoint.folder / "tokenizer", local_files_only=True)
        encoder = load_net(Qwen3ForCausalLM, self.checkpoint, "text_encoder", self.dtype).requires_grad_(False)
        return tokenizer, encoder.to(self.device) if self.plan.encoder_on_card else encoder


def placed(net: Any, plan: Plan, device: torch.device) -> Any:
    """Cast a frozen net to a plan's storage and move it to the device."""
    net = net.requires_grad_(False).eval()
    if plan.storage != plan.compute:
        compute: torch.dtype = getattr(torch, plan.compute)
        net.enable_layerwise_casting(storage_dtype=getattr(torch, plan.storage), compute_dtype=compute)
    return net.to(device)


def free_memory() -> None:
    """Give memory of nets that are no longer referred to back to the card; where there is none, nothing is scarce."""
    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()


def _stopping(should_stop: Callable[[], bool]) -> Callable[..., dict[str, Any]]:
    def after_step(pipeline: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        if should_stop():
            raise Stopped(f"stopped at denoising step {step + 1}")
        return kwargs

    return after_step


def _bytes_of(picture: F32) -> U8:
    """Return a picture 0..1 as uint8; what is no number is drawn black."""
    return np.round(np.clip(np.nan_to_num(picture), 0, 1) * 255).astype(np.uint8)
