"""A tie is told from a bare shirt, a T-shirt and a jacket over a shirt; where too little is seen nothing is said."""

import numpy as np
import pytest

from core import frame
from core.cutout.parts import PARTS_SIZE, Parts
from core.cutout.tie import IOD, wears_tie
from core.face.mesh import CHIN

WHITE, BLUE, DARK, RED = (238, 240, 244), (150, 180, 225), (40, 44, 52), (130, 25, 35)
WIDTH, HEIGHT = PARTS_SIZE
MIDDLE, CHIN_ROW = WIDTH // 2, 400


def chest(shirt: tuple[int, int, int], strip: tuple[int, int, int] | None, jacket: float, rows: int = HEIGHT) -> Parts:
    """A chest in a shirt, with a strip down its middle, and a jacket from so many eye distances beside it."""
    rgb = np.full((HEIGHT, WIDTH, 3), shirt, np.uint8)
    aside = np.abs(np.arange(WIDTH) - MIDDLE) / IOD
    rgb[:, aside > jacket] = DARK
    if strip is not None:
        rgb[:, aside < 0.2] = strip
    cloth = np.zeros((HEIGHT, WIDTH), np.float32)
    cloth[CHIN_ROW + 20 : rows] = 1
    blank = np.zeros_like(cloth)
    return Parts(rgb, np.ones_like(cloth), cloth, blank, blank, blank, cloth, blank, blank)


def landmarks() -> np.ndarray:
    points = np.zeros((478, 3), np.float32)
    points[CHIN, :2] = np.array([MIDDLE, CHIN_ROW]) * frame.PRINT[0] / WIDTH
    return points


@pytest.mark.parametrize(
    ("shirt", "strip", "jacket", "tie"),
    [
        (WHITE, RED, 0.6, True),
        (BLUE, DARK, 0.7, True),
        (WHITE, None, 0.6, False),
        (DARK, None, 2.0, False),
        (DARK, RED, 2.0, False),
        (WHITE, None, 0.2, False),
    ],
)
def test_a_tie_is_a_strip_of_another_colour_on_a_light_shirt(
    shirt: tuple[int, int, int], strip: tuple[int, int, int] | None, jacket: float, tie: bool
) -> None:
    assert wears_tie(chest(shirt, strip, jacket), landmarks()) is tie


def test_where_no_cloth_is_seen_nothing_is_said() -> None:
    assert wears_tie(chest(WHITE, RED, 0.6, rows=CHIN_ROW + 40), landmarks()) is None
