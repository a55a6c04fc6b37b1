"""Train the classifier of grimaces: train | eval, run by hand; three minutes on two cores.

    python -m tools.train_expression train --faces PICTURES --portraits PICTURES
    python -m tools.train_expression eval --faces PICTURES --portraits PICTURES

`tools/expression_labels.json` has what two readers said of each face that either would not put on a CV for what it
does: S scowls and the like, M a mouth in speech, L lids half shut or cast down (said by the second alone), U unclear,
- fine. All other faces and the official portraits are fine. `eval` trains on four fifths each time and says what it
finds in the fifth. `core/base/expression/README.md` is the model card.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from safetensors.numpy import save_file

from core import frame
from core.face.constancy import bare_face
from core.face.grimace import LIDS, POINTS, SIZE, TENSE, WEIGHTS, aligned, edges_of, evened, features, other_points
from core.face.mesh import BLENDSHAPES
from core.types import F32
from tools.parser_pack import face_mesh

LABELS: Final = Path(__file__).with_name("expression_labels.json")
SEEN: Final = Path(".train/expression.npz")
SHAPES, EDGES = 60, 100
"""Principal components of meshes and of edges that are learnt from; 1,900 faces do not bear thousands of numbers."""
MOVED: Final = 0.01
"""Deviation over all faces below which a blendshape says nothing: mediapipe never moves a few, and a weight on what has
hardly stirred would be in thousands."""
RIDGE: Final = 100.0
"""Penalty on squared weights of features of variance one."""
STEPS: Final = 30
FOLDS: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Faces (N,): names, features (N, F) as `core.face.grimace` has them, L*, which are portraits; the mean mesh."""

    names: list[str]
    features: F32
    lightness: F32
    portrait: NDArray[np.bool_]
    mean_shape: F32


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """A weight for each feature (F,), and what is added."""

    weight: F32
    bias: float


def load(faces: Path, portraits: Path) -> Seen:
    """Look at all pictures; kept in SEEN, for it takes minutes. To be deleted after a change of the features."""
    if not SEEN.is_file():
        folders = (faces, portraits)
        files = sorted(f for folder in folders for f in folder.iterdir() if f.suffix.lower() in {".jpg", ".png"})
        with get_context("spawn").Pool(2, cv2.setNumThreads, (1,)) as pool:
            rows = list(track(pool.imap(_seen, files, 16), "Faces", len(files), console=Console(stderr=True)))
        found = [(file, row) for file, row in zip(files, rows, strict=True) if row is not None]
        SEEN.parent.mkdir(exist_ok=True)
        of_rows = {key: np.stack([row[key] for _, row in found]) for key in found[0][1]}
        of_rows["names"] = np.array([file.stem for file, _ in found])
        of_rows["portrait"] = np.array([file.parent == portraits for file, _ in found])
        np.savez(SEEN, **of_rows)  # type: ignore[arg-type]  # numpy's own types take every name for an option
    kept = np.load(SEEN)
    mean = kept["meshes"][0]
    for _ in range(5):
        mean = np.mean([aligned(mesh, mean) for mesh in kept["meshes"]], axis=0)
        mean = evened(mean, other_points(mean))
        mean = (mean / np.linalg.norm(mean)).astype(np.float32)
    others = other_points(mean)
    parts = (kept["blendshapes"], kept["meshes"], kept["edges"])
    told = np.stack([features(muscles, mesh, edges, mean, others) for muscles, mesh, edges in zip(*parts, strict=True)])
    return Seen([str(name) for name in kept["names"]], told, kept["lightness"], kept["portrait"], mean)


def _seen(file: Path) -> dict[str, NDArray[Any]] | None:
    """Look at one picture; None where no face is found."""
    picture = cv2.imread(str(file))
    rgb = None if picture is None else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    mesh = None if rgb is None else face_mesh(rgb)
    if rgb is None or mesh is None:
        return None
    to_frame = frame.to_frame(frame.eye_centres(mesh.landmarks[:, :2]), *SIZE)
    face = frame.warp(rgb, to_frame, *SIZE)
    skin = bare_face(frame.carry(mesh.landmarks[:, :2], to_frame))
    lab = cv2.cvtColor(face.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return {
        "blendshapes": mesh.blendshapes,
        "meshes": mesh.landmarks[:POINTS],
        "edges": edges_of(face),
        "lightness": np.array(np.median(lab[skin, 0]) if skin.any() else 0, np.float32),
    }


def fit(of: Seen, ids: NDArray[np.intp], wanted: NDArray[np.float64]) -> Classifier:
    """Fit on some of the faces: logistic regression with a ridge by Newton's method, on principal components."""
    ends = np.cumsum([2 * len(BLENDSHAPES), 3 * POINTS])
    muscles, mesh, edges = np.split(of.features, ends, axis=1)
    moved = np.eye(muscles.shape[1])[:, muscles.std(axis=0) > MOVED]
    bases = (moved, _principal(mesh[ids], SHAPES), _principal(edges[ids], EDGES))
    parts = zip((muscles, mesh, edges), bases, strict=True)
    inputs = np.concatenate([part[ids] @ base for part, base in parts], axis=1)
    middle, spread = inputs.mean(axis=0), inputs.std(axis=0)
    found = _ridge((inputs - middle) / spread, wanted[ids])
    weights, bias = found[:-1] / spread, found[-1] - (found[:-1] * middle / spread).sum()
    owns = np.split(weights, np.cumsum([base.shape[1] for base in bases])[:-1])
    whole = [base @ own for base, own in zip(bases, owns, strict=True)]
    return Classifier(np.concatenate(whole).astype(np.float32), float(bias))


def _principal(rows: F32, count: int) -> NDArray[np.float64]:
    """Return the directions (N, count) in which rows differ most."""
    rows = rows.astype(np.float64)
    return np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2][:count].T


