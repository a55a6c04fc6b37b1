"""Photos: verdicts, what is said of them, what is said once."""

from __future__ import annotations

import pytest

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.screens.choices import GoPressed, LooksOpened, StylePicked
from bots.dialogue.screens.welcome import Agreed
from bots.dialogue.session import State
from bots.dialogue.text import say
from tests.conversations import DISCORD, browsing, card_of, photo, portrait, stranger, texts, walk, with_photos


def test_a_photo_before_consent_is_not_fetched_and_consent_is_asked_again() -> None:
    step = walk(stranger(), photo(1))
    assert step.effects == ()
    assert step.session.photos == ()
    assert [type(reply) for reply in step.replies] == [fx.Say, fx.Card]
    assert step.replies[0] == fx.Say(say("en", "consent.before_photo"))


def test_a_verdict_says_why_how_many_and_what_is_missing() -> None:
    session = walk(stranger(), Agreed(1), photo(1), photo(2)).session
    good = walk(session, e.PhotoLooked(e.Verdict(1, True), ("turn_left",)))
    (card,) = good.replies[-1:]
    assert isinstance(card, fx.Card)
    assert card.text.startswith("Photo 1: ✓ good, I keep it.")
    assert card.text.endswith("I have 1 good photo. Good; now one with your head turned a little to your left.")
    bad = walk(good.session, e.PhotoLooked(e.Verdict(2, False, "face_small", 39.96, 40.0), ("turn_left",)))
    (card,) = bad.replies[-1:]
    assert isinstance(card, fx.Card)
    assert "Your face is too small in it (39.96 pixels between the eyes, 40 are needed)" in card.text


def test_what_was_mended_on_a_photo_is_said_beside_it() -> None:
    session = walk(stranger(), Agreed(1), photo(1)).session
    looked = e.PhotoLooked(e.Verdict(1, True), notes=("others_cropped", "perspective_undone", "not in this catalogue"))
    (card,) = walk(session, looked).replies[-1:]
    assert isinstance(card, fx.Card)
    assert "it shows only you." in card.text
    assert "taken from very near" in card.text


def test_an_earlier_verdict_that_turns_is_told_and_its_card_put_right() -> None:
    none_of_most = [e.Verdict(number, False, "no_majority", 1, 2) for number in (1, 2)]
    session = walk(
        stranger(), Agreed(1), photo(1), e.PhotoLooked(e.Verdict(1, True)), photo(2),
        e.PhotoLooked(none_of_most[1], others=(none_of_most[0],)), photo(3),
    ).session  # fmt: skip
    assert session.kept == ()
    other = e.Verdict(1, False, "other_person", 0.1, 0.36)
    step = walk(session, e.PhotoLooked(e.Verdict(3, True), others=(other, e.Verdict(2, True))))
    assert [kept.number for kept in step.session.kept] == [2, 3]
    told, stranger_card, older, newest = step.replies[0], step.replies[1], step.replies[2], step.replies[-1]
    assert told == fx.Say("Now that I have seen more of you, photo 2 is good after all: I keep it.")
    assert isinstance(stranger_card, fx.Card)
    assert "somebody else" in stranger_card.text
    assert older == fx.Card("photos:2", "Photo 2: ✓ good, I keep it.", throttled=True)
    assert isinstance(newest, fx.Card)
    assert newest.slot == "photos:3"
    assert "I have 2 good photos" in newest.text


def test_what_is_good_to_know_of_a_set_stands_beside_the_one_thing_to_send_next() -> None:
    looked = e.PhotoLooked(
        e.Verdict(1, True), missing=("smile", "front"), of_set=("glasses_differ", "newer_than_words")
    )
    step = walk(stranger(), Agreed(1), photo(1), looked)
    assert f"{say('en', 'of_set.glasses_differ')} {say('en', 'missing.smile')}" in texts(step)


def test_an_album_of_ten_before_consent_gets_one_answer() -> None:
    """Every photo of an album arrives by itself; so the first one is answered for all of them."""
    session, replies = stranger(), list[fx.Reply]()
    for number in range(1, 11):
        step = walk(session, photo(number, album="a"))
        session, replies = step.session, [*replies, *step.replies]
        assert step.effects == ()
    assert [type(reply) for reply in replies] == [fx.Say, fx.Card]
    assert len(walk(session, photo(11, album="b")).replies) == 2, "the next album is answered again"
    assert len(walk(session, photo(11)).replies) == 2, "and so is a photo by itself"


