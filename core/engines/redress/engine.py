"""The CPU engine: the sitter's own head, restored where soft, over a drawn neck and garment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from core.engines import lora as training
from core.engines.redress import change, generate, lora, nets
from core.engines.redress.repair import need_of, repair
from core.scene.stage import Setup
from core.scene.style import Outfit
from core.types import Cutout, FaceMap, Identity, Layers, Portrait, Recipe


def open_engine(*_: object) -> RedressEngine:
    """Open the engine; everything it needs is part of the package."""
    return RedressEngine()


class RedressEngine:
    """See `core.engines.base.Engine`."""

    name: Final = nets.ENGINE
    draws_words: Final = False
    honesty: Final = (
        "Made by an AI system from a photograph: the head is the sitter's own pixels, repaired where soft, re-lit "
        "and re-set; neck, garment and backdrop are drawn. Each file says so in its metadata."
    )

    def __init__(self) -> None:
        self.nets = nets.shipped()

    @property
    def version(self) -> str:
        """See `Engine.version`."""
        return self.nets.version

    def train(
        self, who: Identity, folder: Path, on_progress: training.OnProgress, should_stop: Callable[[], bool]
    ) -> Identity:
        """See `Engine.train`: a LoRA on the head net, where a photo needs repair and only if it is proven to help."""
        base = f"{self.name}-{self.version}"
        result = lora.train(who.maps, lambda: self.nets.head, base, folder, on_progress, should_stop)
        return training.with_lora(who, result, folder)

    def prepare(self, cutout: Cutout, face: FaceMap, who: Identity) -> Cutout:
        """See `Engine.prepare`: the head is repaired as much as its photo needs, with the person's LoRA if any."""
        need = need_of(face)
        if need <= 0:
            return cutout
        net = lora.merged(self.nets.head, Path(who.lora)) if who.lora else self.nets.head
        return replace(cutout, rgb=repair(partial(nets.predict_head, net), cutout.rgb, need))

    def portrait(
        self, setup: Setup, style: str, purpose: str, who: Identity, name: str, should_stop: Callable[[], bool]
    ) -> Portrait:
        """See `Engine.portrait`."""
        return generate.generate(setup, style, purpose, self.nets, name, should_stop)

    def change_garment(self, layers: Layers, outfit: Outfit, recipe: Recipe, should_stop: Callable[[], bool]) -> Layers:
        """See `Engine.change_garment`."""
        return change.change_garment(layers, outfit, recipe.seed, self.nets, should_stop)
