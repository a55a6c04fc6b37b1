"""The vocabulary of the chat: what can happen, what can be shown, and the button between them.

Nothing here knows a platform, a language or a rule of the dialogue. An adapter turns a native update
into one of the events; `bots.conversation` answers with replies; the adapter turns those into native
calls. A button is an event that travels through the platform and back: `encode` packs it with the
session's mark into at most 64 bytes of plain ASCII, `decode` unpacks it, so buttons live in no memory
and work after any restart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, get_type_hints

from jobs import orders
from jobs.news import Pictured

BUTTON_BYTES = 64  # Telegram's limit for callback_data; Discord allows 100 characters
CODEC_VERSION = "1"


# --- events: what a person did -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Event:
    """Anything that can happen to a conversation."""


@dataclass(frozen=True, slots=True)
class Started(Event):
    """`/start`, or the first contact; payload is a deep link's, such as `style_founder`."""

    payload: str = ""


@dataclass(frozen=True, slots=True)
class PhotoSent(Event):
    """A picture arrived, not yet fetched.

    ref: what the adapter needs to fetch it. unique: the platform's stable id of the same bytes.
    size_bytes, width, height: as announced, 0 when unknown. compressed: the platform re-encoded it.
    album: id shared by photos sent together. limit_bytes: the most the adapter can fetch, 0 for no limit.
    """

    ref: str
    unique: str
    name: str = "photo"
    size_bytes: int = 0
    width: int = 0
    height: int = 0
    compressed: bool = False
    album: str = ""
    limit_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Said(Event):
    """Words in place of a photo or a tap."""

    text: str


@dataclass(frozen=True, slots=True)
class OtherSent(Event):
    """Something that is neither words nor a picture: kind is `voice`, `sticker`, `video`, `animation`, `file`."""

    kind: str


@dataclass(frozen=True, slots=True)
class Edited(Event):
    """A message that was sent before has been changed by its sender."""


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
class StaleTapped(Event):
    """A button that no longer means anything; why is `old` (another version), `other` (not theirs) or `torn`."""

    why: str


# --- events that are buttons -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tap(Event):
    """An event that travels in a button. `op` is stable for ever; fields are int, bool or short plain words."""

    op: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class Agreed(Tap):
    op: ClassVar[str] = "yes"
    version: int


@dataclass(frozen=True, slots=True)
class Declined(Tap):
    op: ClassVar[str] = "no"


@dataclass(frozen=True, slots=True)
class KeepPicked(Tap):
    """How many days photos and the trained file are kept."""

    op: ClassVar[str] = "keep"
    days: int


@dataclass(frozen=True, slots=True)
class LanguagePicked(Tap):
    op: ClassVar[str] = "lang"
    code: str


@dataclass(frozen=True, slots=True)
class PhotoUndone(Tap):
    op: ClassVar[str] = "drop"
    photo: int


@dataclass(frozen=True, slots=True)
class PhotosOpened(Tap):
    op: ClassVar[str] = "photos"


@dataclass(frozen=True, slots=True)
class LooksOpened(Tap):
    op: ClassVar[str] = "looks"
    page: int = 0


@dataclass(frozen=True, slots=True)
class PreviewsAsked(Tap):
    """Show a page of looks as pictures."""

    op: ClassVar[str] = "show"
    page: int


@dataclass(frozen=True, slots=True)
class StylePicked(Tap):
    """Carries the wished state, not "toggle": a double tap does nothing twice."""

    op: ClassVar[str] = "style"
    style: str
    on: bool


@dataclass(frozen=True, slots=True)
class PurposePicked(Tap):
    op: ClassVar[str] = "for"
    purpose: str


@dataclass(frozen=True, slots=True)
class DetailsOpened(Tap):
    """The card of details, or with a name the choices for that one."""

    op: ClassVar[str] = "details"
    name: str = ""


@dataclass(frozen=True, slots=True)
class DetailPicked(Tap):
    """An empty value means: as the look has it."""

    op: ClassVar[str] = "detail"
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class GoTapped(Tap):
    """Starts sitting number `sitting`; a second tap on the same button finds it already ordered."""

    op: ClassVar[str] = "go"
    sitting: int


@dataclass(frozen=True, slots=True)
class CancelTapped(Tap):
    op: ClassVar[str] = "stop"
    order: int


@dataclass(frozen=True, slots=True)
class Turned(Tap):
    """Show portrait `at` of gallery `gallery` (both counted from 1)."""

    op: ClassVar[str] = "turn"
    gallery: int
    at: int


