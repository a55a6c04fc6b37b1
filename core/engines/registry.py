"""Choosing and opening an engine by name."""

from __future__ import annotations

import importlib.util
from typing import Final

from core.engines.base import Engine, FaceNets
from core.engines.sdxl.checkpoints import weights_of
from core.engines.sdxl.vram import GB, best_for, precision_of
from core.errors import EngineMissing
from core.settings import setting

NAMES: Final = ("embedded", "sdxl", "sd15")
"""What `--engine` and ATELIER_ENGINE may say, beside "auto"."""


def open_engine(asked: str, nets: FaceNets) -> Engine:
    """Open the engine of a name; "auto" is the best that can run here. Raises EngineMissing with the one next step."""
    name = best_here() if asked == "auto" else asked
    if name == "embedded":
        from core.engines.redress.engine import RedressEngine

        return RedressEngine()
    if name not in NAMES:
        raise EngineMissing(asked, "there is no such engine", f"choose auto, {', '.join(NAMES[:-1])} or {NAMES[-1]}")
    folder = weights_of(name)  # before torch and its friends are loaded: what is missing is said within the second
    from core.engines.sdxl.engine import StableDiffusionEngine

    return StableDiffusionEngine(name, folder, setting("DEVICE") or "cuda", nets)


def best_here() -> str:
    """Return the engine of the SD family that card, packages and weights here allow, else "embedded"."""
    if importlib.util.find_spec("transformers") is None:
        return "embedded"
    import torch

    if not torch.cuda.is_available():
        return "embedded"
    precision = precision_of(torch.cuda.get_device_capability())
    name = best_for(torch.cuda.mem_get_info()[1] / GB, precision)
    if name is None:
        return "embedded"
    try:
        weights_of(name)
    except EngineMissing:
        return "embedded"
    return name
