"""Claims about the parser's training: a run that goes on where it ended, losses, scores, what it exports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.cutout.nets import ParserNet, RefinerNet
from tests.made_people import SaysCloth, made_records
from tools import measure_parser, parser_labels, train_parser
from tools.measure_parser import evaluate, iou
from tools.parser_labels import (
    Record,
)
from tools.parser_pictures import Pictures


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return made_records()


def test_the_published_parser_is_trained_further_and_exported_alone(records: list[Record], tmp_path: Path) -> None:
    pack, run, weights = tmp_path / "pack.pt", tmp_path / "run", tmp_path / "weights"
    parser_labels.write(records, pack)
    train_parser.tune(pack, run, 0.01, train_parser.BASE, batch=1)
    train_parser.export(run, weights)
    assert [file.name for file in weights.iterdir()] == ["parser.safetensors"]
    published, tuned = (load_file(folder / "parser.safetensors") for folder in (train_parser.BASE, weights))
    changes = [float((tuned[key].float() - published[key].float()).abs().max()) for key in published]
    assert 0 < max(changes) < 0.01, "a step at the warm-up's rate from where it was"
    began = load_file(run / train_parser.BEFORE)
    assert all(torch.equal(began[key], published[key]) for key in published)
    save_file({key: torch.zeros_like(value) for key, value in tuned.items()}, run / train_parser.BEFORE)
    for _ in range(2):
        train_parser.export(run, weights, share=0.25)
    quarter = load_file(weights / "parser.safetensors")
    assert all(torch.allclose(quarter[key].float(), tuned[key].float() / 4, atol=1e-3) for key in tuned)


def test_nobody_held_out_is_drawn(records: list[Record]) -> None:
    pictures = Pictures(records, "cpu")
    assert pictures.trained.tolist() == [0, 2]
    assert pictures.large_trained.tolist() == [0]
    assert len(pictures.weight) == 2


def test_a_run_goes_on_from_its_checkpoint_and_exports_what_it_averaged(
    records: list[Record], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack, run = tmp_path / "pack.pt", tmp_path / "run"
    parser_labels.write(records, pack)
    train_parser.train(pack, run, (0.01, 0.01), batch=1)
    first = {name: torch.load(run / f"{name}.pt", weights_only=True) for name in ("parser", "refiner")}
    assert [state["step"] for state in first.values()] == [1, 1]
    spent = first["parser"]["seconds"]
    assert spent > 0.01
    train_parser.train(pack, run, (spent + 0.01, 0.01), batch=1)
    second = torch.load(run / "parser.pt", weights_only=True)
    assert second["step"] == 2
    assert second["seconds"] > spent
    assert second["optimiser"]["state"][0]["step"] == 2
    assert torch.load(run / "refiner.pt", weights_only=True)["step"] == 1  # its budget was spent
    assert "parser ended at step 2" in capsys.readouterr().out
    train_parser.export(run, tmp_path / "weights")
    lines = list(evaluate(pack, tmp_path / "weights"))
    assert any("parser and refiner" in line for line in lines)


def test_iou_counts_sure_pixels_the_photo_reaches() -> None:
    label = np.zeros((5, 40, 40), np.float32)
    label[0, :20], label[1, 20:] = 1, 1
    found = np.zeros((40, 40), int)
    found[30:] = 1
    valid = np.ones((40, 40), np.float32)
    assert iou(found, label, valid)[1] == pytest.approx(0.5)
    found[20:30] = 4  # hair taken for a hat is kept with the head all the same
    assert iou(found, label, valid)[5] == pytest.approx(1)
    valid[20:30] = 0
    assert iou(found, label, valid)[1] == pytest.approx(1)
    assert np.isnan(iou(found, label, valid)[4])


def test_of_a_fix_counts_what_the_net_says_as_the_hand_does(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    square = [(40, 40), (240, 40), (240, 240), (40, 240)]
    drawn = {"2": [("clothes", square)], "3": [("hair", square)]}
    monkeypatch.setattr(measure_parser, "fixes", lambda: drawn)
    assert measure_parser.told_right(SaysCloth(), records[2]) == 1
    assert measure_parser.told_right(SaysCloth(), records[3]) == 0


def test_losses_are_least_for_the_truth() -> None:
    torch.manual_seed(0)
    parts = torch.nn.functional.one_hot(torch.randint(5, (1, 32, 32)), 5).permute(0, 3, 1, 2).float()
    valid, exact = torch.ones(1, 1, 32, 32), torch.ones(1, 1, 1, 1)
    right = train_parser.parser_loss(parts * 20, parts, valid, exact)
    wrong = train_parser.parser_loss(parts.roll(1, 1) * 20, parts, valid, exact)
    assert right < 0.01 < wrong
    unsure = parts.clone()
    unsure[:, 2] = unsure[:, 3] = 0.5 * (1 - parts[:, 0])
    unsure[:, 1] = unsure[:, 4] = 0
    lost = [float(train_parser.parser_loss(parts * 20, unsure, valid, each)) for each in (exact, 0 * exact)]
    assert lost[0] == pytest.approx(lost[1], rel=0.5), "an exact alpha makes no label of skin and clothes sure"
    alpha = torch.full((1, 1, 32, 32), 0.5)
    assert train_parser.refiner_loss(alpha, alpha, valid) == 0
    assert train_parser.refiner_loss(alpha + 0.1, alpha, valid) > 0.05


def test_nets_begin_without_a_change_to_the_parser_s_own_alpha() -> None:
    found = torch.rand(1, 5, 64, 64)
    inputs = torch.cat([torch.zeros(1, 3, 64, 64), found], 1)
    assert torch.allclose(RefinerNet()(inputs), (1 - found[:, :1]).clamp(0.02, 0.98), atol=1e-5)
    assert ParserNet()(torch.zeros(1, 6, 320, 256)).shape == (1, 5, 320, 256)


def test_training_needs_torch_numpy_and_opencv_alone() -> None:
    absent = ("mediapipe", "safetensors", "scipy", "PIL", "diffusers", "skimage", "pymatting", "cv2.ximgproc")
    code = f"import sys\nfor name in {absent}: sys.modules[name] = None\nimport tools.train_parser"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(train_parser.__file__).parent.parent)
