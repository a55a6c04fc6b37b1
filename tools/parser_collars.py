"""A figure -> the same figure in a collar that nobody wore: necklines of every kind, their labels exact.

Nets took a beige scarf for a neck and a shadowed neck for cloth, because the labels they learnt from did. A collar that
is drawn over a photo has a label that is right. Strengths were set by looking at sheets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from core.face.mesh import CHIN
from tools.parser_labels import HEIGHT, IOD, WIDTH

SIDES: Final = (234, 454)
"""Points of the face mesh: the oval's leftmost and rightmost."""
VEE: Final = 0.4
"""How many necklines are a V; the others are round."""
LEVEL: Final = 0.35
"""How many run level across the neck: roll necks and scarves."""
SKIN_COLOURED: Final = 0.55
"""How much of the plain cloth has the sitter's own colour, but for a little."""


@dataclass(frozen=True, slots=True, eq=False)
class Collar:
    """Both (B, 1, H, W). cover: the cloth's alpha. shade: what is left of the light above its rim."""

    cover: Tensor
    shade: Tensor


def collar(points: Tensor, noise: Tensor) -> Collar:
    """Draw a neckline for each face. points: (B, 478, 2) mesh in the parser's frame. noise: (B, 1, H, W), smooth.

    Its middle lies from above the chin to an eye distance below it, its sides on the neck up to as much higher, and
    beyond the neck it falls to the shoulders.
    """
    count = len(points)

    def uniform() -> Tensor:
        return torch.rand(count, 1, 1, 1, device=points.device)

    sides = points[:, list(SIDES), 0]
    half = ((sides[:, 1] - sides[:, 0]).abs() / 2).clamp(min=0.4 * IOD).view(-1, 1, 1, 1)
    chin = points[:, CHIN, 1].view(-1, 1, 1, 1)
    middle = points[:, [CHIN, *SIDES], 0].mean(1).view(-1, 1, 1, 1) + 0.5 * half * (uniform() - 0.5)
    columns = torch.arange(WIDTH, device=points.device).view(1, 1, 1, -1)
    rows = torch.arange(HEIGHT, device=points.device).view(1, 1, -1, 1)
    aside = (columns - middle) / half
    depth = IOD * (1.15 * uniform() ** 1.5 - 0.15)
    rise = IOD * 0.9 * uniform() * (uniform() >= LEVEL)
    shape = torch.where(uniform() < VEE, aside.abs(), aside**2).clamp(max=1.6)
    fall = IOD * (0.1 + 0.6 * uniform()) * (uniform() < 0.7) * (aside.abs() - 0.8).clamp(min=0)
    rim = chin + depth - rise * shape + 0.5 * IOD * (uniform() - 0.5) * aside + fall + 1.5 * noise
    cover = torch.sigmoid((rows - rim) / (0.5 + 1.5 * uniform()))
    shadow = torch.exp(-(rim - rows).clamp(min=0) / (2 + 6 * uniform())) * (1 - cover)
    return Collar(cover, 1 - 0.5 * uniform() * shadow)


def plain_cloth(skin: Tensor, folds: Tensor) -> Tensor:
    """Draw a cloth of one colour with ribs and folds: (B, 3, H, W). skin: (B, 3, 1, 1). folds: (B, 1, H, W), smooth."""
    count, device = len(skin), skin.device

    def uniform(channels: int = 1) -> Tensor:
        return torch.rand(count, channels, 1, 1, device=device)

    columns = torch.arange(WIDTH, device=device).view(1, 1, 1, -1)
    rows = torch.arange(HEIGHT, device=device).view(1, 1, -1, 1)
    angle = 2 * torch.pi * uniform()
    phase = (columns * torch.cos(angle) + rows * torch.sin(angle)) * (2 * torch.pi / (3 + 14 * uniform()))
    ribs = 0.1 * uniform() * (uniform() < 0.6) * torch.sin(phase)
    alike = skin * torch.exp(1.2 * (uniform() - 0.5)) * torch.exp(0.3 * (uniform(3) - 0.5))
    other = torch.where(uniform() < 0.5, uniform(3), uniform().expand(-1, 3, -1, -1))
    colour = torch.where(uniform() < SKIN_COLOURED, alike, other)
    return colour * torch.exp(ribs + 0.12 * folds)
