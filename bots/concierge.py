"""The one async loop between a chat platform, the dialogue and the studio.

    event or news -> [ load, advance, save, place orders ] -> errands -> the person, the desk

What stands in brackets is one transaction of the ledger: an update that is delivered twice, or after a crash, has
its effect once. What follows from it (messages to send, photos to fetch) is saved with it as errands and struck
off when done, so a bot that is killed goes on where it was. Cards are edited by the message id the ledger knows;
a plain message may be sent again after a crash, a card and an order never twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from pydantic import TypeAdapter

from bots import messages as m
from bots.collecting import photo_file
from bots.conversation import advance
from bots.menu import Menu
from bots.session import Session
from bots.turn import new_session
from bots.wording import say
from core.errors import AtelierError
from core.style import FOLDER
from jobs import news, orders
from jobs.book import Declined
from jobs.export import export
from jobs.forget import forget
from jobs.house import House
from jobs.ledger import Account, Conflict, Gone, Page
from jobs.shelf import NotKept, ShelfDown

log = logging.getLogger("atelier.bots")

AT_A_TIME = 3  # errands done before they are struck off together: what a kill may repeat at most
REMEMBERED = 2000  # conversations kept in memory between events
CALM_S = 1.2  # between two edits of a card that reports progress: Telegram bears about one a second in a chat
TRIES = 4
WAITS_S = (1.0, 4.0, 15.0)  # between tries of an errand that failed for the network's sake

Load = Callable[[m.Picture], Awaitable[bytes]]


class Unreachable(AtelierError):
    """The person blocked the bot or closed the chat; what is undelivered waits until they come back."""


class NotNow(AtelierError):
    """The platform did not answer or asked to wait; worth another try."""


class PhotoGone(AtelierError):
    """The platform does not have the file any more."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Who an update is from. key: the update's own id; tap: the platform's handle for answering a button."""

    user: str
    chat: str
    key: str
    language: str = "en"
    tap: str = ""


class Adapter(Protocol):
    """What a platform must be able to do. Raises Unreachable and NotNow; everything else is its own to mend."""

    platform: str
    upload_bytes: int

    async def show(self, chat: str, reply: m.Reply, old: str | None, load: Load) -> list[str]:
        """Send a reply, or edit its old self; return the handles of messages that are new.

        old: of a Card or an Unbutton the message it is on, of a Say the message it answers.
        """

    async def answer(self, tap: str, toast: m.Toast | None) -> None:
        """Answer a tap, with words or without."""

    async def remove(self, chat: str, handles: list[str]) -> None:
        """Delete messages where the platform still allows it."""

    async def fetch(self, ref: str) -> bytes:
        """Return a sent file's bytes; raises PhotoGone."""


