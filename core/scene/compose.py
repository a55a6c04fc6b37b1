"""Layers + Look -> picture: what drawing ends with, and all that light, backdrop and retouch edits call.

Bottom to top: backdrop, neck, garment, head. All light is linear until the last step. No model is
loaded here and nothing is random but seeded grain, so the same layers and look give the same bytes.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from core import frame
from core.colour import LUMINANCE, dot, linear, srgb, thrice
from core.scene.backdrop import Backdrop, draw_backdrop
from core.scene.bands import bands
from core.scene.blur import blurred
from core.scene.glare import add_glare, middle_of_face
from core.scene.lighting import Rig, inflate, relight, rim_light, shading, tint
from core.types import F32, U8, Layers


@dataclass(frozen=True, slots=True)
class Look:
    """All that may change without drawing anew.

    black_and_white: the whole picture (`core.scene.stage.set_up` says why).
    stops: exposure of the whole picture. warmth: -1 cool .. 1 warm, of the whole picture. retouch:
    0 none .. 1 most, of uneven skin; texture and marks stay. backdrop_blur: standard deviation as a part of the frame's
    width. glare: part of the light that is scattered (`core.scene.glare`).
    """

    backdrop: Backdrop
    rig: Rig
    seed: int
    black_and_white: bool = False
    stops: float = 0.0
    warmth: float = 0.0
    retouch: float = 0.3
    backdrop_blur: float = 0.0
    glare: float = 0.0


CONTACT: Final = 0.42
"""How dark the head's own shadow on the garment gets under the chin; by eye against our trial portraits."""


LEAST_SPILL: Final = 0.004
"""Part of the backdrop's light below which none is said to spill over the outline: less than a byte's step."""


NORMAL: Final = np.float32(1 / 127)
"""What a byte of a normal counts."""


CORES: Final = 2
"""Cores that a print's rows are shared out to: as many as the smallest machine has (docs/performance.md)."""
OCCLUDED, OCCLUSION = 0.06, 0.5
"""Eye distances, as a Gaussian's deviation, over which cloth darkens what goes behind it, and how much; by eye."""
JAW, ROUND = 0.08, 0.75
"""The same over which a jaw turns away from the light above its neck, and how much. Of 21 blind pairs with 0.09, 0.9
and whites rolled off a reader preferred these in 17; for one of the others a grey band along the jaw decided."""
BEFORE: Final = 0.15
"""The same over which hair before cloth is told from hair behind it."""
WHITE, WHITE_IN_DIM = (0.4, 0.85), (0.3, 0.72)
"""Linear light from which on cloth is rolled off, and the most it reaches: a shirt without folds glares beside a face,
most of all in a dim place. At 0.72 everywhere it is milky in daylight: two of the pairs above."""
CLOTH: Final = 1.7
"""Exponent on the light of cloth, which scatters more than it mirrors; by eye."""


def compose(layers: Layers, look: Look) -> U8:
    """Put the layers together under a look: (H, W, 3) uint8 sRGB; 0.4 s at full print size on two quiet cores."""
    head, neck = _matte(layers.head), _matte(layers.neck)
    garment_matte = _matte(layers.garment[..., 3])
    seen = _seen(np.maximum(layers.head, layers.neck))
    bare = 1 - garment_matte
    skin = head * bare
    skin += neck
    np.minimum(skin, 1, out=skin)  # a neck goes on under hair
    with ThreadPoolExecutor(1) as beside:  # the sitter on one core, their garment on the other
        small = len(head) <= frame.PRINT_SIZES[-1][1]  # of a larger print a second core would keep 80 MB
        dressing = beside.submit(_lit_cloth, layers, look, head) if small else None
        sitter = relight(retouch(_matte(layers.sitter), skin, layers, look.retouch), layers, look.rig, seen)
        sitter[seen] *= np.float32(layers.gain)
        _occlude(sitter, layers, head, neck, bare)
        _round_jaw(sitter, layers, head, neck)
        picture = _behind(look, layers).copy()
        _lay_over(picture, sitter, neck, _seen(layers.neck))
        cloth, below = dressing.result() if dressing else _lit_cloth(layers, look, head)
    _lay_over(picture[below], cloth, garment_matte[below], _seen(layers.garment[below, :, 3]))
    _lay_over(picture, sitter, head, _seen(layers.head))

    figure = 1 - head
    figure *= bare
    figure *= 1 - neck
    np.subtract(1, figure, out=figure)
    if look.rig.rim:
        around = _figure_normals(layers.normals * NORMAL, head, garment_matte)
        band = rim_light(figure, around, look.rig, layers.unit) * _strands(picture, layers.unit)
        picture += band[..., None] * tint(look.rig)
    _add_light_wrap(picture, look, layers, figure)
    if look.glare:
        add_glare(picture, look.glare, figure, garment_matte * (1 - head), middle_of_face(layers))
    balance = Rig(key_deg=0, warmth=look.warmth)
    return _printed(picture, np.float32(2.0**look.stops) * tint(balance), head, layers.grain, look)


