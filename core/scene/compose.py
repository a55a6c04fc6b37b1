"""Layers + Look -> picture: what drawing ends with, and all that light, backdrop and retouch edits call.

Bottom to top: backdrop, neck, garment, head. All light is linear until the last step. No model is
loaded here and nothing is random but seeded grain, so the same layers and look give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from core import frame
from core.colour import LUMINANCE, linear, srgb
from core.scene.backdrop import Backdrop, draw_backdrop
from core.scene.lighting import Rig, inflate, relight, rim_light, shading, tint
from core.types import F32, U8, Layers


@dataclass(frozen=True, slots=True)
class Look:
    """All that may change without drawing anew.

    black_and_white: the whole picture, because the sitter's photo has no colours.
    stops: exposure of the whole picture. warmth: -1 cool .. 1 warm, of the whole picture. retouch:
    0 none .. 1 most, of uneven skin; texture and marks stay.
    """

    backdrop: Backdrop
    rig: Rig
    seed: int
    black_and_white: bool = False
    stops: float = 0.0
    warmth: float = 0.0
    retouch: float = 0.3


CONTACT: Final = 0.42
"""How dark the head's own shadow on the garment gets under the chin; by eye against our trial portraits."""


CLOTH: Final = 1.7
"""Exponent on the light of cloth, which scatters more than it mirrors; by eye."""


def compose(layers: Layers, look: Look) -> U8:
    """Put the layers together under a look: (H, W, 3) uint8 sRGB; 2 s at full print size on busy cores."""
    height, width = layers.head.shape
    head, neck = layers.head.astype(np.float32) / 255, layers.neck.astype(np.float32) / 255
    garment_matte = layers.garment[..., 3].astype(np.float32) / 255
    normals = layers.normals.astype(np.float32) / 127

    skin = retouch(layers.sitter.astype(np.float32) / 255, head * (1 - garment_matte) + neck, layers, look.retouch)
    sitter = relight(skin, normals, layers.light, look.rig) * layers.gain
    garment = linear(layers.garment[..., :3]) * _cloth_light(normals, look.rig)[..., None] * tint(look.rig)
    garment *= _contact_shadow(head, layers.chin)[..., None]

    picture = draw_backdrop(look.backdrop, look.seed, width, height)
    behind = cv2.GaussianBlur(picture, (0, 0), 0.02 * width)
    picture = _over(picture, sitter, neck)
    picture = _over(picture, garment, garment_matte)
    picture = _over(picture, sitter, head)

    figure = 1 - (1 - head) * (1 - garment_matte) * (1 - neck)
    rim = rim_light(figure, _figure_normals(normals, head, garment_matte), look.rig, width)
    picture += rim[..., None] * tint(look.rig)
    picture = _light_wrap(picture, behind, figure, width)
    balance = Rig(key_deg=0, warmth=look.warmth)
    picture = picture * np.float32(2.0**look.stops) * tint(balance)
    if look.black_and_white:
        picture = np.repeat((picture @ LUMINANCE)[..., None], 3, axis=-1)
    print_ = _shoulder(srgb(picture))
    return _with_grain(print_, head, layers.grain, look.seed, look.black_and_white)


def _over(under: F32, layer: F32, matte: F32) -> F32:
    """Lay a layer over what is there (Porter & Duff 1984), in linear light."""
    return under + (layer - under) * matte[..., None]


def _cloth_light(normals: F32, rig: Rig) -> F32:
    """Return the light (H, W) on the garment's surface: all of it, for cloth was drawn without."""
    return np.clip(shading(rig, normals), 0.3, 1.35) ** CLOTH


def _contact_shadow(head: F32, chin: float) -> F32:
    """Return the shade (H, W) that the head throws on collar and shoulders: its matte, lowered and blurred."""
    height, width = head.shape
    eye = frame.EYE_DISTANCE * width
    lowered = np.zeros_like(head)
    drop = int(0.22 * eye)
    lowered[drop:] = head[:-drop]
    soft = cv2.GaussianBlur(lowered, (0, 0), 0.16 * eye)
    rows = np.arange(height, dtype=np.float32)[:, None]
    fade = np.clip(1 - (rows - chin) / (1.2 * eye), 0, 1)
    return 1 - CONTACT * soft * fade


