"""Train the embedded engine's garment net: prepare | train | eval | export, each resumable, run by hand.

    python -m tools.train_base prepare FOLDER    portraits -> canonical garments with mattes, cached
    python -m tools.train_base train             until it is stopped; goes on from its last checkpoint
    python -m tools.train_base eval              figures on the held-out portraits, with bootstrap intervals
    python -m tools.train_base export            EMA weights -> core/base/garment, fp16

Every tenth file by name is held out for ever. The portraits themselves stay where they are: only
`.train/`, which git ignores, holds anything made from them. `core/base/README.md` is the model card.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from diffusers import UNet2DModel
from skimage.color import deltaE_ciede2000

from core import frame, intake
from core.engines.embedded import BASE, PATCH, SIZE, Embedded
from core.facemap import map_face
from core.generate import STEPS, denoise, signal
from core.matte import Segmenter, clothes_of
from core.nouns import F32, U8, Face, Selfie
from core.progress import Bars

CACHE: Final = Path(".train")
WIDTH, HEIGHT = SIZE
CLUSTERS: Final = (2, 3, 4, 6)
"""How many flat regions a rough may have; three is a suit, a shirt and a tie."""
BATCH: Final = 8
RATE: Final = 5e-4
"""AdamW's learning rate, after a warm-up of 50 steps; cosine down to 15 % at SCHEDULE steps."""
SCHEDULE: Final = 1200
SEED: Final = 0


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One portrait's garment: (144, 256, 4) uint8 colours and matte; head and neck; where the photo reaches."""

    held_out: bool
    garment: U8
    keep: U8
    valid: U8


def prepare(folder: Path) -> None:
    """Cut the garments out of all portraits of a folder; half a second each on two cores."""
    files = sorted(folder.glob("*.jpg"))
    held_out = set(files[::10])
    models, segmenter = intake.Models(), Segmenter()
    examples = []
    with Bars() as bars:
        for done, file in enumerate(files):
            bars("prepare", done, len(files))
            seen = intake.sight(file.read_bytes(), file.name, models)
            if isinstance(seen, intake.Sighting):
                example = _example(seen, segmenter, file in held_out)
                if example.garment[..., 3].mean() > 25:  # a tenth of the crop at least is cloth
                    examples.append(example)
    CACHE.mkdir(exist_ok=True)
    (CACHE / "garments.pkl").write_bytes(pickle.dumps(examples))
    print(f"{len(examples)} garments of {len(files)} portraits")


def _example(seen: intake.Sighting, segmenter: Segmenter, held_out: bool) -> Example:
    trace, nobody = seen.trace, np.zeros(128, np.float32)
    face = Face(seen.found.box, seen.found.score, trace.landmarks, trace.blendshapes, trace.yaw_deg, trace.pitch_deg,
                trace.roll_deg, seen.found.eye_px, nobody)  # fmt: skip
    clothes, keep, valid = clothes_of(map_face(Selfie(seen.name, seen.sha256, seen.rgb, face, 1.0, 0.5)), segmenter)
    top = round(frame.GARMENT_TOP * clothes.shape[0])

    def small(layer: F32) -> U8:
        part = cv2.resize(layer[top:], SIZE, interpolation=cv2.INTER_AREA)
        return np.round(np.clip(part, 0, 1) * 255).astype(np.uint8)

    return Example(held_out, small(clothes), small(keep), small(valid))


def regions(garment: U8, clusters: int) -> U8:
    """Split a garment (144, 256, 4) into flat regions: k-means on Lab and a little of the place, outlines smoothed."""
    smooth = cv2.bilateralFilter(np.ascontiguousarray(garment[..., :3]), 5, 30, 5).astype(np.float32) / 255
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB) * np.array([0.8, 1, 1], np.float32)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    features = np.dstack([lab, columns * 0.03, rows * 0.03]).astype(np.float32)
    cv2.setRNGSeed(SEED)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    inside = features[garment[..., 3] > 100][::3]
    _, _, centres = cv2.kmeans(inside, clusters, None, stop, 1, cv2.KMEANS_PP_CENTERS)
    nearest = ((features[:, :, None] - centres) ** 2).sum(-1).argmin(-1)
    return cv2.medianBlur(nearest.astype(np.uint8), 7)


