"""Pack -> examples: what the parser is taught from, its labels mended by rule. Needs numpy, OpenCV and torch alone.

A pack is what `tools.parser_pack` writes: faces in the canonical frame with soft labels, as compressed pictures.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from core import frame
from core.cutout.nets import CLASSES, SIZE
from core.face.mesh import BROWS, CHIN, FACE_OVAL, LIPS
from core.types import F32, U8

WIDTH, HEIGHT = SIZE
LARGE: Final = (384, 480)
"""Width and height at which people with an exact alpha are kept."""
IOD: Final = frame.EYE_DISTANCE * WIDTH
"""Distance of the eyes in the parser's frame, 47.4 px: the unit of every distance below."""
HAIR, SKIN, CLOTHES, HAT = range(4)
FOREHEAD, NOSE = 10, 2
"""Points of the face mesh: the oval's highest, and the nose's lowest."""
HATS_FIGURE: Final = "hats"
"""In the file names of the one figure of SFHQ-T2I whose every person wears a hat."""
HAT_AREA: Final = 0.12
"""Clothes above the brows are a hat from this many squared eye distances on; less is hair that was mistaken."""
SKIN_HUE: Final = (11.0, 6.0)
"""Distance from the face's a* and b* above which skin below the chin is cloth, and over how much more it is so wholly.

By eye on sheets of the labels, as are all distances here."""
NECK_HUE: Final = (8.0, 4.0)
"""Distance below which cloth right below the chin is skin, and over how much less it is so wholly."""

NECKS: Final = Path(__file__).with_name("parser_necks.json")
"""Outlines of the skin below the jaw, drawn by hand: the picture's name -> polygons in the parser's frame.

Of the faces on whose necks the first net and the label disagreed most, 191 to train on, 23 held out. A beard is in."""
JAW: Final = 0.55
"""Height over the chin, in eye distances, from which down an outline is the label."""
BEARD_ASIDE: Final = 0.7
"""Hair inside an outline is a beard up to here from the face's middle, in half face widths; further out it hangs."""
HAIR_SURE: Final = 0.75
"""Hair inside an outline that is less than this is skin."""
HEADS: Final = Path(__file__).with_name("parser_heads.json")
"""Outlines of hair and headwear, drawn by hand: name -> hair, hat and out -> polygons in halves of the frame's pixels.

hair: from outside, the face included; out: what lies in there and is neither; hat: over both. Of the faces where the
net and the label disagreed most about a hat, then about hair. A beard is no hair."""

FIXES: Final = Path(__file__).with_name("parser_fixes.json")
"""Where a hand set right what a net had said: trained or held -> name -> [class, polygon in halves of the frame's
pixels], in order.

Those held are not trained on and tell whether the others helped: every sixth, by name, of the first 401. What has an
empty list was looked at and had nothing plainly wrong."""

Outline: TypeAlias = list[tuple[int, int]]
Head: TypeAlias = dict[str, list[Outline]]
Fix: TypeAlias = tuple[str, Outline]


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One picture of a pack. rgb, label, person, alpha: WebP files as (n,) uint8.

    name: the picture's file name. portrait: one of the blue-screen portraits. held: of the tenth no net is trained on.
    size: height and width of the picture it was drawn from. transform: (2, 3) float32 from there to 256x320. points:
    (478, 2) float32 face mesh at 256x320. rgb: 256x320, or LARGE for portraits and all with an alpha. label: hair, skin
    and clothes side by side, each 256x320. person: the selfie segmenter's, 128x160. alpha: LARGE, where the backdrop
    was plain enough; clear: LARGE, where that alpha is to be trusted.
    """

    name: str
    portrait: bool
    held: bool
    size: tuple[int, int]
    transform: F32
    points: F32
    rgb: U8
    label: U8
    person: U8
    alpha: U8 | None
    clear: U8 | None


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One record unpacked: uint8, channels first, (320, 256) unless told otherwise.

    rgb: (3, H, W). parts: (5, H, W) in the order of CLASSES, 255 in all. valid: where the photo reaches. person, oval.
    points: (478, 2) float32. Only with an exact alpha: large_rgb: (3, 480, 384), large_alpha, large_clear: (480, 384).
    """

    rgb: U8
    parts: U8
    valid: U8
    person: U8
    oval: U8
    points: F32
    large_rgb: U8 | None
    large_alpha: U8 | None
    large_clear: U8 | None


