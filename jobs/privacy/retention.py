"""Retention: what has expired is deleted, and interrupted deletions are finished.

A wall clock that jumps must not delete people's pictures. Every round compares how far the wall clock and the monotonic
clock have gone since the round before; when they disagree, that round deletes nothing. The first round after a start
only reads the clocks.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import dataclass
from typing import Final

import structlog
from redis.exceptions import RedisError
from sqlalchemy import delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from core.errors import AtelierError
from jobs.privacy import forget, pending_receipt
from jobs.queue import events, outbox, teams
from jobs.queue.outbox import ACTIVE
from jobs.services import Services
from jobs.storage import schema as t
from jobs.storage.base import DAY_S, Gone

log = structlog.get_logger("atelier.sweep")

ROUND_S: Final = 600.0
DELETION_RETRY_S: Final = 5.0  # first pause before an interrupted or failed deletion is gone on with
CLOCKS_AGREE_S: Final = 60.0
UPDATES_KEPT_S: Final = 14 * DAY_S  # no platform sends an update again after that
JOBS_KEPT_S: Final = 90 * DAY_S  # finished jobs without pictures, kept for the ETA and for /report
STRAGGLERS_S: Final = 120.0  # a file that was on its way when its account went has arrived by then


@dataclass(frozen=True, slots=True)
class Clocks:
    """Both clocks, read together."""

    wall: float
    monotonic: float

    def agree(self, later: Clocks) -> bool:
        """Say whether both have gone equally far since."""
        return abs((later.wall - self.wall) - (later.monotonic - self.monotonic)) < CLOCKS_AGREE_S


def read_clocks() -> Clocks:
    """Read both clocks."""
    return Clocks(time.time(), time.monotonic())


async def sweep_for_ever(services: Services) -> None:
    """Sweep every ten minutes, and finish interrupted deletions sooner, until cancelled."""
    async with asyncio.TaskGroup() as together:
        together.create_task(_sweep_rounds(services))
        together.create_task(finish_deletions(services))


async def finish_deletions(services: Services) -> None:
    """Go on with every deletion that was begun and not finished, with pauses that grow, until cancelled.

    Whatever fails, it is tried again, and one account's failure does not stop another's deletion.
    """
    failed: dict[int, tuple[int, float]] = {}  # account -> how often, and when it is tried again
    while True:
        try:
            accounts = await forget.unfinished(services)
        except (SQLAlchemyError, OSError) as error:
            log.warning("deletions_wait", error=type(error).__name__)
            accounts = []
        for account in accounts:
            times, due = failed.get(account, (0, 0.0))
            if time.monotonic() < due:
                continue
            try:
                await forget.forget(services, account)
                failed.pop(account, None)
            except Exception:
                wait_s = min(ROUND_S, DELETION_RETRY_S * 2.0**times)
                failed[account] = (times + 1, time.monotonic() + wait_s)
                log.exception("deletion_failed", account=account, again_in_s=wait_s)
        await asyncio.sleep(DELETION_RETRY_S)


async def _sweep_rounds(services: Services) -> None:
    before: Clocks | None = None
    while True:
        try:
            await _tidy_work_folder(services)
            now = read_clocks()
            if before is not None and before.agree(now):
                await sweep(services, now.wall)
            elif before is not None:
                log.warning("clock_jumped", by_s=round(now.wall - before.wall - (now.monotonic - before.monotonic)))
            before = now
        except (SQLAlchemyError, AtelierError, RedisError, OSError) as error:
            log.warning("sweep_waits", error=type(error).__name__, why=str(error))
        await asyncio.sleep(ROUND_S)


async def sweep(services: Services, now: float) -> dict[str, int]:
    """Delete what has expired by `now` (seconds since 1970); return how much of each."""
    counts: dict[str, int] = {}
    for account in await _accounts_with_expired(services, now):
        try:
            deleted = await _expire(services, account, now)
        except Gone:
            continue
        counts = {name: counts.get(name, 0) + deleted.get(name, 0) for name in counts.keys() | deleted.keys()}
    async with services.database.write() as tx:
        await tx.c.execute(delete(t.seen_updates).where(t.seen_updates.c.at < now - UPDATES_KEPT_S))
        o = t.jobs.c
        with_pictures = select(t.portraits.c.job_id).union(select(t.sittings.c.job_id))
        old = (o.finished_at < now - JOBS_KEPT_S, o.id.not_in(with_pictures))
        await tx.c.execute(delete(t.jobs).where(*old))
        if removed := await pending_receipt.remove_old(tx, now):
            counts["pending_receipts"] = removed
    await _sweep_stragglers(services, now)
    if counts:
        services.job_queue.wake()
        await services.database.forget_free_pages()
        log.info("swept", **counts)
    return counts


async def _accounts_with_expired(services: Services, now: float) -> list[int]:
    found: set[int] = set()
    async with services.database.read() as tx:
        for table in (t.photos, t.identities, t.sittings):
            rows = await tx.c.execute(select(table.c.account_id).where(table.c.expires_at <= now).distinct())
            found |= {row[0] for row in rows}
    return sorted(found)


async def _expire(services: Services, account: int, now: float) -> dict[str, int]:
    """Delete an account's expired files, then their rows, and tell the person; a kill in between repeats it."""
    due = {}
    async with services.database.read() as tx:
        await tx.key(account)
        for table in (t.photos, t.identities, t.sittings):
            mine = (table.c.account_id == account, table.c.expires_at <= now)
            due[table.name] = (await tx.c.execute(select(table).where(*mine))).all()
    await services.blob_store.delete(account, [row.name for row in due["photos"]])
    for row in (*due["identities"], *due["sittings"]):
        await services.blob_store.delete_folder(account, row.folder)
    counts: dict[str, int] = {}
    outdated = None
    async with services.database.write() as tx:
        sittings = [row.id for row in due["sittings"]]
        found = await tx.c.execute(select(t.portraits.c.id).where(t.portraits.c.sitting_id.in_(sittings)))
        portraits = tuple(sorted(row[0] for row in found))
        released = await tx.released_portrait(account)
        for table in (t.photos, t.identities, t.sittings):
            gone = delete(table).where(table.c.id.in_([row.id for row in due[table.name]]))
            if deleted := (await tx.c.execute(gone)).rowcount:
                counts[table.name] = deleted
        if counts:  # of several workers that sweep at once, one tells
            await tx.note("expired", counts, account)
            photos = tuple(row.name for row in due["photos"])
            await outbox.tell_account(tx, account, events.Expired(counts, photos, portraits))
        if released in portraits and (team := await tx.team_of_member(account)) is not None:
            outdated = await teams.tell_owner(tx, services.job_queue, team, sheet=True)
    await teams.take_down(services.blob_store, outdated)
    return counts


