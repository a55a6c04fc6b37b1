"""Selfies + maps -> what the studio learns of a person: a LoRA, and the proof on a held-out photo that it helped.

`teach` is the one code path, whatever the net: a `Course` says what is learnt and how well it went.
Resumable: everything is a function of the step, and the state lies in the folder. The course here is
head repair, the embedded engine's: the person's sharp photos are spoilt the way poor photos are, and
the head net learns to give this face back. `core/engines/sdxl/lessons.py` is the course of the SD family.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict

from core import frame
from core.engines.denoise import signal
from core.engines.redress import repair
from core.engines.redress.engine import repaired
from core.errors import Stopped
from core.face.landmarks import fill
from core.face.mesh import FACE_OVAL
from core.types import F32, FaceMap

RANK: Final = 8
RATE: Final = 2e-3
"""AdamW's learning rate, constant after ten steps."""
STEPS: Final = 60
"""Most steps; a training of 60 takes under a minute on two free cores."""
BATCH: Final = 4
CROP: Final = 64
"""Heads are trained on squares of this side: a whole head costs eleven times as much a step."""
CHECK_EVERY: Final = 15
PATIENCE: Final = 2
"""Checks without a lower held-out error after which training ends."""
LEAST_GAIN: Final = 10.0
"""Percent by which the held-out error must fall, or the LoRA is not used."""
NATIVE: Final = 1.25
"""A head enlarged further than this into the repair's frame teaches nothing about sharpness."""
LATE: Final = 3.0
"""Mean of the logit-normal training times: nearly all noise, for a repair of few steps is decided there."""
SPOILT: Final = (0.35, 0.55, 0.75, 0.95)
"""Strengths at which the held-out head is spoilt for the proof, each with its own fixed noise."""

ADAPTED: Final = ["conv1", "conv2", "conv_shortcut", "to_q", "to_k", "to_v", "conv_in"]
"""Layers that get a LoRA."""


@dataclass(frozen=True, slots=True)
class Training:
    """What training came to, as the manifest tells it.

    used: the LoRA takes part in repair. reason: "helped", "did_not_help", "no_proof" (one or two photos teach),
    "photos_sharp" (nothing to repair), "nothing_to_learn_from" (no photo is sharp), "not_asked". Errors without and
    with the LoRA: of head repair the mean CIELAB difference of the held-out head, spoilt and restored; of the SD
    family the held-out photo's denoising loss.
    """

    used: bool
    reason: str
    held_out: str | None = None
    error_without: float | None = None
    error_with: float | None = None
    gain_percent: float | None = None
    steps: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long and how fast is taught: most steps, AdamW's rate, steps between checks, and when to stop or to refuse.

    patience: checks without a lower held-out error. least_gain: percent by which that error must fall.
    """

    steps: int
    rate: float
    check_every: int
    patience: int
    least_gain: float


class Course(Protocol):
    """What a LoRA learns from, and how its success is measured: one for each kind of net."""

    pace: Pace
    held_out: str | None
    """sha256 of the photo that takes no part in learning, None where there are too few."""
    model: Any
    """The net with its LoRA on, as PEFT makes it; it begins as the net alone."""

    def loss(self, step: int) -> torch.Tensor:
        """Return the loss at a step; a function of the step, so that a resumed training is the same training."""

    def error(self) -> float:
        """Return the error on the held-out photo, on noises that never change; asked only where there is one."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One sharp head: (240, 192, 3) float32 sRGB 0..1 and (240, 192) float32 weight, most on the face."""

    sha256: str
    head: F32
    weight: F32


