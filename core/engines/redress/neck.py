"""Where a neck is, between jaw and garment: a column, what hangs from the head beside it, the way to the collar."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.frame import INTEROCULAR_PX
from core.scene.neck_tone import FULL_NAPE
from core.types import F32, U8, Body

COLLAR: Final = 0.6
"""Eye distances beside the neck within which a garment is highest; by eye on the photographed garments."""
FLARE, TRAPEZIUS, LEAN, UPRIGHT = 0.6, 1.5, 1.0, 0.2
"""Columns by which a neck may grow wider with each row: beside the jaw, in an open collar, above a collar's highest
points, and its nape there; by eye."""
TIP: Final = 6
"""Print pixels below a collar's highest points down to which skin may still stand beside them; by eye."""
SLIT: Final = 0.15
"""Eye distances of backdrop between a neck and the collar below it that are filled; by eye."""
BESIDE_HAIR: Final = 0.4
"""Eye distances between head and hair, or between locks, across which skin goes on; by eye."""
ROUND: Final = 0.09
"""Eye distances, as a Gaussian's deviation, over which corners of a neck's outline are rounded; by eye on 40 necks."""
SOFT_EDGE: Final = 3.0
"""Print pixels over which a neck's outline fades: a head's own fades over as many, and one of a pixel looks cut out."""
MOSTLY, BESIDE_JAW = 0.4, 0.1
"""Part of what is around a notch that must be neck or jaw for it to be filled, and neck."""
LATE: Final = 0.35
"""Part of what is around by which less is filled right below the torso's upper edge; by eye."""
TIP_GAP: Final = 0.3
"""Eye distances by which a neck's outline is moved to end at a collar's highest point; by eye on 40 necks."""
LAPPED: Final = 0.2
"""Eye distances of cloth inwards of a collar's highest point within which its inner edge lies; a roll neck has none."""
BOW, HOLLOW = 0.03, 0.2
"""Eye distances by which an outline may lie outside and inside the straight line from jaw to collar; by eye."""
REACH: Final = 0.9
"""Eye distances above a collar up to which a neck is carried on to the head; by eye."""


def throat_of(body: Body, head: F32, scale: float) -> F32:
    """Return where the neck is, below and behind the jaw: (H, W) float32 for a head matte of the torso's part.

    A column that begins narrower behind the jaw and is a quarter wider at its foot, never wider than the head is there.
    scale: these pixels per print pixel.
    """
    rows, columns = (np.arange(side, dtype=np.float32) / scale for side in head.shape)
    rows = rows[:, None] + frame.GARMENT_TOP * frame.PRINT[1]
    top, foot = body.chin_y - 0.5 * INTEROCULAR_PX, body.collar_y + 0.9 * INTEROCULAR_PX
    along = np.clip((rows - body.chin_y) / (foot - body.chin_y), 0, 1)
    behind = np.clip((body.chin_y - rows) / (body.chin_y - top), 0, 1)
    half = body.neck_width / 2 * (1 + 0.25 * along**2 - 0.16 * behind)
    column = np.clip((half - np.abs(columns - body.neck_x)) * scale / 2 + 0.5, 0, 1) * ((rows > top) & (rows < foot))
    level = int(np.clip((top - frame.GARMENT_TOP * frame.PRINT[1]) * scale, 0, len(head) - 1))
    span = np.flatnonzero(head[level] > 0.5) / scale
    if len(span):
        inside = (columns > span[0] + 0.04 * INTEROCULAR_PX) & (columns < span[-1] - 0.04 * INTEROCULAR_PX)
        column *= inside | (rows > body.collar_y)
    return column.astype(np.float32)


