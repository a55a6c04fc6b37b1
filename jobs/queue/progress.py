"""ETA of a running job, from its own pace and from what jobs of its size took lately."""

from __future__ import annotations

from typing import Final

SURE: Final = 0.1
"""Part of a job that must be done before its own pace says when it ends."""


def left_s(done: float, spent_s: float, usual_s: float | None) -> float | None:
    """Return the seconds a job still needs; None while nobody can know.

    usual_s: what jobs of its size took lately. It is believed at the beginning, the job's own pace more and more.
    """
    own = spent_s * (1 - done) / done if done >= SURE else None
    if usual_s is None or own is None:
        return own if usual_s is None else max(0.0, usual_s - spent_s)
    return (1 - done) * (1 - done) * usual_s + done * own
