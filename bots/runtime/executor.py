"""Shows replies and does effects: fetch and discard photos, cancel jobs, export, forget.

The outbox says when and how often; what is here is one try, or one that is repeated until it is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.handlers.photos import number_of, photo_file
from bots.dialogue.text import say
from bots.platforms.base import Adapter, Load, PhotoGone, PhotoTooBig, Unreachable
from bots.runtime.deletion import Deletion
from bots.runtime.outbox import Outbox
from bots.runtime.previews import preview_bytes, side_by_side
from bots.runtime.retry import Backoff, until_done
from bots.runtime.session_store import Record, SessionStore
from bots.runtime.teams import TeamEffects, Tell
from jobs.kinds.look import Look
from jobs.privacy.export import archives
from jobs.queue.job_store import Declined
from jobs.services import Services
from jobs.storage.base import Gone
from jobs.storage.blobs import BlobMissing
from jobs.storage.transaction import Transaction

log = logging.getLogger("atelier.executor")

FETCHES_AT_ONCE = 8
IN_ORDER_S = 30.0  # how long a photo waits for those sent before it
TOLD_AFTER = 3  # failures after which a person is told that an export takes longer


class _TakenBack(Exception):
    """The photo that was fetched is not wanted any more."""


class _QueueFull(Exception):
    """The job queue declined to look at a photo."""


class Executor:
    """Shows and does what the entries of an outbox say."""

    def __init__(
        self,
        services: Services,
        adapter: Adapter,
        store: SessionStore,
        outbox: Outbox,
        deletion: Deletion,
        tell: Tell,
        backoff: Backoff,
    ) -> None:
        self._services, self._adapter, self._store, self._outbox = services, adapter, store, outbox
        self._database, self._blob_store, self._job_queue = services.database, services.blob_store, services.job_queue
        self._deletion, self._tell, self._backoff = deletion, tell, backoff
        self._teams = TeamEffects(services, adapter.platform, tell)
        self._fetches = asyncio.Semaphore(FETCHES_AT_ONCE)

    # --- replies ---------------------------------------------------------------------------------

    async def show(self, account: int, place: str, cards: dict[str, str], reply: fx.Reply, key: str) -> list[str]:
        """Show a reply, or edit its card; return the handles of new messages. Raises what `Adapter.show` does, Gone.

        key: as `Adapter.show`.
        """
        load = self.loader(account)
        if isinstance(reply, fx.Sweep):
            return []
        if isinstance(reply, fx.Toast):
            reply = fx.Say(reply.text, ephemeral=reply.ephemeral)
        old = cards.get(reply.under if isinstance(reply, fx.Say) else getattr(reply, "slot", ""))
        if isinstance(reply, fx.Unbutton) and old is None:
            return []
        if isinstance(reply, fx.Card) and reply.repost and old is not None:
            await self._adapter.show(place, fx.Unbutton(reply.slot, whole=reply.revocable), old, load)
            old = None
        try:
            return await self._adapter.show(place, reply, old, load, key)
        except BlobMissing:
            if isinstance(reply, fx.Card) and reply.throttled:
                return []  # the first portrait of a job that was stopped meanwhile; the card's next state says so
            return await self._adapter.show(place, await self._without_picture(account, reply), old, load, key)

    async def _without_picture(self, account: int, reply: fx.Reply) -> fx.Reply:
        """Return what is shown of a reply whose picture is deleted. A card keeps its message: no other may take its
        place on screen, because nothing would ever change or delete the one before.
        """
        gone = say(await self._language(account), "failed.gone")
        match reply:
            case fx.Card(revocable=True):  # taken back: the card's next state is coming
                return replace(reply, pictures=())
            case fx.Card():
                return replace(reply, text=gone, rows=(), pictures=())
        return fx.Say(gone)

    def loader(self, account: int) -> Load:
        """Return what brings the bytes of an account's pictures and of style previews."""

        async def load(picture: fx.Picture) -> bytes:
            if picture.kind == "style":
                return await asyncio.to_thread(preview_bytes, picture)
            if picture.tiles:
                data = [await self._blob_store.get(account, name) for name in picture.tiles]
                return await asyncio.to_thread(side_by_side, data)
            return await self._blob_store.get(account, picture.name)

        return load

    async def _language(self, account: int) -> str:
        return (await self._record(account)).session.language

    async def _record(self, account: int) -> Record:
        async with self._database.read() as tx:
            return (await self._store.load(tx, account))[0]

    # --- effects ---------------------------------------------------------------------------------

    async def do(
        self, account: int, place: str, number: int, effect: fx.Effect, before: list[asyncio.Task[None]]
    ) -> None:
        """Do an effect until it is done, and acknowledge it. Raises Gone, and Unreachable where it must be shown."""
        sent: list[list[str]] = []
        match effect:
            case fx.Fetch():
                await self._until_done("fetch", partial(self._fetch, account, number, effect, before))
                return
            case fx.Discard():
                await self._until_done("discard", partial(self._discard, account, effect.photo))
            case fx.Cancel():
                await self._until_done("cancel", partial(self._cancel, account, effect.job))
            case fx.OpenTeam() | fx.EndTeam() | fx.JoinTeam() | fx.LeaveTeam() | fx.Release():
                await self._until_done("team", partial(self._teams.do, account, effect))
            case fx.Export():
                await until_done(
                    "export",
                    partial(self._export, account, place, sent),
                    self._backoff,
                    final=(Gone, Unreachable),
                    failed=partial(self._say_delayed, account, place),
                )
            case fx.Forget():
                await self._deletion.wish(account, place)
                return
        messages = [("", handle) for handles in sent for handle in handles]
        await self._until_done("acknowledge", partial(self._outbox.acknowledge, account, [number], messages))

    async def _until_done(self, what: str, action: Callable[[], Awaitable[None]]) -> None:
        await until_done(what, action, self._backoff, final=(Gone, Unreachable))

    async def _fetch(self, account: int, number: int, effect: fx.Fetch, before: list[asyncio.Task[None]]) -> None:
        """Bring a photo into the blob store and have it looked at.

        The transaction that enters it finds out whether it was taken back in the meantime. Photos are entered in the
        order they were sent, because the first ones say who the person is.
        """
        name = photo_file(effect.photo)

        async def enter(tx: Transaction, record: Record) -> None:
            if record.session.photo(effect.photo) is None:
                raise _TakenBack
            await tx.add_photo(account, name, blob.sha256, blob.size)
            placed = await self._job_queue.place(
                account, Look(name), f"photo:{effect.photo}", self._adapter.platform, tx
            )
            if isinstance(placed, Declined):
                raise _QueueFull

        failed = ""
        try:
            if (await self._record(account)).session.photo(effect.photo) is None:
                raise _TakenBack
            async with self._fetches:
                data = await self._adapter.fetch(effect.ref)
            blob = await self._blob_store.put(account, name, data)
            if before:
                await asyncio.wait(before, timeout=IN_ORDER_S)
            await self._outbox.acknowledge(account, [number], within=enter)
            return
        except _TakenBack:
            await self._blob_store.delete(account, [name])
        except _QueueFull:
            failed = "full"
        except PhotoTooBig:
            failed = "too_big"
        except PhotoGone:
            failed = "gone"
        if failed:
            await self._tell(account, e.PhotoFailed(effect.photo, failed))
        await self._outbox.acknowledge(account, [number])

    async def _discard(self, account: int, photo: int) -> None:
        """Delete a photo; those that only it spoke against are looked at again."""
        async with self._database.write() as tx:
            await tx.drop_photo(account, photo_file(photo))
            rest = [other for other in await tx.photos(account) if other.votes]
            if any(not other.facts["kept"] for other in rest):
                ref = f"photo:{number_of(rest[-1].name)}:without:{photo}"
                await self._job_queue.place(account, Look(rest[-1].name), ref, self._adapter.platform, tx)
        await self._blob_store.delete(account, [photo_file(photo)])

    async def _cancel(self, account: int, job: int) -> None:
        job_id = (await self._record(account)).job_ids.get(job)
        if job_id is not None:
            await self._job_queue.cancel(account, job_id)

    async def _export(self, account: int, place: str, sent: list[list[str]]) -> None:
        """Send everything that is kept, in as many archives as the platform's largest file asks for.

        sent: the handles of each archive that an earlier try sent; added to.
        """
        language, number = await self._language(account), 0
        async for archive in archives(self._services, account, self._adapter.limits.upload_bytes or 2**40):
            number += 1
            if number <= len(sent):
                continue
            caption, name = say(language, "export.caption", n=number), f"atelier-export-{number}.zip"

            async def load(_: fx.Picture, archive: bytes = archive) -> bytes:
                return archive

            files = fx.Files((fx.Picture("export", name, caption),), caption)
            sent.append(await self._adapter.show(place, files, None, load))

    async def _say_delayed(self, account: int, place: str, failures: int) -> None:
        """Say once that the archive comes later."""
        if failures == TOLD_AFTER:
            with suppress(Exception):
                text = say(await self._language(account), "export.delayed")
                await self._adapter.show(place, fx.Say(text), None, self.loader(account))
