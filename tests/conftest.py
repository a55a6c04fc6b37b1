"""What tests share: nets loaded once, the two real sitters mapped and cut out once, a port that nobody uses."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# torch and ncnn each bring an OpenMP; on two cores the one's waiting threads would spin in the other's way
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `core.cli` sets it
if "PYTEST_XDIST_WORKER" in os.environ:  # a core for each of make test's two processes: none waits for a thread's turn
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
# workers start children, which must find the tests' own studios
os.environ["PYTHONPATH"] = os.path.dirname(os.path.dirname(__file__))
os.environ["LC_ALL"] = "C.UTF-8"  # the terminal speaks its person's language

import pytest
from hypothesis import settings

from jobs.worker.child import give_memory_back
from tests.fakes.hold import HOLD, Hold
from tests.live_servers import database_url, free_port, on_s3, postgres, queue_server, ready_sqlite, s3_server
from tests.live_services import services

if TYPE_CHECKING:  # fixtures import what they need: the process that hands files to the others loads no nets' libraries
    from core.engines.redress.nets import Nets
    from core.models import Models
    from core.types import Cutout, FaceMap

# `make test` tries the same examples each time, so that it tells of the change; `make fuzz` looks for new ones
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("fuzz", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("repeatable")

TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run files with slow tests first, then the rooms' files in turn.

    So no process waits for another's last file at the end, and chats, which wait, run beside pictures, which compute.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    rooms: dict[str, dict[Path, None]] = {}
    for item in items:
        rooms.setdefault(item.path.relative_to(TESTS).parts[0], {})[item.path] = None
    turn = {path: at / len(files) for files in rooms.values() for at, path in enumerate(files)}
    items.sort(key=lambda item: (item.path not in slow, turn[item.path]))


def pytest_collection_finish() -> None:
    """Take what the imports made out of the garbage collector's sight: it would walk millions of objects each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _memory() -> Iterator[None]:
    """What a file's pictures took goes back to the system after it: the processes share its memory."""
    yield
    give_memory_back()


__all__ = ["database_url", "on_s3", "postgres", "queue_server", "ready_sqlite", "s3_server", "services"]


@pytest.fixture(scope="session")
def models() -> Models:
    from core.models import Models

    return Models("embedded")


@pytest.fixture(scope="session")
def nets(models: Models) -> Nets:
    """The CPU engine's nets."""
    from core.engines.redress.engine import RedressEngine

    assert isinstance(models.engine, RedressEngine)
    return models.engine.nets


def _mapped(name: str) -> FaceMap:
    from core.face.landmarks import map_face
    from core.types import Selfie
    from tests import sitters

    selfie = sitters.look(getattr(sitters, name)(), f"{name}.png")
    assert isinstance(selfie, Selfie)
    return map_face(selfie)


@pytest.fixture(scope="session")
def hopper_map() -> FaceMap:
    return _mapped("hopper")


@pytest.fixture(scope="session")
def collins_map() -> FaceMap:
    return _mapped("collins")


@pytest.fixture(scope="session")
def hopper_cutout(hopper_map: FaceMap, models: Models) -> Cutout:
    from core.cutout.cutout import cut_out

    return cut_out(hopper_map, models.parser)


@pytest.fixture(scope="session")
def collins_cutout(collins_map: FaceMap, models: Models) -> Cutout:
    from core.cutout.cutout import cut_out

    return cut_out(collins_map, models.parser)


@pytest.fixture
def hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hold:
    """Make the fakes' studios that are started from now on wait where they say they do."""
    file = tmp_path / "let-go"
    monkeypatch.setenv(HOLD, str(file))
    return Hold(file)


@pytest.fixture
def unused_port() -> int:
    return free_port()
