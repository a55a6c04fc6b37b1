"""Make an edited child of a portrait, or of several of one sitting, each beside its parent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field

from core.edit.offered import MOST_EDITS
from core.errors import Refused, Stopped
from jobs.kinds.base import Drawn, Job, OnPortrait, Progress, Published, Stop, Studio, Word, drawn_of

if TYPE_CHECKING:
    from jobs.worker.workspace import Workspace

PREVIEW: Final = "preview.jpg"
"""Beside the edit's own `e17.jpg`; no style is called so."""


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

        A single one that takes long is shown small before. Of several, one that cannot be edited so is left out and
        counted; if it is the only one, Refused is raised.
        """
        lines = [line.split() for line in (folder / "names").read_text("utf-8").splitlines()]

        def on_preview(data: bytes) -> None:
            (folder / "out" / PREVIEW).write_bytes(data)
            on_portrait({"file": PREVIEW, "kept": True}, 1)

        made: dict[str, Any] = {}
        for done, (number, portrait, edit) in enumerate(lines):
            if should_stop():
                raise Stopped(f"stopped at edit {done + 1} of {len(lines)}")
            on_progress("enhance", done, len(lines))

            def of_one(step: int, total: int, done: int = done) -> None:
                on_progress("enhance", done * total + step, len(lines) * total)

            try:
                made[number] = studio.enhance(
                    folder / "out" / portrait,
                    self.tweaks,
                    folder / "out" / edit,
                    of_one,
                    on_preview if len(lines) == 1 else None,
                )
            except Refused:
                if len(lines) == 1:
                    raise
        if not made:
            raise Refused("tweak_none", f"0 of {len(lines)} portraits can be edited so")
        return {"made": made, "left_out": len(lines) - len(made)}

    async def publish_early(self, workspace: Workspace, record: dict[str, Any]) -> Drawn:
        """Put the preview where nothing but this job's is kept: it goes with the job."""
        await workspace.publish_file(record["file"])
        return Drawn(f"{workspace.shared_folder}/{record['file']}", "", {}, self.portrait)

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
        await workspace.take_down()  # the preview
        drawn = [drawn_of(record, folder, int(number)) for number, record in result["made"].items()]
        return Published(drawn, {"folder": folder, "left_out": result["left_out"]})
