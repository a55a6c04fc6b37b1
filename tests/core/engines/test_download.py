"""How weights are fetched: size and licence told before, the pinned files alone, resumably, and nothing offline."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.engines.sdxl.facts import WEIGHTS
from tests import tiny_stable
from tests.fakes.hub import Hub

ROOT = Path(__file__).parents[3]
NET = "unet/diffusion_pytorch_model.fp16.safetensors"
Started = subprocess.Popen[str]


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_stable.save(tmp_path_factory.mktemp("models") / "sdxl")


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


@pytest.fixture
def start(hub: Hub, tmp_path: Path) -> Callable[..., Started]:
    """Start `atelier weights` for SDXL against the hub, with a cache of its own."""
    base = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "127.0.0.1"}
    base.pop("HF_HUB_OFFLINE", None)

    def run(*command: str, **env: str) -> Started:
        return subprocess.Popen(
            [sys.executable, "-m", "core.cli", "weights", *command, "--engine", "sdxl"],
            env={**base, "PYTHONPATH": str(ROOT), **env}, cwd=tmp_path, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return run


def ended(process: Started) -> tuple[int, str, str]:
    said, complained = process.communicate()
    return process.returncode, said, complained


def fetched(hub: Hub) -> list[str]:
    """Files that were asked for, each time, with the range that was asked for."""
    start = f"/resolve/{WEIGHTS.revision}/"
    return [line.partition(start)[2] for line in hub.asked if line.startswith("GET ") and start in line]


def test_a_pull_tells_size_and_licence_fetches_the_pinned_files_once_and_then_works_offline(
    hub: Hub, start: Callable[..., Started]
) -> None:
    code, said, complained = ended(start("pull"))
    assert code == 2
    assert "licence openrail++" in said
    assert WEIGHTS.revision[:12] in said
    assert "--yes" in complained
    assert not fetched(hub), "nothing is fetched before it is agreed to"

    code, said, complained = ended(start("pull", "--yes"))
    assert code == 0, complained
    got = fetched(hub)
    assert {NET, "vae/config.json", "LICENSE.md"} <= set(got)
    assert not [name for name in got if name.endswith((".bin", ".onnx"))]
    assert not [name for name in got if name.endswith(".safetensors") and ".fp16." not in name], "every net once"
    assert len(got) == len(set(got))

    before = len(hub.asked)
    code, said, complained = ended(start("verify", HF_HUB_OFFLINE="1"))
    assert code == 0, complained
    assert WEIGHTS.revision in said
    code, said, complained = ended(start("pull", "--yes", HF_HUB_OFFLINE="1"))
    assert (code, len(hub.asked)) == (1, before), "offline nothing is asked of the hub"
    assert "HF_HUB_OFFLINE forbids" in complained
    assert "unset it, or copy the hub's cache" in complained


def test_a_pull_that_was_killed_within_a_file_goes_on_where_it_was(
    hub: Hub, start: Callable[..., Started], tmp_path: Path
) -> None:
    hub.files[NET] = os.urandom(24 << 20)  # the client writes 10 MB at a time
    hub.stops_at[NET] = 22 << 20
    first = start("pull", "--yes")
    try:
        assert hub.stopped.wait(120)
        part = wait_for(tmp_path / "hf", 20 << 20)
    finally:
        first.kill()
        ended(first)
    hub.stops_at.clear()
    there = part.stat().st_size
    brought = [name for name in fetched(hub) if name.endswith(".safetensors") and name != NET]
    code, _, complained = ended(start("pull", "--yes"))
    assert code == 0, complained
    assert f"{NET} bytes={there}-" in fetched(hub)
    assert not set(brought) & set(fetched(hub)[len(brought) + 1 :]), "whole files are not fetched again"
    assert not part.exists()
    (net,) = (tmp_path / "hf").rglob(f"snapshots/*/{NET}")
    assert net.read_bytes() == hub.files[NET]


def wait_for(cache: Path, size: int) -> Path:
    """Return the part of a file that is being written, once it has that many bytes."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for part in cache.rglob("*.part"):
            if part.stat().st_size >= size:
                return part
        time.sleep(0.02)
    raise AssertionError("nothing was written")


def test_a_part_of_other_bytes_is_not_taken_for_the_file(
    hub: Hub, start: Callable[..., Started], tmp_path: Path
) -> None:
    blobs = tmp_path / "hf" / "hub" / "models--stabilityai--stable-diffusion-xl-base-1.0" / "blobs"
    blobs.mkdir(parents=True)
    wrong = blobs / f"{hashlib.sha256(hub.files[NET]).hexdigest()}.part"
    wrong.write_bytes(b"0" * 100)
    code, _, complained = ended(start("pull", "--yes"))
    assert code == 1
    assert "came with other bytes" in complained
    assert "Traceback" not in complained
    assert not wrong.exists()
    assert ended(start("pull", "--yes"))[0] == 0


def test_beside_a_single_file_all_but_the_net_is_fetched(
    hub: Hub, start: Callable[..., Started], sdxl: Path, tmp_path: Path
) -> None:
    own = tmp_path / "mine.safetensors"
    own.write_bytes((sdxl / "unet" / "diffusion_pytorch_model.safetensors").read_bytes())
    code, _, complained = ended(start("verify", ATELIER_SDXL_MODEL=str(own)))
    assert code == 1
    assert complained.strip().endswith("atelier weights pull --engine sdxl")
    code, _, complained = ended(start("pull", "--yes", ATELIER_SDXL_MODEL=str(own)))
    assert code == 0, complained
    assert not [name for name in fetched(hub) if name.startswith("unet/") and name.endswith(".safetensors")]
    code, said, _ = ended(start("verify", ATELIER_SDXL_MODEL=str(own), HF_HUB_OFFLINE="1"))
    assert (code, str(own) in said) == (0, True)


def test_a_gated_model_and_a_hub_that_is_away_are_told_with_what_to_do(hub: Hub, start: Callable[..., Started]) -> None:
    hub.gated = True
    code, _, complained = ended(start("pull", "--yes"))
    assert code == 1
    assert complained.strip().endswith("check the name, agree to its terms on the hub, and set HF_TOKEN")
    code, _, complained = ended(start("pull", "--yes", HF_ENDPOINT="http://127.0.0.1:9"))
    assert code == 1
    assert "the hub does not answer" in complained
    assert "OFFLINE" not in complained
