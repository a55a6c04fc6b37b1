"""The real studio behind the real queue: a sitting survives the death of whoever works on it, at every stage."""

import asyncio
import io
import random
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from jobs.kinds.base import Job
from jobs.kinds.enhance import Enhance
from jobs.kinds.look import Look
from jobs.kinds.shoot import Shoot
from jobs.queue.events import Step
from jobs.services import Services, open_services
from jobs.settings import Settings
from jobs.storage import schema as t
from jobs.worker.worker import CORE_STUDIO
from tests import sitters
from tests.jobs.worker.test_kills import holder_of
from tests.live_servers import kill_queue_server
from tests.live_services import Process, make_settings, person, running, send_photo, told, until

SHORT_TRAINING = "tests.fakes.short_training:ShortTraining"
PATIENCE_S = 540.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1700)]


async def place(services: Services, account: int, job: Job) -> int:
    accepted = await services.job_queue.place(account, job, job.kind, "telegram")
    await services.job_queue.send()
    return accepted.job_id  # type: ignore[union-attr]


async def at_work(
    services: Services, job_id: int, workers: list[Process], there: Callable[[Step], bool]
) -> Process | None:
    """Wait until one of the workers has a job at some step; None when it was over before."""
    found: list[Process] = []

    async def seen() -> bool:
        status = await services.job_queue.status(1, job_id)
        assert status is not None
        assert status.state in ("queued", "running", "done"), status
        holder = await holder_of(services, job_id)
        if isinstance(status.payload, Step) and there(status.payload):
            found[:] = [worker for worker in workers if holder.endswith(f":{worker.pid}")]
        return status.state == "done" or bool(found)

    await until(seen, PATIENCE_S, every_s=0.2)  # each time it takes processor time from those it waits for
    return found[0] if found else None


async def done(services: Services, job_id: int) -> None:
    assert await at_work(services, job_id, [], lambda _: False) is None


def finished(services: Services) -> dict[str, tuple[int, int]]:
    """The portraits that lie finished in working folders: by name, which file it is and when it was written."""
    records = [file.with_suffix(".json") for file in services.settings.work_folder.glob("*/*/out/*.jpg")]
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in records if file.exists()}


def six_moments(dice: random.Random) -> list[tuple[Callable[[Step], bool], float]]:
    """Where a job of two portraits stands when a worker of it is killed, and how many seconds later.

    Each of the later ones lets the job get that far first; a portrait takes over a second, the first one of a process
    more. The last, while the gallery is written, is so short that it may be missed. `test_kills` has ten moments, with
    the quick studio.
    """
    claimed, checking, drawing, second, last = (
        lambda s: True,
        lambda s: s.stage != "",
        lambda s: s.stage.startswith(("shoot", "deliver", "publish")),
        lambda s: s.stage in ("deliver", "publish") or (s.stage.startswith("shoot") and s.step >= 1),
        lambda s: s.stage in ("deliver", "publish") or (s.stage.startswith("shoot") and s.step >= 2),
    )
    early = [(claimed, 0.6)] * 2 + [(checking, 0.8)]
    dice.shuffle(early)
    late = [(drawing, 1.0), (second, 0.8), (last, 0.0)]
    return [(there, dice.uniform(0, within)) for there, within in early + late]


def kill_one_of(others: list[Process], which: int, config: Settings) -> None:
    """Kill -9 the notifier, the relay or the queue server as well; each is there again at once."""
    if which == len(others):
        kill_queue_server(config)
        return
    others[which].kill()
    others[which] = Process(config, ("notify", "relay")[which])


