"""A whole sitting with FLUX.2 by the command line, tiny random nets on a CPU: map, learn, draw, judge, deliver."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core import frame
from core.cli import main
from core.deliver import files
from core.engines import registry
from core.engines.checkpoints import Checkpoint
from core.engines.facts import EngineFacts
from core.engines.flux2 import engine as drawing
from core.engines.flux2 import klein, lora
from core.engines.flux2.facts import FACTS
from core.engines.flux2.klein import Klein
from core.engines.lora import TrainConfig
from core.types import U8, FaceMap
from tests import sitters, tiny_flux2
from tests.photos_once import work_once
from tests.tiny_flux2 import TINY

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def run(
    checkpoints: dict[str, Checkpoint],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run a command on three photos of one person, with klein in miniature; returns exit code and the JSON said."""
    facts = {"flux2": replace(FACTS, plans=(TINY,))}
    monkeypatch.setattr(registry, "engines", lambda: dict[str, EngineFacts](facts))
    monkeypatch.setenv("ATELIER_DEVICE", "cpu")
    monkeypatch.setenv("ATELIER_FLUX2_MODEL", str(checkpoints["draws"].folder))
    monkeypatch.setenv("ATELIER_FLUX2_BASE_MODEL", str(checkpoints["learns"].folder))
    monkeypatch.setattr(klein, "TEXT_LAYERS", tiny_flux2.LAYERS)
    monkeypatch.setattr(klein, "TOKENS", 64)
    monkeypatch.setattr(lora, "RANK", 4)
    monkeypatch.setattr(lora, "CONFIG", TrainConfig(2, 2e-2, check_every=2, patience=2, least_gain=2.0))
    monkeypatch.setattr(drawing, "SMALL_FACE_PX", 0)
    work_once(monkeypatch)
    photos = []
    for number, rgb in enumerate(sitters.frames()):
        (tmp_path / f"{number}.png").write_bytes(sitters.encoded(rgb))
        photos.append(str(tmp_path / f"{number}.png"))

    def command(name: str, *rest: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        given = [*photos, "--engine", "flux2"] if name == "shoot" else []
        code = main([name, *given, *rest, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return command


def test_noise_is_refused_with_its_reason_and_no_lora_of_it_is_kept(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, manifest = run("shoot", "--style", "office", "--count", "1", "--out", str(out))
    assert code == 2
    assert (manifest["engine"], manifest["kept"], manifest["drawn"]) == ("flux2", 0, 3), "drawn again twice"
    assert {tuple(portrait["reasons"]) for portrait in manifest["portraits"]} == {("no_face",)}
    assert (manifest["training"]["used"], manifest["training"]["reason"]) == (False, "did_not_help")
    assert not (out / "identity" / "flux2" / "lora").exists()
    assert "kept 0" in (out / "gallery.html").read_text("utf-8")


def test_a_sitting_is_mapped_learnt_drawn_judged_delivered_and_edited(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hopper_map: FaceMap, collins_map: FaceMap
) -> None:
    """The nets run; what they draw is replaced by the sitter once a LoRA is fused, and by somebody else before."""
    draw, with_lora = Klein.draw, []

    def drawn(self: Klein, text: str, references: Any, size: Any, seed: int, lora: str | None, stop: Any) -> U8:
        noise = draw(self, text, references, size, seed, lora, stop)
        assert noise.shape == (size[1], size[0], 3)
        with_lora.append(lora is not None)
        face = hopper_map if lora else collins_map
        return frame.warp(face.selfie.rgb, (face.transform * np.float32(400 / 1280)).astype(np.float32), 320, 400)

    monkeypatch.setattr(Klein, "draw", drawn)
    out = tmp_path / "out"
    asked = ("shoot", "--style", "office", "--count", "1", "--out", str(out))
    code, manifest = run(*asked)
    assert (code, manifest["kept"], manifest["drawn"]) == (0, 1, 1)
    assert with_lora == [False, False, True, True, True], "two noises without and with it, then the portrait"
    learnt = manifest["training"]
    assert (learnt["used"], learnt["reason"], len(learnt["trained_on"])) == (True, "helped", 2)
    (portrait,) = manifest["portraits"]
    settings = portrait["recipe"]["settings"]
    photos = {photo["sha256"] for photo in manifest["photos"]}
    assert settings["drawn_anew"]
    assert {*settings["references"], *learnt["trained_on"]} == photos
    assert portrait["likeness"] is None, "no photo is left that took no part"
    assert portrait["measures"]["to_source"] > 0.8
    with Image.open(out / portrait["file"]) as picture:
        assert files.DRAWN_MARK in picture.info["xmp"].decode()
    assert portrait["file"] in (out / "gallery.html").read_text("utf-8")

    before = (out / portrait["file"]).read_bytes()
    assert run(*asked)[0] == 0
    assert len(with_lora) == 5, "what is there is used again, the LoRA too"
    assert (out / portrait["file"]).read_bytes() == before

    code, edited = run("enhance", str(out / portrait["file"]), "--tweak", "warmer", "--out", str(tmp_path / "w.jpg"))
    assert (code, edited["tweaks"], edited["kept"]) == (0, ["warmer"], True)
    cold, warm = (files.read_picture(file).mean(axis=(0, 1)) for file in (out / portrait["file"], tmp_path / "w.jpg"))
    assert warm[0] - warm[2] > cold[0] - cold[2] + 2
