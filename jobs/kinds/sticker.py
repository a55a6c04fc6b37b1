"""Cut one portrait out as a sticker, in every size that a chat platform takes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from jobs.kinds.base import Job, OnPortrait, Progress, Published, Queue, Stop, Studio, Word

if TYPE_CHECKING:
    from jobs.worker.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Sticker(Job):
    """portrait: its id in the database. sizes: kinds of `core.deliver.sticker.KINDS`, a file each."""

    queue: ClassVar[Queue] = "look"

    portrait: Annotated[int, Field(ge=1)]
    sizes: Annotated[tuple[Word, ...], Field(min_length=1, max_length=4)]

    async def prepare(self, workspace: Workspace) -> None:
        """Lay ready the sitting's records and layers, and say which portrait is meant."""
        folder, _, file = (await workspace.portrait(self.portrait)).file.rpartition("/")
        await workspace.blob_store.get_folder(workspace.account, folder, workspace.out)
        await workspace.write("portrait", file.encode())

    def run(
        self, folder: Path, studio: Studio, on_progress: Progress, should_stop: Stop, on_portrait: OnPortrait
    ) -> dict[str, Any]:
        """Return the names of the files, in the order of `sizes`."""
        portrait = folder / "out" / (folder / "portrait").read_text("utf-8")
        return {"files": [studio.sticker(portrait, size).name for size in self.sizes]}

    async def publish(self, workspace: Workspace, result: dict[str, Any]) -> Published:
        """Put the files beside the portrait: they go when its sitting goes."""
        folder = (await workspace.portrait(self.portrait)).file.rpartition("/")[0]
        for name in result["files"]:
            data = await asyncio.to_thread((workspace.out / name).read_bytes)
            await workspace.blob_store.put(workspace.account, f"{folder}/{name}", data)
        return Published(facts={"files": [f"{folder}/{name}" for name in result["files"]]})