def near_neck(body: Body, head: U8, skin: U8) -> F32:
    """Return where bare skin is neck and not shoulder: (H, W) float32 0..1 of the print, soft at its sides.

    head, skin: (H, W) uint8 mattes of the print. Worked out round the skin; 0 elsewhere.

    Beside the jaw what hangs from the head is neck, column by column: a turned head's nape, the shade under an ear. A
    bare shoulder stands before the backdrop.
    """
    height, width = head.shape
    scale = width / frame.PRINT[0]
    left, top, wide, tall = cv2.boundingRect(np.ascontiguousarray(skin))
    beyond = math.ceil(9 * scale) + 1  # further than the blur reaches
    across, down = slice(max(0, left - beyond), left + wide + beyond), slice(max(0, top - beyond), top + tall + beyond)
    columns = np.arange(width, dtype=np.float32)[None, across] / scale
    rows = np.arange(height, dtype=np.float32)[down, None] / scale
    wider = np.clip((rows - body.chin_y) / INTEROCULAR_PX, 0, 1)
    reach = body.neck_width / 2 + (0.12 + 0.4 * wider) * INTEROCULAR_PX
    hanging = head[:, across] > 127
    kept = hanging | (skin[:, across] > 127)
    for row in range(round(frame.EYE_LINE * height), min(height, down.stop)):
        hanging[row] |= kept[row] & hanging[row - 1]
    beside = np.clip((body.chin_y - rows) / INTEROCULAR_PX + 0.6, 0, 1) * INTEROCULAR_PX
    reach = reach + beside * cv2.GaussianBlur(hanging[down].astype(np.float32), (0, 0), 2 * scale)
    near = np.zeros(head.shape, np.float32)
    near[down, across] = np.clip((reach - np.abs(columns - body.neck_x)) / 12 + 0.5, 0, 1)
    return near


def up_to_collar(throat: F32, cover: F32, head: F32, body: Body, scale: float) -> F32:
    """Let the neck fill what lies between it, or the jaw, and the collar beside it: no backdrop shows in there.

    A collar stands off a neck that is turned; what is seen behind it is neck or cloth. All (H, W) float32 of the
    torso's part, matched row by row within a quarter of an eye distance. The collar's outer edge, three pixels
    of it, has no skin under it to shine through.
    """
    reach = round(0.25 * INTEROCULAR_PX * scale)
    figure = np.maximum(throat, head)
    beside = (np.arange(reach) >= 3).astype(np.uint8)[None]  # how far out its collar may be
    columns = np.arange(throat.shape[1], dtype=np.float32) / scale
    near = np.abs(columns - body.neck_x) < body.neck_width / 2 + 0.5 * INTEROCULAR_PX
    between = [
        np.minimum(
            cv2.dilate(cover, beside[:, ::way], anchor=(out, 0)),
            cv2.dilate(figure, np.ones((1, reach), np.uint8), anchor=(reach - 1 - out, 0)),
        )
        * near
        for way, out in ((-1, reach - 1), (1, 0))
    ]
    return np.maximum(throat, np.maximum(*(widening(filled, figure, FLARE) for filled in between)))


def widening(filled: F32, figure: F32, flare: float) -> F32:
    """Let what is filled begin at the figure and grow wider downwards by `flare` columns a row: no ledge.

    Both (H, W) float32 0..1; a filled row lies beside the figure's.
    """
    rows = np.flatnonzero((filled * (1 - figure) > 0.5).any(axis=1))
    if not len(rows):
        return filled
    left, top, wide, tall = cv2.boundingRect((filled > 0).astype(np.uint8))
    below = np.arange(top, top + tall, dtype=np.float32)[:, None] - rows[0]
    beyond = math.ceil(flare * below[-1, 0]) + 1  # a figure further out than that widens nothing
    seen = slice(top, top + tall), slice(max(0, left - beyond), left + wide + beyond)
    away = _away(figure[:, seen[1]], seen[0])
    grown = filled.copy()
    grown[seen] *= np.where(away == 0, 1, np.clip(flare * below - away + 0.5, 0, 1))
    return grown


def _from_above(figure: F32, rows: slice) -> F32:
    """Return in some rows of a figure (H, W) the most of it there and above."""
    above = figure[rows].copy()
    above[:1] = figure[: rows.start + 1].max(axis=0)
    return np.maximum.accumulate(above, axis=0)


def _away(figure: F32, rows: slice) -> F32:
    """Return how many columns each place of some rows lies beside the figure's (H, W) widest above it and there."""
    above = _from_above(figure, rows)  # a neck ends above the foot of an open collar, and skin goes on
    columns = np.arange(figure.shape[1], dtype=np.float32)
    left = np.maximum.accumulate(np.where(above < 0.5, -np.inf, columns), axis=1)
    right = np.minimum.accumulate(np.where(above < 0.5, np.inf, columns)[:, ::-1], axis=1)[:, ::-1]
    return np.minimum(columns - left, right - columns)


