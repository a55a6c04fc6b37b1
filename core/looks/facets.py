"""Facets: low-poly triangles between points of the face and of its edges, and panes of stained glass in lead."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, cKDTree

from core.colour import to_bytes
from core.looks.backdrop import backdrop_colour
from core.looks.cel import bearded, covers_of
from core.looks.features import brows, nose_lines, paint_eyes, paint_mouth
from core.looks.finish import Finish
from core.looks.glasses import draw_frames, rim_sides
from core.looks.lines import edge_lines, flow_of, outline
from core.looks.study import upon_study
from core.looks.subject import Subject
from core.looks.texture import clouds
from core.looks.tones import lightness, luma_of, over, shapes, simplified, stepped, turned
from core.types import F32, U8

FEATURES: Final = (
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380, 70, 63, 105, 66, 107, 300, 293, 334, 296, 336,
    168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 129, 358, 48, 278, 61, 40, 37, 0, 267, 270, 291, 321, 314,
    17, 84, 91, 13, 14,
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109, 50, 280, 101, 330, 205, 425, 151, 108, 337, 9,
    7, 163, 145, 154, 155, 173, 157, 159, 161, 246, 382, 381, 374, 390, 249, 466, 388, 386, 384, 398,
    469, 470, 471, 472, 474, 475, 476, 477, 52, 282, 55, 285, 81, 311, 178, 402,
    116, 345, 187, 411, 214, 434, 199, 200, 18, 468, 473,
)  # fmt: skip
"""Points of the mesh that make a face: lids, brows, nose, lips, outline, cheekbones."""
LEAD: Final = np.array([0.09, 0.085, 0.10], np.float32)


def low_poly(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Fold the subject out of flat triangles."""
    width, height = subject.size
    picture = over(_backdrop(subject, rng), turned(subject.rgb, 2, 1.25), subject.figure)
    scattered = _scattered(subject, strength, rng)
    rims = rim_sides(subject)
    if len(rims):  # facets of their own, and none across them
        scattered = np.vstack([rims, scattered[cKDTree(rims).query(scattered)[0] > 0.05 * subject.eye]])
    points = np.vstack([_corners(width, height), subject.mesh[list(FEATURES), :2], scattered])
    points = points[(points[:, 0] >= 0) & (points[:, 0] < width) & (points[:, 1] >= 0) & (points[:, 1] < height)]
    points = np.unique(np.round(points, 1), axis=0)
    triangles = Delaunay(points).simplices
    label = np.zeros((height, width), np.int32)
    for number, corners in enumerate(triangles):
        cv2.fillConvexPoly(label, np.round(points[corners] * 16).astype(np.int32), number, cv2.LINE_8, shift=4)
    colours = _means(picture, label, len(triangles))
    middle = points[triangles].mean(axis=1)
    at = np.clip(middle, 0, [width - 1, height - 1]).astype(int)
    slope = subject.normals[at[:, 1], at[:, 0]] * subject.figure[at[:, 1], at[:, 0]][:, None]
    facet = 3.5 * (-0.7 * slope[:, 0] - 0.6 * slope[:, 1]) + rng.normal(0, 0.8, len(triangles))
    lab = cv2.cvtColor(colours[None], cv2.COLOR_RGB2LAB)[0]
    lab[:, 0] = np.clip(lab[:, 0] + facet, 0, 100)
    colours = np.clip(cv2.cvtColor(lab[None], cv2.COLOR_LAB2RGB)[0], 0, 1)
    painted = np.zeros((height, width, 3), np.float32)
    for corners, colour in zip(triangles, colours.tolist(), strict=True):
        cv2.fillConvexPoly(painted, np.round(points[corners] * 16).astype(np.int32), colour, cv2.LINE_AA, shift=4)
    return to_bytes(painted)


