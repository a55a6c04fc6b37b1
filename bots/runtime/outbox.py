"""The outbox of one platform: replies are shown and effects are done, each until it is certain.

    record.outbox -> [ one task an account: replies in order ] -> acknowledged
                  -> [ one task an effect: fetch, discard, cancel, export, forget ] -> acknowledged

Entries are saved in the transaction of the event that caused them and taken out of the record when they are done
(acknowledged), so another process goes on where this one was killed. What fails is tried again by the clock, with
growing waits, and sooner when something new comes for the same account. An effect is never dropped. A reply that
failed `REPLY_TRIES` times for an unknown reason is logged and dropped, so that those behind it are shown.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

from bots.dialogue import effects as fx
from bots.platforms.base import NotNow, Unreachable
from bots.runtime.retry import TRANSIENT, Backoff, until_done, wait_after
from bots.runtime.session_store import Record, SessionStore, item_of
from jobs.services import Services
from jobs.storage.base import Conflict, Gone
from jobs.storage.transaction import Transaction

log = logging.getLogger("atelier.outbox")

AT_A_TIME = 3  # edits shown before they are acknowledged together: what a kill may repeat at most, or one new message
THROTTLE_S = 1.2  # between two edits of a card that reports progress: Telegram bears about one a second in a chat
SAVE_TRIES = 4  # when another process saved the conversation first
REPLY_TRIES = 3  # of a reply that fails for an unknown reason
LAST_WORDS_S = 10.0  # how long replies and exports under way may take before a deletion stops them
SENDING_S = 5.0  # how long what is being sent may take to arrive when replies are stopped

Show = Callable[[int, str, dict[str, str], fx.Reply, str], Awaitable[list[str]]]
"""Shows an account, in a chat, with the handles of its cards, a reply by its key; returns handles of new messages."""
Do = Callable[[int, str, int, fx.Effect, list[asyncio.Task[None]]], Coroutine[Any, Any, None]]
"""Does an account's effect, by chat and entry number, and acknowledges it; the tasks are effects it may wait for."""
Within = Callable[[Transaction, Record], Awaitable[None]]


