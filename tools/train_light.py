"""Train the net that tells hard and coloured light: train | eval, run by hand; four minutes on two cores.

    python -m tools.train_parser prepare --faces PICTURES LABELS --portraits PICTURES LABELS
    python -m tools.train_light train
    python -m tools.train_light eval

Learns from the parser's pack of pictures. `tools/light_labels.json` names the faces whose light a hand called hard or
coloured, and those it was in doubt about; official portraits are lit in studios, all of them. `eval` trains on four
fifths each time and says what it finds in the fifth. `core/base/light/README.md` is the model card.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from core.face.constancy import bare_face, corrected, correction_of
from core.face.light import HARD, WEIGHTS, LightNet, light_field
from core.types import F32
from tools.parser_labels import Record, read, unpack
from tools.train_parser import PACK

LABELS: Final = Path(__file__).with_name("light_labels.json")
FIELDS: Final = Path(".train/light.npz")
STEPS: Final = 1500
BATCH: Final = 64
RATE: Final = 2e-3
WARM_UP: Final = 30
WEIGHT_DECAY: Final = 0.05
HARD_WEIGHT: Final = 3.0
"""How often one that is hard is drawn, of how often another is: an eighth of the faces are."""
DOUBTFUL: Final = 0.5
"""What the net is to say of those in doubt."""
SMOOTHED: Final = 0.02
"""How far from sure it is to be of the others (label smoothing, Szegedy et al. 2016)."""
MOVED, SCALED, VARIED, NOISE = 0.05, 0.06, 0.1, 0.05
"""Deviations by which fields are moved, scaled, made stronger or weaker, and noisier, lest any be learnt by heart."""
FOLDS: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """What the net learns from: names, fields (N, 4, 60, 48) and what it is to say of them (N,).

    portrait, held: which are official portraits, and held out. lightness: CIELAB, of the faces. All (N,).
    """

    names: list[str]
    fields: Tensor
    wanted: Tensor
    portrait: NDArray[np.bool_]
    held: NDArray[np.bool_]
    lightness: F32


def load(pack: Path) -> Fields:
    """Read the pack and bring each face into white light, as mapping does; kept in FIELDS, for it takes minutes.

    To be deleted after a change of `light_field` or `core.face.constancy`.
    """
    if not FIELDS.is_file() or FIELDS.stat().st_mtime < pack.stat().st_mtime:
        records = read(pack)
        with get_context("spawn").Pool(2, cv2.setNumThreads, (1,)) as pool:
            seen = list(track(pool.imap(_seen, records, 16), "White light", len(records), console=Console(stderr=True)))
        np.savez(
            FIELDS,
            names=np.array([Path(record.name).stem for record in records]),
            portrait=np.array([record.portrait for record in records]),
            held=np.array([record.held for record in records]),
            fields=np.stack([field for field, _ in seen]),
            lightness=np.array([lightness for _, lightness in seen], np.float32),
        )
    kept, labels = np.load(FIELDS), json.loads(LABELS.read_text())
    names = [str(name) for name in kept["names"]]
    of = dict.fromkeys(labels["hard"], 1 - SMOOTHED) | dict.fromkeys(labels["doubtful"], DOUBTFUL)
    wanted = torch.tensor([of.get(name, SMOOTHED) for name in names])
    return Fields(names, torch.from_numpy(kept["fields"]), wanted, kept["portrait"], kept["held"], kept["lightness"])


def _seen(record: Record) -> tuple[F32, float]:
    """Return the light on one picture's face, and how light the face is."""
    face = np.ascontiguousarray(unpack(record).rgb.transpose(1, 2, 0))
    found = correction_of(face.astype(np.float32) / 255, record.points)
    face = face if found is None else corrected(face, np.dstack([found.gains, found.faded]))
    lab = cv2.cvtColor(face.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return light_field(face, record.points), float(np.median(lab[bare_face(record.points), 0]))


def fit(of: Fields, ids: NDArray[np.intp], seed: int) -> LightNet:
    """Train a net on some of the fields: AdamW, warm-up, cosine."""
    torch.manual_seed(seed)
    net, chosen = LightNet(), torch.from_numpy(ids)
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    wanted = of.wanted[chosen]
    often = torch.where(wanted > DOUBTFUL, HARD_WEIGHT, 1.0)
    for step in track(range(STEPS), f"Training {seed}", console=Console(stderr=True)):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        drawn = torch.multinomial(often, BATCH)
        loss = functional.binary_cross_entropy_with_logits(net(_varied(of.fields[chosen[drawn]])), wanted[drawn])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return net.eval()


def _varied(fields: Tensor) -> Tensor:
    """Mirror half of the fields, move and scale them, make their light stronger or weaker, and noisier."""
    count = len(fields)
    fields = torch.where((torch.rand(count) < 0.5).view(-1, 1, 1, 1), fields.flip(-1), fields)
    move = torch.zeros(count, 2, 3)
    move[:, 0, 0], move[:, 1, 1] = 1 + SCALED * torch.randn(2, count)
    move[:, :, 2] = MOVED * torch.randn(count, 2)
    grid = functional.affine_grid(move, list(fields.shape), align_corners=False)
    fields = functional.grid_sample(fields, grid, align_corners=False) * (1 + VARIED * torch.randn(count, 4, 1, 1))
    return torch.cat([fields[:, :3] + NOISE * torch.randn_like(fields[:, :3]) * fields[:, 3:], fields[:, 3:]], 1)


def train(of: Fields) -> None:
    """Train on all that is not held out and write the weights as fp16 safetensors."""
    net = fit(of, np.flatnonzero(~of.held), 0)
    WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half().contiguous() for name, value in net.state_dict().items()}, WEIGHTS)


def evaluate(of: Fields) -> None:
    """Print what nets that did not see them find, at several thresholds, HARD among them."""
    order, odds = np.random.default_rng(0).permutation(len(of.names)), np.zeros(len(of.names), np.float32)
    for fold in range(FOLDS):
        held = order[fold::FOLDS]
        net = fit(of, np.setdiff1d(order, held), fold)
        with torch.inference_mode():
            fields = of.fields[torch.from_numpy(held)]
            odds[held] = (net(fields) + net(fields.flip(-1))).numpy() / 2
    hard, doubtful = of.wanted.numpy() > DOUBTFUL, of.wanted.numpy() == DOUBTFUL
    soft = ~hard & ~doubtful & ~of.portrait
    thirds = np.digitize(of.lightness, np.percentile(of.lightness[soft], (33, 67)))
    below = np.searchsorted(np.sort(odds[soft]), odds[hard])
    Console().print(f"{hard.sum()} hard, {soft.sum()} not, AUC {(below / soft.sum()).mean():.3f}")
    table = Table("log odds", "hard", "in doubt", "not", "dark third", "middle", "light", "portraits", "dark portraits")
    dark = of.portrait & (of.lightness < np.percentile(of.lightness[of.portrait], 20))
    for least in sorted({-2.0, -1.5, -1.0, -0.5, 0.0, 1.0, HARD}):
        groups = (hard, doubtful, soft, *(soft & (thirds == third) for third in range(3)), of.portrait, dark)
        table.add_row(f"{least:.1f}", *(f"{(odds[group] > least).mean():.1%}" for group in groups))
    Console().print(table)


def main() -> int:
    """Run one of the two."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("train", "eval"))
    options.add_argument("--pack", type=Path, default=PACK)
    asked = options.parse_args()
    of = load(asked.pack)
    train(of) if asked.what == "train" else evaluate(of)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
