"""Train the cut-out's parser and refiner: prepare | train | tune | eval | export, resumable, run by hand.

    python -m tools.train_parser prepare --faces PICTURES LABELS --portraits PICTURES LABELS
    python -m tools.train_parser train --parser-seconds 620 --refiner-seconds 115
    python -m tools.train_parser tune --seconds 4200
    python -m tools.train_parser export
    python -m tools.train_parser eval

`train` needs torch, numpy and OpenCV alone, so that a pack and this repository are all that a GPU machine is given. It
runs in bf16 on a CUDA card and on a CPU that has it, goes on from its last checkpoint, and a larger budget continues a
run that has ended. All it writes lies in `.train/`, which git ignores. `core/base/parser/README.md` is the model card.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.cutout.nets import ParserNet, RefinerNet
from tools.parser_labels import read
from tools.parser_pictures import Pictures
from tools.parser_pixels import resized
from tools.parser_recompose import REFINED, Recomposer

CACHE: Final = Path(".train")
PACK: Final = CACHE / "parser.pt"
RUN: Final = CACHE / "parser"
TUNED_RUN: Final = CACHE / "tuned"
BASE: Final = Path(__file__).resolve().parent.parent / "core" / "base" / "parser"
BEFORE: Final = "before.safetensors"
"""In a tuned run's folder: the parser it began from."""
CHECKPOINT_S: Final = 30.0
REPORT_S: Final = 15.0
CLASS_WEIGHTS: Final = (1.0, 1.6, 1.2, 1.0, 2.0)
"""Of the cross-entropy, in the order of CLASSES: hair and hats are rare and matter most."""
EDGE: Final = (0.02, 0.98)
"""Alpha between these is the edge, where the refiner's error counts 7 times as much as elsewhere."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How one net is trained. warm_up: steps. floor: of the learning rate, as a part of it. ema: the highest decay."""

    batch: int
    rate: float
    weight_decay: float
    warm_up: int
    floor: float
    ema: float


CONFIGS: Final = {
    "parser": TrainConfig(96, 2e-3, 0.02, 200, 0.02, 0.9995),
    "refiner": TrainConfig(32, 2e-3, 0.01, 50, 0.01, 0.999),
}
TUNED: Final = TrainConfig(12, 4e-4, 0.02, 40, 0.02, 0.998)
"""How the published parser is trained further: an hour of two cores, a thousand steps. With another batch the rate
grows with its square root (Krizhevsky, One weird trick, 2014)."""


@dataclass(slots=True)
class Run:
    """One net on its way: what a checkpoint holds. average: the exponential moving average, which is what is used."""

    name: str
    net: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0

    @classmethod
    def resumed(cls, name: str, build: Callable[[], nn.Module], config: TrainConfig, folder: Path, device: str) -> Run:
        """Go on from the folder's checkpoint, or begin."""
        net, average = (build().to(device).to(memory_format=torch.channels_last) for _ in range(2))  # type: ignore[call-overload]
        average.load_state_dict(net.state_dict())
        optimiser = torch.optim.AdamW(
            net.parameters(), lr=config.rate, weight_decay=config.weight_decay, betas=(0.9, 0.98), fused=True
        )
        run = cls(name, net, average, optimiser)
        if (file := folder / f"{name}.pt").is_file():
            state = torch.load(file, map_location=device, weights_only=True)
            net.load_state_dict(state["net"])
            average.load_state_dict(state["average"])
            optimiser.load_state_dict(state["optimiser"])
            run.step, run.seconds = state["step"], state["seconds"]
        return run

    def save(self, folder: Path) -> None:
        """Write the checkpoint; a run that is killed while it writes keeps the one before."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        part = folder / f"{self.name}.part"
        torch.save(state, part)
        os.replace(part, folder / f"{self.name}.pt")


def train(pack: Path, folder: Path, seconds: tuple[float, float], batch: int | None = None) -> None:
    """Train the parser, then the refiner on what it says, each until its budget of seconds is spent.

    batch: pictures a step for both, where the configs' own are too many for the machine.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    draw = Recomposer(Pictures(read(pack), device))
    print(f"{len(draw.pictures.trained)} pictures, {len(draw.pictures.large_trained)} with an exact alpha", flush=True)
    configs = {name: replace(config, batch=batch or config.batch) for name, config in CONFIGS.items()}
    parser = Run.resumed("parser", ParserNet, configs["parser"], folder, device)
    refiner = Run.resumed("refiner", RefinerNet, configs["refiner"], folder, device)
    fit(parser, configs["parser"], seconds[0], folder, lambda n: parser_step(parser.net, draw, n))
    parser.average.eval()
    fit(refiner, configs["refiner"], seconds[1], folder, lambda n: refiner_step(refiner.net, parser.average, draw, n))


