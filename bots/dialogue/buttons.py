"""Buttons: events that travel through the platform and back.

`encode` packs a press, its conversation and the session's nonce into a line of plain ASCII, `decode` unpacks it, so
buttons live in no memory and work after any restart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, get_type_hints

from bots.dialogue.events import Event, StaleButton

CODEC_VERSION = "2"


@dataclass(frozen=True, slots=True)
class Press(Event):
    """An event that travels in a button. `op` is stable for ever; fields are int, bool or short plain words."""

    op: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class Agreed(Press):
    op: ClassVar[str] = "yes"
    version: int


@dataclass(frozen=True, slots=True)
class Declined(Press):
    op: ClassVar[str] = "no"


@dataclass(frozen=True, slots=True)
class KeepPicked(Press):
    """How many days photos and the trained file are kept."""

    op: ClassVar[str] = "keep"
    days: int


@dataclass(frozen=True, slots=True)
class LanguagePicked(Press):
    op: ClassVar[str] = "lang"
    code: str


@dataclass(frozen=True, slots=True)
class PhotoUndone(Press):
    op: ClassVar[str] = "drop"
    photo: int


@dataclass(frozen=True, slots=True)
class PhotosOpened(Press):
    op: ClassVar[str] = "photos"


@dataclass(frozen=True, slots=True)
class LooksOpened(Press):
    op: ClassVar[str] = "looks"
    page: int = 0


@dataclass(frozen=True, slots=True)
class PreviewsAsked(Press):
    """Show a page of looks as pictures."""

    op: ClassVar[str] = "show"
    page: int


@dataclass(frozen=True, slots=True)
class StylePicked(Press):
    """Carries the wished state, not "toggle": a double press does nothing twice."""

    op: ClassVar[str] = "style"
    style: str
    on: bool


@dataclass(frozen=True, slots=True)
class PurposePicked(Press):
    op: ClassVar[str] = "for"
    purpose: str


@dataclass(frozen=True, slots=True)
class DetailsOpened(Press):
    """The card of details, or with a name the choices for that one."""

    op: ClassVar[str] = "details"
    name: str = ""


@dataclass(frozen=True, slots=True)
class DetailPicked(Press):
    """An empty value means: as the look has it."""

    op: ClassVar[str] = "detail"
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class GoPressed(Press):
    """Starts sitting number `sitting`; a second press on the same button finds it already ordered."""

    op: ClassVar[str] = "go"
    sitting: int


@dataclass(frozen=True, slots=True)
class CancelPressed(Press):
    op: ClassVar[str] = "stop"
    job: int


@dataclass(frozen=True, slots=True)
class PageOpened(Press):
    """Show portrait `at` of gallery `gallery` (both counted from 1)."""

    op: ClassVar[str] = "turn"
    gallery: int
    at: int


@dataclass(frozen=True, slots=True)
class Favoured(Press):
    op: ClassVar[str] = "fav"
    gallery: int
    portrait: int
    on: bool


@dataclass(frozen=True, slots=True)
class TweaksOpened(Press):
    """Page 0 closes the rows of tweaks."""

    op: ClassVar[str] = "edit"
    gallery: int
    portrait: int
    page: int


@dataclass(frozen=True, slots=True)
class Tweaked(Press):
    op: ClassVar[str] = "tweak"
    gallery: int
    portrait: int
    tweak: str


@dataclass(frozen=True, slots=True)
class EditUndone(Press):
    op: ClassVar[str] = "undo"
    gallery: int
    portrait: int


@dataclass(frozen=True, slots=True)
class EditRedone(Press):
    op: ClassVar[str] = "redo"
    gallery: int
    portrait: int


@dataclass(frozen=True, slots=True)
class Compared(Press):
    op: ClassVar[str] = "vs"
    gallery: int
    portrait: int
    on: bool


@dataclass(frozen=True, slots=True)
class FilesAsked(Press):
    """what: `one`, `favourites` or `all`."""

    op: ClassVar[str] = "files"
    gallery: int
    portrait: int
    what: str


@dataclass(frozen=True, slots=True)
class AvatarAsked(Press):
    op: ClassVar[str] = "avatar"
    gallery: int
    portrait: int


@dataclass(frozen=True, slots=True)
class PastOpened(Press):
    op: ClassVar[str] = "past"


@dataclass(frozen=True, slots=True)
class ForgetConfirmed(Press):
    op: ClassVar[str] = "erase"


@dataclass(frozen=True, slots=True)
class ForgetDeclined(Press):
    op: ClassVar[str] = "stay"


PRESSES: dict[str, type[Press]] = {
    known.op: known
    for known in list(globals().values())
    if isinstance(known, type) and issubclass(known, Press) and known is not Press
}


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a button carried: the conversation it belongs to, that conversation's nonce, and the event."""

    conversation: str
    nonce: str
    press: Press


def encode(press: Press, conversation: str, nonce: str, at_most: int) -> str:
    """Pack a press, its conversation and the session's nonce into at most so many bytes: `2turn:1f:k3f9:2:7`.

    Raises ValueError when a field holds anything but an int, a bool or a plain word, or when it is too long.
    """
    parts = [CODEC_VERSION + press.op, conversation, nonce]
    for field in fields(press):
        value = getattr(press, field.name)
        word = str(int(value)) if isinstance(value, bool | int) else value
        if not all(c.isascii() and (c.isalnum() or c in "._-=#") for c in word):
            raise ValueError(f"{type(press).__name__}.{field.name}: {word!r} does not fit a button")
        parts.append(word)
    data = ":".join(parts)
    if len(data.encode()) > at_most:
        raise ValueError(f"{data!r} has {len(data.encode())} bytes, {at_most} is the limit")
    return data


def decode(data: str) -> Pressed | StaleButton:
    """Unpack what `encode` packed; anything else becomes `StaleButton`, never an exception."""
    head, *words = data.split(":")
    kind = PRESSES.get(head[1:])
    if not data.startswith(CODEC_VERSION) or kind is None:
        return StaleButton("old")
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    if len(words) - 2 != len(names):
        return StaleButton("torn")
    values: dict[str, object] = {}
    for name, word in zip(names, words[2:], strict=True):
        if hints[name] is str:
            values[name] = word
        elif hints[name] is bool and word in {"0", "1"}:
            values[name] = word == "1"
        elif hints[name] is int and word.isascii() and word.isdigit() and len(word) <= 9:
            values[name] = int(word)
        else:
            return StaleButton("torn")
    return Pressed(words[0], words[1], kind(**values))
