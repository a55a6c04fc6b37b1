"""What every part of the fake Discord shares: its clock, ids, refusals, and the shapes of users, guilds and channels.

Shapes follow github.com/discord/discord-api-spec, codes and rules github.com/discord/discord-api-docs (both read in
August 2026). The words inside `errors` of a 50035 are not documented: tests rely on the number alone.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

TICK_S = 0.1
EPOCH_MS = 1_420_070_400_000  # 2015-01-01, the first second of a snowflake
TOKEN = "discord.test.token"
APPLICATION = "1100000000000000001"
BOT_NAME = "atelier"
JOINED = "2026-01-01T00:00:00+00:00"
MIB = 1024 * 1024
UPLOAD_LIMITS = {0: 10 * MIB, 1: 10 * MIB, 2: 50 * MIB, 3: 100 * MIB}
"""Bytes of one file by a guild's boost tier; 0 is also a DM's."""

Json = dict[str, Any]


@dataclass
class Clock:
    """Seconds since 1970, moved on by tests that cannot wait. stood_s: how long this process was not let run."""

    offset_s: float = 0.0
    stood_s: float = 0.0

    def now(self) -> float:
        """Return the server's time."""
        return time.time() + self.offset_s

    def running(self) -> float:
        """Return a time that stands still while the machine does: for limits that a bot in this process is held to."""
        return self.now() - self.stood_s

    async def watch(self) -> None:
        """Count how long this process was not let run, until cancelled: what comes late without work of its own."""
        while True:
            before, worked = time.monotonic(), time.process_time()
            await asyncio.sleep(TICK_S)
            late_s = time.monotonic() - before - TICK_S
            self.stood_s += max(0.0, late_s - (time.process_time() - worked))

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.offset_s += seconds


class Snowflakes:
    """Ids that carry the time they were made, as discord.py reads it out of an interaction's."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._numbers = clock, itertools.count(1)

    def next(self) -> str:
        """Return a new id."""
        return str(int(self._clock.now() * 1000) - EPOCH_MS << 22 | next(self._numbers) & 0x3FFFFF)


class Refusal(Exception):
    """A request the real server would not do: HTTP status, JSON code, words, and the form's errors."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(f"{status} {code} {message} {errors or ''}")
        self.status = status
        self.body: Json = {"message": message, "code": code, **({"errors": errors} if errors else {})}


UNKNOWN_CHANNEL = (404, 10003, "Unknown Channel")
UNKNOWN_MESSAGE = (404, 10008, "Unknown Message")
UNKNOWN_USER = (404, 10013, "Unknown User")
UNKNOWN_WEBHOOK = (404, 10015, "Unknown Webhook")
UNKNOWN_INTERACTION = (404, 10062, "Unknown interaction")
TOO_MANY_COMMANDS = (400, 30034, "Max number of daily application command creates has been reached (200)")
TOO_LARGE = (413, 40005, "Request entity too large")
ALREADY_ACKNOWLEDGED = (400, 40060, "Interaction has already been acknowledged.")
MISSING_ACCESS = (403, 50001, "Missing Access")
NOT_YOURS = (403, 50005, "Cannot edit a message authored by another user")
EMPTY_MESSAGE = (400, 50006, "Cannot send an empty message")
DMS_CLOSED = (403, 50007, "Cannot send messages to this user")
MISSING_PERMISSIONS = (403, 50013, "Missing Permissions")
INVALID_WEBHOOK_TOKEN = (401, 50027, "Invalid Webhook Token")
UNAUTHORIZED = (401, 0, "401: Unauthorized")
NOT_FOUND = (404, 0, "404: Not Found")


