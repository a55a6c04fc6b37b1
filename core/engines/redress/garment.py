"""A garment as a drawing: kind, colours and body in, flat coloured regions out, at any size.

Shrunk to which cloth lies where, it conditions the torso net; at print size the drawing itself
keeps edges crisp and the net's picture gives it shade and folds. Pure geometry, no model.

Units inside this file are eye distances (189 print pixels) from the point where the collar crosses the
middle of the neck, y downwards. How high the neck's side stands above that point is the median of the
silhouettes of 539 official portraits; from there the outline falls to where the body says its shoulders are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from core import frame
from core.engines.redress.paint import SIZE, Layout, Piece, Points, paint
from core.frame import INTEROCULAR_PX
from core.scene.style import DrawnKind
from core.types import Body

KINDS: Final[tuple[DrawnKind, ...]] = get_args(DrawnKind)

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Cloth:
    """What a garment is made of: its kind (one of KINDS) and sRGB colours 0..255.

    jacket: the outermost piece, the only one of a turtleneck or crew neck. shirt: what shows in the
    jacket's opening. tie: of suit_tie alone.
    """

    kind: str
    jacket: Rgb
    shirt: Rgb
    tie: Rgb = (0, 0, 0)


def lay_out(cloth: Cloth, body: Body, size: tuple[int, int] = SIZE, seed: int | None = None) -> Layout:
    """Draw a garment's regions for a body.

    size: (width, height) of the garment's part of the frame, 16:9. seed: None draws the medians; a
    number varies collar, lapels, opening and shoulders by about a tenth, the same for the same seed.
    Raises KeyError for an unknown kind.
    """
    build = {
        "suit_tie": _suit,
        "suit_open": _suit,
        "blazer": _blazer,
        "blouse": _blouse,
        "turtleneck": _turtleneck,
        "crew_neck": _crew_neck,
    }[cloth.kind]
    vary = _Vary(seed)
    pieces = build(cloth, _Trunk(body, vary), vary)
    return paint(pieces, body, size)


JACKET, SHIRT, TIE = range(3)
"""The cloths of a garment. A jacket is the outermost piece, the only one of a blouse, turtleneck or crew neck."""
_CLOTH: Final = {"jacket": JACKET, "lapel": JACKET, "shirt": SHIRT, "collar": SHIRT, "tie": TIE, "knot": TIE}


def cloths_of(layout: Layout, kind: str) -> NDArray[np.uint8]:
    """Return which cloth lies where in a layout, (H, W) uint8: JACKET, SHIRT or TIE, JACKET where nothing is."""
    parts = np.zeros((3, *layout.collar.shape), np.float32)
    for name, region in layout.regions.items():
        parts[JACKET if kind in ("blouse", "turtleneck", "crew_neck") else _CLOTH[name]] += region
    parts[JACKET] += 1e-3
    return parts.argmax(axis=0).astype(np.uint8)


class _Vary:
    """Factors about 1, drawn from a seed in call order; all 1 without a seed."""

    def __init__(self, seed: int | None) -> None:
        self._rng = None if seed is None else np.random.default_rng([seed, 77])

    def __call__(self, deviation: float = 0.1) -> float:
        return (
            1.0
            if self._rng is None
            else float(np.clip(self._rng.normal(1, deviation), 1 - 2 * deviation, 1 + 2 * deviation))
        )


class _Trunk:
    """Neck and shoulders in eye distances from the collar point."""

    def __init__(self, body: Body, vary: _Vary) -> None:
        self.neck = float(np.clip(body.neck_width / 2 / INTEROCULAR_PX, 0.62, 1.15))
        self.left = float(np.clip((body.neck_x - body.left) / INTEROCULAR_PX, 2.9, 3.7))
        self.right = float(np.clip((body.right - body.neck_x) / INTEROCULAR_PX, 2.9, 3.7))
        self.side = -0.8 * vary(0.06)
        """Height of the collar at the side of the neck."""
        fall = (body.shoulder_y - body.collar_y) / INTEROCULAR_PX - (self.side + 0.2)
        across = frame.SHOULDER / INTEROCULAR_PX - self.neck
        self.slope = float(np.clip(fall / across / 0.56, 0.43, 0.65)) * vary(0.06)
        """Flatter, a jacket looks as if it still hung on its hanger; steeper, its sitter looks like a pawn; by eye."""

    def outline(self, neck: float, side: float) -> Points:
        """Return the outline of shoulders and arms, open at the neck: from its left end round to its right."""
        left, right = ([(-x, y) for x, y in self._half(reach, neck, side)] for reach in (self.left, self.right))
        return left + [(-x, y) for x, y in reversed(right)]

    def _half(self, reach: float, neck: float, side: float) -> Points:
        """Trapezius, shoulder, arm: three Bezier curves from the neck's side down to the frame's foot."""
        at = reach - 0.34  # where the shoulder line begins to round into the arm
        y = side + self.slope * (at - neck) * 0.78
        rise = 0.22 * (at - neck)
        line = bezier((neck, side), (neck + rise, side + 0.5 * self.slope), (at - 0.8, y - 0.3 * self.slope), (at, y))
        turn = (at + 0.24, y + 0.09 * self.slope / 0.57)
        arm = bezier((at, y), turn, (reach + 0.06, y + 0.45), (reach + 0.16, y + 1.4))
        return [*line, *arm, (reach + 0.2, 6.0)]


def bezier(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float]) -> Points:
    """Return 17 points of the cubic Bezier curve with these control points."""
    t = np.linspace(0, 1, 17)[:, None]
    curve = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * np.array(d)
    return [(float(x), float(y)) for x, y in curve]


def _mirror(points: Points) -> Points:
    return [(-x, y) for x, y in points]


def _both(points: Points) -> tuple[Points, Points]:
    return points, _mirror(points)


def _shade(colour: Rgb, by: float) -> tuple[float, ...]:
    """Return a colour as 0..1, lighter or darker by a part of its own value."""
    return tuple(float(np.clip(c / 255 * (1 + by) + (0.02 if by > 0 else 0.0), 0, 1)) for c in colour)


def _rim(half: float, side: float, dip: float) -> Points:
    """Return the upper edge of a collar from the picture's left to its right: down round the front of the neck."""
    reach = dip - side
    left = bezier((-half, side), (-half * 0.9, side + reach * 0.4), (-half * 0.5, dip - 0.1 * reach), (0, dip))
    return left + _mirror(left[::-1])


