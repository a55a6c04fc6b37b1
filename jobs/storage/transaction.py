"""One transaction on the database, with everything it can do.

    async with database.write() as tx:
        if await tx.first_seen("telegram", update_id):
            await tx.save_conversation(account, "telegram", data, version)
            accepted = await job_queue.place(account, job, ref, "telegram", tx)

Jobs have their own rules in `jobs.queue.job_store`.
"""

from __future__ import annotations

from jobs.storage.conversations import Conversations
from jobs.storage.pictures import Pictures
from jobs.storage.teams import Teams


class Transaction(Conversations, Pictures, Teams):
    """Accounts, conversations, pictures and teams, read and written together or not at all."""

    __slots__ = ()
