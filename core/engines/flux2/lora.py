"""Learning a person on FLUX.2 [klein] Base: a LoRA on masked photos, kept only if real generations look more like them.

DreamBooth (Ruiz et al. 2023) with a LoRA (Hu et al. 2021) under the flow-matching loss of diffusers' own
`train_dreambooth_lora_flux2_klein.py`: the net predicts noise - latents at a noise level drawn evenly. Face and hair
count fully; old clothes and backdrop hardly, so that they are not learnt. Captions say pose and light, never the face.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline, Flux2Transformer2DModel
from peft import LoraConfig, get_peft_model_state_dict

from core import frame
from core.engines.checkpoints import Checkpoint, load_net
from core.engines.flux2.instruction import WORD, pose_of
from core.engines.flux2.klein import Klein, free_memory, placed
from core.engines.flux2.recompute import blocks_with_room, keep_products
from core.engines.lora import TrainConfig
from core.engines.teaching import photo_weight, teaching_photos
from core.types import U8, FaceMap

if TYPE_CHECKING:
    from core.cutout.parser import Parser

RANK: Final = 32
"""And alpha. Rank, rate and steps are those of an author at Black Forest Labs for a face (stephen37/workshops)."""
CONFIG: Final = TrainConfig(
    steps=1000, rate=1e-4, check_every=200, patience=3, least_gain=2.0, accumulate=1, most_gradient=1.0
)
"""Rate and clipping are the defaults of diffusers' example. least_gain: percent by which the distance of generated
faces to the held-out photo must fall below that of references alone; a guess until faces were drawn on a card."""
CAPTION_DROPOUT: Final = 0.05
"""Part of the steps that see no caption (Black Forest Labs' training configurations)."""
TARGETS: Final = (
    "to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "to_qkv_mlp_proj",
)  # fmt: skip
"""All attention of both kinds of blocks; the single blocks' `attn.to_out` are named one by one, for the name alone
would also match a list of modules in the double blocks."""
RECIPE: Final = f"flux2 {WORD!r} {RANK} {TARGETS} {CAPTION_DROPOUT} {CONFIG}"
"""What of the training changes its result, for `core.engines.lora.training_key`."""
PROOF_SEEDS: Final = (1, 2)
"""Generations that a checkpoint is judged by, each from another noise."""


def lora_config(single_blocks: int) -> LoraConfig:
    """Return the LoRA of a transformer with so many single blocks."""
    ends = [f"single_transformer_blocks.{block}.attn.to_out" for block in range(single_blocks)]
    return LoraConfig(
        r=RANK, lora_alpha=RANK, init_lora_weights="gaussian", target_modules=[*TARGETS, *ends]
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One photo as it is learnt: latents and weight (1, 1 | C, h, w), and its caption's embedding."""

    latents: torch.Tensor
    weight: torch.Tensor
    words: torch.Tensor


Generate = Callable[[int, str | None], float]
"""generate(seed, lora): draws the sitter, and returns the picture's cosine to the held-out photo, 0 without a face."""


class Flux2Task:
    """See `core.engines.lora.TrainingTask`: Base in the plan's storage, a LoRA in 32 bits, photos as cached latents.

    klein: the distilled net with VAE and encoder; it is off the card while Base learns. With three photos or more the
    least turned one is held out, and `generate` tells how near generations come to it.
    """

    def __init__(
        self, klein: Klein, base: Checkpoint, maps: Sequence[FaceMap], parser: Parser, generate: Generate
    ) -> None:
        self.config = CONFIG
        photos, proof = teaching_photos(maps, klein.plan.learns)
        self.held_out = proof.selfie.sha256 if proof else None
        self.trained_on = tuple(face.selfie.sha256 for face in photos)
        self._klein, self._base, self._generate = klein, base, generate
        self._samples = [self._sample(face, parser) for face in photos]
        self._nothing = klein.embed("")
        # one of its own: drawing sets the pipelines' to its few steps
        self._schedule = FlowMatchEulerDiscreteScheduler.from_config(klein.scheduler.config)
        self.scales_loss = False
        klein.release()
        self.model: Any = None
        self._begin()

    def _begin(self) -> None:
        """Load Base onto the device, with a LoRA that begins as none."""
        klein = self._klein
        net = placed(
            load_net(Flux2Transformer2DModel, self._base, "transformer", klein.dtype), klein.plan, klein.device
        )
        torch.manual_seed(0)
        net.add_adapter(lora_config(net.config.num_single_layers))
        for parameter in net.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        keep_products(net, blocks_with_room(klein.plan, klein.device))
        self.model = net.train()

    def close(self) -> None:
        """Let Base go: the next portrait needs the room."""
        self.model = None
        free_memory()

    def loss(self, number: int) -> torch.Tensor:
        """See `TrainingTask.loss`: one photo, one noise, one noise level."""
        rng = torch.Generator().manual_seed(number)
        sample = self._samples[int(torch.randint(len(self._samples), (1,), generator=rng))]
        noise = torch.randn(sample.latents.shape, generator=rng)
        index = int(torch.rand((1,), generator=rng) * 1000)
        dropped = float(torch.rand((1,), generator=rng)) < CAPTION_DROPOUT
        words = self._nothing if dropped else sample.words
        return flow_loss(self.model, self._schedule, sample.latents, sample.weight, words, noise, index)

    def error(self) -> float:
        """See `TrainingTask.error`: 1 - the median cosine of generations with this LoRA to the held-out photo.

        Before the first step it is that of the references alone. Base leaves the card for the while.
        """
        lora_b = [weights for name, weights in self.model.named_parameters() if "lora_B" in name]
        device = self._klein.device
        self.model.to("cpu")
        free_memory()
        with tempfile.TemporaryDirectory() as folder:
            self.save(Path(folder))
            lora = folder if any(bool(weights.detach().any()) for weights in lora_b) else None
            likeness = float(np.median([self._generate(seed, lora) for seed in PROOF_SEEDS]))
        self._klein.release()
        self.model.to(device)
        return 1 - likeness

    def save(self, folder: Path) -> None:
        """Write the LoRA as diffusers' pipelines load it."""
        state = {name: weights.detach().cpu() for name, weights in get_peft_model_state_dict(self.model).items()}
        said = self.model.peft_config["default"].to_dict()
        config = {name: sorted(value) if isinstance(value, set) else value for name, value in said.items()}
        Flux2KleinPipeline.save_lora_weights(
            folder, transformer_lora_layers=state, transformer_lora_adapter_metadata=config
        )

    def _sample(self, face: FaceMap, parser: Parser) -> Sample:
        picture, weight = framed_photo(face, parser, self._klein.plan.learns)
        latents = self._klein.encode(picture).float().cpu()
        small = cv2.resize(weight, latents.shape[:1:-1], interpolation=cv2.INTER_AREA)
        return Sample(latents, torch.from_numpy(small)[None, None], self._klein.embed(caption_of(face)).cpu())


def framed_photo(face: FaceMap, parser: Parser, size: tuple[int, int]) -> tuple[U8, np.ndarray[Any, Any]]:
    """Draw a photo into the frame at (width, height), and how much each pixel counts: (H, W, 3) uint8, (H, W)."""
    scaled = (face.transform * (size[0] / frame.PRINT[0])).astype(np.float32)
    return frame.warp(face.selfie.rgb, scaled, *size), photo_weight(face, parser, size)


def caption_of(face: FaceMap) -> str:
    """Say of a photo what is not the person: pose, smile, the side the light comes from."""
    side = "" if abs(face.light_side) < 0.25 else f", lit from the {'right' if face.light_side > 0 else 'left'}"
    return f"Photograph of {WORD}. {pose_of(face)}{side}."


def flow_loss(
    net: Any,
    scheduler: Any,
    latents: torch.Tensor,
    weight: torch.Tensor,
    words: torch.Tensor,
    noise: torch.Tensor,
    index: int,
) -> torch.Tensor:
    """Return the flow-matching loss of a net on noised latents (N, C, h, w), weighted by (N, 1, h, w).

    index: 0..999 of the scheduler's training noise levels, the noisiest first. With a weight of ones it is the loss of
    diffusers' `train_dreambooth_lora_flux2_klein.py` (its "none" weighting).
    """
    device = words.device if words.device.type != "cpu" else next(net.parameters()).device
    sigma, timestep = scheduler.sigmas[index], scheduler.timesteps[index]
    noisy = (1.0 - sigma) * latents + sigma * noise
    ids = Flux2KleinPipeline._prepare_latent_ids(latents).to(device)
    said = net(
        hidden_states=Flux2KleinPipeline._pack_latents(noisy).to(device, words.dtype),
        timestep=(timestep / 1000).expand(len(latents)).to(device, words.dtype),
        guidance=None,
        encoder_hidden_states=words.to(device),
        txt_ids=Flux2KleinPipeline._prepare_text_ids(words).to(device),
        img_ids=ids,
        return_dict=False,
    )[0]
    height, width = latents.shape[2:]
    said = said.float().permute(0, 2, 1).reshape(len(latents), -1, height, width)
    error = (said - (noise - latents).to(device)) ** 2 * weight.to(device)
    return error.sum() / (weight.sum().to(device) * latents.shape[1])
