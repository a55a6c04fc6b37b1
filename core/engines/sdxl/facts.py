"""SDXL 1.0, as `core.engines.facts` describes engines: for cards of 8 GB. The plans' GB are what `measure` finds."""

from typing import Final

from core.engines.facts import EngineFacts, Plan, Precision, Weights

WEIGHTS: Final = Weights(
    "draws", "SDXL_MODEL", "stabilityai/stable-diffusion-xl-base-1.0", "462165984030d82259a11f4367a4eed129e94a7b",
    "CreativeML Open RAIL++-M", 7.0, ("unet", "vae", "text_encoder", "text_encoder_2"),
    ("tokenizer/*.json", "tokenizer/*.txt", "tokenizer_2/*.json", "tokenizer_2/*.txt",
     "scheduler/scheduler_config.json"), "UNet2DConditionModel", "fp16",
)  # fmt: skip


def _plan(name: str, compute: Precision, learns: tuple[int, int], drawing_gb: float, learning_gb: float) -> Plan:
    """Return a plan that draws at SDXL's own area, 1024 x 1024, in the print's 4:5."""
    return Plan(name, compute, compute, (896, 1120), learns, 0, False, drawing_gb, learning_gb)


FACTS: Final = EngineFacts(
    name="sdxl",
    title="SDXL 1.0",
    rank=10,
    opens=("core.engines.sdxl.engine", "open_engine"),
    weights=(WEIGHTS,),
    plans=(
        _plan("bf16", "bfloat16", (896, 1120), 5.59, 6.68),
        _plan("bf16-small", "bfloat16", (768, 960), 5.59, 6.24),
        _plan("fp16", "float16", (896, 1120), 5.59, 6.68),  # cards before Ampere
        _plan("fp16-small", "float16", (768, 960), 5.59, 6.24),
    ),
)