def _lit_cloth(layers: Layers, look: Look, head: F32) -> tuple[F32, slice]:
    """Return a garment's colours in linear light and the look's own, in the rows where it is, and those rows."""
    below = _seen(layers.garment[..., 3])[0]
    cloth = linear(layers.garment[below, :, :3])
    light = _cloth_light(layers.normals[below] * NORMAL, look.rig) * _contact_shadow(head, layers, below)
    start, most = WHITE_IN_DIM if look.backdrop.stops < 0 else WHITE
    for rows in bands(slice(0, len(cloth))):
        cloth[rows] *= thrice(light[rows], tint(look.rig))
        _roll_off(cloth[rows], start, most)
    return cloth, below


def _roll_off(cloth: F32, start: float, most: float) -> None:
    """Bring white cloth down to `most` of linear light, from `start` on, in its own hue; `cloth` is changed."""
    luminance = cloth @ LUMINANCE
    bright = luminance > start
    over, room = luminance[bright] - start, np.float32(most - start)
    cloth[bright] *= ((start + room * (1 - np.exp(-over / room))) / luminance[bright])[:, None]


def _strands(picture: F32, unit: float) -> F32:
    """Return how much stronger a glancing light shines on the brighter of neighbouring strands and threads (H, W)."""
    luminance = picture @ LUMINANCE
    around = cv2.GaussianBlur(luminance, (0, 0), 0.006 * unit)
    return np.clip((luminance + 0.01) / (around + 0.01), 0.4, 2.2) * np.float32(0.55)


def _matte(layer: U8) -> F32:
    """Return bytes as 0..1."""
    matte = layer.astype(np.float32)
    matte *= np.float32(1 / 255)
    return matte


def _seen(matte: U8) -> tuple[slice, slice]:
    """Return the rows and columns outside of which a matte (H, W) is empty."""
    left, top, width, height = cv2.boundingRect(np.ascontiguousarray(matte))
    return slice(top, top + height), slice(left, left + width)


def _lay_over(under: F32, layer: F32, matte: F32, seen: tuple[slice, slice]) -> None:
    """Lay a layer over what is there (Porter & Duff 1984), in linear light, where it is seen; `under` is changed."""
    for rows in bands(seen[0]):
        part = under[rows, seen[1]]
        part += (layer[rows, seen[1]] - part) * thrice(matte[rows, seen[1]])


def _behind(look: Look, layers: Layers) -> F32:
    """Return the backdrop (H, W, 3) in linear light; not to be changed, for it is kept."""
    height, width = layers.head.shape
    return _drawn(look.backdrop, look.backdrop_blur * layers.unit, look.seed, width, height)


def _around(look: Look, layers: Layers) -> F32:
    """Return the backdrop's light (H, W, 3) as it spills over the outline; not to be changed, for it is kept."""
    height, width = layers.head.shape
    sigma = look.backdrop_blur * layers.unit
    return _spilt(look.backdrop, sigma, look.seed, width, height, 0.02 * layers.unit)


@lru_cache(maxsize=1)
def _spilt(backdrop: Backdrop, sigma: float, seed: int, width: int, height: int, reach: float) -> F32:
    return blurred(_drawn(backdrop, sigma, seed, width, height), reach)


@lru_cache(maxsize=2)
def _drawn(backdrop: Backdrop, sigma: float, seed: int, width: int, height: int) -> F32:
    drawn = draw_backdrop(backdrop, seed, width, height)
    return blurred(drawn, sigma) if sigma > 0 else drawn


def _cloth_light(normals: F32, rig: Rig) -> F32:
    """Return the light (H, W) on the garment's surface: all of it, for cloth was drawn without."""
    return np.clip(shading(rig, normals), 0.3, 1.35) ** np.float32(CLOTH)


def _contact_shadow(head: F32, layers: Layers, below: slice) -> F32:
    """Return the shade on some rows that the head throws on collar and shoulders: its matte, lowered and blurred."""
    eye = frame.EYE_DISTANCE * layers.unit
    lowered = np.zeros_like(head)
    drop = int(0.22 * eye)
    lowered[drop:] = head[: len(head) - drop]
    soft = blurred(lowered, 0.16 * eye)[below]
    rows = np.arange(len(head), dtype=np.float32)[below, None]
    fade = np.clip(1 - (rows - layers.chin) / (1.2 * eye), 0, 1)
    return 1 - CONTACT * soft * fade


