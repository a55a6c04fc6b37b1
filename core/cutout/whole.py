"""FaceMap -> Cutout of the whole sitter, their own clothes included, and the window in which no border cuts them.

What the photo's border cuts, the print's border cuts: the print shows the largest 4:5 window of the frame inside which
the sitter ends only where they end in the photo.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from core import frame
from core.cutout.body import figure_of
from core.cutout.cutout import at_print, backdrop_of, foreground_of, regions_of
from core.cutout.hair import at_border
from core.cutout.parser import Parser
from core.cutout.parts import HALF, PARTS_SIZE, Parts
from core.face.mesh import CHIN, FACE_OVAL
from core.frame import INTEROCULAR_PX
from core.types import F32, Cutout, FaceMap

Window = tuple[float, float, float, float]

GRID: Final = 8
"""Pixels of PARTS_SIZE per step when a window is searched: 64 x 80 steps."""
LEAST_WINDOW: Final = 0.62
"""Least part of the frame that a print of own clothes may show: a face with its chin and a hand's breadth around."""
BESIDE_FACE: Final = 0.15
"""Eye distances that a window leaves beside and below the face."""
EYES_HIGH: Final = (0.36, 0.46)
"""Where the eye line may stand in a window, as a part of its height, before the window loses against a smaller one."""
CENTRED: Final = 0.06
"""How far off the middle the face may stand, as a part of the width, likewise."""
LEAST_CLOTHES: Final = 0.6
"""Part of the body below the chin, hair not counted, that cloth must cover to be presentable; bare shoulders and
swimwear leave more skin."""
SHOULDERS: Final = (1.5, 0.9)
"""Eye distances beside the neck and below the chin that a print must show for both shoulders to be seen."""


def cut_out_whole(face: FaceMap, parser: Parser) -> Cutout:
    """Lift the whole sitter off their photo at full print size, clothes and all.

    `head` is the whole person, for nothing of theirs is replaced; there is no neck and no back hair of its own. Where
    no window shows them uncut (`own_clothes` is None) the whole frame is shown, cut and all.
    """
    parts = parser.parse(face)
    window = window_of_whole(parts, face.landmarks) or (0.0, 0.0, float(frame.PRINT[0]), float(frame.PRINT[1]))
    picture, valid = frame.framed(face.selfie.rgb, face.transform, *frame.PRINT)
    guide = picture.astype(np.float32) / 255
    whole = (at_print(parts.person, guide) * (valid > 0.95)).astype(np.float32)
    figure = figure_of(parts, face.landmarks)
    nothing = np.zeros_like(whole)
    return Cutout(
        rgb=foreground_of(guide, whole),
        matte=whole,
        head=whole,
        back_hair=nothing,
        neck=nothing,
        backdrop=backdrop_of(valid, whole),
        figure=figure,
        shown=(0.0, 0.0, float(frame.PRINT[0])),
        regions=regions_of(parts),
        window=window,
    )


def own_clothes(parts: Parts, landmarks: F32) -> bool | None:
    """Say whether a portrait may show the clothes of the photo.

    True where a print shows both shoulders and presentable clothes, False where it shows less of them, None where the
    photo's border would cut the sitter inside any print.
    """
    window = window_of_whole(parts, landmarks)
    if window is None:
        return None
    left, top, wide, tall = window
    chin = float(landmarks[CHIN, 1])
    neck_x = figure_of(parts, landmarks).neck_x
    beside, below = SHOULDERS[0] * INTEROCULAR_PX, SHOULDERS[1] * INTEROCULAR_PX
    if left > neck_x - beside or left + wide < neck_x + beside or top + tall < chin + below:
        return False
    body = np.s_[round(chin * HALF) : round((top + tall) * HALF), round(left * HALF) : round((left + wide) * HALF)]
    cloth, skin = float(parts.clothes[body].sum()), float((parts.skin - parts.skin * parts.oval)[body].sum())
    return bool(cloth > LEAST_CLOTHES * max(cloth + skin, 1.0))


def window_of_whole(parts: Parts, landmarks: F32) -> Window | None:
    """Choose left, top, width and height, in full print pixels, of the best 4:5 window no border of the photo enters.

    The largest one in which eyes and face stand where a portrait has them; None where even LEAST_WINDOW of the frame
    would show a border cutting the sitter.
    """
    cut = np.zeros(parts.person.shape, bool)
    for way in ((0, -1), (-1, 0), (0, 1), (1, 0)):
        cut |= at_border(2.5 * parts.person, parts.valid, way)
    columns, rows = PARTS_SIZE[0] // GRID, PARTS_SIZE[1] // GRID
    blocked = cut.reshape(rows, GRID, columns, GRID).any(axis=(1, 3)).astype(np.float64)
    blocked = np.pad(blocked.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    points = landmarks[:, :2] * np.float32(HALF / GRID)
    oval = points[list(FACE_OVAL)]
    room = BESIDE_FACE * INTEROCULAR_PX * HALF / GRID
    eyes, middle = frame.EYE_LINE * rows, float((oval[:, 0].min() + oval[:, 0].max()) / 2)
    best, chosen = -np.inf, None
    for tall in range(rows, int(LEAST_WINDOW * rows), -1):
        wide = tall * columns / rows
        top, left = np.mgrid[0 : rows - tall + 1, 0 : int(columns - wide) + 1]
        bottom, right = top + tall, np.minimum(np.ceil(left + wide).astype(int), columns)
        free = blocked[bottom, right] - blocked[top, right] - blocked[bottom, left] + blocked[top, left] == 0
        free &= (left <= oval[:, 0].min() - room) & (left + wide >= oval[:, 0].max() + room)
        free &= (top <= oval[:, 1].min()) & (bottom >= oval[:, 1].max() + room)
        if not free.any():
            continue
        high = (eyes - top) / tall
        off = np.abs((middle - left) / wide - 0.5)
        low_cost = np.maximum(EYES_HIGH[0] - high, 0) + np.maximum(high - EYES_HIGH[1], 0)
        worth = tall / rows - 3 * low_cost - 2 * np.maximum(off - CENTRED, 0) - 0.2 * np.abs(high - 0.41) - 0.1 * off
        worth[~free] = -np.inf
        at = np.unravel_index(int(np.argmax(worth)), worth.shape)
        if worth[at] > best:
            best, chosen = float(worth[at]), (float(left[at]), float(top[at]), wide, float(tall))
    if chosen is None:
        return None
    step = GRID / HALF
    return chosen[0] * step, chosen[1] * step, chosen[2] * step, chosen[3] * step
