"""Conversations: their saved state, the updates that were seen, the messages that were sent."""

from __future__ import annotations

import time

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from jobs.storage import schema as t
from jobs.storage.base import Conflict, OpenTransaction


class Conversations(OpenTransaction):
    """What a transaction can do with conversations."""

    __slots__ = ()

    async def first_seen(self, platform: str, update_id: str) -> bool:
        """Say whether an update is new, and remember it: in the transaction of its effect, so both happen or none."""
        key = self.keyring.blind("update", platform, update_id)
        into = sqlite.insert if self.c.dialect.name == "sqlite" else postgresql.insert
        seen = into(t.seen_updates).values(platform=platform, key=key, at=time.time())
        return (await self.c.execute(seen.on_conflict_do_nothing())).rowcount > 0

    async def last_seen(self, platform: str) -> float:
        """Return when the newest update came, in seconds since 1970, 0 before the first."""
        newest = select(func.max(t.seen_updates.c.at)).where(t.seen_updates.c.platform == platform)
        return (await self.c.execute(newest)).scalar() or 0.0

    async def conversation(self, account: int, platform: str) -> tuple[str, int]:
        """Return a conversation's data and version, ("", 0) before the first."""
        _, key = await self.key(account)
        where = (t.conversations.c.account_id == account, t.conversations.c.platform == platform)
        row = (await self.c.execute(select(t.conversations.c.sealed, t.conversations.c.version).where(*where))).first()
        return ("", 0) if row is None else (key.open(row[0], "conversation").decode(), row[1])

    async def talking(self, platform: str) -> list[int]:
        """Return every account that has a conversation there."""
        c = t.conversations.c
        rows = await self.c.execute(select(c.account_id).where(c.platform == platform).order_by(c.account_id))
        return [row[0] for row in rows]

    async def save_conversation(self, account: int, platform: str, data: str, version: int) -> int:
        """Save data over the version it was made from, return the new version; raises Conflict, Gone."""
        _, key = await self.key(account)
        c = t.conversations.c
        values = {"sealed": key.seal(data.encode(), "conversation"), "version": version + 1, "updated_at": time.time()}
        if version:
            where = (c.account_id == account, c.platform == platform, c.version == version)
            saved = (await self.c.execute(update(t.conversations).where(*where).values(**values))).rowcount
        else:
            try:
                async with self.c.begin_nested():
                    await self.c.execute(
                        insert(t.conversations).values(account_id=account, platform=platform, **values)
                    )
                saved = 1
            except IntegrityError:
                saved = 0
        if not saved:
            raise Conflict(f"the conversation of account {account} is not at version {version} any more")
        return version + 1

    async def remember_message(self, account: int, platform: str, slot: str, message: str) -> None:
        """Remember a sent message (JSON of chat and id); one with a slot takes the place of that card's older self."""
        _, key = await self.key(account)
        sealed = key.seal(message.encode(), "message")
        await self.c.execute(
            insert(t.messages).values(
                account_id=account, platform=platform, slot=slot, sealed=sealed, created_at=time.time()
            )
        )

    async def message(self, account: int, platform: str, slot: str) -> str | None:
        """Return the newest message of a card, None when it was never sent."""
        _, key = await self.key(account)
        m = t.messages.c
        newest = (
            select(m.sealed)
            .where(m.account_id == account, m.platform == platform, m.slot == slot)
            .order_by(m.id.desc())
            .limit(1)
        )
        row = (await self.c.execute(newest)).first()
        return None if row is None else key.open(row[0], "message").decode()

    async def messages(self, account: int, platform: str) -> list[str]:
        """Return every message the studio sent to this account there, oldest first."""
        _, key = await self.key(account)
        m = t.messages.c
        rows = await self.c.execute(
            select(m.sealed).where(m.account_id == account, m.platform == platform).order_by(m.id)
        )
        return [key.open(row[0], "message").decode() for row in rows]
