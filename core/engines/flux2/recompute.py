"""What a training step keeps for its gradients and what it computes again: a card's spare memory buys speed.

Large matrix products and attention are nearly all the work of computing a block again, and two fifths of what it would
keep. So a block's products are kept where there is room for them, and only what is cheap is computed again.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import torch
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from core.engines.facts import GB, SPARE, Plan

PRODUCTS: Final = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default)
ATTENTION: Final = (
    torch.ops.aten._scaled_dot_product_flash_attention.default,
    torch.ops.aten._scaled_dot_product_efficient_attention.default,
    torch.ops.aten._scaled_dot_product_cudnn_attention.default,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,
)
THIN: Final = 128
"""Inner side up to which a product is cheaper to compute again than to keep: those of a LoRA, in 32 bits."""


def is_kept(op: Any, given: tuple[Any, ...]) -> bool:
    """Return whether what an operation makes is kept: attention, and products of two large matrices."""
    if op in PRODUCTS:
        return min(given[-1].shape) > THIN
    return op in ATTENTION


def keep_products(net: Any, blocks: int) -> None:
    """Have a net's blocks computed again for their gradients; of so many of them the products are kept."""
    every = [*net.transformer_blocks, *net.single_transformer_blocks]
    keeping = {id(block) for block in every[:blocks]}
    contexts = partial(create_selective_checkpoint_contexts, _policy)

    def compute(block: Any, *given: Any) -> Any:
        kept: dict[str, Any] = {"context_fn": contexts} if id(block) in keeping else {}
        return checkpoint(block.__call__, *given, use_reentrant=False, **kept)

    net.enable_gradient_checkpointing(compute)


def blocks_with_room(plan: Plan, device: torch.device) -> int:
    """Return of how many blocks what is free on a card can keep the products, over what the plan takes."""
    if device.type != "cuda":
        return 0
    free_gb = torch.cuda.mem_get_info(device)[0] / GB
    return max(0, int((free_gb - plan.learning_gb - SPARE) / plan.block_gb))


def _policy(_: Any, op: Any, *given: Any, **__: Any) -> CheckpointPolicy:
    return CheckpointPolicy.MUST_SAVE if is_kept(op, given) else CheckpointPolicy.PREFER_RECOMPUTE
