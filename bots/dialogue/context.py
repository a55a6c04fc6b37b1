"""One event being handled: what the handlers work on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bots.dialogue import effects as fx
from bots.dialogue.limits import Limits
from bots.dialogue.menu import Menu
from bots.dialogue.screens.view import View
from bots.dialogue.session import Session
from bots.dialogue.text import spoken


@dataclass(slots=True)
class Context:
    """One event being handled: the session as it becomes, and what was said and asked on the way.

    now: seconds since 1970, UTC.
    """

    session: Session
    now: float
    menu: Menu
    limits: Limits
    replies: list[fx.Reply] = field(default_factory=list)
    effects: list[fx.Effect] = field(default_factory=list)

    @property
    def view(self) -> View:
        """What the screens are built from: the session as it is now."""
        return View(self.session, self.menu, self.limits, self.now)

    def change(self, **fields: object) -> None:
        """Set fields of the session."""
        self.session = replace(self.session, **fields)  # type: ignore[arg-type]

    def words(self, key: str, **values: object) -> str:
        """Return a sentence in the person's language."""
        return self.view.words(key, **values)

    def say(self, key: str, **values: object) -> None:
        """Answer with a sentence."""
        self.replies.append(fx.Say(self.words(key, **values)))

    def say_once(self, album: str, key: str, **values: object) -> bool:
        """Answer with a sentence, but only once for photos that were sent together; say whether it was said."""
        if album and self.session.answered == (album, key):
            return False
        self.change(answered=(album, key))
        self.say(key, **values)
        return True

    def toast(self, key: str, **values: object) -> None:
        """Answer a button in passing."""
        self.replies.append(fx.Toast(self.words(key, **values)))


def new_session(conversation: str, nonce: str, language: str = "en") -> Session:
    """Return the session of somebody never seen before; a language nobody here speaks becomes English."""
    return Session(conversation, nonce, language=spoken(language))
