"""From consent to Go."""

from __future__ import annotations

import dataclasses

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.menu import default_menu
from bots.dialogue.screens.choices import (
    DetailPicked,
    DetailsOpened,
    GoPressed,
    LooksOpened,
    PurposePicked,
    StylePicked,
)
from bots.dialogue.session import State
from jobs.kinds.shoot import Shoot
from tests.conversations import NOW, advance, browsing, card_of, photo, portrait, press_of, stranger, walk, with_photos


def test_the_first_picture_is_at_most_six_taps_away() -> None:
    step = walk(stranger(), e.Started())
    presses = 0
    for words in ("I agree", "looks", "At work", "Office", "Business", "Go"):
        if words == "looks":  # photos are sent, not tapped
            step = walk(
                step.session,
                photo(1, "a"),
                photo(2, "a"),
                e.PhotoLooked(e.Verdict(1, True)),
                e.PhotoLooked(e.Verdict(2, True)),
            )
        step = advance(step.session, press_of(step, words), NOW)
        presses += 1
    assert presses <= 6
    assert step.session.state == State.WAITING
    (placed,) = step.effects
    assert isinstance(placed, fx.Place)
    assert isinstance(placed.work, Shoot)
    assert placed.work.photos == ("photos/1", "photos/2")
    assert (placed.work.styles, placed.work.purpose) == (("office",), "business")


def test_another_look_needs_no_new_photos_and_no_new_training() -> None:
    step = walk(browsing(), LooksOpened(), StylePicked("founder", True), GoPressed(2))
    (placed,) = step.effects
    assert isinstance(placed, fx.Place)
    assert isinstance(placed.work, Shoot)
    assert placed.work.photos == ("photos/1", "photos/2")  # the same set: the job queue finds what was learnt of it


def test_own_clothes_come_first_where_a_photo_shows_them_and_last_where_none_does() -> None:
    for notes, place in ((("own_clothes",), 0), ((), -1)):
        looked = e.PhotoLooked(e.Verdict(1, True), notes=notes)
        step = walk(stranger(), e.Started())
        step = advance(step.session, press_of(step, "I agree"), NOW)
        step = walk(step.session, photo(1, "a"), looked, DetailsOpened("outfit"))
        words: list[str] = []
        for page in range(9):
            step = walk(step.session, DetailsOpened("outfit", page))
            words += [button.label.lstrip("✓ 0123456789") for row in card_of(step).rows for button in row]
        named = [
            word for word in words if word in ("Your own clothes", "Charcoal suit, burgundy tie", "Grey crew neck")
        ]
        assert list(dict.fromkeys(named))[place] == "Your own clothes"


def test_families_come_first_and_lead_to_their_looks_with_numbered_pictures() -> None:
    families = walk(with_photos(), LooksOpened())
    card = card_of(families)
    assert [picture.name.startswith("sheet-") for picture in card.pictures] == [True]
    assert len(card.pictures[0].tiles) == len(default_menu().families)
    opened = card_of(advance(families.session, press_of(families, "1 At work"), NOW))
    shown = default_menu().suited_to("").page("office", 0)
    assert opened.pictures[0].tiles == tuple(look.preview for look in shown)
    labels = [button.label for row in opened.rows for button in row]
    assert labels[: len(shown)] == [f"{n} {look.title}" for n, look in enumerate(shown, start=1)]
    assert "◂ All looks" in labels


def test_every_look_is_reached_through_its_family() -> None:
    menu, seen = default_menu(), set()
    for family in menu.families:
        for page in range(menu.pages(family)):
            step = walk(with_photos(), LooksOpened(page, family))
            seen |= {
                look.id for look in menu.looks if any(look.title in b.label for r in card_of(step).rows for b in r)
            }
    assert seen == {look.id for look in menu.looks}


def test_what_fits_the_purpose_stands_first_and_nothing_is_lost() -> None:
    menu = default_menu()
    for purpose in menu.purposes:
        suited = menu.suited_to(purpose)
        assert {look.id for look in suited.looks} == {look.id for look in menu.looks}
        with_some = [any(purpose in look.purposes for look in suited.family(family)) for family in suited.families]
        assert with_some == sorted(with_some, reverse=True)
        for family in suited.families:
            fits = [purpose in look.purposes for look in suited.family(family)]
            assert fits == sorted(fits, reverse=True)
    assert menu.suited_to("").families == menu.suited_to("job").families


def test_a_purpose_changes_which_looks_a_family_shows_first() -> None:
    step = walk(with_photos(), PurposePicked("job"), LooksOpened(0, "office"))
    titles = [look.title for look in default_menu().suited_to("job").page("office", 0)]
    labels = [button.label for row in card_of(step).rows for button in row]
    assert labels[: len(titles)] == [f"{number} {title}" for number, title in enumerate(titles, start=1)]
    fitting = sum("job" in look.purposes for look in default_menu().family("office"))
    assert 0 < fitting < len(titles)
    assert f"Job search: the first {fitting} fit best." in card_of(step).text
    last = titles[-1]
    picked = advance(step.session, press_of(step, last), NOW)
    assert any(f"✓ {len(titles)} {last}" in button.label for row in card_of(picked).rows for button in row)


def test_a_family_with_one_look_picks_it_at_once() -> None:
    menu = default_menu()
    alone = dataclasses.replace(menu, looks=tuple(look for look in menu.looks if look.id in ("office", "founder")))
    step = advance(with_photos(), LooksOpened(), NOW, menu=alone)
    step = advance(step.session, press_of(step, "At work"), NOW, menu=alone)
    assert step.session.styles == ("office",)
    assert [picture.name for picture in card_of(step).pictures] == ["office.jpg"]


def test_a_surprise_picks_looks_for_the_purpose_and_another_press_picks_others() -> None:
    menu = default_menu()
    step = walk(with_photos(), LooksOpened(), PurposePicked("job"))
    seen = set()
    for _ in range(12):
        step = advance(step.session, press_of(step, "Surprise me"), NOW)
        styles = step.session.styles
        assert 1 <= len(set(styles)) == len(styles) <= 2
        assert all("job" in menu.look(style).purposes and menu.look(style).family != "drawn" for style in styles)
        seen.add(styles)
    assert len(seen) > 2
    assert any("Go" in button.label for row in card_of(step).rows for button in row)


def test_the_last_sitting_is_ordered_again_with_one_press() -> None:
    first = walk(with_photos(), LooksOpened(), StylePicked("office", True), DetailPicked("backdrop", "park"))
    done = walk(first.session, GoPressed(1), e.GalleryCame(1, (portrait(11),), drawn=1), LooksOpened())
    assert done.session.styles == ()
    again = advance(done.session, press_of(done, "As last time"), NOW)
    assert again.session.styles == ("office",)
    assert again.session.details == (("backdrop", "park"),)


def test_outfits_colours_backdrops_and_lights_are_chosen_by_pictures() -> None:
    for detail in ("outfit", "colour", "backdrop", "light"):
        values, seen = dict(default_menu().details)[detail], set()
        for page in range(9):
            card = card_of(walk(with_photos(), LooksOpened(), DetailsOpened(detail, page)))
            (picture,) = card.pictures
            tiles = picture.tiles or (picture.name,)
            seen |= {tile.removeprefix(f"{detail}-").removesuffix(".jpg") for tile in tiles}
            labels = [button.label.removeprefix("✓ ") for row in card.rows for button in row]
            assert [label[0] for label in labels if label[0].isdigit()] == [str(n + 1) for n in range(len(tiles))]
        assert seen == set(values) - {"own"}
