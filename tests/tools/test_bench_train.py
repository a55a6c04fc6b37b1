"""The comparison with diffusers' own example: what each process does, on a net small enough for a test."""

import json
from itertools import islice
from pathlib import Path

import pytest

from tools import bench_train


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_train, "PIXELS", (64, 64))
    monkeypatch.setattr(bench_train, "WORDS", 32)


def test_ours_and_the_example_come_to_the_same_losses() -> None:
    """Before and after the first steps: the gradients are the same too, whatever is computed again."""
    losses = {}
    for one in bench_train.KEPT:
        losses[one] = [step["loss"] for step in islice(bench_train.steps_of(one), 3)]
    example = losses.pop("example")
    assert len(set(example)) == 3
    for ours in losses.values():
        assert ours == pytest.approx(example, abs=1e-6)


def test_the_processes_step_by_turns_and_the_ratios_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench_train", "--steps", "3", "--json", str(tmp_path / "found.json")])
    made = {"example": 2.0, "ours": 1.0, "ours, small card": 1.6}

    def by_turns(steps: int) -> dict[str, dict[str, object]]:
        assert steps == 3
        return {one: {"step_s": s, "peak_mb": 1000 * s, "losses": [1.0, 0.5]} for one, s in made.items()}

    monkeypatch.setattr(bench_train, "by_turns", by_turns)
    assert bench_train.main() == 0
    assert "2.00 x the steps at 0.50 x the memory, losses at most 0.0e+00 apart" in capsys.readouterr().out
    assert json.loads((tmp_path / "found.json").read_text("utf-8"))["ours"]["step_s"] == 1.0
