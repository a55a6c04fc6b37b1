"""A worker whose work costs nothing: it closes every job with ready pictures, so that only the bot is measured.

python stub_worker.py          settings and PYTHONPATH from the environment
"""

from __future__ import annotations

import asyncio
from functools import partial

from jobs.kinds.base import Drawn
from jobs.kinds.enhance import Enhance
from jobs.kinds.look import Look
from jobs.kinds.shoot import Shoot
from jobs.queue import job_store
from jobs.run import run
from jobs.services import Services
from jobs.settings import load
from tests.fakes.picture_studio import picture

PORTRAIT = picture("teal", (320, 400))
LOOKED = {"kept": True, "missing": ["turn_left"], "others": {}}


async def work(services: Services) -> None:
    """Take jobs and close them at once."""

    async def close(queue: str) -> None:
        async with services.database.write() as tx:
            claimed = await job_store.claim_next(tx, queue, "stub")
            if claimed is None:
                return
            drawn = await _drawn(services, claimed)
            facts = LOOKED if isinstance(claimed.job, Look) else {"drawn": len(drawn), "folder": f"shoots/{claimed.id}"}
            await job_store.finish(tx, claimed, drawn, facts)
        services.job_queue.wake()

    await asyncio.gather(*(services.job_queue.consume(queue, partial(close, queue), 4) for queue in ("look", "studio")))


async def _drawn(services: Services, claimed: job_store.Claimed) -> list[Drawn]:
    names: list[tuple[str, str, int | None]]
    match claimed.job:
        case Shoot(styles=styles, count=count):
            names = [(f"shoots/{claimed.id}/{style}-{i}.jpg", style, None) for style in styles for i in range(count)]
        case Enhance(portrait=parent):
            names = [(f"shoots/{claimed.id}/edit.jpg", "office", parent)]
        case _:
            return []
    for name, _, _ in names:
        await services.blob_store.put(claimed.account, name, PORTRAIT)
    return [Drawn(name, style, {"percent_of_baseline": 95.0}, parent) for name, style, parent in names]


if __name__ == "__main__":
    run(load(), [work], work=False)
