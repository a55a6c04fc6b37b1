"""A whole chat as a text file, played through any platform.

    > /start                      what the person writes; [Label] presses a button, + a.jpg b.jpg sends photos
    < I am Atelier                words that must then appear, within the time the player allows
    # anything else is a remark

The same file runs in the terminal (`atelier chat --script FILE`) and against Telegram's loopback server in the tests.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.errors import AtelierError


class ScriptWrong(AtelierError):
    """A line of a script cannot be read, or what it waits for did not come."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: kind is `says`, `presses`, `sends` or `sees`."""

    number: int
    kind: str
    text: str


class Player(Protocol):
    """Somebody at a screen, on whatever platform."""

    async def says(self, text: str) -> None:
        """Write words or a command."""

    async def presses(self, label: str) -> None:
        """Press the newest button whose label contains these words."""

    async def sends_files(self, paths: list[Path]) -> None:
        """Send photos, together when there are several."""

    async def sees(self, words: str) -> object:
        """Wait until these words appear after what was done last; raises when they do not."""


def read(text: str) -> list[Line]:
    """Read a script. Raises ScriptWrong with the number of a line that makes no sense."""
    lines = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        sign, _, rest = line.partition(" ")
        rest = rest.strip()
        if sign == "<":
            lines.append(Line(number, "sees", rest))
        elif sign == ">" and rest.startswith("[") and rest.endswith("]"):
            lines.append(Line(number, "presses", rest[1:-1]))
        elif sign == ">" and rest.startswith("+"):
            lines.append(Line(number, "sends", rest[1:].strip()))
        elif sign == ">":
            lines.append(Line(number, "says", rest))
        else:
            raise ScriptWrong(f"line {number}: {line!r} begins with neither > nor < nor #")
    return lines


async def play(lines: list[Line], player: Player, folder: Path) -> None:
    """Play a script; photos are looked for below a folder. Raises ScriptWrong naming the line that failed."""
    for line in lines:
        try:
            match line.kind:
                case "says":
                    await player.says(line.text)
                case "presses":
                    await player.presses(line.text)
                case "sends":
                    await player.sends_files([folder / name for name in shlex.split(line.text)])
                case "sees":
                    await player.sees(line.text)
        except (LookupError, AssertionError, TimeoutError, OSError) as wrong:
            raise ScriptWrong(f"line {line.number}, {line.kind} {line.text!r}: {wrong}") from wrong
