"""An open transaction: its connection, the accounts' keys that were asked for, and what runs once it is committed.

Chat addresses, conversations, message ids and reports are sealed under the account's key: once that is destroyed they
cannot be read, in a backup without the key neither.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import AtelierError
from jobs.storage import schema as t
from jobs.storage.keys import AccountKey, Keyring

DAY_S: Final = 86_400.0


class Gone(AtelierError):
    """The account is deleted, or is being deleted; nothing more may be written for it."""


class Conflict(AtelierError):
    """Someone else saved the conversation first; read it again and apply the event to that."""


@dataclass(slots=True)
class OpenTransaction:
    """What every part of a transaction has. Functions given to `after` run once it is committed, and not when it fails.

    promised_days: how many days a new account's things are kept, until its owner chooses. keys: account id -> token and
    key, each asked for once.
    """

    c: AsyncConnection
    keyring: Keyring
    promised_days: int
    after: list[Callable[[], None]] = field(default_factory=list)
    keys: dict[int, tuple[str, AccountKey]] = field(default_factory=dict)

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

    async def note(self, what: str, facts: dict[str, Any], account: int | None = None) -> None:
        """Write a line into the audit; the account's lines go when the account goes."""
        await self.c.execute(
            insert(t.audit).values(account_id=account, what=what, facts=json.dumps(facts), at=time.time())
        )

    async def rows_of(self, table: Table, account: int) -> list[dict[str, Any]]:
        """Return an account's rows of a table as they stand, for an export."""
        rows = await self.c.execute(select(table).where(table.c.account_id == account).order_by(table.c.id))
        return [dict(row._mapping) for row in rows]
