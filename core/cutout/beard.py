"""A long beard: what hangs below the chin before neck and clothes, and which the parser takes for skin."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.colour import LUMINANCE, linear
from core.cutout.parts import HALF, Parts
from core.face.mesh import CHIN
from core.face.worn import CHEEKS, IOD, within
from core.types import F32

LEAST_KNOWN: Final = 20
"""Pixels of chin and of cheeks that must be seen."""
LEAST_SPREAD: Final = (0.003, 0.003, 0.02)
"""Variance that is added to that of the measures, by eye."""
LIP: Final = 17
"""Mesh point in the middle of the lower lip's rim."""
CHIN_AREA: Final = (0.1, 0.05, 0.45)
"""Eye distances below the lower lip, above the chin and beside it within which a face has its beard, if it has one."""
GRAIN: Final = (0.03, 0.04, 0.06)
"""Eye distances, as Gaussians' deviations, over which colours are averaged, what is finer than which is texture, and
over which texture is measured."""
TOLD: Final = (10.0, 8.0)
"""Squared Mahalanobis distances between cheeks and chin from which on a beard is told: by colour and texture together,
and by one of them. Of 14 long beards 11 had 10.3 to 58, and 8.9 to 49; of 14 necks with as long a dark part 13 had 4.5
to 9.8, and one, before which a hand was held, 10.4 and 6.0."""
LONG: Final = 0.45
"""Eye distances below the chin that a beard must hang to lie over clothes; by eye on 30 bearded men."""
SOLID: Final = 0.75
"""Part of a beard that must look like one: a necklace's two sides with skin between them do not."""
WIDE: Final = (1.1, 0.12)
"""Eye distances beside the chin within which a beard hangs, and columns by which these are less with each row below."""
ABOVE: Final = 0.8
"""Eye distances above the chin from which on a beard may stand out beside a face."""
STRANDS, GAPS = 0.12, 0.18
"""Radii in eye distances: bits under twice as wide are no beard, and gaps under twice as wide in it are filled."""
SOFT: Final = 0.03
"""Eye distances, as a Gaussian's deviation, over which a beard goes over into what is behind it."""


def beard_of(parts: Parts, landmarks: F32) -> F32:
    """Return how much of each pixel is a long beard, beyond the face: (640, 512) float32 0..1, none where it is short.

    What looks like the chin rather than like the cheeks (Fisher's linear discriminant of log R/G, log G/B and log
    texture; lightness would call a neck in the chin's shadow a beard) and hangs together with the chin.
    landmarks: (N, 3) of the print.
    """
    none = np.zeros_like(parts.skin)
    points = landmarks[:, :2] * np.float32(HALF)
    rows, columns = np.arange(len(none))[:, None], np.arange(none.shape[1])[None]
    x, y = points[CHIN]
    chin = (parts.oval > 0.9) & (np.abs(columns - x) < CHIN_AREA[2] * IOD)
    chin &= (rows > points[LIP, 1] + CHIN_AREA[0] * IOD) & (rows < y - CHIN_AREA[1] * IOD)
    cheeks = within(points, *CHEEKS) & (parts.oval > 0.9)
    looks = _like_the_chin(_measures(parts), chin, cheeks)
    if looks is None:
        return none
    _, locks = cv2.connectedComponents((parts.hair > 0.3).astype(np.uint8))
    on_head = np.isin(locks, np.unique(locks[: max(0, round(y - ABOVE * IOD))])) & (locks > 0)
    own = parts.skin + parts.hair * ~on_head  # the nets call a beard either
    narrower = WIDE[0] * IOD - WIDE[1] * np.maximum(rows - y, 0)
    may = (np.abs(columns - x) < narrower) & (rows > y - ABOVE * IOD)
    part = (looks & (own > 0.5) & may).astype(np.uint8)
    part = cv2.morphologyEx(part, cv2.MORPH_OPEN, _disc(STRANDS))
    part = _filled(cv2.morphologyEx(part, cv2.MORPH_CLOSE, _disc(GAPS)))
    _, blobs = cv2.connectedComponents(part)
    seeds = blobs[chin & (part > 0)]
    if not len(seeds):
        return none
    part = (blobs == np.bincount(seeds).argmax()) & (own > 0.3)
    below = part & (rows > y)
    depths = (below & (np.abs(columns - x) < 0.2 * IOD)).sum(axis=0)
    if not depths.any() or np.median(depths[depths > 0]) < LONG * IOD or looks[below].mean() < SOLID:
        return none
    soft = cv2.GaussianBlur(part.astype(np.float32), (0, 0), SOFT * IOD)
    return (np.clip(own, 0, 1) * soft * (1 - parts.oval)).astype(np.float32)


def with_beard(parts: Parts, beard: F32) -> Parts:
    """Count a beard (640, 512) to the head, and what of it was taken for skin to the hair."""
    taken = np.minimum(parts.skin * beard, np.maximum(1 - parts.hair, 0))
    head = np.minimum(np.maximum(parts.head + taken, beard), np.maximum(parts.person, parts.head))
    return replace(parts, hair=parts.hair + taken, skin=parts.skin - taken, head=head)


def _measures(parts: Parts) -> F32:
    """Return log R/G, log G/B and the logarithm of texture: (640, 512, 3)."""
    light = linear(parts.rgb)
    red, green, blue = cv2.split(np.log(cv2.GaussianBlur(np.maximum(light, 2e-4), (0, 0), GRAIN[0] * IOD)))
    fine = np.log(np.maximum(light @ LUMINANCE, 4e-3))
    fine = fine - cv2.GaussianBlur(fine, (0, 0), GRAIN[1] * IOD)
    texture = np.log(np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), GRAIN[2] * IOD)) + 0.02)
    return np.dstack([red - green, green - blue, texture]).astype(np.float32)


def _like_the_chin(measures: F32, chin: NDArray[np.bool_], cheeks: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Say of each pixel whether it is more like the chin than like the cheeks: (H, W), None where they are alike.

    By colour and texture together, and by the one of the two that tells them apart better.
    """
    one, other = measures[chin], measures[cheeks]
    if min(len(one), len(other)) < LEAST_KNOWN:
        return None
    spread = (np.cov(one.T) + np.cov(other.T)) / 2 + np.diag(LEAST_SPREAD)
    centres = np.median(one, axis=0), np.median(other, axis=0)
    apart, middle = centres[0] - centres[1], (centres[0] + centres[1]) / 2
    told, looks = [], []
    for part in (slice(0, 2), slice(2, 3), slice(0, 3)):
        way = np.linalg.solve(spread[part, part], apart[part])
        told.append(float(apart[part] @ way))
        looks.append((measures[..., part] - middle[part]) @ way > 0)
    best = int(np.argmax(told[:2])) if apart[2] > 0 else 0  # a chin smoother than the cheeks has no beard
    return looks[2] & looks[best] if told[2] > TOLD[0] and told[best] > TOLD[1] else None


def _disc(radius: float) -> NDArray[np.uint8]:
    """Return a disc of a radius in eye distances, for morphology."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(radius * IOD) + 1,) * 2).astype(np.uint8)


def _filled(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill the holes of a mask (H, W) of 0 and 1."""
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = np.zeros_like(part)
    cv2.drawContours(whole, outlines, -1, 1, cv2.FILLED)
    return whole