def _figure_normals(normals: F32, head: F32, garment: F32) -> F32:
    """Return normals over head and garment, for the rim: the sitter's own, the inflated garment's elsewhere."""
    small = cv2.resize(garment, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    body = cv2.resize(inflate(small), garment.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return (body + (normals - body) * head[..., None]).astype(np.float32)


def _light_wrap(picture: F32, behind: F32, figure: F32, width: int) -> F32:
    """Let the backdrop's light spill over the outline by a few pixels, as it does in a lens.

    Only where it is brighter than the sitter: a dark backdrop spills nothing.
    """
    reach = 0.004 * width
    edge = np.clip(1 - cv2.GaussianBlur(figure, (0, 0), reach), 0, 1) * figure
    spill = np.maximum(behind - picture, 0)
    return picture + 0.35 * edge[..., None] * spill


def _shoulder(display: F32) -> F32:
    """Roll highlights off above 0.85 so that no light clips hard; below it nothing changes."""
    over = np.maximum(display - 0.85, 0)
    return np.where(display > 0.85, 0.85 + 0.15 * (1 - np.exp(-over / 0.15)), display).astype(np.float32)


def _with_grain(display: F32, head: F32, grain: float, seed: int, colourless: bool) -> U8:
    """Give backdrop and garment the head's own measured grain, then round; the head keeps the grain it has."""
    height, width = head.shape
    noise = np.random.default_rng([seed, 7]).standard_normal((height, width, 3)).astype(np.float32)
    grey = noise.mean(axis=-1, keepdims=True) * np.sqrt(3)
    noise = np.repeat(grey, 3, axis=-1) if colourless else 0.75 * grey + 0.25 * noise
    noise = cv2.GaussianBlur(noise, (0, 0), 0.7)
    noise /= np.float32(noise.std())
    level = max(grain, 0.004)  # a print with less shows banding in smooth paper
    out = display + noise * level * (1 - 0.75 * head[..., None])
    return np.clip(np.round(out * 255), 0, 255).astype(np.uint8)


def retouch(rgb: F32, skin: F32, layers: Layers, amount: float) -> F32:
    """Even out blotches on skin and keep its texture: frequency separation, (H, W, 3) float32 sRGB in and out.

    Pores live below 0.5 % of the frame's width, form above 2.5 %; only the band between them is
    lowered, by at most 70 %, and not on marks the map protects, eyes, brows or lips.
    """
    if amount <= 0:
        return rgb
    height, width = skin.shape
    fine = cv2.GaussianBlur(rgb, (0, 0), 0.003 * width)
    broad = cv2.bilateralFilter(
        cv2.resize(fine, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), 0, 0.06, 0.008 * width
    )
    broad = cv2.resize(broad, (width, height), interpolation=cv2.INTER_LINEAR)
    lab = cv2.cvtColor(fine, cv2.COLOR_RGB2LAB)
    above = skin[: max(1, round(layers.chin))] > 0.9  # below the chin there may be the sitter's own clothes
    colour = np.median(lab[: len(above)][above][::17], axis=0) if above.any() else lab.mean(axis=(0, 1))
    like = np.exp(-0.5 * (((lab - colour) / np.array([16, 8, 8], np.float32)) ** 2).sum(axis=-1))
    protect = np.zeros((height, width), np.float32)
    for x, y, radius in layers.marks:
        cv2.circle(protect, (round(float(x)), round(float(y))), max(1, round(1.6 * float(radius))), 1.0, -1)
    where = cv2.GaussianBlur((like * skin * (1 - protect)).astype(np.float32), (0, 0), 0.004 * width)
    return np.clip(rgb - 0.7 * amount * where[..., None] * (fine - broad), 0, 1).astype(np.float32)


def grain_of(rgb: U8, skin: F32) -> float:
    """Measure the noise of a picture on smooth skin: standard deviation of luma against its own blur, 0..1 sRGB.

    rgb: (H, W, 3) uint8, skin: (H, W). The median absolute deviation ignores pores and hair
    (Donoho 1995). What is left of pores makes it read high, so 60 % of it is taken, at most 0.010.
    """
    luma = (rgb.astype(np.float32) / 255) @ LUMINANCE
    fine = luma - cv2.GaussianBlur(luma, (0, 0), 1.2)
    inside = fine[skin > 0.8]
    return float(min(0.6 * 1.4826 * np.median(np.abs(inside)), 0.010)) if inside.size > 100 else 0.004
