"""How far a job is: one number for the whole of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.kinds.enhance import Enhance
from jobs.kinds.shoot import Shoot
from jobs.queue.progress import left_s

STYLES = ("office", "founder")


def steps(job: Shoot) -> list[tuple[str, int, int]]:
    """What `core.studio.shoot` and the worker report of an job, in their job."""
    stages = [("check", len(job.photos)), ("map", len(job.photos))]
    stages += [("train", 60)] if job.train else []
    stages += [(f"shoot {style}", job.count) for style in job.styles] + [("deliver", 1), ("publish", 1)]
    return [(stage, step, total) for stage, total in stages for step in range(total + 1)]


@given(st.integers(1, 20), st.integers(1, 8), st.booleans())
def test_the_whole_of_a_job_only_grows_and_ends_at_one(photos: int, count: int, train: bool) -> None:
    job = Shoot(tuple(f"photos/{i}" for i in range(photos)), STYLES, count=count, train=train)
    done = [job.estimate(*step) for step in steps(job)]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == pytest.approx(1.0)


def test_the_second_of_two_looks_begins_near_the_middle() -> None:
    job = Shoot(("photos/1",), STYLES, train=False)
    assert job.estimate("shoot founder", 0, 4) == pytest.approx(0.5, abs=0.02)


def test_an_unknown_stage_is_the_beginning_and_an_edit_has_one() -> None:
    assert Shoot(("photos/1",), STYLES).estimate("dance", 1, 2) == 0.0
    assert Enhance(1, ("warmer",)).estimate("enhance", 1, 2) == 0.5
    assert Enhance(1, ("warmer",)).estimate("", 0, 0) == 0.0


def test_nobody_knows_an_end_before_anything_was_measured() -> None:
    assert left_s(0.02, 3.0, None) is None
    assert left_s(0.25, 30.0, None) == pytest.approx(90.0)


def test_a_job_that_takes_twice_as_long_as_usual_is_believed() -> None:
    """At first what is usual counts, in the end the job's own pace."""
    assert left_s(0.0, 0.0, 100.0) == 100.0
    late = left_s(0.9, 180.0, 100.0)
    assert late is not None
    assert late == pytest.approx(19.0)
