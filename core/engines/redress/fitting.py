"""A photographed garment put on a body: warped to neck and shoulders, recoloured by part, ready for the rig's light.

The warp is a thin plate spline (Bookstein 1989) through the anchors of `core.scene.wardrobe.targets_of`. Colours change
in CIELAB (`recoloured`). The result is a `Layout` like a drawn one, so that all that lies round a garment is the same.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.colour import LUMINANCE, length, linear, normalized_convolution, srgb, thrice
from core.engines.redress.garment import Cloth
from core.engines.redress.paint import TOP, Layout
from core.frame import INTEROCULAR_PX
from core.scene.lighting import inflate
from core.scene.wardrobe import PART_NAMES, Garment, photographed, targets_of
from core.types import F32, Body

OPENING: Final = 0.4
"""Eye distances beside the neck within which a garment's opening lies."""
GRID: Final = 16
"""Print pixels between the points at which the spline is worked out; it is smooth."""
MOST_STRETCH: Final = 2.2
"""By how much a garment may be drawn longer at the frame's foot, where its photograph ends above it; by eye."""
FALL: Final = 1.2
"""Rows by which a shoulder or an arm falls with each column beyond the photograph's side; by eye."""
CONTRAST: Final = 0.5
"""How much of a cloth's own contrast is kept in another brightness: black cloth hides folds that grey shows."""
MOST_STOPS: Final = 1.6
"""Bound on light and shade within one cloth, in natural logarithms of luminance."""
MOST_HUE: Final = 10.0
"""Bound on that variation in CIELAB a* and b*: what is further off shines in from the cloth beside."""
INVERTED: Final = 2.5
"""By how much, in natural logarithms of luminance, a cloth must become brighter for its edge to be carried out from
within: black cloth worn as white has a line of dots where it met a lighter one; others have a shade there; by eye."""
GRAIN, GRAIN_PX = 0.2, 3
"""Natural logarithm of luminance below which what differs within some pixels of black cloth is the grain of its
photograph, and those pixels: worn in grey it looked embossed; folds differ by more; by eye."""
SEAM: Final = 6.0
"""Blur in pixels of the pictures by which a cloth is carried into its own edge; by eye."""
PREVIEWED: Final = 0.5
"""Pixels per print pixel up to which cloth is enlarged by a bicubic curve: a preview is seen for a moment, and Lanczos
takes four times as long."""
PATTERN: Final = 0.7
"""How much of a part's own variation of hue is kept in a new colour."""


def worn(garment: Garment, cloth: Cloth, body: Body, turn_deg: float, size: tuple[int, int], plain: bool) -> Layout:
    """Put a garment on a body: a layout of `size` (width, height), the frame's lower part.

    cloth: the colours that are asked for, taken on by the garment's plain parts. plain: False leaves it in its own.
    """
    width, height = size
    rgba, parts = _in_colours(garment, cloth, plain)
    source, target = targets_of(garment, body, turn_deg)
    scale = width / frame.PRINT[0]
    ways = _spline(target, source, size, scale)
    (_, left), (_, right) = garment.facts.shoulders
    ways[..., 1] = down_to_the_foot(ways[..., 1], (left + right) / 2, rgba.shape[0] - 1.0)
    enlarged = INTEROCULAR_PX / garment.facts.eye_px * scale
    if enlarged < 0.8:
        rgba, parts = (cv2.GaussianBlur(np.ascontiguousarray(layer), (0, 0), 0.4 / enlarged) for layer in (rgba, parts))
    last = np.array([rgba.shape[1] - 1, rgba.shape[0] - 1], np.float32)
    across, down = cv2.split(ways)
    inside = np.clip(across, 0, last[0])
    down -= FALL * np.abs(across - inside)
    folded = last[1] - np.abs(last[1] - down)  # what the stretch does not reach is its own mirror image
    aside = np.abs(last[0] - np.abs(last[0] - across))  # and so is what lies beyond its sides
    curve = cv2.INTER_LANCZOS4 if scale > PREVIEWED else cv2.INTER_CUBIC
    colour, alpha, where = (
        cv2.remap(np.ascontiguousarray(layer), columns, rows, how, borderMode=cv2.BORDER_REPLICATE)
        for layer, columns, rows, how in (
            (rgba[..., :3], aside, folded, curve),
            (rgba[..., 3], inside, np.minimum(down, last[1]), cv2.INTER_CUBIC),
            (parts, aside, folded, cv2.INTER_LINEAR),
        )
    )
    above = ways[..., 1] < 0
    alpha = np.clip(np.where(above, 0, alpha), 0, 1).astype(np.float32)
    colour = np.clip(colour, 0, 1).astype(np.float32)
    regions: dict[str, F32] = {name: part * alpha for name, part in zip(PART_NAMES, cv2.split(where), strict=True)}
    nothing = np.zeros((height, width), np.float32)
    edges = reduce(np.maximum, cv2.split(cv2.morphologyEx(where, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))))
    lines = (edges > 0.5).astype(np.float32) * cv2.erode(alpha, np.ones((3, 3), np.uint8))
    return Layout(cv2.merge((*cv2.split(colour), alpha)), regions, alpha, nothing, lines, nothing)


