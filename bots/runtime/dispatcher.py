"""Between a chat platform, the dialogue and the studio.

    event or news -> [ load, advance, save, place orders ] -> errands -> the person, the job queue

What stands in brackets is one transaction of the database: an update that is delivered twice, or after a crash, has
its effect once. What follows from it (messages to send, photos to fetch) is saved with it as errands and struck
off when done, so a bot that is killed goes on where it was. Cards are edited by the message id the database knows;
a plain message may be sent again after a crash, a card and an order never twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bots.dialogue import buttons as b
from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.machine import advance
from bots.dialogue.menu import Menu
from bots.dialogue.text import say
from bots.platforms.base import Adapter, Contact
from bots.runtime.event_mapper import event_of
from bots.runtime.outbox import TRIES, Errands, First
from bots.runtime.session_store import Record, Records, errand
from jobs.privacy import pending_receipt
from jobs.queue import events
from jobs.services import Services
from jobs.storage import job_store
from jobs.storage.accounts import Account, Conflict, Gone, Transaction
from jobs.storage.job_store import Declined

log = logging.getLogger("atelier.bots")

_AT_ONCE = (fx.Consent, fx.Place, fx.Report)  # done inside the transaction


class Concierge:
    """One platform's front of house."""

    def __init__(self, services: Services, adapter: Adapter, menu: Menu) -> None:
        self._services, self._adapter, self._menu = services, adapter, menu
        self._database, self._job_queue, self._platform = services.database, services.job_queue, adapter.platform
        self._records = Records(adapter.platform, services.settings.retention_days)
        self._errands = Errands(services, adapter, menu, self._records, self.tell)

    # --- what comes in ---------------------------------------------------------------------------

    async def hear(self, contact: Contact, event: e.Event | str) -> None:
        """Take an event, or a button's data, from a person. Returns once its effect is safe; answering goes on."""
        toast: fx.Toast | None = None
        try:
            account, done = await self._commit(
                self._by(contact), self._first_time(contact), event, contact.language, contact.chat
            )
        except Gone:  # everything of theirs is being deleted right now
            await self._answer(contact, None)
            return
        if account.blocked:
            toast = fx.Toast(say(account.language or "en", "blocked.sorry"), alert=True)
            if not contact.tap:
                await self._adapter.show(contact.chat, fx.Say(toast.text), None, self._errands.loader(account.id))
        toasts = [reply for reply in done if isinstance(reply, fx.Toast)]
        await self._answer(contact, toasts[0] if toasts else toast)

    async def _answer(self, contact: Contact, toast: fx.Toast | None) -> None:
        if contact.tap:
            await self._adapter.answer(contact.tap, toast)

    def _by(self, contact: Contact) -> Callable[[Transaction], Awaitable[Account]]:
        return lambda tx: tx.account(self._platform, contact.user, contact.chat)

    def _first_time(self, contact: Contact) -> First | None:
        """How a transaction tells a repeated update; a platform that never repeats one has no key."""
        return (lambda tx: tx.first_seen(self._platform, contact.key)) if contact.key else None

    async def bring(self, job_event: events.JobEvent) -> bool:
        """Take news from the job queue; True when durable news is struck out, in the transaction of its effect."""
        event = event_of(job_event)
        if event is None:
            return False

        async def first_time(tx: Transaction) -> bool:
            return not job_event.id or await job_store.acknowledge(tx, job_event.id)

        try:
            account, _ = await self._commit(lambda tx: tx.account_of(job_event.account), first_time, event)
        except Gone:
            log.info("news_for_nobody", extra={"order": job_event.job_id})
            return False
        return not account.blocked

    async def tell(self, account: int, event: e.Event) -> None:
        """Take an event that came about in here: a photo that could not be fetched, a finished export."""
        await self._commit(lambda tx: tx.account_of(account), None, event)

    async def set_reachable(self, contact: Contact, reachable: bool) -> None:
        """Note that a person blocked the bot, or came back: then everything that waited is delivered."""
        async with self._database.write() as tx:
            account = await tx.account(self._platform, contact.user, contact.chat)
            await tx.set_reachable(account.id, self._platform, reachable)
            record, _ = await self._records.load(tx, account.id, contact.language)
        if reachable:
            self._errands.set_out(account.id, contact.chat, record)

    async def resume(self) -> None:
        """Go on with every errand that an earlier process left."""
        async with self._database.read() as tx:
            accounts = await tx.talking(self._platform)
            leaving = {one.account: one for one in await pending_receipt.pending(tx, self._platform)}
        for one in leaving.values():
            self._errands.take_leave(one)
        for account in accounts:
            if account in leaving:
                continue
            try:
                async with self._database.read() as tx:
                    record, _ = await self._records.load(tx, account)
                    chat = await self._chat(tx, account)
            except Gone:
                continue
            if record.errands and chat is not None:
                self._errands.set_out(account, chat, record)

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        await self._errands.settle()

    async def close(self) -> None:
        """Stop; what is under way is done by the next process."""
        await self._errands.close()

    # --- the transaction -------------------------------------------------------------------------

    async def _commit(
        self,
        who: Callable[[Transaction], Awaitable[Account]],
        first_time: First | None,
        event: e.Event | str,
        language: str = "en",
        chat: str | None = None,
    ) -> tuple[Account, tuple[fx.Reply, ...]]:
        """Advance one conversation by one event, durably. Returns the account and what was said."""
        for _ in range(TRIES):
            try:
                async with self._database.write(urgent=chat is not None) as tx:
                    account = await who(tx)
                    if account.blocked:
                        return account, ()
                    if first_time is not None and not await first_time(tx):
                        return account, ()
                    record, version = await self._records.known(tx, account.id, account.language or language)
                    record, replies = await self._step(tx, account.id, record, event)
                    await self._records.save(tx, account.id, record, version)
                    chat = chat or await self._chat(tx, account.id)
            except Conflict:
                continue
            if chat is not None:
                self._errands.set_out(account.id, chat, record)
            return account, replies
        raise Conflict(f"the conversation changed {TRIES} times while one event was handled")

    async def _step(
        self, tx: Transaction, account: int, record: Record, event: e.Event | str
    ) -> tuple[Record, tuple[fx.Reply, ...]]:
        """Let the dialogue answer, do what belongs into the transaction, and note the rest as errands."""
        tapped = isinstance(event, str)
        heard = b.decode(event, record.session.nonce) if isinstance(event, str) else event
        step = advance(record.session, heard, time.time(), self._menu)
        session, replies, wanted = step.session, list(step.replies), list(step.effects)
        job_ids = dict(record.job_ids)
        for effect in step.effects:
            if isinstance(effect, fx.Consent):
                await tx.consent(account, effect.version, effect.keep_days)
            elif isinstance(effect, fx.Report):
                await tx.note("report", {"text": effect.text}, account)
            elif isinstance(effect, fx.Place):
                accepted = await self._job_queue.place(account, effect.work, f"job:{effect.job}", self._platform, tx)
                if isinstance(accepted, Declined):
                    why = "limit" if accepted.reason == "too_many" else "full"
                    refused = advance(session, e.JobFailed(effect.job, why), time.time(), self._menu)
                    session, replies = refused.session, [*replies, *refused.replies]
                else:
                    job_ids[effect.job] = accepted.job_id
        if session.language != record.session.language:
            await tx.set_language(account, session.language)
        items: list[fx.Reply | fx.Effect] = [
            *(reply for reply in replies if not (isinstance(reply, fx.Toast) and tapped)),
            *(effect for effect in wanted if not isinstance(effect, _AT_ONCE)),
        ]
        errands = tuple(errand(number, item) for number, item in enumerate(items, record.last + 1))
        grown = replace(
            record,
            session=session,
            errands=(*record.errands, *errands),
            last=record.last + len(errands),
            job_ids=job_ids,
        )
        return grown, tuple(replies)

    async def _chat(self, tx: Transaction, account: int) -> str | None:
        """Return the chat to write to, None when the person cannot be reached."""
        found = [a for a in await tx.addresses(account) if a.platform == self._platform]
        return found[0].chat if found and found[0].reachable else None
