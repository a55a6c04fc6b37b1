"""The course of the SD family: the sitter's photos as latents, once, and a LoRA that learns to denoise this person.

DreamBooth's one rare word for the person (Ruiz et al. 2023) with a LoRA instead of the whole net
(Hu et al. 2021). The loss is on the person, most on the face, so that no wallpaper is learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import torch
from peft import LoraConfig, get_peft_model

from core import frame
from core.engines.lora import Pace
from core.face.landmarks import fill
from core.face.mesh import FACE_OVAL
from core.types import F32, FaceMap

if TYPE_CHECKING:
    from core.cutout.parser import Parser
    from core.engines.sdxl.engine import Stable

WORD: Final = "photo of ohwx person"
"""What every photo is called: a rare token, and a class word that claims nothing of the sitter."""
RANK: Final = 16
PACE: Final = Pace(steps=800, rate=1e-4, check_every=100, patience=3, least_gain=1.0)
"""Steps and rate as diffusers' own DreamBooth-LoRA examples have them for five photos. A held-out photo's denoising
loss moves by few percent even where the likeness is plain, so one is asked for; the judge has the last word."""
PROOF_TIMES: Final = (0.2, 0.4, 0.6, 0.8)
"""Times at which the held-out photo is noised for the proof, each with two noises of its own."""
SNR_CAP: Final = 5.0
"""Min-SNR weighting (Hang et al. 2023), their own number."""


def wanted() -> LoraConfig:
    """Return the LoRA of the SD family: all attention projections."""
    return LoraConfig(r=RANK, lora_alpha=RANK, target_modules=["to_q", "to_k", "to_v", "to_out.0"])


class PersonCourse:
    """See `core.engines.lora.Course`. With three photos or more the least turned one is left out for the proof.

    Latents, weights and the words' embedding are made once; no picture is encoded twice.
    """

    def __init__(self, stable: Stable, maps: Sequence[FaceMap], parser: Parser) -> None:
        self.pace = PACE
        ordered = sorted(maps, key=lambda face: (-abs(face.selfie.face.yaw_deg), face.selfie.sha256))
        proof = ordered[-1] if len(ordered) >= 3 else None
        self.held_out = proof.selfie.sha256 if proof else None
        self._stable = stable
        self._words = stable.words(WORD)
        self._taught = [self._lesson(face, parser) for face in ordered if face is not proof]
        self._proof = self._lesson(proof, parser) if proof else None
        torch.manual_seed(0)
        stable.unet.enable_gradient_checkpointing()
        self.model: Any = get_peft_model(stable.unet, wanted())

    def close(self) -> None:
        """Take the LoRA off the net again: it is the next sitter's too."""
        self.model.unload()
        self._stable.unet.disable_gradient_checkpointing()

    def loss(self, step: int) -> torch.Tensor:
        """See `Course.loss`: one photo, one noise, one time."""
        rng = torch.Generator().manual_seed(step)
        latents, weight = self._taught[int(torch.randint(len(self._taught), (1,), generator=rng))]
        time = float(torch.rand((1,), generator=rng).clamp(0.01, 0.999))
        return self._at(latents, weight, time, torch.randn(latents.shape, generator=rng))

    @torch.no_grad()
    def error(self) -> float:
        """See `Course.error`."""
        assert self._proof is not None
        latents, weight = self._proof
        errors = []
        for number, time in enumerate(PROOF_TIMES * 2):
            noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(number))
            errors.append(float(self._at(latents, weight, time, noise)))
        return float(np.mean(errors))

    def _at(self, latents: torch.Tensor, weight: torch.Tensor, time: float, noise: torch.Tensor) -> torch.Tensor:
        """Return the loss on one photo noised to a time: min-SNR-weighted square error of the clean latents."""
        share = self._stable.schedule(time)
        x = share**0.5 * latents + (1 - share) ** 0.5 * noise.to(latents.device)
        clean = self._stable.clean(self.model, x, torch.tensor([time], device=x.device), self._words)
        trust = min(share / (1 - share), SNR_CAP)
        return trust * ((clean - latents) ** 2 * weight).sum() / (weight.sum() * latents.shape[1])

    def _lesson(self, face: FaceMap, parser: Parser) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a photo in the frame as latents (1, 4, h, w), and where they count (1, 1, h, w)."""
        size = self._stable.family.learns
        picture = frame.warp(face.selfie.rgb, _scaled(face.transform, size), *size)
        latents = self._stable.encode(picture.astype(np.float32) / 255)
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
