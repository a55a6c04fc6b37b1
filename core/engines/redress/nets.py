"""The CPU engine's networks: two small diffusion nets of our own and Real-ESRGAN's smallest.

Both diffusion nets predict a clean picture beside a given one. The torso net draws neck, collar and clothes under a
head from flat regions in the asked colours; the head net restores a soft or noisy head. `core/base/README.md` is their
model card.
"""

from __future__ import annotations

import json
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import cv2
import ncnn
import numpy as np
import torch
from torch.nn import functional

from core import weights
from core.engines.denoise import scale_model_input
from core.engines.redress.repair import CLASSES
from core.engines.redress.unet import UNet
from core.settings import threads
from core.types import F32

ENGINE: Final = "embedded"
"""The engine's name in settings, recipes and manifests."""
BASE: Final = Path(__file__).resolve().parents[2] / "base"
SIZE: Final = (128, 72)
"""Width and height of a torso as the net draws it: an eighth of the print; Real-ESRGAN makes it half."""
PATCH: Final = {"torso": 4, "head": 2}
"""Sides of the square of pixels that a net sees as one token."""
DETAIL: Final = 8.0
"""What brings the finest detail of a photo to about unit variance."""
TORSO_CHANNELS: Final = 5
"""Channels of a torso: colours, matte of the whole person, and of the bare neck."""
CONDITIONING_CHANNELS: Final = 10
"""Channels of the torso net's conditioning, as `pack_conditioning` packs them."""


class Nets:
    """The networks, each loaded once, when first needed. The same for the same inputs, threads and torch build."""

    steps: int = 12
    """DPM-Solver++(2M) steps of a torso; all our pictures and figures were made with this number."""
    skin_shrink: int = 1
    """How many times smaller than the print drawn skin is worked out: it is soft, but for its grain."""

    def __init__(self) -> None:
        # torch alone takes half of the cores it sees; a worker says how many it leaves to others
        torch.set_num_threads(threads())
        self._upscaler = ncnn.Net()
        self._upscaler.opt.num_threads = torch.get_num_threads()
        self._upscaler.load_param(str(weights.path("realesr-animevideov3-x4.param")))
        self._upscaler.load_model(str(weights.path("realesr-animevideov3-x4.bin")))

    @cached_property
    def torso(self) -> UNet:
        """Return the net that draws neck, collar and clothes."""
        return load_net("torso")

    @cached_property
    def head(self) -> UNet:
        """Return the net that restores a soft or noisy head: few photos need it."""
        return load_net("head")

    @property
    def version(self) -> str:
        """Return which training of the base nets this is, for the recipe."""
        return str(json.loads((BASE / "version.json").read_text("utf-8"))["version"])

    def upscale(self, rgb: F32) -> F32:
        """Enlarge a picture (H, W, 3) float32 0..1 four times: Real-ESRGAN animevideov3 (Wang et al. 2021)."""
        packed = np.ascontiguousarray(rgb.transpose(2, 0, 1), np.float32)  # ncnn reads it in place: it must live on
        extractor = self._upscaler.create_extractor()
        extractor.input("data", ncnn.Mat(packed))
        _, out = extractor.extract("output")
        return np.clip(np.array(out).transpose(1, 2, 0), 0, 1).astype(np.float32)


@cache
def shipped() -> Nets:
    """Return the networks of this release, loaded once for whoever draws or changes a garment."""
    return Nets()


class QuickNets(Nets):
    """No network, for a preview: drawn skin in the face's colour, the own neck's where it begins.

    A step of the net brought drawn skin no nearer to the whole: 2.8 CIELAB with and without, 17 people in 4 garments.
    """

    steps = 0
    skin_shrink = 4

    def __init__(self) -> None:
        """Load nothing."""

    def upscale(self, rgb: F32) -> F32:
        """Return it as it is: skin of one colour has nothing to enlarge."""
        return rgb


