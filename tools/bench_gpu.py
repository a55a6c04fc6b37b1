"""Measure FLUX.2 [klein] in its published shapes, with random weights, on a CUDA card: nothing is downloaded.

    python -m tools.bench_gpu [--plan fp8] [--minutes 10] [--json FILE]     the best plan that fits, or the one named
    python -m tools.bench_gpu --tiny                                        a dry run with tiny shapes on the CPU

Prints seconds and peak GB of a portrait with one and with the plan's references, of its face pass, and of a training
step; seconds of a LoRA are steps x step time plus the checks' portraits. Random weights take the time of trained ones.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinInpaintPipeline,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from PIL import Image

from core.engines.facts import GB, Plan
from core.engines.flux2.engine import FACE_PASS, FACE_STRENGTH, HEAD_REFERENCE
from core.engines.flux2.facts import FACTS
from core.engines.flux2.klein import STEPS, free_memory, placed
from core.engines.flux2.lora import CONFIG, PROOF_SEEDS, flow_loss, lora_config
from core.engines.flux2.measure import TOKENS, TRANSFORMER
from core.engines.flux2.recompute import blocks_with_room, keep_products
from core.engines.registry import card_here

TINY: Final[dict[str, Any]] = {
    "in_channels": 128, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16, "num_attention_heads": 2,
    "joint_attention_dim": 48, "timestep_guidance_channels": 32, "axes_dims_rope": (4,) * 4, "guidance_embeds": False,
}  # fmt: skip
WARM_UP: Final = 2
"""Runs before time counts: the first one chooses kernels."""


def main() -> int:
    """Measure what there is time for, and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--plan", choices=[plan.name for plan in FACTS.plans])
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--tiny", action="store_true")
    options.add_argument("--json", metavar="FILE")
    asked = options.parse_args()
    card = card_here()
    if card is None and not asked.tiny:
        print("no CUDA card here; --tiny tries the script on the CPU", file=sys.stderr)
        return 1
    plan = next((p for p in FACTS.plans if p.name == asked.plan), None) or (card and FACTS.plan_for(card))
    plan = plan or FACTS.plans[-1]
    if asked.tiny:
        plan = replace(plan, draws=(64, 64), learns=(64, 64), compute="float32", storage="float32")
    where = "cpu" if asked.tiny or card is None else card.name
    print(f"{where}: plan {plan.name}, storage {plan.storage}, torch {torch.__version__}")
    found = Bench(plan, "cpu" if asked.tiny else "cuda", asked.tiny, 60 * asked.minutes).run()
    for name, value in found.items():
        print(f"{name:28} {value:9.3f}")
    if asked.json:
        with open(asked.json, "w", encoding="utf-8") as file:
            json.dump({"device": where, "plan": plan.name, "torch": torch.__version__, **found}, file)
    return 0


