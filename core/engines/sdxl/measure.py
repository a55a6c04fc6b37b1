"""Measuring VRAM: the published nets are built on torch's meta device, where nothing is computed or stored.

Weights and what a training step keeps for its gradients are exact. What the card holds for a moment while it computes
is counted as the one layer that reads and writes most: libraries' own workspaces come on top, and SPARE is for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from peft import get_peft_model

from core.engines.sdxl.lora import lora_config
from core.engines.sdxl.vram import GB, Family, Precision, Vram

UNETS: Final[dict[str, dict[str, Any]]] = {
    "sdxl": {
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
    },
    "sd15": {"sample_size": 64, "cross_attention_dim": 768},
}
"""As the published unet/config.json say, where they differ from diffusers' defaults."""
VAE: Final[dict[str, Any]] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}
"""The same for both families."""
ENCODERS: Final[dict[str, tuple[dict[str, Any], ...]]] = {
    "sdxl": (
        {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
        {
            "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_hidden_layers": 32,
            "num_attention_heads": 20,
            "projection_dim": 1280,
            "hidden_act": "gelu",
        },
    ),
    "sd15": ({"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Parameters of each part, and the memory they add up to."""

    unet: int
    vae: int
    encoders: tuple[int, ...]
    vram: Vram


def measure(name: str, family: Family, precision: Precision = "bfloat16") -> Measured:
    """Build a family's nets on the meta device and add up, the UNet in a precision; some seconds, little memory."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    dtype: torch.dtype = getattr(torch, precision)
    with torch.device("meta"):
        unet: Any = UNet2DConditionModel(**UNETS[name]).to(dtype)
        vae: Any = AutoencoderKL(**VAE)
        kinds = (CLIPTextModel, CLIPTextModelWithProjection)
        encoders = [kind(CLIPTextConfig(**said)) for kind, said in zip(kinds, ENCODERS[name], strict=False)]
        sizes = [sum(p.numel() for p in net.parameters()) for net in (unet, vae, *encoders)]
        weights = dtype.itemsize * sizes[0] + 4 * sizes[1]

        def latents(size: tuple[int, int], count: int, kind: Any) -> Any:
            return torch.empty(count, 4, size[1] // 8, size[0] // 8, dtype=kind)

        def run_unet(net: Any, size: tuple[int, int], count: int) -> Any:
            said: dict[str, Any] = {
                "encoder_hidden_states": torch.empty(count, 77, UNETS[name]["cross_attention_dim"], dtype=dtype)
            }
            if name == "sdxl":
                pooled = torch.empty(count, 1280, dtype=dtype)
                said["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": torch.empty(count, 6)}
            return net(latents(size, count, dtype), torch.empty(count), **said)

        with torch.no_grad():
            drawing = max(
                _widest(unet, lambda: run_unet(unet, family.draws, 2)),
                _widest(vae, lambda: vae.decode(latents(family.draws, 1, torch.float32))),
            )
        unet.enable_gradient_checkpointing()
        adapted = get_peft_model(unet, lora_config())
        lora = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
        kept = _kept(lambda: run_unet(adapted, family.learns, 1))
        with torch.no_grad():
            learning = _widest(unet, lambda: run_unet(unet, family.learns, 1))
    state = 4 * 4 * lora  # the LoRA, its gradient and AdamW's two moments, 32 bits each
    vram = Vram(*(round(size / GB, 2) for size in (weights, weights + drawing, weights + state + kept + 2 * learning)))
    return Measured(sizes[0], sizes[1], tuple(sizes[2:]), vram)


def _widest(net: Any, run: Any) -> int:
    """Return the most bytes that a single layer reads and writes while `run` runs the net."""
    most = 0

    def note(_: Any, given: Any, made: Any) -> None:
        nonlocal most
        held = [*given, *(made if isinstance(made, tuple) else (made,))]
        most = max(most, sum(t.numel() * t.element_size() for t in held if isinstance(t, torch.Tensor)))

    hooks = [part.register_forward_hook(note) for part in net.modules() if not list(part.children())]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return most


def _kept(run: Any) -> int:
    """Return the bytes that autograd keeps for the gradients of what `run` computes, parameters aside."""
    seen: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, torch.nn.Parameter) and not (tensor.is_leaf and tensor.requires_grad):
            seen[id(tensor)] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        run()
    storages = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in seen.values()}
    return sum(storages.values())
