"""Garments cut from photographs: read, checked, and chosen by how they fit.

One folder of `styles/wardrobe` is one garment: `garment.toml` says what it is and where it meets its wearer,
`cloth.webp` is its colours with the studio's light taken out and its alpha, `parts.webp` says which cloth is where.
`tools/make_garment.py` makes them. Lengths are pixels of those pictures; `eye_px` is the eye distance of the person who
wore it there, so all can be brought to the frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core.errors import StyleWrong
from core.frame import GARMENT_TOP, INTEROCULAR_PX, PRINT
from core.scene.style import FACTS, FOLDER, Facts, GarmentKind, Part, Point, read_toml, user_folder
from core.types import F32, U8, Body

CLOTH, PARTS = "cloth.webp", "parts.webp"
PICTURES: Final = (CLOTH, PARTS)
PART_NAMES: Final[tuple[Part, ...]] = ("jacket", "shirt", "tie")
LEAST_SQUEEZE: Final[dict[str, float]] = {"collar": 0.85, "open": 0.85, "round": 0.7, "scoop": 0.8, "high": 0.7}
"""Least factor, and its inverse the greatest, by which a garment's neck may be narrowed against its shoulders, by
neckline: knitwear stretches, a collar's points would be seen to be squeezed."""
TURN_WEIGHT: Final = 0.012
"""What a degree between two turns counts against the logarithm of a squeeze, when garments are compared; by eye."""
COLLAR_SLACK: Final[dict[str, float]] = {"collar": 0.35, "open": 0.6, "round": 0.35, "scoop": 0.7, "high": 0.25}
"""Eye distances by which a collar may be wider than the neck, or tighter, unsqueezed, by neckline; by eye."""
THIN: Final = 1.35
"""Neck width in eye distances below which it is hair that hides the neck, or a child's: a collar stands off it."""
AS_GOOD: Final = 0.13
"""By how much a garment may fit worse than the best one and still be worn for a change."""
MOST_DRAWN: Final[dict[str, float]] = {"scoop": 0.5}
"""Eye distances by which a neckline may open deeper than the photo shows bare skin, by neckline; others may to any
depth. Collarbones that are drawn are seen to be; by eye."""
STANDS_IN: Final[dict[str, GarmentKind]] = {"dress": "crew_neck"}
"""The kind that is worn where a photo shows too little neck for one."""
DRAWN_SKIN: Final = 0.15
"""What an eye distance of skin counts that the old clothes hide and this garment would show; by eye."""
BARE_HEM: Final = 0.3
"""What an eye distance counts by which the photograph ends above the frame's foot: there it is stretched; by eye."""
LIKE_MADE: Final = 0.02
"""What a mirror counts: a jacket buttons on one side, so that it is used only where the turn is better for it."""


@dataclass(frozen=True, slots=True, eq=False)
class Photographed:
    """A garment's pictures: cloth (H, W, 4) uint8 sRGB and alpha, parts (H, W, 3) uint8, one channel a PART_NAMES."""

    cloth: U8
    parts: U8


@dataclass(frozen=True, slots=True)
class Garment:
    """One photographed garment by its folder's name. mirrored: left to right, its facts too."""

    name: str
    facts: Facts
    mirrored: bool = False


def _folders() -> dict[str, Path]:
    """Return every garment's folder by its name, the operator's own before the studio's."""
    files = [file for folder in (FOLDER, user_folder()) for file in (folder / "wardrobe").glob(f"*/{FACTS}")]
    return {file.parent.name: file.parent for file in files}


@cache
def garments() -> tuple[Garment, ...]:
    """Read every garment, by name. Raises StyleWrong with the file and the line that is wrong."""
    found = []
    for name, folder in sorted(_folders().items()):
        missing = [picture for picture in PICTURES if not (folder / picture).is_file()]
        if missing:
            raise StyleWrong(f"{name}: {', '.join(missing)} is missing beside {FACTS}")
        found.append(Garment(name, read_toml(Facts, folder / FACTS)))
    return tuple(found)


def mirrored(garment: Garment) -> Garment:
    """Return a garment seen in a mirror."""

    def across(point: Point) -> Point:
        return facts.width - 1 - point[0], point[1]

    facts = garment.facts
    moved = {
        "yaw_deg": -facts.yaw_deg,
        "collar": across(facts.collar),
        "neck": (across(facts.neck[1]), across(facts.neck[0])),
        "shoulders": (across(facts.shoulders[1]), across(facts.shoulders[0])),
        "foot": None if facts.foot is None else (across(facts.foot[1]), across(facts.foot[0])),
        "arms": None if facts.arms is None else tuple(facts.width - 1 - x for x in reversed(facts.arms)),
    }
    return Garment(garment.name, facts.model_copy(update=moved), not garment.mirrored)


