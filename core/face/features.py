"""FaceMap + Parts -> Features: glasses, facial hair, hair colour and length, baldness, a hat: measured, not guessed.

Everything is told against the same person's own cheeks or forehead, in the logarithm of light and in colour
ratios: exposure, white balance and how dark the skin is cancel. What is not clear is None. The weights were
fitted on one half of 446 official portraits that were labelled by eye, and are judged on the other half:
`python -m tools.measure_map FOLDER LABELS --fit` prints them, docs/map.md has the figures. No race, gender or
age is inferred or stored. Hair texture is not measured: how steadily strands run told wavy from straight long
hair with an area under the curve of 0.75 on 44 portraits, and three with curls are too few to judge by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.colour import dot, linear
from core.cutout.hair import shown_window
from core.cutout.parser import Parser
from core.cutout.parts import PARTS_SIZE, Parts
from core.cutout.tie import wears_tie
from core.cutout.whole import own_clothes
from core.face.mesh import CHIN as CHIN_TIP
from core.face.worn import (
    CHEEKS,
    CHIN_HAIR,
    GLASSES,
    IOD,
    UPPER_LIP_HAIR,
    Rule,
    lines_of,
    logarithms,
    skin_cover,
    texture,
    there,
    within,
)
from core.types import F32, FaceMap, Features

FOREHEAD: Final = (109, 10, 338, 337, 9, 108)
"""A ring of mesh points around its plain part, as those of `core.face.worn`."""

BALD: Final[Rule] = {"1": -4.13, "crown_texture": -2.49, "crown_height": -7.38}
LONG: Final[Rule] = {"1": -4.73, "hair_beside": 4.91}
"""Logistic regressions (ridge 1) on the half of the portraits marked "fit"."""
COLOURS: Final = ("black", "brown", "blond", "grey", "white")
COLOUR_MEASURES: Final = ("hair_light", "hair_bright", "hair_a", "hair_b")
COLOUR: Final = np.array(
    [
        [6.840, 5.545, -4.623, 0.995, -8.757],
        [-0.084, -0.061, 0.017, 0.038, 0.089],
        [-0.055, -0.043, 0.033, -0.005, 0.070],
        [-0.255, 0.173, 0.078, -0.060, 0.064],
        [-0.167, 0.040, 0.254, -0.063, -0.064],
    ],
    np.float32,
)
"""Softmax regression: rows a constant, then COLOUR_MEASURES; columns COLOURS."""
SURE: Final = 0.5
"""Least share of the likeliest colour; a colour between two words is None. Red hair is called brown or blond: of 300
portraits three have it, too few to tell it by."""
DARK_BROWN: Final = 30.0
"""Median CIELAB lightness below which brown hair is called dark: a matter of words, set where labels agreed best."""
AT_CHIN, AT_SHOULDERS = 0.2, 0.45
"""Hair beside the neck under the chin, in squared eye distances of a possible 0.7: up to the first it ends at the chin,
from the second on it reaches the shoulders. In between a bob and a beginning fall cannot be told. Set on all
92 portraits with hair to the chin or below, so that these two words have no held-out half."""
HAT_LOW: Final = 0.6
"""Eye distances above the brows below which a hat's edge lies; most hairlines lie higher, fringes do not."""
HAT_EDGE, HAT_WIDE = 0.4, 0.8
"""Least steepness of a hat's edge over the brows, and of one that runs on from temple to temple. Of 444 portraits
without a hat one passes (hair dyed violet), and two with hat or scarf and Grace Hopper's cap do; set on them all."""
BLACK_AND_WHITE: Final = 75.0
"""Contrast of a crown from which it is no hair: portraits with a low, steep fringe reach 58, Hopper's cap has 94."""
COOL, VIVID = -4.5, 38.0
"""CIELAB b* below which and chroma above which no hair of its own colour lies; set on the portraits' own hair."""