@lru_cache(maxsize=1)
def _in_colours(garment: Garment, cloth: Cloth, plain: bool) -> tuple[F32, F32]:
    """Return a garment's pictures in the colours asked for, (H, W, 4) and (H, W, 3) float32 0..1; not to be changed.

    A portrait's garment is laid out at three sizes, one after the other: it is dyed once.
    """
    pictures = photographed(garment.name)
    rgba: F32 = pictures.cloth.astype(np.float32) / 255
    parts: F32 = pictures.parts.astype(np.float32) / 255
    if garment.mirrored:
        rgba, parts = rgba[:, ::-1], parts[:, ::-1]
    if plain:
        wanted = {"jacket": cloth.jacket, "shirt": cloth.shirt, "tie": cloth.tie}
        for index, name in enumerate(PART_NAMES):
            if name in garment.facts.plain:
                rgba = recoloured(rgba, parts[..., index], wanted[name])
    return rgba, parts


def down_to_the_foot(rows: F32, start: float, last: float) -> F32:
    """Stretch a garment below its shoulder line so that its photograph reaches the frame's foot.

    rows: (H, W) float32, which row of its pictures each pixel shows. start, last: their rows of the shoulder line and
    of the end. The stretch grows evenly from none, to MOST_STRETCH at the foot.
    """
    deepest = float(rows[-1].max()) - start
    least = (1 + 1 / MOST_STRETCH) / 2
    share = max((last - start) / deepest, least) if deepest > 0 else 1.0
    if share >= 1:
        return rows
    below = np.maximum(rows - start, 0)
    return (rows - (1 - share) / deepest * below**2).astype(np.float32)


def recoloured(rgba: F32, part: F32, wanted: tuple[int, int, int]) -> F32:
    """Give one part of a garment another colour: (H, W, 4) sRGB 0..1; its median becomes `wanted` (sRGB 0..255).

    Light and shade stay as ratios of luminance, hue and saturation move in CIELAB.
    """
    known = (part > 0.9) & (rgba[..., 3] > 0.9)
    if known.sum() < 20:
        return rgba
    goal = np.array(wanted, np.float32)[None, None] / 255
    light = linear(rgba[..., :3]) @ LUMINANCE + 0.002
    middle, aim = float(np.median(light[known])), float((linear(goal) @ LUMINANCE)[0, 0]) + 0.002
    brighter, cloth = max(0.0, np.log(aim / middle)), np.ascontiguousarray(rgba[..., :3])
    if brighter > INVERTED:
        cloth = _own_edge(cloth, known)
        light = linear(cloth) @ LUMINANCE + 0.002
    ratio = np.log(light / middle) * (1 - (1 - CONTRAST) * min(brighter, 1.0))
    ratio = (MOST_STOPS * np.tanh(ratio / MOST_STOPS)).astype(np.float32)
    noisy = float(np.clip(brighter, 0, 1))
    lab = cv2.cvtColor(cloth, cv2.COLOR_RGB2LAB)
    if noisy:
        ratio += noisy * (cv2.ximgproc.guidedFilter(ratio, ratio, GRAIN_PX, GRAIN**2) - ratio)
        smooth = normalized_convolution(lab, known.astype(np.float32), GRAIN_PX)
        lab[known, 1:] += noisy * (smooth - lab)[known, 1:]
    to = cv2.cvtColor(goal, cv2.COLOR_RGB2LAB)[0, 0]
    new = np.empty_like(lab)
    grey = srgb(np.clip(aim * np.exp(ratio) - 0.002, 0, 1))
    new[..., 0] = cv2.cvtColor(np.dstack([grey] * 3).astype(np.float32), cv2.COLOR_RGB2LAB)[..., 0]
    dim, new_dim = lab[..., 0] / max(np.median(lab[..., 0][known]), 1), new[..., 0] / max(to[0], 1)
    for channel in (1, 2):  # in the shade a cloth has less of its colour, not another
        own = lab[..., channel] - np.median(lab[..., channel][known]) * np.minimum(dim, 1.3)
        new[..., channel] = to[channel] * np.minimum(new_dim, 1.3) + PATTERN * np.clip(own, -MOST_HUE, MOST_HUE)
    for channel in range(3):
        new[..., channel] += to[channel] - np.median(new[..., channel][known])
    made = np.clip(cv2.cvtColor(new, cv2.COLOR_LAB2RGB), 0, 1)
    out = rgba.copy()
    own = out[..., :3]
    own += (made - own) * thrice(part)
    return out


