"""kill -9, kill -STOP and lost queues, at random moments, on real processes: each job ends with one gallery."""

import asyncio
import os
import random
import signal
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

from jobs.embedded_valkey import EmbeddedValkey
from jobs.kinds.look import Look
from jobs.privacy import retention
from jobs.queue import job_store
from jobs.services import Services, open_services
from jobs.settings import Settings
from tests.fakes.hold import Hold
from tests.live_servers import Postgres, S3Server, kill_queue_server
from tests.live_services import (
    Process,
    children_of,
    ends,
    galleries,
    make_settings,
    person,
    place,
    running,
    shoot,
    stands_at,
    state_of,
    times_drawn,
    told,
    until,
)


async def holder_of(services: Services, job_id: int) -> str:
    async with services.database.read() as tx:
        found = await tx.c.exec_driver_sql(f"SELECT worker FROM jobs WHERE id = {job_id} AND state = 'running'")
        return found.scalar_one_or_none() or ""


async def held_by_another(services: Services, job_id: int, than: str = "") -> str:
    """Wait until the job is over, or is held by another worker than that one."""

    async def moved() -> bool:
        return await holder_of(services, job_id) not in ("", than) or await state_of(services, job_id) == "done"

    await until(moved)
    return await holder_of(services, job_id)


async def is_told(config: Settings, job_id: int) -> list[str]:
    await until(lambda: any(line["job_id"] == job_id for line in told(config)))
    return [line["word"] for line in told(config) if line["job_id"] == job_id]


@pytest.mark.slow
async def test_a_job_killed_at_ten_random_points_loses_nothing_makes_nothing_twice_and_is_delivered_once(
    tmp_path: Path, drawn: Path, hold: Hold
) -> None:
    """Worker, child, relay and queue server in turn; pictures by the quick studio; test_jobs_real has the real.

    The last portrait waits for the last kill: a machine that is slow to kill finds the job at work all the same.
    """
    config = make_settings(tmp_path)
    async with open_services(config) as services, running(config, "worker", "worker", "relay", "notify") as processes:
        someone = await person(services)
        job_id = await place(services, someone.id, shoot("slow", count=16, styles=("founder", "editorial")))
        looks = await killed_at_ten_points(services, processes, job_id)
        hold.let_go()
        await ends(services, job_id)
        for number in (job_id, *looks):
            assert await is_told(config, number) == ["done"]
        pictures = await galleries(services, someone.id, job_id)
        assert len(set(pictures)) == len(pictures) == 32
        async with services.database.read() as tx:
            assert len(await tx.sittings(someone.id)) == 1
    again = Counter(name.partition(" ")[2] for name in times_drawn(drawn).elements())
    assert max(again.values()) == 1, "it went on from its files"