def up_to_head(neck: F32, head: F32, own: F32, cover: F32, body: Body, turn_deg: float, scale: float) -> F32:
    """Let a neck go on from a garment's highest points up to the head: no ledge of skin lies between jaw and collar.

    The sitter's own neck, and a turned head's nape, come down nearly upright; elsewhere a neck grows wider towards its
    collar by LEAN columns a row. Only below head and own neck, and by REACH at most. All (H, W) float32 0..1 of the
    torso's part. turn_deg: the torso's, to the picture's right. scale: these pixels per print pixel.
    """
    columns = np.arange(neck.shape[1], dtype=np.float32)[None]
    ends = collar_points(cover, body, scale)
    tops = [y for _, y in ends]
    seen = slice(
        int(np.clip(min(tops) - REACH * INTEROCULAR_PX * scale, 0, len(neck) - 1)),
        int(np.clip(max(tops) + 4 * scale + 1, 1, len(neck))),
    )
    rows = np.arange(seen.start, seen.stop, dtype=np.float32)[:, None]
    # an edge that is seen through would be carried down as a stripe
    below_head, below_own = (np.clip(2 * _from_above(figure, seen) - 1, 0, 1) for figure in (head, own))
    whole, filled = neck.copy(), neck[seen]
    for way, (x, y) in zip((1, -1), ends, strict=True):
        behind = float(np.clip(way * turn_deg / FULL_NAPE, 0, 1))
        height = y - rows
        near = (height > -4 * scale) & (height < REACH * INTEROCULAR_PX * scale)
        near = near & (way * (body.neck_x * scale - columns) >= 0)
        for below, lean in ((below_head, LEAN + (UPRIGHT - LEAN) * behind), (below_own, UPRIGHT)):
            inside = np.clip(way * (columns - x) - 3 * scale - lean * np.maximum(height, 0) + 0.5, 0, 1)
            filled = np.maximum(filled, inside * near * below)
    whole[seen] = filled
    return whole


