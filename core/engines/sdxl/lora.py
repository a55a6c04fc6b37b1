"""DreamBooth for SDXL: a LoRA that learns to denoise this person's photos, named by one rare token.

DreamBooth (Ruiz et al. 2023) with a LoRA in place of the whole net (Hu et al. 2021), min-SNR weighted (Hang et al.
2023), under SDXL's own micro-conditioning: each photo's true size and the corner it is cut at (Podell et al. 2023). The
loss counts face and hair, so that clothes and the room are not learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import cv2
import numpy as np
import torch
from diffusers import DDPMScheduler, StableDiffusionXLInpaintPipeline
from diffusers.training_utils import compute_snr
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model_state_dict

from core import frame
from core.engines.facts import Plan
from core.engines.lora import TrainConfig
from core.engines.teaching import photo_weight, teaching_photos
from core.types import F32, U8, FaceMap

if TYPE_CHECKING:
    from core.cutout.parser import Parser

WORD: Final = "photo of ohwx person"
"""Every photo's prompt: a rare token, and a class word that claims nothing of the sitter."""
RANK: Final = 16
CONFIG: Final = TrainConfig(
    steps=500, rate=1e-4, check_every=100, patience=3, least_gain=1.0, accumulate=2, most_gradient=1.0
)
"""Steps, rate and clipping as diffusers' own DreamBooth-LoRA example for SDXL has them. A held-out photo's denoising
loss moves by few percent even where the likeness is plain, so one is asked for; the judge has the last word."""
PROOF_TIMES: Final = (200, 400, 600, 800)
"""Noise levels of the held-out photo for the proof, of 1000, each with two noises of its own."""
SNR_CAP: Final = 5.0
"""Min-SNR weighting, the authors' own number."""
RECIPE: Final = f"sdxl dreambooth {WORD!r} {RANK} {CONFIG} {SNR_CAP}"
"""What of the training changes its result, for `core.engines.lora.training_key`."""


def lora_config() -> LoraConfig:
    """Return the LoRA of SDXL: all attention projections."""
    return LoraConfig(
        r=RANK, lora_alpha=RANK, init_lora_weights="gaussian", target_modules=["to_q", "to_k", "to_v", "to_out.0"]
    )


@dataclass(frozen=True, slots=True, eq=False)
class PromptEmbeds:
    """An encoded prompt: (1, 77, 2048) and pooled (1, 1280), and the same of the negative prompt."""

    embeds: torch.Tensor
    pooled: torch.Tensor
    negative: torch.Tensor
    negative_pooled: torch.Tensor


class Sdxl(Protocol):
    """What is trained: SDXL as `core.engines.sdxl.engine` opens it."""

    plan: Plan
    dtype: torch.dtype

    @property
    def unet(self) -> Any:
        """The UNet, frozen."""

    @property
    def scheduler(self) -> Any:
        """The noise schedule the net was trained with."""

    def encode(self, rgb: U8) -> torch.Tensor:
        """Return a picture (H, W, 3) as latents (1, 4, H / 8, W / 8)."""

    def embed(self, text: str) -> PromptEmbeds:
        """Return an encoded prompt."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One photo as it is learnt: latents (1, 4, h, w), weight (1, 1, h, w), and SDXL's six size numbers (1, 6)."""

    latents: torch.Tensor
    weight: torch.Tensor
    sizes: torch.Tensor


