"""Layers + Look -> picture: what drawing ends with, and all that light, backdrop and retouch edits call.

Bottom to top: backdrop, neck, garment, head. All light is linear until the last step. No model is
loaded here and nothing is random but seeded grain, so the same layers and look give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from core import frame
from core.colour import LUMINANCE, dot, linear, srgb
from core.scene.backdrop import Backdrop, draw_backdrop
from core.scene.bands import bands
from core.scene.blur import blurred
from core.scene.lighting import Rig, inflate, relight, rim_light, shading, tint
from core.types import F32, U8, Layers


@dataclass(frozen=True, slots=True)
class Look:
    """All that may change without drawing anew.

    black_and_white: the whole picture, because the sitter's photo has no colours.
    stops: exposure of the whole picture. warmth: -1 cool .. 1 warm, of the whole picture. retouch:
    0 none .. 1 most, of uneven skin; texture and marks stay. backdrop_blur: standard deviation as a part of the frame's
    width.
    """

    backdrop: Backdrop
    rig: Rig
    seed: int
    black_and_white: bool = False
    stops: float = 0.0
    warmth: float = 0.0
    retouch: float = 0.3
    backdrop_blur: float = 0.0


CONTACT: Final = 0.42
"""How dark the head's own shadow on the garment gets under the chin; by eye against our trial portraits."""


LEAST_SPILL: Final = 0.004
"""Part of the backdrop's light below which none is said to spill over the outline: less than a byte's step."""


CLOTH: Final = 1.7
"""Exponent on the light of cloth, which scatters more than it mirrors; by eye."""


def compose(layers: Layers, look: Look) -> U8:
    """Put the layers together under a look: (H, W, 3) uint8 sRGB; 0.4 s at full print size on two quiet cores."""
    head, neck = _matte(layers.head), _matte(layers.neck)
    garment_matte = _matte(layers.garment[..., 3])
    normals = layers.normals.astype(np.float32) * np.float32(1 / 127)

    skin = retouch(_matte(layers.sitter), head * (1 - garment_matte) + neck, layers, look.retouch)
    sitter = relight(skin, layers, look.rig)
    sitter *= np.float32(layers.gain)

    picture = _behind(look, layers).copy()
    _lay_over(picture, sitter, neck)
    below = _rows_of(garment_matte)
    cloth = linear(layers.garment[below, :, :3])
    cloth *= (_cloth_light(normals[below], look.rig) * _contact_shadow(head, layers)[below])[..., None] * tint(look.rig)
    _lay_over(picture[below], cloth, garment_matte[below])
    _lay_over(picture, sitter, head)

    figure = 1 - (1 - head) * (1 - garment_matte) * (1 - neck)
    if look.rig.rim:
        around = _figure_normals(normals, head, garment_matte)
        band = rim_light(figure, around, look.rig, layers.unit) * _strands(picture, layers.unit)
        picture += band[..., None] * tint(look.rig)
    _add_light_wrap(picture, look, layers, figure)
    balance = Rig(key_deg=0, warmth=look.warmth)
    return _printed(picture, np.float32(2.0**look.stops) * tint(balance), head, layers.grain, look)


def _strands(picture: F32, unit: float) -> F32:
    """Return how much stronger a glancing light shines on the brighter of neighbouring strands and threads (H, W)."""
    luminance = picture @ LUMINANCE
    around = cv2.GaussianBlur(luminance, (0, 0), 0.006 * unit)
    return np.clip((luminance + 0.01) / (around + 0.01), 0.4, 2.2) * np.float32(0.55)


def _matte(layer: U8) -> F32:
    """Return bytes as 0..1."""
    return layer.astype(np.float32) * np.float32(1 / 255)


def _rows_of(matte: F32) -> slice:
    """Return the rows in which a matte is not empty."""
    rows = np.flatnonzero(matte.any(axis=1))
    return slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 0)


def _lay_over(under: F32, layer: F32, matte: F32) -> None:
    """Lay a layer over what is there (Porter & Duff 1984), in linear light; `under` is changed."""
    columns = _rows_of(matte.T)
    for rows in bands(_rows_of(matte)):
        part = under[rows, columns]
        part += (layer[rows, columns] - part) * matte[rows, columns, None]


def _behind(look: Look, layers: Layers) -> F32:
    """Return the backdrop (H, W, 3) in linear light; not to be changed, for it is kept."""
    height, width = layers.head.shape
    return _drawn(look.backdrop, look.backdrop_blur * layers.unit, look.seed, width, height)


@lru_cache(maxsize=2)
def _drawn(backdrop: Backdrop, sigma: float, seed: int, width: int, height: int) -> F32:
    drawn = draw_backdrop(backdrop, seed, width, height)
    return blurred(drawn, sigma) if sigma > 0 else drawn