def without_ledges(
    neck: F32, head: F32, own: F32, cover: F32, backdrop: F32, clothes: F32, body: Body, turn_deg: float, scale: float
) -> F32:
    """Let a neck's outline above a collar run slantwise: no skin stands out beside the jaw, none ends in the air.

    The sitter's own neck comes in by FLARE columns a row at most: where old clothes cut it off beside the jaw, it goes
    on to the collar. Going down, skin comes out from the head by as much at most. Above a collar's ends it is wider by
    UPRIGHT a row, a turned head's nape by LEAN; what stands out further is skin only under hair, and comes in to what
    is below by LEAN a row. What backdrop parts from the neck is none of it; a slit between it and the collar below, or
    of clothes between it and hair, is.
    All (H, W) float32 0..1 of the torso's part or of the whole print; backdrop, clothes: shares of what is behind hair,
    together 1 at most. turn_deg: the torso's, to the picture's right. scale: these pixels per print pixel.
    """
    columns, rows = np.arange(neck.shape[1], dtype=np.float32), np.arange(len(neck), dtype=np.float32)
    middle, fallen = body.neck_x * scale, FLARE * rows
    between = np.ones((1, round(BESIDE_HAIR * INTEROCULAR_PX * scale) | 1), np.uint8)
    slit = np.ones((round(SLIT * INTEROCULAR_PX * scale) | 1, 1), np.uint8)
    ends = collar_points(cover, body, scale)
    feet = [y + TIP * scale for _, y in ends]
    box = _round(np.maximum(neck, own), middle, max(feet), (2 * len(slit), between.shape[1]))
    solid = cv2.morphologyEx(head, cv2.MORPH_CLOSE, np.ones((9, 1), np.uint8))  # a thin row bare of hair is no end
    above = slice(box[0].start, int(np.clip(math.ceil(max(feet)), box[0].start + 1, box[0].stop))), box[1]
    made, hung, fallen_there = neck[above], head[above], fallen[above[0]]
    cloth = cv2.dilate(cover, slit, anchor=(0, 0))[above]  # and right above it
    hiding = np.clip(4 * hung - 3, 0, 1)  # skin under half-seen hair would end as a block
    for way, (x, y), foot in zip((-1, 1), ends, feet, strict=True):
        away = way * (columns - middle)
        beside = (away >= 0) & (rows[:, None] < foot)
        behind = float(np.clip(-way * turn_deg / FULL_NAPE, 0, 1))
        most = way * (x - middle) + (UPRIGHT + (LEAN - UPRIGHT) * behind) * (y - rows)
        reach = _reach(solid, beside, away)
        widest = np.maximum(most, reach)[above[0]]
        away, most, beside = away[above[1]], most[above[0]], beside[above]
        back = np.maximum.accumulate(_reach(own[above], beside, away) + fallen_there) - fallen_there
        filled = np.maximum(made, np.clip(back[:, None] - away + 1, 0, 1) * (back[:, None] > 0))
        reach[above[0]] = np.maximum(reach[above[0]], _reach(filled, beside, away))
        out = np.minimum.accumulate(np.where(np.isfinite(reach), reach, np.inf) - fallen)[above[0]]
        out = np.minimum(fallen_there + out, widest)
        slanting = np.clip(out[:, None] - away + 1.5, 0, 1)
        narrow = np.minimum(filled, np.clip(most[:, None] - away + 1.5, 0, 1))
        near, under = (cv2.morphologyEx(np.maximum(narrow, hiding), cv2.MORPH_CLOSE, k) for k in (slit.T, between))
        near = np.maximum(narrow, near * (1 - backdrop[above]))
        under = np.maximum(near, under * (1 - backdrop[above] - clothes[above]))
        kept = np.minimum(filled, np.minimum(slanting, under))
        kept = np.minimum(kept, _from_the_middle(np.maximum(kept, hung), away))
        low = _reach(np.maximum(kept, np.maximum(solid[above], cloth)), beside, away) + LEAN * rows[above[0]]
        low = np.minimum.accumulate(np.where(np.isfinite(low), low, np.inf)[::-1])[::-1] - LEAN * rows[above[0]]
        ended = np.clip(low[:, None] - away + 1.5, 0, 1)  # what fills up to hair ends with it, if not on cloth
        made = np.where(beside, np.minimum(kept, np.maximum(ended, hung)), made)
    whole, hung, across = neck[box].copy(), head[box], columns[box[1]]
    whole[: len(made)] = made
    made = cv2.morphologyEx(whole, cv2.MORPH_CLOSE, np.ones((5, 1), np.uint8))  # no row between two rules is left out
    covered = np.maximum(made, cover[box])
    closed = cv2.morphologyEx(covered, cv2.MORPH_CLOSE, slit)
    closed = np.minimum(closed, cv2.dilate(made * (1 - hung), slit, iterations=2))
    inside = (across > ends[0][0] + TIP * scale) & (across < ends[1][0] - TIP * scale)
    whole = np.zeros_like(neck)
    whole[box] = np.where(inside & (closed > covered + 0.5), closed, made)
    return whole


