"""The retouching desk: two taps deep, strengths in a row, presets, all portraits at once, what it cost, documents."""

from __future__ import annotations

import dataclasses

import pytest

from bots.dialogue import buttons as b
from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.machine import Step
from bots.dialogue.menu import default_menu
from bots.dialogue.screens.desk import (
    AppliedToAll,
    EditsReset,
    MarksAnswered,
    PresetPicked,
    PresetSaved,
    Tweaked,
    TweaksOpened,
)
from bots.dialogue.session import Session, State
from jobs.kinds.enhance import Enhance
from jobs.queue.events import Pictured
from tests.conversations import PLATFORMS, advance, browsing, card_of, enhancing, portrait, press_of, waiting, walk

EDITED = e.PortraitCame(2, portrait(21, 91.0, parent=11))


def presses(card: fx.Card) -> list[list[b.Press]]:
    """Return what each row's buttons carry."""
    found = [[b.decode(button.data) for button in row] for row in card.rows]
    return [[each.press for each in row if isinstance(each, b.Pressed)] for row in found]


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("platform", list(PLATFORMS))
def test_every_edit_is_two_taps_from_the_portrait(platform: str, grey: bool) -> None:
    """Bringing colours back stands on a black and white one's desk alone."""
    limits, seen = PLATFORMS[platform], set[str]()
    shown = e.GalleryCame(1, (dataclasses.replace(portrait(11), grey=grey),), drawn=1)
    opened = advance(walk(waiting(), shown).session, TweaksOpened(1, 1, 1), limits=limits)
    families = [p for row in presses(card_of(opened)) for p in row if isinstance(p, TweaksOpened) and p.page > 1]
    assert len(families) == len(default_menu().families_of("office"))
    for family in families:
        step = advance(opened.session, family, limits=limits)
        for _ in range(12):  # pages of a family that is larger than a message
            seen |= {p.tweak for row in presses(card_of(step)) for p in row if isinstance(p, Tweaked)}
            try:
                step = advance(step.session, press_of(step, "More ▸"), limits=limits)
            except LookupError:
                break
    offered = {
        f"{name}={value}" for _, edits in default_menu().families_of("office") for name, vs in edits for value in vs
    }
    assert seen == offered - (set() if grey else {"in_colour=again"})


def test_strengths_of_an_edit_stand_in_one_row() -> None:
    card = card_of(walk(browsing(), TweaksOpened(1, 1, 2)))
    warmer = next(row for row in card.rows if row[0].label.startswith("Warmer"))
    assert [button.label for button in warmer] == ["Warmer: a touch", "more", "a lot"]


def test_a_drawn_look_offers_what_it_names_and_no_retouch() -> None:
    families = dict(default_menu().families_of("anime"))
    assert "drawn" in families
    assert "retouch" not in families
    assert "format" in families
    assert "drawn" not in dict(default_menu().families_of("office"))


def test_a_preset_is_one_job_and_is_called_by_its_name() -> None:
    step = walk(browsing(), PresetPicked(1, 1, "linkedin"))
    (placed,) = step.effects
    assert isinstance(placed, fx.Place)
    assert isinstance(placed.work, Enhance)
    assert placed.work.tweaks == dict(default_menu().presets)["linkedin"]
    done = walk(step.session, e.PortraitCame(2, portrait(21, 90.0, parent=11)))
    assert "Edited: For LinkedIn" in card_of(done).text
    again = walk(done.session, EditsReset(1, 3), PresetPicked(1, 1, "linkedin"))
    assert again.effects == ()


def test_edits_are_kept_as_a_preset_and_made_again_on_another_portrait() -> None:
    session = walk(enhancing(), EDITED).session
    kept = walk(session, PresetSaved(1, 3))
    assert kept.session.preset == ("warmer",)
    assert any("My preset" in button.label for row in card_of(kept).rows for button in row)
    (placed,) = walk(kept.session, PresetPicked(1, 2, "mine")).effects
    assert isinstance(placed, fx.Place)
    assert placed.work == Enhance(12, ("warmer",))
    assert walk(browsing(), PresetPicked(1, 1, "mine")).effects == ()
    nothing = walk(browsing(), PresetSaved(1, 1))
    assert nothing.session.preset == ()


def test_edits_are_applied_to_all_others_and_the_open_one_stays_open() -> None:
    step = walk(enhancing(), EDITED, AppliedToAll(1, 3))
    (placed,) = step.effects
    assert isinstance(placed, fx.Place)
    assert placed.work == Enhance(12, ("warmer",))
    assert step.session.state is State.ENHANCING
    done = walk(step.session, e.PortraitCame(3, portrait(31, 85.0, parent=12), left_out=1))
    gallery = done.session.gallery
    assert gallery is not None
    assert [gallery.find(number).drawn.id for number in gallery.current] == [21, 31]  # type: ignore[union-attr]
    assert gallery.at == 1
    assert any(isinstance(reply, fx.Toast) and "1 portrait" in reply.text for reply in done.replies)