def _scattered(subject: Subject, strength: float, rng: np.random.Generator) -> F32:
    """Return points (N, 2): along the regions' outlines, along edges, and thinly over figure and backdrop."""
    width, height = subject.size
    fine = (0.065 + 0.06 * strength) * subject.eye
    luma = luma_of(simplified(subject.rgb, subject.eye))
    edges = np.hypot(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)) * subject.figure
    edges = edges / max(float(np.percentile(edges, 99.5)), 1e-3)
    want = np.clip(edges, 0, 1) + 0.10 * subject.figure + 0.010
    tries = rng.uniform(0, 1, (30000, 3)) * np.array([width, height, 1])
    tries = tries[tries[:, 2] < want[tries[:, 1].astype(int), tries[:, 0].astype(int)]][:, :2]
    figure, bare, top, _ = covers_of(subject)
    tries = np.vstack([*(_outline_points(cover, 0.5 * fine) for cover in (figure, bare, top)), tries])
    tries = np.clip(tries, 0, [width - 1, height - 1])
    inside = subject.figure[tries[:, 1].astype(int), tries[:, 0].astype(int)] > 0.1
    kept = _apart(tries, np.where(inside, fine, 3.2 * fine))
    clear = cKDTree(subject.mesh[list(FEATURES), :2]).query(tries)[0] > 0.7 * fine
    return tries[kept & clear].astype(np.float32)