def train(
    maps: Sequence[FaceMap],
    net: Callable[[], Any],
    folder: Path,
    on_progress: Callable[[int, int, float], None],
    should_stop: Callable[[], bool],
) -> Training:
    """Learn a person from their photos; writes `lora/` (PEFT) where it is to be used, and always `training.json`.

    Goes on where a killed run stopped. net: the head net, asked for only if it is trained on.
    on_progress(step, total, loss). Raises Stopped after saving.
    """

    def work() -> Training:
        needs = [repair.need_of(face) for face in maps]
        lessons = lessons_of([face for face, need in zip(maps, needs, strict=True) if need == 0])
        if not any(needs):
            return Training(False, "photos_sharp")
        if not lessons:
            return Training(False, "nothing_to_learn_from")
        return teach(HeadCourse(net(), lessons), folder, on_progress, should_stop)

    return once(folder, work)


def once(folder: Path, work: Callable[[], Training]) -> Training:
    """Do the work, unless its outcome lies in `folder`/training.json already; leaves no state of the way there."""
    done = folder / "training.json"
    if done.is_file():
        return Training(**json.loads(done.read_text("utf-8")))
    folder.mkdir(parents=True, exist_ok=True)
    came_to = work()
    part = done.with_suffix(".part")
    part.write_text(json.dumps(asdict(came_to), indent=1) + "\n", "utf-8")
    os.replace(part, done)
    (folder / "training.pt").unlink(missing_ok=True)
    return came_to


def teach(
    course: Course,
    folder: Path,
    on_progress: Callable[[int, int, float], None],
    should_stop: Callable[[], bool],
) -> Training:
    """Teach until the steps are spent or nothing gets better; say whether the held-out photo came out nearer.

    Writes `folder`/lora (PEFT) where it is to be used. Raises Stopped after saving.
    """
    pupil, pace = _Pupil(course, folder), course.pace
    since = time.monotonic()
    without = pupil.begin()
    while pupil.step < pace.steps and not pupil.tired:
        if should_stop():
            pupil.save()
            raise Stopped(f"stopped at training step {pupil.step} of {pace.steps}")
        loss = pupil.learn()
        on_progress(pupil.step, pace.steps, loss)
        if pupil.step % pace.check_every == 0:
            pupil.check()
    seconds = round(time.monotonic() - since, 1)
    if course.held_out is None:
        pupil.keep()
        return Training(True, "no_proof", steps=pupil.step, seconds=seconds)
    gain = 100 * (1 - pupil.best_error / without)
    helped = gain >= pace.least_gain
    if helped:
        pupil.keep()
    return Training(
        helped, "helped" if helped else "did_not_help", course.held_out, round(without, 4),
        round(pupil.best_error, 4), round(gain, 1), pupil.step, seconds,
    )  # fmt: skip


class HeadCourse:
    """Head repair: squares of spoilt heads teach, the sharpest but the last of three or more; the last proves."""

    def __init__(self, net: Any, lessons: Sequence[Lesson]) -> None:
        self.pace = Pace(STEPS, RATE, CHECK_EVERY, PATIENCE, LEAST_GAIN)
        self._proof = lessons[-1] if len(lessons) >= 3 else None
        self.held_out = self._proof.sha256 if self._proof else None
        self._taught = lessons[:-1] if self._proof else lessons
        torch.manual_seed(0)
        self.model: Any = get_peft_model(learner(net), LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=ADAPTED))

    def _predict(
        self, x: torch.Tensor, rough: torch.Tensor, time: torch.Tensor, strength: torch.Tensor
    ) -> torch.Tensor:
        return repaired(self.model, x, rough, time, strength)

    def loss(self, step: int) -> torch.Tensor:
        """See `Course.loss`: squares cut at random from spoilt heads."""
        rng = np.random.default_rng([1, step])
        torch.manual_seed(step)
        clean, rough, weight, strength = _batch(self._taught, rng)
        return head_loss(self._predict, clean, rough, weight, strength, LATE)

    def error(self) -> float:
        """See `Course.error`."""
        assert self._proof is not None
        return proof(self._predict, self._proof)


