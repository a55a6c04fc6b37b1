"""Train the embedded engine's two nets: prepare | train torso|head | eval | export, each resumable, run by hand.

    python -m tools.train_base prepare FOLDER       portraits -> torsos and heads in layers, cached
    python -m tools.train_base train torso|head     until it is stopped; goes on from its last checkpoint
    python -m tools.train_base eval FOLDER          figures on the held-out portraits, with bootstrap intervals
    python -m tools.train_base export               EMA weights -> core/base/, fp16

Every tenth portrait by name is held out for ever. The portraits themselves stay where they are: only
`.train/`, which git ignores, holds anything made from them. `core/base/README.md` is the model card.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import UNet2DModel

from core.atomic import writing
from core.engines.redress.lora import draw_times, head_loss, weighted_loss
from core.engines.redress.nets import (
    BASE,
    CONDITIONING_CHANNELS,
    PATCH,
    TORSO_CHANNELS,
    base_torso,
    predict_head,
    predict_torso,
)
from core.engines.redress.repair import CLASSES
from core.engines.redress.unet import UNet
from core.progress import Bars
from tools import pairs
from tools.pairs import CACHE

SEED: Final = 0


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How one net is built and trained. conditioning, drawn: channels in and out. late: mean of the logit-normal times.

    rate: AdamW's, after 50 steps of warm-up, cosine to 10 % at `steps`.
    """

    widths: tuple[int, ...]
    conditioning: int
    drawn: int
    batch: int
    rate: float
    steps: int
    late: float


CONFIGS: Final = {
    "torso": TrainConfig((96, 160, 224), TORSO_CHANNELS + CONDITIONING_CHANNELS, TORSO_CHANNELS, 8, 6e-4, 3400, 0.6),
    "head": TrainConfig((48, 80, 128), 9, 3, 8, 1e-3, 10000, 3.0),
}
GROUPS: Final = {"torso": 16, "head": 8}
"""Groups of channels that are normalised together."""


def new_net(mode: str) -> Any:
    """Build a net whose last layer is zero, so that it begins by giving the conditioning back."""
    config = CONFIGS[mode]
    tokens = PATCH[mode] ** 2
    net = UNet(config.conditioning * tokens, config.drawn * tokens, config.widths, GROUPS[mode], CLASSES)
    torch.nn.init.zeros_(net.conv_out.weight)
    assert net.conv_out.bias is not None
    torch.nn.init.zeros_(net.conv_out.bias)
    return net


def stock_net(mode: str) -> Any:
    """Build the same net as diffusers has it, which writes its configuration and weights."""
    config = CONFIGS[mode]
    return UNet2DModel(
        in_channels=config.conditioning * PATCH[mode] ** 2,
        out_channels=config.drawn * PATCH[mode] ** 2,
        block_out_channels=config.widths,
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * 3,
        up_block_types=("UpBlock2D",) * 3,
        norm_num_groups=GROUPS[mode],
        num_class_embeds=CLASSES,
    )


def prepare(folder: Path) -> None:
    """Cut all portraits of a folder into layers; seven minutes for 539 on two busy cores."""
    files, examples = len(list(folder.glob("*.jpg"))), []
    with Bars() as bars:
        for done, example in enumerate(pairs.cut(folder)):
            bars("prepare", done, files)
            if example is not None:
                examples.append(example)
    CACHE.mkdir(exist_ok=True)
    (CACHE / "examples.pkl").write_bytes(pickle.dumps(examples))
    print(f"{len(examples)} examples of {files} portraits")


def train(mode: str, steps: int | None) -> None:
    """Train on from the last checkpoint until stopped, or up to a number of steps; a checkpoint every 50."""
    config, draw = CONFIGS[mode], {"torso": torso_batches, "head": head_batches}[mode]()
    net, ema = new_net(mode), new_net(mode)
    ema.load_state_dict(net.state_dict())
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    step, kept = 0, CACHE / f"{mode}.pt"
    if kept.is_file():
        state = torch.load(kept)
        net.load_state_dict(state["net"])
        ema.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["optimiser"])
        step = state["step"]
    net = net.to(memory_format=torch.channels_last)
    losses: list[float] = []
    since, first = time.monotonic(), step
    while step < (steps or config.steps):
        rng = np.random.default_rng([SEED, step])
        torch.manual_seed(step)
        rate = config.rate * min(1, (step + 1) / 50) * (0.55 + 0.45 * np.cos(np.pi * min(1, step / config.steps)))
        optimiser.param_groups[0]["lr"] = float(rate)  # numpy's own float would not load back from the checkpoint
        loss = draw(net, rng, config)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            torch._foreach_lerp_(
                list(ema.parameters()), list(net.parameters()), 1 - min(0.99, (1 + step) / (10 + step))
            )
        losses.append(loss.item())
        if step % 10 == 0:
            seconds = (time.monotonic() - since) / (step - first)
            print(f"{mode} {step} loss {np.mean(losses[-50:]):.4f} {seconds:.2f} s/step", file=sys.stderr, flush=True)
        if step % 50 == 0 or step == (steps or config.steps):
            state = {
                "net": net.state_dict(),
                "ema": ema.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step,
            }
            with writing(kept) as draft:
                torch.save(state, draft)