@dataclass(frozen=True, slots=True)
class Favoured(Tap):
    op: ClassVar[str] = "fav"
    gallery: int
    portrait: int
    on: bool


@dataclass(frozen=True, slots=True)
class TweaksOpened(Tap):
    """Page 0 closes the rows of tweaks."""

    op: ClassVar[str] = "edit"
    gallery: int
    portrait: int
    page: int


@dataclass(frozen=True, slots=True)
class Tweaked(Tap):
    op: ClassVar[str] = "tweak"
    gallery: int
    portrait: int
    tweak: str


@dataclass(frozen=True, slots=True)
class EditUndone(Tap):
    op: ClassVar[str] = "undo"
    gallery: int
    portrait: int


@dataclass(frozen=True, slots=True)
class EditRedone(Tap):
    op: ClassVar[str] = "redo"
    gallery: int
    portrait: int


@dataclass(frozen=True, slots=True)
class Compared(Tap):
    op: ClassVar[str] = "vs"
    gallery: int
    portrait: int
    on: bool


@dataclass(frozen=True, slots=True)
class FilesAsked(Tap):
    """what: `one`, `favourites` or `all`."""

    op: ClassVar[str] = "files"
    gallery: int
    portrait: int
    what: str


@dataclass(frozen=True, slots=True)
class AvatarAsked(Tap):
    op: ClassVar[str] = "avatar"
    gallery: int
    portrait: int


@dataclass(frozen=True, slots=True)
class PastOpened(Tap):
    op: ClassVar[str] = "past"


@dataclass(frozen=True, slots=True)
class ForgetConfirmed(Tap):
    op: ClassVar[str] = "erase"


@dataclass(frozen=True, slots=True)
class ForgetDeclined(Tap):
    op: ClassVar[str] = "stay"


TAPS: dict[str, type[Tap]] = {
    known.op: known
    for known in list(globals().values())
    if isinstance(known, type) and issubclass(known, Tap) and known is not Tap
}


# --- events: what the studio says --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PhotoFailed(Event):
    """A photo could not be fetched from the platform, or not be looked at; why is a machine word."""

    photo: int
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the studio says of a photo. reason, measured, limit: of `core.intake` when it is not kept."""

    photo: int
    kept: bool
    reason: str = ""
    measured: float = 0.0
    limit: float = 0.0


@dataclass(frozen=True, slots=True)
class PhotoLooked(Event):
    """The verdict on one photo.

    missing: what the set still lacks, most wanted first. notes: what was mended on the way in. others: the photos
    before it, which are judged again with every new one: the majority says who the person is.
    """

    verdict: Verdict
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    others: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderMoved(Event):
    """Where an order is: place in the queue (0 when it runs), its stage, how far, how long still."""

    order: int
    place: int = 0
    stage: str = ""
    percent: int = 0
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class GalleryCame(Event):
    """A sitting is done.

    drawn: how many were drawn. training: what training on the person came to, a word of `core.train`, empty where it
    is not told; gain_percent: how much lower the error on the held-out photo was with it, None where none was held out.
    """

    order: int
    portraits: tuple[Pictured, ...]
    drawn: int = 0
    dropped: tuple[tuple[str, int], ...] = ()
    training: str = ""
    gain_percent: float | None = None


@dataclass(frozen=True, slots=True)
class PortraitCame(Event):
    """An edit is done."""

    order: int
    portrait: Pictured


@dataclass(frozen=True, slots=True)
class OrderFailed(Event):
    """An order ended without a picture; why is a machine word."""

    order: int
    why: str


@dataclass(frozen=True, slots=True)
class OrderStopped(Event):
    """An order was cancelled and has let go."""

    order: int


@dataclass(frozen=True, slots=True)
class Forgotten(Event):
    """Everything of the account is deleted; receipt is the signed text, counts what was deleted."""

    receipt: str
    counts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Expired(Event):
    """The promised days are over: photos, face template, trained file and pictures are deleted."""


# --- replies: what a person sees ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Button:
    """A label in the person's language and the encoded event behind it."""

    label: str
    data: str


