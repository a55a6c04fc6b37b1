"""What the engines that draw anew are tested with: three maps of one sitter, and klein in miniature."""

from dataclasses import replace

import pytest

from core.engines.checkpoints import Checkpoint
from core.engines.flux2.facts import DRAWS, LEARNS
from core.face.features import observe
from core.models import Models
from core.types import FaceMap
from tests import tiny_flux2


@pytest.fixture(scope="session")
def three(collins_map: FaceMap, models: Models) -> list[FaceMap]:
    """Eileen Collins straight, and the same pixels under two other names and turns; only the first is observed."""
    turned = []
    for name, yaw_deg in (("b" * 64, 12.0), ("c" * 64, -25.0)):
        face = replace(collins_map.selfie.face, yaw_deg=yaw_deg)
        turned.append(replace(collins_map, selfie=replace(collins_map.selfie, sha256=name, face=face)))
    return [observe(collins_map, models.parser), *turned]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    """FLUX.2 klein in miniature, distilled and Base, as they lie on a disk."""
    root = tmp_path_factory.mktemp("flux2")
    draws, learns = tiny_flux2.save(root / "klein"), tiny_flux2.save(root / "base", seed=1, distilled=False)
    return {"draws": Checkpoint("flux2", DRAWS, draws), "learns": Checkpoint("flux2", LEARNS, learns)}
