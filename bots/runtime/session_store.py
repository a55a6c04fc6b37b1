"""What the database keeps of each conversation: its session, outbox entries that are left, messages of its cards."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from bots.dialogue import effects as fx
from bots.dialogue.context import new_session
from bots.dialogue.session import Session
from jobs.storage.transaction import Transaction

REMEMBERED = 2000  # conversations kept in memory between events


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A reply to show or an effect to do after the transaction. kind: its class's name; body: its fields."""

    number: int
    kind: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """What the database keeps of a conversation.

    outbox: what is not done yet, in order. last_entry: the highest number an entry ever had. job_ids: the queue's id
    for each job of the conversation. cards: the handle of each card's message, by slot.
    """

    session: Session
    outbox: tuple[OutboxEntry, ...] = ()
    last_entry: int = 0
    job_ids: dict[int, int] = field(default_factory=dict)
    cards: dict[str, str] = field(default_factory=dict)

    def with_entries(self, items: list[fx.Reply | fx.Effect]) -> Record:
        """Return the record with these added to its outbox."""
        entries = tuple(_entry(number, item) for number, item in enumerate(items, self.last_entry + 1))
        return replace(self, outbox=(*self.outbox, *entries), last_entry=self.last_entry + len(entries))


_RECORD: TypeAdapter[Record] = TypeAdapter(Record)
_KINDS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind)
    for kind in vars(fx).values()
    if isinstance(kind, type) and issubclass(kind, fx.Reply | fx.Effect) and kind not in {fx.Reply, fx.Effect}
}


def _entry(number: int, item: fx.Reply | fx.Effect) -> OutboxEntry:
    kind = type(item).__name__
    return OutboxEntry(number, kind, _KINDS[kind].dump_python(item, mode="json"))


def item_of(entry: OutboxEntry) -> fx.Reply | fx.Effect:
    """Return the reply or effect of an entry."""
    item: fx.Reply | fx.Effect = _KINDS[entry.kind].validate_python(entry.body)
    return item


class SessionStore:
    """The records of one platform's conversations, the newest of them in memory too."""

    def __init__(self, platform: str, keep_days: int) -> None:
        self._platform, self._keep_days = platform, keep_days
        self._newest: OrderedDict[int, tuple[Record, int]] = OrderedDict()

    async def load(self, tx: Transaction, account: int, language: str = "en") -> tuple[Record, int]:
        """Read a record and its version; somebody new gets a new record with version 0. Raises Gone."""
        text, version = await tx.conversation(account, self._platform)
        if not text:
            session = new_session(f"{account:x}", secrets.token_hex(2), language)
            return Record(replace(session, keep_days=self._keep_days)), 0
        return _RECORD.validate_json(text), version

    async def known(self, tx: Transaction, account: int, language: str = "en") -> tuple[Record, int]:
        """Return the record that this process saved last: saving over its version fails when another was faster."""
        return self._newest.get(account) or await self.load(tx, account, language)

    async def save(self, tx: Transaction, account: int, record: Record, version: int) -> None:
        """Save a record over the version it was made from. Raises Conflict, Gone."""
        self._newest.pop(account, None)
        text = _RECORD.dump_json(record).decode()
        saved = await tx.save_conversation(account, self._platform, text, version)

        def keep() -> None:
            self._newest[account] = (record, saved)
            while len(self._newest) > REMEMBERED:
                self._newest.popitem(last=False)

        tx.after.append(keep)

    def drop(self, account: int) -> None:
        """Keep nothing of an account in memory."""
        self._newest.pop(account, None)
