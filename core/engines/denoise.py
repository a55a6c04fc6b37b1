"""Noise -> picture: the denoising loop, one for every engine and every mode.

It knows no net: it is handed a function that predicts the clean picture, in pixels or in latents. From
noise, or from a picture that is noised part of the way; all over, or only where nothing is known yet.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from core.errors import Stopped


def signal(time: float) -> float:
    """Return the part of the variance that is picture at a time 0..1: cosine schedule (Nichol & Dhariwal 2021)."""
    return min(max(math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2, 1e-5), 1 - 1e-5)


def quiet(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """Scale noisy pictures (N, C, H, W) by the picture's part in them, so that pure noise drowns no condition.

    As the input scaling of Karras et al. 2022 ("EDM"), but towards 0 at time 1: there all there is to see is told.
    """
    share = torch.cos((time + 0.008) / 1.008 * math.pi / 2).clamp(0, 1)
    return x * share[:, None, None, None]


@torch.no_grad()
def denoise(
    predict: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    steps: int,
    should_stop: Callable[[], bool],
    schedule: Callable[[float], float] = signal,
    start: float = 0.999,
    settle: Callable[[torch.Tensor, float], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Walk from noise to a picture: DPM-Solver++(2M) on the predicted clean picture (Lu et al. 2022).

    predict(x, time) returns the clean picture, time (N,); x: noise of its shape, or a picture noised to
    time `start`. schedule(time): the part of the variance that is picture, as the net was trained with.
    settle(x, part): puts what is known back into x, noised to that part. Raises Stopped between steps.
    """
    times = [start * (1 - step / steps) for step in range(steps + 1)]
    clean, before, last = x, None, 0.0
    for step in range(steps):
        if should_stop():
            raise Stopped(f"stopped at denoising step {step} of {steps}")
        here, there = schedule(times[step]), schedule(times[step + 1])
        clean = predict(x, torch.full((len(x),), times[step]))
        stride = 0.5 * (math.log(there / (1 - there)) - math.log(here / (1 - here)))
        guess = clean
        if before is not None and step < steps - 1:
            guess = clean + 0.5 * stride / last * (clean - before)
        x = math.sqrt((1 - there) / (1 - here)) * x - math.sqrt(there) * math.expm1(-stride) * guess
        before, last = clean, stride
        if settle is not None:
            x, clean = settle(x, there), settle(clean, 1.0)
    return clean
