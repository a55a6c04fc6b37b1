"""Between a chat platform, the dialogue and the jobs.

    update or job event -> [ load, advance, save, place jobs ] -> outbox -> the person, the job queue

What stands in brackets is one transaction of the database: an update that is delivered twice, or after a crash, has
its effect once. What follows from it (messages to send, photos to fetch) is saved with it in the outbox and
acknowledged when done, so a bot that is killed goes on where it was. Cards are edited by the message id the database
knows; a plain message may be sent again after a crash, a card and a job never twice.

Here are the rules that hold on every platform: a press is acknowledged before anything is read or written, updates of
a person are handled one after the other, photos only in private, buttons only for their owner.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Final

from prometheus_client import Counter

from bots.dialogue import buttons as b
from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.machine import Step, advance
from bots.dialogue.menu import Menu
from bots.dialogue.screens import teams
from bots.dialogue.session import Session
from bots.dialogue.text import said_or, say, spoken
from bots.platforms.base import Adapter, Contact, NotNow, Unreachable
from bots.runtime.deletion import Deletion
from bots.runtime.event_mapper import event_of
from bots.runtime.executor import Executor
from bots.runtime.outbox import SAVE_TRIES, Outbox
from bots.runtime.retry import TRANSIENT, Backoff, until_done
from bots.runtime.session_store import Record, SessionStore
from jobs.queue import events, outbox
from jobs.queue.job_store import Declined
from jobs.services import Services
from jobs.storage.accounts import Account, Address
from jobs.storage.base import Conflict, Gone
from jobs.storage.transaction import Transaction

log = logging.getLogger("atelier.dispatcher")

FAILED: Final = Counter("atelier_events_failed_total", "Events of people that could not be handled", ["platform"])
DELETIONS_S: Final = 15.0  # how often deletions that another process began are looked for
REMEMBERED: Final = 5000  # updates in groups remembered as answered
EVENT_TRIES: Final = 3  # of an event that fails for an unknown reason
EVENTS: Final = Backoff(first_s=0.5, factor=2.0, most_s=10.0)  # a person waits
_AT_ONCE: Final = (fx.Consent, fx.Place, fx.Report)  # done inside the transaction

FirstTime = Callable[[Transaction], Awaitable[bool]]


class Dispatcher:
    """Everything that happens on one platform goes through here."""

    def __init__(self, services: Services, adapter: Adapter, menu: Menu, backoff: Backoff | None = None) -> None:
        self._adapter, self._menu, self._platform = adapter, menu, adapter.platform
        self._database, self._job_queue = services.database, services.job_queue
        backoff = backoff or Backoff()
        self._store = SessionStore(adapter.platform, services.settings.retention_days)
        self._outbox = Outbox(services, adapter.platform, self._store, backoff)
        self._deletion = Deletion(services, adapter, menu, self._store, self._outbox, backoff)
        executor = Executor(services, adapter, self._store, self._outbox, self._deletion, self.tell, backoff)
        self._outbox.connect(executor.show, executor.do)
        self._pointed_home: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._handling: dict[str, tuple[asyncio.Lock, int]] = {}

    # --- what comes in ---------------------------------------------------------------------------

    async def hear(self, contact: Contact, *happened: e.Event | str) -> None:
        """Take the events of one update, or a button's data. Returns once their effect is safe; answering goes on.

        A press is acknowledged at once, before anything is read or written, and keeps its place among what the person
        does: a message that comes while the platform takes the acknowledgement is handled after it.
        """
        acknowledged = asyncio.create_task(self._acknowledge(contact))
        in_public = contact.ephemeral or not contact.private
        answer, has_account = (self._heard, True) if contact.private else (self._point_home, False)
        if in_public and any(isinstance(event, e.TeamAsked) and not event.code for event in happened):
            answer, has_account = self._invite, False
        async with self._one_at_a_time(contact.owner):
            await acknowledged
            toast, safe = await self._until_safe(contact, partial(answer, contact, happened))
            if contact.interaction:  # before the next update, which may ask for every message to be deleted
                said = await self._adapter.answer(contact, toast)
                await self._deletion.remember(contact, [said] if said is not None else [], safe and has_account)

    async def _acknowledge(self, contact: Contact) -> None:
        if contact.interaction:
            await self._adapter.acknowledge(contact)

    @asynccontextmanager
    async def _one_at_a_time(self, owner: str) -> AsyncIterator[None]:
        """Wait for a person's earlier updates; different people are handled in parallel."""
        lock, waiting = self._handling.get(owner, (asyncio.Lock(), 0))
        self._handling[owner] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._handling[owner]
            self._handling[owner] = (lock, waiting - 1)
            if waiting == 1:
                del self._handling[owner]

    async def _until_safe(
        self, contact: Contact, handle: Callable[[], Awaitable[fx.Toast | None]]
    ) -> tuple[fx.Toast | None, bool]:
        """Handle an update until its effect is safe; return what is to be said in passing, and whether it is safe.

        What passes by itself (a locked database) is waited for. An update that fails `EVENT_TRIES` times for an unknown
        reason is counted and logged without its content, and the person is told.
        """
        unknown = 0
        for wait_s in EVENTS.waits():
            try:
                return await handle(), True
            except TRANSIENT as error:
                log.warning("event_waits", extra={"error": type(error).__name__, "wait_s": wait_s})
            except Exception:
                unknown += 1
                log.exception("event_failed", extra={"update": contact.key, "try": unknown})
                if unknown == EVENT_TRIES:
                    break
            await asyncio.sleep(wait_s)
        FAILED.labels(self._platform).inc()
        return await self._told(contact, say(spoken(contact.language), "failed.other")), False

    async def _heard(self, contact: Contact, happened: Sequence[e.Event | str]) -> fx.Toast | None:
        """Advance the owner's conversation; return what is to be said in passing."""
        try:
            account, done = await self._commit(
                self._by(contact), self._first_time(contact), happened, contact.language, contact
            )
        except Gone:  # everything of theirs is being deleted right now
            return None
        if account.blocked:
            return await self._told(contact, say(account.language or "en", "blocked.sorry"))
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
        return await self._told(contact, say(spoken(contact.language), "group.private", link=self._adapter.home_link))

    async def _invite(self, contact: Contact, happened: Sequence[e.Event | str]) -> fx.Toast | None:
        """Post the invitation to one's own team where a whole group reads it; nothing else of the owner is shown there.

        Not by the conversation: its replies go to the private chat, and none of them may come here.
        """
        async with self._database.read() as tx:
            account = await tx.known_account(self._platform, contact.owner)
            team = await tx.team_of_owner(account.id) if account is not None and not account.blocked else None
        language = spoken(contact.language)
        if account is None or team is None:
            return await self._told(contact, say(language, "team.none_to_invite", link=self._adapter.home_link))
        look = said_or(language, f"style.{team.look}.title", "value.other", value=self._menu.look(team.look).title)
        invitation = teams.invitation(language, team.code, look, self._adapter.limits)
        try:
            handles = await self._adapter.show(contact.place, invitation, None, _no_picture)
        except Unreachable as error:
            log.info("place_not_answered", extra={"error": type(error).__name__})
            return None
        await self._deletion.remember(contact, handles)
        return None

    async def _told(self, contact: Contact, text: str) -> fx.Toast | None:
        """Return what answers an interaction in passing; where there is none to answer, say it."""
        if contact.interaction:
            return fx.Toast(text, alert=True)
        await self._show(contact, text)
        return None

    async def _show(self, contact: Contact, text: str) -> None:
        """Say something to somebody who has no conversation here."""
        try:
            say_it = fx.Say(text, ephemeral=contact.ephemeral)
            handles = await self._adapter.show(contact.place, say_it, None, _no_picture)
        except (Unreachable, NotNow) as error:
            log.info("place_not_answered", extra={"error": type(error).__name__})
        else:
            await self._deletion.remember(contact, handles)

    def _by(self, contact: Contact) -> Callable[[Transaction], Awaitable[Account]]:
        """Return what finds the account of who wrote; writing makes a person reachable, at the chat they wrote from."""

        async def find(tx: Transaction) -> Account:
            chat = contact.home or contact.place
            account = await tx.account(self._platform, contact.owner, chat)
            await tx.remember_address(account.id, self._platform, contact.owner, chat)
            return account

        return find

    def _first_time(self, contact: Contact) -> FirstTime | None:
        """How a transaction tells a repeated update; a platform that never repeats one has no key."""
        return (lambda tx: tx.first_seen(self._platform, contact.key)) if contact.key else None

    async def bring(self, job_event: events.JobEvent) -> bool:
        """Take an event of the job queue; True when a durable one is acknowledged, in the transaction of its effect."""
        event = event_of(job_event)
        if event is None:
            return False

        async def first_time(tx: Transaction) -> bool:
            return not job_event.id or await outbox.acknowledge(tx, job_event.id)

        try:
            account, _ = await self._commit(lambda tx: tx.account_of(job_event.account), first_time, [event])
        except Gone:
            log.info("event_for_nobody", extra={"job": job_event.job_id})
            return False
        return not account.blocked

    async def tell(self, account: int, event: e.Event) -> None:
        """Take an event that came about in here: a photo that could not be fetched, a finished export."""
        await self._commit(lambda tx: tx.account_of(account), None, [event])

    async def set_reachable(self, contact: Contact, reachable: bool) -> None:
        """Note that a person blocked the bot, or came back: then everything that waited is delivered."""

        async def note() -> None:
            async with self._database.write() as tx:
                account = await self._by(contact)(tx)
                await tx.set_reachable(account.id, self._platform, reachable)
                record, _ = await self._store.load(tx, account.id, contact.language)
            self._outbox.start(account.id, contact.home or contact.place, record, reachable)

        with suppress(Gone):
            await until_done("set_reachable", note, EVENTS, final=(Gone,))

    async def resume(self) -> None:
        """Go on with everything that an earlier process left."""
        left = await self._resume_deletions()
        async with self._database.read() as tx:
            accounts = await tx.talking(self._platform)
        for account in sorted(set(accounts) - left):
            try:
                async with self._database.read() as tx:
                    record, _ = await self._store.load(tx, account)
                    address = await self._address(tx, account)
            except Gone:
                continue
            if record.outbox and address is not None:
                self._outbox.start(account, address.chat, record, address.reachable, resumed=True)

    async def watch_deletions(self) -> None:
        """Tell those whose account the operator deletes, until cancelled."""
        while True:
            await asyncio.sleep(DELETIONS_S)
            with suppress(*TRANSIENT):
                await self._resume_deletions()

    async def _resume_deletions(self) -> set[int]:
        """Finish every deletion that nobody is at work on; return the accounts."""
        left = await self._deletion.left()
        for wished in left:
            self._outbox.begin(wished.account, 0, self._deletion.finish(wished))
        return {wished.account for wished in left}

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        await self._outbox.drain()

    async def close(self) -> None:
        """Stop; what is under way is done by the next process."""
        await self._outbox.close()

    # --- the transaction -------------------------------------------------------------------------

    async def _commit(
        self,
        who: Callable[[Transaction], Awaitable[Account]],
        first_time: FirstTime | None,
        happened: Sequence[e.Event | str],
        language: str = "en",
        contact: Contact | None = None,
    ) -> tuple[Account, list[fx.Reply]]:
        """Advance one conversation by the events of one update, durably. Returns the account and what was said."""
        for _ in range(SAVE_TRIES):
            try:
                async with self._database.write(urgent=contact is not None) as tx:
                    account = await who(tx)
                    if account.blocked:
                        return account, []
                    if first_time is not None and not await first_time(tx):
                        return account, []
                    record, version = await self._store.known(tx, account.id, account.language or language)
                    replies: list[fx.Reply] = []
                    for event in happened:
                        record, said = await self._step(tx, account.id, record, event, contact)
                        replies += said
                    await self._store.save(tx, account.id, record, version)
                    address = None if contact else await self._address(tx, account.id)
            except Conflict:
                continue
            if contact is not None:
                self._outbox.start(account.id, contact.place, record)
            elif address is not None:
                self._outbox.start(account.id, address.chat, record, address.reachable)
            return account, replies
        raise Conflict(f"the conversation changed {SAVE_TRIES} times while one event was handled")

    async def _step(
        self, tx: Transaction, account: int, record: Record, event: e.Event | str, contact: Contact | None
    ) -> tuple[Record, tuple[fx.Reply, ...]]:
        """Let the dialogue answer, do what belongs into the transaction, and put the rest into the outbox."""
        step = self._advance(record.session, event)
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
                    refused = self._advance(session, e.JobFailed(effect.job, why))
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
        return replace(record, session=session, job_ids=job_ids).with_entries(items), tuple(replies)

    def _advance(self, session: Session, event: e.Event | str) -> Step:
        """Let the dialogue answer; a button that it cannot make sense of is refused kindly."""
        if not isinstance(event, str):
            return advance(session, event, time.time(), self._menu, self._adapter.limits)
        try:
            return advance(session, _pressed(event, session), time.time(), self._menu, self._adapter.limits)
        except Exception:
            log.exception("button_refused")
            return advance(session, e.StaleButton("torn"), time.time(), self._menu, self._adapter.limits)

    async def _address(self, tx: Transaction, account: int) -> Address | None:
        """Return where an account is written to on this platform."""
        return next((a for a in await tx.addresses(account) if a.platform == self._platform), None)


async def _no_picture(picture: fx.Picture) -> bytes:
    raise LookupError(picture.name)


def _pressed(data: str, session: Session) -> e.Event:
    """Read a button; one of another conversation, or of one that was forgotten, is nobody's to press."""
    read = b.decode(data)
    if isinstance(read, e.StaleButton):
        return read
    if read.press.for_anyone:
        return read.press
    if (read.conversation, read.nonce) != (session.conversation, session.nonce):
        return e.StaleButton("other")
    return read.press
