"""A worker whose work costs nothing: it closes every order with ready pictures, so that only the bot is measured.

python stub_worker.py          settings and PYTHONPATH from the environment
"""

from __future__ import annotations

import asyncio

from fakes.picture_studio import picture
from jobs.kinds import orders as o
from jobs.run import run
from jobs.services import House
from jobs.settings import load
from jobs.storage import job_store

PORTRAIT = picture("teal", (320, 400))
LOOKED = {"kept": True, "missing": ["turn_left"], "others": {}}


async def work(house: House) -> None:
    """Take orders and close them at once."""

    async def close(order: int, attempt: int) -> None:
        async with house.ledger.write() as page:
            claimed = await job_store.claim(page, order, attempt, "stub")
            if claimed is None:
                return
            drawn = await _drawn(house, claimed)
            facts = LOOKED if isinstance(claimed.order, o.Look) else {"drawn": len(drawn), "folder": f"shoots/{order}"}
            await job_store.finish(page, claimed, drawn, facts)
        house.desk.wake()

    await asyncio.gather(*(house.desk.consume(queue, close, 4) for queue in ("look", "studio")))


async def _drawn(house: House, claimed: job_store.Claimed) -> list[job_store.Drawn]:
    match claimed.order:
        case o.Shoot(styles=styles, count=count):
            names = [(f"shoots/{claimed.id}/{style}-{i}.jpg", style, None) for style in styles for i in range(count)]
        case o.Enhance(portrait=parent):
            names = [(f"shoots/{claimed.id}/edit.jpg", "office", parent)]
        case _:
            return []
    for name, _, _ in names:
        await house.shelf.put(claimed.account, name, PORTRAIT)
    return [job_store.Drawn(name, style, {"percent_of_baseline": 95.0}, parent) for name, style, parent in names]


if __name__ == "__main__":
    run(load(), [work], work=False)
