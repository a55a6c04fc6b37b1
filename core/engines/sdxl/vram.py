"""Memory the SD family needs on a card, and which of its engines a card carries; imports neither torch nor diffusers.

`core.engines.sdxl.measure` finds the numbers, and a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

GB: Final = 2**30
Precision = Literal["bfloat16", "float32"]
SPARE: Final = 2.5
"""GB left for CUDA's context, residual paths, workspaces and fragments; a guess that a card has still to confirm."""


@dataclass(frozen=True, slots=True)
class Family:
    """One family of Stable Diffusion: where its weights come from, and the sizes it was trained for.

    draws, learns: width and height in pixels of the largest picture drawn and of the pictures learnt from.
    """

    model: str
    title: str
    licence: str
    draws: tuple[int, int]
    learns: tuple[int, int]


FAMILIES: Final = {
    "sdxl": Family(
        "stabilityai/stable-diffusion-xl-base-1.0", "SDXL 1.0", "CreativeML Open RAIL++-M", (1024, 1280), (768, 960)
    ),
    "sd15": Family(
        "stable-diffusion-v1-5/stable-diffusion-v1-5", "SD 1.5", "CreativeML Open RAIL-M", (768, 960), (512, 640)
    ),
}


@dataclass(frozen=True, slots=True)
class Vram:
    """GB a card must hold. weights: UNet and VAE, in the precisions they run in; the text encoders stay off the card.

    drawing, learning: weights, and the most that a portrait or a training step adds; without SPARE.
    """

    weights: float
    drawing: float
    learning: float

    @property
    def card(self) -> float:
        """GB of the smallest card that can do it all."""
        return max(self.drawing, self.learning) + SPARE


VRAM: Final[dict[Precision, dict[str, Vram]]] = {
    "bfloat16": {"sdxl": Vram(5.09, 7.59, 5.89), "sd15": Vram(1.91, 3.32, 2.19)},
    "float32": {"sdxl": Vram(9.88, 12.38, 11.11), "sd15": Vram(3.51, 4.92, 4.02)},
}
"""By precision and engine, best first, as `measure` finds them."""
AMPERE: Final = 8
"""Major compute capability from which NVIDIA's cards compute in bfloat16."""


def precision_of(capability: tuple[int, int] | None) -> Precision:
    """Return the precision the UNet runs in on a card of a CUDA compute capability, None for a CPU."""
    return "bfloat16" if capability is not None and capability[0] >= AMPERE else "float32"


def best_for(card_gb: float, precision: Precision) -> str | None:
    """Return the engine a card of that many GB carries in a precision, None where it carries neither."""
    return next((name for name, vram in VRAM[precision].items() if vram.card <= card_gb), None)
