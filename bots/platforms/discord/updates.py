"""Discord, what comes in: a message in the private chat or an interaction becomes a contact and events.

    message, command, button, form -> Receiver -> dispatcher.hear(contact, *events)

Messages reach the bot in the private chat only: it does not ask for those of servers. A file is a photo unless its
type or its name says that it is something else: its content is looked at later.
`bots.platforms.discord.messages` is what goes out; neither holds a sentence or a rule.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import discord

from bots.dialogue import events as e
from bots.dialogue.commands import said
from bots.platforms.base import Contact
from bots.platforms.discord.interactions import AnyInteraction, Interactions
from bots.platforms.file_types import may_be_photo
from bots.runtime.dispatcher import Dispatcher

KINDS: Final = frozenset({discord.MessageType.default, discord.MessageType.reply})
"""What people write; others tell that a message was pinned, a call began."""


Met = Callable[[str, int], None]
"""Is told which channel is a person's private chat."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a filled-in form held: by field, the words or the files."""

    values: dict[str, tuple[str, ...]]
    files: dict[str, tuple[e.PhotoSent | e.OtherSent, ...]]


class Receiver:
    """Hands what happens on Discord to the dispatcher."""

    def __init__(self, dispatcher: Dispatcher, interactions: Interactions, met: Met) -> None:
        self._dispatcher, self._interactions, self._met = dispatcher, interactions, met

    async def message(self, message: discord.Message) -> None:
        """Take a message of the private chat; returns once its effect is safe."""
        if message.guild is not None or message.author.bot or message.type not in KINDS:
            return
        events = events_of(message)
        if events:
            await self._dispatcher.hear(self._wrote(message, str(message.id)), *events)

    async def edited(self, payload: discord.RawMessageUpdateEvent) -> None:
        """Take the news that somebody changed a message: what Discord itself adds to one is none."""
        message = payload.message
        if payload.guild_id is not None or message.author.bot or message.edited_at is None:
            return
        await self._dispatcher.hear(self._wrote(message, f"{message.id}:{message.edited_at.timestamp()}"), e.Edited())

    async def interaction(self, interaction: AnyInteraction, *events: e.Event | str) -> None:
        """Take a command, a button or a form; it is acknowledged before anything else."""
        await self._dispatcher.hear(self._interactions.begin(interaction), *events)

    def _wrote(self, message: discord.Message, key: str) -> Contact:
        owner = str(message.author.id)
        self._met(owner, message.channel.id)
        self._interactions.heard_at_home(owner)
        return Contact(owner, owner, key)


def events_of(message: discord.Message) -> list[e.Event]:
    """Translate a message: a command first, then what it came with; words under a picture say nothing more."""
    attachments = attachments_of(message)
    sent = [sent_file(a, album=_album(message.id, attachments), message=message) for a in attachments]
    words = message.content.strip()
    heard = said(words) if words else None
    events: list[e.Event] = [] if heard is None or (sent and isinstance(heard, e.Said)) else [heard]
    if message.stickers:
        events.append(e.OtherSent("sticker"))
    if message.poll is not None:
        events.append(e.OtherSent("poll"))
    return [*events, *sent]


def attachments_of(message: discord.Message) -> list[discord.Attachment]:
    """Return a message's files, those of messages forwarded in it as well."""
    forwarded = [attachment for snapshot in message.message_snapshots for attachment in snapshot.attachments]
    return [*message.attachments, *forwarded]


def sent_file(
    attachment: discord.Attachment, album: str = "", message: discord.Message | None = None
) -> e.PhotoSent | e.OtherSent:
    """Translate a file. message: where it can be found again when its link has expired."""
    kind = (attachment.content_type or "").partition(";")[0].lower()
    if not may_be_photo(kind, attachment.filename):
        voice = kind.startswith("audio/")
        return e.OtherSent("voice" if voice else "video" if kind.startswith("video/") else "file")
    where = [] if message is None else [message.channel.id, message.id, attachment.id]
    ref = json.dumps([attachment.url, *where])
    return e.PhotoSent(ref, str(attachment.id), attachment.filename, attachment.size, album=album)


def sent_files(number: int, attachments: Sequence[discord.Attachment]) -> list[e.PhotoSent | e.OtherSent]:
    """Translate the files of one interaction."""
    return [sent_file(attachment, _album(number, attachments)) for attachment in attachments]


def form_of(interaction: AnyInteraction) -> Form:
    """Read a filled-in form as it came, so that one that was opened before a restart can still be sent."""
    data: Any = interaction.data or {}
    resolved = (data.get("resolved") or {}).get("attachments") or {}
    values, files = {}, {}
    for label in data.get("components") or ():
        field = label.get("component") or {}
        name, chosen = str(field.get("custom_id") or ""), tuple(map(str, field.get("values") or ()))
        values[name] = chosen
        there = [discord.Attachment(data=resolved[one], state=interaction._state) for one in chosen if one in resolved]
        files[name] = tuple(sent_files(interaction.id, there))
    return Form(values, files)


def _album(number: int, attachments: Sequence[Any]) -> str:
    return str(number) if len(attachments) > 1 else ""
