"""The blob store: a folder or S3 through obstore, every account's files sealed under its own key.

A file is known by an account and a name (`photos/3`, `shoots/17/p01.png`). Its place does not reveal either:

    a/<account's token>/<HMAC of the box>/<HMAC of the name>

The box is the first two words of the folder, so that a shoot's files can be listed and deleted together.
Inside, sealed: one line of JSON (name, sha256, type), then the bytes. A folder is written with its manifest last: where
`manifest.json` is, everything else is.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import mimetypes
import os
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from core.atomic import write_bytes
from core.errors import AtelierError
from jobs.settings import Settings
from jobs.storage.database import Database
from jobs.storage.keys import AccountKey, DataIntegrityError

MANIFEST: Final = "manifest.json"
AT_ONCE: Final = 4  # transfers in flight: enough to hide latency, little enough for the memory of a small machine
RETRY_FOR_S: Final = 8  # obstore's own patience; after that the job is put back and tried later


class BlobMissing(AtelierError):
    """There is no such file of this account."""


class BlobStoreDown(AtelierError):
    """The store does not answer or refuses; worth another try later."""


class BlobStoreFull(BlobStoreDown):
    """There is no space left."""


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A file as it was put in the blob store."""

    name: str
    sha256: str
    size: int


class BlobStore:
    """All accounts' files. Keys are asked of the database for every call, so a forgotten account is shut at once."""

    def __init__(self, store: Any, database: Database) -> None:
        self._store = store
        self._database = database
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def put(self, account: int, name: str, data: bytes) -> StoredBlob:
        """Seal and keep a file, whole or not at all, over an earlier one. Raises Gone, BlobStoreDown."""
        token, key = await self._key(account)
        digest = hashlib.sha256(data).hexdigest()
        head = {"name": name, "sha256": digest, "type": mimetypes.guess_type(name)[0] or "application/octet-stream"}
        place = _place(token, key, name)
        sealed = await asyncio.to_thread(key.seal, json.dumps(head).encode() + b"\n" + data, place)
        async with self._at_once:
            await _to_its_end(_asked(obstore.put_async(self._store, place, sealed), name))
        return StoredBlob(name, digest, len(data))

    async def get(self, account: int, name: str) -> bytes:
        """Return a file's bytes as they were put; raises BlobMissing, Gone, BlobStoreDown, DataIntegrityError."""
        token, key = await self._key(account)
        return (await self._read(_place(token, key, name), key))[1]

    async def delete(self, account: int, names: Iterable[str]) -> None:
        """Delete files; ones that are not there are no error."""
        token, key = await self._key(account)
        await self._drop([_place(token, key, name) for name in names])

    async def put_folder(
        self, account: int, folder: Path, name: str, known: dict[str, str] | None = None
    ) -> list[StoredBlob]:
        """Keep every file below a folder, its manifest last.

        known: relative path -> sha256 of what an earlier call put; those are skipped, and new ones entered.
        """
        known = {} if known is None else known
        filed = []
        for file in await asyncio.to_thread(_files_below, folder):
            relative = file.relative_to(folder).as_posix()
            data = await asyncio.to_thread(file.read_bytes)
            if known.get(relative) != hashlib.sha256(data).hexdigest():
                known[relative] = (await self.put(account, f"{name}/{relative}", data)).sha256
            filed.append(StoredBlob(f"{name}/{relative}", known[relative], len(data)))
        return filed

    async def get_folder(self, account: int, name: str, into: Path) -> dict[str, str]:
        """Write a kept folder's files below a local one; return relative path -> sha256, empty when there is none.

        Raises BlobMissing when one is deleted meanwhile: half a folder is no folder.
        """
        found: dict[str, str] = {}
        folder, key = await self._folder(account, name)
        async for place in self._places(folder):
            filed, data = await self._file(place, key)
            relative = filed.name.removeprefix(name + "/")
            await asyncio.to_thread(_write, into / relative, data)
            found[relative] = filed.sha256
        return found

    async def files_in(self, account: int, name: str) -> AsyncIterator[tuple[StoredBlob, bytes]]:
        """Give a kept folder's files one after another, in no job; one that is deleted meanwhile is left out.

        Raises Gone, BlobStoreDown, DataIntegrityError.
        """
        folder, key = await self._folder(account, name)
        async for place in self._places(folder):
            try:
                yield await self._file(place, key)
            except BlobMissing:
                continue

    async def delete_folder(self, account: int, name: str) -> int:
        """Delete a kept folder; return how many files went."""
        folder, _ = await self._folder(account, name)
        return await self._drop_below(folder)

    async def delete_account(self, token: str) -> int:
        """Delete everything below an account's token, key or no key; return how many files went."""
        return await self._drop_below(f"a/{token}/")

    async def ping(self) -> None:
        """Raise BlobStoreDown when the store does not answer."""
        async for _ in self._places("a/ping/"):
            break

    async def _key(self, account: int) -> tuple[str, AccountKey]:
        async with self._database.read() as tx:
            return await tx.key(account)

    async def _folder(self, account: int, name: str) -> tuple[str, AccountKey]:
        """Return the place that a kept folder's files lie below, and what opens them."""
        token, key = await self._key(account)
        return f"{_box(token, key, name + '/x')}/", key

    async def _file(self, place: str, key: AccountKey) -> tuple[StoredBlob, bytes]:
        head, data = await self._read(place, key)
        return StoredBlob(str(head["name"]), str(head["sha256"]), len(data)), data

    async def _read(self, place: str, key: AccountKey) -> tuple[dict[str, Any], bytes]:
        async with self._at_once:
            got = await _asked(obstore.get_async(self._store, place), place)
            sealed = bytes(await _asked(got.bytes_async(), place))
        head, _, data = (await asyncio.to_thread(key.open, sealed, place)).partition(b"\n")
        found: dict[str, Any] = json.loads(head)
        if hashlib.sha256(data).hexdigest() != found["sha256"]:
            raise DataIntegrityError(f"{found['name']} does not have the checksum it was kept with")
        return found, data

    async def _places(self, prefix: str) -> AsyncIterator[str]:
        try:
            async for batch in obstore.list(self._store, prefix):
                for item in batch:
                    yield str(item["path"])
        except (BaseError, OSError) as error:
            raise _fault(error) from error

    async def _drop_below(self, prefix: str) -> int:
        places = [place async for place in self._places(prefix)]
        await self._drop(places)
        return len(places)

    async def _drop(self, places: list[str]) -> None:
        for place in places:
            try:
                await _asked(obstore.delete_async(self._store, place), place)
            except BlobMissing:
                continue


