"""The real studio behind the real queue: a sitting survives the death of its worker in the middle of it."""

import io
from pathlib import Path

import matplotlib.cbook
import pytest
from houses import Process, a_house, person, running, send_photo, state_of, told, until
from PIL import Image

from jobs import orders
from jobs.house import House, opened
from jobs.news import Step
from jobs.worker import CORE_STUDIO


def hopper() -> bytes:
    """Rear Admiral Grace Hopper, US Navy, public domain; matplotlib brings her along."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        return bytes(file.read())


async def done(house: House, order: int, within_s: float) -> None:
    async def over() -> bool:
        state = await state_of(house, order)
        assert state in ("queued", "running", "done"), state
        return state == "done"

    await until(over, within_s)


@pytest.mark.slow
async def test_a_real_photo_is_looked_at_shot_killed_half_way_edited_and_delivered_once(tmp_path: Path) -> None:
    config = a_house(tmp_path, lease_s=3.0)
    async with opened(config) as house, running(config, "worker,notify", studio=CORE_STUDIO) as processes:
        someone = await person(house, photos=0)
        await send_photo(house, someone.id, "photos/1", hopper())
        look = await house.desk.place(someone.id, orders.Look("photos/1"), "look", "telegram")
        await house.desk.send()
        await done(house, look.order, 60)  # type: ignore[union-attr]
        async with house.ledger.read() as page:
            (photo,) = await page.photos(someone.id)
        assert photo.facts["kept"], photo.facts
        assert photo.facts["missing"], "one photo is not every angle"

        sitting = orders.Shoot(("photos/1",), ("founder",), "business", count=2, seed=5, train=False)
        order = (await house.desk.place(someone.id, sitting, "go", "telegram")).order  # type: ignore[union-attr]
        await house.desk.send()

        async def half_way() -> bool:
            standing = await house.desk.where(someone.id, order)
            assert standing is not None
            assert standing.state in ("queued", "running"), standing
            where = standing.news
            return isinstance(where, Step) and where.stage.startswith("shoot") and where.step >= 1

        await until(half_way, 240)
        processes[0].kill()
        left = {f.name for f in config.work_folder.rglob("*.jpg")}
        processes[0] = Process(config, "worker,notify", CORE_STUDIO)
        await done(house, order, 240)
        async with house.ledger.read() as page:
            drawn = await page.portraits(someone.id, order)
            assert drawn, told(config)
            assert len(await page.sittings(someone.id)) == 1
        assert left & {Path(portrait.file).name for portrait in drawn}, "what was finished before the kill is delivered"
        edit = orders.Enhance(drawn[0].id, ("brighter",))
        edited = await house.desk.place(someone.id, edit, "edit", "telegram")
        await house.desk.send()
        await done(house, edited.order, 60)  # type: ignore[union-attr]
        async with house.ledger.read() as page:
            (child,) = await page.portraits(someone.id, edited.order)  # type: ignore[union-attr]
        assert child.parent == drawn[0].id
        before, after = [await house.shelf.get(someone.id, file) for file in (drawn[0].file, child.file)]
        assert Image.open(io.BytesIO(before)).size == Image.open(io.BytesIO(after)).size
        assert before != after
        await until(lambda: len(told(config)) >= 3)
    assert [line["word"] for line in told(config)] == ["done"] * 3
