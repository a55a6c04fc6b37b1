"""What is done to the pixels of a batch while people are put together anew: blends, blurs, moves, colours, a camera.

Everything is (B, C, H, W) float32 in 0..1 unless told otherwise. Strengths were set by looking at sheets.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

LUMA: Final = (0.299, 0.587, 0.114)


def unit(x: Tensor) -> Tensor:
    """Bytes to 0..1."""
    return x.float() / 255


def as_bytes(x: Tensor) -> Tensor:
    """0..1 to bytes."""
    return (x.clamp(0, 1) * 255).round().byte()


def blur(x: Tensor, sigma: float) -> Tensor:
    """Blur by a Gaussian cut at 2.5 sigma, the border repeated. On a CPU by OpenCV, in a tenth of torch's time."""
    reach = max(1, int(2.5 * sigma))
    at = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-at * at / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    if x.device.type == "cpu":
        taps = kernel.numpy()
        planes = (
            cv2.sepFilter2D(plane, -1, taps, taps, borderType=cv2.BORDER_REPLICATE)
            for plane in x.numpy().reshape(-1, *x.shape[2:])
        )
        return torch.from_numpy(np.stack(list(planes))).view(x.shape)
    kernel = kernel.view(1, 1, 1, -1).expand(x.shape[1], 1, 1, -1)
    x = functional.conv2d(functional.pad(x, (reach, reach, 0, 0), mode="replicate"), kernel, groups=x.shape[1])
    x = functional.pad(x, (0, 0, reach, reach), mode="replicate")
    return functional.conv2d(x, kernel.transpose(2, 3), groups=x.shape[1])


def composite(alpha: Tensor, front: Tensor, back: Tensor) -> Tensor:
    """Lay the front over the back."""
    return alpha * front + (1 - alpha) * back


def foreground(rgb: Tensor, alpha: Tensor, valid: Tensor) -> Tensor:
    """Estimate the figure's own colours where it mixes with the backdrop: blur fusion, twice.

    Forte and Pitie, Approximate Fast Foreground Colour Estimation, ICIP 2021; their radii for this small size.
    """
    front, back = rgb, rgb
    for sigma in (12.0, 3.0):
        mean_front = blur(front * alpha * valid, sigma) / (blur(alpha * valid, sigma) + 1e-5)
        back = blur(back * (1 - alpha) * valid, sigma) / (blur((1 - alpha) * valid, sigma) + 1e-5)
        front = (mean_front + alpha * (rgb - alpha * mean_front - (1 - alpha) * back)).clamp(0, 1)
    return front


def behind(rgb: Tensor, alpha: Tensor, valid: Tensor, levels: int = 7) -> Tensor:
    """Carry the backdrop on behind the figure: pull-push through a pyramid (Gortler et al. 1996)."""
    weight = (1 - alpha) * valid
    weight = weight * (weight > 0.9)
    colour, pyramid = rgb * weight, []
    for _ in range(levels):
        pyramid.append((colour, weight))
        colour, weight = (functional.avg_pool2d(x, 2, ceil_mode=True) for x in (colour, weight))
    filled = colour / (weight + 1e-4)
    for colour, weight in reversed(pyramid):
        filled = functional.interpolate(filled, size=colour.shape[-2:], mode="bilinear", align_corners=False)
        known = 2 * weight.clamp(max=0.5)
        filled = torch.where(weight > 0.02, composite(known, colour / (weight + 1e-6), filled), filled)
    return filled.clamp(0, 1)


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize bilinearly to (height, width)."""
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


def moved_by(x: Tensor, transform: Tensor, border: str = "border") -> Tensor:
    """Move pictures by (B, 2, 3) transforms in torch's own coordinates; border: border, zeros or reflection."""
    grid = functional.affine_grid(transform, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode=border, align_corners=False)


def smooth_noise(count: int, channels: int, cell: int, size: tuple[int, int], device: str | torch.device) -> Tensor:
    """Return normal noise that varies over about `cell` pixels."""
    cells = [max(2, length // cell) for length in size]
    noise = torch.randn(count, channels, *cells, device=device)
    return functional.interpolate(noise, size=size, mode="bicubic", align_corners=False)


def recoloured(rgb: Tensor, where: Tensor) -> Tensor:
    """Give one part another colour and keep its light: any hue at all, or a shift of its own."""
    count, device = len(rgb), rgb.device
    light = (rgb * torch.tensor(LUMA, device=device).view(1, 3, 1, 1)).sum(1, keepdim=True)
    colour = torch.rand(count, 3, 1, 1, device=device) * 1.2 + 0.1
    gain, offset, pick = torch.rand(3, count, 1, 1, 1, device=device)
    new = light * torch.exp((gain * 2 - 1) * 0.9) * colour / colour.mean(1, keepdim=True) + (offset - 0.5) * 0.15
    shifted = torch.exp((torch.rand(count, 3, 1, 1, device=device) * 2 - 1) * 0.35) * rgb
    return composite(where, torch.where(pick < 0.5, new, shifted).clamp(0, 1), rgb)


def photographed(rgb: Tensor) -> Tensor:
    """Change light, contrast and saturation, blur, shrink and add grain, each for some pictures."""
    count, device, size = len(rgb), rgb.device, (rgb.shape[-2], rgb.shape[-1])

    def uniform(channels: int = 1) -> Tensor:
        return torch.rand(count, channels, 1, 1, device=device)

    def factor(strength: float, channels: int = 1) -> Tensor:
        return torch.exp((uniform(channels) * 2 - 1) * strength)

    rgb = rgb.clamp(1e-4, 1) ** factor(0.5)
    rgb = rgb * torch.exp(0.35 * uniform() * smooth_noise(count, 1, 120, size, device)) * factor(0.35)
    rgb = torch.where(uniform() < 0.6, rgb * factor(0.28, 3), rgb)
    grey = rgb.mean(1, keepdim=True)
    rgb = grey + (rgb - grey) * torch.where(uniform() < 0.08, 0.0, 0.5 + uniform())
    middle = rgb.mean((1, 2, 3), keepdim=True)
    rgb = middle + (rgb - middle) * (0.7 + 0.6 * uniform())
    for chance, sigma in ((0.25, 1.1), (0.12, 2.2)):
        rgb = torch.where(uniform() < chance, blur(rgb, sigma), rgb)
    halved = functional.interpolate(rgb, scale_factor=0.5, mode="area")
    rgb = torch.where(uniform() < 0.2, resized(halved, size), rgb)
    grain = (uniform() < 0.5) * uniform() * 0.07
    coarse = resized(torch.randn(count, 3, size[0] // 2, size[1] // 2, device=device), size)
    return (rgb + grain * (torch.randn_like(rgb) + 0.6 * coarse)).clamp(0, 1)