def up_to_tips(neck: F32, head: F32, cover: F32, top: int, body: Body, scale: float) -> F32:
    """Let a neck's outline run smoothly from the head to the highest points of a collar.

    A collar that stands off was a horn, skin outside it an old collar's. What is seen beside the head is smoothed, ends
    at the collar's point, and keeps to the straight line between (BOW, HOLLOW). An end further off than TIP_GAP
    stays, and one that would come in by more than FLARE columns a row. A closed collar takes nothing away.
    Nothing is added above row `top`, for above it the photo has no skin there, and FLARE columns a row below it at
    most. All (H, W) float32 0..1 of the torso's part or of the whole print. scale: these pixels per print pixel.
    """
    eye, middle = INTEROCULAR_PX * scale, body.neck_x * scale
    columns, rows = np.arange(neck.shape[1], dtype=np.float32), np.arange(len(neck), dtype=np.float32)
    made = neck.copy()
    for way, (x, y) in zip((-1, 1), collar_points(cover, body, scale), strict=True):
        inwards = cover[min(y + round(2 * TIP * scale), len(cover) - 1)] > 0.5
        open_at = np.flatnonzero(~inwards[x::-way][: round(LAPPED * eye)])  # a jacket's edge is as high as its shirt's
        closed = not len(open_at)
        x -= 0 if closed else way * max(0, int(open_at[0]) - 1)
        away, tip = way * (columns - middle), way * (x - middle)
        tall = slice(max(0, y - math.ceil(REACH * eye)), y + math.ceil(TIP_GAP * eye))
        beside = np.broadcast_to(away >= 0, neck[tall].shape)
        reach, hung = _reach(np.maximum(neck, head)[tall], beside, away), _reach(head[tall], beside, away)
        at = min(y - tall.start, len(reach) - 1)
        covered = np.flatnonzero(reach[:at] <= hung[:at] + 1)  # no skin is seen beside the head
        first = int(covered[-1]) + 1 if len(covered) else 0
        seen, off, most = reach[first:at], tip - reach[at - 1], TIP_GAP * eye
        if len(seen) < 3 or not np.isfinite(seen).all() or off > most or -off > min(most, FLARE * len(seen)):
            continue
        smooth = cv2.GaussianBlur(seen[:, None], (1, 0), ROUND * eye, borderType=cv2.BORDER_REPLICATE)[:, 0]
        way_down = np.linspace(0, 1, len(seen), dtype=np.float32)
        line = seen[0] + (tip - seen[0]) * way_down
        smooth += way_down**2 * (3 - 2 * way_down) * (tip - smooth[-1]) + (1 - way_down) ** 2 * (seen[0] - smooth[0])
        outline = np.full(len(reach), tip, np.float32)
        addable = FLARE * np.clip(rows[tall][first:at] - top, 0, None)
        outline[first:at] = np.minimum(np.clip(smooth, line - HOLLOW * eye, line + BOW * eye), seen + addable)
        outline[first:at] = np.maximum(outline[first:at], seen) if closed else outline[first:at]
        outline[:first] = reach[:first]
        edge = np.clip(outline[:, None] - away + 0.5, 0, 1) * (away >= 0)
        cut = (rows[tall, None] < y) & (away >= 0)  # below, within_collar has cut it
        bare = ((rows[tall] >= max(top, tall.start + first)) & np.isfinite(reach))[:, None] * (1 - head[tall])
        added = edge * np.clip(away - reach[:, None] + 2, 0, 1) * bare
        made[tall] = np.maximum(np.where(cut, np.minimum(made[tall], edge), made[tall]), added)
    return made


def rounded(neck: F32, head: F32, hair: F32, cover: F32, top: int, body: Body, scale: float) -> F32:
    """Round the corners of a neck's outline, and fill its notches: rules meet in angles, a neck does not.

    What is filled lies in the torso's part, from row `top` on, or where the photo has some skin, and within the collar.
    Head and garment stay. All (H, W) float32 0..1 of the print. scale: these pixels per print pixel.
    """
    sigma = ROUND * INTEROCULAR_PX * scale
    reach = math.ceil(3 * sigma)
    left, high, broad, tall = cv2.boundingRect((neck > 0).astype(np.uint8))
    box = np.s_[max(0, high - reach) : high + tall + reach, max(0, left - reach) : left + broad + reach]
    here, others = neck[box], np.maximum(head, cover)[box]
    smooth = cv2.GaussianBlur(np.maximum(here, others), (0, 0), sigma)
    wide = max(SOFT_EDGE * scale, 1)
    outline = np.clip((smooth - 0.5) * math.sqrt(2 * math.pi) * sigma / wide + 0.5, 0, 1)
    bare = here + head[box] * (1 - hair[box]) * (1 - here)  # no web between it and hair or cloth
    within = np.clip(8 * (cv2.GaussianBlur(bare, (0, 0), sigma) - MOSTLY), 0, 1)
    within *= np.clip(8 * (cv2.GaussianBlur(here, (0, 0), sigma) - BESIDE_JAW), 0, 1)
    below = np.arange(len(here), dtype=np.float32)[:, None] + box[0].start - top
    some = np.clip(2 * here, 0, 1)
    within *= np.where(below < 0, np.clip(1 + below / (2 * sigma), 0, 1) * some, 1)  # right above it is made firm alone
    late = LATE * np.clip(1 - below / (2 * sigma), 0, 1) * (1 - some) * (below >= 0)  # from one row on it is a ledge
    grown = np.clip((smooth - 0.5 - late) * math.sqrt(2 * math.pi) * sigma / wide + 0.5, 0, 1)
    (first, _), (last, _) = collar_points(cover, body, scale)
    within[:, : max(0, first + 1 - box[1].start)] = 0
    within[:, max(0, last - box[1].start) :] = 0
    made = np.maximum(np.minimum(here, np.maximum(outline, others)), np.minimum(grown, within) * (1 - others))
    whole = neck.copy()
    whole[box] = made
    return whole


