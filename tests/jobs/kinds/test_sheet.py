"""A team's sheet: in whatever order its jobs run, end or are lost, no file shows what is not released any more."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from bots.dialogue import effects as fx
from bots.runtime.teams import TeamEffects
from jobs.kinds.base import Drawn
from jobs.kinds.look import Look
from jobs.kinds.sheet import file_of, folder_of
from jobs.kinds.shoot import Shoot
from jobs.privacy.forget import forget
from jobs.privacy.retention import sweep
from jobs.queue import events, job_store, teams
from jobs.queue.job_store import Claimed, Declined
from jobs.services import Services, open_services
from jobs.storage import schema as t
from jobs.storage.base import DAY_S
from jobs.storage.blobs import BlobStore
from jobs.storage.teams import Team
from jobs.worker.workspace import Workspace
from tests.chats import lay_database
from tests.live_services import make_settings, person


class SheetStudio:
    """Its sheet is the pictures' bytes in a row."""

    def sheet(self, pictures: Any, out: Path) -> dict[str, Any]:
        if pictures:
            out.write_bytes(b" ".join(pictures))
        return {"shown": len(pictures), "eye_line": 0.0, "head_height": 0.0, "backdrop": 0.0}


@dataclass
class Set:
    """A team of two, who have released a portrait each; its jobs are done by hand, step by step."""

    services: Services
    team: Team
    owner: int
    ben: int
    eva: int

    async def claims(self) -> Claimed:
        async with self.services.database.write() as tx:
            claimed = await job_store.claim_next(tx, "look", "here")
        assert claimed is not None
        return claimed

    def workspace(self, claimed: Claimed, folder: Path) -> Workspace:
        own = folder / claimed.token / f"{claimed.id}.{claimed.attempt}"
        return Workspace(self.services.blob_store, self.services.database, claimed.account, claimed.id, own)

    async def draws(self, claimed: Claimed, folder: Path) -> tuple[Workspace, dict[str, Any]]:
        """Prepare and run a job, as far as its publication."""
        workspace = self.workspace(claimed, folder)
        await workspace.inherit()
        await claimed.job.prepare(workspace)
        nothing: Any = lambda *_: None  # noqa: E731
        studio: Any = SheetStudio()
        return workspace, claimed.job.run(workspace.folder, studio, nothing, nothing, nothing)

    async def publishes(self, claimed: Claimed, workspace: Workspace, result: dict[str, Any]) -> dict[str, Any]:
        published = await claimed.job.publish(workspace, result)
        async with self.services.database.write() as tx:
            await job_store.finish(tx, claimed, (), published.facts)
        return published.facts

    async def is_done(self, folder: Path) -> dict[str, Any]:
        """Do the next job, whole."""
        claimed = await self.claims()
        return await self.publishes(claimed, *await self.draws(claimed, folder))

    async def takes_back(self, member: int) -> None:
        """Take back a portrait while the bot is too busy to delete the sheet: that is the job's to do then."""
        async with self.services.database.write() as tx:
            await tx.release(member, None)
            await teams.tell_owner(tx, self.services.job_queue, self.team, sheet=True)

    async def sheets(self) -> list[bytes]:
        return [data async for _, data in self.services.blob_store.files_in(self.owner, folder_of(self.team.id))]

    async def waiting(self) -> int:
        async with self.services.database.read() as tx:
            queued = select(t.jobs.c.id).where(t.jobs.c.kind == "sheet", t.jobs.c.state == "queued")
            return len((await tx.c.execute(queued)).all())


@pytest.fixture
async def team(tmp_path: Path) -> AsyncIterator[Set]:
    await lay_database(tmp_path)
    config = make_settings(tmp_path, redis_url=SecretStr("redis://127.0.0.1:9"))  # nothing is sent to a worker here
    async with open_services(config) as services:
        owner, ben, eva = [(await person(services, user, photos=0)).id for user in ("7", "9", "11")]
        async with services.database.write() as tx:
            opened = await tx.open_team(owner, "telegram", "founder", ())
        made = Set(services, opened, owner, ben, eva)
        for member, name in ((ben, b"ben"), (eva, b"eva")):
            async with services.database.write() as tx:
                await tx.join_team(member, opened.id)
                job = Shoot(photos=("photos/0",), styles=("founder",), count=1, train=False)
                await job_store.place(tx, member, job, f"job:{member}", "telegram", config)
                drawn = await job_store.claim_next(tx, "studio", "here")
                assert drawn is not None
                portrait = Drawn(f"shoots/{drawn.id}/p.jpg", "founder", {})
                done = await job_store.finish(tx, drawn, [portrait], {"folder": f"shoots/{drawn.id}"})
            assert done is not None
            await services.blob_store.put(member, portrait.file, name)
            await TeamEffects(services, "telegram", _nobody).do(member, fx.Release(done.portraits[0].id))
        yield made


async def _nobody(account: int, event: object) -> None:
    raise AssertionError(f"{event} is nobody's")


async def test_changes_that_nobody_began_to_draw_are_one_job(team: Set, tmp_path: Path) -> None:
    assert await team.waiting() == 1
    facts = await team.is_done(tmp_path)
    assert (facts["shown"], facts["file"], facts["outdated"]) == (2, file_of(team.team.id, 2), False)
    assert await team.sheets() == [b"ben eva"]


