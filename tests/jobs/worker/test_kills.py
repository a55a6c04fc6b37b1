"""kill -9, kill -STOP and lost queues, at random moments, on real processes: each order ends with one gallery."""

import asyncio
import os
import random
import signal
import sqlite3
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
    kill_queue_server,
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

from jobs.embedded_valkey import EmbeddedValkey
from jobs.kinds import orders
from jobs.privacy import retention
from jobs.services import House, opened
from jobs.settings import Settings
from jobs.storage import job_store
from tests.jobs.worker.test_worker import children_of, drawn, ends, galleries, place, stands_at, times_drawn

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


@pytest.mark.slow
async def test_an_order_killed_at_ten_random_points_loses_nothing_makes_nothing_twice_and_is_delivered_once(
    tmp_path: Path, drawn: Path
) -> None:
    """Worker, child, relay and queue server in turn; pictures by the quick studio; test_jobs_real has the real."""
    config = a_house(tmp_path)
    async with opened(config) as house, running(config, "worker", "worker", "relay", "notify") as processes:
        someone = await person(house)
        order = await place(house, someone.id, shoot("slow", count=16, styles=("founder", "editorial")))
        looks = await killed_at_ten_points(house, processes, order)
        await ends(house, order)
        for number in (order, *looks):
            assert await is_told(config, number) == ["done"]
        pictures = await galleries(house, someone.id, order)
        assert len(set(pictures)) == len(pictures) == 32
        async with house.ledger.read() as page:
            assert len(await page.sittings(someone.id)) == 1
    again = Counter(name.partition(" ")[2] for name in times_drawn(drawn).elements())
    assert max(again.values()) == 1, "it went on from its files"


async def killed_at_ten_points(house: House, processes: list[Process], order: int) -> list[int]:
    """Kill whoever has a part in a running order, ten times at moments drawn from a seed; return looks placed between.

    processes: two workers and a relay first; a killed one is put in its own place again.
    """
    dice = random.Random(8)
    victims = ["worker"] * 4 + ["child"] * 3 + ["relay"] + ["valkey"] * 2
    dice.shuffle(victims)
    looks = []
    for victim in victims:
        await until(lambda: holder_of(house, order), 60)
        await asyncio.sleep(dice.uniform(0.0, 0.6))
        looks.append(await place(house, 1, orders.Look("photos/0")))
        holder = await holder_of(house, order)
        assert holder or await state_of(house, order) == "queued", "it was over before it was killed ten times"
        number = next((n for n in (0, 1) if holder.endswith(f":{processes[n].pid}")), 0)
        if victim == "valkey":
            kill_queue_server(house.settings)
        elif victim == "child":
            for pid in children_of(processes[number].pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        else:
            number = 2 if victim == "relay" else number
            processes[number].kill()
            processes[number] = Process(house.settings, victim)
    return looks


async def test_a_training_whose_worker_is_killed_goes_on_from_its_last_checkpoint(house: House, drawn: Path) -> None:
    someone = await person(house)
    async with running(house.settings, "worker", "notify") as processes:
        order = await place(house, someone.id, shoot("slow", train=True))
        await house.desk.send()
        await stands_at(house, order, 3)
        processes[0].kill()
        (left,) = house.settings.work_folder.glob(f"*/{order}.1")
        assert [f.stat().st_mode & 0o77 for f in (left.parent.parent, left.parent, left, *left.rglob("*"))] == [0] * (
            3 + len(list(left.rglob("*")))
        ), "what lies in the clear is its owner's alone"
        processes[0] = Process(house.settings, "worker")
        await ends(house, order)
        assert await is_told(house.settings, order) == ["done"]
    steps = Counter(name.partition(" ")[2] for name in times_drawn(drawn).elements() if "trained" in name)
    assert steps == {f"trained-{n}": 1 for n in range(6)}
    assert {name.partition(" ")[0] for name in times_drawn(drawn) if "trained" in name} == {f"{order}.1", f"{order}.2"}
    assert not list(house.settings.work_folder.glob("*/*"))


async def test_pictures_in_the_clear_that_a_killed_worker_left_are_swept_once_their_order_is_over(house: House) -> None:
    someone = await person(house)
    async with running(house.settings, "worker") as (killed,):
        order = await place(house, someone.id, shoot("slow", count=8))
        await house.desk.send()
        await stands_at(house, order, 1)
        killed.kill()
    sweeping = asyncio.create_task(retention.sweep_for_ever(house))
    await asyncio.sleep(0.5)
    assert list(house.settings.work_folder.glob(f"*/{order}.1/out/*.jpg")), "the next attempt goes on with them"
    sweeping.cancel()
    async with house.ledger.write() as page:
        await job_store.stopped(page, order, 1)  # as another machine would have ended it
    sweeping = asyncio.create_task(retention.sweep_for_ever(house))
    await until(lambda: not list(house.settings.work_folder.glob("*/*")))
    sweeping.cancel()


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
        children = children_of(victim.pid)
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


async def in_the_outbox(house: House) -> tuple[str, float | None]:
    """The one message that has not taken effect: its id, and when a relay noted it as sent."""
    async with house.ledger.read() as page:
        row = (await page.c.exec_driver_sql("SELECT job, sent_at FROM outbox")).one()
    return row[0], row[1]


@pytest.mark.parametrize("moment", ["before it is in the queue", "in the queue and not noted"])
async def test_a_relay_killed_after_the_commit_costs_no_order_and_doubles_none(
    house: House, drawn: Path, moment: str
) -> None:
    someone = await person(house)
    valkey = EmbeddedValkey(house.settings.data)
    ledger = sqlite3.connect(house.settings.data / "ledger.db", isolation_level=None, timeout=10)
    async with running(house.settings, "relay") as (relay,):
        await until(lambda: "'relay'" in relay.log.read_text())
        valkey._say(b"CLIENT", b"PAUSE", b"60000", b"WRITE")  # the relay comes as far as its first word to the queue
        order = await place(house, someone.id, shoot("slow", count=3))
        await until(lambda: b"blocked_clients:0" not in valkey._say(b"INFO", b"clients"))
        if moment == "in the queue and not noted":
            ledger.execute("BEGIN IMMEDIATE")  # and here as far as its note in the ledger
            valkey._say(b"CLIENT", b"UNPAUSE")

            async def queued() -> bool:
                return await house.desk.depth("studio") == 1

            await until(queued)
            await asyncio.sleep(0.2)
        relay.kill()
        valkey._say(b"CLIENT", b"UNPAUSE")
        ledger.close()
        assert await in_the_outbox(house) == (f"shoot:{order}:1", None)
        assert await house.desk.depth("studio") == (0 if moment == "before it is in the queue" else 1)
    async with running(house.settings, "worker,notify"):
        await ends(house, order)
        assert await is_told(house.settings, order) == ["done"]
    assert sorted(times_drawn(drawn).values()) == [1, 1, 1]


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
            if round_ == 2:
                valkey._say(b"FLUSHALL")
            else:
                kill_queue_server(config)
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
