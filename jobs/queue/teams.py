"""What follows from a change in a team: its owner is told, and the sheet is made anew without what is out of it."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass

import structlog

from jobs.kinds.sheet import Sheet, file_of
from jobs.queue import events, job_store, outbox
from jobs.queue.arq_queue import JobQueue
from jobs.storage.base import Gone
from jobs.storage.blobs import BlobStore, BlobStoreDown
from jobs.storage.teams import Team
from jobs.storage.transaction import Transaction

log = structlog.get_logger("atelier.teams")


@dataclass(frozen=True, slots=True)
class Outdated:
    """A sheet that shows what is not released any more: whose blob store it is in, and its file."""

    account: int
    file: str


async def tell_owner(tx: Transaction, job_queue: JobQueue, team: Team, sheet: bool) -> Outdated | None:
    """Tell the owner how many are in it. sheet: something was released or taken out, the sheet is made anew.

    In the transaction of the change; return the sheet of before, for `take_down` after it. An owner who is being
    forgotten needs no sheet, and a job that waits will see this change.
    """
    outdated = None
    if sheet:
        outdated = Outdated(team.account, file_of(team.id, await tx.next_team_version(team.id) - 1))
    counts = await tx.team_counts(team.id)
    changed = events.TeamChanged(team.id, counts.members, counts.released, counts.version)
    await outbox.tell_account(tx, team.account, changed)
    tx.after.append(job_queue.wake)
    if sheet and not await job_store.waits(tx, team.account, Sheet(team.id)):
        with suppress(Gone):
            ref = f"team:{team.id}:{secrets.token_hex(4)}"
            await job_queue.place(team.account, Sheet(team.id), ref, team.platform, tx)
    return outdated


async def take_down(blob_store: BlobStore, outdated: Outdated | None) -> None:
    """Delete an outdated sheet at once; the job that makes the next one, which may have to wait, deletes it too."""
    if outdated is not None:
        try:
            await blob_store.delete(outdated.account, [outdated.file])
        except (BlobStoreDown, Gone) as error:
            log.warning("sheet_left_to_job", file=outdated.file, error=str(error))


async def leave(tx: Transaction, job_queue: JobQueue, account: int) -> Outdated | None:
    """Take an account out of its team, and what it had released off the sheet; return as `tell_owner`."""
    had_released = await tx.released_portrait(account)
    team = await tx.leave_team(account)
    return None if team is None else await tell_owner(tx, job_queue, team, sheet=bool(had_released))


async def end(tx: Transaction, job_queue: JobQueue, team: Team) -> None:
    """End a team, and tell those who were in it."""
    tx.after.append(job_queue.wake)
    for member in await tx.end_team(team.id):
        await outbox.tell_account(tx, member, events.TeamOver(team.id))
