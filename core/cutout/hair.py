"""Hair below the jaw: what falls over the clothes, what hangs behind the shoulders, and where the photo cuts it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.colour import length, normalized_convolution
from core.cutout.body import JAW_CORNERS
from core.cutout.correct import OTHER, shaded_lab
from core.cutout.parts import HALF, Parts
from core.face.mesh import CHIN
from core.frame import INTEROCULAR_PX
from core.types import F32, Figure

SHOULDER_Y: Final = 0.23
"""Eye distances below the chin where shoulders stand in the median of 90 portraits, where the photo hides them."""
OVER: Final = 0.45
"""Eye distances below the shoulder line down to which hair must reach to lie over the clothes; by eye on 40 faces."""
GROWN: Final = 0.9
"""Eye distances by which hair behind the shoulders is carried on below its end, for a garment that begins lower."""
INWARDS: Final = 0.35
"""Columns by which hair that is carried on comes in from outside with each row; by eye."""
LEAST_RUN: Final = 0.3
"""Eye distances of hair above its end that a column must show to be carried on: less is a shadow beside the neck."""
END: Final = 0.2
"""Eye distances at a column's end that what is below shines into, or begins in: its colours go over to those of hair
further up; by eye."""
EDGE: Final = 3
"""Rows at the photo's lower border that are its own no more."""
BELOW: Final = 6
"""Rows below a column's end at which is looked whether anything hides how it goes on; and columns to both sides."""
WIDELY: Final = 0.1
"""Eye distances, as a Gaussian's deviation, over which hair's light is told from its strands; by eye."""
JOINED: Final = 0.08
"""Eye distances, from END above a column's end on, over which its mirror image goes over to strands from further up; by
eye."""
GAP: Final = 0.3
"""Eye distances between two groups of columns across which hair is carried on; by eye."""
LEAST_LOCK: Final = 0.15
"""Eye distances: narrower groups of columns are not carried on; they would hang down as stripes."""
FRINGE: Final = 0.25
"""Eye distances above the photo's lower border over which thin hair fades out; by eye."""
THIN: Final = (0.4, 0.8)
"""How much of a pixel is hair where it is thin, and where it is not."""
CUT: Final = 0.2
"""Eye distances of the head that the photo's border must cut before the print follows it."""


@dataclass(frozen=True, slots=True, eq=False)
class Hair:
    """Hair in two layers at PARTS_SIZE, (H, W) float32 0..1, and the colours of what was carried on below.

    front: hair that no garment covers. back: hair behind a garment, carried on below its end. rgb: (H, W, 3) float32;
    drawn: (H, W), how much of each pixel of `back` has these colours instead of the photo's.
    """

    front: F32
    back: F32
    rgb: F32
    drawn: F32


def layer_hair(parts: Parts, rgb: F32, figure: Figure, landmarks: F32, beard: F32, shaven: bool = False) -> Hair:
    """Tell hair in front of the clothes from hair behind them, each side of the neck for itself.

    rgb: (640, 512, 3) float32 0..1, the sitter's own colours. Hair that ends near the shoulder line, or that the
    photo's lower border cuts, hangs behind; hair that reaches further lies over the clothes, and a beard does.
    beard: (640, 512) float32 0..1, where a long one was found (`core.cutout.beard`).
    shaven: the face is known to have no beard, so that dark hair in the shade below its chin is none.
    """
    eye, chin = INTEROCULAR_PX * HALF, float(landmarks[CHIN, 1]) * HALF
    level = chin + SHOULDER_Y * eye if figure.shoulder_y is None else figure.shoulder_y * HALF
    rows = np.arange(parts.hair.shape[0], dtype=np.float32)[:, None]
    columns = np.arange(parts.hair.shape[1], dtype=np.float32)[None]
    below = np.clip((rows - (chin - 0.5 * eye)) / (0.3 * eye), 0, 1) * (1 - np.clip(4 * parts.oval, 0, 1))
    back = np.zeros_like(parts.hair)
    for side in (columns < figure.neck_x * HALF, columns >= figure.neck_x * HALF):
        hanging = parts.hair * (1 - beard) * side * below
        solid = (hanging > 0.5) & (rows > chin - 0.2 * eye)
        ends = np.flatnonzero(solid.sum(axis=1) > 0.12 * eye)
        if not len(ends):
            continue
        cut = at_border(solid.astype(np.float32), parts.valid, (1, 0)).any(axis=0).sum() > CUT * eye
        if cut or ends[-1] < level + OVER * eye:
            back = np.maximum(back, hanging)
    if not shaven:
        back = back * (1 - _beard(parts.hair, landmarks))
    front = np.clip(parts.hair - back, 0, 1)
    hidden = np.maximum(parts.person, 1 - parts.valid) > 0.5
    return Hair(front.astype(np.float32), *_carried_on(back, rgb, chin - 0.2 * eye, hidden, figure.neck_x * HALF))


