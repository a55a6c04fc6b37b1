"""Portraits -> training pairs of the base model: what each net is given, and what it should make of it.

Only `.train/`, which git ignores, holds anything made from the portraits.
"""

from __future__ import annotations

import csv
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from core import frame
from core.cutout.cutout import torso_of
from core.cutout.parser import Parser
from core.engines.redress import garment, repair
from core.engines.redress.lora import degrade_at_random, square
from core.engines.redress.nets import SIZE, pack_conditioning
from core.face.landmarks import map_face
from core.intake.locate import LocatedFace, locate
from core.models import Models
from core.scene.stage import body_of, skin_colour
from core.types import F32, U8, Body, Face, Selfie

CACHE: Final = Path(".train")
KINDS_FILE: Final = Path(__file__).with_name("garment_kinds.csv")
WIDTH, HEIGHT = SIZE
STORED: Final = (256, 144)
"""Torsos are kept at twice the net's size."""
CLUSTERS: Final = (2, 3, 4, 6)
"""How many flat regions may be taken from the photo; three is a suit, a shirt and a tie."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One portrait: its torso in layers of (144, 256), its head of (240, 192), and how its body stands.

    rgb: (144, 256, 3) uint8, the person's own colours; person, head, neck, oval, valid: (144, 256) uint8
    mattes. face: (240, 192, 3) uint8; scale: its pixels per photo pixel. kind: one of garment.KINDS, or "".
    """

    held_out: bool
    sha256: str
    rgb: U8
    person: U8
    head: U8
    neck: U8
    oval: U8
    valid: U8
    body: Body
    face: U8
    scale: float
    kind: str = ""


def cut(folder: Path) -> Iterator[Example | None]:
    """Cut torso and head out of every portrait of a folder, half a second each; None where no face is found.

    Every tenth file by name is held out for ever.
    """
    files = sorted(folder.glob("*.jpg"))
    held_out, kinds = set(files[::10]), _kinds()
    models, parser = Models(), Parser()
    for file in files:
        seen = locate(file.read_bytes(), file.name, models)
        if isinstance(seen, LocatedFace):
            yield _example(seen, parser, file in held_out, kinds.get(seen.sha256[:16], ""))
        else:
            yield None


def _kinds() -> dict[str, str]:
    with KINDS_FILE.open(encoding="utf-8") as lines:
        return {row["sha256"]: row["kind"] for row in csv.DictReader(lines) if row["kind"] in garment.KINDS}


def _example(seen: LocatedFace, parser: Parser, held_out: bool, kind: str) -> Example:
    mesh, nobody = seen.mesh, np.zeros(128, np.float32)
    face = map_face(Selfie(seen.name, seen.sha256, seen.rgb, Face(seen.detection.box, seen.detection.score,
                    mesh.landmarks, mesh.blendshapes, mesh.yaw_deg, mesh.pitch_deg, mesh.roll_deg,
                    seen.detection.eye_px, nobody), 1.0, 0.5))  # fmt: skip
    torso = torso_of(face, parser)
    top = round(frame.GARMENT_TOP * torso.rgb.shape[0])

    def small(layer: F32) -> U8:
        part = cv2.resize(layer[top:], STORED, interpolation=cv2.INTER_AREA)
        return np.round(np.clip(part, 0, 1) * 255).astype(np.uint8)

    to_head = frame.to_frame(frame.eye_centres(mesh.landmarks), *repair.FRAME)
    return Example(
        held_out=held_out,
        sha256=seen.sha256,
        rgb=small(torso.rgb),
        person=small(torso.person),
        head=small(torso.head),
        neck=small(torso.neck),
        oval=small(torso.oval),
        valid=small(torso.valid),
        body=body_of(face, torso.figure),
        face=np.round(repair.head_of(seen.rgb, mesh.landmarks) * 255).astype(np.uint8),
        scale=frame.scale_of(to_head),
        kind=kind,
    )


def load(held_out: bool) -> list[Example]:
    """Read the cached examples, held out or not."""
    examples: list[Example] = pickle.loads((CACHE / "examples.pkl").read_bytes())
    return [example for example in examples if example.held_out == held_out]


