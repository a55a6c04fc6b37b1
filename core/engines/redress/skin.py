"""Skin that the torso net drew, below the sitter's own: its hue, the colour it begins in, its grain are theirs."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core import frame
from core.colour import LUMINANCE, linear, normalized_convolution, srgb, thrice
from core.engines.redress.nets import Nets
from core.frame import INTEROCULAR_PX
from core.scene.blur import blurred
from core.scene.stage import Dressing, Skin
from core.types import F32, Undressed

PORES: Final = 0.035
"""The most contrast that grown skin gets. Necks had 0.01 to 0.09 on fourteen sitters, most of it stubble."""
FOLDS: Final = 0.35
"""Part of the net's own folds that drawn skin keeps: a shadow where the sitter's neck ends would be seen as a line; by
eye on a dozen necks."""
JOINED: Final = 1.5
"""Eye distances below the sitter's own neck over which drawn skin goes over to its own colour; by eye."""
EDGE_REACH: Final = (0.05, 0.15)
"""Eye distances over which the own neck's colours are averaged to be carried on, right at its edge and further away: a
chin's shadow that the photo's border cuts is another colour every few rows."""
LEAST: Final = 0.85
"""Least light of drawn skin, of that of the sitter's own neck above it: the net draws dark spots deep in an opening."""
FILL_BELOW: Final = 0.65
"""Light of a neck, of the face's, below which it gets fill: 0.63 is the median of 140 official portraits."""
FILL: Final = 0.45
"""Exponent on what a neck's light is below that: 0.3 of the face's becomes 0.46, 0.15 0.34; by eye on ten necks."""
MOST_FILL: Final = 2.0
"""The most by which fill lightens: what is darker shows the noise of its photo, and a chin's shadow is a shadow."""
MOST_TINT: Final = 1.25
"""The most by which fill changes one of red, green and blue beside the others: what is nearly black has no hue."""
DARK_BEARD, BELOW_BEARD = 0.5, 0.3
"""Light of a bearded chin, of the face's, below which its beard is dark; eye distances below it where fill sets in
then."""
AT_THE_JAW, FROM_THE_JAW = 0.4, 0.2
"""Part of the fill right below the jaw, and eye distances over which it becomes all: a lit neck ended at the jaw in
what was left of the photo's shadow, a line; by eye."""
FILL_HUE: Final = 0.7
"""How far a neck's hue and saturation go to the face's own."""
SHADING: Final = 0.2
"""Natural logarithm of a neck's light over what is widely around it at which it is halved: a chin's shadow that ends in
a line and blots lie above, folds and tendons mostly below; by eye on 40 necks."""
UNEVEN: Final = 0.2
"""Deviation of the same logarithm, over what is closely around, of which half is kept: pores and folds have 0.02 to
0.1, a necklace or an old collar 0.5; by eye."""
NEARBY: Final = 0.06
"""Eye distances over which that deviation is measured. Where each pixel's own was taken, islands with hard edges stood
in the neck."""
BEARD: Final = (0.18, 0.3)
"""The same deviation from which on what hangs below a bearded chin is beard, and surely; by eye on 20 beards."""
FILL_REACH: Final = (0.1, 0.5, 0.4)
"""Eye distances over which a neck's light is averaged closely and widely, and below the torso's upper edge down to
which fill sets in."""