@cache
def photographed(name: str) -> Photographed:
    """Read a garment's pictures. Raises StyleWrong where they are no pictures or differ in size."""
    folder = _folders()[name]
    cloth, parts = (cv2.imread(str(folder / file), cv2.IMREAD_UNCHANGED) for file in PICTURES)
    if cloth is None or parts is None or cloth.ndim != 3 or cloth.shape[2] != 4 or cloth.shape[:2] != parts.shape[:2]:
        raise StyleWrong(f"{name}: {CLOTH} must have colours and alpha, {PARTS} the same size")
    return Photographed(cloth[..., [2, 1, 0, 3]], parts[..., [2, 1, 0]])


def choose(
    kind: str, body: Body, turn_deg: float, neckline: float, named: str | None = None, seed: int = 0
) -> Garment | None:
    """Choose the photographed garment of a kind that fits a body best; None where none fits, and one is drawn.

    turn_deg: how far the torso stands turned to the picture's right. neckline: y in print pixels down to which the
    photo shows bare skin: a garment that opens deeper needs skin to be drawn, and loses against one that does not.
    named: that one, if it fits at all; without a name only what takes on any colour is chosen. seed: chooses among
    those that fit about as well, so that portraits differ. MOST_DRAWN and STANDS_IN say what a deep neckline needs.
    """
    fits: list[tuple[float, str, Garment]] = []
    for garment in garments():
        if garment.facts.kind != kind or (garment.name != named if named else not takes_colours(garment)):
            continue
        squeeze = squeeze_of(garment, body)
        least = LEAST_SQUEEZE[garment.facts.neckline]
        if not least <= squeeze <= 1 / least:
            continue
        for each in (garment, mirrored(garment)):
            deeper = (front_of(each, body) - neckline) / INTEROCULAR_PX
            if deeper > MOST_DRAWN.get(each.facts.neckline, math.inf):
                continue
            turn = TURN_WEIGHT * abs(each.facts.yaw_deg - turn_deg)
            cost = abs(math.log(squeeze)) + turn + LIKE_MADE * each.mirrored + BARE_HEM * bare_hem(each, body)
            cost += DRAWN_SKIN * max(0.0, deeper)
            fits.append((cost, each.name, each))
    if not fits and kind in STANDS_IN:
        return choose(STANDS_IN[kind], body, turn_deg, neckline, seed=seed)
    fits.sort(key=lambda fit: fit[:2])
    best = {name: each for cost, name, each in reversed(fits) if cost <= fits[0][0] + AS_GOOD}
    return list(reversed(best.values()))[seed % len(best)] if best else None


def takes_colours(garment: Garment) -> bool:
    """Say whether jacket and tie of a garment are plain, so that an outfit's colours can be given to them."""
    tied = garment.facts.kind == "suit_tie"
    return "jacket" in garment.facts.plain and ("tie" in garment.facts.plain or not tied)


def neck_range(garment: Garment) -> tuple[float, float]:
    """Return the least and the greatest neck, in eye distances, that a garment is worn on: its size range."""
    (left, _), (right, _) = garment.facts.neck
    own = (right - left) / garment.facts.eye_px
    least, slack = LEAST_SQUEEZE[garment.facts.neckline], COLLAR_SLACK[garment.facts.neckline]
    thinnest = least * own - slack
    return (0.0 if thinnest <= THIN else thinnest), own / least + slack


def squeeze_of(garment: Garment, body: Body) -> float:
    """Return how much narrower the neck of a garment must become against its shoulders, 1 where both fit as they are.

    COLLAR_SLACK is taken off first.
    """
    (left, _), (right, _) = garment.facts.neck
    own = (right - left) / garment.facts.eye_px
    wanted = max(body.neck_width / INTEROCULAR_PX, THIN)
    most = COLLAR_SLACK[garment.facts.neckline]
    slack = min(max(wanted - own, -most), most)
    return (wanted - slack) / own


