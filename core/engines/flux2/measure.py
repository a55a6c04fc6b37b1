"""Memory of FLUX.2 [klein] 4B in its published shapes, from the meta device (`core.engines.measure`)."""

from __future__ import annotations

from typing import Any, Final

import torch
from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel

from core.engines.facts import GB, Plan
from core.engines.flux2.lora import lora_config
from core.engines.flux2.recompute import is_kept
from core.engines.flux2.references import MOST_PIXELS
from core.engines.measure import kept_by_a_step, made_by, most_by_a_layer, parameters

TRANSFORMER: Final[dict[str, Any]] = {
    "in_channels": 128,
    "num_layers": 5,
    "num_single_layers": 20,
    "attention_head_dim": 128,
    "num_attention_heads": 24,
    "joint_attention_dim": 7680,
    "guidance_embeds": False,
}
"""As the published transformer/config.json says, where it differs from diffusers' defaults."""
ENCODER_PARAMETERS: Final = 4_022_468_096
"""Of Qwen3-4B, whose embeddings are its output layer too (its model card: 4.0 B)."""
TOKENS: Final = 512
"""Of an instruction: the pipeline pads to that."""


def measure(plan: Plan) -> tuple[float, float, float]:
    """Return the GB that drawing, a training step and a block's products take under a plan, without SPARE.

    Takes seconds, and little memory.
    """
    dtype = torch.bfloat16
    storage: torch.dtype = getattr(torch, plan.storage)
    with torch.device("meta"):
        transformer: Any = Flux2Transformer2DModel(**TRANSFORMER).to(dtype).requires_grad_(False)
        vae: Any = AutoencoderKLFlux2().to(dtype).requires_grad_(False)
        weights = parameters(transformer) * storage.itemsize + parameters(vae) * dtype.itemsize
        encoder = ENCODER_PARAMETERS * dtype.itemsize if plan.encoder_on_card else 0

        def run(net: Any, size: tuple[int, int], references: int) -> Any:
            tokens = size[0] * size[1] // 256 + references * MOST_PIXELS // 256
            words = torch.empty(1, TOKENS, TRANSFORMER["joint_attention_dim"], dtype=dtype)
            return net(
                hidden_states=torch.empty(1, tokens, 128, dtype=dtype), timestep=torch.empty(1, dtype=dtype),
                encoder_hidden_states=words, img_ids=torch.empty(tokens, 4), txt_ids=torch.empty(TOKENS, 4),
            )  # fmt: skip

        with torch.no_grad():
            width, height = plan.draws
            latents = torch.empty(1, 32, height // 8, width // 8, dtype=dtype)
            drawing = max(
                most_by_a_layer(transformer, lambda: run(transformer, plan.draws, plan.references)),
                most_by_a_layer(vae, lambda: vae.decode(latents)),
            )
            learning = most_by_a_layer(transformer, lambda: run(transformer, plan.learns, 0))
        transformer.add_adapter(lora_config(TRANSFORMER["num_single_layers"]))
        lora = sum(p.numel() for p in transformer.parameters() if p.requires_grad)
        kept = kept_by_a_step(transformer, lambda: run(transformer, plan.learns, 0))
        products = made_by(transformer, lambda: run(transformer, plan.learns, 0), is_kept)
        tokens = plan.learns[0] * plan.learns[1] // 256 + TOKENS
        products += tokens * transformer.inner_dim * dtype.itemsize  # attention, taken apart on the meta device
    blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]
    cast = dtype.itemsize * max(map(parameters, blocks)) if storage != dtype else 0
    state = 4 * 4 * lora  # the LoRA, its gradient and AdamW's two moments, 32 bits each
    taken = weights + encoder + drawing, weights + cast + state + kept + learning, products
    return round(taken[0] / GB, 2), round(taken[1] / GB, 2), round(taken[2] / GB, 3)
