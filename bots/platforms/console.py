"""The terminal: the same conversation without a phone. File paths are photos, pictures are saved and their paths shown.

Buttons are numbered lines; typing a number taps one. `play` follows a script, and everything that is said on either
side can be written to a file that reads as a script again.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.commands import said
from bots.dialogue.limits import Limits
from bots.dialogue.text import LANGUAGES
from bots.platforms.base import Contact, Load, PhotoGone
from bots.runtime.dispatcher import Dispatcher

PATIENCE_S = 600.0  # how long a script waits for words: a sitting on a laptop takes minutes
CONTACT = "me"
LIMITS = Limits(
    button_bytes=64, label=0, buttons_a_row=8, rows=0, components=100, row_counts=False, text=0, caption=0, toast=0,
    pictures_a_card=1, album=10, upload_bytes=0, fetch_bytes=0, edit_interval_s=3.0, delete_days=0,
)  # fmt: skip


class Terminal:
    """The terminal as the dispatcher's adapter, and as a script's player."""

    platform = "console"
    limits = LIMITS
    home_link = ""

    def __init__(self, pictures: Path, record: TextIO | None = None, patience_s: float = PATIENCE_S) -> None:
        self._pictures, self._record, self._patience_s = pictures, record, patience_s
        self._shown = 0
        self._buttons: list[fx.Button] = []
        self._since: list[str] = []
        self._came = asyncio.Event()
        self._acts = 0
        self.dispatcher: Dispatcher | None = None

    # --- as an adapter ---------------------------------------------------------------------------

    async def show(self, place: str, reply: fx.Reply, old: str | None, load: Load) -> list[str]:
        """See `Adapter.show`: there is no editing in a terminal, the newest state is printed again."""
        match reply:
            case fx.Say():
                self._print(reply.text, reply.rows)
            case fx.Card():
                lines = [reply.text]
                lines[:0] = [await self._save(picture, load) for picture in reply.pictures]
                self._print("\n".join(lines), reply.rows)
            case fx.Album() | fx.Files():
                saved = [f"{await self._save(picture, load)}  {picture.alt}" for picture in reply.pictures]
                self._print("\n".join([*saved, *([reply.caption] if isinstance(reply, fx.Files) else [])]), ())
            case fx.TextFile():
                self._pictures.mkdir(parents=True, exist_ok=True)
                path = self._pictures / reply.name
                path.write_text(reply.body, "utf-8")
                self._print(f"{path}\n{reply.caption}", ())
            case _:
                return []
        self._shown += 1
        return [str(self._shown)] if old is None else []

    async def acknowledge(self, contact: Contact) -> None:
        """See `Adapter.acknowledge`: nobody waits for it."""

    async def answer(self, contact: Contact, toast: fx.Toast | None) -> None:
        """See `Adapter.answer`."""
        if toast is not None:
            self._print(f"({toast.text})", ())

    async def remove(self, place: str, handles: list[str]) -> None:
        """See `Adapter.remove`: what the terminal shows is the person's own; saved pictures are deleted."""
        for path in self._pictures.glob("*"):
            path.unlink()

    async def fetch(self, ref: str) -> bytes:
        """See `Adapter.fetch`."""
        try:
            return await asyncio.to_thread(Path(ref).read_bytes)
        except OSError as gone:
            raise PhotoGone(f"{ref} cannot be read") from gone

    async def _save(self, picture: fx.Picture, load: Load) -> str:
        data = await load(picture)
        self._pictures.mkdir(parents=True, exist_ok=True)
        path = self._pictures / picture.name.replace("/", "-")
        await asyncio.to_thread(path.write_bytes, data)
        return str(path)

    def _print(self, text: str, rows: fx.Rows) -> None:
        buttons = [button for row in rows for button in row]
        if buttons:
            self._buttons = buttons
        numbered = [f"  [{i}] {button.label}" for i, button in enumerate(buttons, 1)]
        print("\n".join(["", text, *numbered]), flush=True)
        if self._record is not None:
            self._record.write("".join(f"< {line}\n" for line in text.splitlines() if line.strip()))
            self._record.flush()
        self._since += [text, *numbered]
        self._came.set()

    # --- as a player -----------------------------------------------------------------------------

    async def says(self, text: str) -> None:
        """Write words or a command."""
        await self._do(text, said(text))

    async def taps(self, label: str) -> None:
        """Press the newest button whose label contains these words, or the one of that number; raises LookupError."""
        await self._until(lambda: self._find(label) is not None, f"no button {label!r}")
        button = self._find(label)
        assert button is not None
        await self._do(f"[{button.label}]", button.data)

    async def sends_files(self, paths: list[Path]) -> None:
        """Send photos, together when there are several."""
        album = str(time.time_ns()) if len(paths) > 1 else ""
        for i, path in enumerate(paths):
            stat = path.stat()
            unique = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
            photo = e.PhotoSent(str(path.resolve()), unique, path.name, stat.st_size, album=album)
            await self._do(f"+ {' '.join(map(shlex.quote, map(str, paths)))}" if i == 0 else "", photo)

    async def sees(self, words: str) -> None:
        """Wait until these words appear after what was done last."""
        await self._until(lambda: any(words in text for text in self._since), f"{words!r} did not appear")

    def _find(self, label: str) -> fx.Button | None:
        if label.isdigit() and 0 < int(label) <= len(self._buttons):
            return self._buttons[int(label) - 1]
        return next((button for button in self._buttons if label in button.label), None)

    async def _until(self, there: Callable[[], bool], otherwise: str) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                while not there():
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise LookupError(
                f"{otherwise} within {self._patience_s:.0f} s; the last words: {self._since[-6:]}"
            ) from None

    async def _do(self, shown: str, event: e.Event | str) -> None:
        assert self.dispatcher is not None
        if shown and self._record is not None:
            self._record.write(f"> {shown}\n")
        if shown:
            self._since = []
        self._acts += 1
        interaction = str(self._acts) if isinstance(event, str) else ""
        contact = Contact(CONTACT, CONTACT, language=_language(), interaction=interaction)
        await self.dispatcher.hear(contact, event)

    async def converse(self) -> None:
        """Talk with somebody at the keyboard until the end of input."""
        await self.says("/start")
        while True:
            line = await asyncio.to_thread(sys.stdin.readline)
            if not line:
                return
            typed = line.strip()
            paths = _paths(typed)
            if paths:
                await self.sends_files(paths)
            elif typed.isdigit() and self._find(typed) is not None:
                await self.taps(typed)
            elif typed:
                await self.says(typed)


def _paths(typed: str) -> list[Path]:
    """Return the files a line names, empty when it is not a line of files."""
    try:
        paths = [Path(word).expanduser() for word in shlex.split(typed)]
    except ValueError:
        return []
    return paths if paths and all(path.is_file() for path in paths) else []


def _language() -> str:
    """Return the language of the terminal's locale."""
    named = re.match(r"[a-z]{2}", os.environ.get("LC_ALL") or os.environ.get("LANG") or "en")
    return named[0] if named and named[0] in LANGUAGES else "en"
