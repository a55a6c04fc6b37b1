"""Head repair learnt on one person: their sharp photos are degraded as poor photos are, and the head net restores them.

The loss here trains the shipped base net too (`tools/train_base.py`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch

from core import frame
from core.engines.denoise import cosine_alpha_bar
from core.engines.lora import OnProgress, TrainConfig, TrainingResult, cached, fit, training_key
from core.engines.redress import repair
from core.engines.redress.nets import predict_head
from core.face.landmarks import fill
from core.face.mesh import FACE_OVAL
from core.types import F32, FaceMap

RANK: Final = 8
CONFIG: Final = TrainConfig(steps=60, rate=2e-3, check_every=15, patience=2, least_gain=10.0)
"""60 steps take under a minute on two free cores."""
BATCH: Final = 4
CROP: Final = 64
"""Heads are trained on squares of this side: a whole head costs eleven times as much a step."""
NATIVE: Final = 1.25
"""A head upscaled further than this into the repair's frame teaches nothing about sharpness."""
TIME_LOGIT_MEAN: Final = 3.0
"""Mean of the logit-normal training times: nearly all noise, for a repair of few steps is decided there."""
PROOF_STRENGTHS: Final = (0.35, 0.55, 0.75, 0.95)
"""Strengths at which the held-out head is degraded for the proof, each with its own fixed noise."""
ADAPTED: Final = ["conv1", "conv2", "conv_shortcut", "to_q", "to_k", "to_v", "conv_in"]
"""Layers that get a LoRA."""
FEWEST_FOR_PROOF: Final = 3
"""Sharp photos from which one is held out for the proof."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One sharp head: (240, 192, 3) float32 sRGB 0..1 and (240, 192) float32 weight, most on the face."""

    sha256: str
    head: F32
    weight: F32


def train(
    maps: Sequence[FaceMap],
    net: Callable[[], Any],
    base: str,
    folder: Path,
    on_progress: OnProgress,
    should_stop: Callable[[], bool],
) -> TrainingResult:
    """Train head repair on a person's photos; writes `lora/` (PEFT) where it is to be used, and always the outcome.

    net: the head net, asked for only if it is trained. base: engine and version it belongs to. An outcome or a
    checkpoint of the same photos, base and recipe in `folder` is used again. Raises Stopped after saving.
    """
    key = training_key(maps, base, f"head repair {RANK} {ADAPTED} {CONFIG} {BATCH} {CROP} {NATIVE} {TIME_LOGIT_MEAN}")

    def work() -> TrainingResult:
        needs = [repair.need_of(face) for face in maps]
        samples = samples_of([face for face, need in zip(maps, needs, strict=True) if need == 0])
        if not any(needs):
            return TrainingResult(False, "photos_sharp")
        if not samples:
            return TrainingResult(False, "nothing_to_learn_from")
        return fit(HeadRepairTask(net(), samples), folder, key, on_progress, should_stop)

    return cached(folder, key, work)


class HeadRepairTask:
    """See `core.engines.lora.TrainingTask`: squares of degraded heads; of three or more one is held out."""

    def __init__(self, net: Any, samples: Sequence[Sample]) -> None:
        self.config = CONFIG
        self._proof = samples[-1] if len(samples) >= FEWEST_FOR_PROOF else None
        self.held_out = self._proof.sha256 if self._proof else None
        self._samples = samples[:-1] if self._proof else samples
        self.trained_on = tuple(sample.sha256 for sample in self._samples)
        self.scales_loss = False
        from peft import LoraConfig, get_peft_model  # with transformers, 4 s: for who is trained

        torch.manual_seed(0)
        self.model: Any = get_peft_model(
            copy.deepcopy(net), LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=ADAPTED)
        )

    def _predict(
        self, x: torch.Tensor, degraded: torch.Tensor, time: torch.Tensor, strength: torch.Tensor
    ) -> torch.Tensor:
        return predict_head(self.model, x, degraded, time, strength)

    def loss(self, number: int) -> torch.Tensor:
        """See `TrainingTask.loss`: squares cut at random from degraded heads."""
        rng = np.random.default_rng([1, number])
        torch.manual_seed(number)
        clean, degraded, weight, strength = _batch(self._samples, rng)
        return head_loss(self._predict, clean, degraded, weight, strength, TIME_LOGIT_MEAN)

    def error(self) -> float:
        """See `TrainingTask.error`."""
        assert self._proof is not None
        return proof(self._predict, self._proof)

    def save(self, folder: Path) -> None:
        """See `TrainingTask.save`: PEFT's own files."""
        self.model.save_pretrained(folder)


def samples_of(clear: Sequence[FaceMap]) -> list[Sample]:
    """Return the heads of photos that need no repair and are large enough to teach, the sharpest first."""
    sharp = [face for face in clear if face.upscale_factor * repair.FRAME[0] / frame.PRINT[0] <= NATIVE]
    ordered = sorted(sharp, key=lambda face: (-face.selfie.sharpness, face.selfie.sha256))
    return [
        Sample(face.selfie.sha256, repair.head_of(face.selfie.rgb, face.selfie.face.landmarks), _weight(face))
        for face in ordered
    ]


