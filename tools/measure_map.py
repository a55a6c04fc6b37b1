"""Measure the map's features on labelled photos: python -m tools.measure_map FOLDER LABELS [--fit]

LABELS is a CSV: photo (a file's name without its ending), half ("fit" or "judge"), glasses and hat (yes, no),
facial_hair, hair_colour, hair_length (the words of `core.types.Features`); an empty cell is not counted. Every
figure is of the "judge" half, a share with n and a 95 % bootstrap interval; nothing is claimed for fewer than
eight. --fit prints what the rules in `core.face.features` weigh, fitted on the other half.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from core import frame
from core.cutout.parser import Parser
from core.cutout.parts import PARTS_SIZE, Parts
from core.face import features, worn
from core.face.landmarks import map_face
from core.intake import review
from core.models import Models
from core.types import F32, Selfie

LEAST: Final = 8
CLOTH: Final = ((20, 20, 22), (30, 38, 66), (150, 28, 38), (230, 228, 222), (40, 84, 62), (60, 90, 160), (90, 92, 96))
"""Colours of drawn hats: black, navy, red, white, green, blue, grey."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One labelled photo: its row of the CSV, what was measured, and with a hat drawn on."""

    label: dict[str, str]
    measured: dict[str, float]
    hatted: dict[str, float]
    luminance: float


def main(folder: Path, labels: Path, fit: bool) -> None:
    """Look at every labelled photo that the intake keeps, then print the weights or the figures."""
    with labels.open(newline="") as file:
        rows = {row["photo"]: row for row in csv.DictReader(file)}
    models, parser, seen = Models(), Parser(), []
    files = [path for path in sorted(folder.rglob("*.*")) if path.stem in rows]
    for path in track(files, "Measuring", console=Console(stderr=True)):
        selfie = review.look(path.read_bytes(), path.name, models)
        if isinstance(selfie, Selfie):
            face = map_face(selfie)
            parts = parser.parse(face)
            seen.append(look(rows[path.stem], parts, face.landmarks, selfie.luminance))
    fitted(seen) if fit else figures(seen)


def look(label: dict[str, str], parts: Parts, landmarks: F32, luminance: float) -> Seen:
    """Measure a photo as it is, and with a hat drawn over it."""
    hatted = wearing_hat(parts, landmarks, seed=sum(map(ord, label["photo"])))
    return Seen(label, features.measure(parts, landmarks), features.measure(hatted, landmarks), luminance)


def wearing_hat(parts: Parts, landmarks: F32, seed: int) -> Parts:
    """Draw a knitted hat or a cap with a visor, in one of CLOTH, from the upper forehead to above the crown."""
    rng, points = np.random.default_rng(seed), landmarks[:, :2] / 2
    rows, columns = np.mgrid[: PARTS_SIZE[1], : PARTS_SIZE[0]].astype(np.float32)
    brow, middle, eye = points[[105, 334], 1].mean(), points[10, 0], frame.EYE_DISTANCE * PARTS_SIZE[0]
    edge = points[10, 1] + rng.uniform(0.25, 0.75) * (brow - points[10, 1])
    wide = (points[454, 0] - points[234, 0]) / 2 * rng.uniform(1.03, 1.12)
    filled = np.flatnonzero(parts.head[:, int(middle)] > 0.5)
    top = min(float(filled.min(initial=PARTS_SIZE[1])), float(points[10, 1]) - 0.45 * eye) - 0.08 * eye
    across = (columns - middle) / wide
    dome = across**2 + ((np.minimum(rows, edge) - edge) / (edge - top)) ** 2
    hat = (dome < 1) & (rows < edge + 0.07 * eye * (1 - across**2))
    shade = 0.62 + 0.5 * np.sqrt(np.clip(1 - dome, 0, 1)) * (1 - 0.2 * across)
    if rng.random() < 0.5:
        visor = (across / 1.08) ** 2 + ((rows - edge) / (0.28 * eye)) ** 2 < 1
        visor &= rows > edge - 0.1 * eye
        hat, shade = hat | visor, np.where(visor, 0.7 * shade, shade)
    grain = cv2.GaussianBlur(rng.normal(0, 1, rows.shape).astype(np.float32), (0, 0), 1.2) * rng.uniform(0.02, 0.1)
    cloth = np.array(CLOTH[rng.integers(len(CLOTH))]) * (shade * (1 + grain))[..., None]
    alpha = cv2.GaussianBlur(hat.astype(np.float32), (0, 0), 0.8)[..., None]
    rgb = np.clip(parts.rgb * (1 - alpha) + cloth * alpha, 0, 255).astype(np.uint8)
    on = np.maximum(parts.head, hat)
    return replace(parts, rgb=rgb, head=on.astype(np.float32), person=np.maximum(parts.person, on))


def share(hits: Sequence[bool]) -> str:
    """Return a percentage with its 95 % bootstrap interval (1,000 resamples) and n; words where n is too small."""
    if len(hits) < LEAST:
        return f"n = {len(hits)}, too few"
    means = np.random.default_rng(0).choice(np.array(hits, float), (1000, len(hits))).mean(axis=1)
    low, high = np.percentile(100 * means, (2.5, 97.5))
    return f"{100 * np.mean(hits):.1f} % ({low:.1f} to {high:.1f}, n = {len(hits)})"


