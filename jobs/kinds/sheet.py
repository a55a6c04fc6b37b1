"""Lay the portraits that a team's members have released out on one sheet, for the owner of the team."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import Field

from jobs.kinds.base import Job, OnPortrait, Progress, Published, Queue, Stop, Studio
from jobs.worker.laid_photos import laid_photos

if TYPE_CHECKING:
    from jobs.worker.workspace import Workspace

SHEET: Final = "sheet.jpg"


@dataclass(frozen=True, slots=True)
class Sheet(Job):
    """team: its id. What is released is read when the work begins, so the newest sheet is never behind."""

    queue: ClassVar[Queue] = "look"

    team: Annotated[int, Field(ge=1)]

    async def prepare(self, workspace: Workspace) -> None:
        """Lay ready what is released; a member who is being forgotten is passed over."""
        await workspace.lay_released(self.team)

    def run(
        self, folder: Path, studio: Studio, on_progress: Progress, should_stop: Stop, on_portrait: OnPortrait
    ) -> dict[str, Any]:
        """Return how many are on the sheet and how alike they are."""
        pictures = [data for _, data in laid_photos(folder)] if (folder / "photos").is_dir() else []
        (folder / "out").mkdir(exist_ok=True)
        return studio.sheet(pictures, folder / "out" / SHEET)

    async def publish(self, workspace: Workspace, result: dict[str, Any]) -> Published:
        """Put the sheet into the owner's blob store in place of the one before; delete that one where none is left."""
        await workspace.blob_store.delete_folder(workspace.account, folder_of(self.team))
        if not result["shown"]:
            return Published(facts={**result, "file": ""})
        file = f"{folder_of(self.team)}/{workspace.job_id}.jpg"
        data = await asyncio.to_thread((workspace.out / SHEET).read_bytes)
        await workspace.blob_store.put(workspace.account, file, data)
        return Published(facts={**result, "file": file})


def folder_of(team: int) -> str:
    """Return the folder of the owner's blob store that a team's sheet is in."""
    return f"teams/{team}"
