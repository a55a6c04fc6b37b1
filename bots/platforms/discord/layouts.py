"""Discord, what a message looks like: a reply's words, pictures, files and buttons as one Components v2 layout.

Every message is one, because a message that once was cannot become a plain one again, and a card is edited from words
into pictures. Words are escaped: nothing that a person wrote is formatting or a mention.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from string import ascii_lowercase, digits

import discord
from discord import ui

from bots.dialogue import effects as fx
from bots.platforms.discord.limits import ALT, LIMITS, REQUEST_BYTES, SAME
from bots.platforms.uploads import Upload, within

_NUMBERS = digits[1:] + ascii_lowercase  # of buttons that are there twice


@dataclass(frozen=True, slots=True)
class Post:
    """One message. pictures are shown side by side above the words, files are rows to download below them."""

    text: str
    rows: fx.Rows = ()
    pictures: tuple[Upload, ...] = ()
    files: tuple[Upload, ...] = ()

    async def within(self, file_bytes: int) -> Post:
        """Return it with files that Discord takes where one may have that many bytes; see `uploads.within`."""
        uploads, pictures = (*self.pictures, *self.files), len(self.pictures)
        if not uploads:
            return self
        uploads = await asyncio.to_thread(within, uploads, file_bytes, REQUEST_BYTES)
        return replace(self, pictures=uploads[:pictures], files=uploads[pictures:])

    def uploads(self) -> list[discord.File]:
        """Return the files to send with it; new ones each time, because sending uses them up."""
        return [
            discord.File(io.BytesIO(upload.data), upload.name, description=upload.alt[:ALT] or None)
            for upload in (*self.pictures, *self.files)
            if upload.data
        ]

    def view(self) -> ui.LayoutView:
        """Return its components; a new view each time. See `data_of` for its buttons."""
        inside: list[ui.Item[ui.LayoutView]] = []
        if self.pictures:
            shown = [discord.MediaGalleryItem(_link(p), description=p.alt[:ALT] or None) for p in self.pictures]
            inside.append(ui.MediaGallery(*shown))
        if self.text:
            inside.append(ui.TextDisplay(words(self.text)))
        inside += [ui.File(_link(file)) for file in self.files]
        inside += [ui.ActionRow(*buttons) for buttons in _buttons(self.rows)]
        view = ui.LayoutView(timeout=None)
        view.add_item(ui.Container(*inside))
        view.stop()  # the library need not remember it: a button carries all it means
        return view


def words(text: str) -> str:
    """Escape what Discord would take for formatting, and cut what it would refuse."""
    escaped = discord.utils.escape_markdown(text)
    return escaped if len(escaped) <= LIMITS.text else f"{escaped[: LIMITS.text - 1].rstrip(chr(92))}…"


def file_name(picture: fx.Picture) -> str:
    """Return the name a picture is sent under: plain characters only, because Discord changes any other."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", picture.name)
    return name if picture.kind in {"export", "style"} else f"atelier-{name}"


def numbered(uploads: Sequence[Upload]) -> tuple[Upload, ...]:
    """Give files of one message names of their own, which their components refer to them by."""
    seen: dict[str, int] = {}
    named = []
    for upload in uploads:
        count = seen[upload.name] = seen.get(upload.name, 0) + 1
        path = PurePosixPath(upload.name)
        name = upload.name if count == 1 else f"{path.stem}-{count}{path.suffix}"
        named.append(Upload(name, upload.data, upload.alt))
    return tuple(named)


def fits(part: Sequence[Upload], upload: Upload) -> bool:
    """Whether one more file fits into a message: its files are counted, and so are the bytes of the whole request."""
    size = sum(len(u.data) for u in part) + len(upload.data)
    return not part or (len(part) < LIMITS.album and size <= REQUEST_BYTES)


def data_of(custom_id: str) -> str:
    """Return the dialogue's data of a button's id."""
    return custom_id.partition(SAME)[0]


def without_buttons(message: discord.Message) -> ui.LayoutView:
    """Return what a message of ours shows, less its buttons; its pictures stay the files that it has."""
    view = ui.LayoutView.from_message(message, timeout=None)
    pictures = iter(message.attachments)
    for item in list(view.walk_children()):
        if isinstance(item, ui.ActionRow) and isinstance(item.parent, ui.Container):
            item.parent.remove_item(item)
        elif isinstance(item, ui.MediaGallery):
            item.items = [
                discord.MediaGalleryItem(f"attachment://{next(pictures).filename}", description=shown.description)
                for shown in item.items
            ]
        elif isinstance(item, ui.File):
            item.media = discord.UnfurledMediaItem(f"attachment://{next(pictures).filename}")
    view.stop()
    return view


def _buttons(rows: fx.Rows) -> list[list[ui.Button[ui.LayoutView]]]:
    """Make the buttons; one that is there twice gets a number, because ids are unique within a message."""
    seen: dict[str, int] = {}
    made = []
    for row in rows:
        buttons = []
        for button in row:
            before = seen.get(button.data, 0)
            seen[button.data] = before + 1
            custom_id = f"{button.data}{SAME}{_NUMBERS[before - 1]}" if before else button.data
            buttons.append(ui.Button[ui.LayoutView](label=button.label, custom_id=custom_id))
        made.append(buttons)
    return made


def _link(upload: Upload) -> str:
    return f"attachment://{upload.name}"
