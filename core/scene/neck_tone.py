"""The light on a neck as studio portraits have it: dark below the chin, as light as the face on the chest.

In a photo a neck stands in that day's shadows and in its clothes' colour, where it stands at all. What a print shows of
it has the face's hue, the light that real necks have (LIGHT), and of its own what is finer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from core.colour import LUMINANCE, dot, length, linear, normalized_convolution, srgb, thrice, to_bytes
from core.face.landmarks import harmonics
from core.face.mesh import CHIN
from core.frame import INTEROCULAR_PX, PRINT
from core.types import F32, Undressed

BELOW_CHIN: Final = (-0.3, -0.15, 0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05, 1.2)
"""Eye distances below the chin of LIGHT's rows."""
BESIDE: Final = (0.0, 0.3, 0.5, 0.7, 0.9, 1.1)
"""Halves of the neck's width beside its middle, of LIGHT's columns."""
LIGHT: Final = (
    (0.26, 0.29, 0.34, 0.41, 0.42, 0.47),
    (0.20, 0.27, 0.33, 0.40, 0.45, 0.50),
    (0.20, 0.29, 0.37, 0.46, 0.50, 0.53),
    (0.37, 0.43, 0.50, 0.55, 0.56, 0.57),
    (0.54, 0.56, 0.60, 0.61, 0.60, 0.58),
    (0.67, 0.68, 0.68, 0.66, 0.64, 0.62),
    (0.77, 0.78, 0.78, 0.74, 0.72, 0.70),
    (0.87, 0.87, 0.87, 0.83, 0.82, 0.80),
    (0.93, 0.93, 0.92, 0.90, 0.88, 0.86),
    (0.95, 0.95, 0.94, 0.92, 0.90, 0.88),
    (0.95, 0.95, 0.94, 0.92, 0.90, 0.88),
)
"""Light of a neck, of its face's: what up to 388 of the 539 official portraits have in the median 0.075 eye distances
further down (`python -m tools.measure_necks FOLDER`), smoothed. A reader preferred these to necks of before in 24 pairs
of 34; lighter, warmer ones lost 16 to 23: the chin's shadow is what parts a jaw from its neck. Below 0.9 eye distances,
where only wide necklines show skin, portraits have 1.0 to 1.1, and a shirt's collar shades what it shows."""
LIGHTNESS: Final = (0.28, 0.43, 0.58, 0.73, 0.88, 1.0)
"""CIELAB lightness of a neck's skin, of its face's, at which its hue is told."""
REDNESS: Final = (0.89, 0.92, 0.95, 1.04, 1.04, 0.93)
YELLOWNESS: Final = (0.82, 0.87, 0.97, 1.09, 1.14, 1.10)
"""CIELAB a* and b* there, of the face's: medians of 83 to 108 official portraits, those whose necks are bare for 0.75
eye distances below the chin (`python -m tools.measure_necks FOLDER`). Skin in the shade is nearly as saturated as in
the light, and a neck is yellower than its face."""
LIGHT_SKIN: Final = (46.0, 52.0)
"""CIELAB lightness of a face from which on its neck has that hue, in part and wholly. Of 15 people lighter than that a
reader preferred it on 13 to saturation that falls with the root of lightness (necks of mauve and grey), of 14 darker
ones the other on 13 (necks of rust and mustard); only six of the portraits have faces as dark."""
PALE: Final = (56.0, 64.0)
"""CIELAB lightness of a face from which on what is light in its neck is held to GLARE and PALE_YELLOWNESS, in part and
wholly: a throat lighter and yellower than a pale face reads as a lamp inside the collar. Of 10 faces from 61 on a
reader preferred it so on 8, 7 of them clearly; of 7 darker ones the other on 6, slightly (their necks became dull)."""
GLARE: Final = (0.8, 1.04)
"""Light of such a neck, of its face's, from which on it grows more slowly, and which it stays below; by eye."""
PALE_YELLOWNESS: Final = (0.82, 0.87, 0.97, 1.04, 1.04, 1.0)
"""YELLOWNESS of such a neck; by eye."""
SHADE: Final = (0.65, 1.45)
"""Bounds of what the photo's own light makes of a neck's form, which relighting takes out again."""
SHADED: Final = 0.6
"""How much of that there is: hard light is not taken out whole."""
NAPE: Final = 0.4
"""Eye distances below the near side of a turned head over which the tone sets in: a nape is as light as the head."""
FULL_NAPE: Final = 7.5
"""Degrees of a torso's turn, half its head's, from which the nape is seen beside the jaw; by eye."""
JAW_SIDES: Final = ((132, 58, 172), (361, 288, 397))
"""Mesh points of the jaw from the ear to its corner, at the picture's left and right."""
JAW_REACH: Final = 0.15
"""Eye distances round them where skin is the jaw's."""
JAW_LIGHT: Final = (0.3, 1.2)
"""Bounds of a jaw's light, of its face's: what is darker is a beard or deep shade, under which a neck was black."""
HELD: Final = 0.9
"""Light of a neck's sides, of the jaw's above, that they are not to exceed. Of 26 blind pairs of faces lit from one
side a reader preferred that, with napes of turned heads as light as the jaw, in 19, necks of LIGHT alone in 4."""
LEAST_HELD: Final = 0.5
"""Part of its own light that a neck's side keeps; by eye."""
NAPE_ASIDE: Final = (0.35, 0.85)
"""Halves of a neck's width from its middle over which what is beside it becomes a nape; by eye."""
NAPE_DOWN: Final = (0.2, 1.1)
"""Eye distances below the chin over which that ends, and what holds a side's light is halved; by eye."""
SHADING: Final = 0.2
"""Natural logarithm of a neck's light over what is widely around it at which it is halved: a chin's shadow that ends in
a line and blots lie above, folds and tendons mostly below; by eye on 40 necks."""
UNEVEN: Final = 0.2
"""Deviation of the same logarithm, over what is closely around, of which half is kept: pores and folds have 0.02 to
0.1, a necklace or an old collar 0.5; by eye."""
FLECK: Final = 0.12
"""Natural logarithm by which a place may be lighter than what is closely around: an old neckline's rim is; by eye."""
NEARBY: Final = 0.06
"""Eye distances over which that deviation is measured. Where each pixel's own was taken, islands with hard edges stood
in the neck."""
REACH: Final = (0.1, 0.5)
"""Eye distances over which a neck's light is averaged closely and widely."""
MOST_GAIN: Final = 2.5
"""Gain of light above which detail fades: what is darker shows the noise of its photo."""
OWN_HUE: Final = 0.3
"""Part of a neck's finer variation of hue that is kept."""
BEARD: Final = (0.18, 0.3)
"""The deviation of UNEVEN from which on what hangs below a bearded chin is beard, and surely; by eye on 20 beards."""
OTHER_HUE: Final = 6.0
"""CIELAB a* and b* by which what hangs below a bearded chin is no skin, and surely by twice as much; by eye."""
DARK_BEARD, BELOW_BEARD, SETS_IN = 0.5, 0.3, 0.4
"""Light of a bearded chin, of the face's, below which its beard is dark; eye distances below it where the tone sets in
then, and over which it does."""
CLOTH: Final = 80
"""How surely of 255 a place is clothes for them to shine into the skin beside it."""
SHINES: Final = (0.05, 0.12)
"""Eye distances over which they do, wholly and at all; by eye."""
KNOWN: Final = 0.02
"""Part of what is widely around that must be skin further off for its colours to be known."""
LEAST: Final = 8
"""Pixels of the print below which a neck is too small to be toned."""


