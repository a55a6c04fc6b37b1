"""What the studio needs of an engine, and which one this machine uses.

Three things, in the order of a sitting: learn the person, make a cutout ready, draw a portrait of a setup.
Intake, maps, staging, judging, delivery and edits are the same for all.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from core.engines.redress.engine import Embedded
from core.engines.sdxl.checkpoints import weights_of
from core.engines.sdxl.vram import GB, best_for
from core.errors import EngineMissing
from core.scene.stage import Setup
from core.settings import setting
from core.types import Cutout, FaceMap, Identity, Portrait

if TYPE_CHECKING:
    from core.studio import Models

Teaching = Callable[[int, int, float], None]
"""Called with step, total and loss."""


class Engine(Protocol):
    """One way of drawing people; loaded once, serves one sitting after the other."""

    @property
    def name(self) -> str:
        """What settings, recipes and manifests call it."""

    @property
    def version(self) -> str:
        """Which weights it draws with; recipes name it beside the engine."""

    @property
    def honesty(self) -> str:
        """What every gallery says of such pictures."""

    def train(self, who: Identity, folder: Path, on_progress: Teaching, should_stop: Callable[[], bool]) -> Identity:
        """Learn a person; the Identity returned tells with `lora` and `proof` what came of it.

        folder: keeps state and outcome, an outcome that is there is used again. Raises Stopped after saving.
        """

    def prepare(self, cutout: Cutout, face: FaceMap, who: Identity) -> Cutout:
        """Make a cutout ready to be placed: mended where its photo is poor."""

    def portrait(
        self, setup: Setup, style: str, purpose: str, who: Identity, name: str, should_stop: Callable[[], bool]
    ) -> Portrait:
        """Draw one finished portrait, in layers; the same for the same setup. Raises Stopped between steps."""


class Redress(Embedded):
    """The embedded engine as the studio uses it: the sitter's own head, re-dressed, re-lit, re-set."""

    honesty: Final = (
        "Made by an AI system from a photograph: the head is the sitter's own pixels, repaired where soft, re-lit "
        "and re-set; neck, garment and backdrop are drawn. Each file says so in its metadata."
    )

    def train(self, who: Identity, folder: Path, on_progress: Teaching, should_stop: Callable[[], bool]) -> Identity:
        """See `Engine.train`: a LoRA on the head net, where a photo needs repair and only if it is proven to help."""
        from core.engines import lora as train

        came_to = train.train(who.maps, lambda: self.head, folder, on_progress, should_stop)
        return replace(who, lora=str(folder / "lora") if came_to.used else None, proof=asdict(came_to))

    def prepare(self, cutout: Cutout, face: FaceMap, who: Identity) -> Cutout:
        """See `Engine.prepare`: the head is repaired as much as its photo needs, with what was learnt of the person."""
        from core.engines.lora import learned
        from core.engines.redress.engine import repaired
        from core.engines.redress.repair import need_of, repair

        need = need_of(face)
        if need <= 0:
            return cutout
        net = learned(self.head, Path(who.lora)) if who.lora else self.head
        return replace(cutout, rgb=repair(partial(repaired, net), cutout.rgb, need))

    def portrait(
        self, setup: Setup, style: str, purpose: str, who: Identity, name: str, should_stop: Callable[[], bool]
    ) -> Portrait:
        """See `Engine.portrait`."""
        from core.engines.redress import generate

        return generate.generate(setup, style, purpose, self, name, should_stop)


def open_engine(asked: str, models: Models) -> Engine:
    """Open the engine of a name; "auto" is the best that can run here. Raises EngineMissing with the one next step."""
    name = best_here() if asked == "auto" else asked
    if name == "embedded":
        return Redress()
    if name not in ("sdxl", "sd15"):
        raise EngineMissing(asked, "there is no such engine", "choose auto, embedded, sdxl or sd15")
    folder = weights_of(name)  # before torch and its friends are loaded: what is missing is said within the second
    from core.engines.sdxl.engine import Stable

    return Stable(name, folder, setting("DEVICE") or "cuda", models)


def best_here() -> str:
    """Return the engine of the SD family that card, packages and weights here allow, else "embedded"."""
    if importlib.util.find_spec("transformers") is None:
        return "embedded"
    import torch

    if not torch.cuda.is_available():
        return "embedded"
    name = best_for(torch.cuda.mem_get_info()[1] / GB)
    if name is None:
        return "embedded"
    try:
        weights_of(name)
    except EngineMissing:
        return "embedded"
    return name
