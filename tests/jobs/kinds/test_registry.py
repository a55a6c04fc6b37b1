"""Jobs as JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.kinds import registry
from jobs.kinds.base import Job
from jobs.kinds.enhance import Enhance
from jobs.kinds.look import Look
from jobs.kinds.shoot import Shoot

words = st.text("abcz09", min_size=1, max_size=8)


any_job = st.one_of(
    st.builds(Look, words),
    st.builds(
        Shoot,
        st.lists(words, min_size=1, max_size=5).map(tuple),
        st.lists(words, min_size=1, max_size=3).map(tuple),
        st.none() | words,
        st.integers(1, 16),
        st.integers(0, 2**31 - 1),
        st.booleans(),
        st.lists(st.tuples(words, words), max_size=3).map(tuple),
    ),
    st.builds(Enhance, st.integers(1, 2**53), st.lists(words, min_size=1, max_size=4).map(tuple)),
)


@given(any_job)
def test_jobs_survive_json(job: Job) -> None:
    assert registry.from_json(job.kind, registry.to_json(job)) == job


@given(
    st.sampled_from(sorted(registry.kinds())), st.text() | st.recursive(st.none() | st.integers(), st.lists).map(repr)
)
def test_what_is_not_a_job_is_refused_and_never_half_read(kind: str, junk: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # pydantic's error is one
        registry.from_json(kind, junk)