def open_blob_store(settings: Settings, database: Database) -> BlobStore:
    """Open the store of the settings: `data/shelf`, or S3 with the AWS_* environment every tool reads."""
    url = settings.shelf_url
    if url is None or url.startswith("file:"):
        folder = settings.data / "shelf" if url is None else Path(url.removeprefix("file://"))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return BlobStore(LocalStore(folder, automatic_cleanup=True), database)
    patience = timedelta(seconds=RETRY_FOR_S)
    plain = os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true"}  # a store of one's own on a private network
    store = from_url(
        url,
        client_options={"timeout": patience, "connect_timeout": timedelta(seconds=3), "allow_http": plain},
        retry_config={"max_retries": 4, "retry_timeout": patience},
    )
    return BlobStore(store, database)


def _box(token: str, key: AccountKey, name: str) -> str:
    folder = "/".join(name.split("/")[:-1][:2])
    return f"a/{token}/{key.place('box ' + folder)}"


def _place(token: str, key: AccountKey, name: str) -> str:
    return f"{_box(token, key, name)}/{key.place(name)}"


def _files_below(folder: Path) -> list[Path]:
    """Whole files only (drafts begin with a dot), the manifest last."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    return sorted(files, key=lambda file: file.name == MANIFEST)


def _write(file: Path, data: bytes) -> None:
    """Write a file whole or not at all, in a folder that only its owner reads."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_bytes(file, data)


async def _to_its_end(writing: Coroutine[Any, Any, object]) -> None:
    """Await a write, to its end when cancelled too: obstore writes on in its threads, after a deletion even."""
    task = asyncio.ensure_future(writing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise


async def _asked(answer: Any, what: str) -> Any:
    """Wait for the store and turn what it says into this module's errors."""
    try:
        return await answer
    except FileNotFoundError:
        raise BlobMissing(f"{what} is not in the blob store") from None
    except (BaseError, OSError) as error:
        raise _fault(error) from error


def _fault(error: Exception) -> BlobStoreDown:
    full = "No space left" in str(error) or "os error 28" in str(error)  # obstore gives no errno
    return (BlobStoreFull if full else BlobStoreDown)(str(error).splitlines()[0][:300])
