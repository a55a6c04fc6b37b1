"""A job's files: laid ready from the blob store, mirrored while it runs, published when it is done.

    <work>/<account's token>/<job>.<attempt>/photos        what the studio may look at
                                            /out           what it makes; stays for the next attempt
                                            /out/identity  what training learnt so far; and the reference embeddings

Here alone pictures lie in the clear, in folders of mode 700, for as long as the job runs. They are deleted
with its end; after a kill by the next attempt's end, by the sweep, or by forgetting.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from jobs.storage.base import Gone
from jobs.storage.blobs import BlobMissing, BlobStore, BlobStoreDown
from jobs.storage.database import Database
from jobs.storage.pictures import Photo, Portrait
from jobs.worker.laid_photos import SET, photo_file, set_json

log = structlog.get_logger("atelier.workspace")

PRIVATE_MODE: Final = 0o700


@dataclass(slots=True)
class Workspace:
    """One attempt's folder, and what a job kind may ask for. account: whose job it is. stored: relative path -> sha256
    of what the blob store has of `out` already.
    """

    blob_store: BlobStore
    database: Database
    account: int
    job_id: int
    folder: Path
    held: frozenset[str] = frozenset()  # sha256 of photos that the child holds decoded
    stored: dict[str, str] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        """Where the studio puts what it makes."""
        return self.folder / "out"

    @property
    def shared_folder(self) -> str:
        """Where `out` is kept in the blob store."""
        return folder_of(self.job_id)

    async def inherit(self) -> None:
        """Make the folder, with what an earlier attempt on this machine left."""
        await asyncio.to_thread(_inherit, self.folder)

    async def write(self, name: str, data: bytes) -> None:
        """Write a file into the folder."""
        await asyncio.to_thread(_write, self.folder / name, data)

    async def take_over(self) -> None:
        """Fetch what an earlier attempt on another machine had finished."""
        self.stored = await self.blob_store.get_folder(self.account, self.shared_folder, self.out)

    async def kept_photos(self) -> list[Photo]:
        """Return the account's photos, oldest first."""
        async with self.database.read() as tx:
            return await tx.photos(self.account)

    async def lay_photos(self, names: Sequence[str]) -> None:
        """Write photos into `photos/`, numbered in order, for `laid_photos`; raises BlobMissing."""
        for number, name in enumerate(names):
            await self.write(photo_file(number, name), await self.blob_store.get(self.account, name))

    async def lay_set(self, others: Sequence[tuple[str, str]], last: str) -> None:
        """Write a set (names and sha256) with one photo more, for `laid_set`.

        What the child holds decoded is only named. The last one must be there, the others need not: someone may delete
        one at any moment.
        """
        laid: list[tuple[str, str]] = []
        for name, sha256 in others:
            if sha256 not in self.held:
                try:
                    data = await self.blob_store.get(self.account, name)
                except BlobMissing:
                    continue
                await self.write(photo_file(len(laid), name), data)
            laid.append((name, sha256))
        data = await self.blob_store.get(self.account, last)
        await self.write(photo_file(len(laid), last), data)
        laid.append((last, hashlib.sha256(data).hexdigest()))
        await self.write(SET, set_json(laid))

    async def lay_released(self, team: int) -> int:
        """Write what a team's members have released into `photos/`, for `laid_photos`; return its version.

        They are files of other accounts; one of a member who is being forgotten is passed over. What an earlier attempt
        had laid is deleted: it may have been taken back since. The version is read first, so that a change between two
        reads makes the sheet outdated, never too new.
        """
        await asyncio.to_thread(shutil.rmtree, self.folder / "photos", ignore_errors=True)
        async with self.database.read() as tx:
            version = await tx.team_version(team)
            released = await tx.released(team)
        for number, (account, name) in enumerate(released):
            try:
                data = await self.blob_store.get(account, name)
            except (BlobMissing, Gone):
                continue
            await self.write(photo_file(number, name), data)
        return version

    async def team_version(self, team: int) -> int:
        """Return the version of what is released to a team now; -1 when it is over."""
        async with self.database.read() as tx:
            return await tx.team_version(team)

    async def portrait(self, number: int) -> Portrait:
        """Return a portrait by its id; raises BlobMissing when it is deleted."""
        found = await self.portraits([number])
        if not found:
            raise BlobMissing(f"portrait {number} is deleted")
        return found[0]

    async def portraits(self, numbers: Sequence[int]) -> list[Portrait]:
        """Return those portraits of these ids that are there."""
        async with self.database.read() as tx:
            return [portrait for portrait in await tx.portraits(self.account) if portrait.id in numbers]

    async def identity(self, digest: str) -> str | None:
        """Return the folder in the blob store with what was learnt of a set of photos, None if nothing was."""
        async with self.database.read() as tx:
            return await tx.identity(self.account, digest)

    async def add_identity(self, digest: str, folder: str) -> None:
        """Enter what was learnt of a set of photos."""
        async with self.database.write() as tx:
            await tx.add_identity(self.account, digest, folder)

    async def publish_file(self, name: str) -> None:
        """Put one finished file of `out` into the blob store."""
        data = await asyncio.to_thread((self.out / name).read_bytes)
        blob = await self.blob_store.put(self.account, f"{self.shared_folder}/{name}", data)
        self.stored[name] = blob.sha256

    async def publish_out(self) -> None:
        """Put `out` into the blob store, manifest last, and delete there what is not in it any more."""
        there = set(self.stored)
        filed = await self.blob_store.put_folder(self.account, self.out, self.shared_folder, self.stored)
        here = {file.name for file in filed}
        await self.blob_store.delete(self.account, {f"{self.shared_folder}/{name}" for name in there} - here)

    async def mirror(self, every_s: float, over: asyncio.Event) -> None:
        """Keep finished files in the blob store while the work goes on, so that another machine need not begin anew.

        Returns once `over` is set and what it was putting is put: a thread that writes goes on when its task is
        cancelled, and its file would arrive after the job's files are taken down.
        """
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), every_s)
            if over.is_set():
                return
            try:
                if await asyncio.to_thread(self.out.exists):
                    await self.blob_store.put_folder(self.account, self.out, self.shared_folder, self.stored)
            except (BlobStoreDown, OSError) as error:
                log.warning("mirror_waits", job=self.job_id, error=str(error))
            except Gone:
                return

    async def take_down(self) -> None:
        """Delete what the job had put into the blob store."""
        await take_down(self.blob_store, self.account, self.job_id)

    def clear_away(self) -> None:
        """Delete the job's folders on this machine, those that overtaken attempts wrote to once more included."""
        for folder in self.folder.parent.glob(f"{self.job_id}.*"):
            shutil.rmtree(folder, ignore_errors=True)


