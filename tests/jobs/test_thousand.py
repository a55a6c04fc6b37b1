"""A thousand orders, four workers, one PostgreSQL, one Valkey, and somebody who keeps killing the workers."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from houses import Postgres, Process, a_house, person, postgres, running, shoot, told
from sqlalchemy import func, select

from jobs.kinds import orders
from jobs.services import House, opened
from jobs.storage import schema as t

__all__ = ["postgres"]

PEOPLE, LOOKS, SHOOTS = 50, 19, 1
KILLS = 12  # bounded, or a busy machine would be killing more than it does


async def counted(house: House) -> dict[str, int]:
    async with house.ledger.read() as page:
        rows = await page.c.execute(select(t.orders.c.state, func.count()).group_by(t.orders.c.state))
        return {row[0]: row[1] for row in rows}


@pytest.mark.slow
async def test_a_thousand_orders_are_each_done_once_whoever_is_killed(tmp_path: Path, postgres: Postgres) -> None:
    config = a_house(tmp_path, look_slots=2, database_url=await postgres.new_database())
    dice = random.Random(7)
    async with opened(config) as house:
        people = [(await person(house, str(n))).id for n in range(PEOPLE)]
        async with house.ledger.write() as page:
            for who in people:
                for n in range(LOOKS):
                    await house.desk.place(who, orders.Look("photos/0"), f"look{n}", "telegram", page)
                for n in range(SHOOTS):
                    await house.desk.place(who, shoot(count=1), f"shoot{n}", "telegram", page)
        assert await counted(house) == {"queued": PEOPLE * (LOOKS + SHOOTS)}
        while await house.desk.send():
            pass
        async with running(config, "worker", "worker", "worker", "worker", "notify") as processes:
            kills = 0
            for _ in range(1200):
                await asyncio.sleep(0.25)
                states = await counted(house)
                if states == {"done": 1000}:
                    break
                if kills < KILLS and dice.random() < 0.1 and states.get("done", 0) < 900:
                    victim = dice.randrange(len(processes))
                    parts = "notify" if victim == 4 else "worker"
                    processes[victim].kill()
                    processes[victim] = Process(config, parts)
                    kills += 1
            assert await counted(house) == {"done": 1000}
            assert kills >= 3
            async with house.ledger.read() as page:
                sittings = (await page.c.execute(select(func.count()).select_from(t.sittings))).scalar_one()
                portraits = (await page.c.execute(select(func.count()).select_from(t.portraits))).scalar_one()
            assert (sittings, portraits) == (PEOPLE * SHOOTS, PEOPLE * SHOOTS)
            for _ in range(200):
                if len({line["order"] for line in told(config)}) == 1000:
                    break
                await asyncio.sleep(0.1)
    again = Counter(line["order"] for line in told(config))
    assert len(again) == 1000
    assert {line["word"] for line in told(config)} == {"done"}
    assert sum(again.values()) - 1000 <= 8 * kills, "told again only what a killed notifier had not noted"
