"""Where weights lie: the hub's cache at a pinned commit, a folder, a single file; safetensors alone."""

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


def test_half_precision_files_are_read_as_they_were_fetched(sdxl: Path, tmp_path: Path) -> None:
    folder = tiny_stable.save(tmp_path / "half")
    net = folder / "unet" / "diffusion_pytorch_model.safetensors"
    net.rename(net.with_name("diffusion_pytorch_model.fp16.safetensors"))
    loaded = load_net(UNet2DConditionModel, Checkpoint("sdxl", WEIGHTS, folder), "unet", torch.float32)
    assert not any(p.requires_grad for p in loaded.parameters())


def test_an_engine_of_the_cpu_needs_no_weights() -> None:
    assert find_all(engines()["embedded"]) == {}