def _disc(x: float, y: float, radius: float) -> Points:
    """Return a button's outline."""
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return [(float(x + radius * np.cos(t)), float(y + radius * np.sin(t))) for t in turns]


def _front(neck: float, side: float, depth: float) -> Points:
    """Return a jacket's front edge at the picture's right, from beside the neck to where the fronts meet."""
    return bezier((neck, side), (neck * 0.86, side + 0.3 * (depth - side)), (0.42 * neck, 0.66 * depth), (0.04, depth))


def _jacket(cloth: Cloth, neck: float, side: float, depth: float, wide: float) -> list[Piece]:
    """Return lapels and collar of a jacket, for both sides; the body of it lies below them already.

    neck, side: where the collar leaves the neck. Collar corner, notch and lapel's tip lie where they do on
    official portraits: 0.55, 0.6 and 0.85 to the side of the neck, 0.2 to 0.45 below the collar point.
    """
    front = _front(neck, side, depth)
    gorge = next(i for i, (_, y) in enumerate(front) if y > 0.05)
    notch, corner, tip = (neck + 0.42 * wide, 0.32), (neck + 0.46 * wide, 0.12), (neck + 0.72 * wide, 0.38)
    belly = bezier(tip, (neck + 0.55 * wide, 0.95), (0.62 * wide, depth * 0.72), (0.08, depth + 0.04))
    lapel = [*front[gorge:], *reversed(belly), notch]
    outer = bezier(corner, (neck + 0.52 * wide, -0.15), (neck + 0.4, side + 0.42), (neck + 0.1, side + 0.03))
    collar = [*front[: gorge + 1], notch, *outer]
    pieces = []
    for way in (1, -1):
        for outline, tone, thick, roll in ((lapel, 0.05, 0.075, 0.3), (collar, 0.02, 0.06, 0.22)):
            turned = [(way * x, y) for x, y in outline]
            pieces.append(Piece("lapel", turned, _shade(cloth.jacket, tone), 0.5, thick=thick, roll=roll))
    return pieces


