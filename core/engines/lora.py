"""Training a LoRA on one person's photos: one loop for every net, resumable, used only if it is not proven useless.

A `TrainingTask` says what is learnt and how well it went: head repair (`core.engines.redress.lora`), FLUX.2
(`core.engines.flux2.lora`), SDXL (`core.engines.sdxl.lora`). Every step is a function of its number and all state
lies in the folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import torch

from core.atomic import write_json, writing
from core.errors import Stopped
from core.types import FaceMap, Identity

OUTCOME: Final = "training.json"
CHECKPOINT: Final = "training.pt"
LORA: Final = "lora"
"""What training leaves in its folder: always the outcome, the LoRA where it is used, a checkpoint while it runs."""
log = logging.getLogger(__name__)
WARM_UP: Final = 10
"""Steps over which the learning rate rises to its full value."""

OnProgress = Callable[[int, int, float], None]
"""Called with step, total and loss."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What training came to, as the manifest tells it.

    used: the LoRA takes part in drawing. reason: "helped", "did_not_help", "no_proof" (too few photos to hold one out),
    "photos_sharp" (nothing to repair), "nothing_to_learn_from" (no photo is sharp), "not_asked". held_out: sha256 of
    the photo it was proven on; trained_on: of those it learnt from, where it is used. Errors without and with the
    LoRA: for head repair the mean CIELAB difference of the held-out head, degraded and restored; for FLUX.2 the
    distance of generated faces to the held-out photo's (1 - cosine); for SDXL the held-out photo's denoising loss.
    """

    used: bool
    reason: str
    held_out: str | None = None
    error_without: float | None = None
    error_with: float | None = None
    gain_percent: float | None = None
    steps: int = 0
    seconds: float = 0.0
    trained_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How long and how fast is trained.

    steps: at most. rate: AdamW's. check_every: steps between checks. patience: checks without a lower held-out error
    after which training ends. least_gain: percent by which that error must fall, or the LoRA is not used. accumulate:
    losses that make one step. most_gradient: norm to which a step's gradient is clipped.
    """

    steps: int
    rate: float
    check_every: int
    patience: int
    least_gain: float
    accumulate: int = 1
    most_gradient: float = math.inf


class TrainingTask(Protocol):
    """What a LoRA learns from and how its success is measured: one for each kind of net."""

    config: TrainConfig
    held_out: str | None
    """sha256 of the photo that takes no part in training, None where there are too few."""
    trained_on: tuple[str, ...]
    """sha256 of the photos that do."""
    model: Any
    """The net with its LoRA, as PEFT makes it; it begins as the net alone."""
    scales_loss: bool
    """The net computes in float16, whose small gradients vanish unless the loss is scaled up."""

    def loss(self, number: int) -> torch.Tensor:
        """Return the loss of a number, counted up; a function of it, so that a resumed training is the same."""

    def error(self) -> float:
        """Return the error on the held-out photo, with fixed noises; asked only where there is one."""

    def save(self, folder: Path) -> None:
        """Write the LoRA as it is now, as safetensors that the net's own library loads."""


def training_key(maps: Sequence[FaceMap], engine: str, recipe: str) -> str:
    """Return what a training depends on, as a sha256: photo digests, engine with its base version, and recipe.

    engine: name and version of the weights trained on. recipe: everything else that changes the result, as text.
    """
    photos = sorted(face.selfie.sha256 for face in maps)
    return hashlib.sha256(json.dumps([photos, engine, recipe]).encode()).hexdigest()


