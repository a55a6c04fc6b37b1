"""An order's files: laid ready from the shelf, mirrored while it is done, published when it is.

    <work>/<account's token>/<order>.<attempt>/photos        what the studio may look at
                                              /out           what it makes; stays for the next attempt
                                              /out/identity  what training learnt so far; and the witnesses

Here alone pictures lie in the clear, in folders of mode 700, for as long as the order runs. They are deleted
with its end; after a kill by the next attempt's end, by the sweep, or by forgetting.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import structlog

from jobs.kinds import orders as o
from jobs.storage.accounts import Gone
from jobs.storage.blobs import NotKept, Shelf, ShelfDown
from jobs.storage.database import Ledger
from jobs.storage.job_store import Claimed, Drawn

log = structlog.get_logger("atelier.workbench")

WITNESSES: Final = "witnesses.npz"  # what edits of this sitting are scored against: stays with its pictures


@dataclass(slots=True)
class Workbench:
    """One attempt's folder. filed: relative path -> sha256 of what is on the shelf of it already."""

    shelf: Shelf
    ledger: Ledger
    claimed: Claimed
    folder: Path
    filed: dict[str, str] = field(default_factory=dict)
    learnt: str = ""  # where on the shelf the identity of these photos belongs, "" when nothing is to be learnt

    @property
    def out(self) -> Path:
        """Where the studio puts what it makes."""
        return self.folder / "out"

    @property
    def identity(self) -> Path:
        """Where it puts what training learns: checkpoints, then `lora/` and `training.json` (`core.engines.lora`)."""
        return self.out / "identity"

    async def lay_ready(self) -> None:
        """Fill the folder: what an earlier attempt left, here or on the shelf, and the photos."""
        account, order = self.claimed.account, self.claimed.order
        await asyncio.to_thread(_inherit, self.folder)
        if isinstance(order, o.Enhance):
            await self._lay_portrait(order)
            return
        if isinstance(order, o.Shoot):
            if not self.out.exists():
                self.filed = await self.shelf.get_folder(account, folder_of(self.claimed.id), self.out)
            names = list(order.photos)
        else:
            async with self.ledger.read() as page:
                known = [photo.name for photo in await page.photos(account) if photo.votes]
            names = [name for name in known if name != order.photo] + [order.photo]
        for number, name in enumerate(names):
            data = await self.shelf.get(account, name)
            await asyncio.to_thread(_write, self.folder / "photos" / f"{number:03d}-{quote(name, safe='')}", data)
        if isinstance(order, o.Shoot) and order.train:
            await self._lay_identity(order)

    async def _lay_identity(self, order: o.Shoot) -> None:
        """Bring what an earlier sitting learnt of the same photos, so that it is not learnt again.

        What an earlier attempt of this order had learnt of them lies there already, and goes before.
        """
        account = self.claimed.account
        async with self.ledger.read() as page:
            sums = sorted(photo.sha256 for photo in await page.photos(account) if photo.name in order.photos)
            digest = hashlib.sha256("".join(sums).encode()).hexdigest()
            known = await page.identity(account, digest)
        self.learnt = f"identities/{digest}"
        if known is not None and not await asyncio.to_thread(_learnt_in, self.identity):
            await self.shelf.get_folder(account, known, self.identity)

    async def _lay_portrait(self, order: o.Enhance) -> None:
        """Fetch the sitting's records and layers, and say which portrait is meant and what the edit will be called."""
        account = self.claimed.account
        async with self.ledger.read() as page:
            found = [portrait for portrait in await page.portraits(account) if portrait.id == order.portrait]
        if not found:
            raise NotKept(f"portrait {order.portrait} is deleted")
        folder, _, file = found[0].file.rpartition("/")
        await self.shelf.get_folder(account, folder, self.out)
        edit = f"e{self.claimed.id}{Path(file).suffix}"
        await asyncio.to_thread(_write, self.folder / "names", f"{file} {edit}".encode())

    async def mirror(self, every_s: float) -> None:
        """Keep finished files on the shelf while the work goes on, so that another machine need not begin anew."""
        while True:
            await asyncio.sleep(every_s)
            try:
                if await asyncio.to_thread(self.out.exists):
                    await self.shelf.put_folder(self.claimed.account, self.out, folder_of(self.claimed.id), self.filed)
            except (ShelfDown, OSError) as error:
                log.warning("mirror_waits", order=self.claimed.id, error=str(error))
            except Gone:
                return

    def clear_away(self) -> None:
        """Delete the order's folders on this machine, those that overtaken attempts wrote to once more included."""
        for folder in self.folder.parent.glob(f"{self.claimed.id}.*"):
            shutil.rmtree(folder, ignore_errors=True)

    async def publish(self, result: dict[str, Any]) -> tuple[list[Drawn], dict[str, Any]]:
        """Put what was made on the shelf, manifest last; return the portraits and what the person is told of them."""
        order = self.claimed.order
        if isinstance(order, o.Look):
            return [], result
        if isinstance(order, o.Enhance):
            return await self._publish_edit(order, result)
        account, folder = self.claimed.account, folder_of(self.claimed.id)
        kept = [_drawn(record, folder) for record in result["portraits"] if record.get("kept", True)]
        dropped = [record for record in result["portraits"] if not record.get("kept", True)]
        await self._publish_identity()
        if kept:
            filed = await self.shelf.put_folder(account, self.out, folder, self.filed)
            here = {file.name for file in filed}
            await self.shelf.delete(account, {f"{folder}/{name}" for name in self.filed} - here)
        else:
            await take_down(self.shelf, account, self.claimed.id, self.claimed.kind)
        facts: dict[str, Any] = {
            name: result[name] for name in ("drawn", "asked", "training", "baseline", "photos") if name in result
        }
        return kept, {**facts, "folder": folder, "dropped": _counted(dropped)}

    async def _publish_edit(self, order: o.Enhance, result: dict[str, Any]) -> tuple[list[Drawn], dict[str, Any]]:
        account = self.claimed.account
        async with self.ledger.read() as page:
            parent = next(p for p in await page.portraits(account) if p.id == order.portrait)
        folder = parent.file.rpartition("/")[0]
        for name in (result["file"], f"{Path(result['file']).stem}.json"):
            data = await asyncio.to_thread((self.out / name).read_bytes)
            await self.shelf.put(account, f"{folder}/{name}", data)
        return [_drawn(result, folder, order.portrait)], {"folder": folder}

    async def _publish_identity(self) -> None:
        """Move what was learnt from among the sitting's files to a place of its own, for every later sitting."""
        account, files = self.claimed.account, await asyncio.to_thread(_learnt_in, self.identity)
        if not self.learnt or not files:
            return
        for file in files:
            name = f"{self.learnt}/{file.relative_to(self.identity).as_posix()}"
            await self.shelf.put(account, name, await asyncio.to_thread(file.read_bytes))
        async with self.ledger.write() as page:
            await page.add_identity(account, self.learnt.rpartition("/")[2], self.learnt)
        for file in files:
            await asyncio.to_thread(file.unlink)