@dataclass(frozen=True, slots=True)
class Errand:
    """Something to do after the transaction: a reply to send or an order that is not the desk's."""

    number: int
    word: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger keeps of a conversation.

    tickets: the desk's order id for each order of the conversation. cards: the handle of each card's message.
    """

    session: Session
    errands: tuple[Errand, ...] = ()
    last: int = 0
    tickets: dict[int, int] = field(default_factory=dict)
    cards: dict[str, str] = field(default_factory=dict)


_RECORD: TypeAdapter[Record] = TypeAdapter(Record)
_ERRANDS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind)
    for kind in vars(m).values()
    if isinstance(kind, type) and issubclass(kind, m.Reply | m.Order) and kind not in {m.Reply, m.Order}
}
_DONE = m.Toast("")  # stands in a line for an errand that is done and not struck off yet
_AT_ONCE = (m.Consent, m.Place, m.Report)  # done inside the transaction


@dataclass(slots=True)
class _Line:
    """The errands of one account that are under way in this process."""

    chat: str
    cards: dict[str, str]
    waiting: dict[int, m.Reply | m.Order] = field(default_factory=dict)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    edited_at: dict[str, float] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None


class Concierge:
    """One platform's front of house."""

    def __init__(self, house: House, adapter: Adapter, menu: Menu) -> None:
        self._house, self._adapter, self._menu = house, adapter, menu
        self._ledger, self._shelf, self._desk = house.ledger, house.shelf, house.desk
        self._platform = adapter.platform
        self._lines: dict[int, _Line] = {}
        self._fetching: dict[tuple[int, int], asyncio.Task[None]] = {}
        self._records: OrderedDict[int, tuple[Record, int]] = OrderedDict()

    # --- what comes in ---------------------------------------------------------------------------

    async def hear(self, contact: Contact, event: m.Event | str) -> None:
        """Take an event, or a button's data, from a person. Returns once its effect is safe; answering goes on."""
        toast: m.Toast | None = None
        try:
            account, done = await self._commit(self._by(contact), contact.key, event, contact.language, contact.chat)
        except Gone:  # everything of theirs is being deleted right now
            await self._answer(contact, None)
            return
        if account.blocked:
            toast = m.Toast(say(account.language or "en", "blocked.sorry"), alert=True)
            if not contact.tap:
                await self._adapter.show(contact.chat, m.Say(toast.text), None, self._loader(account.id))
        toasts = [reply for reply in done if isinstance(reply, m.Toast)]
        await self._answer(contact, toasts[0] if toasts else toast)

    async def _answer(self, contact: Contact, toast: m.Toast | None) -> None:
        if contact.tap:
            await self._adapter.answer(contact.tap, toast)

    def _by(self, contact: Contact) -> Callable[[Page], Awaitable[Account]]:
        keep_days = self._house.settings.retention_days
        return lambda page: page.account(self._platform, contact.user, contact.chat, keep_days)

    async def bring(self, notice: news.Notice) -> None:
        """Take news from the desk; the same notice twice is one."""
        event = event_of(notice)
        if event is None:
            return
        try:
            await self._commit(
                lambda page: page.account_of(notice.account), f"news:{notice.id}" if notice.id else "", event
            )
        except Gone:
            log.info("news_for_nobody", extra={"order": notice.order})

    async def tell(self, account: int, event: m.Event) -> None:
        """Take an event that came about in here: a photo that could not be fetched, a finished export."""
        await self._commit(lambda page: page.account_of(account), "", event)

    async def set_reachable(self, contact: Contact, reachable: bool) -> None:
        """Note that a person blocked the bot, or came back: then everything that waited is delivered."""
        async with self._ledger.write() as page:
            account = await page.account(self._platform, contact.user, contact.chat)
            await page.set_reachable(account.id, self._platform, reachable)
            record, _ = await self._load(page, account.id, contact.language)
        if reachable:
            self._set_out(account.id, contact.chat, record)

    async def resume(self) -> None:
        """Go on with every errand that an earlier process left."""
        async with self._ledger.read() as page:
            accounts = await page.talking(self._platform)
        for account in accounts:
            try:
                async with self._ledger.read() as page:
                    record, _ = await self._load(page, account, "en")
                    chat = await self._chat(page, account)
            except Gone:
                continue
            if record.errands and chat is not None:
                self._set_out(account, chat, record)

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while tasks := [line.task for line in self._lines.values() if line.task is not None] + list(
            self._fetching.values()
        ):
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Stop; what is under way is done by the next process."""
        tasks = [line.task for line in self._lines.values() if line.task is not None] + list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- the transaction -------------------------------------------------------------------------

    async def _commit(
        self,
        who: Callable[[Page], Awaitable[Account]],
        key: str,
        event: m.Event | str,
        language: str = "en",
        chat: str | None = None,
    ) -> tuple[Account, tuple[m.Reply, ...]]:
        """Advance one conversation by one event, durably. Returns the account and what was said."""
        for _ in range(TRIES):
            try:
                async with self._ledger.write(urgent=chat is not None) as page:
                    account = await who(page)
                    if account.blocked:
                        return account, ()
                    if key and not await page.first_seen(self._platform, key):
                        return account, ()
                    record, version = await self._known(page, account.id, account.language or language)
                    record, replies = await self._step(page, account.id, record, event)
                    await self._save(page, account.id, record, version)
                    chat = chat or await self._chat(page, account.id)
            except Conflict:
                continue
            if chat is not None:
                self._set_out(account.id, chat, record)
            return account, replies
        raise Conflict(f"the conversation changed {TRIES} times while one event was handled")

    async def _step(
        self, page: Page, account: int, record: Record, event: m.Event | str
    ) -> tuple[Record, tuple[m.Reply, ...]]:
        """Let the dialogue answer, do what belongs into the transaction, and note the rest as errands."""
        tapped = isinstance(event, str)
        heard = m.decode(event, record.session.mark) if isinstance(event, str) else event
        step = advance(record.session, heard, time.time(), self._menu)
        session, replies, wanted = step.session, list(step.replies), list(step.orders)
        tickets = dict(record.tickets)
        for order in step.orders:
            if isinstance(order, m.Consent):
                await page.consent(account, order.version, order.keep_days)
            elif isinstance(order, m.Report):
                await page.note("report", {"text": order.text}, account)
            elif isinstance(order, m.Place):
                ticket = await self._desk.place(account, order.work, f"order:{order.order}", self._platform, page)
                if isinstance(ticket, Declined):
                    why = "limit" if ticket.reason == "too_many" else "full"
                    refused = advance(session, m.OrderFailed(order.order, why), time.time(), self._menu)
                    session, replies = refused.session, [*replies, *refused.replies]
                else:
                    tickets[order.order] = ticket.order
        if session.language != record.session.language:
            await page.set_language(account, session.language)
        items = [
            *(r for r in replies if not (isinstance(r, m.Toast) and tapped)),
            *(order for order in wanted if not isinstance(order, _AT_ONCE)),
        ]
        errands = tuple(
            Errand(number, type(item).__name__, _ERRANDS[type(item).__name__].dump_python(item, mode="json"))
            for number, item in enumerate(items, record.last + 1)
        )
        grown = replace(
            record,
            session=session,
            errands=(*record.errands, *errands),
            last=record.last + len(errands),
            tickets=tickets,
        )
        return grown, tuple(replies)

    async def _load(self, page: Page, account: int, language: str) -> tuple[Record, int]:
        text, version = await page.conversation(account, self._platform)
        if not text:
            days = self._house.settings.retention_days
            return Record(replace(new_session(secrets.token_hex(2), language), keep_days=days)), 0
        return _RECORD.validate_json(text), version

    async def _known(self, page: Page, account: int, language: str = "en") -> tuple[Record, int]:
        """Return the record this process saved last; the version it is saved over tells when another was faster."""
        return self._records.get(account) or await self._load(page, account, language)

    async def _save(self, page: Page, account: int, record: Record, version: int) -> None:
        """Save a record; this process takes it for the newest once the transaction is committed."""
        self._records.pop(account, None)
        text = _RECORD.dump_json(record).decode()
        saved = await page.save_conversation(account, self._platform, text, version)

        def keep() -> None:
            self._records[account] = (record, saved)
            while len(self._records) > REMEMBERED:
                self._records.popitem(last=False)

        page.after.append(keep)

    async def _chat(self, page: Page, account: int) -> str | None:
        """Return the chat to write to, None when the person cannot be reached."""
        found = [a for a in await page.addresses(account) if a.platform == self._platform]
        return found[0].chat if found and found[0].reachable else None

    # --- errands ---------------------------------------------------------------------------------

    def _set_out(self, account: int, chat: str, record: Record) -> None:
        """Begin the errands that are not under way; those of one account are done in order, by one task."""
        idle = [errand for errand in record.errands if (account, errand.number) not in self._fetching]
        if not idle:
            return
        line = self._lines.setdefault(account, _Line(chat, dict(record.cards)))
        line.chat = chat
        for errand in idle:
            line.waiting.setdefault(errand.number, _ERRANDS[errand.word].validate_python(errand.body))
        line.came.set()
        if line.task is None:
            line.task = asyncio.create_task(self._run(account, line))

    async def _run(self, account: int, line: _Line) -> None:
        """Do an account's errands; what fails for the network's sake stays in the ledger for the next event."""
        try:
            while line.waiting:
                if not await self._some(account, line):
                    await self._wait(line)
        except Unreachable:
            log.info("unreachable", extra={"account": account})
            async with self._ledger.write() as page:
                await page.set_reachable(account, self._platform, False)
        except Gone:
            log.info("errands_for_nobody", extra={"account": account})
        except (NotNow, ShelfDown) as error:
            log.warning("errands_left", extra={"account": account, "error": str(error)})
        finally:
            line.task = None
            self._lines.pop(account, None)

    async def _some(self, account: int, line: _Line) -> bool:
        """Do the errands that are due, a few at a time, and strike them off; False when none was."""
        done, sent = _outdated(line.waiting), list[tuple[str, str]]()
        for old in done:
            line.waiting[old] = _DONE
        try:
            while len(done) < AT_A_TIME and (number := self._due(line)) is not None:
                errand = line.waiting[number]
                if isinstance(errand, m.Fetch):
                    self._fetching[account, number] = asyncio.create_task(self._fetch(account, number, errand))
                    del line.waiting[number]
                    continue
                handles = await self._do(account, line, errand)
                slot = errand.slot if isinstance(errand, m.Card) else ""
                sent += [(slot, handle) for handle in handles]
                if slot and handles:
                    line.cards[slot] = handles[-1]
                line.waiting[number] = _DONE
                done.append(number)
        finally:
            if done:
                await self._strike(account, done, sent)
            for struck in done:
                del line.waiting[struck]
        return bool(done)

    @staticmethod
    def _due(line: _Line) -> int | None:
        """Return the first errand that is due: a calm card waits until its last edit is a moment ago."""
        for number in sorted(line.waiting):
            errand = line.waiting[number]
            if errand is _DONE:
                continue
            if isinstance(errand, m.Card) and errand.calm:
                if time.monotonic() < line.edited_at.get(errand.slot, 0.0) + CALM_S and not _to_be_closed(
                    line.waiting, errand.slot
                ):
                    continue
                line.edited_at[errand.slot] = time.monotonic()
            return number
        return None

    async def _wait(self, line: _Line) -> None:
        """Wait for a new errand, or until a calm card is due."""
        line.came.clear()
        soonest = min((at + CALM_S for at in line.edited_at.values()), default=0.0) - time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.05, soonest)):
                await line.came.wait()

    async def _do(self, account: int, line: _Line, errand: m.Reply | m.Order) -> list[str]:
        """Do one errand, again when the network is at fault; one that can never succeed is logged and let go."""
        for wait in (*WAITS_S, None):
            try:
                if isinstance(errand, m.Order):
                    return await self._do_order(account, line.chat, errand)
                return await self._show(account, line, errand)
            except (NotNow, ShelfDown) as error:
                if wait is None:
                    raise
                log.warning("errand_waits", extra={"account": account, "error": str(error), "wait_s": wait})
                await asyncio.sleep(wait)
            except (Unreachable, Gone):
                raise
            except Exception:
                log.exception("errand_failed", extra={"account": account, "errand": type(errand).__name__})
                return []
        return []

    async def _show(self, account: int, line: _Line, reply: m.Reply) -> list[str]:
        chat = line.chat
        if isinstance(reply, m.Sweep):
            return []
        if isinstance(reply, m.Toast):
            reply = m.Say(reply.text)
        slot = reply.under if isinstance(reply, m.Say) else getattr(reply, "slot", "")
        old = line.cards.get(slot)
        if isinstance(reply, m.Unbutton) and old is None:
            return []
        if isinstance(reply, m.Card) and reply.fresh and old is not None:
            await self._adapter.show(chat, m.Unbutton(reply.slot), old, self._loader(account))
            old = None
        try:
            return await self._adapter.show(chat, reply, old, self._loader(account))
        except NotKept:
            async with self._ledger.read() as page:
                language = (await self._load(page, account, "en"))[0].session.language
            return await self._adapter.show(chat, m.Say(say(language, "failed.gone")), None, self._loader(account))

    async def _do_order(self, account: int, chat: str, order: m.Order) -> list[str]:
        match order:
            case m.Discard():
                async with self._ledger.write() as page:
                    await page.drop_photo(account, photo_file(order.photo))
                await self._shelf.delete(account, [photo_file(order.photo)])
            case m.Cancel():
                async with self._ledger.read() as page:
                    record, _ = await self._load(page, account, "en")
                if order.order in record.tickets:
                    await self._desk.cancel(account, record.tickets[order.order])
            case m.Export():
                return await self._export(account, chat)
            case m.Forget():
                await self._forget_all(account, chat)
        return []

    async def _strike(self, account: int, numbers: list[int], sent: list[tuple[str, str]]) -> None:
        """Strike done errands off, and remember the messages that came of them, in one transaction."""
        for _ in range(TRIES):
            try:
                async with self._ledger.write() as page:
                    record, version = await self._known(page, account)
                    left = tuple(errand for errand in record.errands if errand.number not in numbers)
                    for slot, handle in sent:
                        await page.remember_message(account, self._platform, slot, handle)
                    cards = record.cards | {slot: handle for slot, handle in sent if slot}
                    await self._save(page, account, replace(record, errands=left, cards=cards), version)
                return
            except Conflict:
                continue

    async def _fetch(self, account: int, number: int, order: m.Fetch) -> None:
        """Bring a photo onto the shelf and have it looked at; its errand stays until that is certain."""
        name = photo_file(order.photo)
        try:
            data = await self._fetched(order.ref)
            filed = await self._shelf.put(account, name, data)
            async with self._ledger.write() as page:
                await page.add_photo(account, name, hashlib.sha256(data).hexdigest(), filed.size)
                ref = f"photo:{order.photo}"
                placed = await self._desk.place(account, orders.Look(name), ref, self._platform, page)
            if isinstance(placed, Declined):
                await self.tell(account, m.PhotoFailed(order.photo, "full"))
            await self._strike(account, [number], [])
        except Gone:
            log.info("photo_for_nobody", extra={"account": account})
        except (PhotoGone, NotNow, ShelfDown) as error:
            log.warning("photo_not_fetched", extra={"account": account, "error": str(error)})
            await self.tell(account, m.PhotoFailed(order.photo, "gone"))
            await self._strike(account, [number], [])
        finally:
            self._fetching.pop((account, number), None)

    async def _fetched(self, ref: str) -> bytes:
        for wait in WAITS_S:
            try:
                return await self._adapter.fetch(ref)
            except NotNow:
                await asyncio.sleep(wait)
        return await self._adapter.fetch(ref)

    async def _forget_all(self, account: int, chat: str) -> None:
        """Delete everything, tell it with the receipt, and take the studio's own messages away.

        The receipt is written by the jobs before the key is destroyed; it goes to the chat from memory, because nothing
        is left afterwards that could be read again.
        """
        async with self._ledger.read() as page:
            record, _ = await self._load(page, account, "en")
            handles = await page.messages(account, self._platform)
        self._records.pop(account, None)
        for wait in WAITS_S:
            with suppress(ShelfDown):
                receipt = await forget(self._house, account)
                break
            await asyncio.sleep(wait)
        else:
            receipt = await forget(self._house, account)
        self._records.pop(account, None)
        if receipt is None:
            raise Gone(f"account {account} was never there")
        body = json.dumps(asdict(receipt), indent=1)
        counts = tuple((name, n) for name, n in receipt.facts["deleted"].items() if n)
        gone = advance(record.session, m.Forgotten(body, counts), time.time(), self._menu)
        for reply in gone.replies:
            if isinstance(reply, m.Sweep):
                await self._adapter.remove(chat, handles)
            else:
                await self._adapter.show(chat, reply, None, self._loader(account))
        raise Gone(f"account {account} is deleted")

    async def _export(self, account: int, chat: str) -> list[str]:
        """Send everything that is kept as one archive, in parts where the platform takes no file as large."""
        async with self._ledger.read() as page:
            language = (await self._load(page, account, "en"))[0].session.language
        data, most = await export(self._house, account), self._adapter.upload_bytes
        parts = [data[i : i + most] for i in range(0, len(data), most)]
        ends = [""] if len(parts) == 1 else [f".{i:03d}" for i in range(1, len(parts) + 1)]
        named = {f"atelier-export.zip{end}": part for end, part in zip(ends, parts, strict=True)}

        async def load(picture: m.Picture) -> bytes:
            return named[picture.name]

        caption = say(language, "export.caption", n=len(parts))
        files = m.Files(tuple(m.Picture("export", name, caption) for name in named), caption)
        return await self._adapter.show(chat, files, None, load)

    def _loader(self, account: int) -> Load:
        async def load(picture: m.Picture) -> bytes:
            if picture.kind == "style":
                return await asyncio.to_thread((FOLDER / "previews" / picture.name).read_bytes)
            return await self._shelf.get(account, picture.name)

        return load


def _outdated(waiting: dict[int, m.Reply | m.Order]) -> list[int]:
    """List the cards that report progress and have a newer self waiting: nobody needs to see them."""
    newest = {card.slot: number for number, card in sorted(waiting.items()) if isinstance(card, m.Card)}
    return [
        number
        for number, card in waiting.items()
        if isinstance(card, m.Card) and card.calm and not card.fresh and newest[card.slot] != number
    ]


def _to_be_closed(waiting: dict[int, m.Reply | m.Order], slot: str) -> bool:
    """Say whether a card's buttons are to be taken off: then it must be up to date before that."""
    return any(isinstance(errand, m.Unbutton) and errand.slot == slot for errand in waiting.values())


