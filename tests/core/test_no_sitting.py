"""Claims about sittings that deliver nothing: stopped, or of two people."""

from pathlib import Path

import pytest

from core import studio
from core.errors import NoMajority, Stopped
from core.models import Models
from tests import sitters

COLLINS = ("collins.png", sitters.encoded(sitters.collins()))
ONE = studio.Sitting(styles=("office",), purpose="job", count=1, seed=3)


def test_a_stopped_sitting_leaves_no_manifest(tmp_path: Path, models: Models) -> None:
    with pytest.raises(Stopped):
        studio.shoot([COLLINS], ONE, tmp_path, models, should_stop=lambda: True)
    assert not (tmp_path / "manifest.json").exists()


def test_two_strangers_are_refused_whole(tmp_path: Path, models: Models) -> None:
    hopper = ("hopper.png", sitters.encoded(sitters.hopper()))
    with pytest.raises(NoMajority, match="different people"):
        studio.shoot([COLLINS, hopper], ONE, tmp_path, models)
