"""Claims about refusals: number, limit and verdict never contradict each other, whatever the reason."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.intake.quality import RULES, Measures
from core.intake.refusals import REASONS, refuse
from core.types import Rejected

NUMBERS = st.one_of(st.floats(), st.integers(-1000, 1000).map(float), st.floats(-100, 100))


def breaks(no: Rejected) -> bool:
    """Whether the number breaks the limit on the side the refusal names."""
    return {
        "min": no.measured < no.limit,
        "max": no.measured > no.limit,
        "none": no.measured == no.limit == 0,
    }[no.bound]


@given(st.sampled_from(sorted(REASONS)), NUMBERS, NUMBERS)
def test_no_refusal_contradicts_itself(reason: str, measured: float, limit: float) -> None:
    try:
        no = refuse("photo", reason, measured, limit)
    except ValueError:
        sides = {"min": measured < limit, "max": measured > limit, "none": measured == limit == 0}
        finite = math.isfinite(measured) and math.isfinite(limit)
        assert not (finite and any(sides[bound] for bound in REASONS[reason].bounds))
    else:
        assert breaks(no)
        assert no.bound in REASONS[reason].bounds
        assert no.measured == pytest.approx(measured, rel=0.011)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.sampled_from(["min", "max", "none"]))
def test_the_type_itself_takes_no_contradiction(measured: float, limit: float, bound: str) -> None:
    try:
        no = Rejected("photo", "group", measured, limit, "hint", bound)  # type: ignore[arg-type]
    except ValueError:
        return
    assert breaks(no)


@given(st.lists(st.floats(-1e4, 1e4), min_size=len(dataclasses.fields(Measures)), max_size=99))
def test_every_rule_that_is_broken_makes_a_refusal(numbers: list[float]) -> None:
    measures = Measures(*numbers[: len(dataclasses.fields(Measures))])
    for rule in RULES:
        if rule.broken_by(measures):
            assert breaks(refuse("photo", rule.reason, getattr(measures, rule.measure), rule.limit))


def test_a_number_just_beyond_its_limit_is_beyond_it_in_print_too() -> None:
    no = refuse("photo", "face_small", 39.97, 40)
    assert f"{no.measured:.1f} (limit {no.limit:.0f})" == "39.9 (limit 40)"
    assert refuse("photo", "too_many_bytes", 60.04, 60).measured == 60.1