def observe(face: FaceMap, parser: Parser) -> FaceMap:
    """Return the map with its features: half a second on two cores, most of it the parser.

    What looks like a mole on the rim of glasses is none: Hopper's frames had eleven.
    """
    parts = parser.parse(face)
    features = replace(
        judge(measure(parts, face.landmarks)),
        own_clothes=own_clothes(parts, face.landmarks),
        tie=wears_tie(parts, face.landmarks),
    )
    marks = face.marks[~_on_frames(face.marks, face.landmarks)] if features.glasses else face.marks
    shown = shown_window(np.maximum(parts.head, parts.hair), parts.valid)
    return replace(face, features=features, marks=marks, shown=shown, unsure=parts.unsure)


class Observer:
    """Measures a photo's features when they are first needed, and once: a portrait waits for its own photo alone."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._observed: dict[str, FaceMap] = {}

    def of(self, face: FaceMap) -> FaceMap:
        """Return the map with its features."""
        key = face.selfie.sha256
        if key not in self._observed:
            self._observed[key] = observe(face, self._parser)
        return self._observed[key]


def _on_frames(marks: F32, landmarks: F32) -> NDArray[np.bool_]:
    """Say which marks (N, 3) lie where a frame can be: half an eye distance above and below the eyes, all across."""
    eyes = frame.eye_centres(landmarks[:, :2])
    across = (eyes[1] - eyes[0]) / np.linalg.norm(eyes[1] - eyes[0])
    below = (marks[:, :2] - eyes.mean(axis=0)) @ np.array([-across[1], across[0]], np.float32)
    return np.abs(below) < 0.5 * frame.INTEROCULAR_PX


def measure(parts: Parts, landmarks: F32) -> dict[str, float]:
    """Measure everything the rules weigh.

    landmarks: (478, 3) in the frame at full print size. Texture is the excess of light's fine variance over the
    cheeks' own, so that a noisy photo grows no stubble; light and its ratios are natural logarithms.
    """
    points = landmarks[:, :2] * np.float32(PARTS_SIZE[0] / frame.PRINT[0])
    light = linear(parts.rgb)
    dark, fine, tint = logarithms(light)
    return {
        **lines_of(light, points),
        **skin_cover(parts.person, dark, fine, tint[..., 0], points),
        **_hair(parts, dark, fine, tint, points),
        **_hat_edge(parts.rgb, light, points),
    }


def _hair(parts: Parts, dark: F32, fine: F32, tint: F32, points: F32) -> dict[str, float]:
    """Measure crown, colour and reach of the hair.

    crown_texture: as `_texture`, above the forehead; crown_contrast: CIELAB lightness there, 90th percentile less
    10th; crown_height: of the hair over the forehead, in eye distances. hair_light, hair_a, hair_b: median CIELAB of
    a band along the head's outline above the eyes; hair_bright: lightness of its brightest quarter; hair_seen: its
    squared eye distances. hair_beside: those of hair between ear and chin. hair_below: those, of the fuller side, in
    the first half eye distance under the chin.
    """
    rows, columns = np.mgrid[: PARTS_SIZE[1], : PARTS_SIZE[0]].astype(np.float32)
    lab = cv2.cvtColor(parts.rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    head, outside = parts.head > 0.55, parts.oval < 0.3
    skin = within(points, *CHEEKS, FOREHEAD)
    off = np.dstack([dark - np.median(dark[skin]), tint - np.median(tint[skin], axis=0)])
    reach = np.dstack([np.where(off[..., 0] < 0, 0.5, 0.8), np.full_like(dark, 0.13), np.full_like(dark, 0.18)])
    skinlike = np.exp(-0.5 * dot(off / reach, off / reach))
    depth = cv2.distanceTransform(head.astype(np.uint8), cv2.DIST_L2, 5)
    band = head & outside & (depth > 0.06 * IOD) & (depth < 0.32 * IOD) & (rows < points[[33, 263], 1].mean())
    hair = band & (skinlike < 0.3)
    hair = hair if hair.sum() >= 150 else band
    colour = lab[hair] if hair.sum() >= 30 else np.zeros((1, 3), np.float32)
    inner = cv2.erode(head.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    crown = inner & (rows < points[10, 1]) & (np.abs(columns - points[10, 0]) < 0.75 * IOD)
    beside = head & (depth > 0.03 * IOD) & (rows > points[159, 1]) & (rows < points[CHIN_TIP, 1]) & (skinlike < 0.3)
    beside &= (columns < points[234, 0] - 0.06 * IOD) | (columns > points[454, 0] + 0.06 * IOD)
    taught = beside if beside.sum() > 0.15 * IOD**2 else hair
    return {
        "crown_texture": texture(fine[crown], float(np.minimum(fine[skin], 0.01).mean())) if crown.sum() > 20 else -4.6,
        "crown_height": float(points[10, 1] - np.flatnonzero(crown.any(axis=1)).min(initial=10**4)) / IOD,
        "crown_contrast": float(np.subtract(*np.percentile(lab[crown][:, 0], (90, 10)))) if crown.any() else 0.0,
        "hair_seen": float(hair.sum()) / IOD**2,
        "hair_light": float(np.median(colour[:, 0])),
        "hair_bright": float(np.percentile(colour[:, 0], 75)),
        "hair_a": float(np.median(colour[:, 1])),
        "hair_b": float(np.median(colour[:, 2])),
        "hair_beside": float(beside.sum()) / IOD**2,
        "hair_below": _below_chin(
            lab, (parts.person > 0.5) & outside & (skinlike < 0.5), taught, points, columns, rows
        ),
    }


def _below_chin(
    lab: F32, may: NDArray[np.bool_], taught: NDArray[np.bool_], points: F32, columns: F32, rows: F32
) -> float:
    """Squared eye distances beside the neck of what has the hair's colour and hangs together with it."""
    if not taught.any():
        return 0.0
    usual = np.median(lab[taught], axis=0)
    deviation = 1.4826 * np.median(np.abs(lab[taught] - usual), axis=0) + np.array([6, 3, 3], np.float32)
    away = (lab - usual) / deviation
    alike = (may & (dot(away, away) < 9)).astype(np.uint8)
    alike = cv2.morphologyEx(cv2.morphologyEx(alike, cv2.MORPH_CLOSE, np.ones((5, 5))), cv2.MORPH_OPEN, np.ones((5, 5)))
    _, blobs = cv2.connectedComponents(alike)
    roots = np.unique(blobs[taught & (alike > 0)])
    falling = np.isin(blobs, roots[roots > 0])
    x, y = points[CHIN_TIP]
    neck = 0.375 * float(points[397, 0] - points[172, 0])
    falling &= (rows > y) & (rows <= y + 0.5 * IOD) & (np.abs(columns - x) > neck) & (np.abs(columns - x) < 2 * IOD)
    return float(max((falling & side).sum() for side in (columns < x, columns > x))) / IOD**2


