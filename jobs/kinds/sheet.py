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
VERSION: Final = "version"


@dataclass(frozen=True, slots=True)
class Sheet(Job):
    """team: its id. What is released is read when the work begins, with its version.

    A sheet is for the owner only as long as that version is the team's: work that was slow, taken from its worker, or
    done again may end after the next change. Its file bears the version, so that nobody deletes another's.
    """

    queue: ClassVar[Queue] = "look"
    limited: ClassVar[bool] = False  # it takes away what somebody has taken back

    team: Annotated[int, Field(ge=1)]

    async def prepare(self, workspace: Workspace) -> None:
        """Lay ready what is released; a member who is being forgotten is passed over."""
        version = await workspace.lay_released(self.team)
        await workspace.write(VERSION, str(version).encode())

    def run(
        self, folder: Path, studio: Studio, on_progress: Progress, should_stop: Stop, on_portrait: OnPortrait
    ) -> dict[str, Any]:
        """Return how many are on the sheet, how alike they are, and the version of what was released."""
        pictures = [data for _, data in laid_photos(folder)] if (folder / "photos").is_dir() else []
        (folder / "out").mkdir(exist_ok=True)
        return {**studio.sheet(pictures, folder / "out" / SHEET), "version": int((folder / VERSION).read_text())}

    async def publish(self, workspace: Workspace, result: dict[str, Any]) -> Published:
        """Put the sheet into the owner's blob store in place of the one before; delete that one where none is left.

        An outdated sheet is not put, or taken away again, and the fact `outdated` says so: the next job brings another.
        """
        version, file = result["version"], file_of(self.team, result["version"])
        if await workspace.team_version(self.team) == version:
            await workspace.blob_store.delete_folder(workspace.account, folder_of(self.team))
            if result["shown"]:
                data = await asyncio.to_thread((workspace.out / SHEET).read_bytes)
                await workspace.blob_store.put(workspace.account, file, data)
        outdated = await workspace.team_version(self.team) != version
        if outdated:
            await workspace.blob_store.delete(workspace.account, [file])
        return Published(facts={**result, "file": file if result["shown"] else "", "outdated": outdated})


def folder_of(team: int) -> str:
    """Return the folder of the owner's blob store that a team's sheet is in."""
    return f"teams/{team}"


def file_of(team: int, version: int) -> str:
    """Return where a team's sheet of one version is in the owner's blob store."""
    return f"{folder_of(team)}/{version}.jpg"
