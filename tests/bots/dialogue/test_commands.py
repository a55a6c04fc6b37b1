"""What is typed after a slash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.dialogue import events as e
from bots.dialogue.commands import COMMANDS, command, said


@pytest.mark.parametrize(
    ("typed", "event"),
    [
        ("/start", e.Started()),
        ("/start style_founder", e.Started("style_founder")),
        ("/report the second one is not me", e.ReportAsked("the second one is not me")),
        ("/report\nthe second one\nis not me", e.ReportAsked("the second one\nis not me")),
        ("/report\tit", e.ReportAsked("it")),
        ("/Report it", e.ReportAsked("it")),
        ("/REPORT", e.ReportAsked("")),
        ("/forget\n", e.ForgetAsked()),
        ("/forget\n\nplease", e.ForgetAsked()),
        ("  /forget", e.ForgetAsked()),
        ("/forgetful", e.Said("/forgetful")),
        ("/weather", e.Said("/weather")),
        ("/", e.Said("/")),
        ("forget", e.Said("forget")),
        ("please /forget", e.Said("please /forget")),
    ],
)
def test_a_command_is_known_by_its_name_whatever_follows_it(typed: str, event: e.Event) -> None:
    assert said(typed) == event


def test_a_command_that_an_adapter_found_is_known_by_its_name() -> None:
    assert command("Report", "\nnot me ") == e.ReportAsked("not me")
    assert command("weather", "") is None


@given(st.text(max_size=60))
def test_any_text_is_a_command_or_words(text: str) -> None:
    assert isinstance(said(text), e.Event)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_is_heard_in_capitals(name: str) -> None:
    assert type(said(f"/{name.upper()}")) is type(said(f"/{name}"))
