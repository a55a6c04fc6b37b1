"""Choosing and opening an engine by name; `auto` is the best whose plan fits the card's free memory."""

from __future__ import annotations

import importlib
import importlib.util

from core.engines.base import Engine, FaceNets
from core.engines.checkpoints import find_all
from core.engines.facts import GB, Card, EngineFacts, Plan, engines
from core.errors import EngineMissing
from core.settings import setting


def open_engine(asked: str, nets: FaceNets) -> Engine:
    """Open the engine of a name; "auto" is the best that can run here. Raises EngineMissing with the one next step."""
    facts, plan = best_here() if asked == "auto" else (engine_of(asked), None)
    checkpoints = find_all(facts)  # before torch and its friends are loaded: what is missing is said within the second
    device = setting("DEVICE") or "cuda"
    if facts.plans and plan is None:
        plan = plan_on(facts, device)
    module, function = facts.opens
    opened: Engine = getattr(importlib.import_module(module), function)(facts, checkpoints, plan, device, nets)
    return opened


def engine_of(name: str) -> EngineFacts:
    """Return the facts of an engine. Raises EngineMissing with the names there are."""
    if name not in engines():
        raise EngineMissing(name, "there is no such engine", f"choose auto, {' or '.join(engines())}")
    return engines()[name]


def plan_on(facts: EngineFacts, device: str) -> Plan:
    """Return the plan an engine is opened with on a device: what fits the card, else its smallest.

    Asked for by name an engine is tried even where its plan says that memory will not suffice. A CPU computes in 32
    bits.
    """
    card = card_here() if device.startswith("cuda") else None
    if card is None:
        return facts.on_cpu()
    fits = facts.plan_for(card)
    return fits or min((p for p in facts.plans if card.computes(p)), key=lambda p: p.card_gb, default=facts.plans[-1])


def best_here() -> tuple[EngineFacts, Plan | None]:
    """Return the best engine that card, packages and weights here allow, and its plan; the CPU's is the last."""
    last = min(engines().values(), key=lambda facts: facts.rank)
    if importlib.util.find_spec("transformers") is None or (card := card_here()) is None:
        return last, None
    for facts in engines().values():
        plan = facts.plan_for(card)
        if plan is None:
            continue
        try:
            find_all(facts)
        except EngineMissing:
            continue
        return facts, plan
    return last, None


def card_here() -> Card | None:
    """Return the CUDA card that torch sees, None where there is none."""
    import torch

    if not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info()
    return Card(torch.cuda.get_device_name(), free / GB, total / GB, torch.cuda.get_device_capability())
