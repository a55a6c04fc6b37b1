"""What the database keeps of a conversation: its session, the errands left, the messages its cards are on."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from bots.dialogue import effects as fx
from bots.dialogue.context import new_session
from bots.dialogue.session import Session
from jobs.storage.accounts import Transaction

REMEMBERED = 2000  # conversations kept in memory between events


@dataclass(frozen=True, slots=True)
class Errand:
    """Something to do after the transaction: a reply to send or an order that is not the job queue's."""

    number: int
    word: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """What the database keeps of a conversation.

    job_ids: the queue's job id for each order of the conversation. cards: the handle of each card's message.
    """

    session: Session
    errands: tuple[Errand, ...] = ()
    last: int = 0
    job_ids: dict[int, int] = field(default_factory=dict)
    cards: dict[str, str] = field(default_factory=dict)


_RECORD: TypeAdapter[Record] = TypeAdapter(Record)
_ERRANDS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind)
    for kind in vars(fx).values()
    if isinstance(kind, type)
    and issubclass(kind, fx.Reply | fx.Effect)
    and kind not in {fx.Reply, fx.Reply | fx.Effect}
}


def errand(number: int, item: fx.Reply | fx.Effect) -> Errand:
    """Write a reply or an order down."""
    word = type(item).__name__
    return Errand(number, word, _ERRANDS[word].dump_python(item, mode="json"))


def item_of(errand: Errand) -> fx.Reply | fx.Effect:
    """Read what `errand` wrote down."""
    item: fx.Reply | fx.Effect = _ERRANDS[errand.word].validate_python(errand.body)
    return item


class Records:
    """The records of one platform, the newest of them in memory too."""

    def __init__(self, platform: str, keep_days: int) -> None:
        self._platform, self._keep_days = platform, keep_days
        self._newest: OrderedDict[int, tuple[Record, int]] = OrderedDict()

    async def load(self, tx: Transaction, account: int, language: str = "en") -> tuple[Record, int]:
        """Read a record, and the version it has; a new one for somebody new."""
        text, version = await tx.conversation(account, self._platform)
        if not text:
            return Record(
                replace(new_session(f"{account:x}", secrets.token_hex(2), language), keep_days=self._keep_days)
            ), 0
        return _RECORD.validate_json(text), version

    async def known(self, tx: Transaction, account: int, language: str = "en") -> tuple[Record, int]:
        """Return the record this process saved last; the version it is saved over tells when another was faster."""
        return self._newest.get(account) or await self.load(tx, account, language)

    async def save(self, tx: Transaction, account: int, record: Record, version: int) -> None:
        """Save a record; this process takes it for the newest once the transaction is committed."""
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