def event_of(notice: news.Notice) -> m.Event | None:
    """Translate news of the desk into what happened to the conversation; None when nobody needs to know."""
    word = notice.news
    if isinstance(word, news.Expired):
        return m.Expired()
    what, _, number = notice.ref.partition(":")
    if not number.isdigit():
        return None
    n = int(number)
    if what == "photo":
        return _of_photo(n, word)
    match word:
        case news.Queued():
            return m.OrderMoved(n, place=word.place, eta_s=word.eta_s)
        case news.Step():
            percent = round(100 * word.step / word.total) if word.total else 0
            stage = word.stage.partition(" ")[0]
            return m.OrderMoved(n, stage=stage, percent=percent, eta_s=word.eta_s)
        case news.Failed():
            return m.OrderFailed(n, word.reason)
        case news.Cancelled():
            return m.OrderStopped(n)
        case news.Done() if notice.kind == "enhance" and word.portraits:
            return m.PortraitCame(n, word.portraits[0])
        case news.Done() if notice.kind == "shoot":
            facts = word.facts
            trained = (facts.get("training") or {}).get("used")
            return m.GalleryCame(n, word.portraits, facts.get("drawn", 0), _counts(facts), trained)
    return m.OrderFailed(n, "other")


def _of_photo(number: int, word: news.News) -> m.Event | None:
    if isinstance(word, news.Failed):
        return m.PhotoFailed(number, word.reason)
    if not isinstance(word, news.Done):
        return None
    facts = word.facts
    return m.PhotoLooked(
        number,
        kept=bool(facts.get("kept")),
        reason=str(facts.get("reason") or ""),
        measured=float(facts.get("measured") or 0.0),
        limit=float(facts.get("limit") or 0.0),
        missing=tuple(facts.get("missing") or ()),
        notes=tuple(facts.get("notes") or ()),
        others=tuple((_number(name), str(reason)) for name, reason in (facts.get("others") or {}).items()),
    )


def _number(name: str) -> int:
    """Read a photo's number out of what the studio calls it: `photos_3`."""
    digits = name.rpartition("_")[2].partition(".")[0]
    return int(digits) if digits.isdigit() else 0


def _counts(facts: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    """Return why portraits were dropped, most frequent first."""
    dropped = facts.get("dropped") or {}
    if not isinstance(dropped, dict):
        return ()
    return tuple(sorted(((str(k), int(v)) for k, v in dropped.items()), key=lambda item: -item[1]))
