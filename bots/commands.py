"""What is typed after a slash: the same commands on every platform."""

from __future__ import annotations

from collections.abc import Callable

from bots import messages as m

COMMANDS: dict[str, Callable[[str], m.Event]] = {
    "start": m.Started,
    "help": lambda _: m.HelpAsked(),
    "cancel": lambda _: m.CancelAsked(),
    "privacy": lambda _: m.PrivacyAsked(),
    "export": lambda _: m.ExportAsked(),
    "forget": lambda _: m.ForgetAsked(),
    "report": m.ReportAsked,
    "language": lambda _: m.LanguageAsked(),
}


def said(text: str) -> m.Event:
    """Read a line of words: a command (`/start style_founder`, `/help@some_bot`) or just words."""
    word, _, rest = text.partition(" ")
    command = COMMANDS.get(word[1:].partition("@")[0]) if word.startswith("/") else None
    return command(rest.strip()) if command is not None else m.Said(text)
