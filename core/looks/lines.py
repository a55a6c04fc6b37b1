"""Lines as a pen makes them: along the picture's own edges, along outlines, and along given points.

Edges: the flow-based difference of Gaussians (Kang, Lee & Chui 2007) in the soft-threshold form XDoG (Winnemoeller,
Kyprianidis & Olsen 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from core.types import F32


def flow_of(luma: F32, sigma: float) -> F32:
    """Return the direction (H, W, 2) of unit length along which a picture (H, W) changes least.

    The minor eigenvector of the structure tensor (Brox et al. 2006), smoothed over sigma pixels.
    """
    dx, dy = cv2.Scharr(luma, cv2.CV_32F, 1, 0), cv2.Scharr(luma, cv2.CV_32F, 0, 1)
    tensor = cv2.GaussianBlur(np.dstack([dx * dx, dx * dy, dy * dy]), (0, 0), sigma)
    angle = 0.5 * np.arctan2(2 * tensor[..., 1], tensor[..., 0] - tensor[..., 2]) + np.float32(np.pi / 2)
    return np.dstack([np.cos(angle), np.sin(angle)]).astype(np.float32)


def along(field: F32, flow: F32, sigma: float) -> F32:
    """Smooth a field (H, W[, C]) along a flow (H, W, 2): a Gaussian of sigma pixels on its streamlines.

    Line integral convolution (Cabral & Leedom 1993) in passes: each smooths straight along the flow, over twice the
    length of the one before, so that nothing is sampled too coarsely; together they follow its bends.
    """
    height, width = flow.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    smooth, left, part = field.astype(np.float32), sigma * sigma, 1.0
    while left > 0.3:
        part = min(part, float(np.sqrt(left)), max(sigma / 2, 1.0))
        total, weights = smooth.copy(), 1.0
        for tap in range(1, TAPS + 1):
            weight = float(np.exp(-0.5 * (tap * SPACING) ** 2))
            away_x, away_y = (
                flow[..., 0] * np.float32(tap * SPACING * part),
                flow[..., 1] * np.float32(tap * SPACING * part),
            )
            for way in (cv2.add, cv2.subtract):
                there = way(columns, away_x), way(rows, away_y)
                total += weight * cv2.remap(smooth, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                weights += weight
        smooth = total / np.float32(weights)
        left -= part * part
        part *= 2
    return smooth.astype(np.float32)


TAPS: Final = 3
SPACING: Final = 0.8
"""Samples to each side in one pass of `along`, and how many sigmas lie between them."""


def edge_lines(luma: F32, flow: F32, width: float, sharpness: float = 0.97, threshold: float = 0.0) -> F32:
    """Return ink (H, W) 0..1 along the edges of a picture (H, W) 0..1.

    width: of the thinnest line in pixels. sharpness: XDoG's tau, nearer to 1 draws fainter edges too. threshold:
    contrast, 0..1 of luma, below which nothing is drawn.
    """
    near, far = cv2.GaussianBlur(luma, (0, 0), width), cv2.GaussianBlur(luma, (0, 0), 1.6 * width)
    edges = along(near - sharpness * far - (1 - sharpness) * 0.5, flow, 3 * width)
    return np.clip(-(edges + threshold) / (0.012 + 0.3 * threshold), 0, 1).astype(np.float32)


def outline(matte: F32, width: F32 | float, round_off: float) -> F32:
    """Return ink (H, W) 0..1 of a line along a matte's edge.

    width: in pixels, one number or one per pixel. round_off: pixels below which the edge's own crinkles are let go.
    """
    inside = (cv2.GaussianBlur(matte, (0, 0), round_off) > 0.5).astype(np.uint8)
    away = np.where(inside > 0, cv2.distanceTransform(inside, cv2.DIST_L2, 5), 0)
    away = away + np.where(inside > 0, 0, cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5))
    if inside.all() or not inside.any():
        return np.zeros(matte.shape, np.float32)
    away = cv2.GaussianBlur(away.astype(np.float32) - 0.5, (0, 0), 1.0)
    return np.clip(width / 2 - away + 0.5, 0, 1).astype(np.float32)


def smoothed(points: F32, closed: bool = False, times: int = 3) -> F32:
    """Round the corners of a line (N, 2) by cutting them (Chaikin 1974); its ends stay."""
    for _ in range(times):
        ring = np.vstack([points, points[:1]]) if closed else points
        cut = np.empty((2 * (len(ring) - 1), 2), np.float32)
        cut[0::2], cut[1::2] = 0.75 * ring[:-1] + 0.25 * ring[1:], 0.25 * ring[:-1] + 0.75 * ring[1:]
        points = cut if closed else np.vstack([points[:1], cut, points[-1:]])
    return points


def stroke(ink: F32, points: F32, widths: Sequence[float]) -> None:
    """Draw a rounded line through points (N, 2) into ink (H, W) 0..1; widths, in pixels, are spread along it."""
    path = smoothed(points)
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.linspace(0, lengths[-1], max(8, len(path)))
    path = np.stack([np.interp(at, lengths, path[:, axis]) for axis in (0, 1)], axis=1)
    half = np.interp(np.linspace(0, 1, len(path)), np.linspace(0, 1, len(widths)), widths) / 2
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-6)
    across = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) * half[:, None]
    fill(ink, np.vstack([path + across, (path - across)[::-1]]), 1.0)


def fill(field: F32, ring: F32, value: float) -> None:
    """Lay a value over a polygon (N, 2) of a field (H, W), its edge smooth."""
    cover = polygon(field.shape, ring)
    field += cover * (np.float32(value) - field)


def polygon(shape: tuple[int, ...], ring: F32) -> F32:
    """Return how much of each pixel lies in a polygon (N, 2): (H, W) float32 0..1."""
    cover = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(cover, [np.round(ring * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    return cover.astype(np.float32) / 255


def disc(shape: tuple[int, ...], centre: F32, radius: float) -> F32:
    """Return how much of each pixel lies in a disc: (H, W) float32 0..1."""
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False, dtype=np.float32)
    return polygon(shape, centre + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1))