@dataclass(frozen=True, slots=True, eq=False)
class Torso:
    """One example at the net's size, float32 0..1, with the region maps its conditioning is painted from.

    layers: (72, 128, 8): sRGB, person, head, neck, oval, valid. lines: its seams and edges, (72, 128), few
    to many. photo: region maps (72, 128) uint8 by k-means of its own picture, one per entry of CLUSTERS.
    drawn: region maps of the layout of its own kind and body, several draws; empty where the kind is not
    known. kind: 0 not known, else 1 + index in KINDS.
    """

    layers: F32
    lines: tuple[F32, ...]
    photo: tuple[U8, ...]
    drawn: tuple[U8, ...]
    kind: int


def torso(example: Example, draws: int = 3) -> Torso:
    """Shrink an example to the net's size and find its regions."""
    stack = np.dstack([example.rgb, example.person, example.head, example.neck, example.oval, example.valid])
    layers = cv2.resize(stack.astype(np.float32) / 255, SIZE, interpolation=cv2.INTER_AREA)
    cloth = np.clip(layers[..., 3] - layers[..., 4] - layers[..., 5], 0, 1)
    photo = tuple(regions(layers[..., :3], cloth, count) for count in CLUSTERS)
    kind = garment.KINDS.index(example.kind) + 1 if example.kind else 0
    drawn = tuple(_drawn(example, seed) for seed in range(draws)) if kind else ()
    return Torso(layers.astype(np.float32), _lines(example), photo, drawn, kind)


def _lines(example: Example) -> tuple[F32, ...]:
    """Find the edges inside the clothes at the stored size (Canny 1986), at three thresholds; short ones are cloth."""
    cloth = (example.person > 160) & (example.head < 90) & (example.neck < 90) & (example.valid > 200)
    inner = cv2.erode(cloth.astype(np.uint8), np.ones((7, 7)), borderValue=1)
    smooth = cv2.bilateralFilter(example.rgb, 7, 30, 3)
    luma = cv2.createCLAHE(2.0, (4, 4)).apply(cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY))  # a lapel on black cloth
    found = []
    for high in (220, 140, 90):
        edges = cv2.Canny(luma, high // 2, high, L2gradient=True) * inner
        _, blobs, stats, _ = cv2.connectedComponentsWithStats(edges)
        edges[stats[blobs, cv2.CC_STAT_AREA] < 14] = 0
        found.append(cv2.resize(edges.astype(np.float32) / 255, SIZE, interpolation=cv2.INTER_AREA))
    return tuple(found)


def _drawn(example: Example, seed: int) -> U8:
    plain = garment.Cloth(example.kind, (0, 0, 0), (0, 0, 0))
    return garment.cloths_of(garment.lay_out(plain, example.body, SIZE, seed), example.kind)


def regions(rgb: F32, cloth: F32, clusters: int) -> U8:
    """Split clothes into flat regions: k-means on Lab and a little of the place; specks and outlines smoothed away."""
    smooth = cv2.bilateralFilter(np.ascontiguousarray(rgb, np.float32), 7, 0.15, 4)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB) * np.array([0.8, 1, 1], np.float32)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    features = np.dstack([lab, columns * 0.06, rows * 0.06]).astype(np.float32)
    inside = features[cloth > 0.5]
    if len(inside) < 4 * clusters:
        return np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    _, _, centres = cv2.kmeans(inside, clusters, None, stop, 1, cv2.KMEANS_PP_CENTERS)
    nearest = ((features[:, :, None] - centres) ** 2).sum(-1).argmin(-1).astype(np.uint8)
    nearest = cv2.medianBlur(cv2.medianBlur(nearest, 5), 7)
    for label in range(clusters):  # a region too small to be a piece of clothing goes to its neighbours
        count, blobs, stats, _ = cv2.connectedComponentsWithStats((nearest == label).astype(np.uint8))
        for blob in range(1, count):
            if stats[blob, cv2.CC_STAT_AREA] < 30:
                where = blobs == blob
                ring = (cv2.dilate(where.astype(np.uint8), np.ones((3, 3))) > 0) & ~where
                nearest[where] = np.bincount(nearest[ring]).argmax()
    return nearest