async def take_down(blob_store: BlobStore, account: int, job_id: int) -> None:
    """Delete from the blob store what a job that ended without a gallery had put there."""
    try:
        await blob_store.delete_folder(account, folder_of(job_id))
    except (BlobStoreDown, Gone) as error:
        log.warning("left_in_blob_store", job=job_id, error=str(error))


def folder_of(job_id: int) -> str:
    """Return the folder in the blob store that a job's files are kept in."""
    return f"shoots/{job_id}"


def _inherit(folder: Path) -> None:
    """Give the newest earlier attempt's files on this machine to this one, by a rename.

    A worker that still runs that attempt has lost it; what it writes from now on is nobody's.
    """
    for private in (folder.parent.parent, folder.parent):
        private.mkdir(parents=True, exist_ok=True, mode=PRIVATE_MODE)
    job = folder.name.partition(".")[0]
    earlier = sorted(folder.parent.glob(f"{job}.*"), key=lambda f: int(f.suffix[1:]), reverse=True)
    for left in earlier:
        if left == folder:
            continue
        if folder.exists():
            shutil.rmtree(left, ignore_errors=True)
        else:
            os.rename(left, folder)
    folder.mkdir(exist_ok=True, mode=PRIVATE_MODE)


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_MODE)
    file.write_bytes(data)