def _outline_points(cover: F32, spacing: float) -> F32:
    """Return points (N, 2) along a cover's outline, the coarser first wanted at `spacing` pixels."""
    rings, _ = cv2.findContours((cover > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    step = max(1, round(spacing))
    return np.vstack([np.zeros((0, 2)), *(ring[::step, 0] for ring in rings if len(ring) > 4 * step)]).astype(
        np.float32
    )


def _apart(points: F32, spacing: F32) -> NDArray[np.bool_]:
    """Return which points (N,) to keep so that none lies within an earlier kept one's spacing (N,)."""
    kept = np.ones(len(points), bool)
    for number, near in enumerate(cKDTree(points).query_ball_point(points, spacing)):
        if kept[number]:
            kept[[other for other in near if other > number]] = False
    return kept


def _corners(width: int, height: int) -> F32:
    side = np.linspace(0, 1, 6)
    ring = [(x, y) for x in side for y in side if x in (0, 1) or y in (0, 1)]
    return np.array(ring, np.float32) * np.array([width - 1, height - 1], np.float32)


def _means(picture: F32, label: NDArray[np.int32], count: int) -> F32:
    """Return the mean colour (count, 3) of each label; a grey for one that has no pixel."""
    flat = label.ravel()
    size = np.maximum(np.bincount(flat, minlength=count), 1)
    sums = [np.bincount(flat, weights=picture[..., channel].ravel(), minlength=count) for channel in range(3)]
    return (np.stack(sums, axis=1) / size[:, None]).astype(np.float32)


def _backdrop(subject: Subject, rng: np.random.Generator) -> F32:
    """Return the backdrop's colour, lighter towards one upper corner."""
    width, height = subject.size
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    colour = turned(backdrop_colour(subject), 0, 1.5)
    lit = np.clip(0.5 - 0.45 * y + 0.3 * float(rng.choice([-1, 1])) * x, 0, 1)
    return over(np.broadcast_to(turned(colour, -12), (height, width, 3)).astype(np.float32), turned(colour, 16), lit)


def stained_glass(subject: Subject, strength: float, rng: np.random.Generator) -> U8:
    """Set the subject in panes of coloured glass, its features painted on them."""
    width, height = subject.size
    eye = subject.eye
    flat = simplified(subject.rgb, eye, 1.6)
    colour = turned(backdrop_colour(subject), 6, 2.4)
    picture = over(
        np.broadcast_to(colour, (height, width, 3)).astype(np.float32), turned(flat, 4, 1.7), covers_of(subject)[0]
    )
    label = _panes(subject, strength, rng)
    count = int(label.max()) + 1
    glass = _means(picture, label, count)
    lab = cv2.cvtColor(glass[None], cv2.COLOR_RGB2LAB)[0]
    lab[:, 0] = np.clip(22 + 0.86 * lab[:, 0] + rng.normal(0, 3.0, count), 0, 100)
    lab[:, 1:] *= 1.25
    lab[:, 1:] += rng.normal(0, 3.0, (count, 2))
    glass = np.clip(cv2.cvtColor(lab[None].astype(np.float32), cv2.COLOR_LAB2RGB)[0], 0, 1)
    painted = glass[label]
    border = np.zeros((height, width), np.uint8)
    border[:, 1:] |= (label[:, 1:] != label[:, :-1]).astype(np.uint8)
    border[1:] |= (label[1:] != label[:-1]).astype(np.uint8)
    away = cv2.distanceTransform(1 - border, cv2.DIST_L2, 5)
    lead = np.clip(max(0.022 * eye, 1.3) - cv2.GaussianBlur(away, (0, 0), 0.8) + 0.5, 0, 1)
    glow = 0.86 + 0.22 * (1 - np.exp(-away / (0.10 * eye))) + 0.045 * clouds((height, width), 0.06 * eye, rng)
    painted = np.clip(painted * glow[..., None], 0, 1).astype(np.float32)
    form = lightness(shapes(subject.rgb, subject.skin, eye, 0.03 + 0.05 * strength))
    lit = float(np.percentile(form[subject.skin > 0.8], 62)) if (subject.skin > 0.8).any() else 60.0
    matting = stepped(form, [lit - 34, lit - 20, lit - 8], [np.full(3, tone) for tone in (0.42, 0.62, 0.82, 1.0)])
    painted = over(painted, painted * matting, subject.skin)
    if subject.study:
        painted = bearded(painted, subject, flat)
    ink = np.zeros((height, width), np.float32)
    line = max(0.020 * eye, 1.0)
    painted = paint_eyes(painted, subject, ink, (0.6 + 0.4 * strength) * line, iris=1.0)
    painted = paint_mouth(painted, subject, ink, (0.6 + 0.4 * strength) * line)
    nose_lines(subject, ink, 0.8 * line)
    light = lightness(flat)
    lit = float(np.median(light[subject.skin > 0.9])) if (subject.skin > 0.9).any() else 70.0
    luma = luma_of(flat)
    edges = edge_lines(luma, flow_of(luma, 0.03 * eye), 0.9 * line, 0.97, 0.012 + 0.008 * strength) * subject.figure
    ink = np.maximum.reduce([ink, brows(subject, light, lit - 14), 0.85 * edges])
    draw_frames(subject, ink, line)
    painted = over(painted, LEAD, np.clip(ink, 0, 1))
    lead = np.maximum(lead, outline(subject.figure, max(0.06 * eye, 2.4), 0.03 * eye))
    shine = np.clip(lead - cv2.GaussianBlur(lead, (0, 0), max(0.012 * eye, 0.8)), 0, 1)
    return to_bytes(over(over(painted, LEAD, lead), np.full(3, 0.42, np.float32), 0.5 * shine))


def _panes(subject: Subject, strength: float, rng: np.random.Generator) -> NDArray[np.int32]:
    """Cut the picture into panes (H, W) int32: each keeps to one region, smaller ones over the face."""
    width, height = subject.size
    figure, bare, top, hats = covers_of(subject)
    region = (figure > 0.5).astype(np.int32) + (bare > 0.5) + (top > 0.5) + (hats > 0.5)
    skin = region == 2
    tries = rng.uniform(0, 1, (6000, 2)) * np.array([width, height])
    fine = (0.30 + 0.12 * strength) * subject.eye
    there = subject.figure[tries[:, 1].astype(int), tries[:, 0].astype(int)] > 0.5
    spacing = np.where(there, fine, 1.9 * fine)
    seeds = tries[_apart(tries, spacing)]
    y, x = np.mgrid[0:height:2, 0:width:2]
    nearest = cKDTree(seeds).query(np.stack([x.ravel(), y.ravel()], axis=1))[1].reshape(x.shape)
    nearest = cv2.resize(nearest.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST).astype(np.int64)
    cell = np.where(skin, 0, nearest * 64 + region + 1)  # a face is one pane, and painted on
    _, pane = np.unique(cell, return_inverse=True)
    pane = pane.reshape(height, width).astype(np.int32)
    return _merged(pane.astype(np.int32), 0.010 * subject.eye**2)


def _merged(pane: NDArray[np.int32], least: float) -> NDArray[np.int32]:
    """Give panes below `least` pixels to what surrounds them, the nearest pane."""
    size = np.bincount(pane.ravel())
    small = (size < least)[pane].astype(np.uint8)
    if not small.any():
        return pane
    _, index = cv2.distanceTransformWithLabels(small, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    owner = np.zeros(int(index.max()) + 1, np.int32)
    owner[index[small == 0]] = pane[small == 0]
    return np.where(small > 0, owner[index], pane).astype(np.int32)


FINISHES: Final = (
    Finish("low_poly", 1, low_poly),
    Finish("low_poly", 2, upon_study(low_poly)),
    Finish("stained_glass", 1, stained_glass),
    Finish("stained_glass", 2, upon_study(stained_glass)),
)
