"""The embedded engine: our own two small diffusion nets and Real-ESRGAN's smallest, all on an ordinary CPU.

Both nets turn *rough to real*. The torso net draws neck, collar and clothes under a head, from flat
regions in the asked colours. The head net gives a soft or noisy head back clearer, and a LoRA on it is
what the studio learns of a person. `core/base/README.md` is their model card.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import cv2
import ncnn
import numpy as np
import torch
from diffusers import UNet2DModel
from torch.nn import functional

from core import weights
from core.engines.denoise import quiet
from core.engines.redress.repair import CLASSES
from core.types import F32

BASE: Final = Path(__file__).resolve().parents[2] / "base"
SIZE: Final = (128, 72)
"""Width and height of a torso as the net draws it: an eighth of the print; Real-ESRGAN makes it half."""
PATCH: Final = {"torso": 4, "head": 2}
"""Sides of the square of pixels that a net sees as one token."""
DETAIL: Final = 8.0
"""What brings the finest detail of a photo to about unit variance."""
DRAWN: Final = 5
"""Channels of a torso: colours, matte of the whole person, and of the bare neck."""
TOLD: Final = 10
"""Channels of what the torso net is told, as `conditions` packs them."""


class Embedded:
    """The nets, loaded once. Deterministic for the same inputs, threads and torch build."""

    name: Final = "embedded"

    def __init__(self) -> None:
        # torch alone takes half of the cores it sees; a worker says how many it leaves to others
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))))
        self.torso: Any = load_net("torso")
        self.head: Any = load_net("head")
        self._enlarger = ncnn.Net()
        self._enlarger.opt.num_threads = torch.get_num_threads()
        self._enlarger.load_param(str(weights.path("realesr-animevideov3-x4.param")))
        self._enlarger.load_model(str(weights.path("realesr-animevideov3-x4.bin")))

    @property
    def version(self) -> str:
        """Say which training of the base this is, for the recipe."""
        return str(json.loads((BASE / "version.json").read_text("utf-8"))["version"])

    def enlarge(self, rgb: F32) -> F32:
        """Enlarge a picture (H, W, 3) float32 0..1 four times: Real-ESRGAN animevideov3 (Wang et al. 2021)."""
        packed = np.ascontiguousarray(rgb.transpose(2, 0, 1), np.float32)  # ncnn reads it in place: it must live on
        extractor = self._enlarger.create_extractor()
        extractor.input("data", ncnn.Mat(packed))
        _, out = extractor.extract("output")
        return np.clip(np.array(out).transpose(1, 2, 0), 0, 1).astype(np.float32)


def conditions(rough: F32, keep: F32, lines: F32) -> F32:
    """Pack what the torso net is told: (10, 72, 128) float32 in -1..1.

    rough: (72, 128, 5) float32 0..1: sRGB, coverage of the clothes, coverage of the bare neck; told a
    little soft. keep: (72, 128, 4), sRGB and coverage of the head and of what is known of the neck;
    nothing outside is seen. lines: (72, 128), where the garment has seams and edges.
    """
    seen = np.dstack([keep[..., :3] * keep[..., 3:], keep[..., 3:], np.clip(2 * soften(lines), 0, 1)])
    return (np.concatenate([soften(rough), seen], axis=-1).astype(np.float32) * 2 - 1).transpose(2, 0, 1)


def soften(flat: F32) -> F32:
    """Soften flat regions (72, 128, C) to the edges a photo has at the torso net's size."""
    return cv2.GaussianBlur(flat, (0, 0), 0.6).astype(np.float32)


def told_torso(told: torch.Tensor) -> torch.Tensor:
    """Lay the head over the rough: the torso (N, 5, 72, 128) in -1..1 that an untrained net would give back."""
    known = (told[:, 8:9] + 1) / 2
    colours = told[:, :3] * (1 - known) + told[:, 5:8] + (1 - known)  # kept colours are premultiplied, in -1..1
    matte = torch.maximum(torch.maximum(told[:, 3:4], told[:, 4:5]), told[:, 8:9])
    return torch.cat([colours, matte, told[:, 4:5]], dim=1)


def drawn(net: Any, x: torch.Tensor, told: torch.Tensor, time: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
    """Predict clean torsos from noisy ones with a torso net: (N, 5, 72, 128) in -1..1; time (N,), 0 clean .. 1 noise.

    told: (N, 10, 72, 128) in -1..1 as `conditions` packs it; kind: (N,) int64, 0 for none. The net gives
    what is to be added to the rough with the head laid over it.
    """
    return told_torso(told) + tokens(net, torch.cat([quiet(x, time), told], dim=1), time, kind, DRAWN, PATCH["torso"])


def repaired(
    net: Any, x: torch.Tensor, rough: torch.Tensor, time: torch.Tensor, strength: torch.Tensor
) -> torch.Tensor:
    """Predict clean heads from noisy ones with a head net: (N, 3, H, W) in -1..1; strength (N,) 0..1.

    W must be divisible by 8. Strength 0 gives the rough back exactly: a clean head stays as it is.
    """
    level = (strength * (CLASSES - 1)).round().clamp(0, CLASSES - 1).long()
    # neighbouring pixels are so alike that fine detail would drown in their mean: it is told apart, at its own scale
    fine = DETAIL * (rough - functional.avg_pool2d(functional.pad(rough, (2, 2, 2, 2), mode="replicate"), 5, 1))
    change = tokens(net, torch.cat([quiet(x, time), rough, fine], dim=1), time, level, 3, PATCH["head"])
    return rough + change / DETAIL * (strength > 0).to(change.dtype)[:, None, None, None]


def tokens(
    net: Any, told: torch.Tensor, time: torch.Tensor, label: torch.Tensor, channels: int, patch: int
) -> torch.Tensor:
    """Run a net on squares of pixels as tokens (Li & He 2025, "Back to Basics"); rows are padded and cut."""
    height = told.shape[2]
    padded = functional.pad(told, (0, 0, 0, -height % (4 * patch)), mode="replicate")
    patches = functional.pixel_unshuffle(padded, patch).contiguous(memory_format=torch.channels_last)
    out = net(patches, time * 1000, class_labels=label).sample
    return functional.pixel_shuffle(out, patch)[:, :channels, :height]


def load_net(name: str) -> Any:
    """Load one of the shipped nets, "torso" or "head", as 32-bit floats."""
    net: Any = UNet2DModel.from_pretrained(BASE / name, local_files_only=True)
    return net.float().eval().to(memory_format=torch.channels_last)