def lessons_of(clear: Sequence[FaceMap]) -> list[Lesson]:
    """Return the heads of photos that need no repair and are large enough to teach, the sharpest first."""
    sharp = [face for face in clear if face.upscale_factor * repair.FRAME[0] / frame.PRINT[0] <= NATIVE]
    ordered = sorted(sharp, key=lambda face: (-face.selfie.sharpness, face.selfie.sha256))
    return [
        Lesson(face.selfie.sha256, repair.head_of(face.selfie.rgb, face.selfie.face.landmarks), _weight(face))
        for face in ordered
    ]


def _weight(face: FaceMap) -> F32:
    points = face.landmarks[:, :2] * np.float32(repair.FRAME[0] / frame.PRINT[0])
    inside = fill((repair.FRAME[1], repair.FRAME[0]), points, FACE_OVAL, 1.15)[repair.WINDOW]
    return (0.25 + 0.75 * cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 3)).astype(np.float32)


class _Pupil:
    """A course's LoRA, the optimiser, and the best state so far; all of it in `folder`/training.pt."""

    def __init__(self, course: Course, folder: Path) -> None:
        self._course = course
        self._trained = [p for p in course.model.parameters() if p.requires_grad]
        self._optimiser = torch.optim.AdamW(self._trained, lr=course.pace.rate, betas=(0.9, 0.99), weight_decay=0.0)
        self._folder, self.step, self._idle = folder, 0, 0
        self._without = float("inf")
        self.best_error = float("inf")
        self._best: dict[str, Any] = {}

    @property
    def tired(self) -> bool:
        return self._idle >= self._course.pace.patience

    def begin(self) -> float:
        """Take up a killed run, or measure the error without a LoRA; returns that error."""
        kept = self._folder / "training.pt"
        if kept.is_file():
            state = torch.load(kept, map_location="cpu")
            set_peft_model_state_dict(self._course.model, state["lora"])
            self._optimiser.load_state_dict(state["optimiser"])
            self.step, self._idle, self._without = state["step"], state["idle"], state["without"]
            self.best_error, self._best = state["best_error"], state["best"]
        elif self._course.held_out is not None:
            self._without = self._course.error()
        return self._without

    def learn(self) -> float:
        """Make one step."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._course.pace.rate * min(1.0, (self.step + 1) / 10)
        loss = self._course.loss(self.step)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.step += 1
        return float(loss.item())

    def check(self) -> None:
        """Measure on the held-out photo, remember the best state, save everything."""
        state = {name: tensor.clone() for name, tensor in get_peft_model_state_dict(self._course.model).items()}
        error = -float(self.step) if self._course.held_out is None else self._course.error()
        self._idle = 0 if error < self.best_error else self._idle + 1
        if error < self.best_error:
            self.best_error, self._best = error, state
        self.save()

    def save(self) -> None:
        part = self._folder / "training.part"
        torch.save({"lora": get_peft_model_state_dict(self._course.model), "optimiser": self._optimiser.state_dict(),
                    "step": self.step, "idle": self._idle, "without": self._without,
                    "best_error": self.best_error, "best": self._best}, part)  # fmt: skip
        os.replace(part, self._folder / "training.pt")

    def keep(self) -> None:
        """Write the best state as PEFT files, whole or not at all."""
        set_peft_model_state_dict(self._course.model, self._best)
        part = self._folder / "lora.part"
        shutil.rmtree(part, ignore_errors=True)
        self._course.model.save_pretrained(part)
        shutil.rmtree(self._folder / "lora", ignore_errors=True)
        os.replace(part, self._folder / "lora")


def learner(net: Any) -> Any:
    """Return a copy of a net that a LoRA may be put on: the engine's own stays as it was."""
    copy = type(net).from_config(net.config)
    copy.load_state_dict(net.state_dict())
    return copy.to(memory_format=torch.channels_last)


def learned(net: Any, lora: Path) -> Any:
    """Return a copy of a net with a person's LoRA merged in."""
    return PeftModel.from_pretrained(learner(net), str(lora)).merge_and_unload().eval()


