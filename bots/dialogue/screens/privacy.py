"""Screens of a person's rights: what is kept, deleting it, the language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bots.dialogue.buttons import Press
from bots.dialogue.effects import Button, Card, Rows
from bots.dialogue.screens.view import View
from bots.dialogue.text import LANGUAGES

KEEP_DAYS = (1, 7, 30)


@dataclass(frozen=True, slots=True)
class KeepPicked(Press):
    """How many days photos and the trained file are kept."""

    op: ClassVar[str] = "keep"
    days: int


@dataclass(frozen=True, slots=True)
class LanguagePicked(Press):
    """The language to speak, as `bots.dialogue.text.LANGUAGES` names it."""

    op: ClassVar[str] = "lang"
    code: str


@dataclass(frozen=True, slots=True)
class ForgetConfirmed(Press):
    """Delete everything."""

    op: ClassVar[str] = "erase"


@dataclass(frozen=True, slots=True)
class ForgetDeclined(Press):
    """Delete nothing."""

    op: ClassVar[str] = "stay"


def privacy(view: View, repost: bool = True) -> Card:
    """What is kept, for how long, and every way out."""
    session = view.session
    keep = [
        view.choice(view.words("button.days", n=days), days == session.keep_days, KeepPicked(days))
        for days in KEEP_DAYS
    ]
    rows = view.in_rows(keep, 3) if session.consent else ()
    return view.card("privacy", [view.words("privacy.text", days=session.keep_days)], rows, repost=repost)


def forget(view: View) -> Card:
    """The question before everything is deleted."""
    session = view.session
    text = view.words("forget.ask", photos=len(session.photos), galleries=len(session.galleries))
    rows: Rows = ((view.button("forget", ForgetConfirmed()),), (view.button("keep_all", ForgetDeclined()),))
    return view.card("forget", [text], rows, repost=True)


def language(view: View, repost: bool = True) -> Card:
    """The languages there are."""
    return view.card("language", [view.words("language.ask")], view.in_rows(languages(view), 3), repost=repost)


def languages(view: View) -> list[Button]:
    """One button a language, in its own name."""
    now = view.session.language
    return [view.choice(title, code == now, LanguagePicked(code)) for code, title in LANGUAGES.items()]