async def test_a_sheet_drawn_before_somebody_took_back_is_not_put(team: Set, tmp_path: Path) -> None:
    claimed = await team.claims()
    slow = await team.draws(claimed, tmp_path)
    await team.takes_back(team.ben)
    facts = await team.publishes(claimed, *slow)
    assert facts["outdated"]
    assert await team.sheets() == []
    assert (await team.is_done(tmp_path))["shown"] == 1
    assert await team.sheets() == [b"eva"]


async def test_a_sheet_that_is_put_while_somebody_takes_back_is_taken_away(
    team: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = BlobStore.put

    async def slow(self: BlobStore, account: int, name: str, data: bytes) -> Any:
        if name.startswith("teams/"):
            monkeypatch.setattr(BlobStore, "put", put)
            await team.takes_back(team.ben)
        return await put(self, account, name, data)

    monkeypatch.setattr(BlobStore, "put", slow)
    assert (await team.is_done(tmp_path))["outdated"]
    assert await team.sheets() == []


async def test_an_attempt_that_was_taken_from_its_worker_and_goes_on_leaves_the_newer_sheet(
    team: Set, tmp_path: Path
) -> None:
    lost = await team.claims()
    old = await team.draws(lost, tmp_path)
    async with team.services.database.write() as tx:
        assert await job_store.take_back(tx, lost.id, lost.attempt, strikes=9) == "queued"
    await team.takes_back(team.ben)
    assert await team.waiting() == 1, "the attempt that comes next sees the change"
    assert (await team.is_done(tmp_path / "another machine"))["shown"] == 1
    assert (await team.publishes(lost, *old))["outdated"]
    assert await team.sheets() == [b"eva"]
    async with team.services.database.read() as tx:
        told = (await tx.c.execute(select(t.outbox.c.body).where(t.outbox.c.type == "done"))).all()
    (done,) = [d for row in told if "version" in (d := events.from_json("done", row.body)).facts]  # type: ignore[union-attr]
    assert done.facts["shown"] == 1  # type: ignore[union-attr]


async def test_another_attempt_lays_nothing_of_what_was_taken_back_since(team: Set, tmp_path: Path) -> None:
    """Its folder is the earlier attempt's, with the portraits in it."""
    lost = await team.claims()
    await team.draws(lost, tmp_path)
    async with team.services.database.write() as tx:
        await job_store.release(tx, lost.id, lost.attempt)
    await team.takes_back(team.ben)
    assert (await team.is_done(tmp_path))["shown"] == 1
    assert await team.sheets() == [b"eva"]
    await team.takes_back(team.eva)
    facts = await team.is_done(tmp_path)
    assert (facts["shown"], facts["file"]) == (0, "")
    assert await team.sheets() == []


@pytest.mark.parametrize("how", ["takes back", "leaves", "joins another", "forgets", "expires"])
async def test_the_sheet_goes_at_once_though_no_worker_runs(team: Set, tmp_path: Path, how: str) -> None:
    await team.is_done(tmp_path)
    assert await team.sheets() == [b"ben eva"]
    effects = TeamEffects(team.services, "telegram", lambda *_: _told())
    if how == "takes back":
        await effects.do(team.ben, fx.Release(0))
    elif how == "leaves":
        await effects.do(team.ben, fx.LeaveTeam())
    elif how == "joins another":
        async with team.services.database.write() as tx:
            other = await tx.open_team(team.ben, "telegram", "founder", ())
        await effects.do(team.ben, fx.JoinTeam(other.code))
    elif how == "forgets":
        await forget(team.services, team.ben)
    else:
        async with team.services.database.write() as tx:
            await tx.consent(team.ben, 1, 1)
        await sweep(team.services, time.time() + 2 * DAY_S)
    assert await team.sheets() == []
    assert await team.waiting() == 1
    assert (await team.is_done(tmp_path))["shown"] == 1


async def _told() -> None:
    return None


async def test_a_sheet_is_never_declined(team: Set) -> None:
    limit = team.services.settings.look_per_account
    await team.claims()
    async with team.services.database.write() as tx:
        for number in range(limit):
            await team.services.job_queue.place(team.owner, Look("photos/1"), f"photo:{number}", "telegram", tx)
        declined = await team.services.job_queue.place(team.owner, Look("photos/1"), "photo:99", "telegram", tx)
    assert isinstance(declined, Declined)
    await team.takes_back(team.ben)
    assert await team.waiting() == 1


async def test_a_team_that_is_ended_once_more_after_a_kill_leaves_no_sheet(
    team: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed = await team.claims()
    late = await team.draws(claimed, tmp_path)
    await team.services.blob_store.put(team.owner, file_of(team.team.id, 2), b"ben eva")
    effects = TeamEffects(team.services, "telegram", _nobody)

    async def killed(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(BlobStore, "delete_folder", killed)
        with pytest.raises(KeyboardInterrupt):
            await effects.do(team.owner, fx.EndTeam(team.team.id))
    assert await team.sheets() != []
    await effects.do(team.owner, fx.EndTeam(team.team.id))
    assert await team.sheets() == []
    assert (await team.publishes(claimed, *late))["outdated"]
    assert await team.sheets() == []


async def test_the_owner_is_told_versions_that_count_up(team: Set) -> None:
    await team.takes_back(team.ben)
    async with team.services.database.read() as tx:
        x = t.outbox.c
        rows = (await tx.c.execute(select(x.body).where(x.type == "teamchanged").order_by(x.id))).all()
    told = [events.from_json("teamchanged", row.body) for row in rows]
    assert [(one.version, one.released) for one in told] == [(1, 1), (2, 2), (3, 1)]  # type: ignore[union-attr]
