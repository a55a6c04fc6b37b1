"""Flat tones: a region's light in a few steps with clean edges, and colours of the sitter's own palette."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from core.colour import LUMINANCE, normalized_convolution, to_bytes
from core.types import F32


def luma_of(rgb: F32) -> F32:
    """Return the luma (H, W) of sRGB (H, W, 3), both 0..1."""
    return (rgb @ LUMINANCE).astype(np.float32)


def simplified(rgb: F32, eye: float, amount: float = 1.0) -> F32:
    """Return a picture (H, W, 3) without texture, its edges kept: rolling guidance (Zhang et al. 2014) at half size.

    eye: the eye distance in pixels; what is smaller than a thirtieth of it goes.
    """
    height, width = rgb.shape[:2]
    small = cv2.resize(rgb, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    sigma = max(0.016 * eye * amount, 0.8)
    smooth = cv2.ximgproc.rollingGuidanceFilter(small, d=-1, sigmaColor=0.09, sigmaSpace=sigma, numOfIter=3)
    return cv2.resize(smooth, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def shapes(rgb: F32, matte: F32, eye: float, size: float = 0.1) -> F32:
    """Return a region's colours (H, W, 3) in broad shapes: a median over `size` eye distances, thin lines gone.

    At half size; what lies outside the region's matte (H, W) takes no part in it.
    """
    height, width = matte.shape
    small = (width // 2, height // 2)
    inner = cv2.resize(matte, small, interpolation=cv2.INTER_AREA)
    picture = inside_only(cv2.resize(rgb, small, interpolation=cv2.INTER_AREA), inner, 0.1 * eye)
    middle = cv2.medianBlur(to_bytes(picture), max(3, round(size * eye / 2) | 1))
    soft = cv2.GaussianBlur(middle.astype(np.float32) / 255, (0, 0), max(0.012 * eye, 0.6))
    return cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def above(field: F32, limit: float) -> F32:
    """Return where a smooth field (H, W) is above a limit: 0..1 with an edge one pixel soft, as if drawn by a pen."""
    dx, dy = cv2.Sobel(field, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(field, cv2.CV_32F, 0, 1) / 8
    slope = np.sqrt(dx * dx + dy * dy) + np.float32(1e-4)
    return np.clip((field - np.float32(limit)) / slope + 0.5, 0, 1).astype(np.float32)


def inside_only(rgb: F32, matte: F32, sigma: float) -> F32:
    """Carry a region's own colours over all else, so that blurring in it takes nothing in from beside it."""
    around = normalized_convolution(rgb, (matte > 0.8).astype(np.float32) + np.float32(1e-5), sigma)
    return (around + (rgb - around) * np.clip(matte, 0, 1)[..., None] ** 2).astype(np.float32)


def stepped(field: F32, limits: Sequence[float], colours: Sequence[F32]) -> F32:
    """Paint a field (H, W) in flat colours: colours[0] below the first limit, colours[i] above limits[i - 1]."""
    painted = np.broadcast_to(np.asarray(colours[0], np.float32), (*field.shape, 3)).copy()
    for limit, colour in zip(limits, colours[1:], strict=True):
        painted = over(painted, np.asarray(colour, np.float32), above(field, limit))
    return painted


def over(under: F32, colour: F32, cover: F32) -> F32:
    """Lay a colour (3,) or a picture (H, W, 3) over another, as much as cover (H, W) says."""
    return (under + (colour - under) * cover[..., None]).astype(np.float32)


def middle_colour(rgb: F32, weight: F32, fallback: tuple[float, float, float] = (0.5, 0.5, 0.5)) -> F32:
    """Return the median colour (3,) of a picture where weight (H, W) is above a half."""
    seen = rgb[::2, ::2][weight[::2, ::2] > 0.5]
    return np.median(seen, axis=0).astype(np.float32) if len(seen) > 30 else np.array(fallback, np.float32)


def turned(colour: F32, lighter: float = 0.0, chroma: float = 1.0, hue_deg: float = 0.0) -> F32:
    """Return a colour (..., 3) sRGB with its CIELAB lightness moved, its chroma scaled and its hue turned."""
    lab = cv2.cvtColor(np.asarray(colour, np.float32).reshape(1, -1, 3), cv2.COLOR_RGB2LAB)
    cos, sin = np.cos(np.radians(hue_deg)) * chroma, np.sin(np.radians(hue_deg)) * chroma
    a, b = lab[..., 1] * cos - lab[..., 2] * sin, lab[..., 1] * sin + lab[..., 2] * cos
    moved = np.dstack([np.clip(lab[..., 0] + lighter, 0, 100), a, b]).astype(np.float32)
    return np.clip(cv2.cvtColor(moved, cv2.COLOR_LAB2RGB), 0, 1).reshape(np.shape(colour)).astype(np.float32)


def lightness(rgb: F32) -> F32:
    """Return CIELAB lightness (H, W) 0..100 of sRGB (H, W, 3) 0..1."""
    return np.ascontiguousarray(cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2LAB)[..., 0])


def posterised(rgb: F32, matte: F32, colours: int, size: tuple[int, int], soften: float = 1.0) -> tuple[F32, F32]:
    """Paint a region in a few flat colours of its own: k-means in CIELAB (Lloyd 1982), edges smooth at full size.

    rgb (h, w, 3), matte (h, w): at half size, or any. size: width and height of what is returned. Returns the picture
    (H, W, 3) and its palette (colours, 3) sRGB, dark to light. OpenCV's generator must be seeded.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2LAB)
    seen = lab[::3, ::3][matte[::3, ::3] > 0.6]
    if len(seen) < 4 * colours:
        seen = lab[::3, ::3].reshape(-1, 3)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 12, 0.5)
    best = np.zeros((len(seen), 1), np.int32)
    _, _, centres = cv2.kmeans(np.ascontiguousarray(seen), colours, best, stop, 1, cv2.KMEANS_PP_CENTERS)
    centres = centres[np.argsort(centres[:, 0])]
    away = np.stack([((lab - centre) ** 2).sum(axis=-1) for centre in centres])
    nearest = np.argmin(away, axis=0)
    palette = cv2.cvtColor(centres[None], cv2.COLOR_LAB2RGB)[0]
    painted, total = np.zeros((size[1], size[0], 3), np.float32), np.zeros((size[1], size[0]), np.float32)
    for number, colour in enumerate(palette):
        share = cv2.GaussianBlur((nearest == number).astype(np.float32), (0, 0), soften)
        weight = np.clip(cv2.resize(share, size, interpolation=cv2.INTER_CUBIC), 0, 1) ** 12
        painted += weight[..., None] * colour
        total += weight
    return np.clip(painted / np.maximum(total, 1e-12)[..., None], 0, 1).astype(np.float32), palette
