"""What can be asked of the studio: frozen values that travel as JSON and are checked on both ends.

Photos and portraits are named, never carried: an order holds no picture, no caption and no chat address,
so nothing personal lies in a queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, TypeAdapter

Queue = Literal["look", "studio"]

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/=-]*$")]
"""A file on the account's shelf, as the ledger lists it: `photos/3`, `shoots/17/p01.png`."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9._#=:+-]*$")]
"""A style, a purpose, a tweak such as `light=soft` or `backdrop=#203040`."""

MOST_PHOTOS: Final = 30  # a set beyond this teaches nothing more and only costs decoding time
MOST_PICTURES: Final = 64  # styles x count of one order; keeps one order under an hour on two cores


@dataclass(frozen=True, slots=True)
class Look:
    """Look at one photo and say at once whether it is kept."""

    photo: Name


@dataclass(frozen=True, slots=True)
class Shoot:
    """Learn the person from these photos and draw them in these styles.

    count: portraits per style. seed: same order, same seed, same pictures. train: learn a LoRA first.
    details: (what, value) chosen over the style's own: outfit, backdrop, light, angle.
    """

    photos: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MOST_PHOTOS)]
    styles: Annotated[tuple[Word, ...], Field(min_length=1, max_length=12)]
    purpose: Word | None = None
    count: Annotated[int, Field(ge=1, le=16)] = 4
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    train: bool = True
    details: Annotated[tuple[tuple[Word, Word], ...], Field(max_length=8)] = ()


@dataclass(frozen=True, slots=True)
class Enhance:
    """Make an edited child of a portrait; portrait is its id in the ledger."""

    portrait: Annotated[int, Field(ge=1)]
    tweaks: Annotated[tuple[Word, ...], Field(min_length=1, max_length=12)]


Order = Look | Shoot | Enhance

KINDS: Final[dict[str, type[Order]]] = {"look": Look, "shoot": Shoot, "enhance": Enhance}
_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {kind: TypeAdapter(made_of) for kind, made_of in KINDS.items()}


def kind_of(order: Order) -> str:
    """Return the word an order is stored under: `look`, `shoot` or `enhance`."""
    return type(order).__name__.lower()


def queue_of(kind: str) -> Queue:
    """Return who works on it: `look` is CPU and quick, `studio` has the GPU to itself."""
    return "look" if kind == "look" else "studio"


def units_of(order: Order) -> int:
    """Return how much work an order is, in portraits (or photos): the ETA's unit."""
    return len(order.styles) * order.count if isinstance(order, Shoot) else 1


def to_json(order: Order) -> str:
    """Write an order as JSON."""
    text: bytes = _ADAPTERS[kind_of(order)].dump_json(order)
    return text.decode()


def from_json(kind: str, text: str) -> Order:
    """Read what `to_json` wrote.

    Raises pydantic.ValidationError (a ValueError) on anything else, KeyError on an unknown kind.
    """
    order: Order = _ADAPTERS[kind].validate_json(text)
    if isinstance(order, Shoot) and units_of(order) > MOST_PICTURES:
        raise ValueError(f"{units_of(order)} portraits in one order, {MOST_PICTURES} is the limit")
    return order
