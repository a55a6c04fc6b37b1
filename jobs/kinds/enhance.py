"""Make an edited child of a portrait, or of several of one sitting, each beside its parent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from core.edit.offered import MOST_EDITS
from core.errors import Refused, Stopped
from jobs.kinds.base import Job, OnPortrait, Progress, Published, Stop, Studio, Word, drawn_of

if TYPE_CHECKING:
    from jobs.worker.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Enhance(Job):
    """portrait: its id in the database. tweaks: what is changed, in order. others: portraits of the same sitting that
    get the same edits.
    """

    portrait: Annotated[int, Field(ge=1)]
    tweaks: Annotated[tuple[Word, ...], Field(min_length=1, max_length=MOST_EDITS)]
    others: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(max_length=128)] = ()

    @property
    def units(self) -> int:
        """See `Job.units`."""
        return 1 + len(self.others)

    async def prepare(self, workspace: Workspace) -> None:
        """Lay ready the sitting's records and layers, and say which portraits are meant and what the edits are called.

        Of the others one that was deleted meanwhile is left out, and one of another sitting.
        """
        folder, _, file = (await workspace.portrait(self.portrait)).file.rpartition("/")
        await workspace.blob_store.get_folder(workspace.account, folder, workspace.out)
        lines = [f"{self.portrait} {file} e{workspace.job_id}{Path(file).suffix}"]
        for portrait in await workspace.portraits(self.others):
            there, _, other = portrait.file.rpartition("/")
            if there == folder:
                lines.append(f"{portrait.id} {other} e{workspace.job_id}-{portrait.id}{Path(other).suffix}")
        await workspace.write("names", "\n".join(lines).encode())

    def run(
        self, folder: Path, studio: Studio, on_progress: Progress, should_stop: Stop, on_portrait: OnPortrait
    ) -> dict[str, Any]:
        """Return the records of the edits, by the number of the portrait each was made of.

        Of several, one that cannot be edited so is left out and counted; if it is the only one, Refused is raised.
        """
        lines = [line.split() for line in (folder / "names").read_text("utf-8").splitlines()]
        made: dict[str, Any] = {}
        for done, (number, portrait, edit) in enumerate(lines):
            if should_stop():
                raise Stopped(f"stopped at edit {done + 1} of {len(lines)}")
            on_progress("enhance", done, len(lines))

            def of_one(step: int, total: int, done: int = done) -> None:
                on_progress("enhance", done * total + step, len(lines) * total)

            try:
                made[number] = studio.enhance(folder / "out" / portrait, self.tweaks, folder / "out" / edit, of_one)
            except Refused:
                if len(lines) == 1:
                    raise
        if not made:
            raise Refused("tweak_none", f"0 of {len(lines)} portraits can be edited so")
        return {"made": made, "left_out": len(lines) - len(made)}

    async def publish(self, workspace: Workspace, result: dict[str, Any]) -> Published:
        """Put the edits and their records beside their parents."""
        folder = (await workspace.portrait(self.portrait)).file.rpartition("/")[0]
        for record in result["made"].values():
            names = [record["file"], *record.get("exports", {}).values(), f"{Path(record['file']).stem}.json"]
            if worn := record.get("worn"):  # what was put on now: the next edit begins with it
                names = [*(f"{worn}/{file.name}" for file in sorted((workspace.out / worn).iterdir())), *names]
            for name in names:
                data = await asyncio.to_thread((workspace.out / name).read_bytes)
                await workspace.blob_store.put(workspace.account, f"{folder}/{name}", data)
        drawn = [drawn_of(record, folder, int(number)) for number, record in result["made"].items()]
        return Published(drawn, {"folder": folder, "left_out": result["left_out"]})
