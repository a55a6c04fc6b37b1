"""Measure the parser and the refiner on the held-out tenth: what `python -m tools.train_parser eval` prints.

Runs on a CPU. Intersection over union is told per picture where the label has over LEAST_PX pixels of a class, counting
pixels that the photo reaches and whose label is sure; intervals are bootstrapped over pictures (1,000 times, 95 %).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from core.cutout.nets import CLASSES, ParserNet, RefinerNet
from core.face.mesh import CHIN
from core.types import F32
from tools.parser_labels import IOD, Record, corrected, fixes, fixes_held, read
from tools.parser_pictures import HAT_AREA, Batch, Pictures
from tools.parser_pixels import blur, resized
from tools.parser_recompose import REFINED, Recomposer, mediapipe_segmenter

ROWS: Final = {**{name: (c,) for c, name in enumerate(CLASSES)}, "hair or hat": (1, 4)}
"""What is told apart in the report: the classes by their channels, and what is kept with the head."""
DONORS: Final = 200
"""Trained-on pictures that lend backdrops and clothes to the recomposed ones."""
LEAST_PX: Final = 100
SURE: Final = 0.6
LONG_HAIR: Final = (0.5, 0.3)
"""Hair is long where over 0.3 squared eye distances of it lie lower than half an eye distance below the chin."""
GUIDED: Final = ((4, 1e-4), (8, 1e-4), (16, 1e-4))
"""Radius and epsilon of the guided filters that the refined alpha is compared with; all are printed."""
GRADIENT_SIGMA: Final = 1.4
"""Of the Gaussian derivatives of the gradient error (Rhemann et al., A perceptually motivated matting score, 2009)."""


def evaluate(pack: Path, folder: Path) -> Iterator[str]:
    """Yield the lines of the report on the weights in a folder, for the held-out records of a pack."""
    records = read(pack)
    trained = [r for r in records if not r.held]
    records = [r for r in records if r.held] + trained[:: max(1, len(trained) // DONORS)]
    pictures = Pictures(records, "cpu")
    nets = loaded(ParserNet(), folder, "parser"), loaded(RefinerNet(), folder, "refiner")
    recompose = Recomposer(pictures, mediapipe_segmenter())
    groups = _groups(pictures)
    yield "IoU on photos as they are: mean (95 % interval of the mean), median, number of pictures"
    scores = _scores(pictures.held, nets[0], pictures.of)
    for name, members in groups.items():
        yield from _table(name, scores[members])
    torch.manual_seed(5)
    yield "IoU on the same people recomposed"
    yield from _table("all", _scores(pictures.held, nets[0], lambda ids: recompose.batch(len(ids), ids)))
    portrait = pictures.portrait[pictures.large_held]
    for kind, ids in (("portraits", pictures.large_held[portrait]), ("faces", pictures.large_held[~portrait])):
        if not len(ids):
            continue
        torch.manual_seed(5)
        yield f"Alpha of recomposed {kind} at {REFINED[1]}x{REFINED[0]}: mean squared and gradient error, each x 1000"
        for name, rows in alpha_errors(recompose, *nets, ids).items():
            yield f"  {name:24} {_mean(rows[:, 0] * 1000)}   {_mean(rows[:, 1] * 1000)}   n {len(rows)}"
    spared = [record for record in trained if Path(record.name).stem in fixes_held()]
    if spared:
        right = np.array([told_right(nets[0], record) for record in spared], np.float32)
        yield f"Inside the outlines of fixes held out, told right: {_mean(right)}   n {len(right)}"


def told_right(net: nn.Module, record: Record) -> float:
    """Return the part of what a hand set right, where the photo reaches, that the net says as the hand does: 0..1."""
    parts = Pictures([record], "cpu").of(torch.zeros(1, dtype=torch.long))
    found = probabilities(net, parts.inputs()).argmax(1)[0].numpy()
    marks = corrected(np.zeros((len(CLASSES), *found.shape), np.float32), fixes()[Path(record.name).stem])
    counted = (marks.max(axis=0) > SURE) & (parts.valid[0, 0].numpy() > 0.5)
    return float((found == marks.argmax(axis=0))[counted].mean())


def iou(found: NDArray[Any], label: F32, valid: F32) -> F32:
    """Return a picture's IoU per row of ROWS, NaN where it has none of it. found: (H, W) classes; label: (5, H, W)."""
    counted = (valid > 0.5) & (label.max(axis=0) > SURE)
    true = label.argmax(axis=0)
    scores = np.full(len(ROWS), np.nan, np.float32)
    for row, classes in enumerate(ROWS.values()):
        mine, theirs = np.isin(found, classes) & counted, np.isin(true, classes) & counted
        if theirs.sum() > LEAST_PX:
            scores[row] = (mine & theirs).sum() / (mine | theirs).sum()
    return scores


@torch.inference_mode()
def probabilities(net: nn.Module, inputs: Tensor) -> Tensor:
    """Ask the parser twice, once mirrored, as `core.cutout.parser` does: (B, 6, H, W) -> (B, 5, H, W)."""
    return (net(inputs).softmax(1) + net(inputs.flip(3)).softmax(1).flip(3)) / 2


