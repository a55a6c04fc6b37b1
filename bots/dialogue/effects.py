"""What follows from an event: replies that a person sees, and what else must be done.

`bots.dialogue.machine` makes them; an adapter turns replies into native calls, `bots.runtime.outbox` and the
job queue do the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jobs.kinds.base import Job

# --- replies: what a person sees ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Button:
    """A label in the person's language and the encoded event behind it.

    start: where the platform can, the button opens the private chat with this payload in place of the event.
    """

    label: str
    data: str
    start: str = ""


Rows = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to show. kind: `blob` is a file of the account, `style` a preview that ships with the looks.

    alt says what is seen, for people who hear the chat. tiles: names of previews that are laid side by side and
    numbered, or of files of the account beside each other, empty where the name is itself a file's.
    """

    kind: str
    name: str
    alt: str = ""
    tiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """Anything that can be shown. ephemeral: to the person alone, where others read along."""

    ephemeral: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Say(Reply):
    """A new message. under: the slot it answers, so that pressing it leads there. public: for all who read along."""

    text: str
    rows: Rows = ()
    under: str = ""
    public: bool = False


@dataclass(frozen=True, slots=True)
class Card(Reply):
    """A message that is kept up to date: sent once, then edited in place. Its slot is its name for ever.

    pictures: at most `Limits.pictures_a_card`; a card may come by them and lose them.

    repost: take the old one's buttons away and send it anew at the end of the chat. throttled: it reports progress, so
    it may wait a moment for its own next state. lasting: it goes on changing for so long that it belongs into the
    private chat, wherever it began. revocable: its pictures show other people, who may take them back at any time, so
    they are only ever put into a message that is known and can be changed (`Adapter.show`), and a repost deletes the
    old one.
    """

    slot: str
    text: str
    rows: Rows = ()
    pictures: tuple[Picture, ...] = ()
    repost: bool = False
    throttled: bool = False
    lasting: bool = False
    revocable: bool = False


@dataclass(frozen=True, slots=True)
class Album(Reply):
    """Pictures side by side, without buttons; each with its own caption."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Files(Reply):
    """Pictures as files in full quality. smaller: said with those that have more bytes than the platform takes."""

    pictures: tuple[Picture, ...]
    caption: str
    smaller: str = ""


@dataclass(frozen=True, slots=True)
class Stickers(Reply):
    """A portrait cut out, in the sizes of `Limits.stickers`: as stickers where a bot may send one, else as files."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class TextFile(Reply):
    """A small text document, such as a receipt."""

    name: str
    body: str
    caption: str


@dataclass(frozen=True, slots=True)
class Toast(Reply):
    """A short answer to a button, seen at the top of the screen; a plain message where there was none."""

    text: str
    alert: bool = False


@dataclass(frozen=True, slots=True)
class Unbutton(Reply):
    """Take the buttons off a card that is no longer the newest. whole: delete it, or else its picture and buttons."""

    slot: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Sweep(Reply):
    """Delete every message the studio sent, where the platform still allows it."""


# --- effects: what else must be done ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Effect:
    """Anything that must be done beside answering. Every one may be given twice and is done once."""


@dataclass(frozen=True, slots=True)
class Consent(Effect):
    """Record what was agreed to, and for how many days things are kept."""

    version: int
    keep_days: int


@dataclass(frozen=True, slots=True)
class Fetch(Effect):
    """Fetch photo number `photo` from the platform, keep it, and have it looked at."""

    photo: int
    ref: str


@dataclass(frozen=True, slots=True)
class Discard(Effect):
    """Delete one photo."""

    photo: int


@dataclass(frozen=True, slots=True)
class Place(Effect):
    """Queue a job. job: its number in this conversation, the same for the same wish."""

    job: int
    work: Job


@dataclass(frozen=True, slots=True)
class Cancel(Effect):
    """Stop a job, queued or running."""

    job: int


@dataclass(frozen=True, slots=True)
class Export(Effect):
    """Put everything kept of the account into one file."""


@dataclass(frozen=True, slots=True)
class Forget(Effect):
    """Delete everything of the account everywhere, and write the receipt."""


@dataclass(frozen=True, slots=True)
class OpenTeam(Effect):
    """Open a team that is drawn in one look."""

    look: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class EndTeam(Effect):
    """End one's own team, if it is this one."""

    team: int


@dataclass(frozen=True, slots=True)
class JoinTeam(Effect):
    """Join the team of a code."""

    code: str


@dataclass(frozen=True, slots=True)
class LeaveTeam(Effect):
    """Leave one's team."""


@dataclass(frozen=True, slots=True)
class Release(Effect):
    """Let the owner of one's team see a portrait, by its database id, and no other; 0: none any more."""

    portrait: int


@dataclass(frozen=True, slots=True)
class Report(Effect):
    """Give the operator a person's words about something wrong."""

    text: str