def recolour(rgb: F32, label: U8, rng: np.random.Generator) -> F32:
    """Dye each region of a picture (144, 256, 3) anew in Lab, folds and all: colours become commands."""
    lab: F32 = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    together, contrast = rng.normal(0, 1, 3) * (6, 8, 10), np.exp(rng.normal(0, 0.12))
    for region in np.unique(label):
        inside = label == region
        shift = together * rng.random() + rng.normal(0, 1, 3) * (10, 13, 16) * (rng.random() < 0.6)
        mean = lab[inside].mean(axis=0)
        lift = contrast * (1.6 if mean[0] < 22 and shift[0] > 8 else 1)  # black cloth made light shows its folds
        lab[inside] = (lab[inside] - mean) * (lift, 1, 1) + mean + shift
    dyed = cv2.cvtColor(np.clip(lab, (1, -80, -80), (99, 80, 80)).astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.clip(dyed, 0, 1).astype(np.float32)


def pair(example: Example, label: U8, rng: np.random.Generator, vary: bool) -> tuple[F32, F32, F32]:
    """Make one training pair: target (144, 256, 4), conditions (144, 256, 8), both -1..1, and valid (144, 256).

    vary: mirror, dye, and jitter the outlines of rough and keep mask by up to two pixels, so that
    neither tells where the real edge was; off for evaluation.
    """
    turn = slice(None, None, -1 if vary and rng.random() < 0.5 else 1)
    garment, keep, label = (np.ascontiguousarray(layer[:, turn]) for layer in (example.garment, example.keep, label))
    valid = np.ascontiguousarray(example.valid[:, turn]).astype(np.float32) / 255
    rgb, matte = garment[..., :3].astype(np.float32) / 255, garment[..., 3].astype(np.float32) / 255
    if vary and rng.random() < 0.75:
        rgb = recolour(rgb, label, rng)
    bend = _bend(rng, rng.uniform(0.3, 2.2) if vary else 0.0)
    bent_label = cv2.remap(label, *bend, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    bent_matte = cv2.remap(matte, *bend, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cloth = (matte > 0.5) & (valid > 0.5)
    rough: F32 = np.tile(rgb[cloth].mean(axis=0), (HEIGHT, WIDTH, 1))
    for region in np.unique(label):
        inside = (label == region) & cloth
        if inside.sum() > 20:
            rough[bent_label == region] = np.median(rgb[inside], axis=0)
    cover = cv2.GaussianBlur((bent_matte > 0.5).astype(np.float32), (0, 0), 1.2)
    seen = cv2.remap(keep[..., 3].astype(np.float32) / 255, *_bend(rng, 1.5 if vary else 0.0), cv2.INTER_LINEAR)
    head = np.dstack([keep[..., :3].astype(np.float32) / 255 * seen[..., None], seen])
    told = np.dstack([cv2.GaussianBlur(rough, (0, 0), 0.7), cover, head]) * 2 - 1
    target = np.dstack([rgb, matte]) * 2 - 1
    # where the photo ends there is no truth: the rough stands in, or its edge would come back as streaks
    target = target * valid[..., None] + told[..., :4] * (1 - valid[..., None])
    if vary:  # a few pixels aside, so that no patch of the net sees the same corner twice
        aside = np.array([[1, 0, rng.integers(-4, 5)], [0, 1, rng.integers(-4, 5)]], np.float32)
        moved = cv2.warpAffine(np.dstack([target, told[..., :4]]), aside, SIZE, borderMode=cv2.BORDER_REPLICATE)
        head_moved = cv2.warpAffine(told[..., 4:], aside, SIZE, borderMode=cv2.BORDER_REPLICATE)
        target, told = moved[..., :4], np.dstack([moved[..., 4:], head_moved])
        valid = cv2.warpAffine(valid, aside, SIZE)
    return target.astype(np.float32), told.astype(np.float32), valid


def _bend(rng: np.random.Generator, pixels: float) -> tuple[F32, F32]:
    grid = rng.standard_normal((6, 10, 2)).astype(np.float32)
    field = cv2.resize(grid, SIZE, interpolation=cv2.INTER_CUBIC) * np.float32(pixels)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    return columns + field[..., 0], rows + field[..., 1]


def new_net() -> Any:
    """Build the net: 11 M parameters, its last layer zero, so that it begins by giving the rough back."""
    net: Any = UNet2DModel(
        in_channels=12 * PATCH**2,
        out_channels=4 * PATCH**2,
        block_out_channels=(96, 160, 224),
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * 3,
        up_block_types=("UpBlock2D",) * 3,
        norm_num_groups=32,
        num_class_embeds=16,
    )
    torch.nn.init.zeros_(net.conv_out.weight)
    torch.nn.init.zeros_(net.conv_out.bias)
    return net


def train(steps: int | None) -> None:
    """Train on from the last checkpoint until stopped, or for a number of steps; a checkpoint every 100."""
    examples: list[Example] = [e for e in pickle.loads((CACHE / "garments.pkl").read_bytes()) if not e.held_out]
    labels = [[regions(e.garment, count) for count in CLUSTERS] for e in examples]
    net, ema = new_net(), new_net()
    ema.load_state_dict(net.state_dict())
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    step = 0
    if (CACHE / "garment.pt").is_file():
        kept = torch.load(CACHE / "garment.pt")
        net.load_state_dict(kept["net"])
        ema.load_state_dict(kept["ema"])
        optimiser.load_state_dict(kept["optimiser"])
        step = kept["step"]
    net = net.to(memory_format=torch.channels_last)
    engine, losses, since, first = Embedded(net), [], time.monotonic(), step
    while steps is None or step < steps:
        rng = np.random.default_rng([SEED, step])
        torch.manual_seed(step)
        rate = RATE * min(1, (step + 1) / 50) * (0.575 + 0.425 * np.cos(np.pi * min(1, step / SCHEDULE)))
        optimiser.param_groups[0]["lr"] = float(rate)  # numpy's own float would not load back from the checkpoint
        drawn = zip(rng.integers(0, len(examples), BATCH), rng.choice(4, BATCH, p=(0.2, 0.35, 0.3, 0.15)), strict=True)
        target, told, valid = _stack([pair(examples[i], labels[i][k], rng, vary=True) for i, k in drawn])
        loss = _loss(engine, target, told, valid)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            torch._foreach_lerp_(
                list(ema.parameters()), list(net.parameters()), 1 - min(0.995, (1 + step) / (10 + step))
            )
        losses.append(loss.item())
        if step % 10 == 0:
            pace = (time.monotonic() - since) / (step - first)
            print(f"step {step} loss {np.mean(losses[-50:]):.4f} {pace:.2f} s/step", file=sys.stderr, flush=True)
        if step % 100 == 0 or step == steps:
            state = {
                "net": net.state_dict(),
                "ema": ema.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step,
            }
            torch.save(state, CACHE / "garment.part")
            os.replace(CACHE / "garment.part", CACHE / "garment.pt")


def _stack(pairs: list[tuple[F32, F32, F32]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    target, told, valid = (torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))
    return target.permute(0, 3, 1, 2), told.permute(0, 3, 1, 2), valid[:, None]


def _loss(engine: Embedded, target: torch.Tensor, told: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Weigh the garment's error by min(SNR + 1, 5); times are logit-normal towards noise, edges count more."""
    times = torch.sigmoid(torch.randn(len(target)) + 0.6).clamp(0.01, 0.995)
    left = torch.tensor([signal(float(t)) for t in times])[:, None, None, None]
    noisy = left.sqrt() * target + (1 - left).sqrt() * torch.randn_like(target)
    error = engine.predict(noisy, told, times) - target
    matte = (target[:, 3:] + 1) / 2
    channels = torch.cat([(0.05 + 0.95 * matte).expand(-1, 3, -1, -1), torch.ones_like(matte)], 1)
    weight = (0.25 + 0.75 * valid) * channels
    across = ((error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:]).mean((1, 2, 3))
    along = ((error[..., 1:, :] - error[..., :-1, :]).abs() * weight[..., 1:, :]).mean((1, 2, 3))
    trust = (left / (1 - left) + 1).clamp(max=5)
    return (trust * error**2 * weight).mean() + 0.15 * ((across + along) * trust.flatten()).mean()


def evaluate() -> dict[str, Any]:
    """Measure the exported net on held-out garments: error beside the rough's own, colours, detail; n and intervals."""
    examples: list[Example] = [e for e in pickle.loads((CACHE / "garments.pkl").read_bytes()) if e.held_out]
    engine = Embedded()
    figures: dict[str, list[float]] = {
        "error_net": [],
        "error_rough": [],
        "colour": [],
        "detail": [],
        "flat_detail": [],
    }
    for seed, example in enumerate(examples):
        target, told, valid = pair(example, regions(example.garment, 3), np.random.default_rng(seed), vary=False)
        conditions = torch.from_numpy(told.transpose(2, 0, 1)[None].copy())
        noise = torch.randn((1, 4, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(seed))
        drawn = denoise(partial(_told, engine, conditions), noise, STEPS, lambda: False)
        picture = drawn[0].permute(1, 2, 0).numpy()
        cloth = (target[..., 3] > 0.8) & (valid > 0.9)
        lab = [cv2.cvtColor(np.clip((z[..., :3] + 1) / 2, 0, 1).astype(np.float32), cv2.COLOR_RGB2LAB)
               for z in (picture, told, target)]  # fmt: skip
        figures["error_net"].append(float(np.abs(lab[0] - lab[2])[cloth].mean()))
        figures["error_rough"].append(float(np.abs(lab[1] - lab[2])[cloth].mean()))
        figures["colour"].append(float(np.median(deltaE_ciede2000(lab[0][cloth], lab[1][cloth]))))
        fine = [np.abs(z[..., 0] - cv2.GaussianBlur(z[..., 0], (0, 0), 1.5))[cloth].mean() for z in lab]
        figures["detail"].append(float(fine[0] / fine[2]))
        figures["flat_detail"].append(float(fine[1] / fine[2]))
    return {name: _interval(values) for name, values in figures.items()}


def _interval(values: list[float]) -> dict[str, float]:
    """Return n, median and a 95 % bootstrap interval of the median (1,000 resamples)."""
    rng = np.random.default_rng(SEED)
    medians = np.median(rng.choice(values, (1000, len(values))), axis=1)
    low, high = np.percentile(medians, (2.5, 97.5))
    return {
        "n": len(values),
        "median": round(float(np.median(values)), 3),
        "low": round(float(low), 3),
        "high": round(float(high), 3),
    }


def _told(engine: Embedded, conditions: torch.Tensor, x: torch.Tensor, time_: torch.Tensor) -> torch.Tensor:
    return engine.predict(x, conditions, time_)


def export() -> None:
    """Write the EMA weights as a diffusers folder, fp16, into core/base/garment."""
    kept, net = torch.load(CACHE / "garment.pt"), new_net()
    net.load_state_dict(kept["ema"])
    net.half().save_pretrained(BASE / "garment")
    config = BASE / "garment" / "config.json"
    settings = json.loads(config.read_text("utf-8"))
    settings.pop("_name_or_path", None)
    config.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
    (BASE / "version.json").write_text(json.dumps({"version": f"1.{kept['step']}"}) + "\n", "utf-8")
    (BASE / "garment" / "diffusion_pytorch_model.safetensors").chmod(0o644)
    print(f"exported step {kept['step']}")


def main() -> int:
    """Run one of the four commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare").add_argument("folder", type=Path)
    commands.add_parser("train").add_argument("--steps", type=int)
    commands.add_parser("eval")
    commands.add_parser("export")
    options = parser.parse_args()
    os.nice(10)
    if options.command == "prepare":
        prepare(options.folder)
    elif options.command == "train":
        train(options.steps)
    elif options.command == "eval":
        print(json.dumps(evaluate(), indent=1))
    else:
        export()
    return 0


if __name__ == "__main__":
    sys.exit(main())
