"""The first portrait of a sitting is on its card while the others are drawn: once, and gone where no gallery comes."""

from __future__ import annotations

import dataclasses

import pytest

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.machine import Step
from bots.dialogue.screens.jobs import CancelPressed
from bots.dialogue.session import Session, State
from bots.dialogue.text import LANGUAGES, say
from bots.runtime.event_mapper import event_of
from jobs.queue.events import FirstPortrait, JobEvent
from tests.conversations import NOW, advance, browsing, card_of, enhancing, portrait, waiting, walk

FIRST = FirstPortrait("shoots/1/office-01.jpg", "office", 93.0)
CAME = e.FirstPortraitCame(1, FIRST)


def shown() -> Session:
    return walk(waiting(), e.JobMoved(1, stage="shoot", percent=30), CAME).session


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_it_takes_the_place_of_the_progress_with_a_sentence_and_says_who_made_it(language: str) -> None:
    event = event_of(JobEvent(1, 1, 1, "shoot", "job:1", FIRST))
    assert event == CAME
    (card,) = advance(dataclasses.replace(waiting(), language=language), event, NOW).replies
    assert isinstance(card, fx.Card)
    assert card.slot == "job:1", "the message of the progress, and of the gallery"
    assert [picture.name for picture in card.pictures] == [FIRST.file]
    sentence = say(language, "progress.first")
    assert card.text.splitlines()[0] == sentence
    assert card.pictures[0].alt.splitlines()[0] == sentence
    assert say(language, "gallery.made_by_ai", until="")[:12] in card.text, "no picture without that"
    assert [button.label for row in card.rows for button in row] == [say(language, "button.cancel")]


def test_one_that_is_told_again_changes_nothing() -> None:
    again = e.FirstPortraitCame(1, FirstPortrait("shoots/1/office-02.jpg", "office"))
    for event in (CAME, again):
        assert advance(shown(), event, NOW + 60) == Step(shown(), (), ())


def test_progress_goes_on_below_it() -> None:
    card = card_of(advance(shown(), e.JobMoved(1, stage="shoot", percent=60, eta_s=30.0), NOW + 60))
    assert [picture.name for picture in card.pictures] == [FIRST.file]
    assert "60 %" in card.text
    assert card.throttled


def test_the_gallery_takes_its_place() -> None:
    step = advance(shown(), e.GalleryCame(1, (portrait(12), portrait(11)), drawn=2), NOW + 60)
    assert step.session.state == State.BROWSING
    card = card_of(step)
    assert (card.slot, [picture.name for picture in card.pictures]) == ("job:1", ["shoots/1/12.png"])


@pytest.mark.parametrize("end", [e.JobStopped(1), e.JobFailed(1, "timeout"), e.GalleryCame(1, (), drawn=4)])
def test_a_sitting_that_brings_no_gallery_takes_it_away(end: e.Event) -> None:
    step = advance(shown(), end, NOW + 60)
    card = next(reply for reply in step.replies if isinstance(reply, fx.Card) and reply.slot == "job:1")
    assert card.pictures == ()
    assert advance(step.session, CAME, NOW + 90) == Step(step.session, (), ()), "nor does it come back"


def test_one_that_comes_while_the_sitting_is_stopped_is_not_shown() -> None:
    stopping = walk(waiting(), CancelPressed(1)).session
    assert advance(stopping, CAME, NOW) == Step(stopping, (), ())
    card = card_of(walk(shown(), CancelPressed(1)))
    assert say("en", "progress.first") not in card.text, "no others are being drawn any more"


def test_one_of_another_sitting_or_of_one_that_is_over_is_passed_over() -> None:
    for session in (waiting(), browsing(), enhancing()):
        assert advance(session, e.FirstPortraitCame(7, FIRST), NOW) == Step(session, (), ())
    assert advance(browsing(), CAME, NOW) == Step(browsing(), (), ())
