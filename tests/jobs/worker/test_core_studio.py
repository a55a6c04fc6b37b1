"""What the child process keeps in memory of photos, with the real studio."""

import hashlib
from pathlib import Path

import matplotlib
import pytest

from jobs.kinds.base import LaidPhoto, NotHeld
from jobs.worker.core_studio import CoreStudio


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