class Bench:
    """Klein with random weights under a plan on a device; measures until its seconds are spent."""

    def __init__(self, plan: Plan, device: str, tiny: bool, seconds: float) -> None:
        self._plan, self._device, self._until = plan, torch.device(device), time.monotonic() + seconds
        self._shape = TINY if tiny else TRANSFORMER
        self._face = (64, 64) if tiny else FACE_PASS
        self._head = 64 if tiny else HEAD_REFERENCE
        self._steps = 2 if tiny else 20
        self._dtype: torch.dtype = getattr(torch, plan.compute)
        channels = {"block_out_channels": (4, 4, 8, 8), "layers_per_block": 1, "norm_num_groups": 2} if tiny else {}
        with torch.device(self._device):
            self._vae = AutoencoderKLFlux2(**channels).to(self._dtype).requires_grad_(False).eval()
        self._schedule = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)
        self._words = torch.randn(1, TOKENS, self._shape["joint_attention_dim"]).to(self._device, self._dtype)

    def run(self) -> dict[str, float]:
        """Return seconds and peak GB by what was measured."""
        found: dict[str, float] = {}
        self._draw(found)
        free_memory()
        self._train(found)
        drawn = found[f"portrait, {self._plan.references} references, s"]
        checks = (1 + CONFIG.steps // CONFIG.check_every) * len(PROOF_SEEDS)
        found["LoRA, s"] = CONFIG.steps * found["training step, s"] + checks * drawn
        return found

    def _draw(self, found: dict[str, float]) -> None:
        """Time portraits and the face pass, and let the net go."""
        net = self._transformer()
        for count in sorted({1, self._plan.references}):
            self._measure(found, f"portrait, {count} references", partial(self._portrait, net, count))
        self._measure(found, "face pass", partial(self._face_pass, net))

    def _transformer(self) -> Any:
        """Build the transformer on the device in the plan's precision, and cast it to its storage."""
        kept = torch.get_default_dtype()
        torch.set_default_dtype(self._dtype)
        try:
            with torch.device(self._device):
                net = Flux2Transformer2DModel(**self._shape)
        finally:
            torch.set_default_dtype(kept)
        return placed(net, self._plan, self._device)

    def _measure(self, found: dict[str, float], name: str, work: Callable[[], Any]) -> None:
        """Run work until three runs are timed or time is up; keeps the median and the peak."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        taken: list[float] = []
        for number in range(WARM_UP + 3):
            since = time.perf_counter()
            work()
            if self._device.type == "cuda":
                torch.cuda.synchronize()
            if number >= WARM_UP:
                taken.append(time.perf_counter() - since)
            if time.monotonic() > self._until and taken:
                break
        found[f"{name}, s"] = float(np.median(taken))
        if self._device.type == "cuda":
            found[f"{name}, GB"] = torch.cuda.max_memory_allocated() / GB

    def _portrait(self, net: Any, references: int) -> None:
        pipeline = Flux2KleinPipeline(self._schedule, self._vae, None, None, net, is_distilled=True)
        pipeline.set_progress_bar_config(disable=True)
        width, height = self._plan.draws
        shown = [_noise((min(width, 768), min(height, 960))) for _ in range(references)]
        pipeline(
            image=shown, prompt_embeds=self._words, width=width, height=height, num_inference_steps=STEPS,
            guidance_scale=1.0, output_type="np",
        )  # fmt: skip

    def _face_pass(self, net: Any) -> None:
        pipeline = Flux2KleinInpaintPipeline(self._schedule, self._vae, None, None, net, is_distilled=True)
        pipeline.set_progress_bar_config(disable=True)
        mask = Image.fromarray(np.full(self._face[::-1], 255, np.uint8))
        heads = [_noise((self._head, self._head)) for _ in range(self._plan.references)]
        pipeline(
            image=_noise(self._face), mask_image=mask, image_reference=heads, prompt_embeds=self._words,
            num_inference_steps=STEPS, strength=FACE_STRENGTH, guidance_scale=1.0, output_type="np",
        )  # fmt: skip

    def _train(self, found: dict[str, float]) -> None:
        """Time training steps as `Flux2Task` makes them."""
        net = self._transformer()
        net.add_adapter(lora_config(self._shape["num_single_layers"]))
        learnt = [p for p in net.parameters() if p.requires_grad]
        for weights in learnt:
            weights.data = weights.data.float()
        found["blocks whose products are kept"] = blocks = blocks_with_room(self._plan, self._device)
        keep_products(net, blocks)
        net.train()
        optimiser = torch.optim.AdamW(learnt, lr=CONFIG.rate)
        width, height = self._plan.learns
        clean = torch.randn(1, 128, height // 16, width // 16)
        schedule = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)
        weight, noise = torch.ones(1, 1, height // 16, width // 16), torch.randn(clean.shape)

        def step() -> None:
            loss = flow_loss(net, schedule, clean, weight, self._words, noise, 500)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(learnt, CONFIG.most_gradient)
            optimiser.step()

        def several() -> None:
            for _ in range(self._steps):
                step()

        self._measure(found, "training step", several)
        found["training step, s"] /= self._steps


def _noise(size: tuple[int, int]) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


if __name__ == "__main__":
    sys.exit(main())
