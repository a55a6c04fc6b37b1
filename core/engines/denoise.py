"""The denoising loop of every engine: DPM-Solver++(2M) on a predicted x0, in pixels or in latents.

Knows no net: it is handed the function that predicts x0. Starts from noise or from a picture noised part of the
way; draws all of it, or only what is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from core.errors import Stopped


def cosine_alpha_bar(time: float) -> float:
    """Return alpha_bar, the signal's part of the variance, at a time 0..1 (cosine schedule, Nichol & Dhariwal 2021).

    Kept within 1e-5 .. 1 - 1e-5, so that its logarithms are finite.
    """
    return min(max(math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2, 1e-5), 1 - 1e-5)


def scale_model_input(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """Scale noisy pictures (N, C, H, W) at times (N,) by sqrt(alpha_bar): towards 0 at time 1.

    After the input scaling of Karras et al. 2022 ("EDM"); pure noise then cannot drown the conditioning beside it.
    """
    scale = torch.cos((time + 0.008) / 1.008 * math.pi / 2).clamp(0, 1)
    return x * scale[:, None, None, None]


@torch.no_grad()
def denoise(
    predict_x0: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    steps: int,
    should_stop: Callable[[], bool],
    alpha_bar: Callable[[float], float] = cosine_alpha_bar,
    start: float = 0.999,
    blend_known_latents: Callable[[torch.Tensor, float], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Run DPM-Solver++(2M) from time `start` to 0 (Lu et al. 2022); returns x0 of the shape of x.

    predict_x0(x, time): x0 from x, time (N,). x: noise, or a picture noised to time `start`. alpha_bar(time): the
    schedule the net was trained with. blend_known_latents(x, alpha_bar): puts what is known, noised to that level,
    back into x. Raises Stopped between steps.
    """
    times = [start * (1 - step / steps) for step in range(steps + 1)]
    pred_x0, before, last = x, None, 0.0
    for step in range(steps):
        if should_stop():
            raise Stopped(f"stopped at denoising step {step} of {steps}")
        here, there = alpha_bar(times[step]), alpha_bar(times[step + 1])
        pred_x0 = predict_x0(x, torch.full((len(x),), times[step]))
        # half the step in log SNR
        stride = 0.5 * (math.log(there / (1 - there)) - math.log(here / (1 - here)))
        guess = pred_x0
        if before is not None and step < steps - 1:
            guess = pred_x0 + 0.5 * stride / last * (pred_x0 - before)
        x = math.sqrt((1 - there) / (1 - here)) * x - math.sqrt(there) * math.expm1(-stride) * guess
        before, last = pred_x0, stride
        if blend_known_latents is not None:
            x, pred_x0 = blend_known_latents(x, there), blend_known_latents(pred_x0, 1.0)
    return pred_x0
