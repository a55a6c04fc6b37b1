"""One event being handled: what the parts of the dialogue work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bots.dialogue import effects as fx
from bots.dialogue.effects import Effect, Reply, Toast
from bots.dialogue.events import Event
from bots.dialogue.menu import Menu
from bots.dialogue.session import Session, State
from bots.dialogue.text import say, spoken

WELCOME, COLLECTING, CHOOSING, WAITING = State.WELCOME, State.COLLECTING, State.CHOOSING, State.WAITING
BROWSING, ENHANCING, LEAVING = State.BROWSING, State.ENHANCING, State.LEAVING

Handlers = dict[type[Event], Callable[..., None]]
"""What an event does to a ctx: `handler(ctx, event)`."""


@dataclass(slots=True)
class Context:
    """One event being handled: the session as it becomes, and what was said and asked on the way."""

    session: Session
    now: float
    menu: Menu
    replies: list[Reply] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)

    def change(self, **fields: object) -> None:
        """Set fields of the session."""
        self.session = replace(self.session, **fields)  # type: ignore[arg-type]

    def words(self, key: str, **values: object) -> str:
        """Return a sentence in the person's language."""
        return say(self.session.language, key, **values)

    def say(self, key: str, **values: object) -> None:
        """Answer with a sentence."""
        self.replies.append(fx.Say(self.words(key, **values)))

    def toast(self, key: str, **values: object) -> None:
        """Answer a button in passing."""
        self.replies.append(Toast(self.words(key, **values)))


def new_session(conversation: str, nonce: str, language: str = "en") -> Session:
    """Return the session of somebody never seen before; a language nobody here speaks becomes English."""
    return Session(conversation, nonce, language=spoken(language))
