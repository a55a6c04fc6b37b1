"""The U-Net of our two diffusion nets, in torch alone.

It computes what `diffusers.UNet2DModel` computes from the same `config.json` and weights, for the one shape they have:
residual blocks, one a level, a self-attention in the middle. Stock diffusers opens them all the same; but importing it
(with peft and transformers, which it imports) takes 5 s of processor and 150 MB in every process that draws.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

CONFIG: Final = "config.json"
WEIGHTS: Final = "diffusion_pytorch_model.safetensors"
"""The files of a net, as diffusers names them."""
HEAD_DIM: Final = 8
"""Channels of a head of the self-attention."""
EPS: Final = 1e-5
"""What keeps group norms from dividing by zero."""
LONGEST_PERIOD: Final = 10_000
"""Of the sines that tell the time (Vaswani et al. 2017)."""


class UNet(nn.Module):
    """A U-Net with residual blocks (Ho et al. 2020), told a time and a class."""

    def __init__(
        self, in_channels: int, out_channels: int, block_out_channels: Sequence[int], norm_num_groups: int,
        num_class_embeds: int,
    ) -> None:  # fmt: skip
        super().__init__()
        widths, groups, told = list(block_out_channels), norm_num_groups, 4 * block_out_channels[0]
        self.conv_in = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.time_embedding = _TimeEmbedding(widths[0], told)
        self.class_embedding = nn.Embedding(num_class_embeds, told)
        self.down_blocks = nn.ModuleList(
            _Down(before, width, told, groups, last=width == widths[-1])
            for before, width in zip([widths[0], *widths], widths, strict=False)
        )
        self.mid_block = _Middle(widths[-1], told, groups)
        up, skips = widths[::-1], [*widths[-2::-1], widths[0]]
        self.up_blocks = nn.ModuleList(
            _Up((before + width, width + skip), width, told, groups, last=width == widths[0])
            for before, width, skip in zip([up[0], *up], up, skips, strict=False)
        )
        self.conv_norm_out = nn.GroupNorm(groups, widths[0], EPS)
        self.conv_out = nn.Conv2d(widths[0], out_channels, 3, padding=1)

    @classmethod
    def load(cls, folder: Path) -> UNet:
        """Load a net that diffusers has saved, as 32-bit floats."""
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
        net = cls(
            config["in_channels"], config["out_channels"], config["block_out_channels"], config["norm_num_groups"],
            config["num_class_embeds"],
        )  # fmt: skip
        net.load_state_dict(load_file(folder / WEIGHTS))
        return net.float()

    def forward(self, x: Tensor, time: Tensor, label: Tensor) -> Tensor:
        """Predict (N, out_channels, H, W) from x (N, in_channels, H, W), time (N,) 0..1000 and label (N,) int64.

        H and W are divisible by 4.
        """
        told = self.time_embedding(time) + self.class_embedding(label)
        x = self.conv_in(x)
        skips = [x]
        for down in self.down_blocks:
            x, seen = down(x, told)
            skips += seen
        x = self.mid_block(x, told)
        for up in self.up_blocks:
            x = up(x, (skips.pop(), skips.pop()), told)
        return self.conv_out(functional.silu(self.conv_norm_out(x)))


class _TimeEmbedding(nn.Module):
    """Cosines and sines of a time, and two layers on them."""

    def __init__(self, width: int, told: int) -> None:
        super().__init__()
        self._half = width // 2
        self.linear_1 = nn.Linear(width, told)
        self.linear_2 = nn.Linear(told, told)

    def forward(self, time: Tensor) -> Tensor:
        rates = torch.exp(-math.log(LONGEST_PERIOD) * torch.arange(self._half, dtype=torch.float32) / self._half)
        angles = time[:, None].float() * rates[None]
        waves = torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1)
        return self.linear_2(functional.silu(self.linear_1(waves)))


class _Residual(nn.Module):
    """Two convolutions beside a shortcut; what the net is told is added between them."""

    def __init__(self, before: int, width: int, told: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, before, EPS)
        self.conv1 = nn.Conv2d(before, width, 3, padding=1)
        self.time_emb_proj = nn.Linear(told, width)
        self.norm2 = nn.GroupNorm(groups, width, EPS)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(before, width, 1) if before != width else None

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        inner = self.conv1(functional.silu(self.norm1(x)))
        inner = inner + self.time_emb_proj(functional.silu(told))[:, :, None, None]
        inner = self.conv2(functional.silu(self.norm2(inner)))
        return inner + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class _Attention(nn.Module):
    """Self-attention of all places with all others."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, width, EPS)
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor) -> Tensor:
        count, width, height, across = x.shape
        places = self.group_norm(x.view(count, width, height * across)).transpose(1, 2)
        parts = (
            layer(places).view(count, -1, width // HEAD_DIM, HEAD_DIM).transpose(1, 2)
            for layer in (self.to_q, self.to_k, self.to_v)
        )
        mixed = functional.scaled_dot_product_attention(*parts).transpose(1, 2).reshape(count, -1, width)
        return x + self.to_out[0](mixed).transpose(-1, -2).reshape(x.shape)


class _Middle(nn.Module):
    def __init__(self, width: int, told: int, groups: int) -> None:
        super().__init__()
        self.attentions = nn.ModuleList([_Attention(width, groups)])
        self.resnets = nn.ModuleList(_Residual(width, width, told, groups) for _ in range(2))

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        return self.resnets[1](self.attentions[0](self.resnets[0](x, told)), told)


class _Resized(nn.Module):
    """A convolution that halves a picture, or one of a picture doubled."""

    def __init__(self, width: int, up: bool) -> None:
        super().__init__()
        self._up = up
        self.conv = nn.Conv2d(width, width, 3, stride=1 if up else 2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest") if self._up else x)


class _Down(nn.Module):
    def __init__(self, before: int, width: int, told: int, groups: int, last: bool) -> None:
        super().__init__()
        self.resnets = nn.ModuleList([_Residual(before, width, told, groups)])
        self.downsamplers = None if last else nn.ModuleList([_Resized(width, up=False)])

    def forward(self, x: Tensor, told: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the level below, and what the way up sees of this one."""
        seen = [x := self.resnets[0](x, told)]
        if self.downsamplers is not None:
            seen.append(x := self.downsamplers[0](x))
        return x, seen


class _Up(nn.Module):
    def __init__(self, before: tuple[int, int], width: int, told: int, groups: int, last: bool) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(_Residual(channels, width, told, groups) for channels in before)
        self.upsamplers = None if last else nn.ModuleList([_Resized(width, up=True)])

    def forward(self, x: Tensor, seen: tuple[Tensor, Tensor], told: Tensor) -> Tensor:
        for resnet, skip in zip(self.resnets, seen, strict=True):
            x = resnet(torch.cat([x, skip], dim=1), told)
        return x if self.upsamplers is None else self.upsamplers[0](x)
