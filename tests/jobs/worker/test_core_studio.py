"""What the child process keeps in memory of photos, with the real studio."""

import hashlib
from pathlib import Path

import matplotlib
import pytest

from core.intake.bounded import BoundedDecoder
from jobs.kinds.base import NotHeld
from jobs.worker.core_studio import CoreStudio
from jobs.worker.laid_photos import LaidPhoto


def test_a_photo_that_costs_more_than_a_photo_may_is_refused_and_the_next_is_looked_at() -> None:
    """The process that decodes is killed at the limit, not the one that holds the models."""
    data = (Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").read_bytes()
    studio = CoreStudio()
    studio._decoder = BoundedDecoder(time_s=0.01)  # less than the process needs to start
    refused = studio.look([LaidPhoto("photos/1", "11", data)])
    assert (refused["kept"], refused["reason"]) == (False, "too_costly")
    studio._decoder = BoundedDecoder()
    assert studio.look([LaidPhoto("photos/2", "22", data)])["kept"]
    studio._decoder.close()


def test_a_photo_is_decoded_once_and_nothing_of_it_is_left_when_it_is_dropped() -> None:
    data = (Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    studio = CoreStudio()
    assert studio.look([LaidPhoto("photos/1", digest, data)])["kept"]
    assert studio.held() == [digest]
    assert studio.look([LaidPhoto("photos/9", digest, None)])["kept"], "under the name it has now"
    studio.drop([digest, "unknown"])
    assert studio.held() == []
    assert not studio._seen
    assert not studio._maps
    with pytest.raises(NotHeld, match="photos/1"):
        studio.look([LaidPhoto("photos/1", digest, None)])
