"""What of the portrait is shown: format, headroom, nearer or further, enlarged."""

from typing import Final

from core.edit import formats
from core.edit.step import Settings, StepKind, added, one_of, strengths
from core.errors import Refused

NEARER: Final = {"touch": 0.08, "more": 0.18, "lots": 0.3}
"""Part by which the sitter becomes larger, or smaller."""
ZOOM: Final = (-0.25, 0.6)
"""Limits of both together."""
HEADROOM: Final = {"touch": 0.03, "more": 0.06}
"""Part of the print's height by which there is more, or less, above the head."""
ROOM: Final = (-0.12, 0.12)


def _nearer(settings: Settings, by: float) -> Settings:
    return added(settings, "zoom", by, *ZOOM)


def _higher(settings: Settings, by: float) -> Settings:
    return added(settings, "headroom", by, *ROOM)


def _enlarged(settings: Settings, times: float) -> Settings:
    if settings.get("upscale", 1) == int(times):
        raise Refused("tweak_limit", f"upscale is {times:g} already, the limit is 4")
    return {**settings, "upscale": int(times)}


STEPS: Final = (
    StepKind("format", 1, lambda text: one_of("format", formats.formats())(text),
             lambda settings, given: formats.settings_of(settings, given["value"]), takes="a format's name"),
    strengths("nearer", 1, NEARER, "touch", settings=_nearer),
    strengths("further", 1, {word: -by for word, by in NEARER.items() if word != "lots"}, "touch", settings=_nearer),
    strengths("more_headroom", 1, HEADROOM, "touch", settings=_higher),
    strengths("less_headroom", 1, {word: -by for word, by in HEADROOM.items()}, "touch", settings=_higher),
    strengths("upscale", 1, {"x2": 2.0, "x4": 4.0}, "x2", settings=_enlarged),
)  # fmt: skip