def _hat_edge(rgb: NDArray[np.uint8], light: F32, points: F32) -> dict[str, float]:
    """Find the steepest line across the forehead, from column to column two rows up or down at most.

    edge: its steepness (logarithm of the median) over 1.1 eye distances; edge_wide: of the weakest fifth over 1.6, from
    temple to temple; edge_height: how far above the brows, in eye distances; over_l, over_a, over_b: CIELAB of the
    quarter eye distance above it.
    """
    steep = np.abs(cv2.Sobel(cv2.GaussianBlur(np.log(light + 0.01), (0, 0), 1.2), cv2.CV_32F, 0, 1)).max(axis=-1)
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    brow = float(points[[105, 334], 1].min())
    top = int(max(points[10, 1] - 0.35 * IOD, 0))
    foot = max(int(brow - 0.04 * IOD), top + 6)
    found: dict[str, float] = {}
    for name, reach, share in (("edge", 0.55, 50), ("edge_wide", 0.8, 20)):
        x = np.linspace(points[10, 0] - reach * IOD, points[10, 0] + reach * IOD, 31).astype(int)
        x = np.clip(x, 0, PARTS_SIZE[0] - 1)
        cut = steep[top:foot][:, x]
        path = _ridge(cut)
        found[name] = float(np.log(np.percentile(cut[path, np.arange(len(x))], share) + 0.02))
        if name == "edge":
            found["edge_height"] = (brow - top - float(path.mean())) / IOD
    over = [lab[max(top + y - int(0.25 * IOD), 0) : top + y - 3, column] for y, column in zip(path, x, strict=True)]
    colour = np.concatenate(over)
    colour = np.median(colour, axis=0) if len(colour) else np.zeros(3)
    return {**found, "over_l": float(colour[0]), "over_a": float(colour[1]), "over_b": float(colour[2])}