def with_own_neck_toned(sitter: Undressed) -> Undressed:
    """Give the neck that the photo shows the tone of a studio's portrait; hair, a beard and a nape's upper end stay."""
    layers = sitter.layers
    neck, hair = (each.astype(np.float32) / 255 for each in (layers.neck, layers.regions[..., 0]))
    neck *= 1 - hair
    rgb = _without_cloth(layers.sitter.astype(np.float32) / 255, neck, sitter)
    bearded = np.ones((len(neck), 1), np.float32) if sitter.bearded else None
    rgb = toned(rgb, skin_of(sitter, neck), tone_of(sitter), bearded)
    return replace(sitter, layers=replace(layers, sitter=to_bytes(rgb)))


def _without_cloth(rgb: F32, neck: F32, sitter: Undressed) -> F32:
    """Give a neck beside old clothes the colours of its skin further off: (H, W, 3) float32 sRGB 0..1."""
    eye = INTEROCULAR_PX * neck.shape[1] / PRINT[0]
    size = (neck.shape[1] // 4, neck.shape[0] // 4)
    cloth = cv2.resize(sitter.layers.regions[..., 2], size, interpolation=cv2.INTER_AREA) > CLOTH
    if not cloth.any():
        return rgb
    away = cv2.distanceTransform((~cloth).astype(np.uint8), cv2.DIST_L2, 5) * 4 / eye
    beside = np.clip((SHINES[1] - away) / (SHINES[1] - SHINES[0]), 0, 1).astype(np.float32)
    beside = cv2.resize(beside, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    skin = neck * (1 - _hung(sitter))
    sure = cv2.erode(skin, np.ones((3, 3), np.uint8)) * (1 - beside)
    known = cv2.GaussianBlur(cv2.resize(sure, size, interpolation=cv2.INTER_AREA), (0, 0), SHINES[1] * eye)
    known = cv2.resize(np.minimum(known / KNOWN, 1), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    further = normalized_convolution(rgb, sure, SHINES[1] * eye)
    return rgb + (further - rgb) * thrice(beside * skin * known)


def skin_of(sitter: Undressed, neck: F32) -> F32:
    """Return how much of a tone each place of a neck gets: (H, W) float32 0..1, as the matte of the neck."""
    height, width = neck.shape
    hung = _hung(sitter)
    eye = INTEROCULAR_PX * width / PRINT[0]
    skin = neck * (1 - hung) * _below_nape(hung, sitter, eye)
    return skin * _below_beard(sitter, eye, height) if sitter.bearded else skin


def _hung(sitter: Undressed) -> F32:
    """Return the matte of a head and the hair behind it, of which one goes over to the other: (H, W) 0..1."""
    return cv2.add(sitter.layers.head, sitter.back_hair) / np.float32(255)


def _below_beard(sitter: Undressed, eye: float, height: int) -> F32:
    """Return how much of a tone a neck below a beard gets: (H, 1) 0..1, none right below a dark one."""
    chin, face = _luminance(sitter.skin), _luminance(sitter.face_colour)
    begin = sitter.layers.chin + BELOW_BEARD * eye if chin < DARK_BEARD * face else 0.0
    return np.clip((np.arange(height, dtype=np.float32)[:, None] - begin) / (SETS_IN * eye), 0, 1)


def _luminance(colour: tuple[float, float, float]) -> float:
    """Return the luminance of a colour, sRGB 0..1, in linear light."""
    return float((linear(np.array([[colour]], np.float32)) @ LUMINANCE)[0, 0])


def _below_nape(head: F32, sitter: Undressed, eye: float) -> F32:
    """Return how much of a tone skin below a head gets: (H, W) 0..1, less right below the near side of a turned one.

    Neck and nape are lit there as the jaw is. head: (H, W) float32 matte; eye: the eye distance in its pixels.
    """
    behind = float(np.clip(abs(sitter.turn_deg) / FULL_NAPE, 0, 1))
    if behind == 0 or not len(sitter.layers.landmarks):  # layers of before 2026-12 have no mesh
        return np.ones_like(head)
    small = cv2.resize(head, (head.shape[1] // 4, head.shape[0] // 4), interpolation=cv2.INTER_AREA) > 0.5
    chin, columns = sitter.layers.landmarks[CHIN, 0] / 4, np.arange(small.shape[1])
    small &= (columns < chin) if sitter.turn_deg > 0 else (columns > chin)
    if not small.any():
        return np.ones_like(head)
    away = cv2.distanceTransform((~small).astype(np.uint8), cv2.DIST_L2, 5)
    weight = 1 - behind * (1 - np.clip(away * 4 / (NAPE * eye), 0, 1))
    return cv2.resize(weight.astype(np.float32), head.shape[::-1], interpolation=cv2.INTER_LINEAR)


def jaws_of(sitter: Undressed) -> tuple[float, float]:
    """Return the light of the skin at the left and the right side of the jaw, of its face's; 0 where none is seen.

    It is measured before a garment is put on: what is kept for another one ends below the ears.
    """
    layers = sitter.layers
    if not len(layers.landmarks):
        return 0.0, 0.0
    bare = (layers.head > 250) & (layers.regions[..., :2].max(axis=-1) < 25)
    reach = round(JAW_REACH * INTEROCULAR_PX * bare.shape[1] / PRINT[0])
    face = _luminance(sitter.face_colour)

    def light(side: tuple[int, ...]) -> float:
        near = np.zeros(bare.shape, np.uint8)
        for x, y in np.round(layers.landmarks[list(side), :2]).astype(int).tolist():
            cv2.circle(near, (x, y), reach, 1, -1)
        seen = layers.sitter[bare & (near > 0)]
        if len(seen) < LEAST**2:
            return 0.0
        return float(np.clip(np.median(linear(seen[None]) @ LUMINANCE) / max(face, 1e-4), *JAW_LIGHT))

    left, right = map(light, JAW_SIDES)
    return left, right


def _as_jaws(light: F32, sitter: Undressed, below: F32, beside: F32) -> F32:
    """Hold the sides of a neck's light (h, w), of its face's, to the jaw's; a turned head's nape is as light as it."""
    first, last = NAPE_DOWN
    down = np.clip((below - first) / (last - first), 0, 1)[:, None]
    for way, jaw in zip((-1, 1), sitter.jaws, strict=True):
        if not jaw:
            continue
        aside = way * beside
        nape = np.clip((aside - NAPE_ASIDE[0]) / (NAPE_ASIDE[1] - NAPE_ASIDE[0]), 0, 1) * (1 - down)
        nape *= float(np.clip(-way * sitter.turn_deg / FULL_NAPE, 0, 1))
        light = light ** (1 - nape) * jaw**nape
        held = np.minimum(light, np.maximum(jaw * HELD, LEAST_HELD * light))
        weight = np.clip(aside / NAPE_ASIDE[1], 0, 1) * (1 - 0.5 * down)
        light = light ** (1 - weight) * held**weight
    return light.astype(np.float32)


def places_of(sitter: Undressed, from_row: int = 0) -> tuple[F32, F32]:
    """Return where the rows (h,) and columns (w,) of what `tone_of` returns lie on a neck.

    Rows in eye distances below the chin, columns in halves of the neck's width, to the right of its middle.
    """
    height, width = sitter.layers.head.shape
    below, beside = (np.arange(-(-side // 4), dtype=np.float32) * 4 + 2 for side in (height - from_row, width))
    below = (below + from_row - sitter.layers.chin) / (INTEROCULAR_PX * width / PRINT[0])
    return below, (beside * PRINT[0] / width - sitter.body.neck_x) / (sitter.body.neck_width / 2)


def tone_of(sitter: Undressed, from_row: int = 0, relief: F32 | None = None) -> F32:
    """Return the colour that skin of a neck is to have all over a print, from a row on: linear light.

    It is in the photo's light, as the face is: relighting takes that out of both. from_row: a multiple of 4; what the
    sitter's layers hold above it is not looked at. relief: factors of light of a neck's form, of that size; with it
    light is held to GLARE below a pale face. Returns ((H - from_row)/4, W/4, 3) float32.
    """
    layers = sitter.layers
    below, beside = places_of(sitter, from_row)
    size, eye = (len(beside), len(below)), INTEROCULAR_PX * layers.head.shape[1] / PRINT[0]
    light = light_at(below, np.abs(beside))
    normals = cv2.resize(layers.normals[from_row:].astype(np.float32), size, interpolation=cv2.INTER_AREA)
    shade = np.clip(harmonics(normals / np.float32(127)) @ layers.light, *SHADE) ** SHADED
    light = cv2.GaussianBlur(light * shade, (0, 0), 0.04 * eye / 4)
    lab = cv2.cvtColor(np.array([[sitter.face_colour]], np.float32), cv2.COLOR_RGB2LAB)
    light = light if relief is None else _without_glare(light * relief, float(lab[0, 0, 0]))
    level = cv2.GaussianBlur(light, (0, 0), REACH[0] * eye / 4)  # what is finer is form, and stays
    light *= _as_jaws(level, sitter, below, beside) / level
    face = _luminance(sitter.face_colour)
    grey = cv2.cvtColor(srgb(thrice(np.clip(face * light, 0, 1))), cv2.COLOR_RGB2LAB)
    grey[..., 1:] = lab[0, 0, 1:] * hue_at(grey[..., 0] / max(float(lab[0, 0, 0]), 1), lab[0, 0])
    return linear(np.clip(cv2.cvtColor(grey, cv2.COLOR_LAB2RGB), 0, 1))


def _without_glare(light: F32, face: float) -> F32:
    """Hold light of a neck (H, W), of its face's, to GLARE where the face, of this CIELAB lightness, is PALE."""
    knee, most = GLARE
    held = knee + (most - knee) * (1 - np.exp(-np.maximum(light - knee, 0) / (most - knee)))
    return (light + _pale(face) * (np.minimum(light, held) - light)).astype(np.float32)


def _pale(face: float) -> float:
    """Say how far a face of this CIELAB lightness is PALE, 0..1."""
    return float(np.clip((face - PALE[0]) / (PALE[1] - PALE[0]), 0, 1))


def light_at(below: F32, beside: F32) -> F32:
    """Return LIGHT in rows that lie below the chin (h,), in eye distances, and columns beside a neck's middle (w,), in
    halves of its width: (h, w) float32."""
    down, across = (
        np.interp(at, known, np.arange(len(known))).astype(np.float32)
        for at, known in ((below, BELOW_CHIN), (beside, BESIDE))
    )
    table, size = np.array(LIGHT, np.float32), (len(across), len(down))
    return cv2.remap(table, np.tile(across, (size[1], 1)), np.tile(down[:, None], (1, size[0])), cv2.INTER_LINEAR)


def hue_at(lightness: F32, face: F32) -> F32:
    """Return a* and b* of a neck's skin over its face's (..., 2), for its lightness over the face's (...).

    face: (3,) CIELAB.
    """
    first, all_of_it = LIGHT_SKIN
    yellowness = np.array(YELLOWNESS) + _pale(float(face[0])) * np.subtract(PALE_YELLOWNESS, YELLOWNESS)
    measured = np.stack([np.interp(lightness, LIGHTNESS, part) for part in (REDNESS, yellowness)], -1)
    falling = np.sqrt(np.minimum(lightness, 1))[..., None]
    share = float(np.clip((face[0] - first) / (all_of_it - first), 0, 1))
    return (falling + (measured - falling) * share).astype(np.float32)


def toned(rgb: F32, skin: F32, tone: F32, bearded: F32 | None = None) -> F32:
    """Give skin the tone of a neck and keep its own detail: (H, W, 3) float32 sRGB 0..1, both.

    skin: (H, W) matte of what is changed. tone: (h, w, 3) linear light, of any size, of the frame's width. bearded:
    what is as uneven as a beard stays, and so much (H, 1) 0..1 of what has another hue than skin.
    """
    eye = INTEROCULAR_PX * rgb.shape[1] / PRINT[0]
    left, top, wide, tall = cv2.boundingRect((skin > 0).astype(np.uint8))
    if min(wide, tall) < LEAST:
        return rgb
    box = np.s_[top : top + tall, left : left + wide]
    light, there = linear(rgb[box]), skin[box]
    around, widely = (np.maximum(normalized_convolution(light, there, reach * eye), 1e-4) for reach in REACH)
    aim = cv2.resize(tone, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)[box]
    own, near, far = (dot(each, LUMINANCE) for each in (light, around, widely))
    form = np.log(near / far)
    form /= 1 + np.abs(form) / SHADING
    fine = np.log((own + 2e-3) / (near + 2e-3))
    uneven = np.sqrt(cv2.GaussianBlur(fine**2 * there, (0, 0), NEARBY * eye))
    fine = np.minimum(fine / (1 + (uneven / UNEVEN) ** 2), FLECK)
    gain = dot(aim, LUMINANCE) / far
    detail = np.exp((form + fine) * np.minimum(MOST_GAIN / np.maximum(gain, 1e-3), 1)).astype(np.float32)
    hue = (light + 2e-3) / (around + 2e-3) / thrice((own + 2e-3) / (near + 2e-3))
    lit = aim * thrice(detail) * np.clip(hue, 0.5, 2) ** OWN_HUE
    if bearded is not None:
        hairy = np.clip((uneven - BEARD[0]) / (BEARD[1] - BEARD[0]), 0, 1)
        hairy = np.maximum(hairy, _of_other_hue(around, aim) * bearded[top : top + tall])
        there = there * (1 - cv2.GaussianBlur(hairy, (0, 0), REACH[0] * eye))
    out = rgb.copy()
    out[box] += (srgb(np.minimum(lit, 1)) - out[box]) * thrice(there)
    return out


def _of_other_hue(light: F32, skin: F32) -> F32:
    """Return how surely colours are a beard's and not a skin's in any light: (H, W) 0..1, of (H, W, 3) linear both."""
    own, lit = (cv2.cvtColor(srgb(np.clip(each, 0, 1)), cv2.COLOR_RGB2LAB) for each in (light, skin))
    dim = np.sqrt(np.clip(own[..., 0] / np.maximum(lit[..., 0], 1), 0, 1.5))
    return np.clip(length(own[..., 1:] - lit[..., 1:] * dim[..., None]) / OTHER_HUE - 1, 0, 1)