async def killed_at_ten_points(services: Services, processes: list[Process], job_id: int) -> list[int]:
    """Kill whoever has a part in a running job_id, ten times at moments drawn from a seed; return looks placed between.

    processes: two workers and a relay first; a killed one is put in its own place again.
    """

    async def held() -> bool:
        return bool(await holder_of(services, job_id))

    dice = random.Random(8)
    victims = ["worker"] * 4 + ["child"] * 3 + ["relay"] + ["valkey"] * 2
    dice.shuffle(victims)
    looks = []
    for victim in victims:
        await until(held)
        await asyncio.sleep(dice.uniform(0.0, 0.6))
        looks.append(await place(services, 1, Look("photos/0")))
        holder = await holder_of(services, job_id)
        assert holder or await state_of(services, job_id) == "queued", "it was over before it was killed ten times"
        number = next((n for n in (0, 1) if holder.endswith(f":{processes[n].pid}")), 0)
        if victim == "valkey":
            kill_queue_server(services.settings)
        elif victim == "child":
            for pid in children_of(processes[number].pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        else:
            number = 2 if victim == "relay" else number
            processes[number].kill()
            processes[number] = Process(services.settings, victim)
    return looks


async def test_a_training_whose_worker_is_killed_goes_on_from_its_last_checkpoint(
    services: Services, drawn: Path, hold: Hold
) -> None:
    someone = await person(services)
    async with running(services.settings, "worker", "notify") as processes:
        job_id = await place(services, someone.id, shoot("held", train=True))
        await services.job_queue.send()
        await stands_at(services, job_id, 3)
        processes[0].kill()
        (left,) = services.settings.work_folder.glob(f"*/{job_id}.1")
        assert [f.stat().st_mode & 0o77 for f in (left.parent.parent, left.parent, left, *left.rglob("*"))] == [0] * (
            3 + len(list(left.rglob("*")))
        ), "what lies in the clear is its owner's alone"
        hold.let_go()
        processes[0] = Process(services.settings, "worker")
        await ends(services, job_id)
        assert await is_told(services.settings, job_id) == ["done"]
    steps = Counter(name.partition(" ")[2] for name in times_drawn(drawn).elements() if "trained" in name)
    assert steps == {f"trained-{n}": 1 for n in range(6)}
    assert {name.partition(" ")[0] for name in times_drawn(drawn) if "trained" in name} == {
        f"{job_id}.1",
        f"{job_id}.2",
    }
    assert not list(services.settings.work_folder.glob("*/*"))


async def test_pictures_in_the_clear_that_a_killed_worker_left_are_swept_once_their_job_is_over(
    services: Services, hold: Hold
) -> None:
    someone = await person(services)
    async with running(services.settings, "worker") as (killed,):
        job_id = await place(services, someone.id, shoot("held", count=4))
        await services.job_queue.send()
        await stands_at(services, job_id, 1)
        killed.kill()
    sweeping = asyncio.create_task(retention.sweep_for_ever(services))
    await asyncio.sleep(0.5)
    assert list(services.settings.work_folder.glob(f"*/{job_id}.1/out/*.jpg")), "the next attempt goes on with them"
    sweeping.cancel()
    async with services.database.write() as tx:
        await job_store.stopped(tx, job_id, 1)  # as another machine would have ended it
    sweeping = asyncio.create_task(retention.sweep_for_ever(services))
    await until(lambda: not list(services.settings.work_folder.glob("*/*")))
    sweeping.cancel()


async def test_with_the_lease_that_ships_a_killed_worker_s_job_runs_elsewhere_within_thirty_seconds(
    tmp_path: Path,
) -> None:
    config = make_settings(tmp_path, lease_s=Settings.model_fields["lease_s"].default)
    async with open_services(config) as services, running(config, "worker", "worker") as workers:
        someone = await person(services)
        job_id = await place(services, someone.id, shoot("stuck"))
        await services.job_queue.send()
        await stands_at(services, job_id, 0)
        holder = await holder_of(services, job_id)
        (victim,) = [w for w in workers if holder.endswith(f":{w.pid}")]
        children = children_of(victim.pid)
        victim.kill()
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))  # its child goes with it
        assert await held_by_another(services, job_id, holder)


