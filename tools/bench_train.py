"""Steps a second and peak memory of learning on klein, against diffusers' own example, on a mid-size random net.

    python -m tools.bench_train [--steps 6] [--json FILE]

Each runs in a process of its own on the same pictures, transformer, VAE, text encoder, rank and size, as each is by
default: `train_dreambooth_lora_flux2_klein.py` keeps its encoder, encodes each picture anew at every step and keeps
what every block computed; ours caches latents and words, lets the encoder go, and computes blocks again for their
gradients. Seconds are the process's own processor time, so that other work on the machine does not count; peak memory
is the process's, less what it had before the nets were built.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any, Final

PIXELS: Final = (256, 320)
RANK: Final = 4
"""The example's own default."""
SHAPE: Final = {"num_layers": 2, "num_single_layers": 6, "attention_head_dim": 64, "num_attention_heads": 8}
WORDS: Final = 512
PICTURES: Final = 4


def main() -> int:
    """Run both and print their ratio."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=6)
    options.add_argument("--json", metavar="FILE")
    options.add_argument("--one", choices=("example", "ours"))
    asked = options.parse_args()
    if asked.one:
        print(json.dumps(run(asked.one, asked.steps)))
        return 0
    found = {}
    for one in ("example", "ours"):
        command = [sys.executable, "-m", "tools.bench_train", "--one", one, "--steps", str(asked.steps)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[one] = json.loads(said.strip().splitlines()[-1])
        print(f"{one:8} {found[one]['steps_per_s']:.3f} steps a processor second, {found[one]['peak_mb']:.0f} MB")
    faster = found["ours"]["steps_per_s"] / found["example"]["steps_per_s"]
    less = found["ours"]["peak_mb"] / found["example"]["peak_mb"]
    print(f"ours: {faster:.2f} x the steps at {less:.2f} x the memory; the same first loss to {_apart(found):.1e}")
    if asked.json:
        with open(asked.json, "w", encoding="utf-8") as file:
            json.dump({**found, "faster": faster, "memory": less}, file)
    return 0


def _apart(found: dict[str, dict[str, float]]) -> float:
    return abs(found["ours"]["first_loss"] - found["example"]["first_loss"])


def run(one: str, steps: int) -> dict[str, float]:
    """Build the nets, prepare and make the steps: steps a second, peak MB, and the first step's loss."""
    import torch

    from core.engines.flux2 import lora
    from core.engines.flux2.lora import flow_loss

    before = _peak_mb()
    nets = build()
    rng = torch.Generator().manual_seed(1)
    pictures = [torch.rand(1, 3, PIXELS[1], PIXELS[0], generator=rng) * 2 - 1 for _ in range(PICTURES)]
    net, vae, schedule = nets["transformer"].requires_grad_(False), nets["vae"], nets["scheduler"]
    lora.RANK = RANK  # type: ignore[misc]
    torch.manual_seed(0)
    net.add_adapter(lora.lora_config(SHAPE["num_single_layers"]))
    learnt = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=1e-4)
    words = nets["words"]("Photograph of ohwx person.")

    def encoded(pixels: Any) -> Any:
        with torch.no_grad():
            return nets["encode"](pixels)

    latents = None
    if one == "ours":
        latents = [encoded(pixels) for pixels in pictures]
        net.enable_gradient_checkpointing()
        nets.clear()
        del vae
    net.train()
    weight = torch.ones(1, 1, PIXELS[1] // 16, PIXELS[0] // 16)
    losses, since = [], 0.0
    for step in range(steps + 1):
        if step == 1:
            since = time.process_time()
        picture = step % PICTURES
        clean = encoded(pictures[picture]) if latents is None else latents[picture]
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(step))
        loss = flow_loss(net, schedule, clean, weight, words, noise, (step * 137) % 1000)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
    seconds = time.process_time() - since
    return {"steps_per_s": steps / seconds, "peak_mb": _peak_mb() - before, "first_loss": losses[0]}


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
        "transformer": transformer, "vae": vae, "words": words, "scheduler": FlowMatchEulerDiscreteScheduler(),
        "encode": lambda pixels: pipeline._encode_vae_image(pixels, None), "encoder": encoder,
    }  # fmt: skip


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
