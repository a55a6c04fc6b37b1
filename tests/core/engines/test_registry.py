"""Engines are found by folder, and `auto` takes the best whose plan fits what is free on the card."""

from pathlib import Path

import pytest
import torch

from core.cli import main
from core.engines import registry
from core.engines.facts import GB, Card, engines
from core.engines.flux2.engine import Flux2Engine
from core.engines.redress.engine import RedressEngine
from core.engines.registry import best_here, open_engine
from core.engines.sdxl.engine import SdxlEngine
from core.errors import EngineMissing
from core.models import Models
from tests import tiny_flux2, tiny_stable

AMPERE, TURING = (8, 6), (7, 5)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("models")
    klein, base = tiny_flux2.save(root / "klein"), tiny_flux2.save(root / "base", 1, False)
    return {"FLUX2_MODEL": str(klein), "FLUX2_BASE_MODEL": str(base), "SDXL_MODEL": str(tiny_stable.save(root / "xl"))}


@pytest.fixture(autouse=True)
def settings(folders: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, folder in folders.items():
        monkeypatch.setenv(f"ATELIER_{name}", folder)


def with_card(monkeypatch: pytest.MonkeyPatch, free_gb: float, capability: tuple[int, int] = AMPERE) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Example")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (int(free_gb * GB), int(24 * GB)))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)


def test_engines_are_the_folders_that_have_facts_best_first() -> None:
    assert list(engines()) == ["flux2", "sdxl", "embedded"]
    assert all(facts.plans for facts in engines().values() if facts.weights)


@pytest.mark.parametrize(("free_gb", "capability", "engine", "plan"), [
    (79.0, AMPERE, "flux2", "bf16"),
    (23.0, AMPERE, "flux2", "bf16"),
    (15.3, AMPERE, "flux2", "bf16-encoder-cpu"),
    (11.3, AMPERE, "flux2", "fp8"),
    (7.5, AMPERE, "flux2", "fp8-small"),
    (15.3, TURING, "sdxl", "fp16"),
    (8.0, TURING, "sdxl", "fp16-small"),
    (4.0, AMPERE, "embedded", None),
])  # fmt: skip
def test_auto_takes_the_best_engine_and_plan_that_fit_what_is_free(
    free_gb: float, capability: tuple[int, int], engine: str, plan: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Free memory of cards of 80, 24, 16, 12 and 8 GB with a desktop's few hundred MB taken."""
    with_card(monkeypatch, free_gb, capability)
    facts, chosen = best_here()
    assert (facts.name, chosen and chosen.name) == (engine, plan)


def test_without_a_card_or_its_weights_auto_is_the_next_best(monkeypatch: pytest.MonkeyPatch, models: Models) -> None:
    if not torch.cuda.is_available():
        assert best_here()[0].name == "embedded"
    with_card(monkeypatch, 23.0)
    monkeypatch.setenv("ATELIER_FLUX2_BASE_MODEL", "nobody/ever-fetched-this")
    assert best_here()[0].name == "sdxl"
    monkeypatch.setenv("ATELIER_SDXL_MODEL", "nobody/ever-fetched-this")
    assert best_here()[0].name == "embedded"
    assert isinstance(open_engine("auto", models), RedressEngine)


def test_what_auto_chose_is_what_is_run(monkeypatch: pytest.MonkeyPatch, models: Models) -> None:
    with_card(monkeypatch, 11.3)
    opened = open_engine("auto", models)
    assert isinstance(opened, Flux2Engine)
    assert opened.plan.name == "fp8"
    assert opened.plan.storage == "float8_e4m3fn"
    with_card(monkeypatch, 11.3, TURING)
    small = open_engine("auto", models)
    assert isinstance(small, SdxlEngine)
    assert small.dtype == torch.float16


def test_an_engine_asked_for_by_name_is_tried_with_its_smallest_plan(
    monkeypatch: pytest.MonkeyPatch, models: Models
) -> None:
    with_card(monkeypatch, 3.0)
    opened = open_engine("flux2", models)
    assert isinstance(opened, Flux2Engine)
    assert opened.plan.name == "fp8-small"


def test_the_setting_chooses_the_engine_and_a_cpu_computes_in_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_DEVICE", "cpu")
    monkeypatch.setenv("ATELIER_ENGINE", "sdxl")
    chosen = Models().engine
    assert isinstance(chosen, SdxlEngine)
    assert chosen.dtype == torch.float32
    assert Models("flux2").engine.name == "flux2"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a card is there")
def test_without_a_card_the_sentence_names_the_next_step(models: Models) -> None:
    for name in ("flux2", "sdxl"):
        with pytest.raises(EngineMissing, match=rf"^engine {name}: torch \S+ sees no CUDA card; .*(build|nvidia-smi)$"):
            open_engine(name, models)
    with pytest.raises(EngineMissing, match="no such engine; choose auto, flux2 or sdxl or embedded"):
        open_engine("sd15", models)


def test_the_command_line_says_what_is_missing_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import json

    from tests import sitters

    monkeypatch.setenv("ATELIER_FLUX2_MODEL", "nobody/ever-fetched-this")
    (tmp_path / "collins.png").write_bytes(sitters.encoded(sitters.collins()))
    asked = ["shoot", "collins.png", "--style", "office", "--engine", "flux2", "--out", "out", "--json"]
    assert main(asked) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["error"]["reason"] == "engine_missing"
    assert said["error"]["message"].endswith("atelier weights pull --engine flux2")


def test_a_card_before_ampere_carries_no_plan_in_bfloat16() -> None:
    card = Card("Example", 79, 80, TURING)
    assert engines()["flux2"].plan_for(card) is None
    assert registry.engine_of("sdxl").plan_for(card)
