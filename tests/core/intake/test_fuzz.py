"""Claims about hostile files: whatever was changed in one, a look ends with a selfie or a reason."""

from __future__ import annotations

import sys
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.intake.refusals import REASONS
from core.intake.review import look
from core.types import Rejected, Selfie
from tests.sitters import MODELS
from tools.fuzz_intake import Look, mutated, seeds


@cache
def small() -> dict[str, list[bytes]]:
    """The two smallest seeds of every format: they take a moment at most."""
    return {kind: sorted(files, key=len)[:2] for kind, files in seeds().items()}


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif", "heic", "tiff", "gif"])
@settings(max_examples=12, deadline=None)
@given(number=st.integers(0, 2**32))
def test_a_look_at_a_mutated_file_ends_with_a_selfie_or_a_reason(kind: str, number: int) -> None:
    luck = Random(number)
    other = luck.choice([file for files in small().values() for file in files])
    seen = look(mutated(luck.choice(small()[kind]), other, luck), "photo", MODELS)
    assert isinstance(seen, Selfie | Rejected)
    if isinstance(seen, Rejected):
        assert seen.reason in REASONS


def test_the_same_seed_makes_the_same_file() -> None:
    whole = small()["png"][0]
    assert mutated(whole, whole, Random(7)) == mutated(whole, whole, Random(7)) != whole


def test_a_crash_a_slow_file_and_a_large_one_are_findings() -> None:
    assert not Look("png", "broken", 0.1, 400.0).finding
    assert Look("png", "died", 0.1, 400.0).finding
    assert Look("png", "kept", 3.1, 400.0).finding
    assert Look("png", "kept", 0.1, 601.0).finding


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's peak is read from /proc")
def test_the_child_tells_verdict_time_and_memory() -> None:
    from tools.fuzz_intake import Child

    child = Child()
    seen = child.look("png", b"\x89PNG\r\n\x1a\n nothing")
    assert (seen.verdict, seen.finding) == ("broken", False)
    assert seen.mb > 100
    child.close()
