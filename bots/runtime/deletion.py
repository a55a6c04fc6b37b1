"""Deletion of an account at its owner's wish: promised, done, told with a receipt, however often it is interrupted.

    wish -> stop what is under way -> note where the receipt goes -> delete -> send the receipt -> remove the note

The note (`jobs.privacy.pending_receipt`) is written before anything is deleted, so a process that starts finds every
deletion that was left, and finishes it. Whatever fails is tried again until it is done.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.context import new_session
from bots.dialogue.machine import advance
from bots.dialogue.menu import Menu
from bots.dialogue.session import State
from bots.dialogue.text import say
from bots.platforms.base import Adapter, Contact, Unreachable
from bots.runtime.outbox import Outbox
from bots.runtime.retry import Backoff, until_done
from bots.runtime.session_store import SessionStore
from jobs.privacy import pending_receipt
from jobs.privacy.forget import Receipt, forget
from jobs.privacy.pending_receipt import PendingReceipt
from jobs.services import Services
from jobs.storage.base import Gone

log = logging.getLogger("atelier.deletion")

TOLD_AFTER = 2  # failures after which a person is told that the deletion takes longer


class _TooLate(Unreachable):
    """The receipt could not be sent for as long as its address may be kept."""


class Deletion:
    """Deletes accounts and sends their receipts."""

    def __init__(
        self, services: Services, adapter: Adapter, menu: Menu, store: SessionStore, outbox: Outbox, backoff: Backoff
    ) -> None:
        self._services, self._database = services, services.database
        self._adapter, self._menu, self._store, self._outbox = adapter, menu, store, outbox
        self._backoff = backoff
        self._under_way: set[int] = set()

    async def wish(self, account: int, place: str) -> None:
        """Delete an account and send the receipt. Raises Gone when it is being deleted already."""
        await self._outbox.stop(account)
        promise = partial(self._promise, account, place)
        await self.finish(await until_done("promise_receipt", promise, self._backoff, final=(Gone,)))

    async def remember(self, contact: Contact, handles: Sequence[str], had_account: bool = False) -> None:
        """Remember messages that no outbox entry became, so that they go with their reader's account.

        Those of somebody whose deletion began are deleted at once, and where it has ended meanwhile too: had_account
        says that there was an account when they were said. Those of somebody without an account stay.
        """
        if handles:
            with suppress(Unreachable):
                remember = partial(self._remember, contact, handles, had_account)
                await until_done("remember_messages", remember, self._backoff, final=(Unreachable,))

    async def _remember(self, contact: Contact, handles: Sequence[str], had_account: bool) -> None:
        platform = self._adapter.platform
        try:
            async with self._database.write() as tx:
                account = await tx.known_account(platform, contact.owner)
                if account is None and not had_account:
                    return
                leaving = {wished.account for wished in await pending_receipt.pending(tx, platform)}
                if account is not None and account.id not in leaving:
                    for handle in handles:
                        await tx.remember_message(account.id, platform, "", handle)
                    return
        except Gone:
            pass
        await self._adapter.remove(contact.place, list(handles))

    async def left(self) -> list[PendingReceipt]:
        """Return the deletions that nobody here is at work on: of an earlier process, or the operator's own."""
        async with self._database.read() as tx:
            left = await pending_receipt.pending(tx, self._adapter.platform)
        return [wished for wished in left if wished.account not in self._under_way]

    async def finish(self, wished: PendingReceipt) -> None:
        """Delete everything, take the studio's own messages away, and send the receipt."""
        if wished.account in self._under_way:
            return
        self._under_way.add(wished.account)
        try:
            await self._finish(wished)
        finally:
            self._under_way.discard(wished.account)

    async def _finish(self, wished: PendingReceipt) -> None:
        account, told_until = wished.account, time.time() + pending_receipt.KEPT_S
        self._store.drop(account)
        receipt = await until_done(
            "forget", partial(forget, self._services, account), self._backoff, failed=partial(self._say_delayed, wished)
        )
        self._store.drop(account)
        if receipt is not None:
            tell = partial(self._tell, wished, receipt, told_until)
            try:
                await until_done("tell_receipt", tell, self._backoff, final=(Unreachable,))
            except Unreachable:
                log.info("receipt_unreachable", extra={"account": account})
        await until_done("receipt_told", partial(self._remove_note, account), self._backoff)
        await self._database.forget_free_pages()

    async def _promise(self, account: int, place: str) -> PendingReceipt:
        async with self._database.write() as tx:
            record, _ = await self._store.load(tx, account)
            handles = tuple(await tx.messages(account, self._adapter.platform))
            wished = PendingReceipt(account, place, record.session.language, record.session.nonce, handles)
            await pending_receipt.add(tx, self._adapter.platform, wished)
        return wished

    async def _tell(self, wished: PendingReceipt, receipt: Receipt, until: float) -> None:
        if time.time() > until:
            raise _TooLate(f"the receipt of account {wished.account} could not be sent in {pending_receipt.KEPT_S} s")
        body = json.dumps(asdict(receipt), indent=1)
        counts = tuple((name, n) for name, n in receipt.facts["deleted"].items() if n)
        leaving = replace(new_session(f"{wished.account:x}", wished.nonce, wished.language), state=State.LEAVING)
        for reply in advance(leaving, e.Forgotten(body, counts), time.time(), self._menu, self._adapter.limits).replies:
            if isinstance(reply, fx.Sweep):
                await self._adapter.remove(wished.chat, list(wished.handles))
            else:
                await self._adapter.show(wished.chat, reply, None, _nothing)

    async def _remove_note(self, account: int) -> None:
        async with self._database.write() as tx:
            await pending_receipt.remove(tx, self._adapter.platform, account)

    async def _say_delayed(self, wished: PendingReceipt, failures: int) -> None:
        """Say once that the deletion goes on by itself."""
        if failures == TOLD_AFTER:
            with suppress(Exception):
                await self._adapter.show(wished.chat, fx.Say(say(wished.language, "forget.delayed")), None, _nothing)


async def _nothing(picture: fx.Picture) -> bytes:
    raise LookupError(f"{picture.name}: nothing is left of the account")
