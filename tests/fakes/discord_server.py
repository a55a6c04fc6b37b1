"""A Discord on loopback, REST and gateway, that keeps chats and refuses what the real one refuses.

    async with DiscordServer() as server:
        ana = server.person(7, "Ana", "es")
        await ana.says("/headshot")
        ...
        await ana.presses("I agree")
        print(ana.screen())

A bot is led here by `discord.http.Route.BASE = server.url`; the gateway's address is what `GET /gateway/bot` answers.

Refused, with Discord's codes: a second acknowledgement (40060), one after 3 seconds (10062), a webhook token after 15
minutes (50027) or before any acknowledgement (10015), forms that break a limit (50035), empty messages (50006), files
and requests that are too large (413), closed DMs (50007), channels the bot is not in (50001), what is gone (10008),
other people's messages (50005), more than 5 follow-ups of a user installation (40094), and floods (429 with buckets).
Ephemeral messages are out of the bot token's reach. Links to files are signed and expire. An event that happens while
no session is alive is lost. Every request and every answer is also checked against the published OpenAPI description
(`fakes.discord_spec`): what does not fit is kept in `violations`.

Why not simcord (3.2.1, MIT, kept up): it replaces discord.py's connection inside the test's own process, so no bot can
be killed, and it has no rate limits, no sessions to resume, no 413, and no nonces, on which "nothing twice" rests.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.fakes import discord_objects as o
from tests.fakes.discord_commands import Commands
from tests.fakes.discord_files import Files, read_body
from tests.fakes.discord_gateway import DIRECT_MESSAGES, GUILD_MESSAGES, Gateway
from tests.fakes.discord_interactions import Interaction, Interactions
from tests.fakes.discord_messages import EPHEMERAL, Message, Messages, Upload
from tests.fakes.discord_objects import APPLICATION, BOT, TOKEN, Channel, Clock, Guild, Json, Refusal, Snowflakes
from tests.fakes.discord_person import Person
from tests.fakes.discord_rates import Rates
from tests.fakes.discord_spec import misshapen, problems
from tests.patience import PATIENCE_S

__all__ = ["TOKEN", "DiscordServer", "Person"]


@dataclass
class Call:
    """One request the bot made: when, what, and the status it was answered with."""

    at: float
    method: str
    path: str
    body: Json
    status: int = 0


@dataclass(eq=False)
class DiscordServer:
    """The server.

    calls: the bot's requests in order. violations: what broke the published description. down: everything is answered
    with 503. checked: whether requests are held against the description, which costs time.
    """

    checked: bool = True
    shards: int = 1
    down: bool = False
    calls: list[Call] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    people: dict[int, Person] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    guilds: dict[str, Guild] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.ids = Snowflakes(self.clock)
        self.files = Files(self.clock, self.ids)
        self.messages = Messages(self.clock, self.ids, self.files, self._told)
        self.interactions = Interactions(self.clock, self.ids, self.messages)
        self.commands = Commands(self.clock, self.ids)
        self.rates = Rates(self.clock)
        self.gateway = Gateway(self.clock, self._ready, self.shards)
        self._failures: list[tuple[str, str, int, bool]] = []
        self._lags: list[tuple[str, str, float]] = []

    # --- running ---------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=200_000_000)
        app.router.add_get("/gw/", self.gateway.serve)
        app.router.add_get("/attachments/{channel}/{id}/{name}", self.files.serve)
        app.router.add_route("*", "/api/v10/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/api/v10"
        self.files.base = f"http://{host}:{port}/attachments"
        self.gateway.url = f"ws://{host}:{port}/gw/"
        self._watching = asyncio.create_task(self.clock.watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        await self._runner.cleanup()

    def person(self, id: int, name: str = "Ana", language: str = "en", patience_s: float = PATIENCE_S) -> Person:
        """Return someone with a DM channel to the bot, who waits that long for what they expect to see."""
        if id not in self.people:
            dm = Channel(self.ids.next(), None, {str(id)})
            self.channels[dm.id] = dm
            self.people[id] = Person(self, id, name, language, dm, patience_s)
        return self.people[id]

    def guild(self, *people: Person, bot: bool = True, tier: int = 0) -> Channel:
        """Make a server with one channel for these people; bot: whether the bot is a member of it."""
        guild = Guild(self.ids.next(), bot=bot, tier=tier)
        channel = Channel(self.ids.next(), guild, {person.id_text for person in people})
        guild.channels.append(channel)
        self.guilds[guild.id], self.channels[channel.id] = guild, channel
        if bot:
            data = o.guild_json(guild, [])
            self.gateway.dispatch("GUILD_CREATE", data, guild.id, 1)
        return channel

    # --- mishaps ---------------------------------------------------------------------------------

    def fail(self, method: str, part: str, status: int = 500, times: int = 1, done: bool = False) -> None:
        """Answer the next requests whose path holds `part` with an error; status 0 cuts the connection.

        done: the request is carried out all the same, and only its answer is lost.
        """
        self._failures += [(method, part, status, done)] * times

    def lag(self, method: str, part: str, seconds: float) -> None:
        """Do the next such request, but answer it late."""
        self._lags.append((method, part, seconds))

    async def outage(self, lasting: bool = True) -> None:
        """Be gone: REST answers 503, the gateway cuts everybody off and takes nobody. With False, be back."""
        self.down, self.gateway.up = lasting, not lasting
        if lasting:
            await self.gateway.drop()

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

    def count(self, method: str, part: str) -> int:
        """Return how many requests of a method had this in their path."""
        return sum(call.method == method and part in call.path for call in self.calls)

    # --- events ----------------------------------------------------------------------------------

    def interact(
        self, kind: int, person: Person, channel: Channel, data: Json, on: Message | None = None
    ) -> Interaction:
        """Begin an interaction and tell the bot of it."""
        person.asks()
        interaction = self.interactions.begin(kind, person, channel, data, on)
        body = self.interactions.json(interaction)
        self.gateway.dispatch("INTERACTION_CREATE", body, channel.guild.id if channel.guild else None)
        return interaction

    def _told(self, event: str, message: Message) -> None:
        """Tell the bot of a message, and the people who see it."""
        for person in self.people.values():
            if message.author is BOT and person.id_text in message.channel.people:
                person.hears("shown")
        guild = message.channel.guild
        if message.ephemeral_for or (guild is not None and not guild.bot):
            return
        body = self.messages.json(message)
        if event == "MESSAGE_DELETE":
            body = {"id": message.id, "channel_id": message.channel.id}
        elif guild is not None and message.author is not BOT and f"<@{APPLICATION}>" not in message.content:
            body |= {"content": "", "attachments": [], "components": [], "embeds": []}  # no message content intent
        if guild is not None:
            body |= {"guild_id": guild.id, "member": o.member_json(message.author)}
        intent = GUILD_MESSAGES if guild else DIRECT_MESSAGES
        self.gateway.dispatch(event, body, guild.id if guild else None, intent)

    def _ready(self, shard: int, shards: int) -> list[tuple[str, Json]]:
        mine = [g for g in self.guilds.values() if g.bot and (int(g.id) >> 22) % shards == shard]
        return [("GUILD_CREATE", o.guild_json(guild, [])) for guild in mine]

    # --- answering -------------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.Response:
        path, method = request.match_info["path"], request.method
        try:
            body, files = await read_body(request)
        except Refusal as no:
            return _json(no.body, no.status)
        call = Call(time.monotonic(), method, path, body)
        self.calls.append(call)
        failing = next((f for f in self._failures if f[0] == method and f[1] in path), None)
        if failing is not None:
            self._failures.remove(failing)
            if not failing[3]:
                return self._failed(request, call, failing[2])
        if self.down:
            return self._failed(request, call, 503)
        in_path = path.startswith(("webhooks/", "interactions/"))
        if not in_path and request.headers.get("Authorization") != f"Bot {TOKEN}":
            unknown = Refusal(*o.UNAUTHORIZED)
            call.status = unknown.status
            return _json(unknown.body, unknown.status)
        steps = path.split("/")
        limited, headers = self.rates.take(method, _route(steps), "/".join(steps[1:3] if in_path else steps[1:2]),
                                           not in_path)  # fmt: skip
        if limited is not None:
            call.status = 429
            return _json(limited.body, 429, headers)
        if self.checked:
            self.violations += problems(method, path, body)
        try:
            status, answer = self._do(method, steps, body, files, dict(request.query))
        except Refusal as no:
            status, answer = no.status, no.body
        call.status = status
        if failing is not None:
            return self._failed(request, call, failing[2])
        if self.checked and answer is not None:
            self.violations += misshapen(method, path, status, answer)
        late = next((lag for lag in self._lags if lag[0] == method and lag[1] in path), None)
        if late is not None:
            self._lags.remove(late)
            await asyncio.sleep(late[2])
        if answer is None:
            return web.Response(status=status, headers=headers)
        return _json(answer, status, headers)

    def _failed(self, request: web.Request, call: Call, status: int) -> web.Response:
        call.status = status
        if status == 0 and request.transport is not None:
            request.transport.abort()
        return web.Response(status=status or 500, text="upstream connect error")

    def _do(
        self, method: str, steps: list[str], body: Any, files: Upload, query: dict[str, str]
    ) -> tuple[int, Json | list[Json] | None]:
        """Do one request; raises Refusal as the real server would."""
        match method, steps:
            case "GET", ["gateway", "bot"]:
                start = {"total": 1000, "remaining": 1000 - self.gateway.identified, "reset_after": 0,
                         "max_concurrency": 1}  # fmt: skip
                return 200, {"url": self.gateway.url, "shards": self.shards, "session_start_limit": start}
            case "GET", ["users", "@me"]:
                return 200, {**BOT, "mfa_enabled": True, "verified": True, "email": None, "locale": "en-US"}
            case "GET", ["applications" | "oauth2", *_] if steps[-1] == "@me":
                return 200, application_json(len(self.guilds))
            case "POST", ["users", "@me", "channels"]:
                person = self.people.get(int(body.get("recipient_id") or 0))
                if person is None:
                    raise Refusal(*o.UNKNOWN_USER)
                return 200, o.channel_json(person.dm, person.user)
            case "GET", ["applications", id, "commands"] if id == APPLICATION:
                return 200, self.commands.all
            case "PUT", ["applications", id, "commands"] if id == APPLICATION:
                return 200, self.commands.overwrite(body)
            case "POST", ["interactions", id, token, "callback"]:
                told = self.interactions.callback(id, token, body, files, query.get("with_response") in {"1", "true"})
                return (200, told) if told is not None else (204, None)
            case _, ["webhooks", id, token, *rest] if id == APPLICATION:
                return self._webhook(method, token, rest, body, files)
            case _, ["channels", id, *rest]:
                return self._channel(method, id, rest, body, files, query)
        raise Refusal(*o.NOT_FOUND)

    def _webhook(
        self, method: str, token: str, rest: list[str], body: Json, files: Upload
    ) -> tuple[int, Json | list[Json] | None]:
        match method, rest:
            case "POST", []:
                return 200, self.messages.json(self.interactions.follow_up(token, body, files))
            case "GET", ["messages", id]:
                return 200, self.messages.json(self.interactions.message(token, id))
            case "PATCH", ["messages", id]:
                return 200, self.messages.json(self.interactions.edit(token, id, body, files))
            case "DELETE", ["messages", id]:
                self.interactions.delete(token, id)
                return 204, None
        raise Refusal(*o.NOT_FOUND)

    def _channel(
        self, method: str, id: str, rest: list[str], body: Json, files: Upload, query: dict[str, str]
    ) -> tuple[int, Json | list[Json] | None]:
        channel = self.channels.get(id)
        if channel is None:
            raise Refusal(*o.UNKNOWN_CHANNEL)
        if channel.guild is not None and not channel.guild.bot:
            raise Refusal(*o.MISSING_ACCESS)
        recipient = next((p for p in self.people.values() if p.dm is channel), None)
        match method, rest:
            case "GET", []:
                return 200, o.channel_json(channel, recipient.user if recipient else None)
            case "POST", ["typing"]:
                return 204, None
            case "POST", ["messages"]:
                if recipient is not None and recipient.closed:
                    raise Refusal(*o.DMS_CLOSED)
                sent = {**body, "flags": (body.get("flags") or 0) & ~EPHEMERAL}
                return 200, self.messages.json(self.messages.send(channel, sent, files))
            case "GET", ["messages"]:
                return 200, [self.messages.json(m) for m in self.messages.history(channel, query)]
            case "GET", ["messages", message]:
                return 200, self.messages.json(self.messages.of_bot(channel, message))
            case "PATCH", ["messages", message]:
                return 200, self.messages.json(self.messages.edit(self.messages.of_bot(channel, message), body, files))
            case "DELETE", ["messages", message]:
                found = self.messages.of_bot(channel, message)
                if found.author is not BOT:
                    raise (
                        Refusal(403, 50003, "Cannot execute action on a DM channel")
                        if channel.guild is None
                        else (Refusal(*o.MISSING_PERMISSIONS))
                    )
                self.messages.delete(found)
                return 204, None
        raise Refusal(*o.NOT_FOUND)


def application_json(guilds: int) -> Json:
    """Describe the application."""
    return {
        "id": APPLICATION, "name": "Atelier", "icon": None, "description": "", "type": None, "bot": BOT,
        "bot_public": True, "bot_require_code_grant": False, "verify_key": "0" * 64, "flags": 0,
        "flags_new": "0", "max_participants": None, "redirect_uris": [], "interactions_endpoint_url": None,
        "role_connections_verification_url": None, "owner": o.user_json("1", "Owner"), "rpc_origins": [],
        "approximate_guild_count": guilds, "approximate_user_install_count": 0, "team": None, "summary": "",
        "approximate_user_authorization_count": 0, "explicit_content_filter": 0,
        "event_webhooks_url": None, "event_webhooks_status": 1, "event_webhooks_types": [], "hook": True,
        "integration_types_config": {"0": {}, "1": {}}, "tags": [], "eligible_oauth2_scopes": [],
    }  # fmt: skip


def _json(body: Json | list[Json], status: int, headers: dict[str, str] | None = None) -> web.Response:
    made = web.json_response(body, status=status, headers=headers)
    made.headers["Content-Type"] = "application/json"  # exactly: discord.py takes anything else for text
    return made


def _route(steps: list[str]) -> str:
    """Return the kind of a route: its words without ids."""
    return "/".join(step for step in steps if step.isalpha() and step in ROUTE_WORDS)


ROUTE_WORDS = {"channels", "messages", "webhooks", "applications", "commands", "interactions", "callback", "typing"}