def write(records: list[Record], file: Path) -> None:
    """Write a pack: tensors and plain values, so that it is read back without running any code of its own."""
    rows = [
        {key: torch.from_numpy(value) if isinstance(value, np.ndarray) else value for key, value in asdict(r).items()}
        for r in records
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(rows, file)


def read(file: Path) -> list[Record]:
    """Read a pack."""
    rows: list[dict[str, Any]] = torch.load(file, weights_only=True)
    return [_record(row) for row in rows]


def _record(row: dict[str, Any]) -> Record:
    plain: dict[str, Any] = {key: value.numpy() if torch.is_tensor(value) else value for key, value in row.items()}
    return Record(**plain)


def unpack(record: Record) -> Example:
    """Decode a record, mend its labels, and replace the figure's edge by the exact alpha where there is one."""
    rgb = cv2.cvtColor(cv2.imdecode(record.rgb, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    small = rgb if rgb.shape[1] == WIDTH else cv2.resize(rgb, SIZE, interpolation=cv2.INTER_AREA)
    label = np.asarray(cv2.imdecode(record.label, cv2.IMREAD_GRAYSCALE), np.float32) / 255
    soft = np.stack(np.split(label, 3, axis=1))
    parts = with_backdrop(mend(soft, small, record.points, HATS_FIGURE in record.name))
    name = Path(record.name).stem
    if name in heads():
        parts = headed(parts, record.points, heads()[name])
    if name in necks():
        parts = outlined(parts, record.points, necks()[name])
    parts = corrected(parts, fixes().get(name, []))
    alpha, clear = (
        None if file is None else np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), np.uint8)
        for file in (record.alpha, record.clear)
    )
    if alpha is not None and clear is not None:
        exact, trusted = (
            cv2.resize(x, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32) / 255 for x in (alpha, clear)
        )
        parts = within(parts, exact * trusted + (1 - parts[0]) * (1 - trusted))
    reached = cv2.warpAffine(np.ones(record.size, np.float32), record.transform, SIZE, flags=cv2.INTER_LINEAR)
    valid = cv2.erode((reached > 0.9).astype(np.uint8), np.ones((3, 3), np.uint8))
    person = cv2.resize(cv2.imdecode(record.person, cv2.IMREAD_GRAYSCALE), SIZE, interpolation=cv2.INTER_LINEAR)
    oval = _oval(record.points).astype(np.uint8)
    large = None if alpha is None else rgb.transpose(2, 0, 1)
    return Example(
        small.transpose(2, 0, 1), _bytes(parts), valid * 255, person, oval * 255, record.points, large, alpha, clear
    )


def with_backdrop(parts: F32) -> F32:
    """Put the backdrop before hair, skin, clothes and hat, so that all five sum to one: (4, H, W) -> (5, H, W)."""
    total = parts.sum(axis=0)
    return np.concatenate([1 - np.minimum(total, 1)[None], parts / np.maximum(total, 1)]).astype(np.float32)


def within(parts: F32, alpha: F32) -> F32:
    """Give the figure an exact edge: (5, H, W) labels and (H, W) alpha -> (5, H, W), backdrop 1 - alpha.

    Where the figure reaches further than its label, it is what the label says nearest to it.
    """
    share = _carried_on(parts[1:], parts[:1] < 0.5)
    return np.concatenate([(1 - alpha)[None], alpha * share]).astype(np.float32)


def headed(parts: F32, points: F32, outlines: Head) -> F32:
    """Call hair and hat what lies inside their outlines, and nothing else: (5, H, W), both.

    What was called so beside them is skin in the face, and below it where it is a beard, and elsewhere what lies
    nearest. Along an outline, as wide as a hand is inexact, the label's own edge is kept.
    """
    hair, out, hat = (_inside(outlines.get(kind, []), 0.5) for kind in ("hair", "out", "hat"))
    drawn = np.maximum(hair * (1 - out), hat)
    before = parts[1 + HAIR] + parts[1 + HAT]
    head = np.clip(before, 2 * drawn - 1, 2 * drawn).clip(0, 1)
    middle, width = _across(points)
    rows, aside = np.arange(HEIGHT)[:, None], np.abs(np.arange(WIDTH)[None] - middle)
    under = np.maximum.accumulate(drawn > 0.5, axis=0) & (aside < width / 2)
    face = np.maximum(out, _oval(points) | under) * (rows < points[CHIN, 1])
    beard = (rows > points[NOSE, 1]) & (aside < width / 2) & (parts[1 + HAIR] > 0.5)
    bare = np.maximum(face, beard) * np.clip(before - head, 0, 1)
    rest, left = parts[[0, 1 + SKIN, 1 + CLOTHES]], 1 - head - bare
    rest = rest * np.minimum(1, left / np.maximum(1 - before, 1e-6))
    rest = rest + np.maximum(left - rest.sum(axis=0), 0) * _carried_on(rest, before < 0.5)
    worn = head * hat / np.maximum(drawn, 1e-6)
    return np.stack([rest[0], head - worn, rest[1] + bare, rest[2], worn]).astype(np.float32)


def outlined(parts: F32, points: F32, outlines: list[Outline]) -> F32:
    """Call skin what lies inside the outlines, and clothes what else of the body lies below the jaw: (5, H, W), both.

    The border is soft over two pixels, about as exact as a hand draws; what is soft counts less.
    """
    inside = _inside(outlines)
    below = np.arange(HEIGHT)[:, None] >= points[CHIN, 1] - JAW * IOD
    skin = np.maximum(inside, _oval(points)) * below
    sure = np.clip(2 * inside - 1, 0, 1) * below
    middle, width = _across(points)
    beard = np.abs(np.arange(WIDTH)[None] - middle) < BEARD_ASIDE * width / 2
    back, hair, *body, hat = parts.copy()
    lost = sure**2 * back + sure * hair * (beard | (hair < HAIR_SURE))
    whole = body[0] + body[1] + lost
    own = np.where(below, whole * skin, body[0])
    back, hair = back * (1 - sure**2), hair * (1 - sure * (beard | (hair < HAIR_SURE)))
    return np.stack([back, hair, own, np.where(below, whole - own, body[1]), hat]).astype(np.float32)


def corrected(parts: F32, of_face: list[Fix]) -> F32:
    """Call what lies inside each outline what the hand says it is, later ones over earlier: (5, H, W), both."""
    for kind, outline in of_face:
        inside = _inside([outline], 0.5, 0.8)
        parts = parts * (1 - inside)
        parts[CLASSES.index(kind)] += inside
    return parts


@cache
def fixes() -> dict[str, list[Fix]]:
    """Return what was set right by the picture's name without its ending."""
    return {name: of_face for drawn in _fixes().values() for name, of_face in drawn.items()}


@cache
def fixes_held() -> frozenset[str]:
    """Return the names of those that measure and are not trained on."""
    return frozenset(_fixes()["held"])


def _fixes() -> dict[str, dict[str, list[Fix]]]:
    drawn: dict[str, dict[str, list[Fix]]] = json.loads(FIXES.read_text())
    return drawn


@cache
def necks() -> dict[str, list[Outline]]:
    """Return the outlined necks by the picture's name without its ending."""
    drawn: dict[str, list[Outline]] = json.loads(NECKS.read_text())
    return drawn


@cache
def heads() -> dict[str, Head]:
    """Return the outlined heads by the picture's name without its ending."""
    drawn: dict[str, Head] = json.loads(HEADS.read_text())
    return drawn


def _inside(outlines: list[Outline], unit: float = 1, soft: float = 2) -> F32:
    """Fill outlines. unit: of their corners, in pixels. soft: sigma of their border, in pixels."""
    scale = 4
    filled = np.zeros((HEIGHT * scale, WIDTH * scale), np.uint8)
    for outline in outlines:
        cv2.fillPoly(filled, [np.round(np.array(outline, np.float32) * (scale * unit)).astype(np.int32)], 255)
    small = cv2.resize(filled, SIZE, interpolation=cv2.INTER_AREA) / np.float32(255)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), soft), np.float32)


