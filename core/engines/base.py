"""The protocol of an engine: learn the person, make a cutout ready, draw a portrait of a setup, in that order.

Intake, maps, staging, judging, delivery and edits are the same for all engines.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.scene.stage import Setup
from core.scene.style import Outfit
from core.types import Cutout, FaceMap, Identity, Layers, Portrait, Recipe

if TYPE_CHECKING:
    from core.cutout.parser import Parser
    from core.face.embedding import Recogniser
    from core.face.landmarks import Landmarker


class FaceNets(Protocol):
    """The networks with which an engine looks at photos and at its own drawings."""

    @property
    def recogniser(self) -> Recogniser:
        """Finds and embeds faces."""

    @property
    def landmarker(self) -> Landmarker:
        """Traces the face mesh."""

    @property
    def parser(self) -> Parser:
        """Tells the person from the backdrop."""


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

    @property
    def draws_words(self) -> bool:
        """Whether a person's own words change what it draws."""

    def train(
        self,
        who: Identity,
        folder: Path,
        on_progress: Callable[[int, int, float], None],
        should_stop: Callable[[], bool],
    ) -> Identity:
        """Learn a person; the Identity returned has `lora`, `trained_on` and `proof` of what came of it.

        folder: keeps state and outcome; an outcome of the same photos, engine and recipe is used again.
        on_progress(step, total, loss). Raises Stopped after saving.
        """

    def prepare(self, cutout: Cutout, face: FaceMap, who: Identity) -> Cutout:
        """Make a cutout ready to be placed: repaired where its photo is poor."""

    def portrait(
        self, setup: Setup, style: str, purpose: str, who: Identity, name: str, should_stop: Callable[[], bool]
    ) -> Portrait:
        """Draw one finished portrait, in layers; the same for the same setup. Raises Stopped between steps."""

    def change_garment(self, layers: Layers, outfit: Outfit, recipe: Recipe, should_stop: Callable[[], bool]) -> Layers:
        """Put another garment on a portrait of this engine: its layers as drawn, its recipe without edits.

        Raises Refused where this engine cannot, or not on this portrait; Stopped between steps.
        """
