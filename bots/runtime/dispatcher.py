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
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from bots.dialogue import buttons as b
from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.machine import advance
from bots.dialogue.menu import Menu
from bots.dialogue.session import Session
from bots.dialogue.text import say, spoken
from bots.platforms.base import Adapter, Contact, NotNow, Unreachable
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


REMEMBERED = 5000  # updates in groups remembered as answered


class Concierge:
    """One platform's front of house."""

    def __init__(self, services: Services, adapter: Adapter, menu: Menu) -> None:
        self._services, self._adapter, self._menu = services, adapter, menu
        self._database, self._job_queue, self._platform = services.database, services.job_queue, adapter.platform
        self._records = Records(adapter.platform, services.settings.retention_days)
        self._errands = Errands(services, adapter, menu, self._records, self.tell)

        self._pointed_home: OrderedDict[tuple[str, str], None] = OrderedDict()

    # --- what comes in ---------------------------------------------------------------------------

    async def hear(self, contact: Contact, *happened: e.Event | str) -> None:
        """Take the events of one update, or a button's data. Returns once their effect is safe; answering goes on.

        A press is acknowledged before anything is read or written.
        """
        if contact.interaction:
            await self._adapter.acknowledge(contact)
        toast: fx.Toast | None = None
        try:
            toast = (
                await self._heard(contact, happened) if contact.private else await self._point_home(contact, happened)
            )
        finally:
            if contact.interaction:
                await self._adapter.answer(contact, toast)

    async def _heard(self, contact: Contact, happened: Sequence[e.Event | str]) -> fx.Toast | None:
        """Advance the owner's conversation; return what is to be said in passing."""
        try:
            account, done = await self._commit(
                self._by(contact), self._first_time(contact), happened, contact.language, contact
            )
        except Gone:  # everything of theirs is being deleted right now
            return None
        if account.blocked:
            sorry = fx.Toast(say(account.language or "en", "blocked.sorry"), alert=True)
            if not contact.interaction:
                await self._show(contact, sorry.text)
            return sorry
        return next((reply for reply in done if isinstance(reply, fx.Toast)), None)

    async def _point_home(self, contact: Contact, happened: Sequence[e.Event | str]) -> fx.Toast | None:
        """Answer where others read along with nothing but the way out of it, once for an album.

        Selfies are handled in private only: nothing of what was sent there is fetched, kept or written down.
        """
        album = next((event.album for event in happened if isinstance(event, e.PhotoSent)), "")
        key = (contact.owner, album or contact.key or contact.place)
        if key in self._pointed_home:
            return None
        self._pointed_home[key] = None
        while len(self._pointed_home) > REMEMBERED:
            self._pointed_home.popitem(last=False)
        text = say(spoken(contact.language), "group.private", link=self._adapter.home_link)
        if contact.interaction:
            return fx.Toast(text, alert=True)
        await self._show(contact, text)
        return None

    async def _show(self, contact: Contact, text: str) -> None:
        """Say something to somebody who has no conversation here."""

        async def no_picture(picture: fx.Picture) -> bytes:
            raise LookupError(picture.name)

        try:
            say_it = fx.Say(text, ephemeral=contact.ephemeral)
            await self._adapter.show(contact.place, say_it, None, no_picture)
        except (Unreachable, NotNow) as error:
            log.info("place_not_answered", extra={"error": type(error).__name__})

    def _by(self, contact: Contact) -> Callable[[Transaction], Awaitable[Account]]:
        return lambda tx: tx.account(self._platform, contact.owner, contact.home or contact.place)

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
            account, _ = await self._commit(lambda tx: tx.account_of(job_event.account), first_time, [event])
        except Gone:
            log.info("news_for_nobody", extra={"order": job_event.job_id})
            return False
        return not account.blocked

    async def tell(self, account: int, event: e.Event) -> None:
        """Take an event that came about in here: a photo that could not be fetched, a finished export."""
        await self._commit(lambda tx: tx.account_of(account), None, [event])

    async def set_reachable(self, contact: Contact, reachable: bool) -> None:
        """Note that a person blocked the bot, or came back: then everything that waited is delivered."""
        async with self._database.write() as tx:
            account = await self._by(contact)(tx)
            await tx.set_reachable(account.id, self._platform, reachable)
            record, _ = await self._records.load(tx, account.id, contact.language)
        if reachable:
            self._errands.set_out(account.id, contact.place, record)

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
        happened: Sequence[e.Event | str],
        language: str = "en",
        contact: Contact | None = None,
    ) -> tuple[Account, list[fx.Reply]]:
        """Advance one conversation by the events of one update, durably. Returns the account and what was said."""
        for _ in range(TRIES):
            try:
                async with self._database.write(urgent=contact is not None) as tx:
                    account = await who(tx)
                    if account.blocked:
                        return account, []
                    if first_time is not None and not await first_time(tx):
                        return account, []
                    record, version = await self._records.known(tx, account.id, account.language or language)
                    replies: list[fx.Reply] = []
                    for event in happened:
                        record, said = await self._step(tx, account.id, record, event, contact)
                        replies += said
                    await self._records.save(tx, account.id, record, version)
                    chat = contact.place if contact else await self._chat(tx, account.id)
            except Conflict:
                continue
            if chat is not None:
                self._errands.set_out(account.id, chat, record)
            return account, replies
        raise Conflict(f"the conversation changed {TRIES} times while one event was handled")

    async def _step(
        self, tx: Transaction, account: int, record: Record, event: e.Event | str, contact: Contact | None
    ) -> tuple[Record, tuple[fx.Reply, ...]]:
        """Let the dialogue answer, do what belongs into the transaction, and note the rest as errands."""
        heard = _pressed(event, record.session) if isinstance(event, str) else event
        step = advance(record.session, heard, time.time(), self._menu)
        in_passing = contact is not None and contact.interaction != ""
        session, replies, wanted = step.session, list(step.replies), list(step.effects)
        job_ids = dict(record.job_ids)
        for effect in step.effects:
            if isinstance(effect, fx.Consent):
                await tx.consent(account, effect.version, effect.keep_days)
            elif isinstance(effect, fx.Report):
                await tx.add_report(account, effect.text)
            elif isinstance(effect, fx.Place):
                accepted = await self._job_queue.place(account, effect.work, f"job:{effect.job}", self._platform, tx)
                if isinstance(accepted, Declined):
                    why = "limit" if accepted.reason == "too_many" else "full"
                    refused = advance(session, e.JobFailed(effect.job, why), time.time(), self._menu)
                    session, replies = refused.session, [*replies, *refused.replies]
                else:
                    job_ids[effect.job] = accepted.job_id
        if contact is not None and contact.ephemeral:
            replies = [replace(reply, ephemeral=True) for reply in replies]
        if session.language != record.session.language:
            await tx.set_language(account, session.language)
        items: list[fx.Reply | fx.Effect] = [
            *(reply for reply in replies if not (isinstance(reply, fx.Toast) and in_passing)),
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


def _pressed(data: str, session: Session) -> e.Event:
    """Read a button; one of another conversation, or of one that was forgotten, is nobody's to press."""
    read = b.decode(data)
    if isinstance(read, e.StaleButton):
        return read
    if (read.conversation, read.nonce) != (session.conversation, session.nonce):
        return e.StaleButton("other")
    return read.press