def figures(seen: Sequence[Seen]) -> None:
    """Print how right each feature is on the half that taught nothing."""
    judged = [item for item in seen if item.label["half"] == "judge"]
    print(f"{len(seen)} photos measured, {len(judged)} of them to judge by")
    for name in ("glasses", "facial_hair", "hair_colour", "hair_length", "hat"):
        pairs = [
            (_one(item.label[name]), _one(getattr(features.judge(item.measured), name)), item.luminance)
            for item in judged
            if item.label[name] and not (name.startswith("hair") and item.label["hat"] == "yes")
        ]
        answered = [pair for pair in pairs if pair[1]]
        print(f"\n{name}: told of {share([bool(said) for _, said, _ in pairs])}")
        print(f"  right when told      {share([true == said for true, said, _ in answered])}")
        for word in dict.fromkeys(sorted(true for true, _, _ in pairs)):
            precision = share([true == word for true, said, _ in answered if said == word])
            recall = share([said == word for true, said, _ in pairs if true == word])
            unsure = sum(true == word and not said for true, said, _ in pairs)
            print(f"  {word:20} precision {precision}; recall {recall}; unsure {unsure}")
        by_light = np.argsort(np.argsort([light for _, _, light in pairs])) * 3 // max(len(pairs), 1)
        for index, third in enumerate(("darkest", "middle", "lightest")):
            mine = [pair for pair, at in zip(pairs, by_light, strict=True) if at == index]
            right = share([true == said for true, said, _ in mine if said])
            print(f"  skin {third:15} told of {share([bool(said) for _, said, _ in mine])}; right {right}")
    print("\ndrawn hats")
    for half in ("fit", "judge"):
        said = [features.judge(item.hatted).hat for item in seen if item.label["half"] == half]
        print(f"  {half:8} seen {share([hat is True for hat in said])}; unsure {share([hat is None for hat in said])}")


def _one(word: str | bool | None) -> str:
    """Say yes and no for a flag; dark brown counts as brown, for where it begins is a matter of words."""
    return {True: "yes", False: "no", None: "", "dark brown": "brown"}.get(word, str(word))


def fitted(seen: Sequence[Seen]) -> None:
    """Print the rules of `core.face.features` and `core.face.worn`, fitted on the half marked "fit"."""
    taught = [item for item in seen if item.label["half"] == "fit" and item.label["hat"] != "yes"]
    goals = (
        ("GLASSES", worn.GLASSES, "glasses", {"yes"}),
        ("UPPER_LIP_HAIR", worn.UPPER_LIP_HAIR, "facial_hair", {"moustache", "beard"}),
        ("CHIN_HAIR", worn.CHIN_HAIR, "facial_hair", {"beard"}),
        ("BALD", features.BALD, "hair_length", {"bald"}),
        ("LONG", features.LONG, "hair_length", {"chin", "shoulder_or_longer"}),
    )
    for name, rule, column, words in goals:
        known = [item for item in taught if item.label[column]]
        measures = [measure for measure in rule if measure != "1"]
        x = np.array([[item.measured[measure] for measure in measures] for item in known])
        y = np.array([item.label[column] in words for item in known])
        weights = _softmax(x, y.astype(int), 2, ridge=2.0)
        odds = weights[:, 1] - weights[:, 0]
        written = ", ".join(f'"{m}": {w:.2f}' for m, w in zip(("1", *measures), odds, strict=True))
        print(f"{name}: Final[Rule] = {{{written}}}  # n = {len(y)}, {y.sum()} of them")
    known = [item for item in taught if _one(item.label["hair_colour"]) in features.COLOURS]
    x = np.array([[item.measured[measure] for measure in features.COLOUR_MEASURES] for item in known])
    y = np.array([features.COLOURS.index(_one(item.label["hair_colour"])) for item in known])
    print(f"COLOUR, n = {len(y)}")
    print(np.array2string(_softmax(x, y, len(features.COLOURS), ridge=1.0), precision=3, separator=", "))


def _softmax(x: F32, y: NDArray[np.int_], kinds: int, ridge: float) -> F32:
    """Fit a softmax regression by gradient ascent on standardised measures; returns weights for the raw ones."""
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = np.column_stack([np.ones(len(x)), (x - mean) / deviation])
    weights = np.zeros((z.shape[1], kinds))
    for _ in range(20000):
        odds = z @ weights
        chance = np.exp(odds - odds.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        held = np.vstack([np.zeros(kinds), weights[1:]])
        weights += 0.02 * (z.T @ (np.eye(kinds)[y] - chance) - ridge * held) / max(1.0, len(x) / 100)
    raw = weights / np.append(1.0, deviation)[:, None]
    raw[0] -= (mean[:, None] * raw[1:]).sum(axis=0)
    return raw - raw.mean(axis=1, keepdims=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), "--fit" in sys.argv[3:])
