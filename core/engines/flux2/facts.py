"""FLUX.2 [klein] 4B, as `core.engines.facts` describes engines. The plans' GB are what `measure` finds."""

from typing import Final

from core.engines.facts import EngineFacts, Plan, Weights

PARTS: Final = ("transformer", "vae", "text_encoder")
EXTRAS: Final = ("tokenizer/*.json", "tokenizer/*.jinja", "tokenizer/*.txt", "scheduler/scheduler_config.json")
KIND: Final = "Flux2Transformer2DModel"
DRAWS: Final = Weights(
    "draws", "FLUX2_MODEL", "black-forest-labs/FLUX.2-klein-4B", "e7b7dc27f91deacad38e78976d1f2b499d76a294",
    "Apache-2.0", 16.0, PARTS, EXTRAS, KIND,
)  # fmt: skip
"""The distilled net: four steps, no guidance."""
LEARNS: Final = Weights(
    "learns", "FLUX2_BASE_MODEL", "black-forest-labs/FLUX.2-klein-base-4B", "a3b4f4849157f664bdbc776fd7453c2783562f4d",
    "Apache-2.0", 7.8, ("transformer",), (), KIND,
)  # fmt: skip
"""Base, which a LoRA is learnt on: one learnt on the distilled net draws grey (DiffSynth-Studio issue 1313)."""
FP8: Final = "float8_e4m3fn"
SPARE: Final = 2.3
"""GB left while drawing, whose peak was 1.8 over what is counted on an H100 (`python -m tools.bench_gpu --plan bf16`);
CUDA's context takes half a GB."""
FACTS: Final = EngineFacts(
    name="flux2",
    title="FLUX.2 [klein] 4B",
    rank=20,
    opens=("core.engines.flux2.engine", "open_engine"),
    weights=(DRAWS, LEARNS),
    plans=(
        Plan("bf16", "bfloat16", "bfloat16", (1024, 1280), (896, 1120), 4, True, 16.12, 11.44, 0.279, SPARE),
        Plan("bf16-encoder-cpu", "bfloat16", "bfloat16", (1024, 1280), (768, 960), 4, False, 8.63, 10.3, 0.214, SPARE),
        Plan("fp8", "bfloat16", FP8, (1024, 1280), (768, 960), 4, False, 5.02, 7.16, 0.214, SPARE),
        Plan("fp8-small", "bfloat16", FP8, (768, 960), (512, 640), 2, False, 4.47, 5.78, 0.113, SPARE),
    ),
)
