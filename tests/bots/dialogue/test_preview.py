"""The preview of an edit is on its gallery while the whole is made: once, and gone however the edit ends."""

from __future__ import annotations

import dataclasses

import pytest

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.machine import Step
from bots.dialogue.screens.gallery import AvatarAsked, PageOpened
from bots.dialogue.screens.jobs import CancelPressed
from bots.dialogue.screens.privacy import ForgetConfirmed
from bots.dialogue.session import Session, State
from bots.dialogue.text import LANGUAGES, say
from bots.runtime.event_mapper import event_of
from jobs.queue.events import JobEvent, Preview
from tests.conversations import NOW, advance, browsing, card_of, enhancing, portrait, waiting, walk

FILE = "shoots/2/preview.jpg"
CAME = e.PreviewCame(2, FILE)
WHOLE = e.PortraitCame(2, portrait(21, 91.0, parent=11))


def shown() -> Session:
    return walk(enhancing(), CAME).session


def gallery_of(step: Step) -> fx.Card:
    """The last state of the gallery's message."""
    return [reply for reply in step.replies if isinstance(reply, fx.Card) and reply.slot == "job:1"][-1]


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_it_takes_the_portrait_s_place_with_a_sentence_that_names_the_edit_and_says_who_made_it(language: str) -> None:
    event = event_of(JobEvent(1, 1, 9, "enhance", "job:2", Preview(FILE)))
    assert event == CAME
    card = card_of(advance(dataclasses.replace(enhancing(), language=language), event, NOW))
    assert card.slot == "job:1", "the message of the gallery, whose buttons stay"
    assert card.rows
    assert [picture.name for picture in card.pictures] == [FILE]
    sentence = say(language, "tweak.preview", tweak=say(language, "tweak.warmer"))
    assert card.text.splitlines()[0] == sentence
    assert card.pictures[0].alt == card.text
    assert say(language, "gallery.made_by_ai", until="")[:12] in card.text, "no picture without that"
    assert card.throttled, "it may be passed over when the whole is there before it could be shown"


def test_the_whole_picture_takes_its_place() -> None:
    step = advance(shown(), WHOLE, NOW)
    card = gallery_of(step)
    assert [picture.name for picture in card.pictures] == ["shoots/1/21.png"]
    assert not card.throttled
    assert FILE not in str(step.session)


@pytest.mark.parametrize("end", [e.JobFailed(2, "outfit_sits_badly"), e.JobStopped(2)])
def test_an_edit_that_comes_to_nothing_brings_the_portrait_back(end: e.Event) -> None:
    step = advance(shown(), end, NOW)
    assert step.session.state is State.BROWSING
    assert [picture.name for picture in gallery_of(step).pictures] == ["shoots/1/11.png"]
    assert advance(step.session, CAME, NOW) == Step(step.session, (), ()), "nor does it come back"


def test_stopping_brings_the_portrait_back_at_once_and_a_late_preview_is_not_shown() -> None:
    step = advance(shown(), CancelPressed(2), NOW)
    assert [picture.name for picture in gallery_of(step).pictures] == ["shoots/1/11.png"]
    stopping = walk(enhancing(), CancelPressed(2)).session
    assert advance(stopping, CAME, NOW) == Step(stopping, (), ())


def test_it_is_on_its_own_page_alone() -> None:
    other = advance(shown(), PageOpened(1, 2), NOW)
    assert [picture.name for picture in gallery_of(other).pictures] == ["shoots/1/12.png"]
    back = advance(other.session, PageOpened(1, 1), NOW)
    assert [picture.name for picture in gallery_of(back).pictures] == [FILE]
    failed = advance(other.session, e.JobFailed(2, "timeout"), NOW)
    assert not any(isinstance(reply, fx.Card) and reply.slot == "job:1" for reply in failed.replies), "it is not there"
    elsewhere = walk(enhancing(), PageOpened(1, 2)).session
    assert advance(elsewhere, CAME, NOW).replies == ()


def test_one_that_is_told_again_changes_nothing_nor_does_one_of_another_job() -> None:
    for event in (CAME, e.PreviewCame(2, "shoots/2/other.jpg"), e.PreviewCame(7, FILE)):
        assert advance(shown(), event, NOW + 60) == Step(shown(), (), ())
    for session in (browsing(), waiting(), walk(browsing(), AvatarAsked(1, 1)).session):
        assert advance(session, CAME, NOW).replies == ()


def test_forgetting_while_it_is_shown_shows_nothing_more() -> None:
    step = walk(shown(), ForgetConfirmed())
    assert step.session.state is State.LEAVING
    assert any(isinstance(effect, fx.Forget) for effect in step.effects)
    assert advance(step.session, CAME, NOW).replies == ()
    assert not any(isinstance(reply, fx.Card) and reply.pictures for reply in step.replies)


def test_an_edit_that_was_done_before_it_could_be_stopped_leaves_no_word_of_stopping() -> None:
    step = walk(enhancing(), CancelPressed(2), WHOLE)
    (card,) = (reply for reply in step.replies if isinstance(reply, fx.Card) and reply.slot == "edit:2")
    assert card.text == say("en", "tweak.done")
