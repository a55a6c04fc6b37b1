"""Screens of coming in: the welcome with its question, and what somebody who comes back finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bots.dialogue.buttons import Press
from bots.dialogue.effects import Card
from bots.dialogue.screens.choices import LooksOpened
from bots.dialogue.screens.gallery import PastOpened
from bots.dialogue.screens.privacy import languages
from bots.dialogue.screens.view import View

CONSENT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Agreed(Press):
    """Consent, and to which version of it."""

    op: ClassVar[str] = "yes"
    version: int


@dataclass(frozen=True, slots=True)
class Declined(Press):
    """No consent."""

    op: ClassVar[str] = "no"


def welcome(view: View, repost: bool = True) -> Card:
    """Who speaks here, what is kept and why, and the question."""
    rows = (
        (view.button("agree", Agreed(CONSENT_VERSION)),),
        (view.button("decline", Declined()),),
        *view.in_rows(languages(view), 3),
    )
    return view.card("welcome", [view.words("welcome", days=view.session.keep_days)], rows, repost=repost)


def home(view: View) -> Card:
    """What somebody who comes back finds: their photos and their past portraits."""
    session = view.session
    text = view.words("home", n=len(session.kept), galleries=len(session.galleries))
    buttons = [view.button("looks", LooksOpened())] if session.kept else []
    if session.galleries:
        buttons.append(view.button("past", PastOpened()))
    return view.card("home", [text], view.in_rows(buttons, 2), repost=True)
