"""Telegram, what comes in: an update becomes a contact and events.

    update -> Receiver -> dispatcher.hear(contact, *events)

Commands are read from Telegram's own entities, in texts and captions. In a group only what is addressed to the bot is
handed on. A file is a photo unless its type or its name says that it is something else: its content is looked at later.
`bots.platforms.telegram.messages` is what goes out; neither holds a sentence or a rule.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from prometheus_client import Counter
from telegram import CallbackQuery, Document, Message, MessageEntity, Update
from telegram.constants import ChatType

from bots.dialogue import events as e
from bots.dialogue.commands import command
from bots.platforms.base import Contact
from bots.platforms.file_types import may_be_photo
from bots.platforms.telegram.messages import group_place
from bots.runtime.dispatcher import Dispatcher

log = logging.getLogger("atelier.telegram")

SKIPPED: Final = Counter("atelier_telegram_updates_skipped_total", "Updates that could not be read", ["error"])
KINDS: Final = ["message", "edited_message", "callback_query", "my_chat_member"]
"""`allowed_updates`: what is asked for."""
SERVICE: Final = frozenset({"successful_payment", "invoice", "passport_data"})
OTHER: Final = {
    "sticker": "sticker", "voice": "voice", "audio": "voice", "video": "video", "video_note": "video",
    "animation": "animation", "dice": "dice", "poll": "poll", "story": "story", "venue": "location",
    "location": "location", "contact": "contact",
}  # fmt: skip


def readable(raw: dict[str, Any]) -> dict[str, Any]:
    """Return an update as it came, or an empty one in place of one that the library cannot parse.

    Such a one is counted, and logged without its content; it will not be told again.
    """
    number = raw.get("update_id")
    try:
        Update.de_json(raw)
    except Exception as error:
        SKIPPED.labels(type(error).__name__).inc()
        extra = {"update": number, "kinds": sorted(set(raw) - {"update_id"}), "error": type(error).__name__}
        log.error("update_skipped", extra=extra)
        return {"update_id": number if isinstance(number, int) else 0}
    return raw


class Receiver:
    """Hands what updates say to the dispatcher."""

    def __init__(self, dispatcher: Dispatcher, username: str) -> None:
        self._dispatcher, self._username = dispatcher, username.lower()

    async def take(self, update: Update) -> None:
        """Handle one update; returns once its effect is safe."""
        if update.effective_user is None:
            return
        contact = contact_of(update)
        if update.callback_query is not None:
            there = _place_of_press(contact, update.callback_query)
            await self._dispatcher.hear(there, update.callback_query.data or "")
            return
        chat = update.effective_chat
        if chat is None:
            return
        if update.my_chat_member is not None:
            if chat.type == ChatType.PRIVATE:
                reachable = update.my_chat_member.new_chat_member.status != "kicked"
                await self._dispatcher.set_reachable(contact, reachable)
        elif update.edited_message is not None:
            if chat.type == ChatType.PRIVATE and _has_content(update.edited_message):
                await self._dispatcher.hear(contact, e.Edited())
        elif update.message is not None:
            message = update.message
            if chat.type != ChatType.PRIVATE:
                if not addressed(message, self._username):
                    return
                contact = _in_group(contact, message)
            events = events_of(message, self._username)
            if events:
                await self._dispatcher.hear(contact, *events)


def events_of(message: Message, username: str) -> list[e.Event]:
    """Translate a message: a command first, then what it came with; empty for service messages."""
    events: list[e.Event] = []
    asked = _command(message, username)
    if asked is not None:
        events.append(asked)
    elif message.text and message.text.strip():
        events.append(e.Said(message.text))
    sent = _sent(message)
    return events if sent is None else [*events, sent]


def addressed(message: Message, username: str) -> bool:
    """Whether a message in a group is for this bot: a command of it, a mention of its name, or a reply to it."""
    if _command(message, username) is not None:
        return True
    quoted = message.reply_to_message
    if quoted is not None and quoted.from_user is not None and (quoted.from_user.username or "").lower() == username:
        return True
    mentions = _entities(message, MessageEntity.MENTION)
    return any(word.lower() == f"@{username}" for _, word in mentions)


def contact_of(update: Update) -> Contact:
    """Return who an update is from, and their private chat."""
    user = update.effective_user
    assert user is not None
    query = update.callback_query
    return Contact(
        owner=str(user.id),
        place=str(user.id),  # a private chat has its person's number: no update can lead an answer elsewhere
        key=str(update.update_id),
        language=user.language_code or "en",
        interaction=query.id if query is not None else "",
    )


def _in_group(contact: Contact, message: Message) -> Contact:
    return Contact(
        contact.owner, group_place(message), contact.key, contact.language, contact.interaction,
        home=contact.place, private=False,
    )  # fmt: skip


def _place_of_press(contact: Contact, query: CallbackQuery) -> Contact:
    """Return where a press is answered; one without its message was made by somebody else's client, or is too old."""
    message = query.message
    if message is None or message.chat.type == ChatType.PRIVATE:
        return contact
    place = group_place(message) if isinstance(message, Message) else contact.place
    return Contact(
        contact.owner, place, contact.key, contact.language, contact.interaction, home=contact.place, private=False
    )


def _command(message: Message, username: str) -> e.Event | None:
    """Return the command that a text or a caption begins with; None when there is none, or it is another bot's."""
    for entity, word in _entities(message, MessageEntity.BOT_COMMAND):
        if entity.offset:
            continue
        name, _, bot = word.removeprefix("/").lower().partition("@")
        if bot and bot != username:
            return None
        return command(name, (message.text or message.caption or "")[len(word) :].strip())
    return None


def _entities(message: Message, kind: str) -> list[tuple[MessageEntity, str]]:
    found = message.parse_entities([kind]) if message.text else message.parse_caption_entities([kind])
    return list(found.items())


def _sent(message: Message) -> e.Event | None:
    """Translate what a message carries beside words."""
    album = message.media_group_id or ""
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        return e.PhotoSent(
            ref=largest.file_id,
            unique=largest.file_unique_id,
            size_bytes=largest.file_size or 0,
            compressed=True,
            album=album,
        )
    if message.document is not None and message.animation is None and _may_be_photo(message.document):
        return e.PhotoSent(
            ref=message.document.file_id,
            unique=message.document.file_unique_id,
            name=message.document.file_name or "file",
            size_bytes=message.document.file_size or 0,
            album=album,
        )
    for kind, known in OTHER.items():
        if getattr(message, kind):
            return e.OtherSent(known)
    other = message.effective_attachment
    return e.OtherSent("file") if other is not None and not any(getattr(message, kind) for kind in SERVICE) else None


def _may_be_photo(document: Document) -> bool:
    return may_be_photo(document.mime_type or "", document.file_name or "")


def _has_content(message: Message) -> bool:
    """Whether an edited message says something else now: a live location that moves does not."""
    return bool(message.text or message.caption or message.photo or message.document)