def cached(folder: Path, key: str, work: Callable[[], TrainingResult]) -> TrainingResult:
    """Do the work, unless `folder` holds its outcome under the same key already; leaves no checkpoint behind.

    What lies there under another key, or cannot be read, is deleted and begun anew.
    """
    if (known := _outcome(folder, key)) is not None:
        return known
    (folder / OUTCOME).unlink(missing_ok=True)
    shutil.rmtree(folder / LORA, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    result = work()
    write_json(folder / OUTCOME, {"key": key, **asdict(result)})
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return result


def _outcome(folder: Path, key: str) -> TrainingResult | None:
    """Read a finished training's outcome; None where there is none of this key, or its LoRA is missing."""
    try:
        stored = json.loads((folder / OUTCOME).read_text("utf-8"))
        if stored.pop("key") != key:
            return None
        result = TrainingResult(**{**stored, "trained_on": tuple(stored["trained_on"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return result if not result.used or any((folder / LORA).glob("*.safetensors")) else None


def with_lora(who: Identity, result: TrainingResult, folder: Path) -> Identity:
    """Return the identity with what training came to: the LoRA in `folder` where it is used, and the proof."""
    lora = str(folder / LORA) if result.used else None
    return replace(who, lora=lora, trained_on=result.trained_on if result.used else (), proof=asdict(result))


def fit(
    task: TrainingTask, folder: Path, key: str, on_progress: OnProgress, should_stop: Callable[[], bool]
) -> TrainingResult:
    """Train until the steps are spent or nothing gets better, and say whether the held-out photo came out nearer.

    Writes `folder`/lora (PEFT) where it is to be used. Goes on from a checkpoint of the same key. Raises Stopped
    after saving one.
    """
    trainer, config = Trainer(task, folder, key), task.config
    since = time.monotonic()
    without = trainer.begin()
    while trainer.step < config.steps and not trainer.out_of_patience:
        if should_stop():
            trainer.save()
            raise Stopped(f"stopped at training step {trainer.step} of {config.steps}")
        loss = trainer.make_step()
        on_progress(trainer.step, config.steps, loss)
        if trainer.step % config.check_every == 0:
            log.info("training %s", pace(trainer.step, config.steps, trainer.step_seconds))
            trainer.check()
    seconds = round(time.monotonic() - since, 1)
    if task.held_out is None:
        trainer.keep()
        return TrainingResult(True, "no_proof", steps=trainer.step, seconds=seconds, trained_on=task.trained_on)
    gain = 100 * (1 - trainer.best_error / without)
    helped = gain >= config.least_gain
    if helped:
        trainer.keep()
    return TrainingResult(
        helped, "helped" if helped else "did_not_help", task.held_out, round(without, 4),
        round(trainer.best_error, 4), round(gain, 1), trainer.step, seconds, task.trained_on if helped else (),
    )  # fmt: skip


def pace(step: int, steps: int, step_seconds: float) -> str:
    """Say how far a training is, how long a step takes, and how long the rest will take at the most."""
    left = (steps - step) * step_seconds
    return f"step {step} of {steps}, {step_seconds:.2f} s a step, at most {left / 60:.0f} min to go"


class Trainer:
    """A task's LoRA, its optimiser and the best state so far; all of it in `folder`/training.pt."""

    def __init__(self, task: TrainingTask, folder: Path, key: str) -> None:
        import peft  # with transformers, 4 s: for who is trained

        self._peft, self._task = peft, task
        self._trained = [p for p in task.model.parameters() if p.requires_grad]
        self._optimiser = torch.optim.AdamW(self._trained, lr=task.config.rate, betas=(0.9, 0.99), weight_decay=0.0)
        device = next((p.device.type for p in self._trained), "cpu")
        self._scaler = torch.amp.GradScaler(device, enabled=task.scales_loss)
        self.step_seconds = 0.0
        self._folder, self._key, self.step, self._idle = folder, key, 0, 0
        self._without = float("inf")
        self.best_error = float("inf")
        self._best: dict[str, Any] = {}

    @property
    def out_of_patience(self) -> bool:
        """Whether as many checks as the task's patience brought no lower error."""
        return self._idle >= self._task.config.patience

    def begin(self) -> float:
        """Take up a killed run, or measure the held-out error without a LoRA; returns that error."""
        if not self._resume() and self._task.held_out is not None:
            self._without = self._task.error()
        return self._without

    def _resume(self) -> bool:
        """Load a checkpoint of the same key; one that is missing, of another key or unreadable is begun anew."""
        kept = self._folder / CHECKPOINT
        untrained = self._optimiser.state_dict(), self._lora()
        try:
            state = torch.load(kept, map_location="cpu")
            if state["key"] != self._key:
                raise KeyError("a checkpoint of another training")
            self._peft.set_peft_model_state_dict(self._task.model, state["lora"])
            self._optimiser.load_state_dict(state["optimiser"])
            self._scaler.load_state_dict(state["scaler"])
            step, idle, without = int(state["step"]), int(state["idle"]), float(state["without"])
            best_error, best = float(state["best_error"]), dict(state["best"])
        except Exception:  # torch.load raises anything on a damaged file: EOFError, UnpicklingError, RuntimeError ...
            kept.unlink(missing_ok=True)
            self._optimiser.load_state_dict(untrained[0])
            self._peft.set_peft_model_state_dict(self._task.model, untrained[1])
            return False
        self.step, self._idle, self._without, self.best_error, self._best = step, idle, without, best_error, best
        return True

    def make_step(self) -> float:
        """Make one step of as many losses as are accumulated, its gradient clipped; returns their mean."""
        since, config = time.monotonic(), self._task.config
        for group in self._optimiser.param_groups:
            group["lr"] = config.rate * min(1.0, (self.step + 1) / WARM_UP)
        self._optimiser.zero_grad()
        total = 0.0
        for part in range(config.accumulate):
            loss = self._task.loss(self.step * config.accumulate + part)
            self._scaler.scale(loss / config.accumulate).backward()  # type: ignore[no-untyped-call]
            total += float(loss.item())
        if config.most_gradient < math.inf:
            self._scaler.unscale_(self._optimiser)
            torch.nn.utils.clip_grad_norm_(self._trained, config.most_gradient)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self.step += 1
        seconds = time.monotonic() - since
        self.step_seconds = seconds if self.step_seconds == 0 else 0.9 * self.step_seconds + 0.1 * seconds
        return total / config.accumulate

    def check(self) -> None:
        """Measure on the held-out photo, remember the best state, save everything."""
        error = -float(self.step) if self._task.held_out is None else self._task.error()
        self._idle = 0 if error < self.best_error else self._idle + 1
        if error < self.best_error:
            self.best_error, self._best = error, self._lora()
        self.save()

    def _lora(self) -> dict[str, Any]:
        """Return a copy of the LoRA's weights as they are now."""
        return {name: tensor.clone() for name, tensor in self._peft.get_peft_model_state_dict(self._task.model).items()}

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "key": self._key,
            "lora": self._lora(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "step": self.step,
            "idle": self._idle,
            "without": self._without,
            "best_error": self.best_error,
            "best": self._best,
        }
        with writing(self._folder / CHECKPOINT) as draft:
            torch.save(state, draft)

    def keep(self) -> None:
        """Write the best state, whole or not at all."""
        self._peft.set_peft_model_state_dict(self._task.model, self._best)
        part = self._folder / f"{LORA}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        self._task.save(part)
        shutil.rmtree(self._folder / LORA, ignore_errors=True)
        os.replace(part, self._folder / LORA)