def tune(pack: Path, folder: Path, seconds: float, weights: Path, batch: int = TUNED.batch) -> None:
    """Train the parser of a folder of weights further, on labels that meet what it says half way.

    What is learnt anew is where label and net disagreed and a hand drew neck or head, and what hands set right in what
    it said.
    """
    from tools.measure_parser import loaded  # needs what a machine that trains from nothing has not

    device = "cuda" if torch.cuda.is_available() else "cpu"

    def published() -> nn.Module:
        return loaded(ParserNet(), weights, "parser")

    folder.mkdir(parents=True, exist_ok=True)
    if not (before := folder / BEFORE).exists():
        shutil.copy(weights / "parser.safetensors", before)
    draw = Recomposer(Pictures(read(pack), device, published().to(device)))
    config = replace(TUNED, batch=batch, rate=TUNED.rate * math.sqrt(batch / TUNED.batch))
    run = Run.resumed("parser", published, config, folder, device)
    fit(run, config, seconds, folder, lambda n: parser_step(run.net, draw, n))


def fit(run: Run, config: TrainConfig, budget: float, folder: Path, loss_of: Callable[[int], Tensor]) -> None:
    """Take steps until the run has spent its budget of seconds, over all its starts: AdamW, warm-up, cosine."""
    torch.manual_seed(run.step)
    before, since = run.seconds, time.monotonic()
    saved = reported = since
    losses: list[Tensor] = []
    while run.seconds < budget:
        way = 0.5 * (1 + math.cos(math.pi * run.seconds / budget))
        rate = config.rate * min(1, (run.step + 1) / config.warm_up) * (config.floor + (1 - config.floor) * way)
        for group in run.optimiser.param_groups:
            group["lr"] = rate
        loss = loss_of(config.batch)
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(run.net.parameters(), 1.0)
        run.optimiser.step()
        run.step += 1
        decay = min(config.ema, 1 - 1 / (run.step / 3 + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(run.average.parameters()), list(run.net.parameters()), 1 - decay)
        losses.append(loss.detach())
        now = time.monotonic()
        run.seconds = before + now - since
        if now - reported > REPORT_S:
            mean, reported = float(torch.stack(losses).mean()), now
            losses.clear()
            print(f"{run.name} step {run.step} loss {mean:.4f} {budget - run.seconds:.0f} s left", flush=True)
        if now - saved > CHECKPOINT_S:
            run.save(folder)
            saved = now
    run.save(folder)
    print(f"{run.name} ended at step {run.step} after {run.seconds:.0f} s", flush=True)


def parser_step(net: nn.Module, draw: Recomposer, count: int) -> Tensor:
    """Recompose `count` people and return how wrong the parser is about them."""
    batch = draw.batch(count)
    with _bf16(draw.pictures.device):
        logits = net(batch.inputs())
    return parser_loss(logits.float(), batch.parts, batch.valid, batch.exact)


def refiner_step(net: nn.Module, parser: nn.Module, draw: Recomposer, count: int) -> Tensor:
    """Recompose `count` people, ask the parser, and return how wrong the refiner is about their alpha."""
    batch = draw.large_batch(count)
    with _bf16(draw.pictures.device):
        with torch.no_grad():
            found = resized(parser(batch.small.inputs()).float().softmax(1), REFINED)
        inputs = torch.cat([batch.rgb * 2 - 1, found], 1).contiguous(memory_format=torch.channels_last)
        alpha = net(inputs)
    return refiner_loss(alpha.float(), batch.alpha, batch.valid)


def parser_loss(logits: Tensor, parts: Tensor, valid: Tensor, exact: Tensor) -> Tensor:
    """Soft cross-entropy and Dice (Milletari et al. 2016) over all classes, L1 and gradients of the alpha.

    logits, parts: (B, 5, H, W); valid: (B, 1, H, W); exact: (B, 1, 1, 1). Unsure labels count less; so do edges of the
    figure that are not exact, a quarter as much, and their gradients not at all.
    """
    log_found = functional.log_softmax(logits, 1)
    best = parts[:, 1:].max(1, keepdim=True)[0]
    surest = torch.where(exact > 0, parts[:, :1] + best, torch.maximum(parts[:, :1], best))
    weight = valid * (2 * surest - 0.8).clamp(0.1, 1)
    of_class = torch.tensor(CLASS_WEIGHTS, device=logits.device).view(1, 5, 1, 1)
    entropy = -((parts * of_class * log_found).sum(1, keepdim=True) * weight).sum() / (weight.sum() + 1)
    found = log_found.exp()
    both, either = (found * parts * weight).sum((0, 2, 3)), ((found + parts) * weight).sum((0, 2, 3))
    dice = (1 - (2 * both + 1) / (either + 1)).mean()
    alpha, true = 1 - found[:, :1], 1 - parts[:, :1]
    trusted = valid * (0.25 + 0.75 * exact)
    distance = ((alpha - true).abs() * trusted).sum() / (trusted.sum() + 1)
    return entropy + 0.5 * dice + 1.5 * distance + 2 * _unlike_gradients(alpha, true, valid * exact, 1)


def refiner_loss(alpha: Tensor, true: Tensor, valid: Tensor) -> Tensor:
    """L1 of the alpha and of its gradients, most of it at the edge: all (B, 1, H, W)."""
    edge = ((true > EDGE[0]) & (true < EDGE[1])).float()
    weight = valid * (0.15 + functional.max_pool2d(edge, 9, 1, 4))
    return ((alpha - true).abs() * weight).sum() / weight.sum() + _unlike_gradients(alpha, true, weight, 0)


def _unlike_gradients(alpha: Tensor, true: Tensor, weight: Tensor, spare: float) -> Tensor:
    unlike = alpha - true
    across = (unlike[..., 1:] - unlike[..., :-1]).abs() * weight[..., 1:]
    down = (unlike[..., 1:, :] - unlike[..., :-1, :]).abs() * weight[..., 1:, :]
    return (across.sum() + down.sum()) / (weight.sum() + spare)


def _bf16(device: str) -> torch.autocast:
    fast = device == "cuda" or bool(torch.cpu.get_capabilities().get("amx_bf16"))  # ARM's have no such key
    return torch.autocast(device, torch.bfloat16, enabled=fast)


def export(folder: Path, target: Path, share: float = 1.0) -> None:
    """Write the averaged weights of the runs in a folder as fp16 safetensors.

    share: a tuned parser's part of what is written; the rest are the weights it began from. Between both it forgets
    less of what is not in its labels (Wortsman et al., Robust fine-tuning of zero-shot models, 2022).
    """
    from safetensors.torch import load_file, save_file

    target.mkdir(parents=True, exist_ok=True)
    for name in (name for name in CONFIGS if (folder / f"{name}.pt").is_file()):
        weights: dict[str, Any] = torch.load(folder / f"{name}.pt", map_location="cpu", weights_only=True)["average"]
        if share < 1 and name == "parser":
            before = load_file(folder / BEFORE)
            weights = {key: torch.lerp(before[key].float(), value, share) for key, value in weights.items()}
        save_file({key: value.half().contiguous() for key, value in weights.items()}, target / f"{name}.safetensors")


def main() -> int:
    """Run one of the five."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pack", type=Path, default=PACK)
    kinds = options.add_subparsers(dest="what", required=True)
    prepare = kinds.add_parser("prepare", help="pictures and soft labels -> a pack")
    for kind in ("faces", "portraits"):
        prepare.add_argument(f"--{kind}", type=Path, nargs=2, metavar=("PICTURES", "LABELS"), required=True)
    prepare.add_argument("--every", type=int, default=1, help="take every nth picture, to try it")
    fitting = kinds.add_parser("train", help="train both nets, or go on")
    fitting.add_argument("--parser-seconds", type=float, default=620)
    fitting.add_argument("--refiner-seconds", type=float, default=115)
    fitting.add_argument("--batch", type=int, help="pictures a step; 16 suits two cores")
    fitting.add_argument("--run", type=Path, default=RUN, help="folder of the checkpoints")
    tuning = kinds.add_parser("tune", help="train the published parser further, or go on")
    tuning.add_argument("--seconds", type=float, default=4200)
    tuning.add_argument("--batch", type=int, default=TUNED.batch, help="pictures a step; 96 suits a card")
    tuning.add_argument("--run", type=Path, default=TUNED_RUN, help="folder of the checkpoint")
    tuning.add_argument("--weights", type=Path, default=BASE, help="what is trained further")
    kinds.add_parser("eval", help="figures on the held-out tenth").add_argument("--weights", type=Path, default=BASE)
    exporting = kinds.add_parser("export", help="checkpoints -> weights")
    exporting.add_argument("--run", type=Path, default=RUN)
    exporting.add_argument("--weights", type=Path, default=BASE)
    exporting.add_argument("--share", type=float, default=1.0, help="of a tuned parser, beside what it began from")
    asked = options.parse_args()
    match asked.what:
        case "prepare":  # each imports what the GPU machine has not
            from tools.parser_pack import prepare as make_pack

            make_pack(tuple(asked.faces), tuple(asked.portraits), asked.pack, asked.every)
        case "train":
            train(asked.pack, asked.run, (asked.parser_seconds, asked.refiner_seconds), asked.batch)
        case "tune":
            tune(asked.pack, asked.run, asked.seconds, asked.weights, asked.batch)
        case "eval":
            from tools.measure_parser import evaluate

            for line in evaluate(asked.pack, asked.weights):
                print(line, flush=True)
        case "export":
            export(asked.run, asked.weights, asked.share)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
