"""Where weights lie and how they are fetched: pinned, safetensors alone, size and licence told before."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from diffusers import Flux2Transformer2DModel, UNet2DConditionModel

from core.engines.checkpoints import Checkpoint, asked_model, find, find_all, load_net
from core.engines.facts import engines
from core.engines.flux2.facts import DRAWS
from core.engines.sdxl.facts import WEIGHTS
from core.errors import EngineMissing
from tests import tiny_flux2, tiny_stable
from tests.fakes.hub import Hub

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_stable.save(tmp_path_factory.mktemp("models") / "sdxl")


@pytest.fixture(scope="module")
def klein(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_flux2.save(tmp_path_factory.mktemp("models") / "klein")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("FLUX2_MODEL", "FLUX2_BASE_MODEL", "SDXL_MODEL"):
        monkeypatch.delenv(f"ATELIER_{name}", raising=False)


def test_every_model_is_pinned_to_a_commit_and_names_its_licence() -> None:
    for facts in engines().values():
        for weights in facts.weights:
            assert len(weights.revision) == 40
            assert int(weights.revision, 16)
            assert weights.licence
            assert not [p for p in weights.patterns(own=False) if p.endswith((".bin", ".pt", ".ckpt", "/*"))]


def test_a_setting_names_another_model_commit_folder_or_file(monkeypatch: pytest.MonkeyPatch, klein: Path) -> None:
    assert asked_model(DRAWS) == (DRAWS.model, DRAWS.revision)
    for given, meant in {
        "me/mine@0123abc": ("me/mine", "0123abc"),
        "me/mine": ("me/mine", "main"),
        DRAWS.model: (DRAWS.model, DRAWS.revision),
        str(klein): (str(klein), ""),
    }.items():
        monkeypatch.setenv("ATELIER_FLUX2_MODEL", given)
        assert asked_model(DRAWS) == meant


def test_what_is_missing_names_the_next_step_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sdxl: Path
) -> None:
    monkeypatch.setenv("ATELIER_SDXL_MODEL", "nobody/ever-fetched-this")
    with pytest.raises(EngineMissing) as missing:
        find("sdxl", WEIGHTS)
    assert missing.value.next_step == "atelier weights pull --engine sdxl"
    monkeypatch.setenv("ATELIER_SDXL_MODEL", str(tmp_path / "absent"))
    with pytest.raises(EngineMissing, match=r"is no folder and no \.safetensors file; set ATELIER_SDXL_MODEL"):
        find("sdxl", WEIGHTS)
    half = tiny_stable.save(tmp_path / "half")
    (half / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    monkeypatch.setenv("ATELIER_SDXL_MODEL", str(half))
    with pytest.raises(EngineMissing, match=r"lacks vae/\*.safetensors \(1 of its files"):
        find("sdxl", WEIGHTS)
    monkeypatch.setenv("ATELIER_FLUX2_MODEL", str(sdxl))
    with pytest.raises(EngineMissing, match=r"lacks transformer/config\.json"):
        find("flux2", DRAWS)
    tiny_stable.change_config(half / "unet", in_channels=9)
    (half / "vae" / "diffusion_pytorch_model.safetensors").touch()
    with pytest.raises(EngineMissing, match="takes 9 channels, 4 are needed"):
        find("sdxl", WEIGHTS)
    tiny_stable.change_config(half / "unet", in_channels=4, addition_embed_type=None)
    with pytest.raises(EngineMissing, match="holds no net of SDXL"):
        find("sdxl", WEIGHTS)


def test_a_single_file_takes_the_place_of_the_net(klein: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine.safetensors"
    trained = tiny_flux2.save(tmp_path / "other", seed=5) / "transformer" / "diffusion_pytorch_model.safetensors"
    own.write_bytes(trained.read_bytes())
    checkpoint = Checkpoint("flux2", DRAWS, klein, own)
    net = load_net(Flux2Transformer2DModel, checkpoint, "transformer", torch.float32)
    theirs = Flux2Transformer2DModel.from_pretrained(tmp_path / "other" / "transformer")
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), theirs.parameters(), strict=True))
    assert checkpoint.fingerprint() != Checkpoint("flux2", DRAWS, klein).fingerprint()


@pytest.fixture
def hub(sdxl: Path) -> Iterator[Hub]:
    """The published repository's layout: every net in two precisions and other formats, and one file of all."""
    files = {"model_index.json": b"{}", "sd_xl_base_1.0.safetensors": b"0" * 1000, "LICENSE.md": b"OpenRAIL"}
    for file in sdxl.rglob("*"):
        if file.is_file():
            name = str(file.relative_to(sdxl))
            files[name] = file.read_bytes()
            if name.endswith(".safetensors"):
                files[name.replace(".safetensors", ".fp16.safetensors")] = file.read_bytes()
                files[f"{Path(name).parent}/model.onnx"] = b"0" * 1000
                files[name.replace(".safetensors", ".bin")] = b"pickle"
    served = Hub(WEIGHTS.model, WEIGHTS.revision, "openrail++", files)
    yield served
    served.close()


def test_a_pull_tells_size_and_licence_fetches_the_pinned_files_once_and_then_works_offline(
    hub: Hub, tmp_path: Path
) -> None:
    base = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "127.0.0.1"}
    base.pop("HF_HUB_OFFLINE", None)

    def atelier(*command: str, **env: str) -> subprocess.CompletedProcess[str]:
        run = [sys.executable, "-m", "core.cli", "weights", *command, "--engine", "sdxl"]
        return subprocess.run(
            run, env={**base, "PYTHONPATH": str(ROOT), **env}, cwd=tmp_path, capture_output=True, text=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    asked = atelier("pull")
    assert asked.returncode == 2
    assert "licence openrail++" in asked.stdout
    assert WEIGHTS.revision[:12] in asked.stdout
    assert "--yes" in asked.stderr
    assert not any("/resolve/" in line for line in hub.asked), "nothing is fetched before it is agreed to"

    fetched = atelier("pull", "--yes")
    assert fetched.returncode == 0, fetched.stderr
    files = [line for line in hub.asked if line.startswith("GET ") and "/resolve/" in line]
    got = {line.partition(f"{WEIGHTS.revision}/")[2] for line in files}
    assert {"unet/diffusion_pytorch_model.fp16.safetensors", "vae/config.json", "LICENSE.md"} <= got
    assert not [name for name in got if name.endswith((".bin", ".onnx"))]
    assert not [name for name in got if name.endswith(".safetensors") and ".fp16." not in name], "every net once"

    before = len(hub.asked)
    offline = atelier("verify", HF_HUB_OFFLINE="1")
    assert offline.returncode == 0, offline.stderr
    assert WEIGHTS.revision in offline.stdout
    refused = atelier("pull", "--yes", HF_HUB_OFFLINE="1")
    assert (refused.returncode, len(hub.asked)) == (1, before), "offline nothing is asked of the hub"
    assert "HF_HUB_OFFLINE" in refused.stderr


def test_half_precision_files_are_read_as_they_were_fetched(sdxl: Path, tmp_path: Path) -> None:
    folder = tiny_stable.save(tmp_path / "half")
    net = folder / "unet" / "diffusion_pytorch_model.safetensors"
    net.rename(net.with_name("diffusion_pytorch_model.fp16.safetensors"))
    loaded = load_net(UNet2DConditionModel, Checkpoint("sdxl", WEIGHTS, folder), "unet", torch.float32)
    assert not any(p.requires_grad for p in loaded.parameters())


def test_an_engine_of_the_cpu_needs_no_weights() -> None:
    assert find_all(engines()["embedded"]) == {}