async def test_a_real_photo_is_looked_at_shot_under_kills_at_every_stage_edited_and_delivered_once(
    tmp_path: Path,
) -> None:
    """Its worker is killed, and each time relay, notifier or queue server with it."""
    config = make_settings(tmp_path, queues="studio")
    async with open_services(config) as services, running(config, "notify", "relay") as others:
        someone = await person(services, photos=0)
        await send_photo(services, someone.id, "photos/1", sitters.encoded(sitters.frames()[0]))  # the smallest print
        async with running(config.model_copy(update={"queues": "look"}), "worker", studio=CORE_STUDIO):
            await done(services, await place(services, someone.id, Look("photos/1")))
            await until(lambda: len(told(config)) == 1)
        async with services.database.read() as tx:
            (photo,) = await tx.photos(someone.id)
        assert photo.facts["kept"], photo.facts
        assert photo.facts["missing"], "one photo is not every angle"

        async with running(config, "worker", "worker", studio=CORE_STUDIO) as workers:
            job_id = await place(
                services, someone.id, Shoot(("photos/1",), ("founder",), "business", count=2, seed=5, train=False)
            )
            made: dict[str, tuple[int, int]] = {}
            for kill, (there, later_s) in enumerate(six_moments(random.Random(3))):
                victim = await at_work(services, job_id, workers, there)
                if victim is None:
                    assert kill == 5, f"it was over before kill {kill + 1}"
                    break
                await asyncio.sleep(later_s)
                victim.kill()
                kill_one_of(others, kill % 3, config)
                now = finished(services)
                assert all(made[name] == file for name, file in now.items() if name in made), "drawn again"
                made |= now
                workers[workers.index(victim)] = Process(config, "worker", CORE_STUDIO)
            await done(services, job_id)
            assert made, "some were finished before the last kill"
            async with services.database.read() as tx:
                drawn = await tx.portraits(someone.id, job_id)
                assert len(await tx.sittings(someone.id)) == 1
            names = [portrait.file for portrait in drawn]
            assert 0 < len(set(names)) == len(names) <= 2

            edited = await place(services, someone.id, Enhance(drawn[0].id, ("brighter",)))
            await done(services, edited)
            async with services.database.read() as tx:
                (child,) = await tx.portraits(someone.id, edited)
            assert child.parent == drawn[0].id
            before, after = [await services.blob_store.get(someone.id, file) for file in (drawn[0].file, child.file)]
            assert Image.open(io.BytesIO(before)).size == Image.open(io.BytesIO(after)).size
            assert before != after
            await until(lambda: len(told(config)) >= 3)
    assert [line["word"] for line in told(config)] == ["done"] * 3


async def test_the_full_recipe_survives_a_kill_in_training_and_one_in_drawing(tmp_path: Path) -> None:
    """A sharp photo teaches, a small one of another angle needs what it taught: the LoRA is learnt and used."""
    clear = np.asarray(cv2.bilateralFilter(sitters.hopper(), 7, 45, 3), np.uint8)
    aside = cv2.resize(sitters.turned(clear, 18.0), None, fx=0.52, fy=0.52, interpolation=cv2.INTER_AREA)
    config = make_settings(tmp_path, queues="studio")
    async with open_services(config) as services, running(config, "notify"):
        someone = await person(services, photos=0)
        for name, rgb in (("photos/1", clear), ("photos/2", np.asarray(aside, np.uint8))):
            await send_photo(services, someone.id, name, sitters.encoded(rgb))
        async with running(config, "worker", "worker", studio=SHORT_TRAINING) as workers:
            job_id = await place(services, someone.id, Shoot(("photos/1", "photos/2"), ("founder",), count=1))
            victim = await at_work(services, job_id, workers, lambda s: s.stage == "train" and s.step > 5)
            assert victim is not None
            victim.kill()
            workers.remove(victim)
            victim = await at_work(services, job_id, workers, lambda s: s.stage == "train" and s.step > 0)
            went_on = await services.job_queue.status(someone.id, job_id)
            assert went_on is not None
            assert isinstance(went_on.payload, Step)
            assert went_on.payload.step > 5, "from the checkpoint, not from zero"
            workers.append(Process(config, "worker", SHORT_TRAINING))
            victim = await at_work(services, job_id, workers, lambda s: s.stage.startswith("shoot"))
            assert victim is not None
            victim.kill()
            await done(services, job_id)
            await until(lambda: bool(told(config)))
        async with services.database.read() as tx:
            assert len(await tx.portraits(someone.id, job_id)) == 1
            assert len(await tx.rows_of(t.identities, someone.id)) == 1
    (line,) = told(config)
    came_to = line["payload"]["facts"]["training"]
    assert (line["word"], came_to["used"], came_to["reason"], came_to["steps"]) == ("done", True, "no_proof", 20)
