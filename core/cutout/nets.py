"""The two nets of the cut-out: a parser that tells five classes apart, and a refiner of the figure's edge.

Plain torch, so that the same file trains on a CUDA card and runs on a CPU. Weights and model card: `core/base/parser`.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES: Final = ("backdrop", "hair", "skin", "clothes", "hat")
"""The parser's classes in the order of its channels; beards are skin, glasses and earrings what they lie on."""
INPUTS: Final = 6
"""Red, green and blue in -1..1, then the segmenter's person, the face oval and where the photo reaches, in -1..1."""
WIDTHS: Final = (40, 72, 128, 192)
"""Channels at a half, a quarter, an eighth and a sixteenth of the size: 4.4 million weights, 0.1 s on two cores."""
REFINER_WIDTH: Final = 32
SIZE: Final = (256, 320)
"""Width and height of the parser's frame."""


class Block(nn.Module):
    """Add what two 3x3 convolutions make of a feature map (pre-activation residual block, He et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, H, W) to the same shape."""
        found: Tensor = self.second(functional.silu(self.first(functional.silu(self.norm(x)))))
        return x + found


class Attention(nn.Module):
    """Let every place of a small feature map see all others (Vaswani et al. 2017)."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, H, W) to the same shape."""
        batch, width, height, columns = x.shape
        packed = self.qkv(self.norm(x)).reshape(batch, 3, self.heads, width // self.heads, height * columns)
        q, k, v = (part.contiguous() for part in packed.transpose(-1, -2).unbind(1))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        found: Tensor = self.out(mixed.transpose(-1, -2).reshape(batch, width, height, columns))
        return x + found


class ParserNet(nn.Module):
    """Tell backdrop, hair, skin, clothes and hat apart: a U-Net (Ronneberger et al. 2015) with attention at its foot.

    (B, 6, 320, 256) as INPUTS says -> (B, 5, 320, 256) logits. The picture enters pixel-unshuffled by two; a thin
    branch at full size keeps its edges. `place` is a learnt encoding of position: crops stand in the canonical frame.
    """

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.detail = nn.Conv2d(INPUTS, 16, 3, padding=1)
        self.stem = nn.Conv2d(INPUTS * 4, a, 3, padding=1)
        self.place = nn.Parameter(torch.zeros(1, d, SIZE[1] // 16, SIZE[0] // 16))
        self.down1 = nn.Sequential(Block(a))
        self.to2 = nn.Conv2d(a, b, 3, stride=2, padding=1)
        self.down2 = nn.Sequential(Block(b), Block(b))
        self.to3 = nn.Conv2d(b, c, 3, stride=2, padding=1)
        self.down3 = nn.Sequential(Block(c), Block(c))
        self.to4 = nn.Conv2d(c, d, 3, stride=2, padding=1)
        self.deep = nn.Sequential(Block(d), Attention(d), Block(d), Attention(d), Block(d))
        self.up3 = nn.Conv2d(d + c, c, 1)
        self.back3 = nn.Sequential(Block(c), Block(c))
        self.up2 = nn.Conv2d(c + b, b, 1)
        self.back2 = nn.Sequential(Block(b), Block(b))
        self.up1 = nn.Conv2d(b + a, a, 1)
        self.back1 = nn.Sequential(Block(a))
        self.up0 = nn.Conv2d(a, 16 * 4, 1)
        self.last = nn.Conv2d(32, 16, 3, padding=1)
        self.out = nn.Conv2d(16, len(CLASSES), 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 5, 320, 256)."""
        full = self.detail(x)
        one = self.down1(self.stem(functional.pixel_unshuffle(x, 2)))
        two = self.down2(self.to2(one))
        three = self.down3(self.to3(two))
        deep = self.deep(self.to4(three) + self.place)
        y = self.back3(self.up3(torch.cat([_doubled(deep), three], 1)))
        y = self.back2(self.up2(torch.cat([_doubled(y), two], 1)))
        y = self.back1(self.up1(torch.cat([_doubled(y), one], 1)))
        y = functional.pixel_shuffle(self.up0(y), 2)
        y = functional.silu(torch.cat([y, full], 1))
        found: Tensor = self.out(functional.silu(self.last(y)))
        return found


class RefinerNet(nn.Module):
    """Correct the figure's alpha at twice the parser's size.

    (B, 8, H, W): colours in -1..1 and the parser's five probabilities -> (B, 1, H, W) alpha in 0..1. Works on the
    picture unshuffled by two; what it adds to the parser's own log odds starts at zero.
    """

    def __init__(self) -> None:
        super().__init__()
        width = REFINER_WIDTH
        self.stem = nn.Conv2d(8 * 4, width, 3, padding=1)
        self.body = nn.Sequential(Block(width), Block(width))
        self.to2 = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.low = nn.Sequential(Block(width), Block(width))
        self.back = nn.Sequential(Block(width))
        self.out = nn.Conv2d(width, 4, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return alpha (B, 1, H, W)."""
        y = self.body(self.stem(functional.pixel_unshuffle(x, 2)))
        y = self.back(y + _doubled(self.low(self.to2(y))))
        change = functional.pixel_shuffle(self.out(y), 2)
        return torch.sigmoid(torch.logit((1 - x[:, 3:4]).clamp(0, 1), 0.02) + change)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
