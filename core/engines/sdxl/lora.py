"""DreamBooth for the SD family: a LoRA that learns to denoise this person's photos, named by one rare token.

DreamBooth (Ruiz et al. 2023) with a LoRA in place of the whole net (Hu et al. 2021). The loss is weighted by the
person, most by the face, so that the room is not learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import cv2
import numpy as np
import torch
from peft import LoraConfig, get_peft_model

from core import frame
from core.engines.lora import TrainConfig
from core.engines.sdxl.vram import Family
from core.face.landmarks import fill
from core.face.mesh import FACE_OVAL
from core.types import F32, FaceMap

if TYPE_CHECKING:
    from core.cutout.parser import Parser

WORD: Final = "photo of ohwx person"
"""Every photo's prompt: a rare token, and a class word that claims nothing of the sitter."""
RANK: Final = 16
CONFIG: Final = TrainConfig(steps=800, rate=1e-4, check_every=100, patience=3, least_gain=1.0)
"""Steps and rate as diffusers' own DreamBooth-LoRA examples have them for five photos. A held-out photo's denoising
loss moves by few percent even where the likeness is plain, so one is asked for; the judge has the last word."""
PROOF_TIMES: Final = (0.2, 0.4, 0.6, 0.8)
"""Times at which the held-out photo is noised for the proof, each with two noises of its own."""
SNR_CAP: Final = 5.0
"""Min-SNR weighting (Hang et al. 2023), their own number."""
RECIPE: Final = f"dreambooth {WORD!r} {RANK} {CONFIG} {SNR_CAP}"
"""What of the training changes its result, for `core.engines.lora.training_key`."""


def lora_config() -> LoraConfig:
    """Return the LoRA of the SD family: all attention projections."""
    return LoraConfig(r=RANK, lora_alpha=RANK, target_modules=["to_q", "to_k", "to_v", "to_out.0"])


class LatentDiffusion(Protocol):
    """What is trained: a latent diffusion model with its UNet, as `core.engines.sdxl.engine` opens it."""

    family: Family

    @property
    def unet(self) -> Any:
        """The UNet, frozen."""

    def encode(self, rgb: F32) -> torch.Tensor:
        """Return a picture (H, W, 3) float32 sRGB 0..1 as latents (1, 4, H / 8, W / 8)."""

    def encode_prompt(self, text: str) -> Any:
        """Return a prompt as `pred_x0` takes it."""

    def alpha_bar(self, time: float) -> float:
        """Return alpha_bar at a time 0..1."""

    def pred_x0(self, net: Any, x: torch.Tensor, time: torch.Tensor, prompt: Any) -> torch.Tensor:
        """Predict x0 from noisy latents (N, 4, h, w) at times (N,) with a net."""


class DreamBoothTask:
    """See `core.engines.lora.TrainingTask`. With three photos or more the least turned one is left out for the proof.

    Latents, weights and the prompt's embedding are computed once.
    """

    def __init__(self, engine: LatentDiffusion, maps: Sequence[FaceMap], parser: Parser) -> None:
        self.config = CONFIG
        ordered = sorted(maps, key=lambda face: (-abs(face.selfie.face.yaw_deg), face.selfie.sha256))
        proof = ordered[-1] if len(ordered) >= 3 else None
        self.held_out = proof.selfie.sha256 if proof else None
        self._engine = engine
        self._prompt = engine.encode_prompt(WORD)
        trained = [face for face in ordered if face is not proof]
        self.trained_on = tuple(face.selfie.sha256 for face in trained)
        self._samples = [self._sample(face, parser) for face in trained]
        self._proof = self._sample(proof, parser) if proof else None
        torch.manual_seed(0)
        engine.unet.enable_gradient_checkpointing()
        self.model: Any = get_peft_model(engine.unet, lora_config())

    def close(self) -> None:
        """Take the LoRA off the net again: it is the next sitter's too."""
        self.model.unload()
        self._engine.unet.disable_gradient_checkpointing()

    def loss(self, step: int) -> torch.Tensor:
        """See `TrainingTask.loss`: one photo, one noise, one time."""
        rng = torch.Generator().manual_seed(step)
        latents, weight = self._samples[int(torch.randint(len(self._samples), (1,), generator=rng))]
        time = float(torch.rand((1,), generator=rng).clamp(0.01, 0.999))
        return self._at(latents, weight, time, torch.randn(latents.shape, generator=rng))

    @torch.no_grad()
    def error(self) -> float:
        """See `TrainingTask.error`."""
        assert self._proof is not None
        latents, weight = self._proof
        errors = []
        for number, time in enumerate(PROOF_TIMES * 2):
            noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(number))
            errors.append(float(self._at(latents, weight, time, noise)))
        return float(np.mean(errors))

    def _at(self, latents: torch.Tensor, weight: torch.Tensor, time: float, noise: torch.Tensor) -> torch.Tensor:
        """Return the loss on one photo noised to a time: min-SNR-weighted square error of x0."""
        alpha_bar = self._engine.alpha_bar(time)
        x = alpha_bar**0.5 * latents + (1 - alpha_bar) ** 0.5 * noise.to(latents.device)
        pred_x0 = self._engine.pred_x0(self.model, x, torch.tensor([time], device=x.device), self._prompt)
        snr_weight = min(alpha_bar / (1 - alpha_bar), SNR_CAP)
        return snr_weight * ((pred_x0 - latents) ** 2 * weight).sum() / (weight.sum() * latents.shape[1])

    def _sample(self, face: FaceMap, parser: Parser) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a photo in the frame as latents (1, 4, h, w), and where they count (1, 1, h, w)."""
        size = self._engine.family.learns
        picture = frame.warp(face.selfie.rgb, _scaled(face.transform, size), *size)
        latents = self._engine.encode(picture.astype(np.float32) / 255)
        weight = cv2.resize(_weight(face, picture, parser), latents.shape[:1:-1], interpolation=cv2.INTER_AREA)
        return latents, torch.from_numpy(weight)[None, None].to(latents.device)


def _scaled(transform: F32, size: tuple[int, int]) -> F32:
    return (transform * (size[0] / frame.PRINT[0])).astype(np.float32)


def _weight(face: FaceMap, picture: np.ndarray[Any, Any], parser: Parser) -> F32:
    """Return what counts of a photo in the frame: 1 the face, 0.4 the rest of the person, 0.05 the room, 0 outside."""
    height, width = picture.shape[:2]
    person = parser.person(picture)
    points = face.landmarks[:, :2] * np.float32(width / frame.PRINT[0])
    inside = fill((height, width), points, FACE_OVAL, 1.15).astype(np.float32)
    weight = np.maximum(0.05 + 0.35 * person, inside)
    there = np.ones(face.selfie.rgb.shape[:2], np.float32)
    there = cv2.warpAffine(there, _scaled(face.transform, (width, height)), (width, height))
    return (weight * there).astype(np.float32)
