"""Expiring: what has passed its day goes, and its owner is told."""

import asyncio

import pytest
from sqlalchemy import select

from jobs.privacy import retention
from jobs.queue import events
from jobs.services import Services
from jobs.storage import schema as t
from jobs.storage.base import DAY_S
from tests.live_services import person, until, working
from tests.lives import lived


async def test_two_workers_that_sweep_at_once_tell_once(either: Services) -> None:
    await person(either)
    late = retention.read_clocks().wall + 40 * DAY_S
    await asyncio.gather(retention.sweep(either, late), retention.sweep(either, late))
    async with either.database.read() as tx:
        assert (await tx.c.execute(select(t.outbox.c.type))).scalars().all() == ["expired"]


async def test_what_has_expired_goes_and_its_owner_is_told_and_what_has_not_stays(services: Services) -> None:
    async with working(services) as front:
        account = await lived(services, "1")
        other = await lived(services, "2")
        async with services.database.write() as tx:
            await tx.consent(other, 1, 30)
            await tx.consent(account, 1, 7)
            photos = tuple(photo.name for photo in await tx.photos(account))
            portraits = tuple(sorted(portrait.id for portrait in await tx.portraits(account)))
        now = retention.read_clocks().wall
        assert await retention.sweep(services, now + 6 * DAY_S) == {}
        assert await retention.sweep(services, now + 8 * DAY_S) == {"photos": 1, "sittings": 1}
        assert await retention.sweep(services, now + 8 * DAY_S) == {}
        await until(lambda: any(isinstance(n.payload, events.Expired) for n in front.told))
        told = [n for n in front.told if isinstance(n.payload, events.Expired)]
        assert [n.account for n in told] == [account]
        assert told[0].payload == events.Expired({"photos": 1, "sittings": 1}, photos, portraits), "by name"
        async with services.database.read() as tx:
            assert (await tx.photos(account), await tx.portraits(account)) == ([], [])
            assert len(await tx.portraits(other)) == 3
            token = (await tx.account_of(account)).token
    assert not [f for f in (services.settings.data / "shelf" / "a" / token).rglob("*") if f.is_file()]


async def test_a_clock_that_jumps_deletes_nothing(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    someone = await person(services)
    readings = iter([(0.0, 0.0), (600.0, 600.0), (600.0 + 400 * DAY_S, 1200.0), (-9e9, 1800.0), (2400.0, 2400.0)])
    true = retention.read_clocks()

    def read_clocks() -> retention.Clocks:
        wall, monotonic = next(readings)
        return retention.Clocks(true.wall + wall, true.monotonic + monotonic)

    monkeypatch.setattr(retention, "read_clocks", read_clocks)
    monkeypatch.setattr(retention, "ROUND_S", 0.01)
    with pytest.raises(RuntimeError):  # the readings are used up
        await retention._sweep_rounds(services)
    async with services.database.read() as tx:
        assert len(await tx.photos(someone.id)) == 1


async def test_clocks_that_agree_do_delete(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    someone = await person(services)
    true = retention.read_clocks()
    readings = iter([40 * DAY_S, 40 * DAY_S + 600])

    def read_clocks() -> retention.Clocks:
        later = next(readings)
        return retention.Clocks(true.wall + later, true.monotonic + later)

    monkeypatch.setattr(retention, "read_clocks", read_clocks)
    monkeypatch.setattr(retention, "ROUND_S", 0.01)
    with pytest.raises(RuntimeError):
        await retention._sweep_rounds(services)
    async with services.database.read() as tx:
        assert await tx.photos(someone.id) == []
