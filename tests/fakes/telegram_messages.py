"""Messages of the fake Bot API server: sent, edited, deleted, and refused in Telegram's own words."""

from __future__ import annotations

import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tests.fakes.telegram_files import SEND_FILE_BYTES, Files, Refusal

TOKEN = "1234567:test-token"
BOT = {"id": 1234567, "is_bot": True, "first_name": "Atelier", "username": "atelier_test_bot"}
DELETABLE_S = 48 * 3600
DELETED_AT_ONCE = 100

Message = dict[str, Any]


class Messages:
    """Every chat's messages by number. `deleted` lists (chat, message) in order."""

    def __init__(self, files: Files, chat_json: Callable[[int], dict[str, Any]]) -> None:
        self._files, self._chat_json = files, chat_json
        self.ids = itertools.count(100)
        self.chats: dict[int, dict[int, Message]] = defaultdict(dict)
        self.deleted: list[tuple[int, int]] = []

    def do(self, method: str, chat: int, params: dict[str, Any]) -> Any:
        """Do one request on messages; raises Refusal as the real server would."""
        match method:
            case "sendMessage":
                return self._send(chat, params, text=text(params["text"]))
            case "sendPhoto":
                return self._send(chat, params, **self._files.photo(params["photo"]), **caption(params))
            case "sendDocument":
                return self._send(chat, params, **self._files.document(params["document"]), **caption(params))
            case "sendSticker":
                return self._send(chat, params, **self._files.sticker(params["sticker"]))
            case "sendMediaGroup":
                return self._group(chat, params)
            case "editMessageText" | "editMessageCaption" | "editMessageMedia" | "editMessageReplyMarkup":
                return self._edit(chat, method, params)
            case "deleteMessage":
                return self._delete_one(chat, int(params["message_id"]))
            case "deleteMessages":
                return self._delete_many(chat, json.loads(params["message_ids"]))
        raise Refusal(404, "Not Found")

    def add(self, chat: int, sender: dict[str, Any], **content: Any) -> Message:
        """Put a message into a chat."""
        message = {"message_id": next(self.ids), "date": int(time.time()), "chat": self._chat_json(chat),
                   "from": sender, **content}  # fmt: skip
        self.chats[chat][message["message_id"]] = message
        return message

    def _send(self, chat: int, params: dict[str, Any], **content: Any) -> Message:
        if "message_thread_id" in params and not self._chat_json(chat).get("is_forum"):
            raise Refusal(400, "Bad Request: message thread not found")
        if "reply_markup" in params:
            content["reply_markup"] = keyboard(params["reply_markup"])
        if "reply_parameters" in params:
            wanted = json.loads(params["reply_parameters"])
            quoted = self.chats[chat].get(wanted["message_id"])
            if quoted is None and not wanted.get("allow_sending_without_reply"):
                raise Refusal(400, "Bad Request: message to be replied not found")
            if quoted is not None:
                content["reply_to_message"] = {k: v for k, v in quoted.items() if k != "reply_to_message"}
        return self.add(chat, BOT, **content)

    def _group(self, chat: int, params: dict[str, Any]) -> list[Message]:
        media = json.loads(params["media"])
        if not 2 <= len(media) <= 10:
            raise Refusal(400, "Bad Request: wrong number of media: expected 2 to 10")
        kinds = {item["type"] for item in media}
        if "document" in kinds and len(kinds) > 1:
            raise Refusal(400, "Bad Request: document can't be mixed with other media types")
        if sum(len(part) for part in params.values() if isinstance(part, bytes)) > SEND_FILE_BYTES:
            raise Refusal(413, "Request Entity Too Large")
        contents = [{**self._files.media(item, params), **caption(item)} for item in media]
        group = f"g{next(self.ids)}"
        return [self.add(chat, BOT, media_group_id=group, **content) for content in contents]

    def _edit(self, chat: int, method: str, params: dict[str, Any]) -> Message:
        old = self.chats[chat].get(int(params["message_id"]))
        if old is None:
            raise Refusal(400, "Bad Request: message to edit not found")
        if old["from"] is not BOT:
            raise Refusal(400, "Bad Request: message can't be edited")
        new = {k: v for k, v in old.items() if k != "reply_markup"}
        if method == "editMessageText":
            if "text" not in old:
                raise Refusal(400, "Bad Request: there is no text in the message to edit")
            new["text"] = text(params["text"])
        elif method == "editMessageCaption":
            if "text" in old:
                raise Refusal(400, "Bad Request: there is no caption in the message to edit")
            new.pop("caption", None)
            new |= caption(params)
        elif method == "editMessageMedia":
            for gone in ("text", "photo", "document", "caption"):
                new.pop(gone, None)
            item = json.loads(params["media"])
            new |= {**self._files.media(item, params), **caption(item)}
        if "reply_markup" in params:
            markup = keyboard(params["reply_markup"])
            if markup["inline_keyboard"]:
                new["reply_markup"] = markup
        if _content(old) == _content(new):
            raise Refusal(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the "
                "same as a current content and reply markup of the message",
            )
        new["edit_date"] = int(time.time())
        self.chats[chat][old["message_id"]] = new
        return new

    def _delete_one(self, chat: int, id: int) -> bool:
        if id not in self.chats[chat]:
            raise Refusal(400, "Bad Request: message to delete not found")
        return self._delete_many(chat, [id])

    def _delete_many(self, chat: int, ids: list[int]) -> bool:
        """Skip what cannot be found; one message that is too old makes the whole call fail and nothing is deleted."""
        if not 1 <= len(ids) <= DELETED_AT_ONCE:
            raise Refusal(400, "Bad Request: too many message identifiers specified")
        found = [self.chats[chat][id] for id in ids if id in self.chats[chat]]
        if any(time.time() - message["date"] > DELETABLE_S for message in found):
            raise Refusal(400, "Bad Request: message can't be deleted for everyone")
        for message in found:
            del self.chats[chat][message["message_id"]]
            self.deleted.append((chat, message["message_id"]))
        return True


def text(words: str) -> str:
    """Check a message's text."""
    if not words.strip():
        raise Refusal(400, "Bad Request: message text is empty")
    if len(words) > 4096:
        raise Refusal(400, "Bad Request: message is too long")
    return words


def caption(params: dict[str, Any]) -> dict[str, str]:
    """Check a caption, where there is one."""
    words = params.get("caption", "")
    if len(words) > 1024:
        raise Refusal(400, "Bad Request: message caption is too long")
    return {"caption": words} if words else {}


def keyboard(markup_json: str) -> dict[str, Any]:
    """Check an inline keyboard."""
    markup: dict[str, Any] = json.loads(markup_json)
    rows = markup["inline_keyboard"]
    for button in itertools.chain.from_iterable(rows):
        if not 1 <= len(button.get("callback_data", "x").encode()) <= 64:
            raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
        if not button["text"]:
            raise Refusal(400, "Bad Request: text buttons are allowed only with text")
    if any(len(row) > 8 for row in rows) or sum(map(len, rows)) > 100:
        raise Refusal(400, "Bad Request: reply markup is too long")
    return markup


def _content(message: Message) -> tuple[Any, ...]:
    """What an edit must change."""
    files = [size["file_unique_id"] for size in message.get("photo", [])]
    document = message.get("document", {}).get("file_unique_id")
    return message.get("text"), message.get("caption"), message.get("reply_markup"), files, document
