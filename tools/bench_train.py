"""Seconds a step and peak memory of learning on klein, against diffusers' own example, on a mid-size random net.

    python -m tools.bench_train [--steps 8] [--json FILE]

Each runs in a process of its own on the same pictures, transformer, VAE, text encoder, rank and size. The example is
`train_dreambooth_lora_flux2_klein.py` as it is by default: it keeps its encoder, encodes each picture anew at every
step and keeps all that every block computed. Ours caches latents and words, lets VAE and encoder go, and computes
blocks again for their gradients: all but their products, as on a card with room ("ours"), or whole ("ours, small
card"). The processes make one step after the other by turns, so that all meet the machine in the same state; seconds
are each process's own processor time, their median; peak memory is the process's, less what it had before the nets
were built.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import IO, Any, Final

PIXELS: Final = (256, 320)
RANK: Final = 4
"""The example's own default."""
SHAPE: Final = {"num_layers": 2, "num_single_layers": 6, "attention_head_dim": 64, "num_attention_heads": 8}
WORDS: Final = 512
PICTURES: Final = 4
KEPT: Final = {"example": None, "ours": 8, "ours, small card": 0}
"""Blocks whose products are kept; the example computes nothing again."""


def main() -> int:
    """Run all by turns and print their ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=8)
    options.add_argument("--json", metavar="FILE")
    options.add_argument("--one", choices=KEPT)
    asked = options.parse_args()
    if asked.one:
        for step in steps_of(asked.one):
            print(json.dumps(step), flush=True)
            if not sys.stdin.readline():
                return 0
    found = by_turns(asked.steps)
    example = found["example"]
    for one, each in found.items():
        print(f"{one:17} {each['step_s']:6.2f} s of processor a step, {each['peak_mb']:5.0f} MB", end="")
        faster, less = example["step_s"] / each["step_s"], each["peak_mb"] / example["peak_mb"]
        apart = max(abs(one - other) for one, other in zip(each["losses"], example["losses"], strict=True))
        print(f"; {faster:.2f} x the steps at {less:.2f} x the memory, losses at most {apart:.1e} apart")
    if asked.json:
        with open(asked.json, "w", encoding="utf-8") as file:
            json.dump(found, file)
    return 0


def by_turns(steps: int) -> dict[str, dict[str, Any]]:
    """Return each one's median seconds of a step, peak MB and every step's loss; the first, a warm-up, is not timed."""
    processes = {}
    for one in KEPT:
        command = [sys.executable, "-m", "tools.bench_train", "--one", one]
        processes[one] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    first = {one: _next(process.stdout) for one, process in processes.items()}
    made: dict[str, list[dict[str, float]]] = {one: [] for one in KEPT}
    for _ in range(steps):
        for one, process in processes.items():
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            made[one].append(_next(process.stdout))
    for process in processes.values():
        process.communicate("")
    return {
        one: {
            "step_s": statistics.median(step["seconds"] for step in made[one]),
            "peak_mb": made[one][-1]["peak_mb"],
            "losses": [first[one]["loss"], *(step["loss"] for step in made[one])],
        }
        for one in KEPT
    }


def _next(said: IO[str] | None) -> dict[str, float]:
    assert said is not None
    while not (line := said.readline()).startswith("{"):
        if not line:
            raise RuntimeError("a process ended before its steps were made")
    step: dict[str, float] = json.loads(line)
    return step


def steps_of(one: str) -> Iterator[dict[str, float]]:
    """Build the nets and make one step after the other: its processor seconds and loss, and the peak MB so far."""
    import torch

    from core.engines.flux2.lora import flow_loss, lora_config
    from core.engines.flux2.recompute import keep_products

    torch.set_num_threads(1)  # two spin while one of them waits for a busy core: processor time without work
    before = _peak_mb()
    nets = build()
    rng = torch.Generator().manual_seed(1)
    pictures = [torch.rand(1, 3, PIXELS[1], PIXELS[0], generator=rng) * 2 - 1 for _ in range(PICTURES)]
    net, schedule = nets["transformer"].requires_grad_(False), nets["scheduler"]
    torch.manual_seed(0)
    config = lora_config(SHAPE["num_single_layers"])
    config.r = config.lora_alpha = RANK
    net.add_adapter(config)
    learnt = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=1e-4)
    words = nets["words"]("Photograph of ohwx person.")

    def encoded(pixels: Any) -> Any:
        with torch.no_grad():
            return nets["encode"](pixels)

    latents = None
    if (kept := KEPT[one]) is not None:
        latents = [encoded(pixels) for pixels in pictures]
        keep_products(net, kept)
        nets.clear()
    net.train()
    weight = torch.ones(1, 1, PIXELS[1] // 16, PIXELS[0] // 16)
    step = 0
    while True:
        since = time.process_time()
        picture = step % PICTURES
        clean = encoded(pictures[picture]) if latents is None else latents[picture]
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(step))
        loss = flow_loss(net, schedule, clean, weight, words, noise, (step * 137) % 1000)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimiser.step()
        yield {"seconds": time.process_time() - since, "loss": float(loss.detach()), "peak_mb": _peak_mb() - before}
        step += 1


def build() -> dict[str, Any]:
    """Build random nets: a transformer of 50 M parameters, the published VAE halved, an encoder of 60 M."""
    import torch
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    vae = AutoencoderKLFlux2(block_out_channels=(64, 128, 256, 256), latent_channels=32).requires_grad_(False).eval()
    encoder = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=32000, hidden_size=512, intermediate_size=1536, num_hidden_layers=12, num_attention_heads=8,
            num_key_value_heads=4, head_dim=64,
        )
    ).requires_grad_(False)  # fmt: skip
    transformer = Flux2Transformer2DModel(
        in_channels=128, joint_attention_dim=3 * 512, guidance_embeds=False, axes_dims_rope=(16,) * 4, **SHAPE
    )
    pipeline = Flux2KleinPipeline(None, vae, None, None, None, is_distilled=True)

    def words(text: str) -> Any:
        ids = torch.tensor([[ord(letter) for letter in text] + [0] * (WORDS - len(text))])
        with torch.no_grad():
            states = encoder(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states
        return torch.cat([states[layer] for layer in (3, 6, 9)], dim=-1)

    return {
        "transformer": transformer, "words": words, "scheduler": FlowMatchEulerDiscreteScheduler(),
        "encode": lambda pixels: pipeline._encode_vae_image(pixels, None),
    }  # fmt: skip


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