def torso_batches() -> Callable[[Any, np.random.Generator, TrainConfig], torch.Tensor]:
    """Return a function that draws a batch of torsos and gives the net's loss on it."""
    torsos = [pairs.torso(example) for example in pairs.load(held_out=False)]
    count = np.bincount([torso.kind for torso in torsos])
    often = np.array([count[torso.kind] ** -0.5 for torso in torsos])  # rare kinds are shown more than their share

    def loss(net: Any, rng: np.random.Generator, config: TrainConfig) -> torch.Tensor:
        batch = [
            pairs.torso_pair(torsos[i], rng, vary=True)
            for i in rng.choice(len(torsos), config.batch, p=often / often.sum())
        ]
        target, conditioning, weight = (torch.from_numpy(np.stack(part)) for part in list(zip(*batch, strict=True))[:3])
        kinds = torch.tensor([pair[3] for pair in batch])
        return torso_loss(net, target, conditioning, weight[:, None], kinds, config.late)

    return loss


def torso_loss(
    net: Any, target: torch.Tensor, conditioning: torch.Tensor, weight: torch.Tensor, kinds: torch.Tensor, late: float
) -> torch.Tensor:
    """Weigh a torso's error: clothes and neck full, head and surroundings little; its edges count on their own."""
    times, left = draw_times(len(target), late)
    # where the photo ends there is no truth: the conditioning stands in, or its edge would come back as streaks and
    # nothing at all as pocket squares in the corners
    known = (weight > 0.05).to(target.dtype)
    target, weight = target * known + base_torso(conditioning) * (1 - known), weight.clamp(min=0.06)
    noisy = left.sqrt() * target + (1 - left).sqrt() * torch.randn_like(target)
    error = predict_torso(net, noisy, conditioning, times, kinds) - target
    matte = (target[:, 3:4] + 1) / 2
    channels = torch.cat(
        [(0.05 + 0.95 * matte).expand(-1, 3, -1, -1), torch.ones_like(matte), 0.6 * torch.ones_like(matte)], 1
    )
    return weighted_loss(error, weight * channels, left)


def head_batches() -> Callable[[Any, np.random.Generator, TrainConfig], torch.Tensor]:
    """Return a function that draws a batch of heads and gives the net's loss on it; enlarged photos teach nothing."""
    faces = [example.face for example in pairs.load(held_out=False) if example.scale < 1.25]

    def loss(net: Any, rng: np.random.Generator, config: TrainConfig) -> torch.Tensor:
        batch = [pairs.head_pair(faces[i], rng, vary=True) for i in rng.integers(0, len(faces), config.batch)]
        clean, spoilt = (torch.from_numpy(np.stack(part)) for part in list(zip(*batch, strict=True))[:2])
        strength, even = torch.tensor([pair[2] for pair in batch]), torch.ones_like(clean[:, :1])
        return head_loss(partial(predict_head, net), clean, spoilt, even, strength, config.late)

    return loss


def export() -> None:
    """Write the EMA weights of both nets as diffusers folders, fp16, into core/base/."""
    version = []
    for mode in CONFIGS:
        kept, net = torch.load(CACHE / f"{mode}.pt"), stock_net(mode)
        net.load_state_dict(kept["ema"])
        net.half().save_pretrained(BASE / mode)
        config = BASE / mode / "config.json"
        settings = json.loads(config.read_text("utf-8"))
        settings.pop("_name_or_path", None)
        config.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
        (BASE / mode / "diffusion_pytorch_model.safetensors").chmod(0o644)
        version.append(str(kept["step"]))
        print(f"exported {mode} at step {kept['step']}")
    (BASE / "version.json").write_text(json.dumps({"version": "2." + ".".join(version)}) + "\n", "utf-8")


def main() -> int:
    """Run one of the four commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare").add_argument("folder", type=Path)
    training = commands.add_parser("train")
    training.add_argument("mode", choices=CONFIGS)
    training.add_argument("--steps", type=int)
    commands.add_parser("eval").add_argument("folder", type=Path)
    commands.add_parser("export")
    options = parser.parse_args()
    os.nice(10)
    if options.command == "prepare":
        prepare(options.folder)
    elif options.command == "train":
        train(options.mode, options.steps)
    elif options.command == "eval":
        from tools.measure_base import evaluate

        print(json.dumps(evaluate(options.folder), indent=1))
    else:
        export()
    return 0


if __name__ == "__main__":
    sys.exit(main())
