"""Memory of SDXL in its published shapes, from the meta device (`core.engines.measure`)."""

from __future__ import annotations

from typing import Any, Final

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from core.engines.facts import GB, Plan
from core.engines.measure import kept_by_a_step, most_by_a_layer, parameters
from core.engines.sdxl.lora import lora_config

UNET: Final[dict[str, Any]] = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": (5, 10, 20),
    "transformer_layers_per_block": (1, 2, 10),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
"""As the published unet/config.json says, where it differs from diffusers' defaults."""
VAE: Final[dict[str, Any]] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}
TILE: Final = 512
"""Side in pixels of the tiles that the VAE decodes: half of its published sample_size, 1024."""


def measure(plan: Plan) -> tuple[float, float, float]:
    """Return the GB that drawing and a training step take under a plan, without SPARE; 0 for the products of a block.

    Takes seconds, and little memory.
    """
    dtype: torch.dtype = getattr(torch, plan.compute)
    with torch.device("meta"):
        unet: Any = UNet2DConditionModel(**UNET).to(dtype).requires_grad_(False)
        vae: Any = AutoencoderKL(**VAE).requires_grad_(False)
        weights = dtype.itemsize * parameters(unet) + 4 * parameters(vae)

        def run(net: Any, size: tuple[int, int], count: int) -> Any:
            extra = {"text_embeds": torch.empty(count, 1280, dtype=dtype), "time_ids": torch.empty(count, 6)}
            words = torch.empty(count, 77, UNET["cross_attention_dim"], dtype=dtype)
            latents = torch.empty(count, 4, size[1] // 8, size[0] // 8, dtype=dtype)
            return net(latents, torch.empty(count), encoder_hidden_states=words, added_cond_kwargs=extra)

        with torch.no_grad():
            drawing = max(
                most_by_a_layer(unet, lambda: run(unet, plan.draws, 2)),
                most_by_a_layer(vae, lambda: vae.decode(torch.empty(1, 4, TILE // 8, TILE // 8))),
            )
            learning = most_by_a_layer(unet, lambda: run(unet, plan.learns, 1))
        unet.add_adapter(lora_config())
        lora = sum(p.numel() for p in unet.parameters() if p.requires_grad)
        kept = kept_by_a_step(unet, lambda: run(unet, plan.learns, 1))
    state = 4 * 4 * lora  # the LoRA, its gradient and AdamW's two moments, 32 bits each
    return round((weights + drawing) / GB, 2), round((weights + state + kept + learning) / GB, 2), 0.0
