"""What is worn on a face, glasses and facial hair, told from a picture and its mesh alone: measures and rules.

`core.face.features` holds photographs against them, `core.looks.study` portraits that are to be drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.colour import LUMINANCE
from core.face.landmarks import fill
from core.types import F32

SIZE: Final = (frame.PRINT[0] // 2, frame.PRINT[1] // 2)
"""Width and height of the picture that all is measured in: a face in the frame."""
IOD: Final = frame.EYE_DISTANCE * SIZE[0]
"""Distance between the eyes where all is measured, 94.7 px."""
UPPER_LIP: Final = (98, 97, 2, 326, 327, 391, 269, 267, 0, 37, 39, 165)
CHIN: Final = (204, 106, 182, 83, 18, 313, 406, 335, 424, 431, 395, 369, 396, 175, 171, 140, 170, 211)
JAW: Final = ((213, 172, 136, 150, 149, 140, 211, 210, 214, 192), (433, 397, 365, 379, 378, 369, 431, 430, 434, 416))
CHEEKS: Final = ((117, 118, 119, 100, 36, 205, 50, 123), (346, 347, 348, 329, 266, 425, 280, 352))
"""Rings of mesh points around plain parts of the face, drawn over four portraits to see that they fit."""

Rule = Mapping[str, float]
"""Weights by measure, and "1" for the constant: the natural logarithm of the odds that something is there."""
GLASSES: Final[Rule] = {"1": -2.81, "bridge": 2.34, "under": 1.28, "side": 1.61}
UPPER_LIP_HAIR: Final[Rule] = {"1": 7.24, "lip_dark": -4.31, "lip_texture": 4.44, "lip_red": -11.04}
CHIN_HAIR: Final[Rule] = {"1": 8.66, "chin_dark": -0.97, "chin_texture": 3.60, "chin_red": -2.85, "jaw_red": -6.87}
"""Logistic regressions (ridge 1) on the half of the portraits marked "fit"."""
NO, YES = -1.4, 0.4
"""Log odds below which something is not there and above which it is, 20 % and 60 %; None in between."""


def logarithms(light: F32) -> tuple[F32, F32, F32]:
    """Return of linear light (H, W, 3) the logarithm (H, W), its fine variance, and of red and blue over green."""
    smooth = cv2.GaussianBlur(light, (0, 0), 0.7) + 0.004
    dark = np.log(smooth @ LUMINANCE)
    fine = (dark - cv2.GaussianBlur(dark, (0, 0), 2)) ** 2
    smooth = cv2.GaussianBlur(light, (0, 0), 2) + 0.004
    tint = np.log(smooth[..., ::2] / smooth[..., 1:2])  # red over green, blue over green
    return dark, fine, tint


def within(points: F32, *rings: Sequence[int]) -> NDArray[np.bool_]:
    """Return what lies in rings of the mesh, (H, W) of SIZE."""
    return np.logical_or.reduce([fill((SIZE[1], SIZE[0]), points, tuple(ring)) for ring in rings])


def lines_of(light: F32, points: F32) -> dict[str, float]:
    """Steepness of the steepest lines that skin does not have: over the nose, under the eyes, beside them.

    bridge: of the mean over a strip 0.2 eye distances wide between the eyes; under: of the lower rims;
    side: of the temples of a frame, between the eye's corner and the face's outline. Logarithms.
    """
    steep = np.abs(cv2.Sobel(cv2.GaussianBlur(np.log(light @ LUMINANCE + 0.01), (0, 0), 0.8), cv2.CV_32F, 0, 1))
    eyes = frame.eye_centres(points)
    level = float(eyes[:, 1].mean())

    def strip(left: float, right: float, above: float, below: float) -> F32:
        cut = steep[
            round(level + above * IOD) : round(level + below * IOD), round(left) : max(round(right), round(left) + 4)
        ]
        return cut if cut.size else np.zeros((1, 1), np.float32)

    bridge = strip(points[168, 0] - 0.1 * IOD, points[168, 0] + 0.1 * IOD, -0.25, 0.3).mean(axis=1).max()
    under = np.mean([np.median(strip(x - 0.25 * IOD, x + 0.25 * IOD, 0.16, 0.55).max(axis=0)) for x in eyes[:, 0]])
    beside = ((points[127, 0], points[33, 0] - 0.06 * IOD), (points[263, 0] + 0.06 * IOD, points[356, 0]))
    side = np.mean([np.median(strip(left, right, -0.3, 0.3), axis=1).max() for left, right in beside])
    names = ("bridge", "under", "side")
    return {name: float(np.log(value + 0.02)) for name, value in zip(names, (bridge, under, side), strict=True)}


def below_nostrils(points: F32) -> F32:
    """Return mesh points (N, 2 or 3) with the upper lip's ring clear of the nostrils and their shadow."""
    lower, nostrils = points.copy(), list(UPPER_LIP[:5])
    lower[nostrils, 1] = np.maximum(points[nostrils, 1], points[2, 1] + 0.3 * (points[0, 1] - points[2, 1]))
    return lower


def skin_cover(person: F32, dark: F32, fine: F32, red: F32, points: F32) -> dict[str, float]:
    """Compare upper lip, chin and jaw with the cheeks: how much darker, how much less red, how much rougher."""
    cheeks = within(points, *CHEEKS)
    own, own_red = float(np.median(dark[cheeks])), float(np.median(red[cheeks]))
    own_fine = float(np.minimum(fine[cheeks], 0.01).mean())
    lower = below_nostrils(points)
    found: dict[str, float] = {}
    for name, rings in (("lip", (UPPER_LIP,)), ("chin", (CHIN,)), ("jaw", JAW)):
        where = within(lower, *rings) & (person > 0.78)
        if where.sum() < 40:
            where = within(lower, *rings)
        found[f"{name}_dark"] = float(np.median(dark[where])) - own
        found[f"{name}_red"] = float(np.median(red[where])) - own_red
        found[f"{name}_texture"] = texture(fine[where], own_fine)
    return found


def texture(fine: F32, own: float) -> float:
    """Logarithm of the standard deviation that is left when the skin's own variance is taken away; -4.6 for none."""
    return float(0.5 * np.log(max(float(np.minimum(fine, 0.04).mean()) - own, 0.0) + 1e-4))


def there(measured: Mapping[str, float], rule: Rule) -> bool | None:
    """Hold measures against a rule; None for what is not clear."""
    odds = odds_of(measured, rule)
    return True if odds > YES else False if odds < NO else None


def odds_of(measured: Mapping[str, float], rule: Rule) -> float:
    """Return the natural logarithm of the odds that something is there."""
    return rule["1"] + sum(weight * measured[name] for name, weight in rule.items() if name != "1")
