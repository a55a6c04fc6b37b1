"""Claims about the memory of processes that draw: what a job freed goes back to the system when it is done."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jobs.worker.child import give_memory_back

PAGE_MB = 4096 / 2**20


def held_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MB


def test_freed_memory_goes_back_to_the_system_though_small_things_among_it_live_on() -> None:
    """100 MB in pieces that glibc takes from its heap, each second one freed: the heap cannot shrink by itself."""
    pieces = [np.ones(25_000, np.float32) for _ in range(2_000)]
    full = held_mb()
    del pieces[::2]
    give_memory_back()
    assert full - held_mb() > 60
    assert len(pieces) == 1_000
