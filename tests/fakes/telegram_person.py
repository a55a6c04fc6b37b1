"""Somebody with a phone, in front of the fake Bot API server: sends, presses buttons, and reads what is on screen."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fakes.telegram_files import as_telegram
from tests.fakes.telegram_messages import BOT
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from tests.fakes.telegram_server import TelegramServer

_COMMAND = re.compile(r"(?<!\S)/[A-Za-z0-9_]{1,64}(@[A-Za-z0-9_]+)?(?![\w/])")
_MENTION = re.compile(r"(?<!\S)@[A-Za-z0-9_]{4,32}")


@dataclass(eq=False)
class Person:
    """Somebody with a phone: sends, presses, and reads what is on screen."""

    server: TelegramServer
    id: int
    name: str
    language: str
    patience_s: float = PATIENCE_S
    blocked: bool = False
    toasts: list[str] = field(default_factory=list)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    asked_at: float = 0.0
    waited: dict[str, float] = field(default_factory=dict)

    @property
    def user(self) -> dict[str, Any]:
        """The person as updates describe them."""
        return {"id": self.id, "is_bot": False, "first_name": self.name, "language_code": self.language}

    def asks(self) -> None:
        """Note that an update of theirs is at the server now."""
        self.asked_at, self.waited = time.monotonic(), {}
        self.stirred.clear()

    def hears(self, how: str) -> None:
        """Note how long after it the first answer came: `answered` a press, `shown` something in the chat."""
        self.waited.setdefault(how, time.monotonic() - self.asked_at)
        self.stirred.set()

    def message(self, group: int = 0, **content: Any) -> dict[str, Any]:
        """Make a message of theirs, and keep it in the chat."""
        for words, found in (("text", "entities"), ("caption", "caption_entities")):
            if marked := entities(content.get(words, "")):
                content.setdefault(found, marked)
        return self.server.messages.add(group or self.id, self.user, **content)

    async def says(self, text: str, group: int = 0, copies: int = 1, **more: Any) -> None:
        """Send words or a command."""
        await self.server.push("message", self.message(group, text=text, **more), copies)

    async def sends_files(self, paths: list[Path]) -> None:
        """Send files from disk as photos."""
        await self.sends(*(path.read_bytes() for path in paths))

    async def sends(
        self,
        *pictures: bytes,
        as_file: bool = False,
        group: int = 0,
        copies: int = 1,
        reverse: bool = False,
        name: str = "IMG_1.jpg",
        mime: str = "image/jpeg",
        size: int | None = 0,
        **more: Any,
    ) -> None:
        """Send one picture or an album of them; photos are re-encoded and made smaller as Telegram does.

        name, mime: of a file, "" for none. size: announced, 0 for the true one, None for none.
        """
        album = {"media_group_id": f"a{next(self.server.messages.ids)}", **more} if len(pictures) > 1 else more
        bodies = []
        for data in pictures:
            if as_file:
                stored = self.server.files.keep(data, name)
                said = {"file_name": name, "mime_type": mime, "file_size": None if size is None else size or len(data)}
                shape = {"file_id": stored.id, "file_unique_id": stored.unique, **{k: v for k, v in said.items() if v}}
                bodies.append(("message", self.message(group, document=shape, **album)))
            else:
                stored = self.server.files.keep(as_telegram(data, self.server.photo_edge), "photo.jpg")
                bodies.append(("message", self.message(group, photo=self.server.files.sizes(stored), **album)))
        await self.server.push_all(bodies, copies, reverse)

    async def presses(self, label: str, copies: int = 1, within_s: float | None = None) -> None:
        """Wait for a button with these words and press the newest; copies > 1 are separate, quick presses."""
        await self.can_press(label, within_s)
        message, button = self.find(label)
        for _ in range(copies):
            await self.presses_data(button["callback_data"], message)

    async def presses_data(self, data: str, message: dict[str, Any]) -> None:
        """Press a button by its data, even one that is not on screen any more."""
        await self.server.push("callback_query", self.server.query(data, self, message))

    async def blocks(self, blocked: bool = True) -> None:
        """Block the bot, or unblock it."""
        self.blocked = blocked
        status = {"user": BOT, "status": "kicked" if blocked else "member", **({"until_date": 0} if blocked else {})}
        old = {"user": BOT, "status": "member" if blocked else "kicked", **({} if blocked else {"until_date": 0})}
        body = {"chat": self.server.chat_json(self.id), "from": self.user, "date": int(time.time())}
        await self.server.push("my_chat_member", {**body, "old_chat_member": old, "new_chat_member": status})

    def chat(self) -> list[dict[str, Any]]:
        """The bot's messages in this chat, oldest first."""
        return [m for m in self.server.chats[self.id].values() if m["from"] is BOT]

    def screen(self) -> list[str]:
        """Text or caption of each of the bot's messages."""
        return [m.get("text", m.get("caption", "")) for m in self.chat()]

    def find(self, label: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the newest button with these words, and its message; raises LookupError with what is there."""
        for message in reversed(self.chat()):
            for row in message.get("reply_markup", {}).get("inline_keyboard", []):
                for button in row:
                    if label in button["text"]:
                        return message, button
        raise LookupError(f"no button {label!r} in {self.screen()[-2:]} {self.buttons()}")

    def buttons(self) -> list[str]:
        """Every label that can be pressed, newest message first."""
        rows = [row for m in reversed(self.chat()) for row in m.get("reply_markup", {}).get("inline_keyboard", [])]
        return [button["text"] for row in rows for button in row]

    async def sees(self, words: str, within_s: float | None = None) -> dict[str, Any]:
        """Wait until one of the bot's messages holds these words; return the newest that does."""
        deadline = time.monotonic() + (within_s or self.patience_s)
        while time.monotonic() < deadline:
            for message in reversed(self.chat()):
                if words in message.get("text", message.get("caption", "")):
                    return message
            if any(words in toast for toast in self.toasts):
                return {}
            await self._something(deadline)
        raise AssertionError(f"{words!r} did not come; on screen: {self.screen()}")

    async def can_press(self, label: str, within_s: float | None = None) -> None:
        """Wait until a button with these words is there."""
        deadline = time.monotonic() + (within_s or self.patience_s)
        while time.monotonic() < deadline:
            if any(label in text for text in self.buttons()):
                return
            await self._something(deadline)
        self.find(label)

    async def _something(self, deadline: float) -> None:
        """Wait until the bot does something in this chat."""
        self.stirred.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stirred.wait(), max(0.0, deadline - time.monotonic()))


def entities(text: str) -> list[dict[str, Any]]:
    """Mark commands and mentions as Telegram's clients do; offsets and lengths count UTF-16 units."""
    found = [("bot_command", m) for m in _COMMAND.finditer(text)] + [("mention", m) for m in _MENTION.finditer(text)]
    return [
        {"type": kind, "offset": _units(text[: m.start()]), "length": _units(m[0])}
        for kind, m in sorted(found, key=lambda item: item[1].start())
    ]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
