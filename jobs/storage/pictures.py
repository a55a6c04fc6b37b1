"""What is kept of a person: photos, what was learnt of them, sittings, portraits; each with a date of deletion.

The files lie in the blob store (`jobs.storage.blobs`) under the names that stand here.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, insert, select, update

from jobs.storage import schema as t
from jobs.storage.accounts import Accounts

BY_THE_SET: Final = frozenset({"other_person", "no_majority", "duplicate", "eyes_closed"})
"""Reasons of `core.intake.review.review`: they rest on the other photos, and may change with the next one
or without one."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo on the blob store under `name`; facts is the verdict, empty before it was looked at."""

    id: int
    name: str
    sha256: str
    facts: dict[str, Any]

    @property
    def votes(self) -> bool:
        """Whether it has a say in who the person is: it is kept, or only the others of its set speak against it."""
        return bool(self.facts.get("kept")) or self.facts.get("reason") in BY_THE_SET


@dataclass(frozen=True, slots=True)
class Sitting:
    """What a shoot left: its job, its folder in the blob store, the counts."""

    id: int
    job_id: int
    folder: str
    facts: dict[str, Any]
    created_at: float


@dataclass(frozen=True, slots=True)
class Portrait:
    """A portrait on the blob store; parent is the portrait it was edited from, which makes the undo tree."""

    id: int
    sitting: int
    job_id: int
    parent: int | None
    file: str
    style: str
    facts: dict[str, Any]


class Pictures(Accounts):
    """What a transaction can do with photos, identities, sittings and portraits."""

    __slots__ = ()

    async def add_photo(self, account: int, name: str, sha256: str, size: int) -> Photo:
        """Enter a photo that is on the blob store; the same name again is the same photo. Raises Gone."""
        found = [photo for photo in await self.photos(account) if photo.name == name]
        if found:
            return found[0]
        until = await self.keep_until(account)
        row = await self.c.execute(
            insert(t.photos)
            .values(account_id=account, name=name, sha256=sha256, bytes=size, created_at=time.time(), expires_at=until)
            .returning(t.photos.c.id)
        )
        return Photo(row.scalar_one(), name, sha256, {})

    async def photos(self, account: int) -> list[Photo]:
        """Return the account's photos, oldest first."""
        rows = await self.c.execute(select(t.photos).where(t.photos.c.account_id == account).order_by(t.photos.c.id))
        return [Photo(row.id, row.name, row.sha256, json.loads(row.facts)) for row in rows]

    async def deleted_photos(self, digests: frozenset[str]) -> frozenset[str]:
        """Return those sha256 that no photo of an account has that is not being deleted."""
        a, p = t.accounts.c, t.photos.c
        kept = select(p.sha256).join(t.accounts, a.id == p.account_id).where(p.sha256.in_(digests))
        return digests - {row[0] for row in await self.c.execute(kept.where(a.forgetting_at.is_(None)))}

    async def judge_photo(self, account: int, name: str, facts: dict[str, Any]) -> None:
        """Write down what looking at a photo found."""
        where = (t.photos.c.account_id == account, t.photos.c.name == name)
        await self.c.execute(update(t.photos).where(*where).values(facts=json.dumps(facts)))

    async def drop_photo(self, account: int, name: str) -> bool:
        """Delete a photo's row; its file is deleted in the blob store. False when it was not there."""
        where = (t.photos.c.account_id == account, t.photos.c.name == name)
        return (await self.c.execute(delete(t.photos).where(*where))).rowcount > 0

    async def identity(self, account: int, digest: str) -> str | None:
        """Return the folder with what was learnt of a set of photos, None when it was not learnt yet."""
        where = (t.identities.c.account_id == account, t.identities.c.digest == digest)
        row = (await self.c.execute(select(t.identities.c.folder).where(*where))).first()
        return None if row is None else str(row[0])

    async def add_identity(self, account: int, digest: str, folder: str) -> None:
        """Enter what was learnt of a set of photos; the same set again is the same identity."""
        if await self.identity(account, digest) is None:
            await self.c.execute(
                insert(t.identities).values(
                    account_id=account,
                    digest=digest,
                    folder=folder,
                    created_at=time.time(),
                    expires_at=await self.keep_until(account),
                )
            )

    async def sittings(self, account: int) -> list[Sitting]:
        """Return the account's sittings, oldest first."""
        rows = await self.c.execute(
            select(t.sittings).where(t.sittings.c.account_id == account).order_by(t.sittings.c.id)
        )
        return [Sitting(r.id, r.job_id, r.folder, json.loads(r.facts), r.created_at) for r in rows]

    async def portraits(self, account: int, job_id: int | None = None) -> list[Portrait]:
        """Return the account's portraits, or those of one job, in the order they were delivered in."""
        p = t.portraits.c
        found = select(t.portraits).where(p.account_id == account).order_by(p.id)
        rows = await self.c.execute(found if job_id is None else found.where(p.job_id == job_id))
        return [Portrait(r.id, r.sitting_id, r.job_id, r.parent_id, r.file, r.style, json.loads(r.facts)) for r in rows]