async def _sweep_stragglers(services: Services, now: float) -> None:
    """Look once more at the places of accounts that were deleted a while ago."""
    r = t.receipts.c
    async with services.database.read() as tx:
        due = select(r.token).where(r.swept_at.is_(None), r.at < now - STRAGGLERS_S)
        tokens = [row[0] for row in await tx.c.execute(due)]
    for token in tokens:
        await services.blob_store.delete_account(token)
        await asyncio.to_thread(shutil.rmtree, services.settings.work_folder / token, ignore_errors=True)
        async with services.database.write() as tx:
            await tx.c.execute(update(t.receipts).where(r.token == token).values(swept_at=now))


async def _tidy_work_folder(services: Services) -> None:
    """Delete working folders whose job is over: what a killed process could not clear away.

    First the folders, then the jobs: so a folder that is found here was claimed before the database is asked.
    """
    folders = await asyncio.to_thread(lambda: list(services.settings.work_folder.glob("*/*")))
    async with services.database.read() as tx:
        o = t.jobs.c
        active = select(t.accounts.c.token, o.id).join(t.accounts, t.accounts.c.id == o.account_id)
        rows = await tx.c.execute(active.where(o.state.in_(ACTIVE)))
        running = {f"{row[0]}/{row[1]}" for row in rows}
    for folder in folders:
        if f"{folder.parent.name}/{folder.name.partition('.')[0]}" not in running:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
