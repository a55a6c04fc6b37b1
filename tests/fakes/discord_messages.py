"""Messages of the fake Discord: sent, edited, deleted, and refused as the real server refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fakes import discord_objects as o
from tests.fakes.discord_components import check_components, media_of, shown, walk
from tests.fakes.discord_files import Files, Stored, check_sizes
from tests.fakes.discord_objects import BOT, Channel, Clock, Form, Json, Refusal, Snowflakes

SUPPRESS_EMBEDS, EPHEMERAL, LOADING, SILENT, VOICE, V2 = 1 << 2, 1 << 6, 1 << 7, 1 << 12, 1 << 13, 1 << 15
CONTENT_CHARACTERS = 2000
ATTACHMENTS = 10
NONCE_S = 180.0
"""How long a nonce is remembered; "the past few minutes" in the documents."""
LEGACY = ("content", "embeds", "sticker_ids", "poll")

Upload = dict[str, tuple[str, bytes]]


@dataclass(eq=False)
class Message:
    """One message. ephemeral_for: who alone sees it, by id. token: of the interaction it came by."""

    id: str
    channel: Channel
    author: Json
    born: float
    content: str = ""
    components: list[Json] = field(default_factory=list)
    attachments: list[Stored] = field(default_factory=list)
    flags: int = 0
    edited: float | None = None
    ephemeral_for: str = ""
    token: str = ""
    interaction: Json | None = None
    reply_to: str = ""
    mentions_everyone: bool = False
    nonce: str | int | None = None

    @property
    def raw(self) -> str:
        """Everything written in it."""
        return "\n".join([self.content, *(c["content"] for c in walk(self.components) if c.get("content"))])

    @property
    def text(self) -> str:
        """Everything a person reads in it; a backslash before a sign only keeps it from being formatting."""
        return re.sub(r"\\([^\w\s])", r"\1", self.raw).strip()


class Messages:
    """Every message by its id, oldest first. tell: takes the name of a gateway event and its message."""

    def __init__(self, clock: Clock, ids: Snowflakes, files: Files, tell: Callable[[str, Message], None]) -> None:
        self._clock, self._ids, self._files, self._tell = clock, ids, files, tell
        self.all: dict[str, Message] = {}
        self.deleted: list[str] = []

    def by_person(self, channel: Channel, user: Json, content: str, files: list[tuple[str, bytes, str]]) -> Message:
        """Put a person's message into a channel; files: names, bytes, announced types ("" for what they are)."""
        message = Message(self._ids.next(), channel, user, self._clock.now(), content)
        message.attachments = [
            self._files.keep(channel.id, name, data, content_type=kind or None) for name, data, kind in files
        ]
        return self.added(message)

    def added(self, message: Message) -> Message:
        """Keep a message and tell of it."""
        self.all[message.id] = message
        self._tell("MESSAGE_CREATE", message)
        return message

    def loading(self, channel: Channel, token: str, interaction: Json | None, ephemeral_for: str) -> Message:
        """Put "is thinking ..." into a channel."""
        flags = LOADING | (EPHEMERAL if ephemeral_for else 0)
        message = Message(self._ids.next(), channel, BOT, self._clock.now(), flags=flags, ephemeral_for=ephemeral_for)
        message.token, message.interaction = token, interaction
        self.all[message.id] = message
        return message

    def send(
        self, channel: Channel, body: Json, files: Upload, *, token: str = "", ephemeral_for: str = "",
        interaction: Json | None = None, path: tuple[str, ...] = (),
    ) -> Message:  # fmt: skip
        """Send a message of the bot's; path: where its fields lie in the body, for the form's errors."""
        nonce = body.get("nonce")
        if body.get("enforce_nonce") and nonce is not None:
            for old in self.all.values():
                if old.nonce == nonce and self._clock.now() - old.born < NONCE_S:
                    return old
        check_sizes(files, channel.upload_limit)
        wanted = body.get("flags") or 0
        allowed = SUPPRESS_EMBEDS | SILENT | VOICE | V2 | (EPHEMERAL if token else 0)
        flags = wanted & allowed
        message = Message(self._ids.next(), channel, BOT, self._clock.now(), flags=flags, token=token, nonce=nonce)
        message.ephemeral_for = ephemeral_for if flags & EPHEMERAL else ""
        message.interaction = interaction
        form = Form()
        if flags & V2:
            self._refuse_legacy(form, body, path)
        new = self._uploads(form, message, body, files, path)
        content = body.get("content") or ""
        form_content(form, content, path)
        components = body.get("components") or []
        check_components(form, components, bool(flags & V2), {s.name for s in new}, (*path, "components"))
        self._reply(form, message, body)
        form.check()
        if not (content.strip() or new or body.get("embeds") or components):
            raise Refusal(*o.EMPTY_MESSAGE)
        self._set(message, content, components, new, body)
        return self.added(message)

    def edit(self, message: Message, body: Json, files: Upload, path: tuple[str, ...] = ()) -> Message:
        """Edit a message of the bot's; what the body leaves out stays."""
        if message.author is not BOT:
            raise Refusal(*o.NOT_YOURS)
        check_sizes(files, message.channel.upload_limit)
        form = Form()
        flags = message.flags & ~LOADING
        if body.get("flags") is not None:
            if flags & V2 and not body["flags"] & V2:
                text = "The IS_COMPONENTS_V2 flag cannot be removed."
                form.wrong((*path, "flags"), "MESSAGE_CANNOT_REMOVE_COMPONENTS_V2_FLAG", text)
            kept = flags & (EPHEMERAL | V2 | SILENT)
            flags = kept | body["flags"] & (SUPPRESS_EMBEDS | V2)
        content = (body["content"] or "") if "content" in body else message.content
        if flags & V2:
            self._refuse_legacy(form, body, path)
            if content:
                form.wrong((*path, "content"), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "Reset it first.")
        form_content(form, content, path)
        attached = self._uploads(form, message, body, files, path)
        components = (body["components"] or []) if "components" in body else message.components
        names = {s.name for s in attached}
        if "components" in body or flags & V2:
            check_components(form, components, bool(flags & V2), names, (*path, "components"))
        form.check()
        if not (content.strip() or attached or body.get("embeds") or components):
            raise Refusal(*o.EMPTY_MESSAGE)
        message.flags = flags
        self._set(message, content, components, attached, body)
        message.edited = self._clock.now()
        self._tell("MESSAGE_UPDATE", message)
        return message

    def delete(self, message: Message) -> None:
        """Take a message away for everybody."""
        del self.all[message.id]
        self.deleted.append(message.id)
        self._tell("MESSAGE_DELETE", message)

    def of_bot(self, channel: Channel, id: str) -> Message:
        """Return a message that the bot may see with its own token; ephemeral ones it may not."""
        message = self.all.get(id)
        if message is None or message.channel is not channel or message.ephemeral_for:
            raise Refusal(*o.UNKNOWN_MESSAGE)
        return message

    def history(self, channel: Channel, query: dict[str, str]) -> list[Message]:
        """Return a channel's newest messages first, `limit` of them before or after an id."""
        found = [m for m in self.all.values() if m.channel is channel and not m.ephemeral_for]
        if "before" in query:
            found = [m for m in found if int(m.id) < int(query["before"])]
        limit = int(query.get("limit", 50))
        if "after" in query:
            return [m for m in found if int(m.id) > int(query["after"])][:limit][::-1]
        return found[::-1][:limit]

    def json(self, message: Message) -> Json:
        """Describe a message; its links are signed anew."""
        body: Json = {
            "id": message.id, "channel_id": message.channel.id, "type": self._type(message),
            "author": message.author, "content": message.content, "timestamp": o.iso(message.born),
            "edited_timestamp": o.iso(message.edited) if message.edited else None, "tts": False,
            "mention_everyone": message.mentions_everyone, "mentions": [], "mention_roles": [],
            "attachments": [self._files.json(s) for s in message.attachments], "embeds": [], "pinned": False,
            "flags": message.flags,
            "components": shown(
                message.components,
                lambda url: self._files.media(url, message.attachments),
                {stored.name: len(stored.data) for stored in message.attachments},
            ),
        }  # fmt: skip
        if message.token:
            body |= {"webhook_id": o.APPLICATION, "application_id": o.APPLICATION}
        if message.interaction is not None:
            body["interaction_metadata"] = message.interaction
        if message.reply_to:
            quoted = self.all.get(message.reply_to)
            body["message_reference"] = {"type": 0, "channel_id": message.channel.id, "message_id": message.reply_to}
            body["referenced_message"] = self.json(quoted) if quoted else None
        if message.nonce is not None:
            body["nonce"] = message.nonce
        return body

    def _type(self, message: Message) -> int:
        if message.interaction is not None and message.interaction["type"] == 2:
            return 20
        return 19 if message.reply_to else 0

    def _set(self, message: Message, content: str, components: list[Json], attached: list[Stored], body: Json) -> None:
        message.content, message.components, message.attachments = content, components, attached
        allowed = body.get("allowed_mentions")
        pings = allowed is None or "everyone" in (allowed.get("parse") or [])
        message.mentions_everyone = pings and re.search(r"@(everyone|here)", message.raw) is not None

    def _refuse_legacy(self, form: Form, body: Json, path: tuple[str, ...]) -> None:
        for key in LEGACY:
            if body.get(key):
                text = f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
                form.wrong((*path, key), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", text)

    def _uploads(self, form: Form, message: Message, body: Json, files: Upload, path: tuple[str, ...]) -> list[Stored]:
        """Return what is attached after this request: of the old ones those that are listed, and everything new."""
        listed = body.get("attachments")
        old = {stored.id: stored for stored in message.attachments}
        kept = list(old.values()) if listed is None else []
        alts = {}
        for i, item in enumerate(listed or []):
            id = str(item.get("id"))
            form.length((*path, "attachments", i, "description"), item.get("description"), 0, 1024)
            if id in old:
                kept.append(self._files.described(old[id], item["description"]) if "description" in item else old[id])
            elif id in files:
                alts[id] = item.get("description")
            else:
                form.wrong((*path, "attachments", i, "id"), "ATTACHMENT_NOT_FOUND", f"No such attachment: {id}")
        form.length((*path, "attachments"), [*kept, *files], 0, ATTACHMENTS)
        ephemeral = bool(message.ephemeral_for)
        new = [
            self._files.keep(message.channel.id, name, data, alts.get(id), ephemeral)
            for id, (name, data) in sorted(files.items(), key=lambda item: int(item[0]))
        ]
        return kept + new

    def _reply(self, form: Form, message: Message, body: Json) -> None:
        wanted = body.get("message_reference")
        if not wanted:
            return
        quoted = self.all.get(str(wanted.get("message_id")))
        if quoted is not None and quoted.channel is message.channel:
            message.reply_to = quoted.id
        elif wanted.get("fail_if_not_exists", True):
            form.wrong(("message_reference",), "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")


def form_content(form: Form, content: str, path: tuple[str, ...]) -> None:
    """Check a text outside components."""
    if len(content) > CONTENT_CHARACTERS:
        text = f"Must be {CONTENT_CHARACTERS} or fewer in length."
        form.wrong((*path, "content"), "BASE_TYPE_MAX_LENGTH", text)


def pictures_shown(message: Message) -> int:
    """Count the pictures a person sees in a message: with components those that a component shows, else all."""
    if message.flags & V2:
        return sum(1 for _ in media_of(message.components))
    return len(message.attachments)