def _occlude(sitter: F32, layers: Layers, head: F32, neck: F32, bare: F32) -> None:
    """Darken neck and hair right beside the cloth that they go behind; `sitter`, linear light, is changed.

    Without it a collar seemed laid on a neck, and long hair cut off along the shoulders. bare: (H, W), 1 where no
    garment is. Hair that hangs before it, and what is beside such hair, stays.
    """
    rows, columns = _seen(layers.garment[..., 3])
    if rows.start == rows.stop:
        return
    beyond = round(3 * OCCLUDED * frame.EYE_DISTANCE * layers.unit)
    there = slice(max(0, rows.start - beyond), rows.stop), columns
    cloth = blurred(1 - bare[there], OCCLUDED * frame.EYE_DISTANCE * layers.unit)
    hair = layers.regions[there][..., 0] / np.float32(255) if layers.regions.size else np.zeros_like(cloth)
    before = blurred(head[there] * (1 - bare[there]), BEFORE * frame.EYE_DISTANCE * layers.unit)
    hanging = np.minimum(hair, head[there]) * np.clip(1 - 4 * before, 0, 1)
    behind = np.maximum(neck[there] * (1 - head[there]), hanging) * bare[there]
    sitter[there] *= thrice(1 - OCCLUSION * cloth * behind)


def _round_jaw(sitter: F32, layers: Layers, head: F32, neck: F32) -> None:
    """Darken the face towards the neck below it, as a jaw turns away from the light; `sitter` is changed.

    Cut out, a jaw kept a pale, even rim, which looks like a mask before a darker neck. Hair and hats stay, and so does
    a jaw over own clothes, as photographed.
    """
    if not layers.garment[..., 3].any() or not layers.neck.any():
        return
    eye = frame.EYE_DISTANCE * layers.unit
    rows, columns = _seen(layers.neck)
    reach = round(3 * JAW * eye)
    there = (
        slice(max(0, rows.start - reach), rows.stop + reach),
        slice(max(0, columns.start - reach), columns.stop + reach),
    )
    near = blurred(neck[there] * (1 - head[there]), JAW * eye)
    near *= head[there]
    if layers.regions.size:
        near *= 1 - layers.regions[there][..., :2].max(axis=-1) / np.float32(255)
    sitter[there] *= thrice(1 - ROUND * near)


