"""People: their account, addresses, language, consent, block and reports."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from jobs.storage import schema as t
from jobs.storage.base import DAY_S, Gone, OpenTransaction


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
class Report:
    """What a person wrote to the operator. token: the word the account is known by in logs and to `atelier forget`."""

    id: int
    account: int
    token: str
    text: str
    created_at: float


class Accounts(OpenTransaction):
    """What a transaction can do with accounts."""

    __slots__ = ()

    async def known_account(self, platform: str, user: str) -> Account | None:
        """Return the account of a platform's user, None of somebody who never wrote. Raises Gone."""
        row = (await self.c.execute(self._known(platform, self.keyring.blind("address", platform, user)))).first()
        return None if row is None else await self.account_of(row[0])

    def _known(self, platform: str, lookup: str) -> Select[int]:
        a = t.addresses.c
        return select(a.account_id).where(a.platform == platform, a.lookup == lookup)

    async def account(self, platform: str, user: str, chat: str) -> Account:
        """Find the account of a platform's user, or open one that is written to in that chat."""
        lookup = self.keyring.blind("address", platform, user)
        known = self._known(platform, lookup)
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

    async def keep_until(self, account: int) -> float:
        """Return when what is kept from now on is deleted, in seconds since the epoch."""
        return time.time() + (await self.account_of(account)).keep_days * DAY_S

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