def _carried_on(parts: F32, sure: NDArray[np.bool_]) -> F32:
    """Return the shares of these parts, where there are none those that are sure and lie nearest: (C, H, W)."""
    own = np.ascontiguousarray((parts * sure).transpose(1, 2, 0))
    near, far, all_over = (cv2.GaussianBlur(own, (0, 0), sigma) for sigma in (1.2, 5, 30))
    share = parts.transpose(1, 2, 0) + 0.5 * near + 1e-2 * far + 1e-4 * all_over
    return np.asarray((share / (share.sum(axis=-1, keepdims=True) + 1e-8)).transpose(2, 0, 1), np.float32)


def mend(label: F32, rgb: U8, points: F32, wears_hat: bool = False) -> F32:
    """Mend hair, skin and clothes (3, 320, 256) by rule: (4, 320, 256) float32 with a hat, summing to about one.

    The labels came from nets that know no hat, take white hair for cloth and necks for either. Above the brows is hair
    or a hat, never clothes; the face's oval is skin but for a fringe; a neck has the face's hue. rgb: (320, 256, 3).
    """
    parts = np.concatenate([label, np.zeros_like(label[:1])])
    oval = _oval(points)
    _hat_or_hair(parts, oval, points)
    if wears_hat or parts[HAT].any():
        _hat_over_skin(parts, oval, points, wears_hat)
    _neck_by_hue(parts, oval, points, rgb)
    _face_is_skin(parts, oval, points)
    return parts


def _move(parts: F32, source: int, target: int, where: NDArray[Any]) -> None:
    moved = parts[source] * where
    parts[source] -= moved
    parts[target] += moved