def _ridge(inputs: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights and, last, what is added, of a logistic regression with a ridge."""
    inputs = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    found = np.zeros(inputs.shape[1])
    penalty = np.full(len(found), RIDGE)
    penalty[-1] = 0
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-np.clip(inputs @ found, -30, 30)))
        slope = inputs.T @ (likely - wanted) + penalty * found
        bend = (inputs.T * (likely * (1 - likely) + 1e-6)) @ inputs + np.diag(penalty + 1e-9)
        found = found - np.linalg.solve(bend, slope)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What readers said of faces (N,).

    tense: mean of their votes that a face scowls or speaks, NaN where neither knew or its lids are what is wrong;
    lids: 1 where they are half shut or cast down, 0 where all is fine, NaN elsewhere. scowls, speech: said by both.
    """

    tense: NDArray[np.float64]
    lids: NDArray[np.float64]
    scowls: NDArray[np.bool_]
    speech: NDArray[np.bool_]
    fine: NDArray[np.bool_]


VOTE: Final = {"S": 1.0, "M": 1.0, "-": 0.0, "U": np.nan, "L": np.nan}


def labels_of(of: Seen) -> Labels:
    """Read LABELS; portraits are fine."""
    said = json.loads(LABELS.read_text())
    votes = np.array([tuple(said.get(name, "--")) for name in of.names])
    votes[of.portrait] = "-"
    known = np.vectorize(VOTE.__getitem__)(votes).astype(np.float64)
    count = (~np.isnan(known)).sum(axis=1)
    shut = (votes == "L").any(axis=1)
    fine = (votes == "-").all(axis=1)
    tense = np.where(shut | (count == 0), np.nan, np.nansum(known, axis=1) / np.maximum(count, 1))
    lids = np.where(shut, 1.0, np.where(fine, 0.0, np.nan))
    scowls, speech = ((votes == kind).all(axis=1) for kind in "SM")
    return Labels(tense, lids, scowls, speech, fine & ~of.portrait)


def train(of: Seen) -> None:
    """Train on all faces and write the weights."""
    label = labels_of(of)
    both = [fit(of, np.flatnonzero(~np.isnan(wanted)), wanted) for wanted in (label.tense, label.lids)]
    WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    weight, bias = np.stack([found.weight for found in both]), np.array([found.bias for found in both], np.float32)
    save_file({"mean_shape": of.mean_shape, "weight": weight, "bias": bias}, WEIGHTS)


def evaluate(of: Seen) -> None:
    """Print what classifiers that did not see them find, at several thresholds, TENSE and LIDS among them."""
    label = labels_of(of)
    thirds = np.digitize(of.lightness, np.percentile(of.lightness[label.fine], (33, 67)))
    groups = {"scowls": label.scowls, "in speech": label.speech, "lids": label.lids == 1, "fine": label.fine}
    groups |= {name: label.fine & (thirds == i) for i, name in enumerate(("dark third", "middle", "light"))}
    groups["portraits"] = of.portrait
    for name, wanted, limit in (("tense", label.tense, TENSE), ("lids", label.lids, LIDS)):
        odds = _held_out(of, wanted)
        below = np.searchsorted(np.sort(odds[label.fine]), odds[wanted == 1]) / label.fine.sum()
        Console().print(f"{name}: {len(below)} surely so, {label.fine.sum()} fine, AUC {below.mean():.3f}")
        table = Table("log odds", *groups)
        for least in sorted({-2.0, -1.5, -1.0, -0.5, 0.0, limit}):
            table.add_row(f"{least:.2f}", *(f"{(odds[group] > least).mean():.1%}" for group in groups.values()))
        Console().print(table)


def _held_out(of: Seen, wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log odds of every face by a classifier that was not taught it."""
    order, odds = np.random.default_rng(0).permutation(len(of.names)), np.zeros(len(of.names))
    for fold in track(range(FOLDS), "Training", console=Console(stderr=True)):
        held = order[fold::FOLDS]
        by = fit(of, np.setdiff1d(order, [*held, *np.flatnonzero(np.isnan(wanted))]), wanted)
        odds[held] = of.features[held] @ by.weight + by.bias
    return odds


def main() -> int:
    """Run one of the two."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("train", "eval"))
    options.add_argument("--faces", type=Path, required=True)
    options.add_argument("--portraits", type=Path, required=True)
    asked = options.parse_args()
    of = load(asked.faces, asked.portraits)
    train(of) if asked.what == "train" else evaluate(of)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