def filled(rgb: F32, neck: F32, head: F32, sitter: Undressed, scale: float) -> F32:
    """Light a neck as a white collar and a studio's reflector do: (H, W, 3) sRGB 0..1 of the torso's part, both.

    In the photo it stood in the chin's shadow and in its clothes' colour. Its light comes near to what is around it
    (SHADING), its hue to the face's; what is finer stays but for scraps of an old collar (UNEVEN), and so does a beard
    that hangs over it. neck, head: (H, W) mattes. scale: these pixels per print pixel.
    """
    left, top, wide, tall = cv2.boundingRect((neck * (1 - head) > 0).astype(np.uint8))
    box = np.s_[top : top + tall, left : left + wide]
    if min(wide, tall) < 8:
        return rgb
    eye = INTEROCULAR_PX * scale
    light, there = linear(rgb[box]), neck[box] * (1 - head[box])
    around, widely = (normalized_convolution(light, there, reach * eye) for reach in FILL_REACH[:2])
    size = (max(wide // 4, 1), max(tall // 4, 1))
    small, smooth = (
        np.maximum(cv2.resize(each, size, interpolation=cv2.INTER_AREA), 1e-4) for each in (around, widely)
    )
    own, chin = (linear(np.array([[colour]], np.float32)) for colour in (sitter.face_colour, sitter.skin))
    shading = _compressed((small @ LUMINANCE) / (smooth @ LUMINANCE), SHADING)
    ratio = (smooth @ LUMINANCE) * shading / float((own @ LUMINANCE)[0, 0])
    gain = np.clip((np.maximum(ratio, 1e-3) / FILL_BELOW) ** (FILL - 1), 1, MOST_FILL)
    gain *= (smooth @ LUMINANCE) * shading / (small @ LUMINANCE)
    lab = cv2.cvtColor(srgb(np.clip(small * thrice(gain.astype(np.float32)), 0, 1)), cv2.COLOR_RGB2LAB)
    aim = cv2.cvtColor(srgb(own), cv2.COLOR_RGB2LAB)[0, 0]
    dim = np.sqrt(np.minimum(lab[..., :1] / max(float(aim[0]), 1), 1))  # skin in the shade is nearly as saturated
    lab[..., 1:] += FILL_HUE * (aim[1:] * dim - lab[..., 1:])
    wanted = linear(np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1))
    ratios = wanted / small
    light_only = thrice((wanted @ LUMINANCE) / (small @ LUMINANCE))
    ratios = np.clip(ratios, light_only / MOST_TINT, light_only * MOST_TINT)
    lit = around * cv2.resize(ratios, (wide, tall), interpolation=cv2.INTER_LINEAR)
    unlike = (light + 2e-3) / (around + 2e-3)
    detail = (light @ LUMINANCE + 2e-3) / (around @ LUMINANCE + 2e-3)
    far = np.log(detail)
    uneven = np.sqrt(cv2.GaussianBlur(far**2 * there, (0, 0), NEARBY * eye))
    kept = np.exp(far / (1 + (uneven / UNEVEN) ** 2))
    lit *= thrice(kept) * (unlike / thrice(detail)) ** (1 - FILL_HUE)
    begin = 0.0
    if sitter.bearded:
        hairy = np.clip((uneven - BEARD[0]) / (BEARD[1] - BEARD[0]), 0, 1)
        there = there * (1 - cv2.GaussianBlur(hairy, (0, 0), FILL_REACH[0] * eye))
        if float((chin @ LUMINANCE)[0, 0]) < DARK_BEARD * float((own @ LUMINANCE)[0, 0]):
            begin = (sitter.body.chin_y - frame.GARMENT_TOP * frame.PRINT[1]) * scale + BELOW_BEARD * eye
    away = cv2.distanceTransform((head[box] < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    there = there * (AT_THE_JAW + (1 - AT_THE_JAW) * np.minimum(away / (FROM_THE_JAW * eye), 1))
    sets_in = np.clip((np.arange(top, top + tall, dtype=np.float32) - begin) / (FILL_REACH[2] * eye), 0, 1)[:, None]
    out = rgb.copy()
    out[box] += (srgb(np.minimum(lit, 1)) - out[box]) * thrice(there * sets_in)
    return out


def _compressed(ratio: F32, knee: float) -> F32:
    """Bring ratios of light nearer to 1, the more the further they are: a logarithm of `knee` is halved."""
    far = np.log(np.maximum(ratio, 1e-2))
    return np.exp(far / (1 + np.abs(far) / knee)).astype(np.float32)


def drawn_skin(setup: Dressing, torso: F32, nets: Nets, own: F32, sure: F32) -> F32:
    """Return skin as the net drew it (H, W, 3), in the hue, the colour at its edge and the grain of the sitter's own.

    own: (H, W, 3) float32 0..1, sure: (H, W) where it is the sitter's. Worked out at `Nets.skin_shrink` of their size.
    """
    height, width = sure.shape
    size = (width // nets.skin_shrink, height // nets.skin_shrink)
    scale = size[0] / frame.PRINT[0]
    large = np.clip(cv2.resize(nets.upscale(torso[..., :3]), size, interpolation=cv2.INTER_LANCZOS4), 0, 1)
    own, sure = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (own, sure))
    skin = _towards_own_hue(skin_only(large, torso[..., 4]), setup.skin)
    made = joined(skin, own, sure, INTEROCULAR_PX * scale)
    made *= thrice(1 + pores(own, sure, scale, setup.seed))
    return cv2.resize(made, (width, height), interpolation=cv2.INTER_LINEAR)


def skin_only(rgb: F32, drawn_neck: F32) -> F32:
    """Carry the neck that the net drew (H, W, 3) over what it drew as cloth, as far as a neck is filled up beyond it.

    drawn_neck: the net's own matte of it, (72, 128) float32 0..1.
    """
    matte = cv2.resize(drawn_neck, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    sure = np.clip((matte - 0.6) / 0.3, 0, 1)
    if sure.max() < 1:
        return rgb
    around = normalized_convolution(rgb, sure, 0.015 * rgb.shape[1])
    skin = around + (rgb - around) * thrice(sure)
    smooth = cv2.GaussianBlur(skin, (0, 0), 0.02 * rgb.shape[1])
    return (smooth + FOLDS * (skin - smooth)).astype(np.float32)


def _towards_own_hue(rgb: F32, skin: Skin) -> F32:
    """Bring drawn skin's hue and saturation six tenths of the way to the face's own: the net overdoes both in shade."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    own = cv2.cvtColor(np.array([[skin]], np.float32), cv2.COLOR_RGB2LAB)[0, 0]
    light, *hue = cv2.split(lab)
    lab = cv2.merge((light, *(each + 0.6 * (aim - each) for each, aim in zip(hue, own[1:], strict=True))))
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1).astype(np.float32)


def pores(own: F32, sure: F32, scale: float, seed: int) -> F32:
    """Make skin as uneven as the sitter's own is where it is sure: (H, W) factors about 0, 0 where too little is.

    A patch of their neck, freed of its form, is thrown at random all over: asymptotic discrete spot noise (Galerne,
    Gousseau & Morel 2011), which has the patch's contrast and grain size but none of its wrinkles.
    """
    # what lies beyond the array's own border is not bare skin: the patch round the deepest point must lie inside
    bare = cv2.copyMakeBorder((sure > 0.95).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(bare, cv2.DIST_L2, 5)[1:-1, 1:-1]
    _, radius, _, (x, y) = cv2.minMaxLoc(depth)
    half = int(min(radius * 0.7, 40 * scale))
    if half < 8:
        return np.zeros_like(sure)
    luma = own @ LUMINANCE + 1e-3
    uneven = luma / cv2.GaussianBlur(luma, (0, 0), 3 * scale) - 1
    patch = uneven[y - half : y + half + 1, x - half : x + half + 1]
    window = np.outer(*(cv2.getGaussianKernel(2 * half + 1, half / 2)[:, 0],) * 2)
    spot = _without_direction((patch - patch.mean()) * np.sqrt(window))
    contrast = 0.7 * 1.4826 * np.median(np.abs(patch))  # of which wrinkles are no part: they are outliers
    spot *= min(contrast, PORES) / (np.linalg.norm(spot) + 1e-6)
    noise = np.random.default_rng([seed, 31]).standard_normal(sure.shape).astype(np.float32)
    return np.clip(cv2.filter2D(noise, cv2.CV_32F, spot.astype(np.float32)), -0.3, 0.3)


def _without_direction(spot: F32) -> F32:
    """Return a patch (N, N) of the same grain in all directions: creases of a neck lay over drawn skin as stripes.

    Its power spectrum is averaged round the middle, its phase left out: the noise it is thrown into has random ones.
    """
    size = len(spot)
    power = np.abs(np.fft.fft2(spot)) ** 2
    frequency = np.fft.fftfreq(size) * size
    ring = np.round(np.hypot(frequency[:, None], frequency[None])).astype(int)
    even = np.bincount(ring.ravel(), power.ravel()) / np.maximum(np.bincount(ring.ravel()), 1)
    return np.fft.fftshift(np.fft.ifft2(np.sqrt(even[ring])).real).astype(np.float32)


def joined(made: F32, own: F32, sure: F32, eye: float) -> F32:
    """Let drawn skin begin in the colour in which the sitter's own ends: no edge is seen between them.

    Its colour is the own neck's carried on; over JOINED eye distances, in print pixels `eye`, it goes over to the
    drawn, no darker than LEAST of the own neck's light. What the net draws right below an own neck is often darker: a
    difference taken above the edge did not tell that, and what is finer of it stood beside the edge as a line.
    """
    small = cv2.resize(sure, (sure.shape[1] // 4, sure.shape[0] // 4), interpolation=cv2.INTER_AREA)
    reach = JOINED * eye / 4
    away = np.minimum(cv2.distanceTransform((small < 0.5).astype(np.uint8), cv2.DIST_L2, 5), reach)
    fade = cv2.resize(0.5 + 0.5 * np.cos(np.pi / reach * away), sure.shape[::-1]).astype(np.float32)
    fine, wide = (normalized_convolution(own, sure, reach * eye) for reach in EDGE_REACH)
    near = cv2.resize(np.exp(-4 * away / (eye * EDGE_REACH[1])), sure.shape[::-1]).astype(np.float32)
    carried = wide + (fine - wide) * thrice(near)
    light = normalized_convolution(own, sure, eye) @ LUMINANCE
    drawn = blurred(made, 0.15 * eye) @ LUMINANCE
    made = made * thrice(np.clip(LEAST * light / np.maximum(drawn, 1e-3), 1, 2))
    return made + (carried - made) * thrice(fade)
