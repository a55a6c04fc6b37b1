"""Job events: frozen values that travel as JSON.

`Done`, `Failed`, `Cancelled`, `Expired` and what is told of a team are final and delivered at least once; so are
`FirstPortrait` and `Preview`, unless their job is over before. `Queued` and `Step` report progress: only the newest
counts, and one that is lost is not sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import TypeAdapter

OUR_FAULTS: Final = frozenset({"timeout", "crashed", "disk_full", "memory", "storage_down", "setup", "fault"})


@dataclass(frozen=True, slots=True)
class Queued:
    """Waiting. place: 1 is next. eta_s: seconds until it is done, None before anything was measured."""

    place: int
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Running. stage: machine word, "" before the first; step of total; eta_s: seconds until it is done.

    done: the part of the whole job that is done, 0..1.
    """

    stage: str = ""
    step: int = 0
    total: int = 0
    eta_s: float | None = None
    done: float = 0.0


@dataclass(frozen=True, slots=True)
class Pictured:
    """One portrait as it lies in the blob store.

    id: in the database. file: its name on the account's blob store. percent: of the person's own baseline,
    None with one photo. parent: the portrait it was edited from. cost: points of likeness that its last edits took.
    document: the format of a document it has, empty for none; wrong: machine words for what it does not meet. marks:
    how many moles and scars are known on it. grey: whether it is in black and white and can be in colour.
    """

    id: int
    file: str
    style: str
    percent: float | None = None
    parent: int | None = None
    tweaks: tuple[str, ...] = ()
    cost: float | None = None
    document: str = ""
    wrong: tuple[str, ...] = ()
    marks: int = 0
    grey: bool = False


@dataclass(frozen=True, slots=True)
class FirstPortrait:
    """The first portrait that is kept is in the blob store; others are being drawn. It has no number before all are.

    file, style, percent: as in `Pictured`. Every attempt tells it once, so it may come again after a worker was killed.
    """

    file: str
    style: str
    percent: float | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture of an edit is in the blob store while the whole is being made; it goes when the edit is over.

    file: as in `Pictured`. Every attempt tells it once.
    """

    file: str


@dataclass(frozen=True, slots=True)
class Done:
    """It is there.

    portraits: best first, empty for a look. facts: of a look the verdict (`kept`, `reason`, `measured`,
    `limit`, `notes`, `missing`, `of_set`), of a shoot the counts (`drawn`, `dropped`, `trained`, `folder`).
    """

    portraits: tuple[Pictured, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """It ended without a picture.

    reason: machine word: a reason of `core.intake.review` or `core.errors.Refused`, or one of `timeout`, `crashed`,
    `disk_full`, `storage_down`, `setup`, `fault`. message: for operators and logs.
    """

    reason: str
    message: str = ""

    @property
    def our_fault(self) -> bool:
        """Whether the same may well succeed later: it failed for the machine's or the code's sake, not the photos'."""
        return self.reason in OUR_FAULTS


@dataclass(frozen=True, slots=True)
class Cancelled:
    """It was cancelled and has let go of the machine."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The promised days of some things are over.

    deleted: table word -> how many rows went. photos: names of the photos; portraits: numbers of the portraits.
    """

    deleted: dict[str, int] = field(default_factory=dict)
    photos: tuple[str, ...] = ()
    portraits: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TeamChanged:
    """For a team's owner: so many are in it, and so many have released a portrait.

    version: of what is released; a sheet of an earlier one is outdated. Events may arrive in another order than told.
    """

    team: int
    members: int
    released: int
    version: int = 0


@dataclass(frozen=True, slots=True)
class TeamOver:
    """For a member: the team is over, because its owner ended it or is forgotten."""

    team: int


Early = FirstPortrait | Preview
"""What is shown of a job while it goes on."""
Payload = Queued | Step | Early | Done | Failed | Cancelled | Expired | TeamChanged | TeamOver

WORDS: Final[dict[str, type[Payload]]] = {
    "queued": Queued,
    "step": Step,
    "firstportrait": FirstPortrait,
    "preview": Preview,
    "done": Done,
    "failed": Failed,
    "cancelled": Cancelled,
    "expired": Expired,
    "teamchanged": TeamChanged,
    "teamover": TeamOver,
}
_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {word: TypeAdapter(made_of) for word, made_of in WORDS.items()}


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Payload with its address.

    id: of the outbox row, 0 for an event that is not durable. ref: the caller's own word for the job, as it
    was given to `JobQueue.place`. job_id is 0 and ref "" for an event of the account as a whole.
    """

    id: int
    account: int
    job_id: int
    kind: str
    ref: str
    payload: Payload


def type_of(payload: Payload) -> str:
    """Return the word a payload is stored under."""
    return type(payload).__name__.lower()


def to_json(payload: Payload) -> str:
    """Write a payload as JSON."""
    text: bytes = _ADAPTERS[type_of(payload)].dump_json(payload)
    return text.decode()


def from_json(word: str, text: str) -> Payload:
    """Read what `to_json` wrote; raises pydantic.ValidationError or KeyError on anything else."""
    payload: Payload = _ADAPTERS[word].validate_json(text)
    return payload