def _cloth_light(normals: F32, rig: Rig) -> F32:
    """Return the light (H, W) on the garment's surface: all of it, for cloth was drawn without."""
    return np.clip(shading(rig, normals), 0.3, 1.35) ** np.float32(CLOTH)


def _contact_shadow(head: F32, layers: Layers) -> F32:
    """Return the shade (H, W) that the head throws on collar and shoulders: its matte, lowered and blurred."""
    eye = frame.EYE_DISTANCE * layers.unit
    lowered = np.zeros_like(head)
    drop = int(0.22 * eye)
    lowered[drop:] = head[: len(head) - drop]
    soft = blurred(lowered, 0.16 * eye)
    rows = np.arange(len(head), dtype=np.float32)[:, None]
    fade = np.clip(1 - (rows - layers.chin) / (1.2 * eye), 0, 1)
    return 1 - CONTACT * soft * fade


def _figure_normals(normals: F32, head: F32, garment: F32) -> F32:
    """Return normals over head and garment, for the rim: the sitter's own, the inflated garment's elsewhere."""
    small = cv2.resize(garment, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    body = cv2.resize(inflate(small), garment.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return (body + (normals - body) * head[..., None]).astype(np.float32)


def _add_light_wrap(picture: F32, look: Look, layers: Layers, figure: F32) -> None:
    """Let the backdrop's light spill over the outline by a few pixels, as it does in a lens; `picture` is changed.

    Only where it is brighter than the sitter: a dark backdrop spills nothing.
    """
    edge = np.clip(1 - cv2.GaussianBlur(figure, (0, 0), 0.004 * layers.unit), 0, 1) * figure
    rows, columns = np.nonzero(edge > LEAST_SPILL)
    behind = blurred(_behind(look, layers), 0.02 * layers.unit)[rows, columns]
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
    printed = np.empty(picture.shape, np.uint8)
    for rows in bands(slice(0, height)):
        light = picture[rows]
        light *= gains
        if look.black_and_white:
            light = np.repeat((light @ LUMINANCE)[..., None], 3, axis=-1)
        display = _shoulder(srgb(light))
        display += noise[rows] * (level * (1 - 0.75 * head[rows]))[..., None]
        display *= 255
        printed[rows] = np.clip(np.rint(display, out=display), 0, 255, out=display)
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
    """Even out blotches on skin and keep its texture: frequency separation, (H, W, 3) float32 sRGB in and out.

    Pores live below 0.5 % of the frame's width, form above 2.5 %; only the band between them is
    lowered, by at most 70 %, and not on marks the map protects, eyes, brows or lips. The band is taken at half the
    size, which holds all of it.
    """
    if amount <= 0:
        return rgb
    height, width = skin.shape
    unit, half = layers.unit / 2, (max(1, width // 2), max(1, height // 2))
    fine = cv2.GaussianBlur(cv2.resize(rgb, half, interpolation=cv2.INTER_AREA), (0, 0), 0.003 * unit)
    quarter = cv2.resize(fine, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    broad = cv2.resize(cv2.bilateralFilter(quarter, 0, 0.06, 0.008 * unit), half, interpolation=cv2.INTER_LINEAR)
    lab = cv2.cvtColor(fine, cv2.COLOR_RGB2LAB)
    bare = cv2.resize(skin, half, interpolation=cv2.INTER_AREA)
    above = bare[: max(1, round(layers.chin / 2))] > 0.9  # below the chin there may be the sitter's own clothes
    colour = np.median(lab[: len(above)][above][::5], axis=0) if above.any() else lab.mean(axis=(0, 1))
    off = (lab - colour) / np.array([16, 8, 8], np.float32)
    like = np.exp(-0.5 * dot(off, off))
    protect = np.zeros(bare.shape, np.float32)
    for x, y, radius in layers.marks / 2:
        cv2.circle(protect, (round(float(x)), round(float(y))), max(1, round(1.6 * float(radius))), 1.0, -1)
    where = cv2.GaussianBlur((like * bare * (1 - protect)).astype(np.float32), (0, 0), 0.004 * unit)
    less = (0.7 * amount * where[..., None] * (fine - broad)).astype(np.float32)
    return np.clip(rgb - cv2.resize(less, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)


def grain_of(rgb: U8, skin: F32) -> float:
    """Measure the noise of a picture on smooth skin: standard deviation of luma against its own blur, 0..1 sRGB.

    rgb: (H, W, 3) uint8, skin: (H, W). The median absolute deviation ignores pores and hair
    (Donoho 1995). What is left of pores makes it read high, so 60 % of it is taken, at most 0.010.
    """
    luma = (rgb.astype(np.float32) / 255) @ LUMINANCE
    fine = luma - cv2.GaussianBlur(luma, (0, 0), 1.2)
    inside = fine[skin > 0.8]
    return float(min(0.6 * 1.4826 * np.median(np.abs(inside)), 0.010)) if inside.size > 100 else 0.004