def _own_edge(rgb: F32, known: NDArray[np.bool_]) -> F32:
    """Carry a cloth's colours (H, W, 3) into its edge, whose pixels hold the cloth beside it too."""
    spread = normalized_convolution(rgb, known.astype(np.float32), SEAM)
    sure = cv2.erode(known.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.where(sure[..., None], rgb, spread).astype(np.float32)


def as_sharp(rgb: F32, enlarged: float, head_enlarged: float) -> F32:
    """Bring cloth (H, W, 3) sRGB to the sharpness of the head: both are photographs enlarged by a factor.

    The sharper cloth is blurred by what the head lost more; the softer one gets its edge contrast back by an unsharp
    mask, as the head gets its own (`core.scene.stage`).
    """
    blur = [0.45 * max(factor - 0.8, 0.0) for factor in (enlarged, head_enlarged)]
    if blur[1] > blur[0] + 0.2:
        return cv2.GaussianBlur(rgb, (0, 0), float(np.sqrt(blur[1] ** 2 - blur[0] ** 2)))
    if enlarged <= 1.2:
        return rgb
    luma = rgb @ LUMINANCE
    detail = luma - cv2.GaussianBlur(luma, (0, 0), 0.55 * enlarged)
    amount = min(0.7, 0.45 * (enlarged - 1.0))
    return np.clip(rgb + thrice(amount * np.clip(detail, -0.05, 0.05)), 0, 1).astype(np.float32)


def opening_of(cover: F32, body: Body) -> F32:
    """Return what a garment leaves open between its sides: the V or the round of its neck, (H, W) float32 0..1.

    There the wearer's skin is seen, however deep it goes: cloth lies to the left, to the right and below.
    """
    solid = cover > 0.5
    columns = np.arange(cover.shape[1]) * frame.PRINT[0] / cover.shape[1]
    near = np.abs(columns - body.neck_x) < body.neck_width / 2 + OPENING * INTEROCULAR_PX
    left, right = (np.logical_or.accumulate(solid[:, ::way], axis=1)[:, ::way] for way in (1, -1))
    below = np.logical_or.accumulate(solid[::-1], axis=0)[::-1]
    open_ = (~solid & left & right & below & near).astype(np.uint8)
    wider = cv2.dilate(open_, np.ones((7, 7), np.uint8)) * (below | solid)
    return cv2.GaussianBlur(wider.astype(np.float32), (0, 0), 1.0) * np.maximum(open_, solid)


def _spline(at: F32, to: F32, size: tuple[int, int], scale: float) -> F32:
    """Return for each pixel of the frame's lower part where it lies in the garment's pictures: (H, W, 2) float32.

    at, to: (N, 2) anchors in full print pixels and in the pictures.
    """
    width, height = size
    columns = np.arange(0, frame.PRINT[0] + GRID, GRID, dtype=np.float64)
    rows = np.arange(0, frame.PRINT[1] - TOP + GRID, GRID, dtype=np.float64) + TOP
    grid = np.stack(np.meshgrid(columns, rows), axis=-1)
    anchors, unit = at.astype(np.float64), INTEROCULAR_PX
    corner = np.array([frame.PRINT[0] / 2, TOP])

    def basis(points: NDArray[np.float64]) -> NDArray[np.float64]:
        squared = ((points[..., None, :] - anchors) ** 2).sum(axis=-1) / unit**2
        radial = squared * np.log(np.maximum(squared, 1e-9))
        straight = np.concatenate([np.ones((*points.shape[:-1], 1)), (points - corner) / unit], axis=-1)
        return np.concatenate([radial, straight], axis=-1)

    count = len(anchors)
    known = np.zeros((count + 3, count + 3))
    known[:count] = basis(anchors)
    known[count:, :count] = known[:count, count:].T
    wanted = np.zeros((count + 3, 2))
    wanted[:count] = to
    weights = np.linalg.solve(known, wanted)
    coarse = (basis(grid) @ weights).astype(np.float32)
    x, y = (((np.arange(side, dtype=np.float32) + 0.5) / scale - 0.5) / GRID for side in size)
    x, y = np.tile(x, (height, 1)), np.repeat(y[:, None], width, axis=1)
    return cv2.remap(coarse, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def trunk_normals(cover: F32) -> F32:
    """Return a body's unit normals under a photographed garment (H, W, 3): round; folds are in the photo.

    The opening of the neck is closed first: a body goes on there.
    """
    height, width = cover.shape
    small = (max(8, width // 4), max(8, height // 4))
    from_left = np.maximum.accumulate(cover, axis=1)
    closed = np.minimum(from_left, np.maximum.accumulate(cover[:, ::-1], axis=1)[:, ::-1])
    trunk = inflate(cv2.resize(closed, small, interpolation=cv2.INTER_AREA))
    trunk = cv2.resize(cv2.GaussianBlur(trunk, (0, 0), 4), (width, height), interpolation=cv2.INTER_CUBIC)
    return trunk / thrice(length(trunk))
