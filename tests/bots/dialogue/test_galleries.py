"""Galleries: leafing, undo and redo, what is gone."""

from __future__ import annotations

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.machine import Step
from bots.dialogue.screens.desk import Tweaked
from bots.dialogue.screens.gallery import Compared, EditRedone, EditUndone, PageOpened
from bots.dialogue.screens.privacy import ForgetConfirmed
from bots.dialogue.session import State
from bots.dialogue.text import say
from tests.conversations import browsing, enhancing, portrait, walk, with_photos


def test_an_edit_that_was_made_before_is_shown_and_not_made_again() -> None:
    edited = walk(enhancing(), e.PortraitCame(2, portrait(21, 91.0, parent=11)))
    assert edited.session.state == State.BROWSING
    again = walk(edited.session, EditUndone(1, 3), Tweaked(1, 1, "warmer"))
    assert again.effects == ()
    card = again.replies[-1]
    assert isinstance(card, fx.Card)
    assert card.pictures[0].name == "shoots/1/21.png"


def test_undo_redo_and_compare_walk_the_tree_without_new_work() -> None:
    session = walk(enhancing(), e.PortraitCame(2, portrait(21, 90.0, parent=11))).session
    shown = [pictured(walk(session, *events)) for events in (
        [PageOpened(1, 1)], [EditUndone(1, 3)], [EditUndone(1, 3), EditRedone(1, 1)], [Compared(1, 3, True)],
    )]  # fmt: skip
    assert shown == ["shoots/1/21.png", "shoots/1/11.png", "shoots/1/21.png", "shoots/1/11.png|shoots/1/21.png"]
    card = walk(session, PageOpened(1, 1)).replies[-1]
    assert isinstance(card, fx.Card)
    assert card.text.splitlines()[:3] == [
        "1/2 · Office · 90 % of your own baseline",
        "Edited: Warmer",
        "The edits cost 3 points of likeness.",
    ]


def pictured(step: Step) -> str:
    card = step.replies[-1]
    assert isinstance(card, fx.Card)
    return card.pictures[0].name


def test_after_a_forget_no_old_button_means_anything() -> None:
    step = walk(browsing(), ForgetConfirmed(), e.Forgotten("{}", ()))
    assert step.session.galleries == ()
    assert step.session.consent == 0
    assert step.session.nonce != "k3f9"


def test_old_buttons_of_a_gone_gallery_answer_well() -> None:
    step = walk(with_photos(), PageOpened(7, 1))
    assert step.replies == (fx.Toast(say("en", "stale.expired")),)
