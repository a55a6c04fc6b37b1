"""A Bot API server on loopback that keeps chats, and refuses what the real one refuses.

    async with TelegramServer() as server:
        ana = server.person(7, "Ana", "es")
        await ana.says("/start")
        ...
        await ana.taps("Agree")
        print(ana.screen())

Refused, with Telegram's own words: a message that is not modified, callback data over 64 bytes, media groups
that are not 2 to 10, texts over 4096 and captions over 1024 characters, files over the limits, what is not a
picture sent as one, chats that blocked the bot (403), floods (429 with retry_after), callback queries that are
too old, editing or deleting what is gone. Every request is also checked against the published Bot API
(`tests.fakes.telegram_spec`); what does not fit is answered with 400 and kept in `violations`.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import time
import zipfile
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import ClientConnectionError, ClientSession, web
from PIL import Image

from fakes.telegram_spec import problems

TOKEN = "1234567:test-token"
BOT = {"id": 1234567, "is_bot": True, "first_name": "Atelier", "username": "atelier_test_bot"}
GET_FILE_BYTES = 20_000_000
SEND_PHOTO_BYTES = 10_000_000
SEND_FILE_BYTES = 50_000_000


class Refusal(Exception):
    """A request the real server would not do."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


@dataclass
class Stored:
    """Bytes the server keeps, as it would."""

    id: str
    unique: str
    data: bytes
    path: str


@dataclass
class Call:
    """One request the bot made, and when."""

    at: float
    method: str
    params: dict[str, Any]