async def stop_between_writes(services: Services, process: Process) -> None:
    """Stop a process where it holds no lock of the database: with one nobody else could write until it goes on."""

    def stopped() -> bool:
        process.send(signal.SIGSTOP)
        file = services.settings.data / "ledger.db"
        with closing(sqlite3.connect(file, timeout=0.2, isolation_level=None)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                process.send(signal.SIGCONT)
                return False
            database.execute("ROLLBACK")
            return True

    await until(stopped)


async def test_a_worker_that_was_frozen_does_not_finish_what_another_has_taken_over(
    services: Services, hold: Hold
) -> None:
    someone = await person(services)
    async with running(services.settings, "worker") as (frozen,):
        job_id = await place(services, someone.id, shoot("held", count=6))
        await services.job_queue.send()
        await stands_at(services, job_id, 1)
        await stop_between_writes(services, frozen)
        hold.let_go()
        async with running(services.settings, "worker,notify"):
            await ends(services, job_id)
            frozen.send(signal.SIGCONT)
            await until(lambda: "outcome=lost" in frozen.log.read_text())
            assert await is_told(services.settings, job_id) == ["done"]
    assert len(await galleries(services, someone.id, job_id)) == 6


async def test_a_notifier_killed_between_telling_and_noting_tells_again_and_loses_nothing(services: Services) -> None:
    someone = await person(services)
    dice = random.Random(5)
    async with running(services.settings, "worker"):
        placed = [await place(services, someone.id, Look("photos/0")) for _ in range(30)]
        for job_id in placed:
            await ends(services, job_id)
        for _ in range(3):
            notifier = Process(services.settings, "notify")
            before = len(told(services.settings))
            await until(partial(lambda before: len(told(services.settings)) > before, before))
            await asyncio.sleep(dice.uniform(0, 0.01))
            notifier.kill()
            if len({line["job_id"] for line in told(services.settings)}) == len(placed):
                break
        async with running(services.settings, "notify"):
            await until(lambda: {line["job_id"] for line in told(services.settings)} == set(placed))

            async def all_noted() -> bool:
                async with services.database.read() as tx:
                    return (await tx.c.exec_driver_sql("SELECT count(*) FROM outbox")).scalar_one() == 0

            await until(all_noted)
    assert max(Counter(line["job_id"] for line in told(services.settings)).values()) <= 4


async def test_a_job_saved_by_a_bot_that_was_killed_before_sending_it_is_sent_by_the_worker(
    services: Services,
) -> None:
    someone = await person(services)
    job_id = await place(services, someone.id, shoot())  # nobody relays in this process
    async with running(services.settings, "worker"):
        await ends(services, job_id)


async def in_the_outbox(services: Services) -> tuple[str, float | None]:
    """The one message that has not taken effect: its id, and when a relay noted it as sent."""
    async with services.database.read() as tx:
        row = (await tx.c.exec_driver_sql("SELECT arq_id, sent_at FROM outbox")).one()
    return row.arq_id, row.sent_at


@pytest.mark.parametrize("moment", ["before it is in the queue", "in the queue and not noted"])
async def test_a_relay_killed_after_the_commit_costs_no_job_and_doubles_none(
    services: Services, queue_server: EmbeddedValkey, drawn: Path, moment: str
) -> None:
    someone, valkey = await person(services), queue_server
    database = sqlite3.connect(services.settings.data / "ledger.db", isolation_level=None, timeout=10)
    async with running(services.settings, "relay") as (relay,):
        await until(lambda: "'relay'" in relay.log.read_text())
        valkey._say(b"CLIENT", b"PAUSE", b"60000", b"WRITE")  # the relay comes as far as its first word to the queue
        job_id = await place(services, someone.id, shoot("slow", count=3))
        await until(lambda: b"blocked_clients:0" not in valkey._say(b"INFO", b"clients"))
        if moment == "in the queue and not noted":
            database.execute("BEGIN IMMEDIATE")  # and here as far as its note in the database
            valkey._say(b"CLIENT", b"UNPAUSE")

            async def queued() -> bool:
                return await services.job_queue._redis.zcard("studio") == 1

            await until(queued)
            await asyncio.sleep(0.2)
        relay.kill()
        valkey._say(b"CLIENT", b"UNPAUSE")
        database.close()
        assert await in_the_outbox(services) == (f"shoot:{job_id}:1", None)
        assert await services.job_queue._redis.zcard("studio") == (0 if moment == "before it is in the queue" else 1)
    async with running(services.settings, "worker,notify"):
        await ends(services, job_id)
        assert await is_told(services.settings, job_id) == ["done"]
    assert sorted(times_drawn(drawn).values()) == [1, 1, 1]


async def test_a_queue_server_killed_and_emptied_again_and_again_loses_no_job(tmp_path: Path) -> None:
    config = make_settings(tmp_path)
    dice = random.Random(6)
    async with open_services(config) as services, running(config, "worker,notify"):
        someone = await person(services)
        valkey = EmbeddedValkey(config.data)
        placed = []
        for round_ in range(4):
            placed.append(await place(services, someone.id, shoot("slow" if round_ % 2 else "fast", count=2)))
            placed.append(await place(services, someone.id, Look("photos/0")))
            await asyncio.sleep(dice.uniform(0, 0.4))
            if round_ == 2:
                valkey._say(b"FLUSHALL")
            else:
                kill_queue_server(config)
            for job_id in placed:
                await ends(services, job_id)
        for job_id in placed:
            assert await is_told(config, job_id) == ["done"]


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
    tmp_path: Path, drawn: Path, hold: Hold, postgres: Postgres, on_s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(on_s3.port)
    async with await gate.listen() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await _goes_on_elsewhere(tmp_path, await postgres.new_database(), gate, hold)
    names = Counter(name.partition(" ")[2] for name in times_drawn(drawn).elements())
    assert names == {f"founder-{n:02d}": 1 for n in range(8)}, "what was mirrored is not drawn again"


async def _goes_on_elsewhere(tmp_path: Path, url: str, gate: Gate, hold: Hold) -> None:
    here, there = (
        make_settings(tmp_path, database_url=url, shelf_url="s3://shelf/x", work=tmp_path / name, mirror_s=0.2)
        for name in ("here", "there")
    )
    async with open_services(here) as services:
        someone = await person(services)
        async with running(here, "worker") as (killed,):
            job_id = await place(services, someone.id, shoot("held", count=8))
            await services.job_queue.send()

            async def mirrored() -> bool:
                files = services.blob_store.files_in(someone.id, f"shoots/{job_id}")
                return any([filed.name.endswith("founder-00.json") async for filed, _ in files])

            await until(mirrored)
            killed.kill()
            hold.let_go()
        gate.open = False
        async with running(there, "worker,notify") as (other,):
            await until(lambda: "job_waits" in other.log.read_text())
            gate.open = True
            await ends(services, job_id)
            assert await is_told(there, job_id) == ["done"]
        assert len(await galleries(services, someone.id, job_id)) == 8
