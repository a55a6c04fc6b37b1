"""kill -9, kill -STOP and lost queues, at random moments, on real processes: each order ends with one gallery."""

import asyncio
import os
import random
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from houses import (
    Postgres,
    Process,
    S3Server,
    a_house,
    house,
    on_s3,
    person,
    postgres,
    ready_sqlite,
    running,
    s3_server,
    shoot,
    state_of,
    told,
    until,
)
from test_jobs_worker import drawn, ends, galleries, place, stands_at, times_drawn

from jobs import orders
from jobs.house import House, opened
from jobs.settings import Settings
from jobs.valkey import EmbeddedValkey

__all__ = ["drawn", "house", "on_s3", "postgres", "ready_sqlite", "s3_server"]


async def holder_of(house: House, order: int) -> str:
    async with house.ledger.read() as page:
        found = await page.c.exec_driver_sql(f"SELECT worker FROM orders WHERE id = {order} AND state = 'running'")
        return found.scalar_one_or_none() or ""


async def held_by_another(house: House, order: int, than: str = "") -> str:
    """Wait until the order is over, or is held by another worker than that one."""

    async def moved() -> bool:
        return await holder_of(house, order) not in ("", than) or await state_of(house, order) == "done"

    await until(moved, 30)
    return await holder_of(house, order)


async def is_told(config: Settings, order: int) -> list[str]:
    await until(lambda: any(line["order"] == order for line in told(config)))
    return [line["word"] for line in told(config) if line["order"] == order]


async def test_workers_killed_at_random_moments_cost_no_portrait_and_make_none_twice(
    tmp_path: Path, drawn: Path
) -> None:
    config = a_house(tmp_path)
    dice = random.Random(4)
    async with opened(config) as house, running(config, "worker", "worker", "notify") as processes:
        someone = await person(house)
        order = await place(house, someone.id, shoot("slow", count=12))
        await house.desk.send()
        holder, kills = await held_by_another(house, order), 0
        while kills < 4 and holder:
            await asyncio.sleep(dice.uniform(0.0, 0.5))
            (victim,) = [p for p in processes if holder.endswith(f":{p.pid}")]
            victim.kill()
            kills += 1
            processes[processes.index(victim)] = Process(config, "worker")
            holder = await held_by_another(house, order, holder)
        await ends(house, order)
        assert kills >= 3, "it was over before enough workers were killed"
        assert await is_told(config, order) == ["done"]
        assert len(await galleries(house, someone.id, order)) == 12
        async with house.ledger.read() as page:
            assert len(await page.sittings(someone.id)) == 1
    assert {name.partition(" ")[2] for name in times_drawn(drawn)} == {f"founder-{n:02d}" for n in range(12)}
    again = Counter(name.partition(" ")[2] for name in times_drawn(drawn).elements())
    assert max(again.values()) == 1, "it went on from its files"


async def test_with_the_lease_that_ships_a_killed_worker_s_order_runs_elsewhere_within_thirty_seconds(
    tmp_path: Path,
) -> None:
    config = a_house(tmp_path, lease_s=Settings.model_fields["lease_s"].default)
    async with opened(config) as house, running(config, "worker", "worker") as workers:
        someone = await person(house)
        order = await place(house, someone.id, shoot("stuck"))
        await house.desk.send()
        await stands_at(house, order, 0)
        holder = await holder_of(house, order)
        (victim,) = [w for w in workers if holder.endswith(f":{w.pid}")]
        children = _children(victim.pid)
        victim.kill()
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), 5)  # its child goes with it
        assert await held_by_another(house, order, holder)


async def test_a_worker_that_was_frozen_does_not_finish_what_another_has_taken_over(house: House) -> None:
    someone = await person(house)
    async with running(house.settings, "worker") as (frozen,):
        order = await place(house, someone.id, shoot("slow", count=6))
        await house.desk.send()
        await stands_at(house, order, 1)
        frozen.send(signal.SIGSTOP)
        async with running(house.settings, "worker,notify"):
            await ends(house, order)
            frozen.send(signal.SIGCONT)
            await until(lambda: "outcome=lost" in frozen.log.read_text())
            assert await is_told(house.settings, order) == ["done"]
    assert len(await galleries(house, someone.id, order)) == 6