@torch.inference_mode()
def alpha_errors(recompose: Recomposer, parser: nn.Module, refiner: nn.Module, ids: Tensor) -> dict[str, F32]:
    """Return (N, 2) squared and gradient errors of the alpha by method, on people with an exact one.

    The guided filters start from the segmenter's answer for the recomposed picture.
    """
    rows: dict[str, list[tuple[float, float]]] = {}
    for some in torch.split(ids, 8):
        batch = recompose.large_batch(len(some), some)
        found = resized(probabilities(parser, batch.small.inputs()), REFINED)
        refined = refiner(torch.cat([batch.rgb * 2 - 1, found], 1))
        methods = {"parser": 1 - found[:, :1], "parser and refiner": refined}
        for radius, epsilon in GUIDED:
            methods[f"guided filter, radius {radius}"] = _guided(batch.rgb, batch.person, radius, epsilon)
        for name, alpha in methods.items():
            rows.setdefault(name, []).extend(_errors(alpha, batch.alpha, batch.valid))
    return {name: np.array(values, np.float32) for name, values in rows.items()}


def loaded(net: nn.Module, folder: Path, name: str) -> nn.Module:
    """Return a net with a folder's weights of this name, in float32, as it is used."""
    net.load_state_dict({key: value.float() for key, value in load_file(folder / f"{name}.safetensors").items()})
    return net.eval()


def _scores(held: Tensor, net: nn.Module, draw: Callable[[Tensor], Batch]) -> F32:
    scores = []
    for ids in torch.split(held, 16):
        batch = draw(ids)
        found = probabilities(net, batch.inputs()).argmax(1).numpy()
        valid = batch.valid[:, 0].numpy()
        scores += [iou(*row) for row in zip(found, batch.parts.numpy(), valid, strict=True)]
    return np.array(scores)


def _groups(pictures: Pictures) -> dict[str, NDArray[np.bool_]]:
    """Tell the held-out pictures apart: by set, outlines, length of hair, headwear and third of the face's L*."""
    long, hat, light = [], [], []
    for i in pictures.held.tolist():
        parts, oval = pictures.parts[i].numpy() / 255, pictures.oval[i, 0].numpy() > 0
        below = parts[1, round(float(pictures.points[i, CHIN, 1]) + LONG_HAIR[0] * IOD) :] > 0.5
        long.append(below.sum() > LONG_HAIR[1] * IOD**2)
        hat.append(parts[4].mean() > HAT_AREA)
        rgb = pictures.rgb[i].numpy().transpose(1, 2, 0).astype(np.float32) / 255
        light.append(np.median(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[..., 0][oval]))
    longs, hats, lights = np.array(long), np.array(hat), np.array(light)
    low, high = np.quantile(lights, (1 / 3, 2 / 3))
    portrait = pictures.portrait[pictures.held].numpy()
    return {
        "all": np.ones(len(longs), bool),
        "faces": ~portrait,
        "portraits": portrait,
        "necks outlined by hand": pictures.necks[pictures.held].numpy(),
        "heads outlined by hand": pictures.heads[pictures.held].numpy(),
        "hair below the chin": longs,
        "hair above the chin": ~longs & ~hats,
        "headwear": hats,
        f"darkest third, L* < {low:.0f}": lights < low,
        "middle third": (lights >= low) & (lights < high),
        f"lightest third, L* >= {high:.0f}": lights >= high,
    }


def _table(name: str, scores: F32) -> Iterator[str]:
    yield f"  {name} ({len(scores)})"
    for row, label in enumerate(ROWS):
        values = scores[:, row][~np.isnan(scores[:, row])]
        if len(values):
            yield f"    {label:12} {_mean(values)}  median {np.median(values):.3f}  n {len(values)}"


def _mean(values: F32) -> str:
    """Return the mean and its bootstrapped 95 % interval."""
    draws = np.random.default_rng(0).integers(0, len(values), (1000, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), (0.025, 0.975))
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


def _guided(rgb: Tensor, person: Tensor, radius: int, epsilon: float) -> Tensor:
    """Sharpen a coarse alpha by the picture (He et al., Guided image filtering, 2010)."""
    pairs = zip(rgb.numpy().transpose(0, 2, 3, 1), person[:, 0].numpy(), strict=True)
    found = [cv2.ximgproc.guidedFilter(np.ascontiguousarray(i), p, radius, epsilon) for i, p in pairs]
    return torch.from_numpy(np.stack(found)[:, None].clip(0, 1))


def _errors(found: Tensor, true: Tensor, valid: Tensor) -> list[tuple[float, float]]:
    def per_picture(squares: Tensor, where: Tensor) -> list[float]:
        means: list[float] = ((squares * where).sum((1, 2, 3)) / where.sum((1, 2, 3))).tolist()
        return means

    unlike = (_gradient(found) - _gradient(true)) ** 2
    inner = valid[..., 1:-1, 1:-1]
    return list(zip(per_picture((found - true) ** 2, valid), per_picture(unlike, inner), strict=True))


def _gradient(alpha: Tensor) -> Tensor:
    soft = blur(alpha, GRADIENT_SIGMA)
    across = (soft[..., 1:-1, 2:] - soft[..., 1:-1, :-2]) / 2
    down = (soft[..., 2:, 1:-1] - soft[..., :-2, 1:-1]) / 2
    return torch.hypot(across, down)