def _suit(cloth: Cloth, trunk: _Trunk, vary: _Vary) -> list[Piece]:
    n, side, depth = trunk.neck, trunk.side, 3.0 * vary(0.08)
    closed = cloth.kind == "suit_tie"
    neck, top = n + 0.13, side + 0.02
    front = _front(neck, top, depth)
    tip = 0.66 * vary(0.1)
    if closed:
        rim = _rim(n, side, 0.08)
        inner = [(x, y) for x, y in rim[:17] if x < -0.2]
        hole = rim
    else:
        foot = 0.66 * vary(0.08)
        fold = (-0.36, 0.12)
        inner = bezier((-n, side), (-n * 0.92, side + 0.35), (-0.6, -0.12), fold)
        hole = [*inner, (-0.1, foot - 0.1), (0.0, foot), (0.1, foot - 0.1), *_mirror(inner[::-1])]
    edge = bezier(inner[-1], (inner[-1][0] - 0.06, inner[-1][1] + 0.12), (-tip + 0.14, tip - 0.18), (-tip, tip))
    leaf = [(-n * 0.97, side - 0.06), *inner[1:], *edge[1:], (-n * 0.98, 0.1), (-n - 0.2, side + 0.12)]
    pieces = [
        Piece("jacket", trunk.outline(neck + 0.06, top + 0.03), _shade(cloth.jacket, 0)),
        Piece("shirt", [*_mirror(front), *reversed(front)], _shade(cloth.shirt, 0), collar=True),
    ]
    if closed:
        knot, waist, blade = 0.27 * vary(0.1), 0.16 * vary(0.1), 0.33 * vary(0.1)
        low, plain = 0.52 * vary(0.08), _shade(cloth.tie, 0)
        strip = bezier((waist, low - 0.03), (waist + 0.05, 0.9), (blade, 1.3), (blade, 2.6))
        top_edge = [(-knot, 0.12), (0, 0.06), (knot, 0.12)]
        side_edge = bezier((knot, 0.12), (knot * 0.95, 0.3), (waist + 0.03, low - 0.1), (waist, low))
        pieces += [
            Piece("tie", [*_mirror(strip[::-1]), *strip], plain, 0.4, thick=0.07, roll=0.22),
            Piece(
                "knot",
                [*top_edge, *side_edge, *_mirror(side_edge[::-1])],
                _shade(cloth.tie, 0.04),
                0.45,
                True,
                0.11,
                0.18,
            ),
            Piece("", [*hole, (n, -2.0), (-n, -2.0)], ()),
        ]
    else:
        pieces += [
            Piece(
                "shirt",
                [(-0.16, foot - 0.2), (0.15, foot - 0.2), (0.15, 6), (-0.16, 6)],
                _shade(cloth.shirt, -0.02),
                0.2,
            ),
            *(Piece("shirt", _disc(0.0, foot + y, 0.045), _shade(cloth.shirt, -0.1), 0.3) for y in (0.22, 0.95)),
            Piece("", [*hole, (n, -2.0), (-n, -2.0)], ()),
        ]
    pieces += [Piece("collar", half, _shade(cloth.shirt, 0.02), 0.35, True, 0.05, 0.12) for half in _both(leaf)]
    return [*pieces, *_jacket(cloth, neck, top, depth, vary(0.08))]


def _blazer(cloth: Cloth, trunk: _Trunk, vary: _Vary) -> list[Piece]:
    depth, n, side = 2.7 * vary(0.1), trunk.neck, trunk.side + 0.12
    rim = _rim(n + 0.06, side + 0.1, 0.55 * vary(0.12))
    front = _front(n + 0.13, side, depth)
    return [
        Piece("jacket", trunk.outline(n + 0.19, side + 0.03), _shade(cloth.jacket, 0)),
        Piece("shirt", [*_mirror(front), *reversed(front)], _shade(cloth.shirt, 0), collar=True),
        Piece("", [*rim, (n + 0.06, -2), (-n - 0.06, -2)], ()),
        *_jacket(cloth, n + 0.13, side, depth, 0.9 * vary(0.08)),
    ]


def _blouse(cloth: Cloth, trunk: _Trunk, vary: _Vary) -> list[Piece]:
    n, side = trunk.neck + 0.12, trunk.side + 0.25
    rim = _rim(n, side, 0.58 * vary(0.1))
    hem = [(x * 1.1, y + 0.13) for x, y in rim]
    return [
        Piece("jacket", [*trunk.outline(n + 0.06, side), *reversed(rim)], _shade(cloth.jacket, 0)),
        Piece("collar", [*rim, *reversed(hem)], _shade(cloth.jacket, 0.05), 0.3, True),
    ]


def _turtleneck(cloth: Cloth, trunk: _Trunk, vary: _Vary) -> list[Piece]:
    n, side = trunk.neck + 0.06, trunk.side + 0.2
    top = _rim(n * 0.98, side - 0.06, -0.2 * vary(0.1))
    foot = _rim(n + 0.17, side + 0.26, 0.34 * vary(0.12))
    edge = bezier(top[0], (-n - 0.06, side - 0.1), (-n - 0.12, side + 0.12), foot[0])
    fold = [*top[1:-1], *_mirror(edge), *reversed(foot), *edge[::-1]]
    return [
        Piece("jacket", [*trunk.outline(n + 0.12, side + 0.2), *reversed(foot)], _shade(cloth.jacket, 0)),
        Piece("collar", fold, _shade(cloth.jacket, 0.04), 0.5, True, 0.09, 0.25),
    ]


def _crew_neck(cloth: Cloth, trunk: _Trunk, vary: _Vary) -> list[Piece]:
    n, side = trunk.neck, trunk.side + 0.3
    rim = _rim(n + 0.03, side, 0.16 * vary(0.15))
    band = 0.17 * vary(0.15)
    hem = [(x * (1 + band / (n + 0.5)), y + band) for x, y in rim]
    return [
        Piece("jacket", [*trunk.outline(n + 0.05, side), *reversed(rim)], _shade(cloth.jacket, 0)),
        Piece("collar", [*rim, *reversed(hem)], _shade(cloth.jacket, 0.04), 0.35, True),
    ]