@dataclass(eq=False)
class TelegramServer:
    """The server. `calls` are the bot's requests in order, `violations` what broke the published Bot API."""

    photo_edge: int = 1280
    query_seconds: float = 60.0
    calls: list[Call] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    people: dict[int, Person] = field(default_factory=dict)
    chats: dict[int, dict[int, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    deleted: list[tuple[int, int]] = field(default_factory=list)
    files: dict[str, Stored] = field(default_factory=dict)
    commands: dict[tuple[str, str], list[dict[str, str]]] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    webhook: dict[str, str] = field(default_factory=dict)
    migrated: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ids = itertools.count(100)
        self._updates: list[dict[str, Any]] = []
        self._update_ids = itertools.count(1)
        self._news = asyncio.Event()
        self._queries: dict[str, tuple[float, Person]] = {}
        self._floods: dict[str, list[int]] = {}
        self._lags: dict[str, list[float]] = {}

    # --- running ---------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=120_000_000)
        app.router.add_route("*", f"/bot{TOKEN}/{{method}}", self._answer)
        app.router.add_get(f"/file/bot{TOKEN}/{{path:.+}}", self._file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._news.set()
        await self._runner.cleanup()

    def person(self, id: int, name: str = "Ana", language: str = "en", patience_s: float = 20.0) -> Person:
        """Return someone with a private chat to the bot, who waits that long for what they expect to see."""
        return self.people.setdefault(id, Person(self, id, name, language, patience_s))

    # --- mishaps ---------------------------------------------------------------------------------

    def flood(self, method: str, retry_after_s: int, times: int = 1) -> None:
        """Answer the next calls of a method with 429."""
        self._floods.setdefault(method, []).extend([retry_after_s] * times)

    def lag(self, method: str, seconds: float) -> None:
        """Do the next call of a method, but answer it late."""
        self._lags.setdefault(method, []).append(seconds)

    def forget_queries(self) -> None:
        """Let all open callback queries grow too old."""
        self._queries.clear()

    # --- what a test looks at --------------------------------------------------------------------

    async def until(self, true: Callable[[], bool | Awaitable[bool]], within_s: float = 20.0) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            answer = true()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"not so within {within_s} s")

    def group_texts(self, group: int) -> list[str]:
        """What the bot wrote in a group."""
        return [m["text"] for m in self.chats[group].values() if m["from"] is BOT]

    def zip_names(self, file_id: str) -> list[str]:
        """Return the names in an archive the bot sent."""
        with zipfile.ZipFile(io.BytesIO(self.files[file_id].data)) as archive:
            return archive.namelist()

    # --- updates ---------------------------------------------------------------------------------

    async def push(self, kind: str, body: dict[str, Any], copies: int = 1) -> None:
        """Queue an update for the bot, or deliver it to its webhook; copies > 1 delivers the same update again."""
        await self.push_all([(kind, body)], copies)

    async def push_all(self, bodies: list[tuple[str, dict[str, Any]]], copies: int = 1, reverse: bool = False) -> None:
        """Queue several updates at once, as albums arrive; reverse makes them arrive in the wrong order."""
        made = [{"update_id": next(self._update_ids), kind: body} for kind, body in bodies]
        for _, body in bodies:
            if body["from"]["id"] in self.people:
                self.people[body["from"]["id"]].asks()
        made = made[::-1] if reverse else made
        for update in made:
            for _ in range(copies):
                if self.webhook.get("url"):
                    await self._deliver(update)
                else:
                    self._updates.append(update)
        self._news.set()

    async def _deliver(self, update: dict[str, Any]) -> None:
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.webhook.get("secret_token", "")}
        async with ClientSession() as http:
            for _ in range(5):
                try:
                    async with http.post(self.webhook["url"], json=update, headers=headers) as answer:
                        if answer.status < 300:
                            return
                    await asyncio.sleep(0.1)
                except ClientConnectionError:  # a bot says where it listens a moment before it does
                    await asyncio.sleep(1.0)

    async def _get_updates(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        offset, deadline = int(params.get("offset", 0)), time.monotonic() + float(params.get("timeout", 0))
        self._updates = [u for u in self._updates if u["update_id"] >= offset]
        wanted = json.loads(params.get("allowed_updates", "[]"))
        while not self._updates and time.monotonic() < deadline and not getattr(self, "_closing", False):
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                break
        kept = [u for u in self._updates if not wanted or set(u) & set(wanted)]
        return kept[: int(params.get("limit", 100))]

    # --- answering -------------------------------------------------------------------------------

    async def _file(self, request: web.Request) -> web.Response:
        found = next((f for f in self.files.values() if f.path == request.match_info["path"]), None)
        return web.Response(body=found.data) if found else web.Response(status=404)

    async def _answer(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        params: dict[str, Any] = {}
        for name, value in (await request.post()).items():
            params[name] = value.file.read() if isinstance(value, web.FileField) else value
        if method != "getUpdates":
            self.calls.append(Call(time.monotonic(), method, params))
        try:
            if self._floods.get(method):
                wait = self._floods[method].pop(0)
                raise Refusal(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
            if wrong := problems(method, params):
                self.violations += wrong
                raise Refusal(400, f"Bad Request: {wrong[0]}")
            result = await self._get_updates(params) if method == "getUpdates" else self._do(method, params)
        except Refusal as no:
            body = {"ok": False, "error_code": no.code, "description": no.description, "parameters": no.parameters}
            return web.json_response(body, status=no.code)
        if self._lags.get(method):
            await asyncio.sleep(self._lags[method].pop(0))
        return web.json_response({"ok": True, "result": result})

    def _do(self, method: str, params: dict[str, Any]) -> Any:
        """Do one request; raises Refusal as the real server would."""
        match method:
            case "getMe":
                return {**BOT, "can_join_groups": True, "can_read_all_group_messages": False,
                        "supports_inline_queries": False}  # fmt: skip
            case "deleteWebhook":
                self.webhook = {}
                return True
            case "setWebhook":
                self.webhook = {k: v for k, v in params.items() if k in {"url", "secret_token"}}
                return True
            case "setMyCommands":
                scope = json.loads(params.get("scope", "{}")).get("type", "default")
                self.commands[scope, params.get("language_code", "")] = json.loads(params["commands"])
                return True
            case "setMyDescription" | "setMyShortDescription":
                self.descriptions[f"{method}:{params.get('language_code', '')}"] = next(
                    (v for k, v in params.items() if k != "language_code"), ""
                )
                return True
            case "getFile":
                return self._get_file(params["file_id"])
            case "answerCallbackQuery":
                if len(params.get("text", "")) > 200:
                    raise Refusal(400, "Bad Request: MESSAGE_TOO_LONG")
                born, person = self._queries.pop(params["callback_query_id"], (0.0, None))
                if person is not None:
                    person.toasts += [params["text"]] if params.get("text") else []
                    person.hears("answered")
                if time.monotonic() - born > self.query_seconds:
                    raise Refusal(
                        400, "Bad Request: query is too old and response timeout expired or query ID is invalid"
                    )
                return True
        chat = self._chat(int(params["chat_id"]))
        if chat in self.people:
            self.people[chat].hears("shown")
        match method:
            case "sendChatAction":
                return True
            case "sendMessage":
                return self._new(chat, params, text=_text(params["text"]))
            case "sendPhoto":
                return self._new(chat, params, **self._photo(params["photo"]), **_caption(params))
            case "sendDocument":
                return self._new(chat, params, **self._document(params["document"]), **_caption(params))
            case "sendMediaGroup":
                return self._group(chat, params)
            case "editMessageText" | "editMessageCaption" | "editMessageMedia" | "editMessageReplyMarkup":
                return self._edit(chat, method, params)
            case "deleteMessage":
                return self._delete(chat, [int(params["message_id"])], strict=True)
            case "deleteMessages":
                return self._delete(chat, json.loads(params["message_ids"]), strict=False)
            case _:
                raise Refusal(404, "Not Found")

    def _chat(self, id: int) -> int:
        if id in self.migrated:
            raise Refusal(
                400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=self.migrated[id]
            )
        if id > 0 and id not in self.people:
            raise Refusal(400, "Bad Request: chat not found")
        if id > 0 and self.people[id].blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        return id

    def _get_file(self, id: str) -> dict[str, Any]:
        stored = self.files.get(id)
        if stored is None:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(stored.data) > GET_FILE_BYTES:
            raise Refusal(400, "Bad Request: file is too big")
        return {"file_id": id, "file_unique_id": stored.unique, "file_size": len(stored.data), "file_path": stored.path}

    # --- messages --------------------------------------------------------------------------------

    def _new(self, chat: int, params: dict[str, Any], **content: Any) -> dict[str, Any]:
        message = {
            "message_id": next(self._ids),
            "date": int(time.time()),
            "chat": _chat_json(chat, self.people.get(chat)),
            "from": BOT,
            **content,
        }
        if "reply_markup" in params:
            message["reply_markup"] = _keyboard(params["reply_markup"])
        quoted = self.chats[chat].get(json.loads(params.get("reply_parameters", "{}")).get("message_id", 0))
        if quoted is not None:
            message["reply_to_message"] = {k: v for k, v in quoted.items() if k != "reply_to_message"}
        self.chats[chat][message["message_id"]] = message
        return message

    def _group(self, chat: int, params: dict[str, Any]) -> list[dict[str, Any]]:
        media = json.loads(params["media"])
        if not 2 <= len(media) <= 10:
            raise Refusal(400, "Bad Request: wrong number of media: expected 2 to 10")
        kinds = {item["type"] for item in media}
        if "document" in kinds and len(kinds) > 1:
            raise Refusal(400, "Bad Request: document can't be mixed with other media types")
        made, group = [], f"g{next(self._ids)}"
        for item in media:
            content = self._media(item, params)
            made.append(self._new(chat, {}, media_group_id=group, **content))
        return made

    def _media(self, item: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        source = item["media"]
        if source.startswith("attach://"):
            source = params[source.removeprefix("attach://")]
        shape = self._photo(source) if item["type"] == "photo" else self._document(source)
        return {**shape, **_caption(item)}

    def _edit(self, chat: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
        old = self.chats[chat].get(int(params["message_id"]))
        if old is None:
            raise Refusal(400, "Bad Request: message to edit not found")
        if old["from"] is not BOT:
            raise Refusal(400, "Bad Request: message can't be edited")
        new = {k: v for k, v in old.items() if k != "reply_markup"}
        if method == "editMessageText":
            if "text" not in old:
                raise Refusal(400, "Bad Request: there is no text in the message to edit")
            new["text"] = _text(params["text"])
        elif method == "editMessageCaption":
            if "text" in old:
                raise Refusal(400, "Bad Request: there is no caption in the message to edit")
            new.pop("caption", None)
            new |= _caption(params)
        elif method == "editMessageMedia":
            for gone in ("text", "photo", "document", "caption"):
                new.pop(gone, None)
            new |= self._media(json.loads(params["media"]), params)
        if "reply_markup" in params:
            markup = _keyboard(params["reply_markup"])
            if markup["inline_keyboard"]:
                new["reply_markup"] = markup
        if _same(old, new):
            raise Refusal(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the "
                "same as a current content and reply markup of the message",
            )
        new["edit_date"] = int(time.time())
        self.chats[chat][old["message_id"]] = new
        return new

    def _delete(self, chat: int, ids: list[int], *, strict: bool) -> bool:
        for id in ids:
            message = self.chats[chat].get(id)
            if message is None and strict:
                raise Refusal(400, "Bad Request: message to delete not found")
            if message is not None and time.time() - message["date"] > 48 * 3600:
                if strict:
                    raise Refusal(400, "Bad Request: message can't be deleted for everyone")
                continue
            if self.chats[chat].pop(id, None):
                self.deleted.append((chat, id))
        return True

    # --- files -----------------------------------------------------------------------------------

    def keep(self, data: bytes, name: str) -> Stored:
        """Store bytes and name them as the server does: the id is new each time, the unique id follows the bytes."""
        number = next(self._ids)
        stored = Stored(
            f"file-{number}", f"u{hash(data) & 0xFFFFFFFF:08x}", data, f"{name.split('.')[-1]}/{number}-{name}"
        )
        self.files[stored.id] = stored
        return stored

    def _photo(self, source: str | bytes) -> dict[str, Any]:
        if isinstance(source, str):
            if source not in self.files:
                raise Refusal(400, "Bad Request: wrong remote file identifier specified: can't unserialize it")
            return {"photo": self._sizes(self.files[source])}
        if len(source) > SEND_PHOTO_BYTES:
            raise Refusal(413, "Request Entity Too Large")
        try:
            with Image.open(io.BytesIO(source)) as picture:
                width, height = picture.size
        except OSError as not_a_picture:
            raise Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED") from not_a_picture
        if width + height > 10_000:
            raise Refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
        return {"photo": self._sizes(self.keep(source, "photo.jpg"))}

    def _sizes(self, stored: Stored) -> list[dict[str, Any]]:
        with Image.open(io.BytesIO(stored.data)) as picture:
            width, height = picture.size
        small = min(1.0, 320 / max(width, height))
        return [
            {"file_id": stored.id + "-s", "file_unique_id": stored.unique + "s", "file_size": 9000,
             "width": int(width * small), "height": int(height * small)},
            {"file_id": stored.id, "file_unique_id": stored.unique, "file_size": len(stored.data),
             "width": width, "height": height},
        ]  # fmt: skip

    def _document(self, source: str | bytes) -> dict[str, Any]:
        if isinstance(source, bytes) and len(source) > SEND_FILE_BYTES:
            raise Refusal(413, "Request Entity Too Large")
        stored = self.keep(source, "file.bin") if isinstance(source, bytes) else self.files[source]
        return {"document": {"file_id": stored.id, "file_unique_id": stored.unique, "file_size": len(stored.data)}}

    def query(self, data: str, person: Person, message: dict[str, Any]) -> dict[str, Any]:
        """Make the callback query of a tap."""
        id = str(next(self._ids))
        self._queries[id] = (time.monotonic(), person)
        return {"id": id, "from": person.user, "chat_instance": "1", "data": data, "message": message}


@dataclass(eq=False)
class Person:
    """Somebody with a phone: sends, taps, and reads what is on screen."""

    server: TelegramServer
    id: int
    name: str
    language: str
    patience_s: float = 20.0
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
        """Note how long after it the first answer came: `answered` a tap, `shown` something in the chat."""
        self.waited.setdefault(how, time.monotonic() - self.asked_at)
        self.stirred.set()

    def message(self, group: int = 0, **content: Any) -> dict[str, Any]:
        """Make a message of theirs, and keep it in the chat."""
        chat = _chat_json(group or self.id, self)
        made = {
            "message_id": next(self.server._ids),
            "date": int(time.time()),
            "chat": chat,
            "from": self.user,
            **content,
        }
        self.server.chats[chat["id"]][made["message_id"]] = made
        return made

    async def says(self, text: str, group: int = 0, copies: int = 1, **more: Any) -> None:
        """Send words or a command."""
        if text.startswith("/"):
            more["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split()[0])}]
        await self.server.push("message", self.message(group, text=text, **more), copies)

    async def sends_files(self, paths: list[Path]) -> None:
        """Send files from disk as photos; with this a person is a `bots.platforms.transcript.Player`."""
        await self.sends(*(path.read_bytes() for path in paths))

    async def sends(
        self,
        *pictures: bytes,
        as_file: bool = False,
        group: int = 0,
        copies: int = 1,
        reverse: bool = False,
        name: str = "IMG_1.jpg",
        size: int = 0,
        **more: Any,
    ) -> None:
        """Send one picture or an album of them; photos are re-encoded and made smaller as Telegram does."""
        album = {"media_group_id": f"a{next(self.server._ids)}", **more} if len(pictures) > 1 else more
        bodies = []
        for data in pictures:
            if as_file:
                stored = self.server.keep(data, name)
                shape = {
                    "file_id": stored.id,
                    "file_unique_id": stored.unique,
                    "file_size": size or len(data),
                    "file_name": name,
                }
                bodies.append(("message", self.message(group, document={**shape, "mime_type": "image/jpeg"}, **album)))
            else:
                stored = self.server.keep(_as_telegram(data, self.server.photo_edge), "photo.jpg")
                bodies.append(("message", self.message(group, photo=self.server._sizes(stored), **album)))
        await self.server.push_all(bodies, copies, reverse)

    async def taps(self, label: str, copies: int = 1, within_s: float | None = None) -> None:
        """Wait for a button with these words and tap the newest; copies > 1 are separate, quick taps."""
        await self.can_tap(label, within_s)
        message, button = self.find(label)
        for _ in range(copies):
            await self.press(button["callback_data"], message)

    async def press(self, data: str, message: dict[str, Any]) -> None:
        """Tap a button by its data, even one that is not on screen any more."""
        await self.server.push("callback_query", self.server.query(data, self, message))

    async def blocks(self, blocked: bool = True) -> None:
        """Block the bot, or unblock it."""
        self.blocked = blocked
        status = {"user": BOT, "status": "kicked" if blocked else "member", **({"until_date": 0} if blocked else {})}
        old = {"user": BOT, "status": "member" if blocked else "kicked", **({} if blocked else {"until_date": 0})}
        body = {"chat": _chat_json(self.id, self), "from": self.user, "date": int(time.time())}
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
        """Every label that can be tapped, newest message first."""
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

    async def can_tap(self, label: str, within_s: float | None = None) -> None:
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


def _chat_json(id: int, person: Person | None) -> dict[str, Any]:
    if id < 0:
        return {"id": id, "type": "supergroup", "title": "Team"}
    return {"id": id, "type": "private", "first_name": person.name if person else "?"}


def _text(text: str) -> str:
    if not text.strip():
        raise Refusal(400, "Bad Request: message text is empty")
    if len(text) > 4096:
        raise Refusal(400, "Bad Request: message is too long")
    return text


def _caption(params: dict[str, Any]) -> dict[str, str]:
    caption = params.get("caption", "")
    if len(caption) > 1024:
        raise Refusal(400, "Bad Request: message caption is too long")
    return {"caption": caption} if caption else {}


def _keyboard(text: str) -> dict[str, Any]:
    markup: dict[str, Any] = json.loads(text)
    rows = markup["inline_keyboard"]
    for button in itertools.chain.from_iterable(rows):
        if not 1 <= len(button.get("callback_data", "x").encode()) <= 64:
            raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
        if not button["text"]:
            raise Refusal(400, "Bad Request: text buttons are allowed only with text")
    if any(len(row) > 8 for row in rows) or sum(map(len, rows)) > 100:
        raise Refusal(400, "Bad Request: reply markup is too long")
    return markup


def _same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    def content(message: dict[str, Any]) -> tuple[Any, ...]:
        files = [size["file_unique_id"] for size in message.get("photo", [])]
        document = message.get("document", {}).get("file_unique_id")
        return message.get("text"), message.get("caption"), message.get("reply_markup"), files, document

    return content(old) == content(new)


def _as_telegram(data: bytes, edge: int) -> bytes:
    with Image.open(io.BytesIO(data)) as picture:
        small = picture.convert("RGB")
        small.thumbnail((edge, edge))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=87)
    return out.getvalue()