def recolour(rgb: F32, label: U8, cloth: F32, rng: np.random.Generator) -> F32:
    """Dye each region of the clothes anew in Lab, folds and all, and shift the skin: colours become commands."""
    lab: F32 = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    dyed = lab.copy()
    together, contrast = rng.normal(0, 1, 3) * (6, 8, 10), np.exp(rng.normal(0, 0.12))
    for region in np.unique(label):
        inside = (label == region) & (cloth > 0.3)
        if not inside.any():
            continue
        shift = together * rng.random() + rng.normal(0, 1, 3) * (10, 13, 16) * (rng.random() < 0.6)
        mean = lab[inside].mean(axis=0)
        lift = contrast * (1.6 if mean[0] < 22 and shift[0] > 8 else 1)  # black cloth made light shows its folds
        dyed[label == region] = (lab[label == region] - mean) * (lift, 1, 1) + mean + shift
    tan = lab * np.array([np.exp(rng.normal(0, 0.18)), 1, 1], np.float32) + rng.normal(0, 1, 3) * (3, 3, 3)
    lab = tan + (dyed - tan) * np.clip(cloth, 0, 1)[..., None]
    back = cv2.cvtColor(np.clip(lab, (1, -80, -80), (99, 80, 80)).astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.clip(back, 0, 1).astype(np.float32)


def torso_pair(example: Torso, rng: np.random.Generator, vary: bool) -> tuple[F32, F32, F32, int]:
    """Make a training pair: target (5, 72, 128), conditioning (10, 72, 128), both -1..1, weight (72, 128), the kind.

    vary: dye, mirror, move, and bend the outlines of the regions and of the kept neck, so that neither tells where
    the real edge was, and now and then hide the kind or the lines; off for evaluation, which paints the layout.
    """
    layers = example.layers
    rgb, person, head, neck, oval, valid = (layers[..., :3], *(layers[..., i] for i in range(3, 8)))
    cloth = np.clip(person - head - neck, 0, 1)
    if vary and rng.random() < 0.75:
        rgb = recolour(rgb, example.photo[1 if rng.random() < 0.6 else 2], cloth, rng)
    from_layout = bool(example.drawn) and (not vary or rng.random() < 0.5)
    label = example.drawn[int(rng.integers(len(example.drawn)))] if from_layout else example.photo[
        int(rng.choice(4, p=(0.2, 0.4, 0.3, 0.1))) if vary else 1]  # fmt: skip
    bend = partial(_bend, rng)
    near = bend(rng.uniform(0.2, 1.1) if vary else 0.0)
    bent = cv2.remap(label, *near, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    cover = _bent((cloth > 0.5).astype(np.float32), near)
    throat = _bent((neck > 0.5).astype(np.float32), bend(0.6 if vary else 0.0)) * (cover < 0.5)
    painted = _flat(rgb, label, bent, (cloth > 0.5) & (valid > 0.5))
    painted = np.where((throat > 0.5)[..., None], skin_colour(rgb, (oval > 0.7) & (head > 0.7)), painted)
    flat = np.dstack([painted, cover, throat]).astype(np.float32)
    known = np.clip(head + _known_neck(neck, rng, vary), 0, 1) * person
    lines = example.lines[int(rng.integers(3)) if vary else 1]
    if vary:
        lines = lines * (rng.random() < 0.8) * _patchy(rng)
    conditioning = pack_conditioning(flat, np.dstack([rgb, known]).astype(np.float32), lines).transpose(1, 2, 0)
    target = np.dstack([rgb, person, neck]) * 2 - 1
    whole = np.dstack([target, conditioning, valid * (0.12 + 0.88 * (1 - head))]).astype(np.float32)
    if vary:
        whole = _moved(whole, rng)
    target, conditioning, weight = whole[..., :5], whole[..., 5:15], whole[..., 15]
    kind = example.kind if from_layout or not vary or rng.random() < 0.5 else 0
    return target.transpose(2, 0, 1).copy(), conditioning.transpose(2, 0, 1).copy(), weight.copy(), kind


def _flat(rgb: F32, label: U8, bent: U8, inside: NDArray[np.bool_]) -> F32:
    """Paint each region of a map in the median colour that the picture has there."""
    painted: F32 = np.tile(
        rgb[inside].mean(axis=0) if inside.any() else np.full(3, 0.3, np.float32), (HEIGHT, WIDTH, 1)
    )
    for region in np.unique(label):
        here = (label == region) & inside
        if here.sum() > 12:
            painted[bent == region] = np.median(rgb[here], axis=0)
    return painted.astype(np.float32)


def _patchy(rng: np.random.Generator) -> F32:
    """Return (72, 128) of ones with a few large holes: not every line is given."""
    field = cv2.resize(rng.standard_normal((4, 7)).astype(np.float32), SIZE, interpolation=cv2.INTER_CUBIC)
    return (field > -1.2 if rng.random() < 0.5 else np.ones_like(field, bool)).astype(np.float32)


def _known_neck(neck: F32, rng: np.random.Generator, vary: bool) -> F32:
    """Return how much of the bare neck is shown to the net: all but its rim, none, or down to some row."""
    inner = cv2.erode(neck, np.ones((3, 3)))
    rows = np.flatnonzero((neck > 0.5).any(axis=1))
    way = rng.random() if vary else 0.0
    if way < 0.35 or len(rows) < 2:
        return inner
    if way < 0.65:
        return np.zeros_like(neck)
    lowest = rng.uniform(rows[0], rows[-1])
    return inner * (np.arange(HEIGHT)[:, None] < lowest)


def _bend(rng: np.random.Generator, pixels: float) -> tuple[F32, F32]:
    grid = rng.standard_normal((6, 10, 2)).astype(np.float32)
    field = cv2.resize(grid, SIZE, interpolation=cv2.INTER_CUBIC) * np.float32(pixels)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    return columns + field[..., 0], rows + field[..., 1]


def _bent(mask: F32, bend: tuple[F32, F32]) -> F32:
    return cv2.remap(mask, *bend, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def _moved(whole: F32, rng: np.random.Generator) -> F32:
    """Mirror, scale and shift everything together, so that no patch of the net sees the same corner twice."""
    if rng.random() < 0.5:
        whole = np.ascontiguousarray(whole[:, ::-1])
    size, dx, dy = rng.uniform(0.94, 1.08), rng.uniform(-3, 3), rng.uniform(-3, 3)
    place = np.array([[size, 0, (1 - size) * WIDTH / 2 + dx], [0, size, (1 - size) * HEIGHT / 2 + dy]], np.float32)
    parts = [whole[..., i : i + 4] for i in range(0, whole.shape[-1], 4)]
    moved = [cv2.warpAffine(part, place, SIZE, borderMode=cv2.BORDER_REPLICATE) for part in parts]
    return np.dstack(moved).astype(np.float32)


def head_pair(face: U8, rng: np.random.Generator, vary: bool) -> tuple[F32, F32, float]:
    """Make a training pair of a head: clean and spoilt (3, H, W) in -1..1, and the strength 0..1.

    vary: mirror, gain and a square of CROP; off, the whole head at the strength the rng draws.
    """
    clean = face.astype(np.float32) / 255
    if vary:
        clean = clean[:, ::-1] if rng.random() < 0.5 else clean
        clean = np.clip(clean * np.float32(np.exp(rng.normal(0, 0.15))), 0, 1)
    spoilt, strength = degrade_at_random(np.ascontiguousarray(clean, np.float32), rng)
    if vary:
        window = square(clean.shape, rng)
        clean, spoilt = clean[window], spoilt[window]
    return (
        (clean * 2 - 1).astype(np.float32).transpose(2, 0, 1).copy(),
        (spoilt * 2 - 1).astype(np.float32).transpose(2, 0, 1).copy(),
        strength,
    )
