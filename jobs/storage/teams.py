"""Teams: one look that several people are drawn in, who is in it, and the one portrait each has released to the owner.

A person owns at most one team and is in at most one. Nothing of a member is the owner's but what is released, and that
only as long as it stays released: a deleted portrait, a member who left and one who is forgotten are out at once.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update

from jobs.storage import schema as t
from jobs.storage.accounts import Accounts

CODE_BYTES: Final = 6  # 48 random bits: guessing one of a million teams takes 2^28 tries
MOST_MEMBERS: Final = 60  # a sheet of more is no sheet


@dataclass(frozen=True, slots=True)
class Team:
    """account: the owner's. platform: where the owner is told. details: choices over the look's own, for everybody."""

    id: int
    account: int
    platform: str
    code: str
    look: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many are in a team, and how many have released a portrait; version: of what is released."""

    members: int
    released: int
    version: int


class Teams(Accounts):
    """What a transaction can do with teams."""

    __slots__ = ()

    async def open_team(self, account: int, platform: str, look: str, details: Sequence[tuple[str, str]]) -> Team:
        """Open a team for an owner; the one that is open already where there is one."""
        known = await self.team_of_owner(account)
        if known is not None:
            return known
        code = secrets.token_hex(CODE_BYTES)
        await self.c.execute(
            insert(t.teams).values(
                account_id=account, platform=platform, code=code, look=look, details=json.dumps(list(details)),
                created_at=time.time(),
            )
        )  # fmt: skip
        opened = await self.team_of_owner(account)
        assert opened is not None
        return opened

    async def team_of_owner(self, account: int) -> Team | None:
        """Return the team an account owns."""
        return await self._team(t.teams.c.account_id == account)

    async def team_of_code(self, code: str) -> Team | None:
        """Return the team of a code that somebody was given."""
        return await self._team(t.teams.c.code == code)

    async def team_of_member(self, account: int) -> Team | None:
        """Return the team an account is in."""
        m = t.team_members.c
        return await self._team(t.teams.c.id.in_(select(m.team_id).where(m.account_id == account)))

    async def _team(self, where: Any) -> Team | None:
        row = (await self.c.execute(select(t.teams).where(where))).first()
        if row is None:
            return None
        details = tuple((str(name), str(value)) for name, value in json.loads(row.details))
        return Team(row.id, row.account_id, row.platform, row.code, row.look, details)

    async def has_room(self, team: int) -> bool:
        """Say whether one more may join."""
        return (await self.team_counts(team)).members < MOST_MEMBERS

    async def join_team(self, account: int, team: int) -> None:
        """Put an account that is in no team into one."""
        await self.c.execute(insert(t.team_members).values(account_id=account, team_id=team, joined_at=time.time()))

    async def leave_team(self, account: int) -> Team | None:
        """Take an account, and what it had released, out of its team; return that team."""
        left = await self.team_of_member(account)
        await self.c.execute(delete(t.team_members).where(t.team_members.c.account_id == account))
        return left

    async def release(self, account: int, portrait: int | None) -> Team | None:
        """Release one of an account's portraits to its team, or none any more; return the team, if it is in one.

        A portrait that is not the account's own is none.
        """
        p, m = t.portraits.c, t.team_members.c
        own = select(p.id).where(p.id == (portrait or 0), p.account_id == account)
        number = (await self.c.execute(own)).scalar()
        await self.c.execute(update(t.team_members).where(m.account_id == account).values(portrait_id=number))
        return await self.team_of_member(account)

    async def released_portrait(self, account: int) -> int:
        """Return the id of the portrait an account has released, 0 for none."""
        m = t.team_members.c
        return (await self.c.execute(select(m.portrait_id).where(m.account_id == account))).scalar() or 0

    async def released(self, team: int) -> list[tuple[int, str]]:
        """Return account and file of every portrait that is released to a team, who joined first first."""
        m, p, a = t.team_members.c, t.portraits.c, t.accounts.c
        found = (
            select(p.account_id, p.file)
            .join(t.team_members, m.portrait_id == p.id)
            .join(t.accounts, a.id == p.account_id)
            .where(m.team_id == team, a.forgetting_at.is_(None))
            .order_by(m.id)
        )
        return [(row[0], row[1]) for row in await self.c.execute(found)]

    async def team_counts(self, team: int) -> Counts:
        """Count a team's members and what they have released."""
        m = t.team_members.c
        version = await self.team_version(team)
        counted = select(func.count(m.id), func.count(m.portrait_id)).where(m.team_id == team)
        members, released = (await self.c.execute(counted)).one()
        return Counts(members, released, version)

    async def team_version(self, team: int) -> int:
        """Return the version of what is released to a team, -1 when there is no such team any more."""
        found = (await self.c.execute(select(t.teams.c.version).where(t.teams.c.id == team))).scalar()
        return -1 if found is None else int(found)

    async def next_team_version(self, team: int) -> int:
        """Return the next version, which is the team's now: what is released to it has changed."""
        counted = update(t.teams).where(t.teams.c.id == team).values(version=t.teams.c.version + 1)
        return int((await self.c.execute(counted.returning(t.teams.c.version))).scalar_one())

    async def end_team(self, team: int) -> list[int]:
        """Delete a team; return the accounts that were in it."""
        m = t.team_members.c
        members = [row[0] for row in await self.c.execute(select(m.account_id).where(m.team_id == team))]
        await self.c.execute(delete(t.teams).where(t.teams.c.id == team))
        return members
