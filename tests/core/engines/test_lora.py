"""Learning a person: only where a photo needs it, proven on a photo held out, resumable, the base untouched."""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from core.engines.lora import TrainConfig, TrainingResult, training_key
from core.engines.redress import lora, repair
from core.engines.redress.nets import Nets, predict_head
from core.errors import Stopped
from core.face.landmarks import map_face
from core.types import FaceMap, Selfie
from tests import sitters

BASE = "embedded-test"


def photo(eye_px: float, turn_deg: float = 0.0, stops: float = 0.0) -> FaceMap:
    """Grace Hopper's photo at another size, angle and exposure, its scanner's noise averaged away."""
    rgb = sitters.exposed(sitters.hopper(), stops)
    turn = cv2.getRotationMatrix2D((256, 280), turn_deg, 1.0)
    rgb = cv2.warpAffine(rgb, turn, (512, 600), borderMode=cv2.BORDER_REPLICATE)
    scale = eye_px / 82
    rgb = cv2.resize(cv2.bilateralFilter(rgb, 7, 45, 3), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    selfie = sitters.look(np.asarray(rgb, np.uint8), f"{eye_px}-{turn_deg}-{stops}")
    assert isinstance(selfie, Selfie), selfie
    return map_face(selfie)


@pytest.fixture(scope="module")
def sharp() -> list[FaceMap]:
    return [photo(64), photo(66, 4.0), photo(68, -4.0, -0.3)]


@pytest.fixture(scope="module")
def small() -> FaceMap:
    return photo(42)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig(steps=4, rate=2e-3, check_every=2, patience=2, least_gain=10.0)
    monkeypatch.setattr(lora, "CONFIG", config)
    monkeypatch.setattr(lora, "PROOF_STRENGTHS", (0.7,))


def run(maps: list[FaceMap], nets: Nets, folder: Path, stop_at: int | None = None) -> TrainingResult:
    seen: list[int] = []
    return lora.train(
        maps,
        lambda: nets.head,
        BASE,
        folder,
        lambda step, total, loss: seen.append(step),
        lambda: stop_at is not None and len(seen) >= stop_at,
    )


def test_a_small_photo_needs_repair_and_a_large_one_none(sharp: list[FaceMap], small: FaceMap) -> None:
    assert [repair.need_of(face) for face in sharp] == [0, 0, 0]
    assert repair.need_of(small) > repair.LEAST


def test_a_noisy_print_needs_repair_however_large(hopper_map: FaceMap) -> None:
    assert repair.need_of(hopper_map) > repair.LEAST


def test_sharp_photos_are_left_alone_and_nothing_is_trained(sharp: list[FaceMap], nets: Nets, tmp_path: Path) -> None:
    came_to = run(sharp, nets, tmp_path)
    assert (came_to.used, came_to.reason) == (False, "photos_sharp")
    assert [file.name for file in tmp_path.iterdir()] == ["training.json"]


def test_soft_photos_alone_teach_nothing(small: FaceMap, nets: Nets, tmp_path: Path) -> None:
    assert run([small], nets, tmp_path).reason == "nothing_to_learn_from"


@pytest.mark.usefixtures("short")
def test_a_held_out_photo_decides_whether_training_is_used(
    sharp: list[FaceMap], small: FaceMap, nets: Nets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the outcome says of the held-out photo is what the LoRA on disk does to it."""
    monkeypatch.setattr(lora, "CONFIG", replace(lora.CONFIG, least_gain=-1000.0))
    came_to = run([*sharp, small], nets, tmp_path / "easy")
    assert came_to.used
    (held_out,) = (face for face in sharp if face.selfie.sha256 == came_to.held_out)
    assert came_to.held_out not in came_to.trained_on
    assert len(came_to.trained_on) == 2
    sample = lora.samples_of([held_out])[0]
    heads = (nets.head, lora.merged(nets.head, tmp_path / "easy" / "lora"))
    without, with_lora = (lora.proof(partial(predict_head, head), sample) for head in heads)
    assert came_to.error_without == pytest.approx(without, abs=2e-3)
    assert came_to.error_with == pytest.approx(with_lora, abs=0.02)
    monkeypatch.setattr(lora, "CONFIG", replace(lora.CONFIG, least_gain=1000.0, steps=2))
    hard = run([*sharp, small], nets, tmp_path / "hard")
    assert (hard.used, hard.reason, hard.trained_on) == (False, "did_not_help", ())
    assert not (tmp_path / "hard" / "lora").exists()


@pytest.mark.usefixtures("short")
def test_two_sharp_photos_teach_without_a_proof(
    sharp: list[FaceMap], small: FaceMap, nets: Nets, tmp_path: Path
) -> None:
    before = {name: tensor.clone() for name, tensor in nets.head.state_dict().items()}
    came_to = run([*sharp[:2], small], nets, tmp_path)
    assert (came_to.used, came_to.reason, came_to.held_out) == (True, "no_proof", None)
    assert (tmp_path / "lora" / "adapter_model.safetensors").stat().st_size < 5e6
    learned = lora.merged(nets.head, tmp_path / "lora")
    head = repair.head_of(small.selfie.rgb, small.selfie.face.landmarks)
    predict = [lambda x, r, t, s, net=net: predict_head(net, x, r, t, s) for net in (nets.head, learned)]
    plain, own = (repair.restore(each, head, 0.5) for each in predict)
    assert np.abs(plain - own).max() > 1e-3
    assert all(torch.equal(before[name], tensor) for name, tensor in nets.head.state_dict().items())


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_a_killed_training_goes_on_and_comes_to_the_same(
    sharp: list[FaceMap], small: FaceMap, nets: Nets, tmp_path: Path
) -> None:
    whole = run([*sharp, small], nets, tmp_path / "whole")
    with pytest.raises(Stopped, match="step 3 of 4"):
        run([*sharp, small], nets, tmp_path / "cut", stop_at=3)
    assert not (tmp_path / "cut" / "training.json").exists()
    resumed = run([*sharp, small], nets, tmp_path / "cut")
    assert {**asdict(resumed), "seconds": 0} == {**asdict(whole), "seconds": 0}


def test_what_training_came_to_is_not_worked_out_twice(sharp: list[FaceMap], nets: Nets, tmp_path: Path) -> None:
    first = run(sharp, nets, tmp_path)
    outcome = (tmp_path / "training.json").stat().st_mtime_ns
    assert run(sharp[::-1], nets, tmp_path) == first  # whatever their order
    assert (tmp_path / "training.json").stat().st_mtime_ns == outcome


def test_an_outcome_of_other_photos_another_base_or_another_recipe_is_not_taken_up(
    sharp: list[FaceMap], small: FaceMap, nets: Nets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(sharp, nets, tmp_path).reason == "photos_sharp"
    assert run([small], nets, tmp_path).reason == "nothing_to_learn_from"
    keys = {training_key(sharp, BASE, "a"), training_key(sharp, "embedded-2", "a"), training_key(sharp, BASE, "b")}
    assert len(keys | {training_key([small], BASE, "a")}) == 4
    before = (tmp_path / "training.json").read_text("utf-8")
    monkeypatch.setattr(lora, "CONFIG", replace(lora.CONFIG, steps=61))
    run([small], nets, tmp_path)
    assert (tmp_path / "training.json").read_text("utf-8") != before


@pytest.mark.usefixtures("short")
def test_another_persons_lora_in_the_same_folder_is_gone_when_nothing_new_is_learnt(
    sharp: list[FaceMap], small: FaceMap, nets: Nets, tmp_path: Path
) -> None:
    first = run([*sharp[:2], small], nets, tmp_path)
    assert first.trained_on == tuple(
        face.selfie.sha256 for face in sorted(sharp[:2], key=lambda f: -f.selfie.sharpness)
    )
    assert (tmp_path / "lora").is_dir()
    assert run([small], nets, tmp_path).trained_on == ()
    assert not (tmp_path / "lora").exists()


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("left", [b"", b"{", b"not a checkpoint at all" * 50])
def test_a_damaged_outcome_or_checkpoint_is_begun_anew(
    left: bytes, sharp: list[FaceMap], small: FaceMap, nets: Nets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lora, "CONFIG", replace(lora.CONFIG, steps=2))
    (tmp_path / "training.json").write_bytes(left)
    (tmp_path / "training.pt").write_bytes(left)
    result = run([*sharp[:2], small], nets, tmp_path)
    assert (result.reason, result.steps) == ("no_proof", 2)
    assert run([*sharp[:2], small], nets, tmp_path) == result
    if not left:
        (tmp_path / "lora" / "adapter_model.safetensors").unlink()  # half of what was published
        assert run([*sharp[:2], small], nets, tmp_path).steps == 2
        assert (tmp_path / "lora" / "adapter_model.safetensors").is_file()


@pytest.mark.usefixtures("short")
def test_a_checkpoint_of_other_photos_is_begun_anew(
    sharp: list[FaceMap], small: FaceMap, nets: Nets, tmp_path: Path
) -> None:
    with pytest.raises(Stopped, match="step 3 of 4"):
        run([*sharp[:2], small], nets, tmp_path, stop_at=3)
    with pytest.raises(Stopped, match="step 1 of 4"):
        run([*sharp[1:], small], nets, tmp_path, stop_at=1)
