"""Marks of the material: halftone dots, hatching along a form, paper, canvas; each covers (H, W) and is seeded."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from core.looks.lines import along
from core.types import F32


def halftone(dark: F32, pitch: float, angle_deg: float = 45.0) -> F32:
    """Return dots (H, W) 0..1 on a square grid whose area is the darkness (H, W) 0..1 asked for.

    pitch: pixels from dot to dot. A cosine spot function (Ulichney 1987): dots grow, touch at a half and leave holes.
    """
    height, width = dark.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    cos, sin = np.float32(np.cos(np.radians(angle_deg))), np.float32(np.sin(np.radians(angle_deg)))
    turn = np.float32(2 * np.pi / pitch)
    spot = (np.cos((x * cos + y * sin) * turn) + np.cos((y * cos - x * sin) * turn)) / 4 + np.float32(0.5)
    limit = np.interp(dark, np.linspace(0, 1, len(_SPOT_LEVELS)), _SPOT_LEVELS).astype(np.float32)
    edge = np.float32(0.9 * np.pi / 2 / pitch)
    return np.clip((spot - limit) / edge + 0.5, 0, 1).astype(np.float32) * (dark > 0.02)


def _spot_levels() -> F32:
    """Return the spot's value (65,) above which 0, 1/64 .. 1 of the area lies."""
    wave = np.cos((np.arange(256) + 0.5) * (np.pi / 256))
    return np.quantile((wave[:, None] + wave) / 4 + 0.5, np.linspace(1, 0, 65))


_SPOT_LEVELS: Final = _spot_levels()


def fibres(flow: F32, length: float, thickness: float, rng: np.random.Generator, even: float = 0.0) -> F32:
    """Return streaks (H, W), evenly spread over 0..1, that run along a flow (H, W, 2): noise smoothed along it.

    even: pixels over which their density is the same everywhere, so that tones come out true; 0 leaves it to chance.
    """
    height, width = flow.shape[:2]
    noise = rng.standard_normal((height, width)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), max(thickness / 2, 0.45))
    streaks = along(noise, flow, length)
    if even:
        streaks -= cv2.GaussianBlur(streaks, (0, 0), even)
        streaks /= np.sqrt(cv2.GaussianBlur(streaks * streaks, (0, 0), 2 * even) + np.float32(1e-9))
    streaks = (streaks - streaks.mean()) / np.float32(streaks.std() + 1e-6)
    return _normal_cdf(streaks)


def _normal_cdf(x: F32) -> F32:
    """Return the normal distribution's cumulative (Bowling et al. 2009, within 1.4e-4)."""
    return (1 / (1 + np.exp(-(1.5976 * x + 0.07056 * x**3)))).astype(np.float32)


def hatching(
    dark: F32,
    flow: F32,
    length: float,
    thickness: float,
    rng: np.random.Generator,
    softness: float = 0.18,
    even: float = 0.0,
) -> F32:
    """Return strokes (H, W) 0..1 along a flow, as dense as the darkness (H, W) 0..1 asks for.

    softness: part of the tone over which a stroke fades at its sides, small for a hard point. even: as `fibres`.
    """
    streaks = fibres(flow, length, thickness, rng, even)
    return np.clip((dark - streaks) / softness + 0.5, 0, 1).astype(np.float32) * (dark > 0.01)


def paper(shape: tuple[int, ...], eye: float, rng: np.random.Generator) -> F32:
    """Return the tooth of paper (H, W), mean 0, standard deviation 1: grain of several sizes."""
    height, width = shape[:2]
    total = np.zeros((height, width), np.float32)
    for part, weight in ((0.004, 1.0), (0.010, 0.8), (0.03, 0.5)):
        sigma = max(part * eye, 0.5)
        shrink = max(1, int(sigma / 1.5))
        noise = rng.standard_normal((height // shrink + 2, width // shrink + 2)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), sigma / shrink)
        noise /= np.float32(noise.std())
        total += np.float32(weight) * cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    return total / np.float32(total.std())


def clouds(shape: tuple[int, ...], size: float, rng: np.random.Generator) -> F32:
    """Return soft blots (H, W) of `size` pixels, mean 0, standard deviation 1."""
    height, width = shape[:2]
    shrink = max(1, int(size / 6))
    noise = rng.standard_normal((height // shrink + 4, width // shrink + 4)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), size / shrink)
    noise /= np.float32(noise.std() + 1e-6)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def canvas(shape: tuple[int, ...], pitch: float) -> F32:
    """Return the weave of canvas (H, W), -1..1: threads over and under one another."""
    height, width = shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    turn = np.float32(2 * np.pi / pitch)
    return (np.sin(x * turn) * np.sin(y * turn) + 0.4 * np.sin(2 * x * turn) * np.cos(y * turn)).astype(
        np.float32
    ) / 1.4


def form_flow(normals: F32, cross: bool = False, steadiness: F32 | float = 0.45) -> F32:
    """Return strokes' direction (H, W, 2) round a form: across its slope, or with `cross` along it.

    steadiness: slope below which strokes fall back to one diagonal, a number or one per pixel (H, W, 1).
    """
    slope = cv2.GaussianBlur(normals[..., :2], (0, 0), 2.0)
    size = np.linalg.norm(slope, axis=-1, keepdims=True)
    steady = np.array([0.80, -0.60], np.float32)
    around = np.dstack([-slope[..., 1], slope[..., 0]])
    around *= (around @ steady)[..., None] / np.maximum(size, 1e-4)  # no seam where the slope runs along the strokes
    mixed = around + steady * np.maximum(steadiness - size, 0)
    mixed /= np.maximum(np.linalg.norm(mixed, axis=-1, keepdims=True), 1e-4)
    return (np.dstack([-mixed[..., 1], mixed[..., 0]]) if cross else mixed).astype(np.float32)