async def take_down(shelf: Shelf, account: int, order: int, kind: str) -> None:
    """Take the files of a shoot that ended without a gallery off the shelf again."""
    if kind == "shoot":
        try:
            await shelf.delete_folder(account, folder_of(order))
        except (ShelfDown, Gone) as error:
            log.warning("left_on_shelf", order=order, error=str(error))


def folder_of(order: int) -> str:
    """Return the folder on the shelf that a shoot's files are kept in."""
    return f"shoots/{order}"


def _drawn(record: dict[str, Any], folder: str, parent: int | None = None) -> Drawn:
    recipe = record.get("recipe", {})
    names = ("likeness", "percent_of_baseline", "cost_points", "exports")
    facts = {name: record.get(name) for name in names} | {"tweaks": list(recipe.get("tweaks", ()))}
    return Drawn(f"{folder}/{record['file']}", recipe.get("style", ""), facts, parent)


def _counted(dropped: list[dict[str, Any]]) -> dict[str, int]:
    """Count dropped portraits by their first reason."""
    counts: dict[str, int] = {}
    for record in dropped:
        reason = next(iter(record.get("reasons") or ["unknown"]))
        counts[reason] = counts.get(reason, 0) + 1
    return counts


def _learnt_in(identity: Path) -> list[Path]:
    return [file for file in identity.rglob("*") if file.is_file() and file.name != WITNESSES]


def _inherit(folder: Path) -> None:
    """Give the newest earlier attempt's files on this machine to this one, by a rename.

    A worker that still runs that attempt has lost it; what it writes from now on is nobody's.
    """
    for private in (folder.parent.parent, folder.parent):
        private.mkdir(parents=True, exist_ok=True, mode=0o700)
    order = folder.name.partition(".")[0]
    earlier = sorted(folder.parent.glob(f"{order}.*"), key=lambda f: int(f.suffix[1:]), reverse=True)
    for left in earlier:
        if left == folder:
            continue
        if folder.exists():
            shutil.rmtree(left, ignore_errors=True)
        else:
            os.rename(left, folder)
    folder.mkdir(exist_ok=True, mode=0o700)


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.write_bytes(data)