@dataclass(slots=True)
class _Replies:
    """The replies of one account that are under way in this process.

    nonce: the session's, because entries are numbered anew after a deletion. done: entry number -> (slot, handle) of
    its messages, shown and not acknowledged yet. tried: entries that may have been shown without our knowledge. worded:
    entries of revocable cards that came without their pictures; their messages are known first (`unsaved`), and get
    them then.
    """

    chat: str
    cards: dict[str, str]
    nonce: str
    waiting: dict[int, fx.Reply] = field(default_factory=dict)
    done: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    tried: set[int] = field(default_factory=set)
    worded: set[int] = field(default_factory=set)
    unsaved: list[tuple[str, str]] = field(default_factory=list)
    failures: dict[int, int] = field(default_factory=dict)
    edited_at: dict[str, float] = field(default_factory=dict)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Outbox:
    """What is left to do of one platform's conversations."""

    def __init__(self, services: Services, platform: str, store: SessionStore, backoff: Backoff) -> None:
        self._database, self._platform, self._store, self._backoff = services.database, platform, store, backoff
        self._replies: dict[int, _Replies] = {}
        self._effects: dict[tuple[int, int], asyncio.Task[None]] = {}
        self._show: Show
        self._do: Do

    def connect(self, show: Show, do: Do) -> None:
        """Say who shows replies and who does effects."""
        self._show, self._do = show, do

    def start(self, account: int, chat: str, record: Record, reachable: bool = True, resumed: bool = False) -> None:
        """Begin the entries that are not under way; the replies of who cannot be reached wait in the record.

        resumed: what an earlier process left, which may have shown the first of them.
        """
        replies = self._replies.get(account) or _Replies(chat, dict(record.cards), record.session.nonce)
        replies.chat = chat
        for entry in record.outbox:
            if (account, entry.number) in self._effects or entry.number in replies.done:
                continue
            item = item_of(entry)
            if not isinstance(item, fx.Reply):
                before = [task for (whose, _), task in self._effects.items() if whose == account]
                self.begin(account, entry.number, self._do(account, chat, entry.number, item, before))
            elif reachable:
                replies.waiting.setdefault(entry.number, item)
        if resumed:
            replies.tried.update(sorted(replies.waiting)[:AT_A_TIME])
        if replies.waiting:
            self._replies[account] = replies
            replies.came.set()
            if replies.task is None:
                replies.task = asyncio.create_task(self._run(account, replies))

    async def acknowledge(
        self,
        account: int,
        numbers: Iterable[int],
        sent: Iterable[tuple[str, str]] = (),
        within: Within | None = None,
    ) -> None:
        """Take done entries out of the record and remember the messages they became, in one transaction.

        sent: (slot, handle) of messages. within: writes what belongs to them in the same transaction; what it raises
        undoes everything. Raises Conflict when others saved the conversation first each time, Gone.
        """
        numbers, sent = set(numbers), list(sent)
        for _ in range(SAVE_TRIES):
            try:
                async with self._database.write() as tx:
                    record, version = await self._store.known(tx, account)
                    if within is not None:
                        await within(tx, record)
                    for slot, handle in sent:
                        await tx.remember_message(account, self._platform, slot, handle)
                    left = tuple(entry for entry in record.outbox if entry.number not in numbers)
                    cards = record.cards | {slot: handle for slot, handle in sent if slot}
                    await self._store.save(tx, account, replace(record, outbox=left, cards=cards), version)
                return
            except Conflict:
                continue
        raise Conflict(f"the conversation changed {SAVE_TRIES} times while entries were acknowledged")

    async def stop(self, account: int) -> None:
        """Let an account's replies and exports end, then stop all that is under way for it; for a deletion."""
        me = asyncio.current_task()
        replies = self._replies.get(account)
        tasks = [task for (whose, _), task in self._effects.items() if whose == account and task is not me]
        tasks += [replies.task] if replies is not None and replies.task is not None else []
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_WORDS_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        while tasks := self._tasks():
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Stop; what is under way is done by the next process."""
        tasks = self._tasks()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [r.task for r in self._replies.values() if r.task is not None] + list(self._effects.values())

    # --- effects ---------------------------------------------------------------------------------

    def begin(self, account: int, number: int, effect: Coroutine[Any, Any, None]) -> None:
        """Do an account's effect in a task of its own."""
        self._effects[account, number] = asyncio.create_task(self._effect(account, number, effect))

    async def _effect(self, account: int, number: int, effect: Coroutine[Any, Any, None]) -> None:
        try:
            await effect
        except Gone:
            log.info("effect_for_nobody", extra={"account": account})
        except Unreachable:
            await self._note_unreachable(account)
        finally:
            self._effects.pop((account, number), None)

    async def _note_unreachable(self, account: int) -> None:
        """Note that a person blocked the bot: what is left waits in the record until they are back."""
        log.info("unreachable", extra={"account": account})

        async def note() -> None:
            async with self._database.write() as tx:
                await tx.set_reachable(account, self._platform, False)

        with suppress(Gone):
            await until_done("note_unreachable", note, self._backoff, final=(Gone,))

    # --- replies ---------------------------------------------------------------------------------

    async def _run(self, account: int, replies: _Replies) -> None:
        """Show an account's replies in order."""
        waits = self._backoff.waits()
        try:
            while replies.waiting or replies.done:
                try:
                    if await self._some(account, replies):
                        waits = self._backoff.waits()
                    elif replies.waiting:
                        await self._until_due(replies)
                except TRANSIENT as error:
                    wait_s = wait_after(error, next(waits))
                    extra = {"account": account, "error": type(error).__name__, "wait_s": wait_s}
                    log.warning("replies_wait", extra=extra)
                    await self._until_retry(replies, wait_s, asked_s=wait_after(error, 0.0))
        except Unreachable:
            await self._note_unreachable(account)
        except Gone:
            log.info("replies_for_nobody", extra={"account": account})
        finally:
            replies.task = None
            self._replies.pop(account, None)

    async def _some(self, account: int, replies: _Replies) -> bool:
        """Show the replies that are due, a few at a time, and acknowledge them; False when none was.

        A new message is acknowledged before anything else is shown: a kill between the two sends it once more.
        """
        for outdated in _outdated(replies):
            del replies.waiting[outdated]
            replies.done[outdated] = []
        if replies.unsaved:
            await self._save(account, replies)
        try:
            while len(replies.done) < AT_A_TIME and (number := _due(replies)) is not None:
                reply = replies.waiting[number]
                replies.tried.add(number)
                showing = asyncio.create_task(self._shown(account, replies, number, reply))
                stopped = not await _ended(showing)
                handles = showing.result()
                slot = reply.slot if isinstance(reply, fx.Card) else ""
                if slot and handles:
                    replies.cards[slot] = handles[-1]
                if handles and _lacks_pictures(reply) and number not in replies.worded:
                    replies.worded.add(number)
                    replies.unsaved += [(slot, handle) for handle in handles]
                    replies.waiting[number] = replace(reply, repost=False)
                else:
                    del replies.waiting[number]
                    replies.done[number] = [(slot, handle) for handle in handles]
                if stopped:
                    raise asyncio.CancelledError
                if handles:
                    break
        finally:
            some = await self._save(account, replies)
        return some

    async def _save(self, account: int, replies: _Replies) -> bool:
        """Acknowledge what was shown; False when nothing was."""
        sent = [*replies.unsaved, *(message for _, messages in sorted(replies.done.items()) for message in messages)]
        if not replies.done and not sent:
            return False
        await self.acknowledge(account, replies.done, sent)
        replies.done.clear()
        replies.unsaved.clear()
        return True

    async def _shown(self, account: int, replies: _Replies, number: int, reply: fx.Reply) -> list[str]:
        try:
            key = f"{replies.nonce}-{account:x}-{number}"
            return await self._show(account, replies.chat, replies.cards, reply, key)
        except (Unreachable, Gone, *TRANSIENT):
            raise
        except Exception as error:
            failures = replies.failures[number] = replies.failures.get(number, 0) + 1
            log.exception("reply_failed", extra={"account": account, "reply": type(reply).__name__, "try": failures})
            if failures < REPLY_TRIES:
                raise NotNow(f"{type(reply).__name__} failed") from error
            return []

    async def _until_due(self, replies: _Replies) -> None:
        """Wait for a new reply, or until a throttled card is due."""
        replies.came.clear()
        soonest = min((at + THROTTLE_S for at in replies.edited_at.values()), default=0.0) - time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.05, soonest)):
                await replies.came.wait()

    async def _until_retry(self, replies: _Replies, wait_s: float, asked_s: float) -> None:
        """Wait before the next try: as long as the platform asked for; less than `wait_s` when a new reply comes."""
        least_s = max(asked_s, self._backoff.first_s)
        await asyncio.sleep(least_s)
        replies.came.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, wait_s - least_s)):
                await replies.came.wait()