def without_fringe(parts: Parts) -> Parts:
    """Let hair that cannot be carried on below the photo's lower border end above it, and not on a level line.

    Thin hair fades out over FRINGE. What stands out at the border beside thick hair, a flare or a bit of shoulder,
    comes in to it slantwise.
    """
    eye, rows = INTEROCULAR_PX * HALF, np.arange(len(parts.valid), dtype=np.float32)[:, None]
    reached = parts.valid > 0.5
    lowest = len(rows) - 1 - np.argmax(reached[::-1], axis=0)
    cut = reached.any(axis=0) & (lowest < len(rows) - 1)
    fade = np.where(cut, np.clip((lowest - EDGE - rows) / (FRINGE * eye), 0, 1), 1)
    near = cv2.dilate(parts.hair, np.ones((2 * BELOW + 1, 1), np.uint8))  # at the border itself thick hair is soft too
    thick = np.clip((near - THIN[0]) / (THIN[1] - THIN[0]), 0, 1)
    beside = np.where(cut, _beside_thick(parts.hair, lowest, round(LEAST_RUN * eye)), 0)
    slanting = np.where(beside > 0, np.clip((lowest - rows - beside) / EDGE + 1, 0, 1), 1)
    gone = parts.hair * (1 - fade - (slanting - fade) * thick)
    hair, person, head = (
        np.maximum(part - gone, 0).astype(np.float32) for part in (parts.hair, parts.person, parts.head)
    )
    return replace(parts, hair=hair, person=person, head=head)


def _beside_thick(hair: F32, lowest: NDArray[np.intp], least: int) -> F32:
    """Return how many columns each lies outside of all that have hair in `least` rows above the border: (W,).

    At most `least`, and 0 where there are none. hair: (H, W); lowest: (W,), the photo's last row in each column.
    """
    columns = np.arange(hair.shape[1])
    above = np.clip(lowest[None] - EDGE - np.arange(least)[:, None], 0, None)
    thick = np.flatnonzero((hair[above, columns[None]] > 0.5).all(axis=0))
    if not len(thick):
        return np.zeros(len(columns), np.float32)
    outside = np.maximum(np.maximum(thick[0] - columns, columns - thick[-1]), 0)
    return np.minimum(outside, least).astype(np.float32)


def less(hair: Hair, gone: F32) -> Hair:
    """Take what is gone of a photo's hair (H, W) from both layers of it."""
    return replace(hair, front=np.maximum(hair.front - gone, 0), back=np.maximum(hair.back - gone, 0))


def _beard(hair: F32, landmarks: F32) -> F32:
    """Return the columns of the jaw where hair lies right below the middle of the chin, else none: (1, W) float32."""
    eye, (x, y) = INTEROCULAR_PX * HALF, landmarks[CHIN, :2] * HALF
    patch = hair[round(y) : round(y + 0.3 * eye), max(0, round(x - 0.15 * eye)) : round(x + 0.15 * eye)]
    if not patch.size or np.median(patch) < 0.5:
        return np.zeros((1, hair.shape[1]), np.float32)
    left, right = np.sort(landmarks[list(JAW_CORNERS), 0]) * HALF
    columns = np.arange(hair.shape[1], dtype=np.float32)[None]
    return np.clip(np.minimum(columns - left, right - columns) / (0.1 * eye) + 1, 0, 1)


