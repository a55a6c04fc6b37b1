"""The memory plans of engines for a card hold what the published nets measure on torch's meta device."""

import importlib

import pytest

from core.engines.facts import SPARE, engines


@pytest.mark.parametrize(("engine", "plan"), [
    ("flux2", "bf16"), ("flux2", "bf16-encoder-cpu"), ("flux2", "fp8"), ("flux2", "fp8-small"),
    ("sdxl", "bf16"), ("sdxl", "fp16-small"),
])  # fmt: skip
def test_plans_are_what_the_published_nets_measure_on_the_meta_device(engine: str, plan: str) -> None:
    module = importlib.import_module(f"core.engines.{engine}.measure")
    (known,) = [each for each in engines()[engine].plans if each.name == plan]
    drawing, learning, block = module.measure(known)
    assert known.drawing_gb == pytest.approx(drawing, abs=0.02)
    assert known.learning_gb == pytest.approx(learning, abs=0.02)
    assert known.block_gb == pytest.approx(block, abs=0.002)
    assert known.card_gb == max(known.drawing_gb + known.drawing_spare, known.learning_gb + SPARE)
