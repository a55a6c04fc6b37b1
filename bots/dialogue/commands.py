"""What is typed after a slash: the same commands on every platform."""

from __future__ import annotations

from collections.abc import Callable

from bots.dialogue import events as e
from bots.dialogue.screens.choices import LooksOpened
from bots.dialogue.screens.gallery import PastOpened

COMMANDS: dict[str, Callable[[str], e.Event]] = {
    "start": e.Started,
    "looks": lambda _: LooksOpened(),
    "gallery": lambda _: PastOpened(),
    "help": lambda _: e.HelpAsked(),
    "cancel": lambda _: e.CancelAsked(),
    "privacy": lambda _: e.PrivacyAsked(),
    "export": lambda _: e.ExportAsked(),
    "forget": lambda _: e.ForgetAsked(),
    "team": lambda code: e.TeamAsked(code.lower()),
    "report": e.ReportAsked,
    "language": lambda _: e.LanguageAsked(),
}


def command(name: str, rest: str) -> e.Event | None:
    """Return the event of a command and what was written after it; None when there is no such command."""
    made = COMMANDS.get(name.lower())
    return made(rest.strip()) if made is not None else None


def said(text: str) -> e.Event:
    """Read a line of words: a command (`/start style_founder`, `/Help`) or just words."""
    word, *rest = text.strip().split(maxsplit=1) or [""]
    known = command(word[1:], rest[0] if rest else "") if word.startswith("/") else None
    return known or e.Said(text)
