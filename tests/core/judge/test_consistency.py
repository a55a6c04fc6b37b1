"""Claims about a set of portraits: what its eyes, heads and backdrops may differ by to look like one set."""

import cv2
import numpy as np
import pytest

from core.face.mesh import CHIN, HAIRLINE
from core.judge.consistency import BACKDROP_LIMIT, FRAME_LIMIT, Framing, consistency, measured

HEIGHT, WIDTH = 640, 512
GREY = (120, 120, 122)


def made(down_px: int = 0, taller_px: int = 0, backdrop: tuple[int, int, int] = GREY) -> Framing:
    """An oval head of which eyes and chin are known, on a plain backdrop with some grain."""
    head = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(head, (WIDTH // 2, 250 + down_px), (120, 160), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.ellipse(head, (WIDTH // 2, 250 + down_px), (120, 160 + taller_px), 0, 180, 360, 255, -1, cv2.LINE_AA)
    points = np.zeros((478, 2), np.float32)
    for index, x in ((33, 180), (133, 220), (362, 290), (263, 330)):
        points[index] = x, 246 + down_px
    points[CHIN] = WIDTH / 2, 410 + down_px
    points[HAIRLINE] = WIDTH / 2, 130 + down_px - taller_px
    grain = np.random.default_rng(down_px).normal(0, 2, (HEIGHT, WIDTH, 1))
    rgb = np.clip(np.where(head[..., None] > 0, (190, 150, 130), backdrop) + grain, 0, 255).astype(np.uint8)
    return measured(rgb, head == 0, points)


def test_a_set_in_one_frame_before_one_backdrop_is_alike() -> None:
    found = consistency([made(), made(down_px=3), made(taller_px=6)])
    assert found.alike
    assert found.eye_line == pytest.approx(3 / HEIGHT, abs=1e-6)
    assert found.head_height == pytest.approx(6 / HEIGHT, abs=2 / HEIGHT)
    assert found.backdrop < 0.5, "grain is no other colour"


@pytest.mark.parametrize(
    ("other", "which"),
    [
        (made(down_px=16), "eye_line"),
        (made(taller_px=20), "head_height"),
        (made(backdrop=(112, 120, 134)), "backdrop"),
        (made(backdrop=(104, 104, 106)), "backdrop"),
    ],
)
def test_one_portrait_that_stands_out_is_named_by_what(other: Framing, which: str) -> None:
    found = consistency([made(), made(), other])
    assert not found.alike
    limits = {"eye_line": FRAME_LIMIT, "head_height": FRAME_LIMIT, "backdrop": BACKDROP_LIMIT}
    assert [name for name, limit in limits.items() if getattr(found, name) > limit] == [which]


def test_a_head_that_fills_the_print_says_nothing_of_the_backdrop() -> None:
    nowhere = np.zeros((HEIGHT, WIDTH), bool)
    filled = measured(np.zeros((HEIGHT, WIDTH, 3), np.uint8), nowhere, np.zeros((478, 2), np.float32))
    assert consistency([made(), filled]).backdrop == 0.0
    assert consistency([made()]).alike
    assert consistency([]).alike
