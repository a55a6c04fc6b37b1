"""The two demo sitters as finished portraits with their layers, drawn once at the smallest print."""

from dataclasses import replace

import pytest

from core.engines.redress.generate import generate
from core.engines.redress.nets import Nets
from core.scene.stage import Choice, set_up
from core.scene.style import load
from core.types import Cutout, FaceMap, Portrait


def _drawn(face: FaceMap, cutout: Cutout, style: str, nets: Nets) -> Portrait:
    small = replace(face, upscale_factor=10.0)  # the print becomes 512 x 640
    setup = set_up(small, cutout, load(style), Choice(outfit="charcoal_suit"), 0, 5, 0.3)
    setup.settings["crop"] = "portrait"
    return generate(setup, style, "job", nets, style, lambda: False)


@pytest.fixture(scope="session")
def collins(collins_map: FaceMap, collins_cutout: Cutout, nets: Nets) -> Portrait:
    """Eileen Collins, smiling, teeth seen, in suit and tie before grey paper."""
    return _drawn(collins_map, collins_cutout, "office", nets)


@pytest.fixture(scope="session")
def hopper(hopper_map: FaceMap, hopper_cutout: Cutout, nets: Nets) -> Portrait:
    """Grace Hopper, with glasses and a cap, mouth closed, in suit and tie by a window."""
    return _drawn(hopper_map, hopper_cutout, "founder", nets)
