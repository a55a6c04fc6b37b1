"""Telegram, what goes out: a reply becomes a message or an edit of one.

See `bots.platforms.telegram.updates` for what comes in.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

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
from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter, TelegramError, TimedOut

from bots.dialogue import effects as fx
from bots.platforms.base import Load, NotNow, PhotoGone, Unreachable

ALBUM = 10  # most items of a media group; fewer than two are refused
CACHED = 5000  # file ids kept in memory, so that leafing through a gallery uploads each picture once

T = TypeVar("T")


class Front:
    """Telegram as the concierge's adapter. A handle is a chat and a message id."""

    platform = "telegram"
    upload_bytes = 49_000_000  # of 50 MB, which the whole request must fit into

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._file_ids: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._on_screen: OrderedDict[str, str] = OrderedDict()

    async def show(self, chat: str, reply: fx.Reply, old: str | None, load: Load) -> list[str]:
        """See `Adapter.show`."""
        match reply:
            case fx.Say():
                return await self._new(self._say(chat, reply, old))
            case fx.Card(picture=None):
                return await self._text_card(chat, reply, old)
            case fx.Card():
                return await self._picture_card(chat, reply, old, load)
            case fx.Album():
                return await self._album(chat, reply.pictures, load)
            case fx.Files():
                return await self._files(chat, reply, load)
            case fx.TextFile():
                document = InputFile(reply.body.encode(), reply.name)
                return await self._new(self._bot.send_document(chat, document, caption=reply.caption))
            case fx.Unbutton() if old is not None:
                await self._edited(self._bot.edit_message_reply_markup(**_place(old), reply_markup=None))
        return []

    async def answer(self, tap: str, toast: fx.Toast | None) -> None:
        """See `Adapter.answer`; a tap that is too old to be answered was seen long ago."""
        with suppress(BadRequest, Forbidden, NetworkError, RetryAfter):
            await self._bot.answer_callback_query(
                tap, text=toast.text[:200] if toast else None, show_alert=toast.alert if toast else None
            )

    async def remove(self, chat: str, handles: list[str]) -> None:
        """See `Adapter.remove`: Telegram lets a bot delete what is younger than 48 hours, a hundred at a time."""
        ids = sorted({_place(handle)["message_id"] for handle in handles})
        for start in range(0, len(ids), 100):
            with suppress(BadRequest, Forbidden):
                await _asked(self._bot.delete_messages(chat, ids[start : start + 100]))
        for key in [key for key in self._file_ids if key[0] == chat]:
            del self._file_ids[key]

    async def fetch(self, ref: str) -> bytes:
        """See `Adapter.fetch`."""
        try:
            file = await _asked(self._bot.get_file(ref))
            return bytes(await _asked(file.download_as_bytearray()))
        except (BadRequest, Forbidden, Unreachable) as gone:
            raise PhotoGone(str(gone)) from gone

    async def _say(self, chat: str, reply: fx.Say, under: str | None) -> Message:
        quoted = None
        if under is not None:
            quoted = ReplyParameters(_place(under)["message_id"], allow_sending_without_reply=True)
        return await self._bot.send_message(
            chat, reply.text, reply_markup=_keyboard(reply.rows), reply_parameters=quoted
        )

    async def _text_card(self, chat: str, card: fx.Card, old: str | None) -> list[str]:
        keyboard = _keyboard(card.rows)
        if old is not None and await self._edited(
            self._bot.edit_message_text(card.text, **_place(old), reply_markup=keyboard)
        ):
            return []
        return await self._new(self._bot.send_message(chat, card.text, reply_markup=keyboard))

    async def _picture_card(self, chat: str, card: fx.Card, old: str | None, load: Load) -> list[str]:
        """Edit what changed: only the words when the picture on screen is the same, else picture and words at once."""
        assert card.picture is not None
        keyboard = _keyboard(card.rows)
        if old is not None and self._on_screen.get(old) == card.picture.name:
            words = self._bot.edit_message_caption(**_place(old), caption=card.text, reply_markup=keyboard)
            if await self._edited(words):
                return []
        source = await self._source(chat, card.picture, load)
        if old is not None:
            media = InputMediaPhoto(source, caption=card.text)
            done = await self._edited(self._bot.edit_message_media(media, **_place(old), reply_markup=keyboard))
            if done:
                self._remember(chat, card.picture, done, old)
                return []
        sent = await _asked(self._bot.send_photo(chat, source, caption=card.text, reply_markup=keyboard))
        self._remember(chat, card.picture, sent, _handle(sent))
        return [_handle(sent)]

    async def _album(self, chat: str, pictures: tuple[fx.Picture, ...], load: Load) -> list[str]:
        sent: list[Message] = []
        for part in _parts(pictures):
            sources = [await self._source(chat, picture, load) for picture in part]
            if len(part) == 1:
                sent.append(await _asked(self._bot.send_photo(chat, sources[0], caption=part[0].alt)))
                continue
            media = [InputMediaPhoto(s, caption=picture.alt) for s, picture in zip(sources, part, strict=True)]
            sent += await _asked(self._bot.send_media_group(chat, media))
        return [_handle(message) for message in sent]

    async def _files(self, chat: str, reply: fx.Files, load: Load) -> list[str]:
        sent: list[Message] = []
        for part in _parts(reply.pictures):
            with suppress(TelegramError):
                await self._bot.send_chat_action(chat, "upload_document")
            files = [InputFile(await load(picture), _file_name(picture), attach=len(part) > 1) for picture in part]
            if len(part) == 1:
                sent.append(await _asked(self._bot.send_document(chat, files[0], caption=reply.caption)))
                continue
            media = [
                InputMediaDocument(file, caption=reply.caption if file is files[-1] else picture.alt)
                for file, picture in zip(files, part, strict=True)
            ]
            sent += await _asked(self._bot.send_media_group(chat, media))
        return [_handle(message) for message in sent]

    async def _source(self, chat: str, picture: fx.Picture, load: Load) -> str | bytes:
        return self._file_ids.get((chat, picture.name)) or await load(picture)

    def _remember(self, chat: str, picture: fx.Picture, message: Message | bool, handle: str) -> None:
        self._on_screen[handle] = picture.name
        if isinstance(message, Message) and message.photo:
            self._file_ids[chat, picture.name] = message.photo[-1].file_id
        for cache in (self._file_ids, self._on_screen):
            while len(cache) > CACHED:
                cache.popitem(last=False)

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
    """Wait for Telegram and turn what it says into the concierge's words; BadRequest is for the caller to read."""
    try:
        return await asking
    except Forbidden as blocked:
        raise Unreachable(blocked.message) from blocked
    except BadRequest as no:
        if "chat not found" in no.message.lower():
            raise Unreachable(no.message) from no
        raise
    except (RetryAfter, TimedOut, NetworkError) as busy:
        raise NotNow(busy.message) from busy


def _keyboard(rows: fx.Rows) -> InlineKeyboardMarkup | None:
    if not rows:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(button.label, callback_data=button.data) for button in row] for row in rows]
    )


def _handle(message: Message) -> str:
    return json.dumps([message.chat.id, message.message_id])


def _place(handle: str) -> dict[str, Any]:
    chat, message = json.loads(handle)
    return {"chat_id": chat, "message_id": message}


def _parts(pictures: tuple[fx.Picture, ...]) -> list[tuple[fx.Picture, ...]]:
    return [pictures[i : i + ALBUM] for i in range(0, len(pictures), ALBUM)]


def _file_name(picture: fx.Picture) -> str:
    name = picture.name.replace("/", "-")
    return name if picture.kind == "export" else f"atelier-{name}"