def proof(predict: repair.Predict, held_out: Lesson) -> float:
    """Return the mean CIELAB difference of a head, spoilt in fixed ways and restored, to itself; face counts most."""
    errors = []
    for number, strength in enumerate(SPOILT):
        rough = repair.degrade(held_out.head, strength, np.random.default_rng([2, number]))
        restored = repair.restore(predict, rough, strength, seed=number)
        errors.append(proof_error(restored, held_out.head, held_out.weight))
    return float(np.mean(errors))


def proof_error(one: F32, other: F32, weight: F32 | None = None) -> float:
    """Return the mean CIELAB distance of two pictures (H, W, 3) float32 sRGB 0..1, weighed by (H, W) if given."""
    labs = (cv2.cvtColor(np.ascontiguousarray(rgb, np.float32), cv2.COLOR_RGB2LAB) for rgb in (one, other))
    away = np.linalg.norm(next(labs) - next(labs), axis=-1)
    return float(np.average(away, weights=weight))


def _batch(lessons: Sequence[Lesson], rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
    """Draw squares of spoilt heads: clean and rough (N, 3, CROP, CROP) in -1..1, weight (N, 1, ...), strength (N,)."""
    clean, rough, weight, strength = [], [], [], []
    for index in rng.integers(0, len(lessons), BATCH):
        lesson = lessons[index]
        spoilt, level = spoil(lesson.head, rng)
        window = square(lesson.weight.shape, rng)
        clean.append(lesson.head[window].transpose(2, 0, 1) * 2 - 1)
        rough.append(spoilt[window].transpose(2, 0, 1) * 2 - 1)
        weight.append(lesson.weight[window][None])
        strength.append(level)
    stacked = (torch.from_numpy(np.stack(part).astype(np.float32)) for part in (clean, rough, weight))
    return (*stacked, torch.tensor(strength))


def spoil(head: F32, rng: np.random.Generator) -> tuple[F32, float]:
    """Spoil a clean head at a strength drawn at random; returns it and the strength."""
    strength = float(rng.uniform(repair.LEAST, 1))
    return repair.degrade(head, strength, rng), strength


def square(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[slice, slice]:
    """Choose rows and columns of a square of CROP anywhere in a head."""
    row, column = (int(rng.integers(0, side - CROP + 1)) for side in shape[:2])
    return slice(row, row + CROP), slice(column, column + CROP)


def head_loss(
    predict: repair.Predict,
    clean: torch.Tensor,
    rough: torch.Tensor,
    weight: torch.Tensor,
    strength: torch.Tensor,
    late: float,
) -> torch.Tensor:
    """Return the loss of a head net on a batch, of the base's training and of a person's alike."""
    times, left = times_of(len(clean), late)
    noisy = left.sqrt() * clean + (1 - left).sqrt() * torch.randn_like(clean)
    error = predict(noisy, rough, times, strength) - clean
    even = (0.5 + strength)[:, None, None, None]  # heads of every strength count about alike
    return weighed(error, (8 * weight / even).expand_as(error), left)


def times_of(count: int, late: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw training times (N,), logit-normal, and the picture's part of the variance at each, (N, 1, 1, 1)."""
    times = torch.sigmoid(torch.randn(count) + late).clamp(0.01, 0.999)
    return times, torch.tensor([signal(float(t)) for t in times])[:, None, None, None]


def weighed(error: torch.Tensor, weight: torch.Tensor, left: torch.Tensor) -> torch.Tensor:
    """Weigh square error and a little of the gradient's by min(SNR + 1, 5): x0-prediction, Li & He 2025."""
    across = ((error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:]).mean((1, 2, 3))
    along = ((error[..., 1:, :] - error[..., :-1, :]).abs() * weight[..., 1:, :]).mean((1, 2, 3))
    trust = (left / (1 - left) + 1).clamp(max=5)
    return (trust * error**2 * weight).mean() + 0.15 * ((across + along) * trust.flatten()).mean()