def _figure_normals(normals: F32, head: F32, garment: F32) -> F32:
    """Return normals over head and garment, for the rim: the sitter's own, the inflated garment's elsewhere."""
    small = cv2.resize(garment, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    body = cv2.resize(inflate(small), garment.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return (body + (normals - body) * head[..., None]).astype(np.float32)


def _add_light_wrap(picture: F32, look: Look, layers: Layers, figure: F32) -> None:
    """Let the backdrop's light spill over the outline by a few pixels, as it does in a lens; `picture` is changed.

    Only where it is brighter than the sitter: a dark backdrop spills nothing.
    """
    edge = cv2.GaussianBlur(figure, (0, 0), 0.004 * layers.unit)
    np.subtract(1, edge, out=edge)
    np.clip(edge, 0, 1, out=edge)
    edge *= figure
    rows, columns = np.nonzero(edge > LEAST_SPILL)
    behind = _around(look, layers)[rows, columns]
    there = picture[rows, columns]
    picture[rows, columns] = there + 0.35 * edge[rows, columns, None] * np.maximum(behind - there, 0)


def _shoulder(display: F32) -> F32:
    """Roll highlights off above 0.85 so that no light clips hard; below it nothing changes."""
    bright = display > 0.85
    over = display[bright] - 0.85
    display[bright] = 0.85 + 0.15 * (1 - np.exp(-over / 0.15))
    return display


def _printed(picture: F32, gains: F32, head: F32, grain: float, look: Look) -> U8:
    """Return linear light as a print shows it, (H, W, 3) uint8 sRGB; `picture` is changed.

    Exposed and balanced by `gains` (3,); backdrop and garment get the head's own measured grain, the head keeps the
    grain it has.
    """
    height, width = head.shape
    level = np.float32(max(grain, 0.004))  # a print with less shows banding in smooth paper
    noise = unit_grain(look.seed, width, height, look.black_and_white)
    printed, across = np.empty(picture.shape, np.uint8), np.tile(gains, (width, 1))

    def print_rows(rows: slice) -> None:
        light = picture[rows]
        light *= across
        if look.black_and_white:
            light = np.repeat((light @ LUMINANCE)[..., None], 3, axis=-1)
        display = _shoulder(srgb(light))
        display += noise[rows] * thrice(level * (1 - 0.75 * head[rows]))
        display *= 255
        printed[rows] = np.clip(np.rint(display, out=display), 0, 255, out=display)

    with ThreadPoolExecutor(CORES) as cores:
        list(cores.map(print_rows, bands(slice(0, height))))
    return printed


@lru_cache(maxsize=2)
def unit_grain(seed: int, width: int, height: int, colourless: bool) -> F32:
    """Return film-like noise (H, W, 3) of standard deviation 1, the same for the same seed; not to be changed."""
    noise = np.random.default_rng([seed, 7]).standard_normal((height, width, 3), np.float32)
    grey = noise.mean(axis=-1, keepdims=True) * np.float32(np.sqrt(3))
    noise = np.repeat(grey, 3, axis=-1) if colourless else 0.75 * grey + 0.25 * noise
    noise = cv2.GaussianBlur(noise, (0, 0), 0.7)
    return noise / np.float32(noise.std())


def retouch(rgb: F32, skin: F32, layers: Layers, amount: float) -> F32:
    """Even out blotches on skin and keep its texture: frequency separation, (H, W, 3) float32 sRGB; `rgb` is changed.

    Pores live below 0.5 % of the frame's width, form above 2.5 %; only the band between them is
    lowered, by at most 70 %, and not on marks the map protects, eyes, brows or lips. The band is taken at half the
    size, which holds all of it, round the skin.
    """
    box = _round(skin, layers.unit)
    if amount <= 0 or box is None:
        return rgb
    seen, (height, width), unit = rgb[box], skin[box].shape, layers.unit / 2
    corner, half = np.array([box[1].start, box[0].start], np.float32) / 2, (max(1, width // 2), max(1, height // 2))
    fine = cv2.GaussianBlur(cv2.resize(seen, half, interpolation=cv2.INTER_AREA), (0, 0), 0.003 * unit)
    quarter = cv2.resize(fine, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    broad = cv2.resize(cv2.bilateralFilter(quarter, 0, 0.06, 0.008 * unit), half, interpolation=cv2.INTER_LINEAR)
    lab = cv2.cvtColor(fine, cv2.COLOR_RGB2LAB)
    bare = cv2.resize(skin[box], half, interpolation=cv2.INTER_AREA)
    above = bare[: max(1, round(layers.chin / 2 - corner[1]))] > 0.9  # below the chin there may be own clothes
    colour = np.median(lab[: len(above)][above][::5], axis=0) if above.any() else lab.mean(axis=(0, 1))
    off = (lab - colour) / np.array([16, 8, 8], np.float32)
    like = np.exp(-0.5 * dot(off, off))
    protect = np.zeros(bare.shape, np.float32)
    for x, y, radius in layers.marks / 2 - np.append(corner, np.float32(0)):
        cv2.circle(protect, (round(float(x)), round(float(y))), max(1, round(1.6 * float(radius))), 1.0, -1)
    where = cv2.GaussianBlur((like * bare * (1 - protect)).astype(np.float32), (0, 0), 0.004 * unit)
    less = (thrice(0.7 * amount * where) * (fine - broad)).astype(np.float32)
    seen -= cv2.resize(less, (width, height), interpolation=cv2.INTER_LINEAR)
    np.clip(seen, 0, 1, out=seen)
    return rgb


def _round(skin: F32, unit: float) -> tuple[slice, slice] | None:
    """Return the rows and columns in which retouching sees something, or all where quarters of them end elsewhere."""
    height, width = skin.shape
    rows, columns = _seen((skin > 0).astype(np.uint8))
    if rows.stop == 0:
        return None
    if height % 4 or width % 4:
        return slice(0, height), slice(0, width)
    reach = 4 * (1 + round(0.016 * unit))  # of both blurs and the bilateral filter, in whole quarters
    return tuple(  # type: ignore[return-value]
        slice(max(0, each.start // 4 * 4 - reach), min(side, -(-each.stop // 4) * 4 + reach))
        for each, side in ((rows, height), (columns, width))
    )


def grain_of(rgb: U8, skin: F32) -> float:
    """Measure the noise of a picture on smooth skin: standard deviation of luma against its own blur, 0..1 sRGB.

    rgb: (H, W, 3) uint8, skin: (H, W). The median absolute deviation ignores pores and hair
    (Donoho 1995). What is left of pores makes it read high, so 60 % of it is taken, at most 0.010.
    """
    luma = (rgb.astype(np.float32) / 255) @ LUMINANCE
    fine = luma - cv2.GaussianBlur(luma, (0, 0), 1.2)
    inside = fine[skin > 0.8]
    return float(min(0.6 * 1.4826 * np.median(np.abs(inside)), 0.010)) if inside.size > 100 else 0.004
