"""Skin that the torso net drew, below the sitter's own: its tone and its grain are theirs."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core import frame
from core.colour import LUMINANCE, normalized_convolution, thrice
from core.engines.redress.nets import Nets
from core.frame import INTEROCULAR_PX
from core.scene.neck_tone import toned
from core.types import F32

PORES: Final = 0.02
"""The most contrast that grown skin gets. Necks had 0.01 to 0.09 on fourteen sitters, most of it stubble; more looked
like orange peel; by eye."""
FOLDS: Final = 0.35
"""Part of the net's own folds that drawn skin keeps: a shadow where the sitter's neck ends would be seen as a line; by
eye on a dozen necks."""
OWN_EDGE: Final = 3.5
"""Print pixels inwards of its edge by which a sitter's own neck is not trusted: old clothes shine into it; by eye."""
OWN_FADES: Final = 0.2
"""Eye distances further inwards over which it goes over to drawn skin: over less a line was seen; by eye on 40."""


def surely_own(shown: F32, scale: float) -> F32:
    """Return how surely what a photo shows of a sitter is theirs: (H, W) float32 0..1, growing inwards from its edge.

    shown: (H, W) float32 0..1. scale: these pixels per print pixel.
    """
    fades = OWN_FADES * INTEROCULAR_PX * scale
    depth = cv2.distanceTransform((shown > 0.5).astype(np.uint8), cv2.DIST_L2, 5)  # without an edge it has no bound
    return np.clip(np.minimum(depth - OWN_EDGE * scale, fades) / fades, 0, 1)


def drawn_skin(torso: F32, nets: Nets, own: F32, sure: F32, tone: F32, seed: int) -> F32:
    """Return skin as the net drew it (H, W, 3), in the tone of the sitter's neck and with the grain of their own.

    own: (H, W, 3) float32 0..1, sure: (H, W) where it is the sitter's. tone: as in `core.scene.neck_tone`. Worked out
    at `Nets.skin_shrink` of their size.
    """
    height, width = sure.shape
    size = (width // nets.skin_shrink, height // nets.skin_shrink)
    scale = size[0] / frame.PRINT[0]
    large = np.clip(cv2.resize(nets.upscale(torso[..., :3]), size, interpolation=cv2.INTER_LANCZOS4), 0, 1)
    own, sure = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (own, sure))
    made = toned(skin_only(large, torso[..., 4]), np.ones_like(sure), tone)
    made *= thrice(1 + pores(own, sure, scale, seed))
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