def _hat_or_hair(parts: F32, oval: NDArray[np.bool_], points: F32) -> None:
    """Call clothes above the brows a hat where they are many, with all that hangs on them, and hair where few."""
    rows = np.arange(HEIGHT)[:, None]
    brow, chin, top = _brow(points), points[CHIN, 1], points[FOREHEAD, 1]
    above = (rows < brow) & ~(oval & (rows > top + 0.25 * IOD))
    seed = (parts[CLOTHES] > 0.5) & above
    hair = (parts[HAIR] > 0.5) & above
    if seed.sum() <= max(HAT_AREA * IOD**2, 0.25 * (seed.sum() + hair.sum())):
        _move(parts, CLOTHES, HAIR, above)
        return
    over_chin = rows < chin - 0.1 * IOD
    _, blobs = cv2.connectedComponents(((parts[CLOTHES] > 0.3) & over_chin).astype(np.uint8))
    own = np.unique(blobs[seed])
    hat = cv2.dilate(np.isin(blobs, own[own > 0]).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    _move(parts, CLOTHES, HAT, hat & over_chin)


def _hat_over_skin(parts: F32, oval: NDArray[np.bool_], points: F32, wears_hat: bool) -> None:
    """Call skin over and beside the forehead a hat; in the figure of hats all that is over the forehead is one."""
    rows = np.arange(HEIGHT)[:, None]
    top = points[FOREHEAD, 1]
    over = (rows < top + 0.05 * IOD) & ~(oval & (rows > top - 0.05 * IOD))
    beside = (rows < _brow(points)) & ~oval
    _move(parts, SKIN, HAT, over | beside)
    if wears_hat:
        _move(parts, CLOTHES, HAT, over)
        _move(parts, HAIR, HAT, over)


def _neck_by_hue(parts: F32, oval: NDArray[np.bool_], points: F32, rgb: U8) -> None:
    """Tell skin and clothes below the chin apart by their distance from the face's middle a* and b* (CIE Lab).

    Nothing is done where the face has little colour of its own (a black-and-white photo).
    """
    rows, columns = np.arange(HEIGHT)[:, None], np.arange(WIDTH)[None]
    brow, chin = _brow(points), points[CHIN, 1]
    chroma = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 1:]
    face = oval & (rows > brow + 0.3 * IOD) & (rows < points[list(LIPS), 1].mean())
    if face.sum() <= 50 or np.hypot(*(hue := np.median(chroma[face], axis=0))) <= 8:
        return
    unlike = cv2.GaussianBlur(np.hypot(*(chroma - hue).transpose(2, 0, 1)).astype(np.float32), (0, 0), 1.5)
    below = (rows > chin + 0.15 * IOD) & ~oval
    _move(parts, SKIN, CLOTHES, np.clip((unlike - SKIN_HUE[0]) / SKIN_HUE[1], 0, 1) * below)
    middle, width = _across(points)
    neck = (rows > chin) & (rows < chin + 0.5 * IOD) & (np.abs(columns - middle) < 0.3 * width) & ~oval
    sure = np.clip((NECK_HUE[0] - unlike) / NECK_HUE[1], 0, 1)
    _move(parts, CLOTHES, SKIN, sure * (neck & (parts[SKIN] > 0.25)))


def _face_is_skin(parts: F32, oval: NDArray[np.bool_], points: F32) -> None:
    """Call the oval skin: no clothes anywhere in it, hair and hat only as a fringe over it and at its sides."""
    rows, columns = np.arange(HEIGHT)[:, None], np.arange(WIDTH)[None]
    brow, (middle, width) = _brow(points), _across(points)
    inner = cv2.erode(oval.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    _move(parts, CLOTHES, SKIN, inner)
    aside = np.abs(columns - middle)
    lower = inner & (rows > points[NOSE, 1]) & (aside < 0.42 * width)
    centre = inner & (rows > brow + 0.1 * IOD) & (aside < 0.3 * width)
    for source in (HAIR, HAT):
        _move(parts, source, SKIN, lower | centre)
    parts[SKIN] += np.clip(1 - parts.sum(axis=0), 0, 1) * (inner & (rows > brow))


def _oval(points: F32) -> NDArray[np.bool_]:
    inside = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(inside, [np.round(points[list(FACE_OVAL)]).astype(np.int32)], 1)
    return inside > 0


def _brow(points: F32) -> float:
    return float(points[[*BROWS[0], *BROWS[1]], 1].mean())


def _across(points: F32) -> tuple[float, float]:
    """Return the middle column of the face's oval and its width."""
    columns = points[list(FACE_OVAL), 0]
    return float(columns.mean()), float(np.ptp(columns))


def _bytes(parts: F32) -> U8:
    return np.clip(np.round(parts * 255), 0, 255).astype(np.uint8)
