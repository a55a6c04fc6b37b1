"""The embedded engine: our own small diffusion net and Real-ESRGAN's smallest, both on an ordinary CPU.

It draws garments and nothing else: the sitter's head and neck are their own pixels. The net is a stock
`UNet2DModel` that turns a *rough* (flat regions in the asked colours) into cloth, conditioned on the
rough itself and on the head it belongs under; `core/base/README.md` is its model card.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import ncnn
import numpy as np
import torch
from diffusers import UNet2DModel
from torch.nn import functional

from core import weights
from core.nouns import F32

BASE: Final = Path(__file__).resolve().parent.parent / "base"
SIZE: Final = (256, 144)
"""Width and height of a garment as the net draws it: a quarter of the print."""
PATCH: Final = 8
"""The net sees 8 x 8 pixels as one token, as Li & He 2025 ("Back to Basics") do: x0-prediction allows it."""
ROWS: Final = 160
"""144 rows are padded to 160, so that the tokens halve twice."""
GARMENT: Final = 0
"""Class label of the garment mode."""


class Embedded:
    """The nets, loaded once. Deterministic for the same inputs, threads and torch build."""

    name: Final = "embedded"

    def __init__(self, net: torch.nn.Module | None = None) -> None:
        """Load the nets; `net` stands in for the shipped one while it is being trained."""
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0))))
        if net is None:
            loaded: Any = UNet2DModel.from_pretrained(BASE / "garment", local_files_only=True)
            net = loaded.float().eval().to(memory_format=torch.channels_last)
        self._net: Any = net
        self._enlarger = ncnn.Net()
        self._enlarger.opt.num_threads = torch.get_num_threads()
        self._enlarger.load_param(str(weights.path("realesr-animevideov3-x4.param")))
        self._enlarger.load_model(str(weights.path("realesr-animevideov3-x4.bin")))

    @property
    def version(self) -> str:
        """Say which training of the base this is, for the recipe."""
        return str(json.loads((BASE / "version.json").read_text("utf-8"))["version"])

    def conditions(self, rough: F32, keep: F32) -> torch.Tensor:
        """Pack what the net is told: (1, 8, 144, 256) float32 in -1..1.

        rough, keep: (144, 256, 4) float32 0..1, sRGB and coverage; keep's colours are multiplied by
        its coverage, so that nothing outside head and neck is seen.
        """
        seen = np.dstack([keep[..., :3] * keep[..., 3:], keep[..., 3:]])
        packed = np.concatenate([rough, seen], axis=-1).astype(np.float32) * 2 - 1
        return torch.from_numpy(packed.transpose(2, 0, 1)[None].copy())

    def predict(self, x: torch.Tensor, conditions: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Predict clean garments from noisy ones: (N, 4, 144, 256) in -1..1; time (N,), 0 clean .. 1 noise.

        The net gives what is to be added to the rough, so an untrained one would return the rough.
        """
        height = x.shape[2]
        together = functional.pad(torch.cat([x, conditions], dim=1), (0, 0, 0, ROWS - height), mode="replicate")
        tokens = functional.pixel_unshuffle(together, PATCH).contiguous(memory_format=torch.channels_last)
        mode = torch.full((len(x),), GARMENT, dtype=torch.long)
        added = self._net(tokens, time * 1000, class_labels=mode).sample
        return conditions[:, :4] + functional.pixel_shuffle(added, PATCH)[:, :, :height]

    def enlarge(self, rgb: F32) -> F32:
        """Enlarge a picture (H, W, 3) float32 0..1 four times: Real-ESRGAN animevideov3 (Wang et al. 2021)."""
        extractor = self._enlarger.create_extractor()
        extractor.input("data", ncnn.Mat(np.ascontiguousarray(rgb.transpose(2, 0, 1), np.float32)))
        _, out = extractor.extract("output")
        return np.clip(np.array(out).transpose(1, 2, 0), 0, 1).astype(np.float32)
