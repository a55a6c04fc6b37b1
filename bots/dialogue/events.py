"""What can happen to a conversation: what a person did, and what the studio says.

Nothing here knows a platform, a language or a rule of the dialogue. An adapter turns a native update into one of these
events, the event mapper the job queue's news; `bots.dialogue.machine` answers them. Those that travel in a button are
`bots.dialogue.buttons`.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobs.queue.events import FirstPortrait, Pictured

# --- what a person did -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Event:
    """Anything that can happen to a conversation."""


@dataclass(frozen=True, slots=True)
class Started(Event):
    """`/start`, or the first contact; payload is a deep link's, such as `style_founder`."""

    payload: str = ""


@dataclass(frozen=True, slots=True)
class SittingAsked(Event):
    """`/headshot`: a look and a purpose picked before anything else; empty where they are left for later."""

    look: str = ""
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class PhotoSent(Event):
    """A picture arrived, not yet fetched.

    ref: what the adapter needs to fetch it. unique: the platform's stable id of the same bytes.
    size_bytes: as announced, 0 when unknown. compressed: the platform re-encoded it. album: id shared by photos that
    were sent together.
    """

    ref: str
    unique: str
    name: str = "photo"
    size_bytes: int = 0
    compressed: bool = False
    album: str = ""


@dataclass(frozen=True, slots=True)
class Said(Event):
    """Words in place of a photo or a button."""

    text: str


@dataclass(frozen=True, slots=True)
class OtherSent(Event):
    """Something that is neither words nor a picture.

    kind: `voice`, `sticker`, `video`, `animation`, `dice`, `poll`, `story`, `location`, `contact`, or `file` for any
    other.
    """

    kind: str


@dataclass(frozen=True, slots=True)
class Edited(Event):
    """The words or the picture of a message that was sent before have been changed by its sender."""


@dataclass(frozen=True, slots=True)
class HelpAsked(Event):
    """`/help`."""


@dataclass(frozen=True, slots=True)
class PrivacyAsked(Event):
    """`/privacy`."""


@dataclass(frozen=True, slots=True)
class ExportAsked(Event):
    """`/export`."""


@dataclass(frozen=True, slots=True)
class ForgetAsked(Event):
    """`/forget`, before it is confirmed."""


@dataclass(frozen=True, slots=True)
class ReportAsked(Event):
    """`/report` and what was written after it."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class CancelAsked(Event):
    """`/cancel`: whatever is going on."""


@dataclass(frozen=True, slots=True)
class LanguageAsked(Event):
    """`/language`."""


@dataclass(frozen=True, slots=True)
class TeamAsked(Event):
    """`/team`: one's own team, or with a code the one to join. Where others read along, the invitation to it."""

    code: str = ""


@dataclass(frozen=True, slots=True)
class StaleButton(Event):
    """A button that no longer means anything; why is `old` (another version), `other` (not theirs) or `torn`."""

    why: str


# --- what the studio says ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PhotoFailed(Event):
    """A photo could not be fetched from the platform, or not be looked at; why is a machine word."""

    photo: int
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the studio says of a photo. reason, measured, limit: of `core.intake.review` when it is not kept."""

    photo: int
    kept: bool
    reason: str = ""
    measured: float = 0.0
    limit: float = 0.0


@dataclass(frozen=True, slots=True)
class PhotoLooked(Event):
    """The verdict on one photo.

    missing: what the set still lacks, most wanted first. notes: what was mended on the way in. of_set: what is good to
    know of the set. others: the photos before it, which are judged again with every new one: the majority says who the
    person is.
    """

    verdict: Verdict
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    of_set: tuple[str, ...] = ()
    others: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class JobMoved(Event):
    """Where a job is: place in the queue (0 when it runs), its stage, how far, how long still."""

    job: int
    place: int = 0
    stage: str = ""
    percent: int = 0
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class FirstPortraitCame(Event):
    """The first portrait of a sitting is there, while the others are being drawn."""

    job: int
    portrait: FirstPortrait


@dataclass(frozen=True, slots=True)
class PreviewCame(Event):
    """A small picture of an edit is there, while the whole is being made; file: on the account's blob store."""

    job: int
    file: str


@dataclass(frozen=True, slots=True)
class GalleryCame(Event):
    """A sitting is done.

    drawn: how many were drawn. training: what training on the person came to, a word of `core.engines.lora`, empty
    where it is not told; gain_percent: how much lower the error on the held-out photo was with it, None where none
    was held out.
    """

    job: int
    portraits: tuple[Pictured, ...]
    drawn: int = 0
    dropped: tuple[tuple[str, int], ...] = ()
    training: str = ""
    gain_percent: float | None = None


@dataclass(frozen=True, slots=True)
class PortraitCame(Event):
    """An edit is done.

    others: what the same edit made of other portraits; left_out: of how many it could not be made.
    """

    job: int
    portrait: Pictured
    others: tuple[Pictured, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class StickersCame(Event):
    """A portrait is cut out. files: on the account's blob store, one for each of `Limits.stickers`."""

    job: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobFailed(Event):
    """A job ended without a picture; why is a machine word."""

    job: int
    why: str


@dataclass(frozen=True, slots=True)
class JobStopped(Event):
    """A job was cancelled and has let go."""

    job: int


@dataclass(frozen=True, slots=True)
class TeamOpened(Event):
    """One's own team is there."""

    team: int
    code: str
    look: str
    members: int = 0


@dataclass(frozen=True, slots=True)
class TeamEntered(Event):
    """The person is in a team now; team 0: there is none of that code, or it is full."""

    team: int
    look: str = ""
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TeamChanged(Event):
    """In one's own team: how many are in it, and how many have released a portrait.

    version: of what is released; a sheet of an earlier one is outdated. number: counts up from one event to the next.
    """

    team: int
    members: int
    released: int
    version: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True)
class TeamSheetCame(Event):
    """The sheet of one's own team: its file, empty where nothing is released; the rest as `OwnTeam`."""

    team: int
    sheet: str
    version: int = 0
    shown: int = 0
    eye_line: float = 0.0
    head_height: float = 0.0
    backdrop: float = 0.0


@dataclass(frozen=True, slots=True)
class TeamOver(Event):
    """The team a person was in is over."""

    team: int


@dataclass(frozen=True, slots=True)
class Forgotten(Event):
    """Everything of the account is deleted; receipt is the signed text, counts what was deleted."""

    receipt: str
    counts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Expired(Event):
    """The promised days of some things are over, and these are deleted.

    photos: their numbers. portraits: their numbers in the database. counts: how many of each kind, by machine word.
    """

    photos: tuple[int, ...] = ()
    portraits: tuple[int, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