class DreamBoothTask:
    """See `core.engines.lora.TrainingTask`. With three photos or more the least turned one is left out for the proof.

    Latents, weights and the prompt's embedding are computed once.
    """

    def __init__(self, engine: Sdxl, maps: Sequence[FaceMap], parser: Parser) -> None:
        self.config = CONFIG
        photos, proof = teaching_photos(maps, engine.plan.learns)
        self.held_out = proof.selfie.sha256 if proof else None
        self.trained_on = tuple(face.selfie.sha256 for face in photos)
        self._prompt, self._schedule = engine.embed(WORD), DDPMScheduler.from_config(engine.scheduler.config)
        self._samples = [sample_of(engine, face, parser) for face in photos]
        self._proof = sample_of(engine, proof, parser) if proof else None
        self.scales_loss = engine.dtype == torch.float16
        torch.manual_seed(0)
        self.model: Any = engine.unet
        self.model.add_adapter(lora_config())
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        self.model.enable_gradient_checkpointing()
        self.model.train()

    def close(self) -> None:
        """Take the LoRA off the net again: it is the next sitter's too."""
        self.model.disable_gradient_checkpointing()
        self.model.unload_lora()
        self.model.eval()

    def loss(self, number: int) -> torch.Tensor:
        """See `TrainingTask.loss`: one photo, one noise, one noise level."""
        rng = torch.Generator().manual_seed(number)
        sample = self._samples[int(torch.randint(len(self._samples), (1,), generator=rng))]
        step = int(torch.randint(self._schedule.config.num_train_timesteps, (1,), generator=rng))
        noise = torch.randn(sample.latents.shape, generator=rng)
        return denoising_loss(self.model, self._schedule, sample, self._prompt, noise, step)

    @torch.no_grad()
    def error(self) -> float:
        """See `TrainingTask.error`."""
        assert self._proof is not None
        errors = []
        for number, step in enumerate(PROOF_TIMES * 2):
            noise = torch.randn(self._proof.latents.shape, generator=torch.Generator().manual_seed(number))
            errors.append(float(denoising_loss(self.model, self._schedule, self._proof, self._prompt, noise, step)))
        return float(np.mean(errors))

    def save(self, folder: Path) -> None:
        """See `TrainingTask.save`: as `load_lora_weights` of diffusers' SDXL pipelines reads it."""
        layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(self.model))
        StableDiffusionXLInpaintPipeline.save_lora_weights(folder, unet_lora_layers=layers)


def denoising_loss(
    net: Any, schedule: DDPMScheduler, sample: Sample, prompt: PromptEmbeds, noise: torch.Tensor, step: int
) -> torch.Tensor:
    """Return the net's min-SNR-weighted square error on a photo noised to a step, 0..999, where it counts.

    With a weight of ones it is the loss of diffusers' `train_dreambooth_lora_sdxl.py` with its `snr_gamma`.
    """
    device, dtype = prompt.embeds.device, prompt.embeds.dtype
    steps = torch.tensor([step])
    noisy = schedule.add_noise(sample.latents, noise, steps)
    extra = {"text_embeds": prompt.pooled, "time_ids": sample.sizes.to(device, dtype)}
    said = net(
        noisy.to(device, dtype), steps.to(device), encoder_hidden_states=prompt.embeds, added_cond_kwargs=extra
    ).sample.float()
    velocity = schedule.config.prediction_type == "v_prediction"
    target = schedule.get_velocity(sample.latents, noise, steps) if velocity else noise
    snr = float(compute_snr(schedule, steps))
    snr_weight = min(snr, SNR_CAP) / (snr + 1 if velocity else snr)
    weight = sample.weight.to(device)
    return snr_weight * ((said - target.to(device)) ** 2 * weight).sum() / (weight.sum() * said.shape[1])


def sample_of(engine: Sdxl, face: FaceMap, parser: Parser) -> Sample:
    """Return a photo in the frame at the plan's size as it is learnt."""
    size = engine.plan.learns
    scaled = (face.transform * (size[0] / frame.PRINT[0])).astype(np.float32)
    latents = engine.encode(frame.warp(face.selfie.rgb, scaled, *size)).float().cpu()
    weight = cv2.resize(photo_weight(face, parser, size), latents.shape[:1:-1], interpolation=cv2.INTER_AREA)
    return Sample(latents, torch.from_numpy(weight)[None, None], sizes_of(face, scaled, size))


def sizes_of(face: FaceMap, transform: F32, size: tuple[int, int]) -> torch.Tensor:
    """Return SDXL's six numbers of a photo (1, 6): its own height and width, the cut's top and left, the cut's size.

    The corner is counted in the photo as it is enlarged or shrunk for the cut; 0 where the cut reaches beyond it.
    """
    height, width = face.selfie.rgb.shape[:2]
    scale = frame.scale_of(transform)
    corner = frame.carry(np.zeros((1, 2), np.float32), cv2.invertAffineTransform(transform).astype(np.float32))[0]
    left, top = np.maximum(np.round(corner * scale), 0)
    return torch.tensor([[height, width, float(top), float(left), size[1], size[0]]], dtype=torch.float32)
