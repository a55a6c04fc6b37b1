"""Make an edited child of a portrait, beside its parent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from jobs.kinds.base import Job, OnPortrait, Progress, Published, Stop, Studio, Word, drawn_of

if TYPE_CHECKING:
    from jobs.worker.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Enhance(Job):
    """portrait: its id in the database. tweaks: what is changed, in order."""

    portrait: Annotated[int, Field(ge=1)]
    tweaks: Annotated[tuple[Word, ...], Field(min_length=1, max_length=12)]

    async def prepare(self, workspace: Workspace) -> None:
        """Lay ready the sitting's records and layers, and say which portrait is meant and what the edit is called."""
        folder, _, file = (await workspace.portrait(self.portrait)).file.rpartition("/")
        await workspace.blob_store.get_folder(workspace.account, folder, workspace.out)
        await workspace.write("names", f"{file} e{workspace.job_id}{Path(file).suffix}".encode())

    def run(
        self, folder: Path, studio: Studio, on_progress: Progress, should_stop: Stop, on_portrait: OnPortrait
    ) -> dict[str, Any]:
        """Return the record of the edit."""
        on_progress("enhance", 0, 1)
        portrait, edit = (folder / "names").read_text("utf-8").split()
        return studio.enhance(folder / "out" / portrait, self.tweaks, folder / "out" / edit)

    async def publish(self, workspace: Workspace, result: dict[str, Any]) -> Published:
        """Put the edit and its record beside its parent."""
        folder = (await workspace.portrait(self.portrait)).file.rpartition("/")[0]
        for name in (result["file"], *result.get("exports", {}).values(), f"{Path(result['file']).stem}.json"):
            data = await asyncio.to_thread((workspace.out / name).read_bytes)
            await workspace.blob_store.put(workspace.account, f"{folder}/{name}", data)
        return Published([drawn_of(result, folder, self.portrait)], {"folder": folder})
