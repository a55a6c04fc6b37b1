"""Files of the fake Discord: what was uploaded, and the signed links it is fetched by, which expire."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from aiohttp import BodyPartReader, web
from PIL import Image

from tests.fakes.discord_objects import MIB, TOO_LARGE, Clock, Json, Refusal, Snowflakes

LINK_S = 24 * 3600.0
REQUEST_BYTES = 25 * MIB
"""Of a whole request that sends a message (message resource, "Limitations"); boosted guilds may send more."""
TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}


@dataclass(frozen=True)
class Stored:
    """An attachment. size: of the picture, where it is one that Discord shows."""

    id: str
    channel: str
    name: str
    data: bytes
    content_type: str
    size: tuple[int, int] | None
    description: str | None = None
    ephemeral: bool = False


class Files:
    """Every attachment by its id, and the links to them."""

    def __init__(self, clock: Clock, ids: Snowflakes) -> None:
        self._clock, self._ids = clock, ids
        self.kept: dict[str, Stored] = {}
        self.base = ""
        self.fetched: list[str] = []

    def keep(
        self, channel: str, name: str, data: bytes, description: str | None = None, ephemeral: bool = False,
        content_type: str | None = None,
    ) -> Stored:  # fmt: skip
        """Store an upload; blanks in its name become underscores, its type is guessed from its content and name."""
        kind, size = _picture(data)
        stored = Stored(
            self._ids.next(), channel, name.replace(" ", "_"), data, content_type or kind, size, description, ephemeral
        )
        self.kept[stored.id] = stored
        return stored

    def described(self, stored: Stored, description: str | None) -> Stored:
        """Change the alt text of an attachment."""
        self.kept[stored.id] = replace(stored, description=description)
        return self.kept[stored.id]

    def link(self, stored: Stored) -> str:
        """Return a link that is good for a day from now."""
        until = f"{int(self._clock.now() + LINK_S):x}"
        path = f"{stored.channel}/{stored.id}/{quote(stored.name)}"
        return f"{self.base}/{path}?ex={until}&is={int(self._clock.now()):x}&hm={_signed(stored.id, until)}&"

    def json(self, stored: Stored) -> Json:
        """Describe an attachment, with a fresh link."""
        size = {"width": stored.size[0], "height": stored.size[1]} if stored.size else {}
        more: Json = {"description": stored.description} if stored.description else {}
        more |= {"ephemeral": True} if stored.ephemeral else {}
        more |= {"content_type": stored.content_type} if stored.content_type else {}
        url = self.link(stored)
        return {"id": stored.id, "filename": stored.name, "size": len(stored.data), "url": url, "proxy_url": url,
                **size, **more}  # fmt: skip

    def media(self, url: str, attached: list[Stored]) -> Json:
        """Resolve the media of a component."""
        name = url.removeprefix("attachment://")
        stored = next((stored for stored in attached if stored.name == name), None) if name != url else None
        if stored is None:
            return {"id": self._ids.next(), "url": url, "proxy_url": url, "width": None, "height": None}
        width, height = stored.size or (None, None)
        link = self.link(stored)
        return {"id": stored.id, "url": link, "proxy_url": link, "width": width, "height": height,
                "content_type": stored.content_type, "attachment_id": stored.id}  # fmt: skip

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a download; a link that was changed or has expired leads nowhere, as on the real CDN."""
        stored = self.kept.get(request.match_info["id"])
        until = request.query.get("ex", "0")
        if stored is None or request.query.get("hm") != _signed(request.match_info["id"], until):
            return web.Response(status=404, text="This content is no longer available.")
        if int(until, 16) < self._clock.now():
            return web.Response(status=404, text="This content is no longer available.")
        self.fetched.append(stored.id)
        return web.Response(body=stored.data, content_type=stored.content_type or "application/octet-stream")


async def read_body(request: web.Request) -> tuple[Json, dict[str, tuple[str, bytes]]]:
    """Read a request's JSON and its files by placeholder: `files[0]` is "0"."""
    if not request.content_type.startswith("multipart/"):
        raw = await request.read()
        return (await request.json() if raw else {}), {}
    body: Json = {}
    files: dict[str, tuple[str, bytes]] = {}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        data = bytes(await part.read())
        name = part.name or ""
        if name == "payload_json":
            body = json.loads(data)
        elif name.startswith("files[") and part.filename:
            files[name[6:-1]] = (part.filename, data)
        else:
            raise Refusal(400, 50035, "Invalid Form Body", {name: {"_errors": [{"code": "UNKNOWN", "message": name}]}})
    return body, files


def check_sizes(files: dict[str, tuple[str, bytes]], upload_limit: int) -> None:
    """Refuse files and requests over the limits."""
    if any(len(data) > upload_limit for _, data in files.values()):
        raise Refusal(*TOO_LARGE)
    if sum(len(data) for _, data in files.values()) > max(REQUEST_BYTES, upload_limit):
        raise Refusal(*TOO_LARGE)


def _signed(id: str, until: str) -> str:
    return hashlib.sha256(f"{id} {until} of the fake".encode()).hexdigest()


def _picture(data: bytes) -> tuple[str, tuple[int, int] | None]:
    """Return the media type and size of a picture that Discord shows, else nothing."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            kind: Any = TYPES.get(picture.format or "")
            return (kind, picture.size) if kind else ("", None)
    except (OSError, ValueError):
        return "", None
