"""What every job kind is made of: a frozen value that travels as JSON, and the four steps of its life.

Photos and portraits are named, never carried: a job holds no picture, no caption and no chat address, so nothing
personal lies in a queue. Nothing of storage is imported here: a bot may name a job without opening a database.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from pydantic import StringConstraints

from core.errors import AtelierError
from jobs.worker.laid_photos import LaidPhoto

if TYPE_CHECKING:
    from jobs.worker.workspace import Workspace

Queue = Literal["look", "studio"]
"""`look` is CPU work of a second, `studio` has the GPU (or all of the CPU) to itself."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/=-]*$")]
"""A file of the account in the blob store: `photos/3`, `shoots/17/p01.png`."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9._#=:+-]*$")]
"""A style, a purpose, a tweak such as `light=soft` or `backdrop=#203040`."""

Progress = Callable[[str, int, int], None]
Stop = Callable[[], bool]
OnPortrait = Callable[[dict[str, Any], int], None]
"""Called with a portrait's record as soon as it is judged, or an edit's preview (`file` and `kept`), and with how many
are still to come."""
OnPreview = Callable[[bytes], None]
"""Called with a small JPEG of an edit that takes long."""
Photos = Sequence[tuple[str, bytes]]


class ShootRequest(Protocol):
    """What the studio is asked to draw; `jobs.kinds.shoot.Shoot` is one."""

    @property
    def styles(self) -> tuple[str, ...]: ...
    @property
    def purpose(self) -> str | None: ...
    @property
    def count(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def train(self) -> bool: ...
    @property
    def details(self) -> tuple[tuple[str, str], ...]: ...


class Studio(Protocol):
    """All that the jobs know of the studio; `jobs.worker.core_studio.CoreStudio` is the real one."""

    def warm(self, queue: str) -> None:
        """Load what the first job of a queue will need."""

    def look(self, photos: Sequence[LaidPhoto]) -> dict[str, Any]:
        """Judge the last photo, alone and among the others of its set; raises NotHeld."""

    def held(self) -> list[str]:
        """Return the sha256 of every photo that is held decoded for the next look."""

    def drop(self, digests: Sequence[str]) -> None:
        """Hold nothing any more of the photos with these sha256: they are deleted."""

    def shoot(
        self,
        photos: Photos,
        asked: ShootRequest,
        out: Path,
        on_progress: Progress,
        should_stop: Stop,
        on_portrait: OnPortrait,
    ) -> dict[str, Any]:
        """Fill a folder with portraits, its manifest last, and return the manifest."""

    def enhance(
        self,
        portrait: Path,
        tweaks: Sequence[str],
        out: Path,
        on_progress: Callable[[int, int], None],
        on_preview: OnPreview | None,
    ) -> dict[str, Any]:
        """Write an edited portrait and its record, and return the record. on_progress: called with step and total."""

    def sticker(self, portrait: Path, kind: str) -> Path:
        """Write a portrait cut out as a kind of `core.deliver.sticker.KINDS` beside it, and return the file."""

    def sheet(self, pictures: Sequence[bytes], out: Path) -> dict[str, Any]:
        """Write several people's portraits as one set, and return `shown`, how many are on it, and how alike they are.

        `eye_line`, `head_height`, `backdrop`: as `core.judge.consistency.Consistency`. Nothing is written for none.
        """


@dataclass(frozen=True, slots=True)
class Drawn:
    """A portrait that a job made, before it has a number. parent: number of the portrait it was edited from."""

    file: str
    style: str
    facts: dict[str, Any]
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What a job leaves: portraits, facts for the person, and verdicts on photos by name."""

    portraits: Sequence[Drawn] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    verdicts: Mapping[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job(ABC):
    """One kind of work. A subclass is a frozen dataclass in a file of this folder that bears its name in lower case."""

    queue: ClassVar[Queue] = "studio"
    mirrored: ClassVar[bool] = False  # finished files go to the blob store while it runs, for another machine
    limited: ClassVar[bool] = True  # declined where too many wait; what must happen is not

    @property
    def kind(self) -> str:
        """The word a job is stored under: `look`, `shoot`, `enhance`."""
        return type(self).__name__.lower()

    @property
    def units(self) -> int:
        """How much work it is, in portraits (or photos): the unit of the ETA and of fair turns."""
        return 1

    @abstractmethod
    async def prepare(self, workspace: Workspace) -> None:
        """Lay ready what `run` needs, in the worker; raises BlobMissing, BlobStoreDown, Gone."""

    @abstractmethod
    def run(
        self, folder: Path, studio: Studio, on_progress: Progress, should_stop: Stop, on_portrait: OnPortrait
    ) -> dict[str, Any]:
        """Do the work, in the child process; return what JSON can hold."""

    async def publish_early(self, workspace: Workspace, record: dict[str, Any]) -> Drawn:
        """Put one picture into the blob store while the work goes on, in the worker.

        Asked of kinds that call `on_portrait` alone; done twice, it must come to the same.
        """
        raise NotImplementedError(self.kind)

    @abstractmethod
    async def publish(self, workspace: Workspace, result: dict[str, Any]) -> Published:
        """Put what was made into the blob store, in the worker; done twice, it must come to the same."""

    def estimate(self, stage: str, step: int, total: int) -> float:
        """Return the part of the job that is done, 0..1."""
        return step / total if total else 0.0


class NotHeld(AtelierError):
    """A photo was not laid because the studio held it, and it does not any more; the next attempt lays it."""


def drawn_of(record: dict[str, Any], folder: str, parent: int | None = None) -> Drawn:
    """Return what is kept of a portrait's record."""
    recipe = record.get("recipe", {})
    names = ("likeness", "percent_of_baseline", "cost_points", "exports", "edit_cost_points", "format", "marks", "grey")
    facts = {name: record.get(name) for name in names} | {"tweaks": list(record.get("tweaks", ()))}
    return Drawn(f"{folder}/{record['file']}", recipe.get("style", ""), facts, parent)