FILLED: Final = 1.22
"""How much wider a garment may become at a side where its photograph ends before the print does."""
LEAST_COLLAR: Final[dict[str, float]] = {"collar": 0.42, "open": 0.75, "round": 0.45, "scoop": 0.8, "high": 0.2}
"""Eye distances below the chin where a neckline's front may begin at the highest, by neckline; by eye."""
FRONT: Final = 0.9
"""Eye distances from the torso's axis to its front at the collar: how far a turn carries the collar aside."""
TURNED: Final = 0.7
"""How much of the way to the sitter's own turn a garment is turned: lapels cannot be, and would look torn."""
NAPE: Final = 0.4
"""Eye distances that the nape of a neck stands out behind a turned head, at a right angle of the torso. At 1.0 a collar
stood off it, with a shelf of skin between: of 26 blind pairs of turned heads a reader preferred this in 15, that in 5.
"""
LEVELLED: Final = 0.4
"""How much of a slant of the wearer's shoulders is taken out."""
EVEN: Final = 0.7
"""How much of the way the two ends of a collar come to one height where a garment is turned back to the front: the side
of a turned one that is nearer stands higher; by eye."""
KNOT: Final = 0.8
"""Eye distances below a collar where a tie's knot ends; by eye."""
STRAIGHT: Final = 0.5
"""How much of the way its tie comes to hang below the neck's middle then; the jacket moves with it; by eye."""
HUG: Final = 0.04
"""Eye distances by which a standing collar stands off a neck at each side: it is narrowed to it; by eye on thirteen
people: at 0.12 its corners stood beside the neck like a rigid tube's."""
MOST_RISE: Final = 0.2
"""Eye distances by which a standing collar's sides may rise above its front; by eye."""
UPRIGHT: Final = 0.75
"""How much of its slope a standing collar keeps when it is narrowed to a neck; by eye."""
ROOM: Final = 6.0
"""Print pixels by which a garment is made to reach over the print's sides."""
REACH: Final = (0.9, 1.12)
"""How far shoulders may be narrowed and widened to the sitter's own."""


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """A garment brought to a sitter's eye distance and shoulder line, and as far down as its collar needs."""

    garment: Garment
    body: Body

    @property
    def middle(self) -> NDArray[np.float64]:
        """The neck's middle, in the pictures."""
        return np.array(self.garment.facts.neck, np.float64).mean(axis=0)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Carry a point of the pictures into the frame, without the drop."""
        facts, body = self.garment.facts, self.body
        (left, high), (right, low) = facts.shoulders
        slant = -LEVELLED * math.atan2(low - high, right - left)
        scale = INTEROCULAR_PX / facts.eye_px
        along, down = x - self.middle[0], y - (high + low) / 2
        return (
            body.neck_x + scale * (math.cos(slant) * along - math.sin(slant) * down),
            body.shoulder_y + scale * (math.sin(slant) * along + math.cos(slant) * down),
        )

    def drop(self) -> float:
        """Return by how much it comes down so that its front leaves the chin free and nothing is above the frame."""
        facts = self.garment.facts
        free = self.body.chin_y + LEAST_COLLAR[facts.neckline] * INTEROCULAR_PX - self.at(*facts.collar)[1]
        highest = min(self.at(x, 0.0)[1] for x, _ in facts.neck)  # its pictures begin just above its highest point
        return max(0.0, free, GARMENT_TOP * PRINT[1] - highest)


def targets_of(garment: Garment, body: Body, turn_deg: float) -> tuple[F32, F32]:
    """Return anchor points of a garment, (N, 2) float32 in its pictures, and where they go in full print pixels.

    The garment comes to the sitter's eye distance, its shoulder line to theirs; its neck meets their neck, its front is
    carried aside as the torso turns and down where it would cover the chin.
    """
    facts, eye, placed = garment.facts, INTEROCULAR_PX, _Placed(garment, body)
    drop = placed.drop()
    aside = TURNED * FRONT * eye * (math.sin(math.radians(turn_deg)) - math.sin(math.radians(facts.yaw_deg)))
    wider, unturned = _widths(placed), unturned_of(garment, turn_deg)
    pins = _neck_pins(placed, turn_deg, drop)
    x, y = placed.at(*facts.collar)
    pins.insert(2, (facts.collar, (x + aside, y + drop)))
    for point in facts.shoulders:
        x, y = placed.at(*point)
        pins.append((point, (body.neck_x + (x - body.neck_x) * wider[int(x > body.neck_x)], y + drop)))
    for down in (KNOT, 1.6, 3.2):
        for across in (-2.4, 0.0, 2.4):
            x, y = float(placed.middle[0]) + across * facts.eye_px, facts.collar[1] + down * facts.eye_px
            tie = _tie_at(garment, y) if across == 0 else None
            if down == KNOT and tie is None:
                continue
            straight = x if tie is None else tie + STRAIGHT * unturned * (x - tie)
            x = x if tie is None else tie
            to_x, to_y = placed.at(straight, y)
            moved = aside * (1 - down / 4) if across == 0 else (to_x - body.neck_x) * (wider[int(across > 0)] - 1)
            pins.append(((x, y), (to_x + moved, to_y + drop)))
    source, target = zip(*pins, strict=True)
    return np.array(source, np.float32), np.array(target, np.float32)


def unturned_of(garment: Garment, turn_deg: float) -> float:
    """Return how far a garment must be turned back to be worn at a turn: 0 not at all, 1 from its own to the front."""
    own = garment.facts.yaw_deg
    return 0.0 if own == 0 else float(np.clip(1 - turn_deg / own, 0, 1))


def _tie_at(garment: Garment, y: float) -> float | None:
    """Return the x of the middle of a garment's tie in that row of its pictures; None where it has none."""
    parts = photographed(garment.name).parts
    row = parts[round(y), :, PART_NAMES.index("tie")] > 127 if y < len(parts) - 0.5 else np.zeros(1, bool)
    columns = np.flatnonzero(row)
    if not len(columns):
        return None
    middle = float(columns.mean())
    return garment.facts.width - 1 - middle if garment.mirrored else middle