Rows = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to show: `shelf` is a file of the account, `style` a preview that ships with the looks.

    alt says what is seen, for people who hear the chat.
    """

    kind: str
    name: str
    alt: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """Anything that can be shown."""


@dataclass(frozen=True, slots=True)
class Say(Reply):
    """A new message. under: the slot it answers, so that a tap on it leads there."""

    text: str
    rows: Rows = ()
    under: str = ""


@dataclass(frozen=True, slots=True)
class Card(Reply):
    """A message that is kept up to date: sent once, then edited in place. Its slot is its name for ever.

    fresh: take the old one's buttons away and send it anew at the end of the chat. calm: it reports progress, so
    it may wait a moment for its own next state.
    """

    slot: str
    text: str
    rows: Rows = ()
    picture: Picture | None = None
    fresh: bool = False
    calm: bool = False


@dataclass(frozen=True, slots=True)
class Album(Reply):
    """Pictures side by side, without buttons; each with its own caption."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Files(Reply):
    """Pictures as files in full quality."""

    pictures: tuple[Picture, ...]
    caption: str


@dataclass(frozen=True, slots=True)
class TextFile(Reply):
    """A small text document, such as a receipt."""

    name: str
    body: str
    caption: str


@dataclass(frozen=True, slots=True)
class Toast(Reply):
    """A short answer to a tap, seen at the top of the screen; a plain message where there was no tap."""

    text: str
    alert: bool = False


@dataclass(frozen=True, slots=True)
class Unbutton(Reply):
    """Take the buttons off a card that is no longer the newest."""

    slot: str


@dataclass(frozen=True, slots=True)
class Sweep(Reply):
    """Delete every message the studio sent, where the platform still allows it."""


# --- orders: what the conversation wants done --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    """Anything the concierge must do beside talking. Every one may be given twice and is done once."""


@dataclass(frozen=True, slots=True)
class Consent(Order):
    """Record what was agreed to, and for how many days things are kept."""

    version: int
    keep_days: int


@dataclass(frozen=True, slots=True)
class Fetch(Order):
    """Fetch photo number `photo` from the platform, keep it, and have it looked at."""

    photo: int
    ref: str


@dataclass(frozen=True, slots=True)
class Discard(Order):
    """Delete one photo."""

    photo: int


@dataclass(frozen=True, slots=True)
class Place(Order):
    """Hand work to the desk. order: its number in this conversation, the same for the same wish."""

    order: int
    work: orders.Order


@dataclass(frozen=True, slots=True)
class Cancel(Order):
    """Stop an order, queued or running."""

    order: int


@dataclass(frozen=True, slots=True)
class Export(Order):
    """Put everything kept of the account into one file."""


@dataclass(frozen=True, slots=True)
class Forget(Order):
    """Delete everything of the account everywhere, and write the receipt."""


@dataclass(frozen=True, slots=True)
class Report(Order):
    """Give the operator a person's words about something wrong."""

    text: str


# --- the button codec --------------------------------------------------------------------------------


def encode(tap: Tap, mark: str) -> str:
    """Pack a tap and the session's mark into at most 64 bytes: `1turn:k3f9:2:7`.

    Raises ValueError when a field holds anything but an int, a bool or a plain word, or when it is too long.
    """
    parts = [CODEC_VERSION + tap.op, mark]
    for field in fields(tap):
        value = getattr(tap, field.name)
        word = str(int(value)) if isinstance(value, bool | int) else value
        if not all(c.isascii() and (c.isalnum() or c in "._-=#") for c in word):
            raise ValueError(f"{type(tap).__name__}.{field.name}: {word!r} does not fit a button")
        parts.append(word)
    data = ":".join(parts)
    if len(data.encode()) > BUTTON_BYTES:
        raise ValueError(f"{data!r} has {len(data.encode())} bytes, {BUTTON_BYTES} is the limit")
    return data


def decode(data: str, mark: str) -> Tap | StaleTapped:
    """Unpack what `encode` packed; anything else becomes `StaleTapped`, never an exception."""
    head, *words = data.split(":")
    tap = TAPS.get(head[1:])
    if not data.startswith(CODEC_VERSION) or tap is None:
        return StaleTapped("old")
    if not words or words[0] != mark:
        return StaleTapped("other")
    hints = get_type_hints(tap)
    names = [field.name for field in fields(tap)]
    if len(words) - 1 != len(names):
        return StaleTapped("torn")
    values: dict[str, object] = {}
    for name, word in zip(names, words[1:], strict=True):
        kind = hints[name]
        if kind is not str and not word.removeprefix("-").isascii():
            return StaleTapped("torn")
        if kind is bool and word not in {"0", "1"}:
            return StaleTapped("torn")
        if kind is int and not (word.isascii() and word.isdigit() and len(word) <= 9):
            return StaleTapped("torn")
        values[name] = word if kind is str else kind(int(word))
    return tap(**values)