def test_an_album_that_is_sent_again_gets_one_line() -> None:
    session = walk(with_photos(0), *(photo(number, album="a") for number in range(1, 11))).session
    again: list[fx.Reply] = []
    for number in range(1, 11):
        step = walk(session, photo(number, album="b"))
        session, again = step.session, [*again, *step.replies]
    assert again == [fx.Say(say("en", "photo.twice"))]


def test_an_album_beyond_the_most_there_may_be_gets_one_line() -> None:
    session = with_photos(20)
    said: list[fx.Reply] = []
    for number in range(21, 26):
        step = walk(session, photo(number, album="b"))
        session, said = step.session, [*said, *step.replies]
    assert said == [fx.Say(say("en", "photo.too_many", n=20))]


@pytest.mark.parametrize("kind", ["voice", "sticker", "video", "animation", "dice", "poll", "story", "location",
                                  "contact", "file"])  # fmt: skip
def test_whatever_is_sent_gets_words_of_its_own(kind: str) -> None:
    (reply,) = walk(with_photos(), e.OtherSent(kind)).replies
    assert reply == fx.Say(say("en", f"other.{kind}"))
    others = {say("en", f"other.{other}") for other in ("voice", "sticker", "poll", "file") if other != kind}
    assert reply.text not in others


def test_something_newer_than_the_words_is_answered_too() -> None:
    assert walk(with_photos(), e.OtherSent("hologram")).replies == (fx.Say(say("en", "other.file")),)


def test_a_file_that_turns_out_too_large_is_told_with_the_limit() -> None:
    """Its size was not announced, so it is known only once it is fetched."""
    session = walk(with_photos(0), photo(1)).session
    card = card_of(walk(session, e.PhotoFailed(1, "too_big")))
    assert "larger than I can fetch here: 20 MB are the most" in card.text
    assert "again" not in card.text.splitlines()[0]


def test_an_announced_size_is_held_to_what_the_platform_can_fetch() -> None:
    big = e.PhotoSent("ref", "unique", size_bytes=25_000_000)
    assert walk(with_photos(0), big).effects == ()
    assert "25 MB" in texts(walk(with_photos(0), big))
    assert walk(with_photos(0), big, limits=DISCORD).effects == (fx.Fetch(1, "ref"),)


@pytest.mark.parametrize("why", ["crashed", "fault", "memory", "disk_full", "setup"])
def test_a_fault_of_the_studio_is_not_blamed_on_the_photo(why: str) -> None:
    session = walk(with_photos(0), photo(1)).session
    failed = walk(session, e.PhotoFailed(1, why))
    assert "my fault, not the photo" in card_of(failed).text
    assert walk(failed.session, photo(1)).effects == (fx.Fetch(2, "ref1"),), "the same photo may be sent again"


def test_only_what_is_over_its_days_goes_and_is_named() -> None:
    session = browsing()
    step = walk(session, e.Expired(photos=(1,), counts=(("photos", 1),)))
    assert [left.number for left in step.session.photos] == [2]
    assert step.session.galleries == session.galleries
    assert step.session.state == session.state
    assert "1 photo" in texts(step)
    assert "portrait" not in texts(step).split(chr(10))[1]


def test_a_gallery_over_its_days_goes_with_its_portraits_and_the_photos_stay() -> None:
    step = walk(browsing(), e.Expired(portraits=(11, 12), counts=(("sittings", 1), ("identities", 1))))
    assert step.session.galleries == ()
    assert len(step.session.kept) == 2
    assert step.session.state == State.COLLECTING
    assert "• 1 portrait set\n• 1 trained file" in texts(step)


def test_of_two_galleries_the_older_goes() -> None:
    second = walk(
        browsing(), LooksOpened(), StylePicked("founder", True), GoPressed(2), e.GalleryCame(2, (portrait(21),))
    ).session
    step = walk(second, e.Expired(portraits=(11, 12), counts=(("sittings", 1),)))
    assert [gallery.number for gallery in step.session.galleries] == [2]
    assert step.session.state == State.BROWSING
    again = walk(
        step.session, LooksOpened(), StylePicked("founder", True), GoPressed(3), e.GalleryCame(3, (portrait(31),))
    )
    assert [gallery.number for gallery in again.session.galleries] == [2, 3], "a number is never given twice"


def test_a_trained_file_alone_that_is_over_its_days_changes_nothing_else() -> None:
    session = browsing()
    step = walk(session, e.Expired(counts=(("identities", 1),)))
    assert step.session == session
    assert "1 trained file" in texts(step)
