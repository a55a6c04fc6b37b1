"""Whom to tell of a deletion, in case the process that deletes the account is killed before it could.

Nothing else of a person outlives their deletion: chat, language and the ids of the bot's own messages, sealed under a
key of their own, from the start of the deletion until the receipt is delivered; after `KEPT_S` they are deleted.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import delete, insert, select

from jobs.storage import schema as t
from jobs.storage.base import DAY_S
from jobs.storage.transaction import Transaction

KEPT_S: Final = 2 * DAY_S  # as long as Telegram lets a bot take its own messages away
_PURPOSE: Final = "farewell"  # what rows are sealed for: must stay, else those of an earlier version are not told
_WRAPPED_BYTES: Final = 60  # of `jobs.storage.keys.Keyring.new_key`: nonce 12, key 32, tag 16


@dataclass(frozen=True, slots=True)
class PendingReceipt:
    """Whom to tell that they are forgotten. nonce: of the conversation's buttons; handles: of our messages in it."""

    account: int
    chat: str
    language: str
    nonce: str
    handles: tuple[str, ...]


async def add(tx: Transaction, platform: str, pending_receipt: PendingReceipt) -> None:
    """Note whom to tell; doing it twice is doing it once."""
    if any(known.account == pending_receipt.account for known in await pending(tx, platform)):
        return
    token = f"{_PURPOSE} {pending_receipt.account}"
    wrapped = tx.keyring.new_key(token)
    sealed = tx.keyring.unwrap(token, wrapped).seal(json.dumps(asdict(pending_receipt)).encode(), token)
    await tx.c.execute(
        insert(t.pending_receipts).values(
            account=pending_receipt.account, platform=platform, sealed=wrapped + sealed, created_at=time.time()
        )
    )


async def pending(tx: Transaction, platform: str) -> list[PendingReceipt]:
    """Return who is still to be told on a platform."""
    f = t.pending_receipts.c
    rows = await tx.c.execute(
        select(t.pending_receipts).where(f.platform == platform, f.created_at > time.time() - KEPT_S)
    )
    found = []
    for row in rows:
        token = f"{_PURPOSE} {row.account}"
        key = tx.keyring.unwrap(token, row.sealed[:_WRAPPED_BYTES])
        facts = json.loads(key.open(row.sealed[_WRAPPED_BYTES:], token))
        nonce = facts.get("nonce") or facts["mark"]  # an earlier version's word
        told = PendingReceipt(facts["account"], facts["chat"], facts["language"], nonce, tuple(facts["handles"]))
        found.append(told)
    return found


async def add_all(tx: Transaction, account: int) -> None:
    """Note that a person is to be told on every platform they are known on."""
    about = await tx.account_of(account)
    for address in await tx.addresses(account):
        handles = tuple(await tx.messages(account, address.platform))
        told = PendingReceipt(account, address.chat, about.language or "en", secrets.token_hex(2), handles)
        await add(tx, address.platform, told)


async def remove(tx: Transaction, platform: str, account: int) -> None:
    """Delete a pending receipt: it was told."""
    f = t.pending_receipts.c
    await tx.c.execute(delete(t.pending_receipts).where(f.platform == platform, f.account == account))


async def remove_old(tx: Transaction, now: float) -> int:
    """Delete every one that could not be told for `KEPT_S` by now; return how many."""
    return (
        await tx.c.execute(delete(t.pending_receipts).where(t.pending_receipts.c.created_at <= now - KEPT_S))
    ).rowcount
