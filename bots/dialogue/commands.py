"""What is typed after a slash: the same commands on every platform."""

from __future__ import annotations

from collections.abc import Callable

from bots.dialogue import events as e

COMMANDS: dict[str, Callable[[str], e.Event]] = {
    "start": e.Started,
    "help": lambda _: e.HelpAsked(),
    "cancel": lambda _: e.CancelAsked(),
    "privacy": lambda _: e.PrivacyAsked(),
    "export": lambda _: e.ExportAsked(),
    "forget": lambda _: e.ForgetAsked(),
    "report": e.ReportAsked,
    "language": lambda _: e.LanguageAsked(),
}


def said(text: str) -> e.Event:
    """Read a line of words: a command (`/start style_founder`, `/help@some_bot`) or just words."""
    word, _, rest = text.partition(" ")
    command = COMMANDS.get(word[1:].partition("@")[0]) if word.startswith("/") else None
    return command(rest.strip()) if command is not None else e.Said(text)
