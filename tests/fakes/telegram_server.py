"""A Bot API server on loopback that keeps chats, and refuses what the real one refuses.

    async with TelegramServer() as server:
        ana = server.person(7, "Ana", "es")
        await ana.says("/start")
        ...
        await ana.presses("Agree")
        print(ana.screen())

Refused, with Telegram's own words: a message that is not modified, callback data over 64 bytes, media groups
that are not 2 to 10, texts over 4096 and captions over 1024 characters, files over the limits, what is not a
picture sent as one, chats that blocked the bot (403), floods (429 with retry_after), callback queries that are
too old or answered already, editing or quoting what is gone, deleting with one message older than 48 hours among
them, a thread id in a group without topics, two processes that poll at once (409). Every request is also checked
against the published Bot API (`tests.fakes.telegram_spec`); what does not fit is answered with 400 and kept in
`violations`.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import time
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import BodyPartReader, ClientConnectionError, ClientSession, web

from tests.fakes.telegram_files import Files, Refusal
from tests.fakes.telegram_messages import BOT, TOKEN, Messages
from tests.fakes.telegram_person import Person
from tests.fakes.telegram_spec import problems
from tests.patience import PATIENCE_S

__all__ = ["BOT", "TOKEN", "Person", "TelegramServer"]

WEBHOOK_S = 10.0  # how long an update is offered to a webhook again and again


@dataclass
class Call:
    """One request the bot made, when, and whether it was done."""

    at: float
    method: str
    params: dict[str, Any]
    done: bool = False


@dataclass(eq=False)
class TelegramServer:
    """The server.

    calls: the bot's requests in order. violations: what broke the published Bot API. down: every request is answered
    with 502. topics: groups that are forums. delivered: the webhook's answers.
    """

    photo_edge: int = 1280
    query_seconds: float = 60.0
    down: bool = False
    calls: list[Call] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    people: dict[int, Person] = field(default_factory=dict)
    commands: dict[tuple[str, str], list[dict[str, str]]] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    webhook: dict[str, str] = field(default_factory=dict)
    migrated: dict[int, int] = field(default_factory=dict)
    topics: set[int] = field(default_factory=set)
    delivered: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files = Files()
        self.messages = Messages(self.files, self.chat_json)
        self.chats = self.messages.chats
        self._query_ids = itertools.count(100)
        self._updates: list[dict[str, Any]] = []
        self._update_ids = itertools.count(1)
        self._arrived = asyncio.Event()
        self._polling = 0
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
        self._arrived.set()
        await self._runner.cleanup()

    def person(self, id: int, name: str = "Ana", language: str = "en", patience_s: float = PATIENCE_S) -> Person:
        """Return someone with a private chat to the bot, who waits that long for what they expect to see."""
        return self.people.setdefault(id, Person(self, id, name, language, patience_s))

    def chat_json(self, id: int) -> dict[str, Any]:
        """Describe a chat as updates do: a private one, or a group, which is a forum where it is in `topics`."""
        if id < 0:
            forum = {"is_forum": True} if id in self.topics else {}
            return {"id": id, "type": "supergroup", "title": "Team", **forum}
        return {"id": id, "type": "private", "first_name": self.people[id].name if id in self.people else "?"}

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

    async def until(self, true: Callable[[], bool | Awaitable[bool]], within_s: float = PATIENCE_S) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            answer = true()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"not so within {within_s} s")

    def count(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(call.method == method for call in self.calls)

    def sent_to(self, chat: int) -> list[str]:
        """Return the texts that were asked to be sent to a chat while the server was up."""
        return [
            c.params["text"]
            for c in self.calls
            if c.done and c.method == "sendMessage" and c.params["chat_id"] == str(chat)
        ]

    def group_texts(self, group: int) -> list[str]:
        """What the bot wrote in a group."""
        return [m["text"] for m in self.chats[group].values() if m["from"] is BOT]

    def zip_names(self, file_id: str) -> list[str]:
        """Return the names in an archive the bot sent."""
        with zipfile.ZipFile(io.BytesIO(self.files[file_id].data)) as archive:
            return archive.namelist()

    @property
    def unconfirmed(self) -> list[int]:
        """Updates that the bot has not confirmed by asking for later ones."""
        return [update["update_id"] for update in self._updates]

    # --- updates ---------------------------------------------------------------------------------

    async def push(self, kind: str, body: dict[str, Any], copies: int = 1) -> None:
        """Queue an update for the bot, or deliver it to its webhook; copies > 1 delivers the same update again."""
        await self.push_all([(kind, body)], copies)

    async def push_all(self, bodies: list[tuple[str, dict[str, Any]]], copies: int = 1, reverse: bool = False) -> None:
        """Queue several updates at once, as albums arrive; reverse makes them arrive in the wrong order."""
        made = [{"update_id": next(self._update_ids), kind: body} for kind, body in bodies]
        for _, body in bodies:
            sender = body.get("from", {}).get("id")
            if sender in self.people:
                self.people[sender].asks()
        made = made[::-1] if reverse else made
        for update in made:
            for _ in range(copies):
                if self.webhook.get("url"):
                    await self._deliver(update)
                else:
                    self._updates.append(update)
        self._arrived.set()

    async def _deliver(self, update: dict[str, Any]) -> None:
        """Offer an update to the webhook until it answers with 2xx."""
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.webhook.get("secret_token", "")}
        deadline = time.monotonic() + WEBHOOK_S
        async with ClientSession() as http:
            while time.monotonic() < deadline:
                try:
                    async with http.post(self.webhook["url"], json=update, headers=headers) as answer:
                        self.delivered.append(answer.status)
                        if answer.status < 300 or answer.status == 403:
                            return
                except ClientConnectionError:  # a bot says where it listens a moment before it does
                    pass
                await asyncio.sleep(0.1)

    async def _get_updates(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        if self.webhook.get("url"):
            raise Refusal(409, "Conflict: can't use getUpdates method while webhook is active")
        self._polling += 1
        mine = self._polling
        self._arrived.set()
        offset, deadline = int(params.get("offset", 0)), time.monotonic() + float(params.get("timeout", 0))
        self._updates = [u for u in self._updates if u["update_id"] >= offset]
        wanted = json.loads(params.get("allowed_updates", "[]"))
        while not self._updates and time.monotonic() < deadline and not getattr(self, "_closing", False):
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                break
            if mine != self._polling:
                raise Refusal(409, "Conflict: terminated by other getUpdates request")
        kept = [u for u in self._updates if not wanted or set(u) & set(wanted)]
        return kept[: int(params.get("limit", 100))]

    # --- answering -------------------------------------------------------------------------------

    async def _file(self, request: web.Request) -> web.Response:
        found = self.files.at(request.match_info["path"])
        return web.Response(body=found.data) if found else web.Response(status=404)

    async def _answer(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        params = await _params(request)
        call = Call(time.monotonic(), method, params)
        if method != "getUpdates":
            self.calls.append(call)
        if self.down:
            return web.Response(status=502, text="<html>Bad Gateway</html>")
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
        call.done = True
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
                return self.files.get_file(params["file_id"])
            case "answerCallbackQuery":
                return self._answer_query(params)
        chat = self._chat(int(params["chat_id"]))
        if method == "sendChatAction":
            return True
        if chat in self.people:
            self.people[chat].hears("shown")
        return self.messages.do(method, chat, params)

    def _answer_query(self, params: dict[str, Any]) -> bool:
        """Answer a callback query, once and in time."""
        if len(params.get("text", "")) > 200:
            raise Refusal(400, "Bad Request: MESSAGE_TOO_LONG")
        born, person = self._queries.pop(params["callback_query_id"], (0.0, None))
        if person is not None:
            person.toasts += [params["text"]] if params.get("text") else []
            person.hears("answered")
        if time.monotonic() - born > self.query_seconds:
            raise Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        return True

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

    def query(self, data: str, person: Person, message: dict[str, Any]) -> dict[str, Any]:
        """Make the callback query of a button's press."""
        id = str(next(self._query_ids))
        self._queries[id] = (time.monotonic(), person)
        return {"id": id, "from": person.user, "chat_instance": "1", "data": data, "message": message}


async def _params(request: web.Request) -> dict[str, Any]:
    """Read a request's fields; files become bytes, without temporary files that a bot killed meanwhile leaves open."""
    if not request.content_type.startswith("multipart/"):
        return dict(await request.post())
    params: dict[str, Any] = {}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        data = bytes(await part.read())
        params[part.name or ""] = data if part.filename else data.decode()
    return params
