"""What follows from a change in a team: its owner is told, and the sheet is made anew without what is out of it."""

from __future__ import annotations

import secrets
from contextlib import suppress

import structlog

from jobs.kinds.sheet import Sheet
from jobs.queue import events, outbox
from jobs.queue.arq_queue import JobQueue
from jobs.queue.job_store import Declined
from jobs.storage.base import Gone
from jobs.storage.teams import Team
from jobs.storage.transaction import Transaction

log = structlog.get_logger("atelier.teams")


async def tell_owner(tx: Transaction, job_queue: JobQueue, team: Team, sheet: bool) -> None:
    """Tell the owner how many are in it. sheet: something was released or taken out, the sheet is made anew.

    In the transaction of the change. An owner who is being forgotten needs no sheet.
    """
    counts = await tx.team_counts(team.id)
    await outbox.tell_account(tx, team.account, events.TeamChanged(team.id, counts.members, counts.released))
    tx.after.append(job_queue.wake)
    if not sheet:
        return
    with suppress(Gone):
        ref = f"team:{team.id}:{secrets.token_hex(4)}"
        placed = await job_queue.place(team.account, Sheet(team.id), ref, team.platform, tx)
        if isinstance(placed, Declined):
            log.warning("sheet_declined", team=team.id, reason=placed.reason)


async def leave(tx: Transaction, job_queue: JobQueue, account: int) -> None:
    """Take an account out of its team, and what it had released off the sheet."""
    had_released = await tx.released_portrait(account)
    team = await tx.leave_team(account)
    if team is not None:
        await tell_owner(tx, job_queue, team, sheet=bool(had_released))


async def end(tx: Transaction, job_queue: JobQueue, team: Team) -> None:
    """End a team, and tell those who were in it."""
    tx.after.append(job_queue.wake)
    for member in await tx.end_team(team.id):
        await outbox.tell_account(tx, member, events.TeamOver(team.id))