async def test_a_notifier_killed_between_telling_and_noting_tells_again_and_loses_nothing(house: House) -> None:
    someone = await person(house)
    dice = random.Random(5)
    async with running(house.settings, "worker"):
        placed = [await place(house, someone.id, orders.Look("photos/0")) for _ in range(30)]
        for order in placed:
            await ends(house, order)
        for _ in range(3):
            notifier = Process(house.settings, "notify")
            before = len(told(house.settings))
            await until(lambda before=before: len(told(house.settings)) > before)  # type: ignore[misc]
            await asyncio.sleep(dice.uniform(0, 0.01))
            notifier.kill()
            if len({line["order"] for line in told(house.settings)}) == len(placed):
                break
        async with running(house.settings, "notify"):
            await until(lambda: {line["order"] for line in told(house.settings)} == set(placed))

            async def all_noted() -> bool:
                async with house.ledger.read() as page:
                    return (await page.c.exec_driver_sql("SELECT count(*) FROM outbox")).scalar_one() == 0

            await until(all_noted)
    assert max(Counter(line["order"] for line in told(house.settings)).values()) <= 4


async def test_an_order_saved_by_a_bot_that_was_killed_before_sending_it_is_sent_by_the_worker(house: House) -> None:
    someone = await person(house)
    order = await place(house, someone.id, shoot())  # nobody relays in this process
    async with running(house.settings, "worker"):
        await ends(house, order)


async def test_a_queue_server_killed_and_emptied_again_and_again_loses_no_order(tmp_path: Path) -> None:
    config = a_house(tmp_path)
    dice = random.Random(6)
    async with opened(config) as house, running(config, "worker,notify"):
        someone = await person(house)
        valkey = EmbeddedValkey(config.data)
        placed = []
        for round_ in range(4):
            placed.append(await place(house, someone.id, shoot("slow" if round_ % 2 else "fast", count=2)))
            placed.append(await place(house, someone.id, orders.Look("photos/0")))
            await asyncio.sleep(dice.uniform(0, 0.4))
            pid = int(valkey._say(b"INFO", b"server").partition(b"process_id:")[2].split()[0])
            if round_ == 2:
                valkey._say(b"FLUSHALL")
            else:
                os.kill(pid, signal.SIGKILL)
            for order in placed:
                await ends(house, order)
        for order in placed:
            assert await is_told(config, order) == ["done"]


class Gate:
    """Stands in front of the S3 server; closed, it answers every request as an overloaded store does."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.open = True

    async def listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._connected, "127.0.0.1", 0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._pump(reader, inner_writer, writer), self._pump(inner_reader, writer, inner_writer))

    async def _pump(self, source: asyncio.StreamReader, to: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if not self.open:
                    back.write(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    break
                to.write(data)
                await to.drain()
        back.close()
        to.close()


async def test_a_second_machine_goes_on_from_s3_also_when_that_was_away_for_a_while(
    tmp_path: Path, drawn: Path, postgres: Postgres, on_s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(on_s3.port)
    async with await gate.listen() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await _goes_on_elsewhere(tmp_path, await postgres.new_database(), gate)
    names = Counter(name.partition(" ")[2] for name in times_drawn(drawn).elements())
    assert sum(n - 1 for n in names.values()) <= 2, "only what was drawn after the last mirroring is drawn again"


async def _goes_on_elsewhere(tmp_path: Path, url: str, gate: Gate) -> None:
    here, there = (
        a_house(tmp_path, database_url=url, shelf_url="s3://shelf/x", work=tmp_path / name, mirror_s=0.2)
        for name in ("here", "there")
    )
    async with opened(here) as house:
        someone = await person(house)
        async with running(here, "worker") as (killed,):
            order = await place(house, someone.id, shoot("slow", count=8))
            await house.desk.send()
            await stands_at(house, order, 4)
            killed.kill()
        gate.open = False
        async with running(there, "worker,notify") as (other,):
            await until(lambda: "order_waits" in other.log.read_text(), 60)
            gate.open = True
            await ends(house, order)
            assert await is_told(there, order) == ["done"]
        assert len(await galleries(house, someone.id, order)) == 8


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