def _ridge(steep: F32) -> NDArray[np.int64]:
    """Return the row of each column on the path that gathers most, two rows a column at most."""
    rows, columns = steep.shape
    gathered, back = steep[:, 0].copy(), np.zeros((rows, columns), np.int64)
    for column in range(1, columns):
        padded = np.pad(gathered, 2, constant_values=-1e9)
        steps = np.stack([padded[k : k + rows] - 0.02 * abs(k - 2) for k in range(5)])
        back[:, column] = steps.argmax(axis=0) - 2
        gathered = steps.max(axis=0) + steep[:, column]
    path = [int(gathered.argmax())]
    for column in range(columns - 1, 0, -1):
        path.append(int(np.clip(path[-1] + back[path[-1], column], 0, rows - 1)))
    return np.array(path[::-1])


def judge(measured: Mapping[str, float]) -> Features:
    """Hold the measures against the rules."""
    glasses = there(measured, GLASSES)
    chin, lip = there(measured, CHIN_HAIR), there(measured, UPPER_LIP_HAIR)
    facial_hair = "beard" if chin else None if chin is None or lip is None else "moustache" if lip else "none"
    hat = _hat(measured)
    length, colour = _length(measured, hat), None
    if not hat and length != "bald" and measured["hair_seen"] > 0.1:
        colour = _colour(measured)
    return Features(
        glasses=glasses,
        glasses_edge=round(measured["bridge"], 2),
        facial_hair=facial_hair,
        chin_texture=round(measured["chin_texture"], 2),
        lip_texture=round(measured["lip_texture"], 2),
        hair_colour=colour,
        hair_lab=(round(measured["hair_light"], 1), round(measured["hair_a"], 1), round(measured["hair_b"], 1)),
        hair_length=length,
        hair_below_chin=round(measured["hair_below"], 2),
        hat=hat,
        hat_edge=round(measured["edge"], 2),
    )


def _hat(measured: Mapping[str, float]) -> bool | None:
    """A hat is a steep edge low on the forehead, with something over it that is not this person's hair.

    That is a colour no hair has of its own; or, over an edge from temple to temple, black beside white, as badges,
    bands and covers have it. A fringe has an edge as low, and so has a plain black or grey hat: None.
    """
    if measured["edge"] < HAT_EDGE or measured["edge_height"] > HAT_LOW:
        return False
    if measured["over_b"] < COOL or np.hypot(measured["over_a"], measured["over_b"]) > VIVID:
        return True
    return True if measured["edge_wide"] > HAT_WIDE and measured["crown_contrast"] > BLACK_AND_WHITE else None


def _length(measured: Mapping[str, float], hat: bool | None) -> str | None:
    long = there(measured, LONG)
    if long is None:
        return None
    if long:
        below = measured["hair_below"]
        return "chin" if below < AT_CHIN else "shoulder_or_longer" if below > AT_SHOULDERS else None
    bald = there(measured, BALD)
    if hat or bald is None or (bald and hat is None):  # a hat hides the crown
        return None
    return "bald" if bald else "short"


def _colour(measured: Mapping[str, float]) -> str | None:
    odds = np.array([1.0, *(measured[name] for name in COLOUR_MEASURES)]) @ COLOUR
    chance = np.exp(odds - odds.max())
    chance /= chance.sum()
    if chance.max() < SURE:
        return None
    word = COLOURS[int(chance.argmax())]
    return "dark brown" if word == "brown" and measured["hair_light"] < DARK_BROWN else word


def words(features: Features) -> str:
    """Say the features in one line of plain words; what was not seen well enough is left out."""
    lengths = {"short": "short ", "chin": "chin-length ", "shoulder_or_longer": "long "}
    length, colour = lengths.get(features.hair_length or "", ""), features.hair_colour or ""
    hair = "bald" if features.hair_length == "bald" else f"{length}{colour}".strip()
    said = [
        "hat" if features.hat else "",
        "glasses" if features.glasses else "no glasses" if features.glasses is False else "",
        {"none": "no facial hair", None: ""}.get(features.facial_hair, features.facial_hair or ""),
        hair if hair in {"", "bald"} else f"{hair} hair",
    ]
    return ", ".join(part for part in said if part)
