"""The limits of two platforms, and cards at their border: 64-byte and 100-byte buttons, one and ten pictures a card."""

from __future__ import annotations

import dataclasses

import pytest

from bots.dialogue import buttons as b
from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.limits import Limits
from bots.dialogue.menu import Menu, default_menu
from bots.dialogue.screens.choices import DetailPicked, DetailsOpened, LooksOpened
from bots.dialogue.screens.desk import Tweaked, TweaksOpened
from bots.dialogue.screens.gallery import Compared, PageOpened, PastOpened
from bots.dialogue.session import Running, State
from bots.dialogue.text import say
from tests.conversations import (
    DISCORD,
    NOW,
    PLATFORMS,
    TELEGRAM,
    advance,
    browsing,
    card_of,
    enhancing,
    portrait,
    press_of,
    waiting,
    walk,
    with_photos,
)


def big_menu(outfits: int) -> Menu:
    """A menu with more outfits and backdrops than any message has room for, and long names."""
    names = tuple(f"outfit_with_a_name_{i:03d}" for i in range(outfits))
    menu = default_menu()
    details = tuple((name, names if name == "outfit" else values) for name, values in menu.details)
    desk = tuple(
        (family, tuple((name, names if name == "backdrop" else values) for name, values in edits))
        for family, edits in menu.desk
    )
    return dataclasses.replace(menu, details=details, desk=desk)


def size_of(card: fx.Card, limits: Limits) -> int:
    """What of `Limits.components` a card takes."""
    buttons = sum(map(len, card.rows))
    return buttons + (len(card.rows) + 4 if limits.row_counts else 0)


@pytest.mark.parametrize("platform", list(PLATFORMS))
@pytest.mark.parametrize("outfits", [10, 30, 62, 98, 99, 100, 150])
def test_every_choice_can_be_reached_however_many_there_are(platform: str, outfits: int) -> None:
    """Page after page leads round to the first one, and none has more than its platform shows."""
    limits, menu = PLATFORMS[platform], big_menu(outfits)
    step = advance(walk(with_photos(), LooksOpened()).session, DetailsOpened("outfit"), menu=menu, limits=limits)
    seen: set[str] = set()
    for _ in range(outfits):
        card = card_of(step)
        assert size_of(card, limits) <= limits.components
        presses = [b.decode(button.data) for row in card.rows for button in row]
        seen |= {p.press.value for p in presses if isinstance(p, b.Pressed) and isinstance(p.press, DetailPicked)}
        try:
            more = press_of(step, "More ▸")
        except LookupError:
            break
        step = advance(step.session, more, menu=menu, limits=limits)
        if more == DetailsOpened("outfit", 0):
            break
    assert seen == {"", *dict(menu.details)["outfit"]}


@pytest.mark.parametrize("platform", list(PLATFORMS))
def test_every_value_of_an_edit_can_be_reached(platform: str) -> None:
    limits, menu = PLATFORMS[platform], big_menu(60)
    step = walk(enhancing(), e.PortraitCame(2, portrait(21, parent=11)))  # undo, compare and pages are there as well
    step = advance(step.session, TweaksOpened(1, 3, 1), menu=menu, limits=limits)
    step = advance(step.session, press_of(step, "Backdrop"), menu=menu, limits=limits)
    seen: set[str] = set()
    for _ in range(60):
        card = card_of(step)
        assert size_of(card, limits) <= limits.components
        presses = [b.decode(button.data) for row in card.rows for button in row]
        seen |= {p.press.tweak for p in presses if isinstance(p, b.Pressed) and isinstance(p.press, Tweaked)}
        try:
            more = press_of(step, "More ▸")
        except LookupError:
            break
        step = advance(step.session, more, menu=menu, limits=limits)
        if isinstance(more, TweaksOpened) and more.part == 0:
            break
    assert {f"backdrop={value}" for value in dict(menu.tweaks)["backdrop"]} <= seen


@pytest.mark.parametrize("platform", list(PLATFORMS))
def test_every_gallery_can_be_reached_however_many_there_are(platform: str) -> None:
    limits = PLATFORMS[platform]
    session = browsing()
    for job in range(2, 151):
        session = dataclasses.replace(session, jobs=job, state=State.WAITING, running=Running(job, "shoot", NOW))
        session = walk(session, e.GalleryCame(job, (portrait(10 * job),))).session
    step, seen = advance(session, PastOpened(), limits=limits), set[int]()
    for _ in range(150):
        card = card_of(step)
        assert size_of(card, limits) <= limits.components
        presses = [b.decode(button.data) for row in card.rows for button in row]
        seen |= {p.press.gallery for p in presses if isinstance(p, b.Pressed) and isinstance(p.press, PageOpened)}
        step = advance(step.session, press_of(step, "More ▸"), limits=limits)
    assert seen == set(range(1, 151))


def test_a_room_is_filled_to_the_last_block_and_no_further() -> None:
    """At Discord's 40 blocks: four for the message, then each row and each button."""
    for wide in range(1, 6):
        for buttons, rows in ((0, 0), (3, 1), (5, 2)):
            room = DISCORD.room(buttons, rows, wide)
            used = 4 + buttons + rows + room + -(-room // wide)
            assert used <= 40
            one_more = 1 if room % wide else 2  # a button, and where the last row is full a row of its own
            assert used + one_more > 40


def test_looks_are_one_numbered_picture_on_the_card_itself() -> None:
    for limits in (TELEGRAM, DISCORD):
        step = walk(with_photos(), LooksOpened(0, "office"), limits=limits)
        assert [type(reply) for reply in step.replies] == [fx.Unbutton, fx.Card]
        (shown,) = card_of(step).pictures
        assert shown.tiles[0] == "office.jpg"
        assert "1: Office" in shown.alt


def test_an_edit_is_compared_beside_its_first_draw_where_a_card_may_hold_both() -> None:
    session = walk(enhancing(), e.PortraitCame(2, portrait(21, 91.0, parent=11))).session
    here, there = (card_of(walk(session, Compared(1, 3, True), limits=limits)) for limits in (TELEGRAM, DISCORD))
    assert [shown.tiles for shown in here.pictures] == [("shoots/1/11.png", "shoots/1/21.png")]
    assert say("en", "gallery.side_by_side") in here.text
    assert [shown.name for shown in there.pictures] == ["shoots/1/11.png", "shoots/1/21.png"]
    assert say("en", "gallery.side_by_side") in there.text


def test_progress_is_edited_as_often_as_the_platform_allows() -> None:
    def edits(limits: Limits) -> int:
        session, count = waiting(), 0
        for second in range(60):
            moved = e.JobMoved(1, stage="generate", percent=second)
            step = advance(session, moved, NOW + second * 0.2, limits=limits)
            session, count = step.session, count + len(step.replies)
        return count

    assert edits(TELEGRAM) < edits(DISCORD)
    assert edits(dataclasses.replace(TELEGRAM, edit_interval_s=1.0)) == edits(DISCORD)


def test_labels_and_words_are_cut_to_what_is_shown() -> None:
    narrow = dataclasses.replace(DISCORD, label=8, text=40)
    card = card_of(advance(browsing(), LooksOpened(), limits=narrow))
    assert max(len(button.label) for row in card.rows for button in row) == 8
    menu = card_of(advance(with_photos(), e.PrivacyAsked(), limits=narrow))
    assert len(menu.text) == 40
    assert menu.text.endswith("…")
