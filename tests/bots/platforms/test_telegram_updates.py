"""An update becomes events: commands by Telegram's entities, files by what may be in them, silence for what is none."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Message, Update

from bots.dialogue import events as e
from bots.dialogue.text import catalogue
from bots.platforms.base import Contact
from bots.platforms.file_types import may_be_photo
from bots.platforms.telegram.updates import KINDS, Receiver, events_of, readable
from bots.runtime.dispatcher import Dispatcher
from tests.fakes.telegram_person import entities

ME = "atelier_test_bot"


def message(**content: Any) -> Message:
    """Make a private message with the entities that clients send."""
    for words, found in (("text", "entities"), ("caption", "caption_entities")):
        if words in content:
            content[found] = entities(content[words])
    who = {"id": 7, "is_bot": False, "first_name": "Ana"}
    raw = {"message_id": 1, "date": 1_790_000_000, "chat": {"id": 7, "type": "private"}, "from": who, **content}
    made = Update.de_json({"update_id": 1, "message": raw}).message
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("words", "event"),
    [
        ("/report it is\nnot me", e.ReportAsked("it is\nnot me")),
        ("/report\nnot me", e.ReportAsked("not me")),
        ("/Report not me", e.ReportAsked("not me")),
        ("/forget\n", e.ForgetAsked()),
        ("/FORGET", e.ForgetAsked()),
        ("/help@Atelier_Test_Bot", e.HelpAsked()),
        ("/start style_founder", e.Started("style_founder")),
        ("/help@other_bot", e.Said("/help@other_bot")),
        ("/weather", e.Said("/weather")),
        ("please /forget", e.Said("please /forget")),
        ("/forget-me-not", e.ForgetAsked()),  # clients mark `/forget` in it
        ("😀 /forget", e.Said("😀 /forget")),
    ],
)
def test_commands_are_what_telegram_marks_at_the_beginning(words: str, event: e.Event) -> None:
    assert events_of(message(text=words), ME) == [event]


def test_words_that_look_like_a_command_and_are_not_marked_are_words() -> None:
    plain = message(text="/forget")
    assert events_of(Message(1, plain.date, plain.chat, from_user=plain.from_user, text="/forget"), ME) == [
        e.Said("/forget")
    ]


def test_a_caption_s_command_comes_before_the_photo() -> None:
    photo = [{"file_id": "f", "file_unique_id": "u", "width": 90, "height": 90}]
    command, sent = events_of(message(photo=photo, caption="/start\nhere"), ME)
    assert command == e.Started("here")
    assert isinstance(sent, e.PhotoSent)
    (only,) = events_of(message(photo=photo, caption="my holidays"), ME)
    assert isinstance(only, e.PhotoSent)


@pytest.mark.parametrize(
    ("name", "mime", "looked_at"),
    [
        ("IMG_1.HIF", "application/octet-stream", True),
        ("a.jfif", "", True),
        ("a.jpe", "application/octet-stream", True),
        ("", "application/octet-stream", True),
        ("", "", True),
        ("photo", "", True),
        ("IMG_1.DNG", "image/x-adobe-dng", True),
        ("a.jpg", "application/octet-stream", True),
        ("a.zip", "application/octet-stream", False),
        ("a.pdf", "application/pdf", False),
        ("a.mov", "", False),
        ("holiday.jpg", "video/mp4", False),
    ],
)
def test_a_file_is_looked_at_unless_its_type_or_name_says_otherwise(name: str, mime: str, looked_at: bool) -> None:
    assert may_be_photo(mime, name) == looked_at


@pytest.mark.parametrize(
    "content",
    [
        {"dice": {"emoji": "🎲", "value": 3}},
        {"location": {"longitude": 1.0, "latitude": 2.0}},
        {"contact": {"phone_number": "1", "first_name": "Ben"}},
        {"venue": {"location": {"longitude": 1.0, "latitude": 2.0}, "title": "x", "address": "y"}},
        {"story": {"chat": {"id": 9, "type": "private"}, "id": 1}},
        {"poll": {"id": "1", "question": "?", "options": [], "total_voter_count": 0, "is_closed": False,
                  "is_anonymous": True, "type": "regular", "allows_multiple_answers": False,
                  "allows_revoting": True, "members_only": False}},
        {"video_note": {"file_id": "f", "file_unique_id": "u", "length": 1, "duration": 1}},
    ],
)  # fmt: skip
def test_everything_else_is_answered(content: dict[str, Any]) -> None:
    """Each with the word that its sentence is found by."""
    (event,) = events_of(message(**content), ME)
    kind = next(iter(content))
    assert event == e.OtherSent({"venue": "location", "video_note": "video"}.get(kind, kind))
    assert f"other.{event.kind}" in catalogue("en")


@pytest.mark.parametrize("content", [{"pinned_message": None}, {"new_chat_title": "x"}, {"delete_chat_photo": True}])
def test_service_messages_are_passed_over(content: dict[str, Any]) -> None:
    assert events_of(message(**content), ME) == []


class Heard:
    """Stands where the dispatcher is; notes what it is told."""

    def __init__(self) -> None:
        self.contacts: list[Contact] = []
        self.events: list[e.Event | str] = []

    async def hear(self, contact: Contact, *events: e.Event | str) -> None:
        self.contacts.append(contact)
        self.events += events


async def heard(**update: Any) -> Heard:
    """Let a receiver take an update."""
    there = Heard()
    taken = Update.de_json({"update_id": 1, **update})
    await Receiver(cast(Dispatcher, there), ME).take(taken)
    return there


async def test_an_edit_without_content_is_silent() -> None:
    """A live location that moves is an edited message, every few seconds."""
    moved = message(location={"longitude": 1.0, "latitude": 2.0, "live_period": 900}).to_dict()
    assert (await heard(edited_message=moved)).events == []
    assert (await heard(edited_message=message(text="I meant this").to_dict())).events == [e.Edited()]


async def test_a_press_is_handed_on_whatever_it_lacks() -> None:
    """A button under an inline message has no chat; one of a game has no data. Each spins until it is acknowledged."""
    query = {"id": "5", "from": {"id": 7, "is_bot": False, "first_name": "Ana"}, "chat_instance": "1"}
    for more in ({"inline_message_id": "x", "data": "1go:a:b:1"}, {"game_short_name": "chess"}):
        there = await heard(callback_query={**query, **more})
        assert [(c.owner, c.place, c.interaction) for c in there.contacts] == [("7", "7", "5")]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(number=st.integers(0, 2**31), kind=st.sampled_from(KINDS), body=_JSON)
def test_whatever_comes_can_be_read_or_is_replaced(number: int, kind: str, body: Any) -> None:
    assert Update.de_json(readable({"update_id": number, kind: body})).update_id == number
