"""The gateway of the fake Discord: HELLO, IDENTIFY, READY, heartbeats, RESUME with what was missed, and its mishaps."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.fakes.discord_objects import APPLICATION, BOT, TOKEN, Clock, Json

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID, HELLO, ACK = 0, 1, 2, 6, 7, 9, 10, 11
PRESENCE, VOICE, MEMBERS = 3, 4, 8
GUILDS, GUILD_MESSAGES, DIRECT_MESSAGES = 1 << 0, 1 << 9, 1 << 12
PRIVILEGED = 1 << 1 | 1 << 8 | 1 << 15
INTENTS = (1 << 26) - 1
RESUMABLE_S = 180.0
"""How long a session outlives its connection; "a few minutes" in the documents."""


@dataclass(eq=False)
class Session:
    """A shard's session. sent: everything, to be told again on RESUME. left: when its connection went, 0 while on."""

    id: str
    shard: int
    shards: int
    intents: int
    socket: web.WebSocketResponse | None
    sent: list[Json] = field(default_factory=list)
    left: float = 0.0


@dataclass(eq=False)
class Gateway:
    """The gateway. identified, resumed: how often; up: whether connections are taken; ignoring: hears nothing."""

    clock: Clock
    ready: Callable[[int, int], list[tuple[str, Json]]]
    shards: int = 1
    heartbeat_ms: int = 41_250
    privileged: int = 0
    up: bool = True
    zombie: bool = False
    identified: int = 0
    resumed: int = 0
    beats: int = 0
    url: str = ""
    sessions: dict[str, Session] = field(default_factory=dict)
    closed_with: list[int] = field(default_factory=list)

    # --- telling ---------------------------------------------------------------------------------

    def dispatch(self, event: str, data: Json, guild: str | None, intent: int = 0) -> bool:
        """Tell the newest session of a shard; returns whether there is one. Without any, the event is lost for ever."""
        shard = (int(guild) >> 22) % self.shards if guild else 0
        for session in reversed(self.sessions.values()):
            if session.shard == shard and self._alive(session):
                if not intent or session.intents & intent:
                    self._send(session, {"op": DISPATCH, "t": event, "d": data})
                return True
        return False

    @property
    def listening(self) -> bool:
        """Whether every shard is connected."""
        return len({s.shard for s in self.sessions.values() if s.socket is not None}) == self.shards

    # --- mishaps ---------------------------------------------------------------------------------

    async def drop(self, code: int = 1006) -> None:
        """Cut every connection: 1006 without a word, any other with that close code. Sessions can be resumed."""
        for session in self._connected():
            socket, session.socket, session.left = session.socket, None, self.clock.now()
            if code == 1006:
                if socket is not None and socket._req is not None and socket._req.transport is not None:
                    socket._req.transport.abort()
            elif socket is not None:
                await socket.close(code=code)

    async def ask_to_reconnect(self) -> None:
        """Send op 7, as before every restart of a gateway node."""
        for session in self._connected():
            await self._raw(session.socket, {"op": RECONNECT, "d": None})

    async def invalidate(self, resumable: bool = False) -> None:
        """Send op 9."""
        for session in self._connected():
            if not resumable:
                self.sessions.pop(session.id, None)
            await self._raw(session.socket, {"op": INVALID, "d": resumable})

    def expire_sessions(self) -> None:
        """Forget every session whose connection is gone."""
        self.sessions = {id: s for id, s in self.sessions.items() if s.socket is not None}

    # --- a connection ----------------------------------------------------------------------------

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Be one connection's other end."""
        if not self.up:
            return web.Response(status=503)
        socket = web.WebSocketResponse(heartbeat=None, max_msg_size=0)
        await socket.prepare(request)
        if request.query.get("v") != "10" or request.query.get("encoding") != "json":
            await socket.close(code=4012)
            return socket
        await self._raw(socket, {"op": HELLO, "d": {"heartbeat_interval": self.heartbeat_ms, "_trace": []}, "s": None})
        session: Session | None = None
        try:
            session = await self._converse(socket)
        finally:
            for mine in self.sessions.values():
                if mine.socket is socket:
                    mine.socket, mine.left = None, self.clock.now()
            if session is not None and socket.close_code in {1000, 1001}:
                self.sessions.pop(session.id, None)  # said goodbye: nothing can be resumed
            self.closed_with.append(socket.close_code or 1006)
        return socket

    async def _converse(self, socket: web.WebSocketResponse) -> Session | None:
        session: Session | None = None
        while True:
            try:
                message = await asyncio.wait_for(socket.receive(), self.heartbeat_ms / 1000 * 2)
            except TimeoutError:
                await socket.close(code=4009)
                return session
            if message.type is not WSMsgType.TEXT:
                return session
            if self.zombie:
                continue
            if len(message.data) > 4096:
                await socket.close(code=4002)
                return session
            try:
                said: Json = json.loads(message.data)
            except ValueError:
                await socket.close(code=4002)
                return session
            match said.get("op"):
                case 1:
                    self.beats += 1
                    await self._raw(socket, {"op": ACK, "d": None})
                case 2 if session is not None:
                    await socket.close(code=4005)
                case 2:
                    session = await self._identify(socket, said["d"])
                case 6:
                    session = await self._resume(socket, said["d"])
                case 3 | 4 | 8 if session is not None:
                    pass
                case 3 | 4 | 8:
                    await socket.close(code=4003)
                case _:
                    await socket.close(code=4001)

    async def _identify(self, socket: web.WebSocketResponse, data: Json) -> Session | None:
        if data.get("token") != TOKEN:
            await socket.close(code=4004)
            return None
        shard, shards = data.get("shard") or (0, 1)
        intents = data.get("intents")
        if not isinstance(intents, int) or intents & ~INTENTS:
            await socket.close(code=4013)
            return None
        if intents & PRIVILEGED & ~self.privileged:
            await socket.close(code=4014)
            return None
        if not 0 <= shard < shards:
            await socket.close(code=4010)
            return None
        if shards < self.shards:
            await socket.close(code=4011)
            return None
        self.identified += 1
        session = Session(secrets.token_hex(16), shard, shards, intents, socket)
        self.sessions[session.id] = session
        guilds = self.ready(shard, shards)
        self._send(session, {"op": DISPATCH, "t": "READY", "d": {
            "v": 10, "user": {**BOT, "verified": True, "mfa_enabled": True, "email": None},
            "guilds": [{"id": data["id"], "unavailable": True} for _, data in guilds],
            "session_id": session.id, "resume_gateway_url": self.url, "session_type": "normal",
            "shard": [shard, shards], "application": {"id": APPLICATION, "flags": 0}, "private_channels": [],
            "relationships": [], "user_settings": {}, "presences": [], "geo_ordered_rtc_regions": [], "auth": {},
        }})  # fmt: skip
        for event, guild in guilds:
            if intents & GUILDS:
                self._send(session, {"op": DISPATCH, "t": event, "d": guild})
        return session

    async def _resume(self, socket: web.WebSocketResponse, data: Json) -> Session | None:
        if data.get("token") != TOKEN:
            await socket.close(code=4004)
            return None
        session = self.sessions.get(data.get("session_id", ""))
        if session is None or not self._alive(session):
            await self._raw(socket, {"op": INVALID, "d": False})
            return None
        seq = data.get("seq")
        if not isinstance(seq, int) or seq > len(session.sent):
            await socket.close(code=4007)
            return None
        session.socket, session.left = socket, 0.0
        for missed in session.sent[seq:]:
            await self._raw(socket, missed)
        self.resumed += 1
        self._send(session, {"op": DISPATCH, "t": "RESUMED", "d": {"_trace": []}})
        return session

    # --- sending ---------------------------------------------------------------------------------

    def _alive(self, session: Session) -> bool:
        return session.socket is not None or self.clock.now() - session.left < RESUMABLE_S

    def _connected(self) -> list[Session]:
        return [session for session in self.sessions.values() if session.socket is not None]

    def _send(self, session: Session, payload: Json) -> None:
        session.sent.append({**payload, "s": len(session.sent) + 1})
        if session.socket is not None and not session.socket.closed:
            task = asyncio.ensure_future(self._raw(session.socket, session.sent[-1]))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _raw(self, socket: web.WebSocketResponse | None, payload: Json) -> None:
        if socket is not None and not socket.closed:
            with suppress(ConnectionError):  # it was cut meanwhile
                await socket.send_str(json.dumps(payload))

    _sending: set[asyncio.Future[Any]] = field(default_factory=set)
