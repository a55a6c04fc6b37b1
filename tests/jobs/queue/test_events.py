"""What an event says."""

import pytest

from jobs.queue.events import Failed


@pytest.mark.parametrize(
    ("reason", "ours"), [("crashed", True), ("timeout", True), ("fault", True), ("no_face", False)]
)
def test_an_event_says_whether_the_failure_is_ours(reason: str, ours: bool) -> None:
    assert Failed(reason).our_fault is ours
