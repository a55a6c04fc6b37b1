"""Three hundred jobs, four workers, one PostgreSQL, one Valkey, and somebody who keeps killing the workers."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from jobs.kinds.look import Look
from jobs.services import Services, open_services
from jobs.storage import schema as t
from tests.live_servers import Postgres
from tests.live_services import Process, make_settings, person, running, shoot, told, until

PEOPLE, LOOKS, SHOOTS = 30, 9, 1
ALL = PEOPLE * (LOOKS + SHOOTS)
KILLS = 6  # bounded, or a busy machine would be killing more than it does


async def counted(services: Services) -> dict[str, int]:
    async with services.database.read() as tx:
        rows = await tx.c.execute(select(t.jobs.c.state, func.count()).group_by(t.jobs.c.state))
        return {row[0]: row[1] for row in rows}


@pytest.mark.slow
async def test_hundreds_of_jobs_are_each_done_once_whoever_is_killed(tmp_path: Path, postgres: Postgres) -> None:
    config = make_settings(tmp_path, look_slots=2, database_url=await postgres.new_database())
    dice = random.Random(7)
    async with open_services(config) as services:
        people = [(await person(services, str(n))).id for n in range(PEOPLE)]
        async with services.database.write() as tx:
            for who in people:
                for n in range(LOOKS):
                    await services.job_queue.place(who, Look("photos/0"), f"look{n}", "telegram", tx)
                for n in range(SHOOTS):
                    await services.job_queue.place(who, shoot(count=1), f"shoot{n}", "telegram", tx)
        assert await counted(services) == {"queued": ALL}
        while await services.job_queue.send():
            pass
        async with running(config, "worker", "worker", "worker", "worker", "notify") as processes:
            kills = 0
            for _ in range(1200):
                await asyncio.sleep(0.25)
                states = await counted(services)
                if states == {"done": ALL}:
                    break
                if kills < KILLS and dice.random() < 0.25 and states.get("done", 0) < 0.9 * ALL:
                    victim = dice.randrange(len(processes))
                    parts = "notify" if victim == 4 else "worker"
                    processes[victim].kill()
                    processes[victim] = Process(config, parts)
                    kills += 1
            assert await counted(services) == {"done": ALL}
            assert kills >= 3
            async with services.database.read() as tx:
                sittings = (await tx.c.execute(select(func.count()).select_from(t.sittings))).scalar_one()
                portraits = (await tx.c.execute(select(func.count()).select_from(t.portraits))).scalar_one()
            assert (sittings, portraits) == (PEOPLE * SHOOTS, PEOPLE * SHOOTS)
            await until(lambda: len({line["job_id"] for line in told(config)}) == ALL)
    again = Counter(line["job_id"] for line in told(config))
    assert len(again) == ALL
    assert {line["word"] for line in told(config)} == {"done"}
    assert sum(again.values()) - ALL <= 8 * kills, "told again only what a killed notifier had not noted"
