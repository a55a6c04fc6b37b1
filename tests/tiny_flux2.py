"""FLUX.2 klein in miniature: the published classes and file layout, random weights, half a megabyte."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline, Flux2Transformer2DModel
from tokenizers.pre_tokenizers import ByteLevel
from transformers import Qwen2TokenizerFast, Qwen3Config, Qwen3ForCausalLM

from core.engines.facts import Plan

SIZE = (64, 80)
TINY = Plan("tiny", "float32", "float32", SIZE, SIZE, 4, False, 3.0, 3.0)
FP8 = Plan("tiny-fp8", "bfloat16", "float8_e4m3fn", SIZE, SIZE, 4, False, 2.0, 2.0)
LAYERS = (1, 2, 3)
"""The text layers a net of three has; the published ones are 9, 18, 27."""
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"


def pipeline(seed: int = 0, distilled: bool = True) -> Flux2KleinPipeline:
    torch.manual_seed(seed)
    special = ["<|endoftext|>", "<|im_end|>", "<|im_start|>"]
    vocabulary = {token: number for number, token in enumerate([*sorted(ByteLevel.alphabet()), *special])}
    tokenizer = Qwen2TokenizerFast(
        vocab=vocabulary, merges=[], pad_token=special[0], unk_token=special[0], eos_token=special[1],
        additional_special_tokens=special[1:], chat_template=TEMPLATE,
    )  # fmt: skip
    encoder = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(vocabulary), hidden_size=16, intermediate_size=32, num_hidden_layers=3,
            num_attention_heads=2, num_key_value_heads=1, head_dim=8,
        )
    )  # fmt: skip
    transformer = Flux2Transformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=2, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=48, timestep_guidance_channels=32, axes_dims_rope=(4,) * 4, guidance_embeds=False,
    )  # fmt: skip
    vae = AutoencoderKLFlux2(
        block_out_channels=(4, 4, 8, 8), layers_per_block=1, latent_channels=4, norm_num_groups=2
    )  # fmt: skip
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)
    return Flux2KleinPipeline(scheduler, vae, encoder, tokenizer, transformer, is_distilled=distilled)


def save(folder: Path, seed: int = 0, distilled: bool = True) -> Path:
    """Write a tiny model as diffusers' save_pretrained lays it out."""
    pipeline(seed, distilled).save_pretrained(folder)
    return folder