def _carried_on(back: F32, rgb: F32, top: float, hidden: NDArray[np.bool_], middle: float) -> tuple[F32, F32, F32]:
    """Carry hair on below its lower end, column by column and fading out: matte, colours, and where these are meant.

    Only where clothes or the photo's border hide how it goes on: hair that ends before the backdrop ends there. It
    comes in towards the neck, at x `middle`, as it goes down: straight down it stood off as a block.
    hidden: (H, W), the person and what the photo does not reach.
    """
    eye = INTEROCULAR_PX * HALF
    length = round(GROWN * eye)
    height, width = back.shape
    columns = np.arange(width)
    solid = back > 0.5
    solid[: max(0, int(top))] = False
    last = np.where(solid.any(axis=0), height - 1 - np.argmax(solid[::-1], axis=0), 0)
    rows = np.arange(height)[:, None]
    above = np.where(rows < last, ~solid, False)  # what interrupts a column's hair above its end
    first = np.where(above.any(axis=0), height - np.argmax(above[::-1], axis=0), 0)
    run = np.where(last > 0, last - first + 1 - EDGE, 0)
    below = np.minimum(last + BELOW, height - 1)
    covered = hidden[below, columns].astype(np.float32)[None]
    covered = cv2.blur(covered, (2 * BELOW + 1, 1))[0] > 0.5
    covered_between = hidden[np.minimum(last.max() + BELOW, height - 1)] | covered  # a gap has no end of its own
    used = (run > LEAST_RUN * eye) & covered & _of_hair(rgb, solid, last)
    used = _wide(used, round(LEAST_LOCK * eye))
    if not used.any():
        return back, rgb, np.zeros_like(back)
    known = np.flatnonzero(used)
    after = np.searchsorted(known, columns, side="right").clip(1)
    like = np.where(columns < middle, known[np.searchsorted(known, columns).clip(0, len(known) - 1)], known[after - 1])
    aside = np.clip(2 * like - columns, 0, width - 1)  # columns between locks are as those further in
    like = np.where(used[aside], aside, like)
    closed = cv2.morphologyEx(used.astype(np.uint8)[None], cv2.MORPH_CLOSE, np.ones((1, round(GAP * eye) | 1)))[0] > 0
    used |= closed & covered_between & (columns > known[0]) & (columns < known[-1])
    last, run = last[like], np.clip(run[like] + EDGE - round(END * eye), 1, length)
    strands = _strands_below(rgb[:, like], solid[:, like], last, run)
    over = rows - last[None]
    fade = np.clip((length - over) / (0.4 * length), 0, 1)
    for side in (columns < middle, columns >= middle):
        there = np.flatnonzero(used & side)
        if len(there):
            from_outside = columns - there[0] if side[0] else there[-1] - columns
            fade = np.where(side, np.minimum(fade, np.clip((from_outside - INWARDS * over) / 3 + 1, 0, 1)), fade)
    inside = used[None] & (over > -EDGE) & (over <= length)
    grown = np.where(inside, np.maximum(back, fade), back).astype(np.float32)
    soft = np.where(inside, cv2.GaussianBlur(grown, (0, 0), 1.0), grown).astype(np.float32)
    meant = np.where(used, np.clip(over / (END * eye) + 1, 0, 1), 0) * (over <= length) * (soft > 0.05)
    return soft, strands, meant.astype(np.float32)


