"""What the dialogue asks of teams, done in the database; and the invitation that a whole group reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from jobs.kinds.sheet import folder_of
from jobs.queue import teams
from jobs.services import Services
from jobs.storage.teams import Team

Tell = Callable[[int, e.Event], Awaitable[None]]
"""Lets the dialogue handle an event of an account that came about in here."""

TeamEffect = fx.OpenTeam | fx.EndTeam | fx.JoinTeam | fx.LeaveTeam | fx.Release


class TeamEffects:
    """Does the effects that are about teams."""

    def __init__(self, services: Services, platform: str, tell: Tell) -> None:
        self._database, self._blob_store, self._job_queue = services.database, services.blob_store, services.job_queue
        self._platform, self._tell = platform, tell

    async def do(self, account: int, effect: TeamEffect) -> None:
        """Do one, and tell the dialogue what it came to; done twice, it comes to the same."""
        match effect:
            case fx.OpenTeam():
                async with self._database.write() as tx:
                    team = await tx.open_team(account, self._platform, effect.look, effect.details)
                    members = (await tx.team_counts(team.id)).members
                await self._tell(account, e.TeamOpened(team.id, team.code, team.look, members))
            case fx.EndTeam():
                await self._end(account, effect.team)
            case fx.JoinTeam():
                await self._tell(account, await self._join(account, effect.code))
            case fx.LeaveTeam():
                async with self._database.write() as tx:
                    outdated = await teams.leave(tx, self._job_queue, account)
                await teams.take_down(self._blob_store, outdated)
            case fx.Release():
                await self._release(account, effect.portrait)

    async def _end(self, account: int, number: int) -> None:
        """End the team of this number. Its sheet goes also where an earlier try ended the team and got no further."""
        async with self._database.write() as tx:
            team = await tx.team_of_owner(account)
            if team is not None and team.id == number:
                await teams.end(tx, self._job_queue, team)
        await self._blob_store.delete_folder(account, folder_of(number))

    async def _join(self, account: int, code: str) -> e.TeamEntered:
        entered, outdated = await self._entered(account, code)
        await teams.take_down(self._blob_store, outdated)
        return entered

    async def _entered(self, account: int, code: str) -> tuple[e.TeamEntered, teams.Outdated | None]:
        async with self._database.write() as tx:
            team = await tx.team_of_code(code)
            old = await tx.team_of_member(account)
            if team is None or old == team:
                return _entered(team), None
            if not await tx.has_room(team.id):
                return _entered(None), None
            outdated = await teams.leave(tx, self._job_queue, account)
            await tx.join_team(account, team.id)
            await teams.tell_owner(tx, self._job_queue, team, sheet=False)
            return _entered(team), outdated

    async def _release(self, account: int, portrait: int) -> None:
        outdated = None
        async with self._database.write() as tx:
            before = await tx.released_portrait(account)
            team = await tx.release(account, portrait or None)
            if team is not None and before != await tx.released_portrait(account):
                outdated = await teams.tell_owner(tx, self._job_queue, team, sheet=True)
        await teams.take_down(self._blob_store, outdated)


def _entered(team: Team | None) -> e.TeamEntered:
    return e.TeamEntered(0) if team is None else e.TeamEntered(team.id, team.look, team.details)