def pack_conditioning(regions: F32, known: F32, lines: F32) -> F32:
    """Pack the torso net's conditioning: (10, 72, 128) float32 in -1..1.

    regions: (72, 128, 5) float32 0..1: flat sRGB, coverage of the clothes, coverage of the bare neck; given a little
    soft. known: (72, 128, 4), sRGB and coverage of the head and of what is known of the neck; nothing outside is
    seen. lines: (72, 128), where the garment has seams and edges.
    """
    seen = np.dstack([known[..., :3] * known[..., 3:], known[..., 3:], np.clip(2 * soften(lines), 0, 1)])
    return (np.concatenate([soften(regions), seen], axis=-1).astype(np.float32) * 2 - 1).transpose(2, 0, 1)


def soften(flat: F32) -> F32:
    """Soften flat regions (72, 128, C) to the edges a photo has at the torso net's size."""
    return cv2.GaussianBlur(flat, (0, 0), 0.6).astype(np.float32)


def base_torso(conditioning: torch.Tensor) -> torch.Tensor:
    """Lay the head over the flat regions: the torso (N, 5, 72, 128) in -1..1 to which the net adds its prediction."""
    known = (conditioning[:, 8:9] + 1) / 2
    # known colours are premultiplied, in -1..1
    colours = conditioning[:, :3] * (1 - known) + conditioning[:, 5:8] + (1 - known)
    matte = torch.maximum(torch.maximum(conditioning[:, 3:4], conditioning[:, 4:5]), conditioning[:, 8:9])
    return torch.cat([colours, matte, conditioning[:, 4:5]], dim=1)


def predict_torso(
    net: Any, x: torch.Tensor, conditioning: torch.Tensor, time: torch.Tensor, kind: torch.Tensor
) -> torch.Tensor:
    """Predict x0 of torsos: (N, 5, 72, 128) in -1..1 from x of that shape at time (N,), 0 clean .. 1 noise.

    conditioning: (N, 10, 72, 128) in -1..1 as `pack_conditioning` packs it; kind: (N,) int64, 0 for none. The net
    gives what is to be added to `base_torso`.
    """
    seen = torch.cat([scale_model_input(x, time), conditioning], dim=1)
    return base_torso(conditioning) + run_on_patches(net, seen, time, kind, TORSO_CHANNELS, PATCH["torso"])


def predict_head(
    net: Any, x: torch.Tensor, degraded: torch.Tensor, time: torch.Tensor, strength: torch.Tensor
) -> torch.Tensor:
    """Predict x0 of heads: (N, 3, H, W) in -1..1 from x of that shape; strength (N,) 0..1.

    W must be divisible by 8. Strength 0 gives `degraded` back exactly: a clean head stays as it is.
    """
    level = (strength * (CLASSES - 1)).round().clamp(0, CLASSES - 1).long()
    # neighbouring pixels are so alike that fine detail would drown in their mean: it is given apart, at its own scale
    fine = DETAIL * (degraded - functional.avg_pool2d(functional.pad(degraded, (2, 2, 2, 2), mode="replicate"), 5, 1))
    seen = torch.cat([scale_model_input(x, time), degraded, fine], dim=1)
    change = run_on_patches(net, seen, time, level, 3, PATCH["head"])
    return degraded + change / DETAIL * (strength > 0).to(change.dtype)[:, None, None, None]


def run_on_patches(
    net: Any, seen: torch.Tensor, time: torch.Tensor, label: torch.Tensor, channels: int, patch: int
) -> torch.Tensor:
    """Run a net on squares of pixels as tokens (Li & He 2025, "Back to Basics"); rows are padded and cut."""
    height = seen.shape[2]
    padded = functional.pad(seen, (0, 0, 0, -height % (4 * patch)), mode="replicate")
    patches = functional.pixel_unshuffle(padded, patch).contiguous(memory_format=torch.channels_last)
    out = net(patches, time * 1000, label)
    return functional.pixel_shuffle(out, patch)[:, :channels, :height]


def load_net(name: str) -> UNet:
    """Load one of the shipped nets, "torso" or "head", as 32-bit floats."""
    net: Any = UNet.load(BASE / name).eval()
    loaded: UNet = net.to(memory_format=torch.channels_last)
    return loaded
