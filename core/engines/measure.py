"""Counting memory on torch's meta device, where nets of the published sizes are built and nothing is computed.

Weights and what a training step keeps for its gradients are exact. What the card holds for a moment while it computes
is counted as the one layer that reads and writes most: libraries' own workspaces come on top, and SPARE is for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


def parameters(net: Any) -> int:
    """Return how many parameters a net has."""
    return sum(p.numel() for p in net.parameters())


def most_by_a_layer(net: Any, run: Callable[[], Any]) -> int:
    """Return the most bytes that a single layer reads and writes while `run` runs the net."""
    most = 0

    def note(_: Any, given: Any, made: Any) -> None:
        nonlocal most
        held = [*given, *(made if isinstance(made, tuple) else (made,))]
        most = max(most, sum(t.numel() * t.element_size() for t in held if isinstance(t, torch.Tensor)))

    hooks = [part.register_forward_hook(note) for part in net.modules() if not list(part.children())]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return most


def kept_by_a_step(net: Any, run: Callable[[], Any]) -> int:
    """Return the most bytes that a training step with gradient checkpointing keeps, the net's own weights aside.

    What goes into each checkpointed part is kept for the whole step, what autograd keeps inside one only while that
    one is computed again: the largest counts.
    """
    own = {weights.untyped_storage()._cdata for weights in net.parameters()}
    inputs: dict[int, int] = {}
    largest = 0

    def note(kept: dict[int, int], tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
            alive.append(tensor)
        return tensor

    def part(function: Any, *given: Any) -> Any:
        nonlocal largest
        for tensor in given:
            if isinstance(tensor, torch.Tensor):
                note(inputs, tensor)
        inside: dict[int, int] = {}
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: note(inside, tensor), lambda tensor: tensor):
            made = function(*given)
        largest = max(largest, sum(inside.values()))
        return made

    alive: list[torch.Tensor] = []  # while they live, no other storage has their address
    net.enable_gradient_checkpointing(part)
    net.train()
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: note(inputs, tensor), lambda tensor: tensor):
        run()
    return sum(inputs.values()) + largest


def made_by(net: Any, run: Callable[[], Any], counts: Callable[[Any, tuple[Any, ...]], bool]) -> int:
    """Return the most bytes that the operations for which `counts(op, arguments)` holds make in a checkpointed part."""
    most = 0

    class Counted(TorchDispatchMode):  # type: ignore[no-untyped-call]
        made = 0

        def __torch_dispatch__(self, op: Any, _: Any, given: Any = (), named: Any = None) -> Any:
            result = op(*given, **(named or {}))
            if counts(op, given):
                self.made += result.numel() * result.element_size()
            return result

    def part(function: Any, *given: Any) -> Any:
        nonlocal most
        with Counted() as counted:  # type: ignore[no-untyped-call]
            made = function(*given)
        most = max(most, counted.made)
        return made

    net.enable_gradient_checkpointing(part)
    run()
    return most
