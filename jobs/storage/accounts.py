"""What a transaction can do with accounts: addresses, consent, conversations, photos, portraits, reports.

    async with database.write() as tx:
        if await tx.first_seen("telegram", update_id):
            await tx.save_conversation(account, "telegram", data, version)
            accepted = await job_queue.place(account, job, ref, "telegram", tx)

Jobs have their own rules in `jobs.queue.job_store`. Chat addresses, conversations, message ids and reports are sealed
under the account's key: once that is destroyed they cannot be read, in a backup without the key neither.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import AtelierError
from jobs.storage import schema as t
from jobs.storage.keys import AccountKey, Keyring

DAY_S: Final = 86_400.0
BY_THE_SET: Final = frozenset({"other_person", "no_majority", "duplicate", "eyes_closed"})
"""Reasons of `core.intake.review.review`: they rest on the other photos, and may change with the next one
or without one."""


class Gone(AtelierError):
    """The account is deleted, or is being deleted; nothing more may be written for it."""


class Conflict(AtelierError):
    """Someone else saved the conversation first; read it again and apply the event to that."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a person can be written to: a platform and its user and chat ids, as the adapter gave them."""

    account: int
    platform: str
    user: str
    chat: str
    reachable: bool = True


@dataclass(frozen=True, slots=True)
class Account:
    """One person. token: the opaque word that files and logs know them by. consent: version in force, 0 for none."""

    id: int
    token: str
    language: str
    keep_days: int
    consent: int
    blocked: bool = False


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
    """What a shoot left: its job, its folder on the blob_store, the counts."""

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


@dataclass(frozen=True, slots=True)
class Report:
    """What a person wrote to the operator. token: the word the account is known by in logs and to `atelier forget`."""

    id: int
    account: int
    token: str
    text: str
    created_at: float


