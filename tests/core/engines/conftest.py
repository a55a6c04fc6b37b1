"""Three maps of one sitter for the engines that draw anew: one photo's, as if taken at three angles."""

from dataclasses import replace

import pytest

from core.face.features import observe
from core.models import Models
from core.types import FaceMap


@pytest.fixture(scope="session")
def three(collins_map: FaceMap, models: Models) -> list[FaceMap]:
    """Eileen Collins straight, and the same pixels under two other names and turns; only the first is observed."""
    turned = []
    for name, yaw_deg in (("b" * 64, 12.0), ("c" * 64, -25.0)):
        face = replace(collins_map.selfie.face, yaw_deg=yaw_deg)
        turned.append(replace(collins_map, selfie=replace(collins_map.selfie, sha256=name, face=face)))
    return [observe(collins_map, models.parser), *turned]