def _strands_below(rgb: F32, solid: NDArray[np.bool_], last: NDArray[np.intp], run: NDArray[np.intp]) -> F32:
    """Carry strands on from END above their columns' ends: (H, W, 3) float32, to be used from there on.

    What is fine in them comes from above, in the same order; light and colour stay as they are there. Mirrored,
    strands met in angles along a level line, and light from further up stood below shade: right at first alone, over
    JOINED, they are mirrored, so that nothing breaks off.
    solid: (H, W), where hair hangs. last, run: (W,) rows, each column's end and how much hair is above END.
    """
    eye, columns = INTEROCULAR_PX * HALF, np.arange(len(last))
    first = np.maximum(last - round(END * eye), 0)
    beyond = np.maximum(np.arange(len(rgb))[:, None] - first[None], 0)
    wide = normalized_convolution(rgb, solid.astype(np.float32), WIDELY * eye)
    fine, light = rgb - wide, wide[first, columns]

    def there_and_back(away: NDArray[np.intp]) -> F32:
        phase = away % (2 * run)
        above = np.minimum(phase, 2 * run - 1 - phase)
        return np.asarray(fine[np.maximum(first - above, 0), columns[None]])

    mirrored = np.clip(1 - beyond / (JOINED * eye), 0, 1)[..., None]
    strands = mirrored * there_and_back(beyond) + (1 - mirrored) * there_and_back(beyond + run)
    return np.clip(light + strands, 0, 1).astype(np.float32)


def _of_hair(rgb: F32, solid: NDArray[np.bool_], last: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Say of each column whether what lies right above its end has the hair's own colour: (W,).

    solid: (H, W), where hair hangs. last: each column's end.
    """
    if not solid.any():
        return np.zeros(len(last), np.bool_)
    lab = shaded_lab(rgb)
    rows = np.clip(last[None] - EDGE - np.arange(BELOW)[:, None], 0, None)
    ends = np.median(lab[rows, np.arange(len(last))[None]], axis=0)
    return np.asarray(length(ends - np.median(lab[solid], axis=0)) < OTHER)


def _wide(used: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Drop groups of columns narrower than `least`: (W,)."""
    opened = cv2.morphologyEx(used.astype(np.uint8)[None], cv2.MORPH_OPEN, np.ones((1, least | 1), np.uint8))
    return opened[0] > 0


def at_border(mask: F32, valid: F32, way: tuple[int, int]) -> NDArray[np.bool_]:
    """Return where a mask (H, W) ends because the photo ends: `way` (rows, columns) leads out of the photo there.

    Each place of the photo's border belongs to the one side its normal points to, for a photo may stand tilted.
    """
    reached = (valid > 0.5).astype(np.float32)
    if reached.all():
        return np.zeros(mask.shape, np.bool_)
    near = reached * (cv2.erode(reached, np.ones((13, 13), np.uint8), borderValue=1) < 0.5)
    soft = cv2.GaussianBlur(reached, (0, 0), 6)
    down, along = cv2.Sobel(soft, cv2.CV_32F, 0, 1), cv2.Sobel(soft, cv2.CV_32F, 1, 0)
    outward = -way[0] * down - way[1] * along
    aside = np.abs(way[1] * down) + np.abs(way[0] * along)
    return (mask > 0.5) & (near > 0) & (outward > aside)


def shown_window(head: F32, valid: F32) -> tuple[float, float, float]:
    """Return left, top and right in pixels of the full print within which no border of the photo cuts the head.

    head, valid: (640, 512). The frame's own borders where nothing is cut.
    """
    eye = INTEROCULAR_PX * HALF
    limits = [0.0, 0.0, float(frame.PRINT[0])]
    for index, way in enumerate(((0, -1), (-1, 0), (0, 1))):
        rows, columns = np.nonzero(at_border(head, valid, way))
        place, along = (rows, columns) if way[0] else (columns, rows)
        if len(np.unique(along)) < CUT * eye:
            continue
        inner = np.max(place) + 1 if index < 2 else np.min(place)
        limits[index] = float(inner / HALF)
    return limits[0], limits[1], limits[2]
