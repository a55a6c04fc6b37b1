"""Between a chat platform, the dialogue and the studio.

    event or news -> [ load, advance, save, place orders ] -> errands -> the person, the desk

What stands in brackets is one transaction of the ledger: an update that is delivered twice, or after a crash, has
its effect once. What follows from it (messages to send, photos to fetch) is saved with it as errands and struck
off when done, so a bot that is killed goes on where it was. Cards are edited by the message id the ledger knows;
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
from jobs.services import House
from jobs.storage import job_store
from jobs.storage.accounts import Account, Conflict, Gone, Page
from jobs.storage.job_store import Declined

log = logging.getLogger("atelier.bots")

_AT_ONCE = (fx.Consent, fx.Place, fx.Report)  # done inside the transaction


class Concierge:
    """One platform's front of house."""

    def __init__(self, house: House, adapter: Adapter, menu: Menu) -> None:
        self._house, self._adapter, self._menu = house, adapter, menu
        self._ledger, self._desk, self._platform = house.ledger, house.desk, adapter.platform
        self._records = Records(adapter.platform, house.settings.retention_days)
        self._errands = Errands(house, adapter, menu, self._records, self.tell)

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

    def _by(self, contact: Contact) -> Callable[[Page], Awaitable[Account]]:
        return lambda page: page.account(self._platform, contact.user, contact.chat)

    def _first_time(self, contact: Contact) -> First | None:
        """How a page tells an update that was taken already; a platform that never repeats one has no key for it."""
        return (lambda page: page.first_seen(self._platform, contact.key)) if contact.key else None

    async def bring(self, notice: events.Notice) -> bool:
        """Take news from the desk; True when durable news is struck out, in the transaction of its effect."""
        event = event_of(notice)
        if event is None:
            return False

        async def first_time(page: Page) -> bool:
            return not notice.id or await job_store.delivered(page, notice.id)

        try:
            account, _ = await self._commit(lambda page: page.account_of(notice.account), first_time, event)
        except Gone:
            log.info("news_for_nobody", extra={"order": notice.order})
            return False
        return not account.blocked

    async def tell(self, account: int, event: e.Event) -> None:
        """Take an event that came about in here: a photo that could not be fetched, a finished export."""
        await self._commit(lambda page: page.account_of(account), None, event)

    async def set_reachable(self, contact: Contact, reachable: bool) -> None:
        """Note that a person blocked the bot, or came back: then everything that waited is delivered."""
        async with self._ledger.write() as page:
            account = await page.account(self._platform, contact.user, contact.chat)
            await page.set_reachable(account.id, self._platform, reachable)
            record, _ = await self._records.load(page, account.id, contact.language)
        if reachable:
            self._errands.set_out(account.id, contact.chat, record)

    async def resume(self) -> None:
        """Go on with every errand that an earlier process left."""
        async with self._ledger.read() as page:
            accounts = await page.talking(self._platform)
            leaving = {one.account: one for one in await pending_receipt.promised(page, self._platform)}
        for one in leaving.values():
            self._errands.take_leave(one)
        for account in accounts:
            if account in leaving:
                continue
            try:
                async with self._ledger.read() as page:
                    record, _ = await self._records.load(page, account)
                    chat = await self._chat(page, account)
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
        who: Callable[[Page], Awaitable[Account]],
        first_time: First | None,
        event: e.Event | str,
        language: str = "en",
        chat: str | None = None,
    ) -> tuple[Account, tuple[fx.Reply, ...]]:
        """Advance one conversation by one event, durably. Returns the account and what was said."""
        for _ in range(TRIES):
            try:
                async with self._ledger.write(urgent=chat is not None) as page:
                    account = await who(page)
                    if account.blocked:
                        return account, ()
                    if first_time is not None and not await first_time(page):
                        return account, ()
                    record, version = await self._records.known(page, account.id, account.language or language)
                    record, replies = await self._step(page, account.id, record, event)
                    await self._records.save(page, account.id, record, version)
                    chat = chat or await self._chat(page, account.id)
            except Conflict:
                continue
            if chat is not None:
                self._errands.set_out(account.id, chat, record)
            return account, replies
        raise Conflict(f"the conversation changed {TRIES} times while one event was handled")

    async def _step(
        self, page: Page, account: int, record: Record, event: e.Event | str
    ) -> tuple[Record, tuple[fx.Reply, ...]]:
        """Let the dialogue answer, do what belongs into the transaction, and note the rest as errands."""
        tapped = isinstance(event, str)
        heard = b.decode(event, record.session.nonce) if isinstance(event, str) else event
        step = advance(record.session, heard, time.time(), self._menu)
        session, replies, wanted = step.session, list(step.replies), list(step.effects)
        tickets = dict(record.tickets)
        for effect in step.effects:
            if isinstance(effect, fx.Consent):
                await page.consent(account, effect.version, effect.keep_days)
            elif isinstance(effect, fx.Report):
                await page.note("report", {"text": effect.text}, account)
            elif isinstance(effect, fx.Place):
                ticket = await self._desk.place(account, effect.work, f"job:{effect.job}", self._platform, page)
                if isinstance(ticket, Declined):
                    why = "limit" if ticket.reason == "too_many" else "full"
                    refused = advance(session, e.JobFailed(effect.job, why), time.time(), self._menu)
                    session, replies = refused.session, [*replies, *refused.replies]
                else:
                    tickets[effect.job] = ticket.order
        if session.language != record.session.language:
            await page.set_language(account, session.language)
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
            tickets=tickets,
        )
        return grown, tuple(replies)

    async def _chat(self, page: Page, account: int) -> str | None:
        """Return the chat to write to, None when the person cannot be reached."""
        found = [a for a in await page.addresses(account) if a.platform == self._platform]
        return found[0].chat if found and found[0].reachable else None