def test_a_reset_shows_the_first_draw_and_keeps_the_edits_below_it() -> None:
    reset = walk(enhancing(), EDITED, EditsReset(1, 3))
    assert card_of(reset).pictures[0].name == "shoots/1/11.png"
    assert press_of(reset, "↷ Redo")


def edited(**facts: object) -> str:
    shown = dataclasses.replace(portrait(21, 80.0, parent=11), **facts)  # type: ignore[arg-type]
    return card_of(walk(enhancing(), e.PortraitCame(2, shown))).text


def test_an_edit_that_costs_more_than_five_points_says_so_and_offers_its_undo() -> None:
    step = walk(enhancing(), e.PortraitCame(2, Pictured(21, "shoots/1/21.png", "office", None, 11, cost=7.2)))
    assert "This edit cost 7 points of likeness: Undo takes it back." in card_of(step).text
    assert press_of(step, "↶ Undo")
    assert "This edit cost" not in edited(cost=4.9)


def test_a_document_says_whether_it_meets_what_is_asked_and_why_not() -> None:
    assert "it does not meet what is asked, because the mouth is open, glasses are worn." in edited(
        document="us_passport", wrong=("mouth_open", "glasses")
    )
    assert "size, head and backdrop are as asked" in edited(document="us_passport")


# --- moles and scars ---


def with_marks(number: int = 3) -> Session:
    """A gallery whose portrait has moles."""
    came = e.GalleryCame(1, (dataclasses.replace(portrait(11), marks=number),), drawn=1)
    return walk(waiting(), came).session


def made(step: Step) -> tuple[str, ...]:
    return tuple(
        tweak for effect in step.effects if isinstance(effect, fx.Place) and isinstance(effect.work, Enhance)
        for tweak in effect.work.tweaks
    )  # fmt: skip


def question(step: Step) -> str:
    return "".join(reply.text for reply in step.replies if isinstance(reply, fx.Card) and reply.slot == "marks")


def test_the_first_retouch_asks_what_of_moles_and_scars_and_then_goes_on() -> None:
    asked = walk(with_marks(), Tweaked(1, 1, "blemishes=more"))
    assert made(asked) == ()
    assert "3 moles and scars" in question(asked)
    keep = walk(asked.session, press_of(asked, "Keep moles and scars"))
    assert made(keep) == ("blemishes=more",)
    assert keep.session.state is State.ENHANCING
    done = walk(keep.session, e.PortraitCame(2, dataclasses.replace(portrait(21, 92.0, parent=11), marks=3)))
    again = walk(done.session, Tweaked(1, 2, "shine=more"))
    assert made(again) == ("shine=more",)
    assert question(again) == "", "it is asked once"


def test_who_wants_them_out_gets_that_with_the_first_edit_and_not_twice() -> None:
    asked = walk(with_marks(), PresetPicked(1, 1, "linkedin"))
    out = walk(asked.session, press_of(asked, "Remove them"))
    assert made(out) == (*dict(default_menu().presets)["linkedin"], "moles=if_any")
    done = walk(out.session, e.PortraitCame(2, dataclasses.replace(portrait(21, 92.0, parent=11), marks=3)))
    assert "Edited: For LinkedIn" in card_of(done).text
    assert made(walk(done.session, Tweaked(1, 2, "blemishes=more"))) == ("blemishes=more",)


@pytest.mark.parametrize(("marks", "tweak"), [(0, "blemishes=more"), (3, "teeth=more"), (3, "warmer=more")])
def test_nobody_is_asked_where_there_are_none_or_nothing_goes_over_them(marks: int, tweak: str) -> None:
    assert made(walk(with_marks(marks), Tweaked(1, 1, tweak))) == (tweak,)


def test_the_answer_can_be_changed_below_the_retouch_edits() -> None:
    families = [family for family, _ in default_menu().families_of("office")]
    opened = walk(with_marks(), TweaksOpened(1, 1, 2 + families.index("retouch")))
    assert MarksAnswered(1, 1, keep=True) in presses(card_of(opened))[-3] + presses(card_of(opened))[-2]
    changed = walk(opened.session, press_of(opened, "Remove them"))
    assert (changed.session.marks, made(changed)) == ("remove", ())
    assert made(walk(changed.session, Tweaked(1, 1, "redness=more"))) == ("redness=more", "moles=if_any")
