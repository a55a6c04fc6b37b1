"""Look at one photo and say at once whether it is kept, alone and among the others of its set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from jobs.kinds.base import Job, Name, OnPortrait, Progress, Published, Queue, Stop, Studio
from jobs.worker.laid_photos import laid_set

if TYPE_CHECKING:
    from jobs.worker.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Look(Job):
    """photo: its name in the blob store."""

    queue: ClassVar[Queue] = "look"

    photo: Name

    async def prepare(self, workspace: Workspace) -> None:
        """Lay ready the photos that have a say in who the person is, this one last."""
        photos = await workspace.kept_photos()
        others = [(photo.name, photo.sha256) for photo in photos if photo.votes and photo.name != self.photo]
        await workspace.lay_set(others, self.photo)

    def run(
        self, folder: Path, studio: Studio, on_progress: Progress, should_stop: Stop, on_portrait: OnPortrait
    ) -> dict[str, Any]:
        """Return the verdict on the photo, and under `others` those that it changed."""
        return studio.look(laid_set(folder))

    async def publish(self, workspace: Workspace, result: dict[str, Any]) -> Published:
        """Nothing is stored but the verdicts."""
        return Published(facts=result, verdicts={**result.get("others", {}), self.photo: result})
