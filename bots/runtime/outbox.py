"""What follows from an event: messages to send, photos to fetch, work to cancel, done in order and struck off.

Errands are saved with the event that caused them, so whoever finds them goes on. Those of one account are done by
one task; a card that reports progress waits for its own next state rather than being edited every second.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.context import new_session
from bots.dialogue.handlers.photos import number_of, photo_file
from bots.dialogue.machine import advance
from bots.dialogue.menu import Menu
from bots.dialogue.session import State
from bots.dialogue.text import say
from bots.platforms.base import Adapter, Load, NotNow, PhotoGone, Unreachable
from bots.runtime.session_store import Record, Records, item_of
from core.scene.style import FOLDER
from jobs.kinds.look import Look
from jobs.privacy import pending_receipt
from jobs.privacy.export import archives
from jobs.privacy.forget import Receipt, forget
from jobs.privacy.pending_receipt import PendingReceipt
from jobs.services import Services
from jobs.storage.accounts import Conflict, Gone, Transaction
from jobs.storage.blobs import BlobMissing, BlobStoreDown
from jobs.storage.job_store import Declined

log = logging.getLogger("atelier.errands")

AT_A_TIME = 3  # errands done before they are struck off together: what a kill may repeat at most
THROTTLE_S = 1.2  # between two edits of a card that reports progress: Telegram bears about one a second in a chat
TRIES = 4  # when another process saved the conversation first
WAITS_S = (1.0, 4.0, 15.0)  # between tries of an errand that failed for the network's sake

Tell = Callable[[int, e.Event], Awaitable[None]]
First = Callable[[Transaction], Awaitable[bool]]
_DONE = fx.Toast("")  # stands in a line for an errand that is done and not struck off yet


@dataclass(slots=True)
class _Line:
    """The errands of one account that are under way in this process."""

    chat: str
    cards: dict[str, str]
    waiting: dict[int, fx.Reply | fx.Effect] = field(default_factory=dict)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    edited_at: dict[str, float] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None


class Errands:
    """The errands of one platform's conversations."""

    def __init__(self, services: Services, adapter: Adapter, menu: Menu, records: Records, tell: Tell) -> None:
        self._services, self._adapter, self._menu, self._records, self._tell = services, adapter, menu, records, tell
        self._database, self._blob_store, self._job_queue = services.database, services.blob_store, services.job_queue
        self._platform = adapter.platform
        self._lines: dict[int, _Line] = {}
        self._fetching: dict[tuple[int, int], asyncio.Task[None]] = {}

    def set_out(self, account: int, chat: str, record: Record) -> None:
        """Begin the errands that are not under way; those of one account are done in order, by one task."""
        idle = [errand for errand in record.errands if (account, errand.number) not in self._fetching]
        if not idle:
            return
        line = self._lines.setdefault(account, _Line(chat, dict(record.cards)))
        line.chat = chat
        for errand in idle:
            line.waiting.setdefault(errand.number, item_of(errand))
        line.came.set()
        if line.task is None:
            line.task = asyncio.create_task(self._run(account, line))

    async def _run(self, account: int, line: _Line) -> None:
        """Do an account's errands; what fails for the network's sake stays in the database for the next event."""
        try:
            while line.waiting:
                if not await self._some(account, line):
                    await self._wait(line)
        except Unreachable:
            log.info("unreachable", extra={"account": account})
            async with self._database.write() as tx:
                await tx.set_reachable(account, self._platform, False)
        except Gone:
            log.info("errands_for_nobody", extra={"account": account})
        except (NotNow, BlobStoreDown, Conflict) as error:
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
                if isinstance(errand, fx.Fetch):
                    before = [task for (whose, _), task in self._fetching.items() if whose == account]
                    fetching = asyncio.create_task(self._fetch(account, number, errand, before))
                    self._fetching[account, number] = fetching
                    del line.waiting[number]
                    continue
                handles = await self._do(account, line, errand)
                slot = errand.slot if isinstance(errand, fx.Card) else ""
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
        """Return the first errand that is due: a throttled card waits until its last edit is a moment ago."""
        for number in sorted(line.waiting):
            errand = line.waiting[number]
            if errand is _DONE:
                continue
            if isinstance(errand, fx.Card) and errand.throttled:
                if time.monotonic() < line.edited_at.get(errand.slot, 0.0) + THROTTLE_S and not _to_be_closed(
                    line.waiting, errand.slot
                ):
                    continue
                line.edited_at[errand.slot] = time.monotonic()
            return number
        return None

    async def _wait(self, line: _Line) -> None:
        """Wait for a new errand, or until a throttled card is due."""
        line.came.clear()
        soonest = min((at + THROTTLE_S for at in line.edited_at.values()), default=0.0) - time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.05, soonest)):
                await line.came.wait()

    async def _do(self, account: int, line: _Line, errand: fx.Reply | fx.Effect) -> list[str]:
        """Do one errand, again when the network is at fault; one that can never succeed is logged and let go."""
        for wait in (*WAITS_S, None):
            try:
                if isinstance(errand, fx.Effect):
                    return await self._do_effect(account, line.chat, errand)
                return await self._show(account, line, errand)
            except (NotNow, BlobStoreDown) as error:
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

    async def _show(self, account: int, line: _Line, reply: fx.Reply) -> list[str]:
        chat = line.chat
        if isinstance(reply, fx.Sweep):
            return []
        if isinstance(reply, fx.Toast):
            reply = fx.Say(reply.text)
        slot = reply.under if isinstance(reply, fx.Say) else getattr(reply, "slot", "")
        old = line.cards.get(slot)
        if isinstance(reply, fx.Unbutton) and old is None:
            return []
        if isinstance(reply, fx.Card) and reply.repost and old is not None:
            await self._adapter.show(chat, fx.Unbutton(reply.slot), old, self.loader(account))
            old = None
        try:
            return await self._adapter.show(chat, reply, old, self.loader(account))
        except BlobMissing:
            async with self._database.read() as tx:
                language = (await self._records.load(tx, account))[0].session.language
            return await self._adapter.show(chat, fx.Say(say(language, "failed.gone")), None, self.loader(account))

    async def _do_effect(self, account: int, chat: str, effect: fx.Effect) -> list[str]:
        match effect:
            case fx.Discard():
                await self._discard(account, effect.photo)
            case fx.Cancel():
                async with self._database.read() as tx:
                    record, _ = await self._records.load(tx, account)
                if effect.job in record.job_ids:
                    await self._job_queue.cancel(account, record.job_ids[effect.job])
            case fx.Export():
                return await self._export(account, chat)
            case fx.Forget():
                await self._forget_all(account, chat)
        return []

    async def _discard(self, account: int, photo: int) -> None:
        """Delete a photo; those that only it spoke against are looked at again."""
        async with self._database.write() as tx:
            await tx.drop_photo(account, photo_file(photo))
            rest = [other for other in await tx.photos(account) if other.votes]
            if any(not other.facts["kept"] for other in rest):
                ref = f"photo:{number_of(rest[-1].name)}:without:{photo}"
                await self._job_queue.place(account, Look(rest[-1].name), ref, self._platform, tx)
        await self._blob_store.delete(account, [photo_file(photo)])

    async def _strike(
        self, account: int, numbers: list[int], sent: list[tuple[str, str]], first: First | None = None
    ) -> bool:
        """Strike done errands off and remember the messages that came of them, in one transaction.

        first: writes what belongs to them on the same transaction; where it says False, nothing is struck off. Raises
        Conflict when others saved the conversation first each time.
        """
        for _ in range(TRIES):
            try:
                async with self._database.write() as tx:
                    if first is not None and not await first(tx):
                        return False
                    record, version = await self._records.known(tx, account)
                    left = tuple(errand for errand in record.errands if errand.number not in numbers)
                    for slot, handle in sent:
                        await tx.remember_message(account, self._platform, slot, handle)
                    cards = record.cards | {slot: handle for slot, handle in sent if slot}
                    await self._records.save(tx, account, replace(record, errands=left, cards=cards), version)
                return True
            except Conflict:
                continue
        raise Conflict(f"the conversation changed {TRIES} times while errands were struck off")

    async def _fetch(self, account: int, number: int, order: fx.Fetch, before: list[asyncio.Task[None]]) -> None:
        """Bring a photo onto the blob store and have it looked at; its errand stays until that is certain.

        Photos are looked at in the order they were sent: the first ones say who the person is.
        """
        name, ref = photo_file(order.photo), f"photo:{order.photo}"

        async def entered(tx: Transaction) -> bool:
            await tx.add_photo(account, name, filed.sha256, filed.size)
            placed = await self._job_queue.place(account, Look(name), ref, self._platform, tx)
            return not isinstance(placed, Declined)

        try:
            if before:
                await asyncio.wait(before)
            filed = await self._blob_store.put(account, name, await self._fetched(order.ref))
            if not await self._strike(account, [number], [], entered):
                await self._tell(account, e.PhotoFailed(order.photo, "full"))
                await self._strike(account, [number], [])
        except Gone:
            log.info("photo_for_nobody", extra={"account": account})
        except Conflict as error:
            log.warning("errands_left", extra={"account": account, "error": str(error)})
        except (PhotoGone, NotNow, BlobStoreDown) as error:
            log.warning("photo_not_fetched", extra={"account": account, "error": str(error)})
            await self._tell(account, e.PhotoFailed(order.photo, "gone"))
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
        """Promise the receipt, then delete everything: who is killed in between is reminded at the next start."""
        async with self._database.write() as tx:
            record, _ = await self._records.load(tx, account)
            handles = tuple(await tx.messages(account, self._platform))
            parting = PendingReceipt(account, chat, record.session.language, record.session.nonce, handles)
            await pending_receipt.add(tx, self._platform, parting)
        await self.part(parting)
        raise Gone(f"account {account} is deleted")

    def take_leave(self, parting: PendingReceipt) -> None:
        """Go on with a deletion that an earlier process left, or with telling of it."""
        task = asyncio.create_task(self._take_leave(parting))
        self._fetching[parting.account, 0] = task

    async def _take_leave(self, parting: PendingReceipt) -> None:
        try:
            await self.part(parting)
        except (NotNow, BlobStoreDown) as error:
            log.warning("errands_left", extra={"account": parting.account, "error": str(error)})
        finally:
            self._fetching.pop((parting.account, 0), None)

    async def part(self, parting: PendingReceipt) -> None:
        """Delete everything, tell it with the receipt, and take the studio's own messages away."""
        account = parting.account
        self._records.drop(account)
        for wait in WAITS_S:
            with suppress(BlobStoreDown):
                receipt = await forget(self._services, account)
                break
            await asyncio.sleep(wait)
        else:
            receipt = await forget(self._services, account)
        self._records.drop(account)
        if receipt is not None:
            try:
                await self._tell_receipt(parting, receipt)
            except Unreachable:
                log.info("unreachable", extra={"account": account})
        async with self._database.write() as tx:
            await pending_receipt.remove(tx, self._platform, account)
        await self._database.forget_free_pages()

    async def _tell_receipt(self, parting: PendingReceipt, receipt: Receipt) -> None:
        body = json.dumps(asdict(receipt), indent=1)
        counts = tuple((name, n) for name, n in receipt.facts["deleted"].items() if n)
        leaving = replace(new_session(f"{parting.account:x}", parting.nonce, parting.language), state=State.LEAVING)
        for reply in advance(leaving, e.Forgotten(body, counts), time.time(), self._menu).replies:
            if isinstance(reply, fx.Sweep):
                await self._adapter.remove(parting.chat, list(parting.handles))
            else:
                await self._adapter.show(parting.chat, reply, None, self.loader(parting.account))

    async def _export(self, account: int, chat: str) -> list[str]:
        """Send everything that is kept, in as many archives as the platform's largest file asks for."""
        async with self._database.read() as tx:
            language = (await self._records.load(tx, account))[0].session.language
        sent: list[str] = []
        number = 0
        async for archive in archives(self._services, account, self._adapter.limits.upload_bytes or 2**40):
            number += 1
            caption, name = say(language, "export.caption", n=number), f"atelier-export-{number}.zip"

            async def load(_: fx.Picture, archive: bytes = archive) -> bytes:
                return archive

            files = fx.Files((fx.Picture("export", name, caption),), caption)
            sent += await self._adapter.show(chat, files, None, load)
        return sent

    def loader(self, account: int) -> Load:
        async def load(picture: fx.Picture) -> bytes:
            if picture.kind == "style":
                return await asyncio.to_thread((FOLDER / "previews" / picture.name).read_bytes)
            return await self._blob_store.get(account, picture.name)

        return load

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


def _outdated(waiting: dict[int, fx.Reply | fx.Effect]) -> list[int]:
    """List the cards that report progress and have a newer self waiting: nobody needs to see them."""
    newest = {card.slot: number for number, card in sorted(waiting.items()) if isinstance(card, fx.Card)}
    return [
        number
        for number, card in waiting.items()
        if isinstance(card, fx.Card) and card.throttled and not card.repost and newest[card.slot] != number
    ]


def _to_be_closed(waiting: dict[int, fx.Reply | fx.Effect], slot: str) -> bool:
    """Say whether a card's buttons are to be taken off: then it must be up to date before that."""
    return any(isinstance(errand, fx.Unbutton) and errand.slot == slot for errand in waiting.values())