def _lacks_pictures(reply: fx.Reply) -> TypeGuard[fx.Card]:
    """Whether a reply that became a new message came without its pictures, see `Adapter.show`."""
    return isinstance(reply, fx.Card) and reply.revocable and bool(reply.pictures)


async def _ended(showing: asyncio.Task[list[str]]) -> bool:
    """Wait until a reply is shown or has failed; False when this was cancelled meanwhile.

    What is being sent arrives all the same, and a message whose handle nobody knows could never be deleted: after a
    cancellation it has SENDING_S more. Raises CancelledError when it needs longer, or failed.
    """
    try:
        await asyncio.wait([showing])
    except asyncio.CancelledError:
        await asyncio.wait([showing], timeout=SENDING_S)
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
        if showing.cancelled() or showing.exception() is not None:
            raise
        return False
    return True


def _due(replies: _Replies) -> int | None:
    """Return the first reply that is due: a throttled card waits until its last edit is a moment ago."""
    for number in sorted(replies.waiting):
        reply = replies.waiting[number]
        if isinstance(reply, fx.Card) and reply.throttled:
            early = time.monotonic() < replies.edited_at.get(reply.slot, 0.0) + THROTTLE_S
            if early and not _to_be_closed(replies.waiting, reply.slot):
                continue
            replies.edited_at[reply.slot] = time.monotonic()
        return number
    return None


def _outdated(replies: _Replies) -> list[int]:
    """List the throttled cards of which a newer state is waiting: nobody needs to see them.

    Not a new message that may have been sent already: shown again by its key it becomes known, and can be deleted.
    """
    cards = {number: item for number, item in sorted(replies.waiting.items()) if isinstance(item, fx.Card)}
    newest = {card.slot: number for number, card in cards.items()}
    return [
        number
        for number, card in cards.items()
        if card.throttled
        and not card.repost
        and newest[card.slot] != number
        and not (number in replies.tried and card.slot not in replies.cards)
    ]


def _to_be_closed(waiting: dict[int, fx.Reply], slot: str) -> bool:
    """Say whether a card's buttons are to be taken off: then it must be up to date before that."""
    return any(isinstance(reply, fx.Unbutton) and reply.slot == slot for reply in waiting.values())
