"""How far an order is as a whole, and when it will be done: one number that only grows, out of steps of many stages."""

from __future__ import annotations

from typing import Final

from jobs.kinds import orders as o

PHOTO_S: Final = {"check": 0.5, "map": 0.3}
TRAIN_S: Final = 45.0
PORTRAIT_S: Final = 20.0
DELIVER_S: Final = 0.2
PUBLISH_S: Final = 1.0
"""Seconds of each stage, of a photo or a portrait where there are several: `timings_s` of manifests from two shared CPU
cores (0.5 to 0.6 a photo, 0.2 to 0.7 to map one, 29 to 42 a portrait with a training beside it), and the minute that
`core.engines.lora.STEPS` takes at most. Only their ratios count; what a portrait really takes here is measured."""
SURE: Final = 0.1
"""Part of an order that must be done before its own pace says when it ends."""


def done_of(order: o.Order, stage: str, step: int, total: int) -> float:
    """Return the part of an order that is done, 0..1: the stages before this one, and `step` of `total` of it."""
    if not isinstance(order, o.Shoot):
        return step / total if total else 0.0
    stages = [(name, seconds * len(order.photos)) for name, seconds in PHOTO_S.items()]
    if order.train:
        stages.append(("train", TRAIN_S))
    stages += [(f"shoot {style}", PORTRAIT_S * order.count) for style in order.styles]
    stages += [("deliver", DELIVER_S), ("publish", PUBLISH_S)]
    names = [name[:40] for name, _ in stages]  # as the book keeps them
    if stage not in names:
        return 0.0
    at = names.index(stage)
    spent = sum(seconds for _, seconds in stages[:at]) + stages[at][1] * (min(step, total) / total if total else 0.0)
    return spent / sum(seconds for _, seconds in stages)


def left_s(done: float, spent_s: float, usual_s: float | None) -> float | None:
    """Return the seconds an order still needs; None while nobody can know.

    usual_s: what orders of its size took lately. It is believed at the beginning, the order's own pace more and more.
    """
    own = spent_s * (1 - done) / done if done >= SURE else None
    if usual_s is None or own is None:
        return own if usual_s is None else max(0.0, usual_s - spent_s)
    return (1 - done) * (1 - done) * usual_s + done * own
