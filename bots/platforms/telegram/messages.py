"""Telegram, what goes out: a reply becomes a message or an edit of one.

See `bots.platforms.telegram.updates` for what comes in.
"""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections import OrderedDict
from collections.abc import Coroutine
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from PIL import Image
from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    InputMediaDocument,
    InputMediaPhoto,
    Message,
    ReplyParameters,
)
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.helpers import create_deep_linked_url

from bots.dialogue import effects as fx
from bots.platforms.base import Contact, Load, NotNow, PhotoGone, PhotoTooBig, Unreachable
from bots.platforms.telegram.limits import LIMITS, PHOTO_BYTES, PHOTO_EDGES
from bots.platforms.uploads import Upload, smaller, within

ACKNOWLEDGED_S = 0.5  # a press is answered without words when there are none by then: Telegram takes one answer only
DELETABLE_S = LIMITS.delete_days * 86_400 - 60.0  # a minute for clocks that differ
DELETED_AT_ONCE = 100
CACHED = 5000  # file ids kept in memory, so that leafing through a gallery uploads each picture once

T = TypeVar("T")


class TelegramAdapter:
    """Telegram as the dispatcher's adapter. A handle is a chat, a message id, and when it was sent (seconds, UTC)."""

    platform = "telegram"
    limits = LIMITS

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._held_back: dict[str, asyncio.Task[None]] = {}
        self._file_ids: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._on_screen: OrderedDict[str, str] = OrderedDict()

    async def show(self, place: str, reply: fx.Reply, old: str | None, load: Load, key: str = "") -> list[str]:
        """See `Adapter.show`."""
        match reply:
            case fx.Say():
                return await self._new(self._say(place, reply, old))
            case fx.Card(pictures=()):
                return await self._text_card(place, reply, old)
            case fx.Card():
                return await self._picture_card(place, reply, old, load)
            case fx.Album():
                return await self._album(place, reply.pictures, load)
            case fx.Files():
                return await self._files(place, reply, load)
            case fx.Stickers():
                cut = [InputFile(await load(picture), _file_name(picture)) for picture in reply.pictures]
                return [_handle(await _asked(self._bot.send_sticker(place, sticker))) for sticker in cut]
            case fx.TextFile():
                document = InputFile(reply.body.encode(), reply.name)
                return await self._new(self._bot.send_document(place, document, caption=reply.caption))
            case fx.Unbutton(whole=True) if old is not None:
                await self._taken_away(place, old)
            case fx.Unbutton() if old is not None:
                await self._edited(self._bot.edit_message_reply_markup(**_place(old), reply_markup=None))
        return []

    @property
    def home_link(self) -> str:
        """See `Adapter.home_link`."""
        return create_deep_linked_url(self._bot.username, "group")

    async def acknowledge(self, contact: Contact) -> None:
        """See `Adapter.acknowledge`: held back for a moment, because the first answer is the only one."""
        self._held_back[contact.interaction] = asyncio.create_task(self._acknowledge(contact.interaction))

    async def _acknowledge(self, interaction: str) -> None:
        await asyncio.sleep(ACKNOWLEDGED_S)
        self._held_back.pop(interaction, None)
        await self._answer(interaction, None)

    async def answer(self, contact: Contact, toast: fx.Toast | None) -> str | None:
        """See `Adapter.answer`; words that come after the acknowledgement are a message."""
        held_back = self._held_back.pop(contact.interaction, None)
        if held_back is not None:
            held_back.cancel()
            await self._answer(contact.interaction, toast)
        elif toast is not None:
            with suppress(TelegramError):
                return _handle(await self._say(contact.place, fx.Say(toast.text), None))
        return None

    async def _answer(self, interaction: str, toast: fx.Toast | None) -> None:
        """Answer a press; one that is too old to be answered was seen long ago."""
        with suppress(TelegramError):
            await self._bot.answer_callback_query(
                interaction,
                text=toast.text[: LIMITS.toast] if toast else None,
                show_alert=toast.alert if toast else None,
            )

    async def remove(self, place: str, handles: list[str]) -> None:
        """See `Adapter.remove`: Telegram lets a bot delete what is younger than 48 hours, a hundred at a time."""
        young: dict[int, set[int]] = {}
        for chat, message, sent_at in map(_read_handle, handles):
            if time.time() - sent_at < DELETABLE_S:
                young.setdefault(chat, set()).add(message)
        for chat, messages in young.items():
            await self._delete(chat, sorted(messages))
        self._forget_files(place)

    def _forget_files(self, chat: str) -> None:
        """Send no picture of a chat again by its file id: what was deleted must not come back."""
        for key in [key for key in self._file_ids if key[0] == chat]:
            del self._file_ids[key]

    async def _delete(self, chat: int, messages: list[int]) -> None:
        for start in range(0, len(messages), DELETED_AT_ONCE):
            some = messages[start : start + DELETED_AT_ONCE]
            try:
                await _asked(self._bot.delete_messages(chat, some))
            except BadRequest:  # one that may not be deleted makes the whole call fail
                for message in some:
                    with suppress(BadRequest):
                        await _asked(self._bot.delete_message(chat, message))

    async def fetch(self, ref: str) -> bytes:
        """See `Adapter.fetch`."""
        try:
            file = await _asked(self._bot.get_file(ref))
            return bytes(await _asked(file.download_as_bytearray()))
        except BadRequest as no:
            if "too big" in no.message:
                raise PhotoTooBig(f"more than {LIMITS.fetch_bytes} bytes") from no
            raise PhotoGone(no.message) from no
        except (Unreachable, InvalidToken) as gone:  # the library's word for 403 and 404
            raise PhotoGone(str(gone)) from gone

    async def _say(self, chat: str, reply: fx.Say, under: str | None) -> Message:
        chat, thread, message = in_group(chat) if "/" in chat else (chat, None, None)
        if under is not None:
            message = _place(under)["message_id"]
        quoted = ReplyParameters(message, allow_sending_without_reply=True) if message is not None else None
        keyboard = _keyboard(reply.rows, self._bot.link)
        try:
            return await self._bot.send_message(
                chat, reply.text, reply_markup=keyboard, reply_parameters=quoted, message_thread_id=thread
            )
        except ChatMigrated as moved:
            return await self._bot.send_message(moved.new_chat_id, reply.text, reply_markup=keyboard)

    async def _text_card(self, chat: str, card: fx.Card, old: str | None) -> list[str]:
        """Edit the words; a picture cannot be taken off a message, so that one is deleted and the words sent anew.

        One that Telegram does not let a bot delete any more gets an empty picture, with the words beneath.
        """
        keyboard = _keyboard(card.rows, self._bot.link)
        if old is not None:
            if await self._edited(self._bot.edit_message_text(card.text, **_place(old), reply_markup=keyboard)):
                return []
            if not await self._deleted(chat, old) and await self._covered(old, card.text, keyboard):
                return []
        return await self._new(self._bot.send_message(chat, card.text, reply_markup=keyboard))

    async def _taken_away(self, chat: str, old: str) -> None:
        """Delete a card; of one that is too old for that, cover the picture and take the buttons off."""
        if await self._deleted(chat, old):
            return
        if await self._edited(self._bot.edit_message_caption(**_place(old), caption="")):  # False: it has no picture
            await self._covered(old, "", None)
        else:
            await self._edited(self._bot.edit_message_reply_markup(**_place(old), reply_markup=None))

    async def _deleted(self, chat: str, old: str) -> bool:
        """Delete one message; False when Telegram does not let a bot do that any more."""
        number, message, sent_at = _read_handle(old)
        if time.time() - sent_at >= DELETABLE_S:
            return False
        self._forget_files(chat)
        try:
            await _asked(self._bot.delete_message(number, message))
        except BadRequest as no:
            return "not found" in no.message
        return True

    async def _covered(self, old: str, text: str, keyboard: InlineKeyboardMarkup | None) -> Message | bool:
        """Put an empty picture in the place of a message's own; False when that cannot be."""
        self._on_screen.pop(old, None)
        media = InputMediaPhoto(_empty_picture(), caption=text[: LIMITS.caption])
        return await self._edited(self._bot.edit_message_media(media, **_place(old), reply_markup=keyboard))

    async def _picture_card(self, chat: str, card: fx.Card, old: str | None, load: Load) -> list[str]:
        """Edit what changed: only the words when the picture on screen is the same, else picture and words at once."""
        if card.revocable and old is None:
            return await self._text_card(chat, card, None)
        (picture,) = card.pictures
        keyboard = _keyboard(card.rows, self._bot.link)
        if old is not None and self._on_screen.get(old) == picture.name:
            words = self._bot.edit_message_caption(**_place(old), caption=card.text, reply_markup=keyboard)
            if await self._edited(words):
                return []
        source = await self._source(chat, picture, load)
        if old is not None:
            media = InputMediaPhoto(source, caption=card.text)
            done = await self._edited(self._bot.edit_message_media(media, **_place(old), reply_markup=keyboard))
            if done:
                self._remember(chat, picture, done, old)
                return []
            if card.revocable:
                return await self._text_card(chat, card, None)
        sent = await _asked(self._bot.send_photo(chat, source, caption=card.text, reply_markup=keyboard))
        self._remember(chat, picture, sent, _handle(sent))
        return [_handle(sent)]

    async def _album(self, chat: str, pictures: tuple[fx.Picture, ...], load: Load) -> list[str]:
        sent: list[Message] = []
        for part in _parts(pictures):
            most = min(PHOTO_BYTES, LIMITS.upload_bytes // len(part))
            sources = [await self._source(chat, picture, load, most) for picture in part]
            if len(part) == 1:
                made = [await _asked(self._bot.send_photo(chat, sources[0], caption=part[0].alt))]
            else:
                media = [InputMediaPhoto(s, caption=picture.alt) for s, picture in zip(sources, part, strict=True)]
                made = list(await _asked(self._bot.send_media_group(chat, media)))
            for picture, message in zip(part, made, strict=True):
                self._remember(chat, picture, message, _handle(message))
            sent += made
        return [_handle(message) for message in sent]

    async def _files(self, chat: str, reply: fx.Files, load: Load) -> list[str]:
        """Send files in as many messages as they need; no more of them are in memory than one request holds."""
        sent: list[Message] = []
        part: list[Upload] = []
        for picture in reply.pictures:
            upload = Upload(_file_name(picture), await load(picture), picture.alt)
            if part and (len(part) == LIMITS.album or _size([*part, upload]) > LIMITS.upload_bytes):
                sent += await self._documents(chat, part, reply)
                part = []
            part.append(upload)
        if part:
            sent += await self._documents(chat, part, reply)
        return [_handle(message) for message in sent]

    async def _documents(self, chat: str, part: list[Upload], reply: fx.Files) -> list[Message]:
        """Send the files of one request; one alone that has more bytes than it may goes smaller, which is said."""
        with suppress(TelegramError):
            await self._bot.send_chat_action(chat, "upload_document")
        most = LIMITS.upload_bytes
        caption = "\n".join(filter(None, [reply.caption, reply.smaller if _size(part) > most else ""]))
        fitting = await asyncio.to_thread(within, part, most, most)
        files = [InputFile(upload.data, upload.name, attach=len(part) > 1) for upload in fitting]
        if len(files) == 1:
            return [await _asked(self._bot.send_document(chat, files[0], caption=caption))]
        media = [
            InputMediaDocument(file, caption=caption if file is files[-1] else upload.alt)
            for file, upload in zip(files, part, strict=True)
        ]
        return list(await _asked(self._bot.send_media_group(chat, media)))

    async def _source(self, chat: str, picture: fx.Picture, load: Load, most: int = PHOTO_BYTES) -> str | bytes:
        """Return a photo to show: the id of the file where Telegram has it, else its bytes, at most so many."""
        if known := self._file_ids.get(_cached(chat, picture)):
            return known
        return await asyncio.to_thread(smaller, await load(picture), most, PHOTO_EDGES)

    def _remember(self, chat: str, picture: fx.Picture, message: Message | bool, handle: str) -> None:
        self._on_screen[handle] = picture.name
        if isinstance(message, Message) and message.photo:
            self._file_ids[_cached(chat, picture)] = message.photo[-1].file_id
        for known in (self._file_ids, self._on_screen):
            while len(known) > CACHED:
                known.popitem(last=False)

    async def _new(self, sending: Coroutine[Any, Any, Message]) -> list[str]:
        return [_handle(await _asked(sending))]

    async def _edited(self, editing: Coroutine[Any, Any, Message | bool]) -> Message | bool:
        """Edit; True also when there was nothing to change, False when the message cannot be edited any more."""
        try:
            return await _asked(editing)
        except BadRequest as no:
            if "not modified" in no.message:
                return True
            if any(words in no.message for words in ("not found", "can't be edited", "no text in", "no caption in")):
                return False
            raise


async def _asked(asking: Coroutine[Any, Any, T]) -> T:
    """Wait for Telegram and turn what it says into the dispatcher's words; BadRequest is for the caller to read."""
    try:
        return await asking
    except Forbidden as blocked:
        raise Unreachable(blocked.message) from blocked
    except BadRequest as no:
        if "chat not found" in no.message.lower():
            raise Unreachable(no.message) from no
        raise
    except RetryAfter as flood:
        raise NotNow(flood.message, seconds(flood)) from flood
    except NetworkError as away:
        raise NotNow(away.message) from away


def seconds(flood: RetryAfter) -> float:
    """Read `retry_after`: an int until the library's next major version, a timedelta after."""
    value = flood.retry_after
    return float(value) if isinstance(value, int) else value.total_seconds()


def _keyboard(rows: fx.Rows, bot_link: str) -> InlineKeyboardMarkup | None:
    if not rows:
        return None
    return InlineKeyboardMarkup([[_button(button, bot_link) for button in row] for row in rows])


def _button(button: fx.Button, bot_link: str) -> InlineKeyboardButton:
    """Return a button; one that starts the private chat is a link to it, which a group's members can all follow."""
    if button.start:
        return InlineKeyboardButton(button.label, url=f"{bot_link}?start={button.start}")
    return InlineKeyboardButton(button.label, callback_data=button.data)


def group_place(message: Message) -> str:
    """Return the place of an answer to a message in a group: chat, topic and message."""
    thread = message.message_thread_id if message.is_topic_message else None
    return f"{message.chat.id}/{thread or ''}/{message.message_id}"


def in_group(place: str) -> tuple[str, int | None, int | None]:
    """Read what `group_place` wrote: chat, topic, message."""
    chat, thread, message = place.split("/")
    return chat, int(thread) if thread else None, int(message)


def _handle(message: Message) -> str:
    return json.dumps([message.chat.id, message.message_id, int(message.date.timestamp())])


def _read_handle(handle: str) -> tuple[int, int, float]:
    """Return chat, message, and when it was sent; one of an earlier version has no time and counts as new."""
    chat, message, *sent_at = json.loads(handle)
    return chat, message, sent_at[0] if sent_at else time.time()


def _place(handle: str) -> dict[str, Any]:
    chat, message, _ = _read_handle(handle)
    return {"chat_id": chat, "message_id": message}


@cache
def _empty_picture() -> bytes:
    """Return a small PNG of one grey."""
    out = io.BytesIO()
    Image.new("RGB", (320, 320), (240, 240, 240)).save(out, "PNG")
    return out.getvalue()


def _cached(chat: str, picture: fx.Picture) -> tuple[str, str]:
    """Name a picture whose file id is remembered: a person's in their chat, a style preview for everybody."""
    return ("" if picture.kind == "style" else chat, picture.name)


def _size(uploads: list[Upload]) -> int:
    return sum(len(upload.data) for upload in uploads)


def _parts(pictures: tuple[fx.Picture, ...]) -> list[tuple[fx.Picture, ...]]:
    return [pictures[i : i + LIMITS.album] for i in range(0, len(pictures), LIMITS.album)]


def _file_name(picture: fx.Picture) -> str:
    name = picture.name.replace("/", "-")
    return name if picture.kind == "export" else f"atelier-{name}"
