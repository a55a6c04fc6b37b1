"""What an engine needs: weights, licence, memory; read by registry, doctor and download before anything is loaded.

An engine is one folder of `core/engines` with a `facts.py` that sets FACTS. Imports neither torch nor diffusers.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final, Literal

GB: Final = 2**30
SPARE: Final = 1.5
"""GB left for CUDA's context, workspaces and fragments. Learning klein took 1.8 GB less than is counted on an H100. An
engine that meets the end of the memory all the same goes on with its next smaller plan."""
AMPERE: Final = 8
"""Major compute capability from which NVIDIA's cards compute in bfloat16."""

Precision = Literal["bfloat16", "float16", "float32"]


@dataclass(frozen=True, slots=True)
class Weights:
    """One model an engine loads, in diffusers' folder layout.

    use: "draws" or "learns". setting: names another hub id, folder or single file, as ATELIER_<setting>. model,
    revision: hub id and its pinned commit. size_gb: of the files that are fetched, 10^9 bytes. parts: folders with
    config.json and safetensors; extras: patterns of other files that must be there. kind: class of the net in the
    config of the first part. variant: "fp16" where the files of half precision are fetched.
    """

    use: str
    setting: str
    model: str
    revision: str
    licence: str
    size_gb: float
    parts: tuple[str, ...]
    extras: tuple[str, ...]
    kind: str
    variant: str = ""

    def patterns(self, own: bool, without_net: bool = False) -> tuple[str, ...]:
        """Return which files of a repository are fetched: each net once, and safetensors only.

        own: a repository other than the published one. without_net: a single file takes the place of the first part.
        """
        nets = f"*.{self.variant}.safetensors" if self.variant and not own else "*.safetensors"
        return (
            "model_index.json",
            *(f"{part}/*.json" for part in self.parts),
            *(f"{part}/{nets}" for part in self.parts[1 if without_net else 0 :]),
            *self.extras,
            "LICENSE*",
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to run an engine on a card, and the GB it takes by what was measured on the meta device.

    compute: what is computed in. storage: what the large net is kept in, "float8_e4m3fn" casts it layer by layer.
    draws, learns: width and height of the largest picture drawn and of the pictures learnt from. references: photos
    shown beside the instruction. encoder_on_card: the text encoder may stay there. drawing_gb, learning_gb: without
    SPARE. block_gb: what learning may take more for each block of the net that is computed again for its gradients
    only in part, 0 where the engine does not; spent where the card has it. drawing_spare: GB left while drawing.
    """

    name: str
    compute: Precision
    storage: str
    draws: tuple[int, int]
    learns: tuple[int, int]
    references: int
    encoder_on_card: bool
    drawing_gb: float
    learning_gb: float
    block_gb: float = 0.0
    drawing_spare: float = SPARE

    @property
    def card_gb(self) -> float:
        """GB that must be free on the card for drawing and learning."""
        return max(self.drawing_gb + self.drawing_spare, self.learning_gb + SPARE)


@dataclass(frozen=True, slots=True)
class Card:
    """A CUDA card: free and whole memory in GB (2^30), and its compute capability."""

    name: str
    free_gb: float
    total_gb: float
    capability: tuple[int, int]

    def carries(self, plan: Plan) -> bool:
        """Return whether a plan fits what is free and computes in what the card computes in."""
        return plan.card_gb <= self.free_gb and self.computes(plan)

    def computes(self, plan: Plan) -> bool:
        """Return whether the card computes in the plan's precision."""
        return plan.compute != "bfloat16" or self.capability[0] >= AMPERE


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """An engine as it is chosen and opened.

    rank: `auto` tries the highest first. weights: empty where they are part of the package. plans: best first, empty
    for an engine of the CPU. opens: module and function, called with (facts, folders, plan, device, nets).
    """

    name: str
    title: str
    rank: int
    opens: tuple[str, str]
    weights: tuple[Weights, ...] = ()
    plans: tuple[Plan, ...] = ()

    def plan_for(self, card: Card) -> Plan | None:
        """Return the best plan that a card carries."""
        return next((plan for plan in self.plans if card.carries(plan)), None)

    def on_cpu(self) -> Plan:
        """Return the plan for a CPU: the sizes of the last one, in 32 bits."""
        last = self.plans[-1]
        return replace(last, name="cpu", compute="float32", storage="float32", encoder_on_card=False)

    def smaller_than(self, plan: Plan) -> Plan | None:
        """Return the next plan of the same precision that takes less memory, None where there is none."""
        less = (p for p in self.plans if p.card_gb < plan.card_gb and p.compute == plan.compute)
        return max(less, key=lambda p: p.card_gb, default=None)


@cache
def engines() -> dict[str, EngineFacts]:
    """Return every engine there is by name, best first: the folders beside this file that have a `facts.py`."""
    here = Path(__file__).parent
    folders = [item.name for item in pkgutil.iter_modules([str(here)]) if (here / item.name / "facts.py").is_file()]
    found: list[EngineFacts] = [importlib.import_module(f"core.engines.{name}.facts").FACTS for name in folders]
    return {facts.name: facts for facts in sorted(found, key=lambda facts: -facts.rank)}
