"""SDXL in miniature: the published shapes and file layout, random weights, a megabyte."""

from __future__ import annotations

import json
import string
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "steps_offset": 1,
    "clip_sample": False,
}
"""As the published model has it."""
WIDTH = 16


def save(folder: Path) -> Path:
    """Write a tiny model as diffusers' save_pretrained lays it out."""
    torch.manual_seed(0)
    UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, attention_head_dim=(2, 4),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=2 * WIDTH, use_linear_projection=True, addition_embed_type="text_time",
        addition_time_embed_dim=8, projection_class_embeddings_input_dim=6 * 8 + WIDTH,
    ).save_pretrained(folder / "unet")  # fmt: skip
    AutoencoderKL(
        block_out_channels=(4, 4, 4, 4),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=2,
        latent_channels=4,
        scaling_factor=0.13025,
    ).save_pretrained(folder / "vae")
    for end, made in (("", CLIPTextModel), ("_2", CLIPTextModelWithProjection)):
        vocabulary = _tokenizer(folder / f"tokenizer{end}")
        config = CLIPTextConfig(
            vocab_size=len(vocabulary),
            hidden_size=WIDTH,
            projection_dim=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            bos_token_id=vocabulary["<|startoftext|>"],
            eos_token_id=vocabulary["<|endoftext|>"],
            pad_token_id=vocabulary["<|endoftext|>"],
        )
        made(config).save_pretrained(folder / f"text_encoder{end}")
    DDIMScheduler(**SCHEDULE).save_pretrained(folder / "scheduler")
    return folder


def _tokenizer(folder: Path) -> dict[str, int]:
    """Write CLIP's tokenizer with a vocabulary of single characters, and return that."""
    letters = string.ascii_lowercase + string.digits + ",.-'"
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77).save_pretrained(folder)
    return vocabulary


def change_config(folder: Path, **changes: object) -> None:
    """Change what a net's config.json says."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes), "utf-8")