def _neck_pins(placed: _Placed, turn_deg: float, drop: float) -> list[tuple[Point, Point]]:
    """Return where a garment's two ends at the neck go, and a standing collar's feet: pairs of (pictures, frame).

    A standing collar hugs the neck, as far as knitwear may be narrowed; its foot goes with it, so that its sides stay
    as steep. Others keep their own width, but for some slack.
    """
    facts, body, eye = placed.garment.facts, placed.body, INTEROCULAR_PX
    own_half = 0.5 * (facts.neck[1][0] - facts.neck[0][0]) * eye / facts.eye_px
    half = max(body.neck_width / 2, own_half - COLLAR_SLACK[facts.neckline] / 2 * eye)
    highest = -math.inf
    if facts.foot is not None:
        half = max(max(body.neck_width, THIN * eye) / 2 + HUG * eye, own_half * LEAST_SQUEEZE[facts.neckline])
        highest = placed.at(*facts.collar)[1] + drop - MOST_RISE * eye
    ends: list[tuple[Point, Point]] = []
    feet: list[tuple[Point, Point]] = []
    nape = -NAPE * math.sin(math.radians(turn_deg)) * eye  # a turned head's neck goes on behind it
    level = EVEN * unturned_of(placed.garment, turn_deg)
    middle = sum(placed.at(*point)[1] for point in facts.neck) / 2 + drop
    for index, (side, point) in enumerate(zip((-1, 1), facts.neck, strict=True)):
        x = body.neck_x + side * half + max(0.0, side * nape) * side * 0.8 + min(0.0, side * nape) * side * 0.5
        y = placed.at(*point)[1] + drop
        ends.append((point, (x, max(y + level * (middle - y), highest))))
        if facts.foot is not None:
            foot = facts.foot[index]
            wide = UPRIGHT * abs(foot[0] - point[0]) * eye / facts.eye_px
            feet.append((foot, (x + side * wide, placed.at(*foot)[1] + drop)))
    return ends + feet


def _widths(placed: _Placed) -> tuple[float, float]:
    """Return by what factor a garment is made wider left and right of the neck.

    To the sitter's own shoulders where the photograph shows both arms; where its border cuts them, as far as the print
    needs to be filled.
    """
    facts, body = placed.garment.facts, placed.body
    if facts.arms is not None:
        own = (facts.arms[1] - facts.arms[0]) * INTEROCULAR_PX / facts.eye_px
        both = float(np.clip((body.right - body.left) / own, *REACH))
        return both, both
    scale, (middle, _) = INTEROCULAR_PX / facts.eye_px, placed.middle
    left = (body.neck_x + ROOM) / (scale * middle)
    right = (PRINT[0] - body.neck_x + ROOM) / (scale * (facts.width - 1 - middle))
    return float(np.clip(left, 1, FILLED)), float(np.clip(right, 1, FILLED))


def front_of(garment: Garment, body: Body) -> float:
    """Return the height of a garment's front at the neck when it is put on: y in print pixels."""
    placed = _Placed(garment, body)
    return placed.at(*garment.facts.collar)[1] + placed.drop()


def bare_hem(garment: Garment, body: Body) -> float:
    """Return how many eye distances a garment's photograph ends above the frame's lower edge when it is put on."""
    placed = _Placed(garment, body)
    foot = placed.at(float(placed.middle[0]), garment.facts.height)[1] + placed.drop()
    return max(0.0, (PRINT[1] - foot) / INTEROCULAR_PX)
