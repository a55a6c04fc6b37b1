"""Deletion of everything of one account, with a signed receipt.

First the account is closed, so that nothing new is written; then its jobs are stopped; then files and working folders
are deleted; then, in one transaction, its rows and its key; at last what databases keep of deleted rows. An interrupted
deletion is finished by `jobs.privacy.retention`. Doing it twice gives the same receipt.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from sqlalchemy import delete, func, insert, select, update

from jobs.privacy import pending_receipt
from jobs.queue import job_store, teams
from jobs.services import Services
from jobs.storage import schema as t
from jobs.storage.keys import signed_by

log = structlog.get_logger("atelier.forget")

LET_GO_S: Final = 20.0  # how long running work is waited for before its job is taken away from it
COUNTED: Final = (
    t.photos, t.identities, t.sittings, t.portraits, t.jobs, t.outbox, t.messages, t.conversations,
    t.consents, t.addresses, t.reports,
)  # fmt: skip
PLATFORM_KEEPS: Final = {
    "telegram": ("messages_you_sent", "messages_of_the_bot_older_than_48_hours", "files_you_downloaded"),
    "discord": ("messages_you_sent", "messages_of_the_bot_it_could_not_delete", "files_you_downloaded"),
    "console": ("pictures_saved_on_this_computer",),
}
"""What we cannot delete, as machine words; Telegram lets a bot delete its own messages for 48 hours."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of a deletion. body is canonical JSON, signature Ed25519 over its bytes, public_key base64."""

    body: str
    signature: str
    public_key: str

    @property
    def facts(self) -> dict[str, Any]:
        """What the body says."""
        facts: dict[str, Any] = json.loads(self.body)
        return facts

    @property
    def genuine(self) -> bool:
        """Say whether the signature fits."""
        return signed_by(self.public_key, self.body.encode(), self.signature)


async def forget(services: Services, account: int) -> Receipt | None:
    """Delete everything of an account; return the receipt, None when no such account was ever there."""
    token = await _close(services, account)
    if token is None:
        return await _receipt(services, account)
    await _stop_work(services, account)
    files = await services.blob_store.delete_account(token)
    await asyncio.to_thread(shutil.rmtree, services.settings.work_folder / token, ignore_errors=True)
    receipt = await _delete_rows(services, account, token, files)
    await services.database.forget_free_pages()
    log.info("forgotten", account=account, files=files)
    return receipt


async def unfinished(services: Services) -> list[int]:
    """Return accounts whose forgetting was interrupted."""
    async with services.database.read() as tx:
        rows = await tx.c.execute(select(t.accounts.c.id).where(t.accounts.c.forgetting_at.is_not(None)))
        return [row[0] for row in rows]


async def find(services: Services, who: str) -> int | None:
    """Return the account an operator means by `telegram:12345`, by its token, or by its number."""
    platform, _, user = who.partition(":")
    async with services.database.read() as tx:
        lookup = tx.keyring.blind("address", platform, user)
        by_address = select(t.addresses.c.account_id).where(
            t.addresses.c.platform == platform, t.addresses.c.lookup == lookup
        )
        a = t.accounts.c
        by_number = select(a.id).where((a.token == who) | (a.id == (int(who) if who.isdigit() else 0)))
        row = (await tx.c.execute(by_address if user else by_number)).first()
    return None if row is None else row[0]


async def _close(services: Services, account: int) -> str | None:
    """Let nothing new be written for the account and note whom to tell; return its token, None when there is none."""
    a, outdated = t.accounts.c, None
    async with services.database.write() as tx:
        found = select(a.token, a.forgetting_at).where(a.id == account).with_for_update()
        row = (await tx.c.execute(found)).first()
        if row is None:
            return None
        if row.forgetting_at is None:
            await pending_receipt.add_all(tx, account)
            if (own := await tx.team_of_owner(account)) is not None:
                await teams.end(tx, services.job_queue, own)
            outdated = await teams.leave(tx, services.job_queue, account)
            await tx.withdraw_consent(account)
            await tx.c.execute(update(t.accounts).where(a.id == account).values(forgetting_at=time.time()))
    await teams.take_down(services.blob_store, outdated)
    return str(row.token)


async def _stop_work(services: Services, account: int) -> None:
    """Cancel the account's jobs and wait until none runs."""
    o = t.jobs.c
    mine = select(t.jobs).where(o.account_id == account)
    async with services.database.write() as tx:
        rows = (await tx.c.execute(mine)).all()
        for row in rows:
            await job_store.cancel(tx, account, row.id)
    ends = time.monotonic() + LET_GO_S
    while time.monotonic() < ends:
        async with services.database.read() as tx:
            running = select(func.count()).select_from(t.jobs).where(o.account_id == account, o.state == "running")
            if not (await tx.c.execute(running)).scalar_one():
                return
        await asyncio.sleep(0.2)


async def _delete_rows(services: Services, account: int, token: str, files: int) -> Receipt:
    """Delete the account's rows and its key, and write the receipt, in one transaction."""
    async with services.database.write() as tx:
        there = select(t.accounts.c.id).where(t.accounts.c.id == account).with_for_update()
        if (await tx.c.execute(there)).first() is None:  # somebody else has just done it
            row = (await tx.c.execute(select(t.receipts).where(t.receipts.c.account == account))).one()
            return Receipt(row.body, row.signature, tx.keyring.public_key)
        deleted = {"files": files}
        for table in COUNTED:
            counted = select(func.count()).select_from(table).where(table.c.account_id == account)
            deleted[table.name] = (await tx.c.execute(counted)).scalar_one()
        own = t.addresses.c
        platforms = sorted(row[0] for row in await tx.c.execute(select(own.platform).where(own.account_id == account)))
        await tx.c.execute(update(t.accounts).where(t.accounts.c.id == account).values(wrapped_key=b"\0" * 60))
        await tx.c.execute(delete(t.accounts).where(t.accounts.c.id == account))
        facts = {
            "what": "atelier deletion receipt",
            "account": token,
            "deleted_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "deleted": deleted,
            "key_destroyed": True,
            "the_platform_still_holds": {name: PLATFORM_KEEPS.get(name, ()) for name in platforms},
        }
        body = json.dumps(facts, sort_keys=True, separators=(",", ":"))
        receipt = Receipt(body, tx.keyring.sign(body.encode()), tx.keyring.public_key)
        await tx.c.execute(
            insert(t.receipts).values(
                account=account, token=token, body=body, signature=receipt.signature, at=time.time()
            )
        )
    return receipt


async def _receipt(services: Services, account: int) -> Receipt | None:
    """Return the receipt of an account that is gone already."""
    async with services.database.read() as tx:
        row = (await tx.c.execute(select(t.receipts).where(t.receipts.c.account == account))).first()
        return None if row is None else Receipt(row.body, row.signature, tx.keyring.public_key)