class Form:
    """Collects what is wrong with a body, and refuses it with 50035 when something is."""

    def __init__(self) -> None:
        self.errors: Json = {}

    def wrong(self, path: tuple[str | int, ...], code: str, message: str) -> None:
        """Note a fault at a place in the body."""
        at = self.errors
        for step in path:
            at = at.setdefault(str(step), {})
        at.setdefault("_errors", []).append({"code": code, "message": message})

    def length(self, path: tuple[str | int, ...], value: Any, least: int, most: int) -> None:
        """Note a text or list that is too short or too long; None is taken as left out."""
        if value is not None and not least <= len(value) <= most:
            self.wrong(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")

    def check(self) -> None:
        """Raise the refusal when anything was noted."""
        if self.errors:
            raise Refusal(400, 50035, "Invalid Form Body", self.errors)


@dataclass(eq=False)
class Guild:
    """A server. bot: the bot is a member, not only somebody's own installation. tier: its boosts, for upload limits."""

    id: str
    name: str = "Team"
    bot: bool = True
    tier: int = 0
    channels: list[Channel] = field(default_factory=list)


@dataclass(eq=False)
class Channel:
    """Where messages are. people: who reads there, by id. guild: None for a DM with the bot."""

    id: str
    guild: Guild | None
    people: set[str]
    name: str = "general"

    @property
    def upload_limit(self) -> int:
        """The most bytes one file may have."""
        return UPLOAD_LIMITS[self.guild.tier if self.guild else 0]


def user_json(id: str, name: str, bot: bool = False) -> Json:
    """Describe a user."""
    return {
        "id": id, "username": name.lower(), "global_name": None if bot else name, "avatar": None,
        "discriminator": "0", "public_flags": 0, "flags": 0, "bot": bot, "primary_guild": None,
        "avatar_decoration_data": None, "collectibles": None,
    }  # fmt: skip


BOT = user_json(APPLICATION, BOT_NAME, bot=True)


def member_json(user: Json) -> Json:
    """Describe a member of a guild."""
    return {
        "user": user, "roles": [], "nick": None, "avatar": None, "banner": None, "joined_at": JOINED,
        "premium_since": None, "deaf": False, "mute": False, "pending": False, "flags": 0,
        "communication_disabled_until": None, "permissions": "2248473465835073",
    }  # fmt: skip


def guild_json(guild: Guild, members: list[Json]) -> Json:
    """Describe a guild as GUILD_CREATE does."""
    everyone = {"id": guild.id, "name": "@everyone", "color": 0, "hoist": False, "position": 0, "managed": False,
                "permissions": "2248473465835073", "mentionable": False, "flags": 0}  # fmt: skip
    return {
        "id": guild.id, "name": guild.name, "icon": None, "splash": None, "discovery_splash": None, "owner_id": "1",
        "afk_channel_id": None, "afk_timeout": 300, "verification_level": 0, "default_message_notifications": 0,
        "explicit_content_filter": 0, "roles": [everyone], "emojis": [], "features": [], "mfa_level": 0,
        "application_id": None, "system_channel_id": None, "system_channel_flags": 0, "rules_channel_id": None,
        "vanity_url_code": None, "description": None, "banner": None, "premium_tier": guild.tier,
        "premium_subscription_count": 0, "preferred_locale": "en-US", "public_updates_channel_id": None,
        "nsfw_level": 0, "premium_progress_bar_enabled": False, "safety_alerts_channel_id": None, "joined_at": JOINED,
        "large": False, "unavailable": False, "member_count": len(members), "voice_states": [], "members": members,
        "channels": [channel_json(channel, None) for channel in guild.channels], "threads": [], "presences": [],
        "stage_instances": [], "guild_scheduled_events": [], "soundboard_sounds": [], "stickers": [],
    }  # fmt: skip


def channel_json(channel: Channel, recipient: Json | None) -> Json:
    """Describe a DM, or a guild's text channel."""
    if channel.guild is None:
        recipients = [recipient] if recipient is not None else []
        return {"id": channel.id, "type": 1, "last_message_id": None, "flags": 0, "recipients": recipients}
    return {
        "id": channel.id, "type": 0, "guild_id": channel.guild.id, "name": channel.name, "position": 0, "flags": 0,
        "parent_id": None, "topic": None, "nsfw": False, "rate_limit_per_user": 0, "last_message_id": None,
        "permission_overwrites": [], "permissions": "2248473465835073",
    }  # fmt: skip


def iso(seconds: float) -> str:
    """Write a time as Discord does."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
