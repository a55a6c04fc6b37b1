"""Sittings and edits under way: once, told seldom, ended well."""

from __future__ import annotations

import dataclasses

import pytest

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.machine import Step
from bots.dialogue.menu import default_menu
from bots.dialogue.screens.choices import GoPressed, LooksOpened, StylePicked
from bots.dialogue.session import Session, State
from bots.dialogue.text import LANGUAGES, say
from bots.runtime.event_mapper import event_of
from jobs.queue.events import Done, JobEvent
from tests.conversations import NOW, advance, browsing, enhancing, portrait, texts, waiting, walk, with_photos


def test_double_taps_order_once() -> None:
    session = walk(with_photos(), LooksOpened(), StylePicked("office", True)).session
    first = advance(session, GoPressed(1), NOW)
    second = advance(first.session, GoPressed(1), NOW)
    assert len(first.effects) == 1
    assert second.session == first.session
    assert second.effects == ()
    late = walk(browsing(), GoPressed(1))
    assert late.effects == ()
    assert late.replies == (fx.Toast(say("en", "go.already")),)


def test_without_a_baseline_the_card_says_so() -> None:
    step = walk(waiting(), e.GalleryCame(1, (portrait(11, None),)))
    card = step.replies[0]
    assert isinstance(card, fx.Card)
    assert "no baseline yet" in card.text


def test_the_counts_are_told() -> None:
    step = walk(waiting(), e.GalleryCame(1, (portrait(11),), 8, (("not_them", 6), ("soft", 1)), "did_not_help", 3.6))
    said = step.replies[1]
    assert isinstance(said, fx.Say)
    assert said.text.splitlines() == [
        "Your portrait is ready. Tap here to see it.",
        "I made 8 and left 7 out:",
        "• not enough like you: 6",
        "• not sharp: 1",
        "I trained on your photos, but on one it had not seen it changed only 4 %: too little to help, "
        "so I did not use it.",
    ]


@pytest.mark.parametrize("language", list(LANGUAGES))
@pytest.mark.parametrize(
    ("reason", "gain", "key"),
    [
        ("helped", 31.2, "helped_by"),
        ("helped", None, "helped"),
        ("did_not_help", 3.6, "did_not_help_by"),
        ("did_not_help", -40.0, "did_not_help"),
        ("one_photo", None, "one_photo"),
        ("no_proof", None, "no_proof"),
        ("photos_sharp", None, "photos_sharp"),
        ("nothing_to_learn_from", None, "nothing_to_learn_from"),
        ("not_asked", None, ""),
        ("a_newer_word", 5.0, ""),
    ],
)
def test_what_training_came_to_is_told_from_the_manifest(
    language: str, reason: str, gain: float | None, key: str
) -> None:
    """Nothing is said where nobody trained; every other outcome has its sentence."""
    facts = {"drawn": 1, "training": {"used": reason == "helped", "reason": reason, "gain_percent": gain}}
    event = event_of(JobEvent(1, 1, 1, "shoot", "job:1", Done((portrait(11),), facts)))
    assert event is not None
    step = advance(dataclasses.replace(waiting(), language=language), event, NOW)
    said = step.replies[1]
    assert isinstance(said, fx.Say)
    told = said.text.splitlines()[1:]
    assert told == ([say(language, f"training.{key}", percent=round(gain or 0))] if key else [])


def test_a_sitting_without_one_good_portrait_says_so_and_leads_back_to_the_looks() -> None:
    step = walk(waiting(), e.GalleryCame(1, (), drawn=4, dropped=(("not_them", 4),)))
    assert step.session.state == State.CHOOSING
    card, again = step.replies
    assert isinstance(card, fx.Card)
    assert card.text.startswith("None of the portraits was enough like you")
    assert isinstance(again, fx.Card)
    assert again.slot == "looks"


def test_a_gallery_that_comes_twice_is_shown_once() -> None:
    came = e.GalleryCame(1, (portrait(11),))
    step = walk(waiting(), came)
    again = advance(step.session, came, NOW + 9)
    assert again == Step(step.session, (), ())


def test_progress_is_edited_on_changes_only_and_seldom() -> None:
    session, edits = waiting(), 0
    for second in range(60):
        step = advance(session, e.JobMoved(1, stage="generate", percent=second), NOW + second * 0.2)
        edits += len(step.replies)
        session = step.session
    assert 2 <= edits <= 5


def test_the_percent_never_goes_back_not_even_when_an_order_begins_anew_on_another_machine() -> None:
    session = waiting()
    for second, percent in enumerate((10, 40, 5, 45)):
        session = advance(session, e.JobMoved(1, stage=f"s{second}", percent=percent), NOW + 10 * second).session
        assert session.running is not None
        assert session.running.percent == max((10, 40, 5, 45)[: second + 1])


def test_a_quick_edit_leaves_no_card_behind_and_a_slow_one_reports() -> None:
    session = enhancing()
    assert advance(session, e.JobMoved(2, stage="enhance"), NOW + 2).replies == ()
    (card,) = advance(session, e.JobMoved(2, stage="enhance"), NOW + 12).replies
    assert isinstance(card, fx.Card)
    assert card.text.startswith("Your edit")


def test_a_quota_is_told_before_go_kept_for_a_day_and_counts_only_sittings_that_brought_portraits() -> None:
    menu = default_menu(1)

    def heard(session: Session, event: e.Event, at: float) -> Step:
        return advance(session, event, at, menu)

    step = heard(heard(with_photos(), LooksOpened(), NOW).session, StylePicked("office", True), NOW)
    assert say("en", "looks.quota", n=1, of=1) in texts(step)
    failed = heard(heard(step.session, GoPressed(1), NOW).session, e.JobFailed(1, "timeout"), NOW + 9)
    done = heard(heard(failed.session, GoPressed(2), NOW + 10).session, e.GalleryCame(2, (portrait(11),)), NOW + 60)
    chosen = heard(heard(done.session, LooksOpened(), NOW + 90).session, StylePicked("office", True), NOW + 91)
    assert say("en", "looks.quota", n=0, of=1) in texts(chosen)
    refused = heard(chosen.session, GoPressed(3), NOW + 92)
    assert refused.session == chosen.session
    assert refused.effects == ()
    assert "about 24 hours" in texts(refused)
    assert len(heard(chosen.session, GoPressed(3), NOW + 60 + 86_400).effects) == 1
