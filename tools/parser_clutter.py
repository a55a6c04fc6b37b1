"""A head -> things right behind it that belong to the backdrop: cords, poles, bars, discs, stars, leaves.

A net that had learnt hats from people before plain or blurred backdrops kept a flag's cord, and a star above a cap, as
the cap's ornament. Strengths were set by looking at sheets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from tools.parser_collars import plain_cloth
from tools.parser_labels import HEIGHT, WIDTH
from tools.parser_pixels import blur, smooth_noise

THINGS: Final = 4
"""How many are drawn behind each head."""
SIZES: Final = (1.2, 60.0)
"""Width of a bar and radius of a disc or star, in pixels of the parser's frame."""
ENDS: Final = 0.5
"""How many bars end behind the head; the others go on to its other side."""
BARS_AND_DISCS: Final = (0.55, 0.8)
"""Up to which draw a thing is a bar, and from there on a disc or star; the rest are leaves."""


@dataclass(frozen=True, slots=True, eq=False)
class Clutter:
    """What lies behind a head: colours (B, 3, H, W) and alpha (B, 1, H, W)."""

    colours: Tensor
    alpha: Tensor


def clutter(head: Tensor) -> Clutter:
    """Draw things behind each head, each of them about a point of its outline. head: (B, 1, H, W) in 0..1."""
    count, device = len(head), head.device
    colours, alpha = torch.zeros(count, 3, HEIGHT, WIDTH, device=device), torch.zeros_like(head)
    for _ in range(THINGS):
        cover = _thing(head)
        folds = smooth_noise(count, 1, 24, (HEIGHT, WIDTH), device)
        colour = plain_cloth(torch.rand(count, 3, 1, 1, device=device), folds).clamp(0, 1)
        colours = cover * colour + (1 - cover) * colours
        alpha = torch.maximum(alpha, cover)
    return Clutter(colours / alpha.clamp(min=1e-3), alpha)


def _thing(head: Tensor) -> Tensor:
    """Return the alpha of a bar, a disc, a star or leaves (B, 1, H, W)."""
    count, device = len(head), head.device

    def uniform() -> Tensor:
        return torch.rand(count, 1, 1, 1, device=device)

    outline = (blur(head, 4.0) * (1 - head)).clamp(min=0).flatten(1)
    middle = torch.multinomial(outline + 1e-6, 1).view(-1, 1, 1, 1)
    x = torch.arange(WIDTH, device=device).view(1, 1, 1, -1) - middle % WIDTH
    y = torch.arange(HEIGHT, device=device).view(1, 1, -1, 1) - middle // WIDTH
    angle = 2 * torch.pi * uniform()
    along, across = x * torch.cos(angle) + y * torch.sin(angle), y * torch.cos(angle) - x * torch.sin(angle)
    size = SIZES[0] * (SIZES[1] / SIZES[0]) ** uniform()
    bent = across + 0.003 * (uniform() - 0.5) * along**2
    bar = torch.minimum(size / 2 - bent.abs(), torch.where(uniform() < ENDS, along + size, size))
    distance = torch.sqrt(along**2 + across**2 + 1e-3)
    points = 0.35 * (uniform() < 0.5) * torch.cos(5 * torch.atan2(across, along))
    disc = size * (1 + points) - distance
    leaves = torch.minimum(8 * smooth_noise(count, 1, 12, (HEIGHT, WIDTH), device) - 2, 2.5 * size - distance)
    kind = uniform()
    inside = torch.where(kind < BARS_AND_DISCS[0], bar, torch.where(kind < BARS_AND_DISCS[1], disc, leaves))
    return torch.sigmoid(inside / (0.3 + 0.7 * uniform()))
