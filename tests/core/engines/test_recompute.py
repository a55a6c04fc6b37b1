"""Keeping blocks' products trades memory for time, and changes nothing of what is learnt."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, Flux2Transformer2DModel
from torch.utils._python_dispatch import TorchDispatchMode

from core.engines.facts import GB, SPARE, Precision
from core.engines.flux2 import lora
from core.engines.flux2.facts import FACTS, FP8
from core.engines.flux2.klein import placed
from core.engines.flux2.lora import flow_loss, lora_config
from core.engines.flux2.recompute import blocks_with_room, is_kept, keep_products
from tests.tiny_flux2 import TINY

CPU, CARD = torch.device("cpu"), torch.device("cuda")
WIDTH = 160
"""Of the net: wide enough that its products count as large."""


class Products(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts large products and attention, those of the gradients left out."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, op: Any, _: Any, given: Any = (), named: Any = None) -> Any:
        self.count += is_kept(op, given)
        return op(*given, **(named or {}))


@pytest.fixture
def learnt(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[float, list[torch.Tensor], int]]:
    """Make one step of a net of one double and two single blocks: its loss, its gradients and the products computed."""
    monkeypatch.setattr(lora, "RANK", 4)

    def step(blocks: int | None, storage: str = "float32") -> tuple[float, list[torch.Tensor], int]:
        torch.manual_seed(0)
        net = Flux2Transformer2DModel(
            in_channels=16, num_layers=1, num_single_layers=2, attention_head_dim=80, num_attention_heads=2,
            joint_attention_dim=48, timestep_guidance_channels=32, axes_dims_rope=(20,) * 4, guidance_embeds=False,
        )  # fmt: skip
        compute: Precision = "bfloat16" if storage == FP8 else "float32"
        net = placed(net.to(getattr(torch, compute)), replace(TINY, compute=compute, storage=storage), CPU)
        net.add_adapter(lora_config(2))
        wanted = [p for p in net.parameters() if p.requires_grad]
        for weights in wanted:
            weights.data = torch.randn(weights.shape) / 50
        if blocks is not None:
            keep_products(net, blocks)
        net.train()
        rng = torch.Generator().manual_seed(1)
        latents, noise = (torch.randn(1, 16, 5, 4, generator=rng) for _ in range(2))
        words = torch.randn(1, 8, 48, generator=rng).to(getattr(torch, compute))
        schedule = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)
        loss = flow_loss(net, schedule, latents, torch.ones(1, 1, 5, 4), words, noise, 500)
        with Products() as counted:
            loss.backward()  # type: ignore[no-untyped-call]
        gradients = [weights.grad for weights in wanted if weights.grad is not None]
        assert len(gradients) == len(wanted)
        return float(loss.detach()), gradients, counted.count

    return step


@pytest.mark.parametrize("storage", ["float32", FP8])
def test_what_is_kept_changes_how_often_products_are_computed_and_not_what_is_learnt(
    learnt: Callable[..., tuple[float, list[torch.Tensor], int]], storage: str
) -> None:
    loss, gradients, most = learnt(0, storage)
    computed = [most]
    for blocks in (1, 2, 3):
        same, others, count = learnt(blocks, storage)
        assert same == loss
        for one, other in zip(gradients, others, strict=True):
            torch.testing.assert_close(one, other)
        computed.append(count)
    assert computed == sorted(computed, reverse=True)
    assert len(set(computed)) == 4, "each block whose products are kept computes fewer"
    alone, plain, least = learnt(None, storage)
    assert alone == loss
    for one, other in zip(gradients, plain, strict=True):
        torch.testing.assert_close(one, other)
    assert computed[-1] == least, "with all kept, the gradients' own products are all that is left"


def test_thin_products_of_the_lora_are_computed_again() -> None:
    mm = torch.ops.aten.mm.default
    wide, thin = torch.empty(WIDTH, WIDTH), torch.empty(WIDTH, 32)
    assert is_kept(mm, (torch.empty(8, WIDTH), wide))
    assert not is_kept(mm, (torch.empty(8, WIDTH), thin))
    assert not is_kept(mm, (torch.empty(8, 32), thin.t()))
    assert not is_kept(torch.ops.aten.mul.Tensor, (wide, wide))


@pytest.fixture
def free_gb(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    def say(free: float) -> None:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (int(free * GB), int(80 * GB)))

    return say


@pytest.mark.parametrize(("name", "free", "every"), [
    ("bf16", 79.0, True), ("bf16", 23.0, True), ("bf16-encoder-cpu", 15.3, False), ("fp8", 11.3, False),
    ("fp8-small", 7.5, False),
])  # fmt: skip
def test_a_card_keeps_as_many_as_its_free_memory_holds_beside_the_plan(
    name: str, free: float, every: bool, free_gb: Callable[[float], None]
) -> None:
    (plan,) = (each for each in FACTS.plans if each.name == name)
    free_gb(free)
    blocks = blocks_with_room(plan, CARD)
    assert plan.learning_gb + SPARE + blocks * plan.block_gb <= free
    assert blocks >= 1
    assert (blocks >= 25) == every, "klein has 25 blocks"
    free_gb(plan.learning_gb)
    assert blocks_with_room(plan, CARD) == 0
    assert blocks_with_room(plan, CPU) == 0, "a CPU's memory is not asked for"
