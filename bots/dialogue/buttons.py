"""Buttons: events that travel through the platform and back.

`encode` packs a press, its conversation and the session's nonce into a line of plain ASCII, `decode` unpacks it, so
buttons live in no memory and work after any restart.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import ClassVar, get_type_hints

from bots.dialogue.events import Event, StaleButton

CODEC_VERSION = "2"


@dataclass(frozen=True, slots=True)
class Press(Event):
    """An event that travels in a button. `op` is stable for ever; fields are int, bool or short plain words.

    A new one is a class beside the screen that shows it. Fields with a default may be added at the end: old buttons,
    which lack them, mean the default.
    """

    op: ClassVar[str] = ""
    for_anyone: ClassVar[bool] = False  # an invitation: whoever presses it, it is about them and not about its owner

    def __init_subclass__(cls) -> None:
        known = PRESSES.setdefault(cls.op, cls)
        if known.__qualname__ != cls.__qualname__:
            raise ValueError(f"{cls.__name__}: {cls.op!r} belongs to {known.__name__}")
        PRESSES[cls.op] = cls  # dataclass(slots=True) makes the class a second time


PRESSES: dict[str, type[Press]] = {}


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
    required = [field for field in fields(kind) if field.default is MISSING]
    if not len(required) <= len(words) - 2 <= len(names):
        return StaleButton("torn")
    values: dict[str, object] = {}
    for name, word in zip(names, words[2:], strict=False):
        if hints[name] is str:
            values[name] = word
        elif hints[name] is bool and word in {"0", "1"}:
            values[name] = word == "1"
        elif hints[name] is int and word.isascii() and word.isdigit() and len(word) <= 9:
            values[name] = int(word)
        else:
            return StaleButton("torn")
    return Pressed(words[0], words[1], kind(**values))
