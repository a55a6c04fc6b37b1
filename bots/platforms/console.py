"""The terminal: the same conversation without a phone. File paths are photos, pictures are saved and their paths shown.

Buttons are numbered lines; typing a number presses one. `play` follows a script, and everything that is said on either
side can be written to a file that reads as a script again. What is deleted is what was saved here, nothing else.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO
from urllib.parse import unquote, urlsplit

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.commands import said
from bots.dialogue.limits import Limits
from bots.dialogue.text import say
from bots.platforms.base import Contact, Load, PhotoGone
from bots.runtime.dispatcher import Dispatcher
from core.catalogue import locale_language

PATIENCE_S = 600.0  # how long a script waits for words: a sitting on a laptop takes minutes
CONTACT = "me"
PICTURES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".heic", ".heif", ".hif", ".avif", ".gif", ".tif", ".tiff",
)  # fmt: skip
"""Endings that make a missing file be named rather than taken for words."""
LIMITS = Limits(
    button_bytes=64, label=0, buttons_a_row=8, components=100, row_counts=False, text=0, caption=0, toast=0,
    pictures_a_card=1, album=10, upload_bytes=0, fetch_bytes=0, edit_interval_s=3.0, delete_days=0,
)  # fmt: skip


class Terminal:
    """The terminal as the dispatcher's adapter, and as a script's player.

    A handle is the number of what was printed and the paths of what was saved with it.
    """

    platform = "console"
    limits = LIMITS
    home_link = ""

    def __init__(self, pictures: Path, record: TextIO | None = None, patience_s: float = PATIENCE_S) -> None:
        self._pictures, self._record, self._patience_s = pictures, record, patience_s
        self._shown = 0
        self._saved: set[Path] = set()
        self._buttons: list[fx.Button] = []
        self._since: list[str] = []
        self._came = asyncio.Event()
        self._acts = 0
        self.dispatcher: Dispatcher | None = None

    # --- as an adapter ---------------------------------------------------------------------------

    async def show(self, place: str, reply: fx.Reply, old: str | None, load: Load, key: str = "") -> list[str]:
        """See `Adapter.show`: there is no editing in a terminal, the newest state is printed again."""
        saved: list[Path] = []
        match reply:
            case fx.Say():
                self._print(reply.text, reply.rows)
            case fx.Card(revocable=True) if old is None:
                self._print(reply.text, reply.rows)
            case fx.Card():
                saved = [await self._save(_file_name(picture), await load(picture)) for picture in reply.pictures]
                self._print("\n".join([*map(str, saved), reply.text]), reply.rows)
            case fx.Album() | fx.Files() | fx.Stickers():
                saved = [await self._save(_file_name(picture), await load(picture)) for picture in reply.pictures]
                lines = [f"{path}  {picture.alt}" for path, picture in zip(saved, reply.pictures, strict=True)]
                self._print("\n".join([*lines, *([reply.caption] if isinstance(reply, fx.Files) else [])]), ())
            case fx.TextFile():
                saved = [await self._save(reply.name, reply.body.encode())]
                self._print(f"{saved[0]}\n{reply.caption}", ())
            case _:
                return []
        if isinstance(reply, fx.Card) and reply.revocable and old is not None:
            return []
        self._shown += 1
        return [json.dumps([self._shown, *map(str, saved)])]

    async def acknowledge(self, contact: Contact) -> None:
        """See `Adapter.acknowledge`: nobody waits for it."""

    async def answer(self, contact: Contact, toast: fx.Toast | None) -> None:
        """See `Adapter.answer`; what the terminal shows is the person's own."""
        if toast is not None:
            self._print(f"({toast.text})", ())

    async def remove(self, place: str, handles: list[str]) -> None:
        """See `Adapter.remove`: what the terminal shows is the person's own; saved pictures are deleted."""
        named = [Path(path) for handle in handles if handle.startswith("[") for path in json.loads(handle)[1:]]
        for path in {*named, *self._saved}:
            path.unlink(missing_ok=True)
        self._saved.clear()

    async def fetch(self, ref: str) -> bytes:
        """See `Adapter.fetch`."""
        try:
            return await asyncio.to_thread(Path(ref).read_bytes)
        except OSError as gone:
            raise PhotoGone(f"{ref} cannot be read") from gone

    async def _save(self, name: str, data: bytes) -> Path:
        """Save a file beside those that are there: only what was saved here is ever written over."""
        self._pictures.mkdir(parents=True, exist_ok=True)
        path, number = self._pictures / name, 1
        while path.exists() and path not in self._saved:
            if await asyncio.to_thread(path.read_bytes) == data:
                return path
            number += 1
            path = (self._pictures / name).with_stem(f"{Path(name).stem} ({number})")
        await asyncio.to_thread(path.write_bytes, data)
        self._saved.add(path)
        return path

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

    async def presses(self, label: str) -> None:
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
        contact = Contact(CONTACT, CONTACT, language=locale_language(), interaction=interaction)
        await self.dispatcher.hear(contact, event)

    async def converse(self) -> None:
        """Talk with somebody at the keyboard until the end of input."""
        await self.says("/start")
        while True:
            line = await asyncio.to_thread(sys.stdin.readline)
            if not line:
                return
            await self.types(line.strip())

    async def types(self, typed: str) -> None:
        """Take a line: the number of a button, paths of photos, a command or words."""
        if typed.isdigit() and self._find(typed) is not None:
            await self.presses(typed)
            return
        paths = typed_paths(typed)
        wrong = next((path for path in paths if not path.is_file()), None)
        if wrong is not None:
            key = "terminal.folder" if wrong.is_dir() else "terminal.no_file"
            self._print(say(locale_language(), key, path=wrong), ())
        elif paths:
            await self.sends_files(paths)
        elif typed:
            await self.says(typed)


def typed_paths(typed: str) -> list[Path]:
    """Return the files that a line names, whether they are there or not; empty for a line that names none.

    A line is one path as it stands, blanks and apostrophes included, or several as a shell writes them; each may be a
    `file://` address, as a file manager drops it.
    """
    if not typed or not isinstance(said(typed), e.Said):
        return []
    whole = _path(typed)
    if whole.exists():
        return [whole]
    try:
        words = shlex.split(typed)
    except ValueError:  # an apostrophe
        words = [typed]
    paths = [_path(word) for word in words]
    named = [path.exists() or _like_a_path(word) for path, word in zip(paths, words, strict=True)]
    if all(named) and (len(paths) == 1 or any(path.exists() for path in paths)):
        return paths
    return [whole] if _like_a_path(typed) else []


def _path(word: str) -> Path:
    if word.lower().startswith("file://"):
        return Path(unquote(urlsplit(word).path))
    try:
        return Path(word).expanduser()
    except RuntimeError:  # a home of somebody who is not there
        return Path(word)


def _like_a_path(word: str) -> bool:
    """Whether a word names a file rather than says something."""
    starts = word.startswith(("~/", "./", "../", "file://")) or (word.startswith("/") and "/" in word[1:])
    return starts or Path(word).suffix.lower() in PICTURES


def _file_name(picture: fx.Picture) -> str:
    return picture.name.replace("/", "-")