@dataclass(slots=True)
class Transaction:
    """One transaction. Functions given to `after` run once it is committed, and not when it fails."""

    c: AsyncConnection
    keyring: Keyring
    promised_days: int  # how many days a new account's things are kept, until its owner chooses
    after: list[Callable[[], None]] = field(default_factory=list)
    keys: dict[int, tuple[str, AccountKey]] = field(default_factory=dict)  # asked for once a transaction

    # --- people

    async def account(self, platform: str, user: str, chat: str) -> Account:
        """Find the account of a platform's user, or open one that is written to in that chat."""
        lookup = self.keyring.blind("address", platform, user)
        known = select(t.addresses.c.account_id).where(
            t.addresses.c.platform == platform, t.addresses.c.lookup == lookup
        )
        row = (await self.c.execute(known)).first()
        if row is None:
            try:
                async with self.c.begin_nested():
                    return await self._open_account(platform, lookup, [user, chat])
            except IntegrityError:  # the same person's other update was faster
                row = (await self.c.execute(known)).one()
        return await self.account_of(row[0])

    async def _open_account(self, platform: str, lookup: str, address: list[str]) -> Account:
        token = secrets.token_hex(16)
        values = {"token": token, "wrapped_key": self.keyring.new_key(token), "keep_days": self.promised_days}
        opened = insert(t.accounts).values(created_at=time.time(), **values).returning(t.accounts.c.id)
        account: int = (await self.c.execute(opened)).scalar_one()
        sealed = (await self.key(account))[1].seal(json.dumps(address).encode(), "address")
        await self.c.execute(
            insert(t.addresses).values(account_id=account, platform=platform, lookup=lookup, sealed=sealed)
        )
        return await self.account_of(account)

    async def account_of(self, account: int) -> Account:
        """Return an account by its number; raises Gone."""
        a = t.accounts.c
        consent = (
            select(func.max(t.consents.c.version))
            .where(t.consents.c.account_id == account, t.consents.c.withdrawn_at.is_(None))
            .scalar_subquery()
        )
        blocked = (
            select(func.count())
            .select_from(t.blocks.join(t.addresses, t.blocks.c.lookup == t.addresses.c.lookup))
            .where(t.addresses.c.account_id == account)
            .scalar_subquery()
        )
        found = select(
            a.id, a.token, a.language, a.keep_days, func.coalesce(consent, 0), blocked, a.wrapped_key, a.forgetting_at
        )
        row = (await self.c.execute(found.where(a.id == account, a.wrapped_key.is_not(None)))).first()
        if row is None:
            raise Gone(f"account {account} is deleted")
        if row.forgetting_at is None and account not in self.keys:
            self.keys[account] = (row.token, self.keyring.unwrap(row.token, row.wrapped_key))
        return Account(row[0], row[1], row[2], row[3], row[4], bool(row[5]))

    async def key(self, account: int) -> tuple[str, AccountKey]:
        """Return the account's token and its key; raises Gone once it is being deleted."""
        if account in self.keys:
            return self.keys[account]
        a = t.accounts.c
        row = (
            await self.c.execute(
                select(a.token, a.wrapped_key).where(
                    a.id == account, a.wrapped_key.is_not(None), a.forgetting_at.is_(None)
                )
            )
        ).first()
        if row is None:
            raise Gone(f"account {account} is deleted")
        self.keys[account] = (row[0], self.keyring.unwrap(row[0], row[1]))
        return self.keys[account]

    async def addresses(self, account: int) -> list[Address]:
        """Return where an account can be written to."""
        _, key = await self.key(account)
        rows = await self.c.execute(select(t.addresses).where(t.addresses.c.account_id == account))
        found = []
        for row in rows:
            user, chat = json.loads(key.open(row.sealed, "address"))
            found.append(Address(account, row.platform, user, chat, row.reachable))
        return found

    async def remember_address(self, account: int, platform: str, user: str, chat: str) -> None:
        """Note where a person wrote from: they are reachable, and the last chat is where they are written to."""
        _, key = await self.key(account)
        mine = (t.addresses.c.account_id == account, t.addresses.c.platform == platform)
        row = (await self.c.execute(select(t.addresses.c.sealed, t.addresses.c.reachable).where(*mine))).one()
        if row.reachable and json.loads(key.open(row.sealed, "address")) == [user, chat]:
            return
        sealed = key.seal(json.dumps([user, chat]).encode(), "address")
        await self.c.execute(update(t.addresses).where(*mine).values(sealed=sealed, reachable=True))

    async def set_reachable(self, account: int, platform: str, reachable: bool) -> None:
        """Note that a person blocked the bot, or came back."""
        where = (t.addresses.c.account_id == account, t.addresses.c.platform == platform)
        await self.c.execute(update(t.addresses).where(*where).values(reachable=reachable))

    async def set_language(self, account: int, language: str) -> None:
        """Keep the language a person chose."""
        await self.c.execute(update(t.accounts).where(t.accounts.c.id == account).values(language=language))

    async def block(self, platform: str, user: str, blocked: bool = True) -> None:
        """Put a platform's user on the operator's block list, or take them off; it outlives a deletion."""
        lookup = self.keyring.blind("address", platform, user)
        await self.c.execute(delete(t.blocks).where(t.blocks.c.platform == platform, t.blocks.c.lookup == lookup))
        if blocked:
            await self.c.execute(insert(t.blocks).values(platform=platform, lookup=lookup, at=time.time()))

    async def consent(self, account: int, version: int, keep_days: int) -> None:
        """Record what was agreed to and for how many days things are kept; saying it twice changes nothing."""
        await self.key(account)
        same = select(t.consents.c.id).where(
            t.consents.c.account_id == account, t.consents.c.version == version, t.consents.c.withdrawn_at.is_(None)
        )
        if (await self.c.execute(same)).first() is None:
            await self.c.execute(insert(t.consents).values(account_id=account, version=version, at=time.time()))
            await self.note("consent", {"version": version, "keep_days": keep_days}, account)
        await self.c.execute(update(t.accounts).where(t.accounts.c.id == account).values(keep_days=keep_days))
        for table in (t.photos, t.identities, t.sittings):  # the newest promise holds for what is there already
            own = update(table).where(table.c.account_id == account)
            await self.c.execute(own.values(expires_at=table.c.created_at + keep_days * DAY_S))

    async def withdraw_consent(self, account: int) -> None:
        """Record that consent was withdrawn."""
        open_ones = (t.consents.c.account_id == account, t.consents.c.withdrawn_at.is_(None))
        await self.c.execute(update(t.consents).where(*open_ones).values(withdrawn_at=time.time()))
        await self.note("consent_withdrawn", {}, account)

    async def add_report(self, account: int, text: str) -> None:
        """Keep what a person wrote to the operator, sealed under their key; raises Gone."""
        _, key = await self.key(account)
        sealed = key.seal(text.encode(), "report")
        await self.c.execute(insert(t.reports).values(account_id=account, sealed=sealed, created_at=time.time()))

    async def reports(self, unannounced: bool = False) -> list[Report]:
        """Return what people wrote to the operator, oldest first; or only what the operator's chat was not told yet."""
        r = t.reports.c
        found = select(t.reports, t.accounts.c.token).join(t.accounts, t.accounts.c.id == r.account_id).order_by(r.id)
        found = found.where(t.accounts.c.forgetting_at.is_(None))
        rows = (await self.c.execute(found.where(r.announced_at.is_(None)) if unannounced else found)).all()
        return [
            Report(
                row.id,
                row.account_id,
                row.token,
                (await self.key(row.account_id))[1].open(row.sealed, "report").decode(),
                row.created_at,
            )
            for row in rows
        ]

    async def announced(self, report: int) -> None:
        """Note that the operator's chat was told of a report."""
        await self.c.execute(update(t.reports).where(t.reports.c.id == report).values(announced_at=time.time()))

    # --- the conversation

    async def first_seen(self, platform: str, update_id: str) -> bool:
        """Say whether an update is new, and remember it: in the transaction of its effect, so both happen or none."""
        key = self.keyring.blind("update", platform, update_id)
        into = sqlite.insert if self.c.dialect.name == "sqlite" else postgresql.insert
        seen = into(t.seen_updates).values(platform=platform, key=key, at=time.time())
        return (await self.c.execute(seen.on_conflict_do_nothing())).rowcount > 0

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

    # --- what is kept

    async def add_photo(self, account: int, name: str, sha256: str, size: int) -> Photo:
        """Enter a photo that is on the blob store; the same name again is the same photo. Raises Gone."""
        found = [photo for photo in await self.photos(account) if photo.name == name]
        if found:
            return found[0]
        until = await self._keep_until(account)
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
                    expires_at=await self._keep_until(account),
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

    async def note(self, what: str, facts: dict[str, Any], account: int | None = None) -> None:
        """Write a line into the audit; the account's lines go when the account goes."""
        await self.c.execute(
            insert(t.audit).values(account_id=account, what=what, facts=json.dumps(facts), at=time.time())
        )

    async def _keep_until(self, account: int) -> float:
        return time.time() + (await self.account_of(account)).keep_days * DAY_S

    async def rows_of(self, table: Table, account: int) -> list[dict[str, Any]]:
        """Return an account's rows of a table as they stand, for an export."""
        rows = await self.c.execute(select(table).where(table.c.account_id == account).order_by(table.c.id))
        return [dict(row._mapping) for row in rows]
