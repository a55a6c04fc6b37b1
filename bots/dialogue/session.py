"""What the studio remembers of one conversation: a frozen value, saved as JSON between events.

Pictures are not in here, only their names on the account's blob store. `bots.dialogue.machine` makes the next
session from this one; nobody else writes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import TypeAdapter

from bots.dialogue.galleries import Gallery

DAY_S = 86_400.0


class State(StrEnum):
    """Where a conversation stands. Stored in every database: do not rename."""

    WELCOME = "welcome"  # nothing is kept yet, not even a photo
    COLLECTING = "collecting"  # photos come in and are coached
    CHOOSING = "choosing"  # looks, purpose, details
    WAITING = "waiting"  # a sitting is queued or being drawn
    BROWSING = "browsing"  # a gallery is open
    ENHANCING = "enhancing"  # an edit is being made
    LEAVING = "leaving"  # everything is being deleted


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo of the person. state: `coming` (not fetched yet), `looking`, `kept`, `refused`, `failed`.

    notes: what was mended on it, as `core.types.Selfie.notes`.
    """

    number: int
    ref: str
    unique: str
    batch: str
    state: str = "coming"
    compressed: bool = False
    reason: str = ""
    measured: float = 0.0
    limit: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Running:
    """The job being worked on, and what its card last said (so that it is edited seldom).

    kind: `shoot`, `enhance`, `avatar`, `sticker`, or `all` for edits of several portraits. job: its number in this
    conversation.
    gallery, portrait: what an edit is of.
    first: file of the first portrait, which the card shows from then on; preview: file of an edit's, which its gallery
    shows; empty before.
    """

    job: int
    kind: str
    since: float
    tweak: str = ""
    gallery: int = 0
    portrait: int = 0
    place: int = 0
    stage: str = ""
    percent: int = 0
    shown_at: float = 0.0
    stopping: bool = False
    first: str = ""
    preview: str = ""


@dataclass(frozen=True, slots=True)
class Membership:
    """The team a person is in. look, details: what they are drawn in. released: database id of the portrait the owner
    sees, 0 for none.
    """

    team: int
    look: str
    details: tuple[tuple[str, str], ...] = ()
    released: int = 0


@dataclass(frozen=True, slots=True)
class OwnTeam:
    """The team a person owns.

    code: who has it may join. members, shown: how many are in it, and on the sheet. sheet: its file, empty while there
    is none. eye_line, head_height, backdrop: as `core.judge.consistency.Consistency`, of the sheet. version: of what is
    released, the newest that was heard of; counted: the newest `TeamChanged` that was.
    """

    team: int
    code: str
    look: str
    members: int = 0
    shown: int = 0
    sheet: str = ""
    eye_line: float = 0.0
    head_height: float = 0.0
    backdrop: float = 0.0
    ending: bool = False  # its end is asked for and not confirmed yet
    version: int = 0
    counted: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation. conversation: what it is found by; nonce: new after a forget; its buttons carry both.

    consent: version agreed to, 0 for none. styles: picked looks in the order picked. details: what the
    person chose over the look's own. missing, of_set: as `bots.dialogue.events.PhotoLooked`. last_card: the card of
    photos that has buttons. answered: the last album that got a sentence, and that sentence's key. last_styles,
    last_details: what the last sitting was ordered with. preset: edits that the person keeps to make them again.
    invited: code of the team that somebody came for before they agreed. marks: whether retouching is to `keep` moles
    and scars or to `remove` them, empty before it was asked.
    """

    conversation: str
    nonce: str
    language: str = "en"
    state: State = State.WELCOME
    consent: int = 0
    consent_at: float = 0.0
    keep_days: int = 30
    photos: tuple[Photo, ...] = ()
    photo_count: int = 0
    missing: tuple[str, ...] = ()
    of_set: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    purpose: str = ""
    details: tuple[tuple[str, str], ...] = ()
    jobs: int = 0
    running: Running | None = None
    galleries: tuple[Gallery, ...] = ()
    open_gallery: int = 0
    last_card: str = ""
    answered: tuple[str, str] = ("", "")
    last_styles: tuple[str, ...] = ()
    last_details: tuple[tuple[str, str], ...] = ()
    preset: tuple[str, ...] = ()
    invited: str = ""
    marks: str = ""
    membership: Membership | None = None
    own_team: OwnTeam | None = None

    @property
    def kept(self) -> tuple[Photo, ...]:
        """Photos that passed."""
        return tuple(photo for photo in self.photos if photo.state == "kept")

    def photo(self, number: int) -> Photo | None:
        """Return a photo by its number."""
        return next((photo for photo in self.photos if photo.number == number), None)

    @property
    def pending(self) -> tuple[Photo, ...]:
        """Photos without a verdict yet."""
        return tuple(photo for photo in self.photos if photo.state in {"coming", "looking"})

    @property
    def gallery(self) -> Gallery | None:
        """The gallery that is open."""
        return self.gallery_of(self.open_gallery)

    def gallery_of(self, number: int) -> Gallery | None:
        """Return a gallery by its number."""
        return next((gallery for gallery in self.galleries if gallery.number == number), None)

    def sittings_since(self, moment: float) -> tuple[float, ...]:
        """Return when the sittings after that moment brought their portraits; what failed or was called off is none."""
        return tuple(gallery.made_at for gallery in self.galleries if gallery.made_at > moment)

    def with_gallery(self, gallery: Gallery) -> Session:
        """Return the session with that gallery in place of its older self, or added."""
        others = tuple(gallery if g.number == gallery.number else g for g in self.galleries)
        if self.gallery_of(gallery.number) is None:
            others = (*self.galleries, gallery)
        return replace(self, galleries=others)

    def with_photo(self, photo: Photo) -> Session:
        """Return the session with that photo in place of its older self."""
        return replace(self, photos=tuple(photo if p.number == photo.number else p for p in self.photos))


_JSON: TypeAdapter[Session] = TypeAdapter(Session)


def to_json(session: Session) -> str:
    """Write a session as JSON."""
    return _JSON.dump_json(session).decode()


def from_json(text: str) -> Session:
    """Read what `to_json` wrote; raises pydantic.ValidationError on anything else."""
    return _JSON.validate_json(text)