def _round(figure: F32, middle: float, foot: float, margin: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns in which a neck may lie, round what there is of it (H, W) and down to a row.

    margin: rows and columns around, for what is closed by kernels.
    """
    left, top, width, height = cv2.boundingRect((figure > 0).astype(np.uint8))
    right, bottom = max(left + width, math.ceil(middle) + 2), max(top + height, math.ceil(foot))
    down, across = margin
    return (
        slice(max(0, top - down), min(len(figure), bottom + down)),
        slice(max(0, min(left, math.floor(middle) - 1) - across), min(figure.shape[1], right + across)),
    )


def _from_the_middle(figure: F32, away: F32) -> F32:
    """Return what may be there of a part of a figure (H, W), row by row: where the figure ends first, nothing beyond.

    away: (W,) columns from the middle, negative on the other side, where all may be there.
    """
    side = figure[:, away >= 0]
    outwards = side if away[-1] > 0 else side[:, ::-1]
    ended = np.logical_or.accumulate(np.logical_or.accumulate(outwards > 0.5, axis=1) & (outwards < 0.5), axis=1)
    most = np.minimum.accumulate(np.where(ended, outwards, 1), axis=1)
    whole = np.ones_like(figure)
    whole[:, away >= 0] = most if away[-1] > 0 else most[:, ::-1]
    return whole


def _reach(part: F32, beside: NDArray[np.bool_], away: F32) -> F32:
    """Return how far from the middle a part (H, W) goes on one side, row by row: (H,), minus infinity where nowhere."""
    return np.where((part > 0.5) & beside, away, -np.inf).max(axis=1).astype(np.float32)


def collar_points(cover: F32, body: Body, scale: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return a garment's highest points left and right of the neck: columns and rows of the torso's part."""
    width = cover.shape[1]
    solid = cover > 0.5
    top = np.where(solid.any(axis=0), np.argmax(solid, axis=0), len(cover))
    middle = int(np.clip(body.neck_x * scale, 1, width - 1))
    reach = round((body.neck_width / 2 + COLLAR * INTEROCULAR_PX) * scale)
    low, high = max(0, middle - reach), min(width, middle + reach)
    left, right = low + int(np.argmin(top[low:middle])), high - 1 - int(np.argmin(top[middle:high][::-1]))
    return (left, int(top[left])), (right, int(top[right]))


def within_collar(cover: F32, opening: F32, hair: F32, body: Body, scale: float) -> F32:
    """Return the columns between a garment's highest points on both sides of the neck: (H, W) float32 0..1.

    Cloth covers a body outside its collar: skin seen there is a shoulder of the photo, or what was mistaken for skin.
    Above those points a neck and what hangs from the head may be wider, by LEAN columns a row; below them its opening
    has skin to both its sides.
    Between a neck and the hair beside it there is no backdrop, so that rows with hair further out keep what they have.
    cover, opening, hair: (H, W) float32 0..1 of the torso's part. scale: these pixels per print pixel.
    """
    width = cover.shape[1]
    (left, left_top), (right, right_top) = collar_points(cover, body, scale)
    middle = body.neck_x * scale
    columns = np.arange(width, dtype=np.float32)
    rows = np.arange(len(cover), dtype=np.float32)[:, None]
    beyond_left, beyond_right = (LEAN * np.maximum(top - rows, 0) for top in (left_top, right_top))
    beside = np.minimum(columns - left + beyond_left, right - columns + beyond_right)
    inside = np.clip(beside / (3 * scale) + 1, 0, 1)
    strands = hair > 0.5
    further_left = np.logical_or.accumulate(strands, axis=1) & (columns < middle)
    further_right = np.logical_or.accumulate(strands[:, ::-1], axis=1)[:, ::-1] & (columns >= middle)
    return np.maximum(np.maximum(inside, opening), further_left | further_right).astype(np.float32)
