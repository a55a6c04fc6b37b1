"""The table of the dialogue: which event may happen in which state, where it may lead, and what handles it.

Every file in `bots/dialogue/handlers` adds its rows with `handles`; `bots.dialogue.machine` reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from bots.dialogue.context import Context
from bots.dialogue.events import Event
from bots.dialogue.session import State

WELCOME, COLLECTING, CHOOSING, WAITING = State.WELCOME, State.COLLECTING, State.CHOOSING, State.WAITING
BROWSING, ENHANCING, LEAVING = State.BROWSING, State.ENHANCING, State.LEAVING
IDLE = (COLLECTING, CHOOSING, BROWSING)  # nothing is at work: photos, looks and galleries may be opened
BUSY = (WAITING, ENHANCING)
EVERYWHERE = tuple(State)

Targets = tuple[State, ...]
Handler = TypeVar("Handler", bound=Callable[[Context, Any], None])


@dataclass(frozen=True, slots=True)
class Rule:
    """What handles an event, and for each state it may happen in the states it may lead to, besides staying."""

    handler: Callable[[Context, Any], None]
    targets: dict[State, Targets]


RULES: dict[type[Event], Rule] = {}


def when(*states: State, to: Targets = ()) -> dict[State, Targets]:
    """Return rows of the table: in these states an event may happen, and may lead to those."""
    return dict.fromkeys(states, to)


def handles(event: type[Event], *rows: dict[State, Targets]) -> Callable[[Handler], Handler]:
    """Register the handler of an event with its rows of the table; a later row wins. Raises ValueError for a second."""

    def register(handler: Handler) -> Handler:
        if event in RULES:
            raise ValueError(f"{event.__name__} is handled twice")
        targets = {state: to for row in rows for state, to in row.items()}
        RULES[event] = Rule(handler, targets)
        return handler

    return register
