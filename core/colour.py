"""The colour science that every stage shares: the sRGB curve, luminance, and colours estimated where none is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from core.types import F32, U8

LUMINANCE: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of linear red, green and blue in luminance (ITU-R BT.709)."""


_BLOCK: Final = 1 << 16
"""Numbers that a curve is applied to at once: what is worked out between stays in a core's cache."""


def linear(rgb: U8 | F32) -> F32:
    """Decode sRGB (IEC 61966-2-1): uint8 or float 0..1 of any shape in, linear light 0..1 float32 out."""
    return _DECODED[rgb] if rgb.dtype == np.uint8 else _in_blocks(rgb, _decode)


def srgb(light: F32) -> F32:
    """Encode sRGB (IEC 61966-2-1): linear light 0..1 of any shape in, float32 0..1 out; negative light counts as 0."""
    return _in_blocks(light, _encode)


def _in_blocks(values: U8 | F32, curve: Callable[[F32], None]) -> F32:
    """Return values under a curve that changes a block in place: half the time of the whole picture at once."""
    out = np.array(values, np.float32, order="C")
    flat = out.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        curve(flat[start : start + _BLOCK])
    return out


def _decode(v: F32) -> None:
    dark, straight = v <= 0.04045, v / 12.92
    np.maximum(v, 0, out=v)
    v += 0.055
    v /= 1.055
    cv2.pow(v, 2.4, v)  # takes a fifth of numpy's time
    np.copyto(v, straight, where=dark)


def _encode(v: F32) -> None:
    np.maximum(v, 0, out=v)
    dark, straight = v <= 0.0031308, v * 12.92
    cv2.pow(v, 1 / 2.4, v)
    v *= 1.055
    v -= 0.055
    np.copyto(v, straight, where=dark)


_STEPS: Final = np.arange(256, dtype=np.float32) / 255
_DECODED: Final = np.where(_STEPS <= 0.04045, _STEPS / 12.92, ((_STEPS + 0.055) / 1.055) ** 2.4).astype(np.float32)
"""Linear light of every sRGB byte."""


def normalized_convolution(rgb: F32, known: F32, sigma: float) -> F32:
    """Estimate colours where they are unknown from those known nearby (Knutsson & Westin 1993).

    rgb: (H, W, 3) float32. known: (H, W) float32 weights, 0 where unknown. sigma: of the Gaussian, in their pixels.
    Returns (H, W, 3) float32. Computed at a quarter of the size, for the result is smooth; where nothing is known
    nearby a Gaussian four times as wide steps in. Needs a width and height of at least 4.
    """
    quarter = (rgb.shape[1] // 4, rgb.shape[0] // 4)
    weighed = cv2.merge((*(channel * known for channel in cv2.split(rgb)), known))
    weighed = cv2.resize(weighed, quarter, interpolation=cv2.INTER_AREA)
    near, wide = (cv2.GaussianBlur(weighed, (0, 0), s) for s in (sigma / 4, sigma))
    total = near + 1e-3 * (wide + 1e-6) / (wide[..., 3:] + 1e-6)
    return cv2.resize(total[..., :3] / total[..., 3:], rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def to_bytes(picture: F32) -> U8:
    """Round a picture or a matte of any shape from 0..1 to uint8; what lies outside is clipped."""
    steps = np.clip(picture, 0, 1)
    steps *= 255
    return np.round(steps, out=steps).astype(np.uint8)


def thrice(weights: F32, colour: F32 | None = None) -> F32:
    """Return weights (H, W) for three channels, times a colour (3,): (H, W, 3) at a quarter of broadcasting's time."""
    return cv2.merge((weights,) * 3 if colour is None else tuple(weights * gain for gain in colour))


def dot(one: F32, other: F32) -> F32:
    """Return the dot products of colours or vectors (..., N): (...); numpy's sum over so short an axis takes longer."""
    products = one * other
    total = products[..., 0] + products[..., 1]
    for channel in range(2, products.shape[-1]):
        total += products[..., channel]
    return total


def length(vectors: F32) -> F32:
    """Return the Euclidean length of vectors (..., N), as of a difference of colours: (...)."""
    return np.sqrt(dot(vectors, vectors))
