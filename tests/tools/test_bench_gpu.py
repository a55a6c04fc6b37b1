"""The measurement of a card runs through with tiny shapes on a CPU, and says where there is no card."""

import json
from pathlib import Path

import pytest
import torch

from tools import bench_gpu


def test_a_dry_run_times_every_kind_of_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_gpu, "WARM_UP", 0)
    monkeypatch.setattr("sys.argv", ["bench_gpu", "--tiny", "--minutes", "0", "--json", str(tmp_path / "found.json")])
    assert bench_gpu.main() == 0
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    times = {name for name in found if name.endswith(", s")}
    assert times == {
        "portrait, 1 references, s", "portrait, 2 references, s", "face pass, s", "training step, s", "LoRA, s"
    }  # fmt: skip
    assert all(found[name] > 0 for name in times)
    assert "training step, s" in capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="a card is there")
def test_without_a_card_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["bench_gpu"])
    assert bench_gpu.main() == 1
    assert "--tiny" in capsys.readouterr().err
