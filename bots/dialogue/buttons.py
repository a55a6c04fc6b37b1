"""Buttons: events that travel through the platform and back.

`encode` packs a tap with the session's mark into at most 64 bytes of plain ASCII, `decode` unpacks it, so buttons
live in no memory and work after any restart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, get_type_hints

from bots.dialogue.events import Event, StaleTapped

BUTTON_BYTES = 64  # Telegram's limit for callback_data; Discord allows 100 characters
CODEC_VERSION = "1"


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
