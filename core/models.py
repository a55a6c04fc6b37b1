"""Every network of the studio, each loaded when first asked for and then kept."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from core.settings import setting

if TYPE_CHECKING:
    from core.cutout.parser import Parser
    from core.engines.base import Engine
    from core.face.embedding import Recogniser
    from core.face.landmarks import Landmarker
    from core.face.light import LightClassifier


class Models:
    """The networks. One instance per thread: OpenCV's keep state.

    engine: a name of `core.engines.registry.NAMES`, or "auto", the best that can run here; by default as
    ATELIER_ENGINE says. Importing this module loads nothing: mediapipe and torch take seconds.
    """

    def __init__(self, engine: str | None = None) -> None:
        self._asked = engine or setting("ENGINE") or "auto"

    @cached_property
    def recogniser(self) -> Recogniser:
        """YuNet and SFace."""
        from core.face.embedding import Recogniser

        return Recogniser()

    @cached_property
    def landmarker(self) -> Landmarker:
        """mediapipe's face mesh."""
        from core.face.landmarks import Landmarker

        return Landmarker()

    @cached_property
    def light_classifier(self) -> LightClassifier:
        """Our net that tells hard and coloured light."""
        from core.face.light import LightClassifier

        return LightClassifier()

    @cached_property
    def parser(self) -> Parser:
        """The segmenter, U²-Net and our nets that tell hair, skin, clothes and hat apart."""
        from core.cutout.parser import Parser

        return Parser()

    @cached_property
    def engine(self) -> Engine:
        """What draws. Raises EngineMissing where it cannot run here."""
        from core.engines.registry import open_engine

        return open_engine(self._asked, self)
