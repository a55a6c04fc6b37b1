"""What comes in on Discord becomes events; what is nobody's to answer is passed over in silence."""

from __future__ import annotations

import json
from typing import Any, cast

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.dialogue import events as e
from bots.platforms.base import Contact
from bots.platforms.discord.interactions import Interactions
from bots.platforms.discord.updates import Receiver, events_of
from bots.runtime.dispatcher import Dispatcher

NOW = "2026-11-26T12:00:00.000000+00:00"
ANA: dict[str, Any] = {"id": "7", "username": "ana", "discriminator": "0", "avatar": None}


def file(number: int, name: str = "a.jpg", kind: str = "image/jpeg", size: int = 9) -> dict[str, Any]:
    url = f"https://cdn.example/{number}"
    return {"id": str(number), "filename": name, "size": size, "url": url, "proxy_url": url, "content_type": kind}


def raw(**more: Any) -> dict[str, Any]:
    return {
        "id": "50", "channel_id": "5", "type": 0, "content": "", "author": ANA, "attachments": [], "embeds": [],
        "edited_timestamp": None, "timestamp": NOW, "pinned": False, "mention_everyone": False, "tts": False,
        "mentions": [], "mention_roles": [], **more,
    }  # fmt: skip


def message(**more: Any) -> discord.Message:
    state = discord.AutoShardedClient(intents=discord.Intents.none())._connection
    channel = discord.DMChannel._from_message(state, 5)
    return discord.Message(state=state, channel=channel, data=cast("Any", raw(**more)))


class Heard:
    """A dispatcher that notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[Contact, tuple[e.Event | str, ...]]] = []

    async def hear(self, contact: Contact, *events: e.Event | str) -> None:
        self.heard.append((contact, events))


def receiver() -> tuple[Heard, Receiver]:
    heard = Heard()
    return heard, Receiver(cast(Dispatcher, heard), Interactions(), lambda owner, channel: None)


@pytest.mark.parametrize(
    ("words", "event"),
    [
        ("hello", e.Said("hello")),
        ("/start style_founder", e.Started("style_founder")),
        ("/FORGET", e.ForgetAsked()),
        ("please /forget", e.Said("please /forget")),
        ("/weather", e.Said("/weather")),
        ("  ", None),
    ],
)
def test_words_in_the_private_chat_are_commands_or_words(words: str, event: e.Event | None) -> None:
    assert events_of(message(content=words)) == ([] if event is None else [event])


def test_photos_of_one_message_belong_together_and_words_under_them_say_nothing_more() -> None:
    first, second = events_of(message(content="my holidays", attachments=[file(1), file(2, "b.HEIC", "", 12)]))
    assert isinstance(first, e.PhotoSent)
    assert isinstance(second, e.PhotoSent)
    assert (first.album, second.album) == ("50", "50")
    assert (second.unique, second.name, second.size_bytes) == ("2", "b.HEIC", 12)
    assert json.loads(first.ref) == ["https://cdn.example/1", 5, 50, 1]
    (alone,) = events_of(message(attachments=[file(1)]))
    assert isinstance(alone, e.PhotoSent)
    assert alone.album == ""


def test_a_command_under_a_photo_comes_before_it() -> None:
    command, photo = events_of(message(content="/start", attachments=[file(1)]))
    assert command == e.Started()
    assert isinstance(photo, e.PhotoSent)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"attachments": [file(1, "voice-message.ogg", "audio/ogg")]}, "voice"),
        ({"attachments": [file(1, "a.mov", "video/quicktime; codecs=x")]}, "video"),
        ({"attachments": [file(1, "a.zip", "application/zip")]}, "file"),
        ({"sticker_items": [{"id": "3", "name": "wave", "format_type": 1}]}, "sticker"),
    ],
)
def test_what_is_no_photo_is_named(content: dict[str, Any], kind: str) -> None:
    assert events_of(message(**content)) == [e.OtherSent(kind)]


def test_a_forwarded_photo_is_a_photo() -> None:
    inside = {"message": raw(attachments=[file(3)])}
    reference = {"type": 1, "message_id": "40", "channel_id": "4"}
    (photo,) = events_of(message(message_snapshots=[inside], message_reference=reference))
    assert isinstance(photo, e.PhotoSent)
    assert photo.unique == "3"


async def test_a_message_is_answered_at_home_and_known_by_its_number() -> None:
    heard, taking = receiver()
    await taking.message(message(content="hello"))
    ((contact, events),) = heard.heard
    assert contact == Contact("7", "7", "50")
    assert events == (e.Said("hello"),)


@pytest.mark.parametrize(
    "more",
    [
        {"author": {**ANA, "bot": True}, "content": "hello"},
        {"type": 6, "content": ""},  # a message was pinned
        {"type": 3, "content": "call"},
        {"content": ""},
    ],
)
async def test_what_bots_say_and_what_discord_tells_is_passed_over(more: dict[str, Any]) -> None:
    heard, taking = receiver()
    await taking.message(message(**more))
    assert heard.heard == []


async def test_an_edit_is_heard_and_what_discord_adds_to_a_message_is_not() -> None:
    heard, taking = receiver()

    def update(**more: Any) -> discord.RawMessageUpdateEvent:
        data: Any = raw(content="changed", **more)
        return discord.RawMessageUpdateEvent(data, message(content="changed", **more))

    await taking.edited(update())  # a link's preview was added
    assert heard.heard == []
    await taking.edited(update(edited_timestamp=NOW))
    ((contact, events),) = heard.heard
    assert events == (e.Edited(),)
    assert contact.key.startswith("50:"), "told twice it is the same edit"


@given(st.text(max_size=200))
def test_any_words_are_understood_as_something(text: str) -> None:
    assert all(isinstance(event, e.Event) for event in events_of(message(content=text)))


def interaction(**more: Any) -> discord.Interaction[Any]:
    made: Any = {
        "id": str(discord.utils.time_snowflake(discord.utils.utcnow())), "application_id": "2", "type": 2,
        "token": "t", "version": 1, "locale": "es-419", "attachment_size_limit": 10, "user": ANA,
        "data": {"id": "1", "name": "looks", "type": 1}, **more,
    }  # fmt: skip
    state = discord.AutoShardedClient(intents=discord.Intents.none())._connection
    state.user = discord.ClientUser(state=state, data=cast("Any", {**ANA, "id": "2", "bot": True}))
    return discord.Interaction(data=made, state=state)


GROUP = {"type": 3, "id": "5", "last_message_id": None, "recipients": [], "name": None, "icon": None, "owner_id": "7"}


@pytest.mark.parametrize(
    ("where", "at_home"),
    [
        ({"context": 1, "channel": {"type": 1, "id": "5", "recipients": [], "last_message_id": None}}, True),
        ({"context": 2, "channel": GROUP}, False),
        ({"context": 0, "guild_id": "3", "member": {"user": ANA, "roles": [], "joined_at": NOW, "deaf": False,
          "mute": False, "flags": 0, "permissions": "0"}}, False),
    ],
)  # fmt: skip
async def test_only_the_private_chat_with_the_bot_is_home(where: dict[str, Any], at_home: bool) -> None:
    """Elsewhere others may read along, so that answers are for the person's eyes alone."""
    asked = interaction(**where)
    contact = Interactions().begin(asked)
    assert (contact.owner, contact.language, contact.private) == ("7", "es-419", True)
    assert contact.ephemeral is not at_home
    assert (contact.place == "7") is at_home
    assert (contact.home or contact.place) == "7"
    assert contact.key == contact.interaction == str(asked.id)
