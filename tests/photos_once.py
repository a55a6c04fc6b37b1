"""What a sitting does with a photo before anything is drawn, done once for all sittings of a process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core import studio
from core.cutout import cutout, whole
from core.face import features
from core.intake import review

DONE: dict[str, dict[tuple[str, bytes], Any]] = {}


def work_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each photo looked at, put in white light, mapped, parsed and cut out once, whatever is asked of it later."""
    for module, name in (
        (review, "look"),
        (studio, "in_white_light"),
        (studio, "map_face"),
        (features, "observe"),
        (cutout, "cut_out"),
        (whole, "cut_out_whole"),
    ):
        monkeypatch.setattr(module, name, cached(getattr(module, name), DONE.setdefault(name, {})))


def cached(work: Callable[..., Any], done: dict[tuple[str, bytes], Any]) -> Callable[..., Any]:
    """Do work on a photo once; keyed by its name and pixels, or its file's bytes."""

    def remembered(of: Any, *more: Any) -> Any:
        selfie = getattr(of, "selfie", of)
        key = (more[0], of) if isinstance(of, bytes) else (selfie.name, selfie.rgb.tobytes())
        if key not in done:
            done[key] = work(of, *more)
        return done[key]

    return remembered
