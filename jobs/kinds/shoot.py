"""Learn the person from their photos and draw them in the chosen styles."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import Field

from jobs.kinds.base import Drawn, Job, Name, OnPortrait, Progress, Published, Stop, Studio, Word, drawn_of
from jobs.worker.laid_photos import laid_photos

if TYPE_CHECKING:
    from jobs.worker.workspace import Workspace

MOST_PHOTOS: Final = 30  # a set beyond this teaches nothing more and only costs decoding time
MOST_PICTURES: Final = 64  # styles x count of one job; keeps one job under an hour on two cores
REFERENCES: Final = "reference_embeddings.npz"  # what edits of this sitting are scored against: stays with its pictures

PHOTO_S: Final = {"check": 0.5, "map": 0.1}
TRAIN_S: Final = 45.0
PORTRAIT_S: Final = 20.0
DELIVER_S: Final = 0.2
PUBLISH_S: Final = 1.0
"""Seconds of each stage, of a photo or a portrait where there are several: `timings_s` of manifests from two shared CPU
cores (0.5 to 0.6 a photo, 0.1 to map one, 29 to 42 a portrait with a training beside it), and the minute
that `core.engines.redress.lora` takes at most. Only their ratios count; what a portrait takes here is measured."""


@dataclass(frozen=True, slots=True)
class Shoot(Job):
    """count: portraits per style. seed: same job, same seed, same pictures. train: learn a LoRA first.

    details: (what, value) chosen over the style's own: outfit, colour, backdrop, light, angle.
    """

    mirrored: ClassVar[bool] = True

    photos: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MOST_PHOTOS)]
    styles: Annotated[tuple[Word, ...], Field(min_length=1, max_length=12)]
    purpose: Word | None = None
    count: Annotated[int, Field(ge=1, le=16)] = 4
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    train: bool = True
    details: Annotated[tuple[tuple[Word, Word], ...], Field(max_length=8)] = ()

    def __post_init__(self) -> None:
        if self.units > MOST_PICTURES:
            raise ValueError(f"{self.units} portraits in one job, {MOST_PICTURES} is the limit")

    @property
    def units(self) -> int:
        """Portraits to draw."""
        return len(self.styles) * self.count

    async def prepare(self, workspace: Workspace) -> None:
        """Lay ready what another machine had finished, the photos, and what was learnt of the same set before."""
        if not workspace.out.exists():
            await workspace.take_over()
        await workspace.lay_photos(self.photos)
        if self.train:
            # what an earlier attempt of this job had learnt of them lies there already, and goes before
            known = await workspace.identity(await asyncio.to_thread(_digest, workspace.folder))
            if known is not None and not await asyncio.to_thread(_learnt_in, workspace.out / "identity"):
                await workspace.blob_store.get_folder(workspace.account, known, workspace.out / "identity")

    def run(
        self, folder: Path, studio: Studio, on_progress: Progress, should_stop: Stop, on_portrait: OnPortrait
    ) -> dict[str, Any]:
        """Return the manifest."""
        return studio.shoot(laid_photos(folder), self, folder / "out", on_progress, should_stop, on_portrait)

    async def publish_early(self, workspace: Workspace, record: dict[str, Any]) -> Drawn:
        """Put one portrait's picture where `publish` puts it too; its record and layers can wait."""
        await workspace.publish_file(record["file"])
        return drawn_of(record, workspace.shared_folder)

    async def publish(self, workspace: Workspace, result: dict[str, Any]) -> Published:
        """Put the sitting into the blob store, manifest last, and what was learnt where every later one finds it."""
        folder = workspace.shared_folder
        kept = [drawn_of(record, folder) for record in result["portraits"] if record.get("kept", True)]
        dropped = [record for record in result["portraits"] if not record.get("kept", True)]
        if self.train:
            await self._publish_identity(workspace)
        if kept:
            await workspace.publish_out()
        else:
            await workspace.take_down()
        public = ("drawn", "asked", "training", "baseline", "photos")
        facts = {name: result[name] for name in public if name in result}
        return Published(kept, {**facts, "folder": folder, "dropped": _counted(dropped)})

    def estimate(self, stage: str, step: int, total: int) -> float:
        """Count the stages before this one, and `step` of `total` of it."""
        stages = [(name, seconds * len(self.photos)) for name, seconds in PHOTO_S.items()]
        if self.train:
            stages.append(("train", TRAIN_S))
        stages += [(f"shoot {style}", PORTRAIT_S * self.count) for style in self.styles]
        stages += [("deliver", DELIVER_S), ("publish", PUBLISH_S)]
        names = [name[:40] for name, _ in stages]  # as the database keeps them
        if stage not in names:
            return 0.0
        at = names.index(stage)
        part = min(step, total) / total if total else 0.0
        spent = sum(seconds for _, seconds in stages[:at]) + stages[at][1] * part
        return spent / sum(seconds for _, seconds in stages)

    async def _publish_identity(self, workspace: Workspace) -> None:
        """Move what was learnt from among the sitting's files to a place of its own."""
        learnt = workspace.out / "identity"
        files = await asyncio.to_thread(_learnt_in, learnt)
        if not files:
            return
        digest = await asyncio.to_thread(_digest, workspace.folder)
        folder = f"identities/{digest}"
        for file in files:
            name = f"{folder}/{file.relative_to(learnt).as_posix()}"
            await workspace.blob_store.put(workspace.account, name, await asyncio.to_thread(file.read_bytes))
        await workspace.add_identity(digest, folder)
        for file in files:
            await asyncio.to_thread(file.unlink)


def _digest(folder: Path) -> str:
    """Return what the laid set of photos is known by, whatever its order: the same set is not learnt twice."""
    sums = sorted(hashlib.sha256(data).hexdigest() for _, data in laid_photos(folder))
    return hashlib.sha256("".join(sums).encode()).hexdigest()


def _counted(dropped: list[dict[str, Any]]) -> dict[str, int]:
    """Count dropped portraits by their first reason."""
    counts: dict[str, int] = {}
    for record in dropped:
        reason = next(iter(record.get("reasons") or ["unknown"]))
        counts[reason] = counts.get(reason, 0) + 1
    return counts


def _learnt_in(identity: Path) -> list[Path]:
    return [file for file in identity.rglob("*") if file.is_file() and file.name != REFERENCES]