def _weight(face: FaceMap) -> F32:
    points = face.landmarks[:, :2] * np.float32(repair.FRAME[0] / frame.PRINT[0])
    inside = fill((repair.FRAME[1], repair.FRAME[0]), points, FACE_OVAL, 1.15)[repair.WINDOW]
    return (0.25 + 0.75 * cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 3)).astype(np.float32)


def merged(net: Any, lora: Path) -> Any:
    """Return a copy of a net with a person's LoRA merged in."""
    from peft import PeftModel

    return PeftModel.from_pretrained(copy.deepcopy(net), str(lora)).merge_and_unload().eval()


def proof(predict: repair.Predict, held_out: Sample) -> float:
    """Return the mean CIELAB difference of a head, degraded in fixed ways and restored, to itself; face counts most."""
    errors = []
    for number, strength in enumerate(PROOF_STRENGTHS):
        degraded = repair.degrade(held_out.head, strength, np.random.default_rng([2, number]))
        restored = repair.restore(predict, degraded, strength, seed=number)
        errors.append(lab_error(restored, held_out.head, held_out.weight))
    return float(np.mean(errors))


def lab_error(one: F32, other: F32, weight: F32 | None = None) -> float:
    """Return the mean CIELAB distance of two pictures (H, W, 3) float32 sRGB 0..1, weighted by (H, W) if given."""
    labs = (cv2.cvtColor(np.ascontiguousarray(rgb, np.float32), cv2.COLOR_RGB2LAB) for rgb in (one, other))
    away = np.linalg.norm(next(labs) - next(labs), axis=-1)
    return float(np.average(away, weights=weight))


def _batch(samples: Sequence[Sample], rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
    """Draw squares of heads: clean and degraded (N, 3, CROP, CROP) in -1..1, weight (N, 1, ...), strength (N,)."""
    clean, degraded, weight, strength = [], [], [], []
    for index in rng.integers(0, len(samples), BATCH):
        sample = samples[index]
        poor, level = degrade_at_random(sample.head, rng)
        window = square(sample.weight.shape, rng)
        clean.append(sample.head[window].transpose(2, 0, 1) * 2 - 1)
        degraded.append(poor[window].transpose(2, 0, 1) * 2 - 1)
        weight.append(sample.weight[window][None])
        strength.append(level)
    stacked = (torch.from_numpy(np.stack(part).astype(np.float32)) for part in (clean, degraded, weight))
    return (*stacked, torch.tensor(strength))


def degrade_at_random(head: F32, rng: np.random.Generator) -> tuple[F32, float]:
    """Degrade a clean head at a strength drawn at random; returns it and the strength."""
    strength = float(rng.uniform(repair.LEAST, 1))
    return repair.degrade(head, strength, rng), strength


def square(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[slice, slice]:
    """Choose rows and columns of a square of CROP anywhere in a head."""
    row, column = (int(rng.integers(0, side - CROP + 1)) for side in shape[:2])
    return slice(row, row + CROP), slice(column, column + CROP)


def head_loss(
    predict: repair.Predict,
    clean: torch.Tensor,
    degraded: torch.Tensor,
    weight: torch.Tensor,
    strength: torch.Tensor,
    time_logit_mean: float,
) -> torch.Tensor:
    """Return the loss of a head net on a batch, of the base's training and of a person's alike."""
    times, alpha_bar = draw_times(len(clean), time_logit_mean)
    noisy = alpha_bar.sqrt() * clean + (1 - alpha_bar).sqrt() * torch.randn_like(clean)
    error = predict(noisy, degraded, times, strength) - clean
    even = (0.5 + strength)[:, None, None, None]  # heads of every strength count about alike
    return weighted_loss(error, (8 * weight / even).expand_as(error), alpha_bar)


def draw_times(count: int, logit_mean: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw logit-normal training times (N,), and alpha_bar at each, (N, 1, 1, 1)."""
    times = torch.sigmoid(torch.randn(count) + logit_mean).clamp(0.01, 0.999)
    return times, torch.tensor([cosine_alpha_bar(float(t)) for t in times])[:, None, None, None]


def weighted_loss(error: torch.Tensor, weight: torch.Tensor, alpha_bar: torch.Tensor) -> torch.Tensor:
    """Weight square error and a little of the gradient's by min(SNR + 1, 5): x0-prediction, Li & He 2025."""
    across = ((error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:]).mean((1, 2, 3))
    along = ((error[..., 1:, :] - error[..., :-1, :]).abs() * weight[..., 1:, :]).mean((1, 2, 3))
    snr_weight = (alpha_bar / (1 - alpha_bar) + 1).clamp(max=5)
    return (snr_weight * error**2 * weight).mean() + 0.15 * ((across + along) * snr_weight.flatten()).mean()
