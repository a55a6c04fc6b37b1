"""The dialogue: every state and event, any order of events, and the buttons between."""

from __future__ import annotations

import dataclasses
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bots.dialogue import buttons as b
from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.context import new_session
from bots.dialogue.handlers.photos import photo_file
from bots.dialogue.machine import ANYWHERE, HANDLERS, TRANSITIONS, Step, advance, drawing
from bots.dialogue.menu import Menu, default_menu
from bots.dialogue.screens import cards
from bots.dialogue.session import Photo, Running, Session, State, from_json, to_json
from bots.dialogue.text import LANGUAGES, catalogue, duration, say
from bots.runtime.event_mapper import event_of
from jobs.kinds.shoot import Shoot
from jobs.queue.events import Done, JobEvent, Pictured

NOW = 1_800_000_000.0


def walk(session: Session, *events: e.Event, now: float = NOW) -> Step:
    """Advance through events and return the last step."""
    step = Step(session, (), ())
    for event in events:
        step = advance(step.session, event, now)
    return step


def photo(number: int, album: str = "") -> e.PhotoSent:
    return e.PhotoSent(ref=f"ref{number}", unique=f"unique{number}", album=album)


def portrait(number: int, percent: float | None = 93.0, parent: int | None = None) -> Pictured:
    return Pictured(number, f"shoots/1/{number}.png", "office", percent, parent)


def with_photos(n: int = 2) -> Session:
    events: list[e.Event] = [b.Agreed(cards.CONSENT_VERSION)]
    for number in range(1, n + 1):
        events += [photo(number), e.PhotoLooked(e.Verdict(number, True))]
    return walk(new_session("1f", "k3f9"), *events).session


def waiting() -> Session:
    return walk(with_photos(), b.LooksOpened(), b.StylePicked("office", True), b.GoPressed(1)).session


def browsing() -> Session:
    return walk(waiting(), e.GalleryCame(1, (portrait(11), portrait(12, 88.0)), drawn=4)).session


def enhancing() -> Session:
    return walk(browsing(), b.Tweaked(1, 1, "warmer")).session


SESSIONS = {
    State.WELCOME: lambda: new_session("1f", "k3f9"),
    State.COLLECTING: with_photos,
    State.CHOOSING: lambda: walk(with_photos(), b.LooksOpened()).session,
    State.WAITING: waiting,
    State.BROWSING: browsing,
    State.ENHANCING: enhancing,
    State.LEAVING: lambda: walk(browsing(), b.ForgetConfirmed()).session,
}
SAMPLES: dict[type[e.Event], e.Event] = {
    e.Started: e.Started("style_founder"),
    e.PhotoSent: photo(9),
    e.Said: e.Said("hello"),
    e.OtherSent: e.OtherSent("voice"),
    e.ReportAsked: e.ReportAsked("not me"),
    e.StaleButton: e.StaleButton("old"),
    b.Agreed: b.Agreed(cards.CONSENT_VERSION),
    b.KeepPicked: b.KeepPicked(7),
    b.LanguagePicked: b.LanguagePicked("es"),
    b.PhotoUndone: b.PhotoUndone(2),
    b.LooksOpened: b.LooksOpened(),
    b.PreviewsAsked: b.PreviewsAsked(0),
    b.StylePicked: b.StylePicked("founder", True),
    b.PurposePicked: b.PurposePicked("business"),
    b.DetailsOpened: b.DetailsOpened("outfit"),
    b.DetailPicked: b.DetailPicked("outfit", "navy_suit"),
    b.GoPressed: b.GoPressed(1),
    b.CancelPressed: b.CancelPressed(1),
    b.PageOpened: b.PageOpened(1, 2),
    b.Favoured: b.Favoured(1, 1, True),
    b.TweaksOpened: b.TweaksOpened(1, 1, 1),
    b.Tweaked: b.Tweaked(1, 1, "cooler"),
    b.EditUndone: b.EditUndone(1, 1),
    b.EditRedone: b.EditRedone(1, 1),
    b.Compared: b.Compared(1, 1, True),
    b.FilesAsked: b.FilesAsked(1, 1, "all"),
    b.AvatarAsked: b.AvatarAsked(1, 1),
    e.PhotoFailed: e.PhotoFailed(1, "gone"),
    e.PhotoLooked: e.PhotoLooked(e.Verdict(1, False, "blurred", 0.1, 0.3)),
    e.JobMoved: e.JobMoved(1, place=3),
    e.GalleryCame: e.GalleryCame(1, (portrait(11),)),
    e.PortraitCame: e.PortraitCame(2, portrait(21, parent=11)),
    e.JobFailed: e.JobFailed(1, "timeout"),
    e.JobStopped: e.JobStopped(1),
    e.Forgotten: e.Forgotten("{}", (("photos", 2),)),
}


def sample(kind: type[e.Event]) -> e.Event:
    return SAMPLES.get(kind) or kind()


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("kind", list(HANDLERS), ids=lambda kind: kind.__name__)
def test_every_state_and_event_either_moves_as_the_table_says_or_changes_nothing(
    state: State, kind: type[e.Event]
) -> None:
    session = SESSIONS[state]()
    assert session.state == state
    event = sample(kind)
    targets = TRANSITIONS[state].get(kind, ANYWHERE.get(kind))
    after = advance(session, event, NOW + 60)
    if targets is None:
        assert after.session == session
        assert after.effects == ()
        assert bool(after.replies) == isinstance(event, b.Press), "people are answered, news is passed over in silence"
    else:
        assert after.session.state in {state, *targets}
    assert from_json(to_json(after.session)) == after.session


def test_every_event_is_handled_and_every_row_of_the_table_is_an_event() -> None:
    rows = {kind for row in TRANSITIONS.values() for kind in row} | set(ANYWHERE)
    assert rows == set(HANDLERS)
    assert set(b.PRESSES.values()) <= rows


def test_a_photo_before_consent_is_not_fetched_and_consent_is_asked_again() -> None:
    step = walk(new_session("1f", "k3f9"), photo(1))
    assert step.effects == ()
    assert step.session.photos == ()
    assert [type(reply) for reply in step.replies] == [fx.Say, fx.Card]
    assert step.replies[0] == fx.Say(say("en", "consent.before_photo"))


def test_the_first_picture_is_at_most_six_taps_away() -> None:
    step = walk(new_session("1f", "k3f9"), e.Started())
    presses = 0
    for words in ("I agree", "looks", "Office", "Business", "Go"):
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


def press_of(step: Step, label: str) -> b.Press:
    """Press the button with that label that the step put on screen."""
    for reply in step.replies:
        for row in getattr(reply, "rows", ()):
            for button in row:
                if label in button.label:
                    pressed = b.decode(button.data)
                    assert isinstance(pressed, b.Pressed)
                    return pressed.press
    raise LookupError(f"no {label!r} in {step.replies}")


def test_a_verdict_says_why_how_many_and_what_is_missing() -> None:
    session = walk(new_session("1f", "k3f9"), b.Agreed(1), photo(1), photo(2)).session
    good = walk(session, e.PhotoLooked(e.Verdict(1, True), ("turn_left",)))
    (card,) = good.replies[-1:]
    assert isinstance(card, fx.Card)
    assert card.text.startswith("Photo 1: ✓ good, I keep it.")
    assert card.text.endswith("I have 1 good photo. Good; now one with your head turned a little to your left.")
    bad = walk(good.session, e.PhotoLooked(e.Verdict(2, False, "face_small", 31.04, 40.0), ("turn_left",)))
    (card,) = bad.replies[-1:]
    assert isinstance(card, fx.Card)
    assert "Your face is too small in it (31.0 pixels between the eyes, 40.0 are needed)" in card.text


def test_what_was_mended_on_a_photo_is_said_beside_it() -> None:
    session = walk(new_session("1f", "k3f9"), b.Agreed(1), photo(1)).session
    looked = e.PhotoLooked(e.Verdict(1, True), notes=("others_cropped", "perspective_undone", "not in this catalogue"))
    (card,) = walk(session, looked).replies[-1:]
    assert isinstance(card, fx.Card)
    assert "it shows only you." in card.text
    assert "taken from very near" in card.text


def test_an_earlier_verdict_that_turns_is_told_and_its_card_put_right() -> None:
    none_of_most = [e.Verdict(number, False, "no_majority", 1, 2) for number in (1, 2)]
    session = walk(
        new_session("1f", "k3f9"), b.Agreed(1), photo(1), e.PhotoLooked(e.Verdict(1, True)), photo(2),
        e.PhotoLooked(none_of_most[1], others=(none_of_most[0],)), photo(3),
    ).session  # fmt: skip
    assert session.kept == ()
    stranger = e.Verdict(1, False, "other_person", 0.1, 0.36)
    step = walk(session, e.PhotoLooked(e.Verdict(3, True), others=(stranger, e.Verdict(2, True))))
    assert [kept.number for kept in step.session.kept] == [2, 3]
    told, stranger_card, older, newest = step.replies[0], step.replies[1], step.replies[2], step.replies[-1]
    assert told == fx.Say("Now that I have seen more of you, photo 2 is good after all: I keep it.")
    assert isinstance(stranger_card, fx.Card)
    assert "somebody else" in stranger_card.text
    assert older == fx.Card("photos:2", "Photo 2: ✓ good, I keep it.", throttled=True)
    assert isinstance(newest, fx.Card)
    assert newest.slot == "photos:3"
    assert "I have 2 good photos" in newest.text


def test_double_taps_order_once() -> None:
    session = walk(with_photos(), b.LooksOpened(), b.StylePicked("office", True)).session
    first = advance(session, b.GoPressed(1), NOW)
    second = advance(first.session, b.GoPressed(1), NOW)
    assert len(first.effects) == 1
    assert second.session == first.session
    assert second.effects == ()
    late = walk(browsing(), b.GoPressed(1))
    assert late.effects == ()
    assert late.replies == (fx.Toast(say("en", "go.already")),)


def test_an_edit_that_was_made_before_is_shown_and_not_made_again() -> None:
    edited = walk(enhancing(), e.PortraitCame(2, portrait(21, 91.0, parent=11)))
    assert edited.session.state == State.BROWSING
    again = walk(edited.session, b.EditUndone(1, 3), b.Tweaked(1, 1, "warmer"))
    assert again.effects == ()
    card = again.replies[-1]
    assert isinstance(card, fx.Card)
    assert card.pictures[0].name == "shoots/1/21.png"


def test_undo_redo_and_compare_walk_the_tree_without_new_work() -> None:
    session = walk(enhancing(), e.PortraitCame(2, portrait(21, 90.0, parent=11))).session
    shown = [pictured(walk(session, *events)) for events in (
        [b.PageOpened(1, 1)], [b.EditUndone(1, 3)], [b.EditUndone(1, 3), b.EditRedone(1, 1)], [b.Compared(1, 3, True)],
    )]  # fmt: skip
    assert shown == ["shoots/1/21.png", "shoots/1/11.png", "shoots/1/21.png", "shoots/1/11.png"]
    card = walk(session, b.PageOpened(1, 1)).replies[-1]
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
    news = e.GalleryCame(1, (portrait(11),))
    step = walk(waiting(), news)
    again = advance(step.session, news, NOW + 9)
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


def test_another_look_needs_no_new_photos_and_no_new_training() -> None:
    step = walk(browsing(), b.LooksOpened(), b.StylePicked("founder", True), b.GoPressed(2))
    (placed,) = step.effects
    assert isinstance(placed, fx.Place)
    assert isinstance(placed.work, Shoot)
    assert placed.work.photos == ("photos/1", "photos/2")  # the same set: the job queue finds what was learnt of it


def test_after_a_forget_no_old_button_means_anything() -> None:
    step = walk(browsing(), b.ForgetConfirmed(), e.Forgotten("{}", ()))
    assert step.session.galleries == ()
    assert step.session.consent == 0
    assert step.session.nonce != "k3f9"


def test_old_buttons_of_a_gone_gallery_answer_well() -> None:
    step = walk(with_photos(), b.PageOpened(7, 1))
    assert step.replies == (fx.Toast(say("en", "stale.expired")),)


# --- any sequence of events --------------------------------------------------------------------------

NUMBERS = st.integers(0, 6) | st.integers(0, 10**9)
SMALL = st.integers(1, 5)
WORDS = st.sampled_from(["office", "founder", "job", "outfit", "navy_suit", "warmer", "backdrop=park", "all", ""])
VERDICTS = st.builds(e.Verdict, SMALL, st.booleans(), st.sampled_from(["blurred", "other_person", "new_word"]))
PORTRAITS = st.builds(portrait, st.integers(1, 40), st.none() | st.floats(0, 110))
SPECIAL: dict[type[e.Event], st.SearchStrategy[Any]] = {
    e.PhotoSent: st.builds(photo, SMALL, st.sampled_from(["", "a", "b"])),
    e.GalleryCame: st.builds(e.GalleryCame, SMALL, st.lists(PORTRAITS, max_size=4).map(tuple), SMALL),
    e.PortraitCame: st.builds(e.PortraitCame, SMALL, PORTRAITS),
    e.PhotoLooked: st.builds(e.PhotoLooked, VERDICTS, others=st.lists(VERDICTS, max_size=3).map(tuple)),
    e.JobFailed: st.builds(e.JobFailed, SMALL, WORDS),
    e.JobStopped: st.builds(e.JobStopped, SMALL),
    b.GoPressed: st.builds(b.GoPressed, SMALL),
    b.StylePicked: st.builds(b.StylePicked, st.sampled_from(["office", "founder", "none"]), st.booleans()),
    b.Tweaked: st.builds(b.Tweaked, SMALL, SMALL, st.sampled_from(["warmer", "cooler", "backdrop=park", "none"])),
    e.JobMoved: st.builds(e.JobMoved, SMALL, SMALL, WORDS, st.integers(0, 100)),
    e.Forgotten: st.just(e.Forgotten("{}", (("photos", 2), ("strange", 1)))),
    b.LanguagePicked: st.builds(b.LanguagePicked, st.sampled_from([*LANGUAGES, "xx"])),
    b.Agreed: st.sampled_from([b.Agreed(cards.CONSENT_VERSION), b.Agreed(99)]),
}


def any_of(kind: type[e.Event]) -> st.SearchStrategy[e.Event]:
    by_type = {"int": SMALL | NUMBERS, "str": WORDS | st.text(max_size=9), "bool": st.booleans()}
    fields = {field.name: by_type[str(field.type)] for field in dataclasses.fields(kind) if str(field.type) in by_type}
    return SPECIAL.get(kind, st.builds(kind, **fields))


NEWS = [e.PhotoLooked, e.JobMoved, e.GalleryCame, e.PortraitCame, e.JobFailed, e.JobStopped]


def any_event() -> st.SearchStrategy[e.Event]:
    """Any event, those that move things on more often than their share."""
    often = [*NEWS, e.PhotoSent, b.StylePicked, b.GoPressed, b.Tweaked, b.EditUndone]
    return (st.sampled_from(list(HANDLERS)) | st.sampled_from(often)).flatmap(any_of)


@settings(max_examples=300, deadline=None)
@given(st.lists(any_event(), max_size=40), st.sampled_from(list(State)), st.sampled_from(list(LANGUAGES)))
@example([e.PortraitCame(1, portrait(1, None))], State.WAITING, "en")
@example([e.GalleryCame(1, ())], State.WAITING, "es")
@example([e.PhotoLooked(e.Verdict(1, False, "x"), others=(e.Verdict(1, True),))], State.CHOOSING, "en")
def test_any_sequence_of_events_loses_no_photo_and_raises_nothing(
    events: list[e.Event], start: State, language: str
) -> None:
    session = dataclasses.replace(SESSIONS[start](), language=language)
    fetched = {p.number for p in session.photos}
    dropped: set[int] = set()
    mine = {shown.drawn.file for gallery in session.galleries for shown in gallery.portraits}
    for i, event in enumerate(events):
        if isinstance(event, e.GalleryCame):
            mine |= {p.file for p in event.portraits}
        if isinstance(event, e.PortraitCame):
            mine.add(event.portrait.file)
        step = advance(session, event, NOW + i)
        assert from_json(to_json(step.session)) == step.session
        fetched |= {effect.photo for effect in step.effects if isinstance(effect, fx.Fetch)}
        dropped |= {effect.photo for effect in step.effects if isinstance(effect, fx.Discard)}
        if isinstance(event, e.Forgotten | e.Expired) and step.session.photos == ():
            fetched, dropped = set(), set()
        assert {p.number for p in step.session.photos} == fetched - dropped, "a photo was lost or came from nowhere"
        if not step.session.consent and step.session.state != State.LEAVING:
            assert not any(isinstance(effect, fx.Fetch | fx.Place) for effect in step.effects)
        for effect in step.effects:
            if isinstance(effect, fx.Place) and isinstance(effect.work, Shoot):
                assert set(effect.work.photos) <= {photo_file(number) for number in fetched - dropped}
        for reply in step.replies:
            check_reply(reply, mine, session.nonce, step.session.nonce)
        session = step.session


def check_reply(reply: fx.Reply, mine: set[str], *nonces: str) -> None:
    """Hold every reply to the limits of the strictest platform, and to the person's own pictures."""
    text = getattr(reply, "text", getattr(reply, "caption", ""))
    pictures = getattr(reply, "pictures", ())
    assert len(text) <= (1024 if pictures else 200 if isinstance(reply, fx.Toast) else 4096)
    for shown in pictures:
        assert shown.kind == "style" or shown.name in mine or isinstance(reply, fx.Files)
        assert len(shown.alt) <= 1024
    for row in getattr(reply, "rows", ()):
        assert 1 <= len(row) <= 8
        for button in row:
            assert button.label
            assert len(button.data.encode()) <= 64
            pressed = b.decode(button.data)
            assert isinstance(pressed, b.Pressed)
            assert pressed.conversation == "1f"
            assert pressed.nonce in nonces


# --- buttons -----------------------------------------------------------------------------------------


def biggest(kind: type[b.Press]) -> b.Press:
    """A press with the longest values the menu and the numbers can bring."""
    menu: Menu = default_menu()
    words = [*(look.id for look in menu.looks), *menu.purposes, *(f"{n}={v}" for n, vs in menu.tweaks for v in vs)]
    words += [v for _, vs in menu.details for v in vs]
    longest = max(words, key=len)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        values[field.name] = {"int": 999_999, "bool": True, "str": longest}[str(field.type)]
    return kind(**values)


@pytest.mark.parametrize("kind", list(b.PRESSES.values()), ids=lambda kind: kind.__name__)
def test_every_button_fits_64_bytes_and_comes_back_as_it_went(kind: type[b.Press]) -> None:
    press = biggest(kind)
    data = b.encode(press, "fffff", "zzzz", 64)
    assert len(data.encode()) <= 64
    assert b.decode(data) == b.Pressed("fffff", "zzzz", press)
    assert b.decode("0" + data[1:]) == e.StaleButton("old")
    assert b.decode(data + ":1") == e.StaleButton("torn")


@given(st.text(max_size=80))
def test_no_button_data_raises(data: str) -> None:
    assert isinstance(b.decode(data), b.Pressed | e.StaleButton)


def test_a_button_refuses_what_it_cannot_carry() -> None:
    with pytest.raises(ValueError, match="does not fit a button"):
        b.encode(b.StylePicked("büro", True), "1f", "k3f9", 64)
    with pytest.raises(ValueError, match="64 is the limit"):
        b.encode(b.StylePicked("x" * 60, True), "1f", "k3f9", 64)


# --- words -------------------------------------------------------------------------------------------


def names(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_language_has_every_sentence_with_the_same_placeholders(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert set(other) == set(english)
    for key, sentence in english.items():
        theirs = other[key]
        if isinstance(sentence, dict):
            assert isinstance(theirs, dict), key
            assert set(theirs) == set(sentence), key
            assert set.union(*map(names, theirs.values())) == set.union(*map(names, sentence.values())), key
        else:
            assert isinstance(theirs, str), key
            assert names(theirs) == names(sentence), key
            assert theirs.strip() or key == "value.other"


def test_plurals_are_chosen_by_number() -> None:
    assert say("es", "photo.count", n=1) == "Tengo 1 foto buena."
    assert say("es", "photo.count", n=3) == "Tengo 3 fotos buenas."
    assert say("en", "photo.count", n=0) == "I have 0 good photos."


def test_durations_are_no_more_precise_than_they_are_known() -> None:
    assert [duration("en", s) for s in (10, 70, 600, 7300)] == [
        "less than a minute", "about 1 minute", "about 10 minutes", "about 2 hours",
    ]  # fmt: skip


def test_everything_on_the_menu_has_a_word_in_every_language() -> None:
    menu = default_menu()
    wanted = {f"style.{look.id}.{part}" for look in menu.looks for part in ("title", "pitch")}
    wanted |= {f"purpose.{purpose}" for purpose in menu.purposes}
    wanted |= {f"value.{value}" for _, values in (*menu.details, *menu.tweaks) for value in values}
    wanted |= {f"tweak.{name}" for name, _ in menu.tweaks} | {f"button.detail_{name}" for name, _ in menu.details}
    for language in LANGUAGES:
        assert wanted <= set(catalogue(language)), wanted - set(catalogue(language))


def test_the_menu_begins_with_the_four_first_looks() -> None:
    assert [look.id for look in default_menu().page(0)] == ["office", "founder", "studio_black", "outdoor"]


def test_the_diagram_in_the_documentation_is_drawn_from_the_table() -> None:
    assert "waiting --> browsing: GalleryCame" in drawing()
    assert drawing() in (Path(__file__).parents[3] / "docs" / "telegram.md").read_text("utf-8")


def test_a_running_order_survives_being_saved() -> None:
    session = dataclasses.replace(
        new_session("1f", "k3f9"), running=Running(1, "shoot", NOW), photos=(Photo(1, "r", "u", "1"),)
    )
    assert from_json(to_json(session)) == session


def test_a_quota_is_told_before_go_kept_for_a_day_and_counts_only_sittings_that_brought_portraits() -> None:
    menu = default_menu(1)

    def heard(session: Session, event: e.Event, at: float) -> Step:
        return advance(session, event, at, menu)

    step = heard(heard(with_photos(), b.LooksOpened(), NOW).session, b.StylePicked("office", True), NOW)
    assert say("en", "looks.quota", n=1, of=1) in texts(step)
    failed = heard(heard(step.session, b.GoPressed(1), NOW).session, e.JobFailed(1, "timeout"), NOW + 9)
    done = heard(heard(failed.session, b.GoPressed(2), NOW + 10).session, e.GalleryCame(2, (portrait(11),)), NOW + 60)
    chosen = heard(heard(done.session, b.LooksOpened(), NOW + 90).session, b.StylePicked("office", True), NOW + 91)
    assert say("en", "looks.quota", n=0, of=1) in texts(chosen)
    refused = heard(chosen.session, b.GoPressed(3), NOW + 92)
    assert refused.session == chosen.session
    assert refused.effects == ()
    assert "about 24 hours" in texts(refused)
    assert len(heard(chosen.session, b.GoPressed(3), NOW + 60 + 86_400).effects) == 1


def test_what_is_good_to_know_of_a_set_stands_beside_the_one_thing_to_send_next() -> None:
    looked = e.PhotoLooked(
        e.Verdict(1, True), missing=("smile", "front"), of_set=("glasses_differ", "newer_than_words")
    )
    step = walk(new_session("1f", "k3f9"), b.Agreed(1), photo(1), looked)
    assert f"{say('en', 'of_set.glasses_differ')} {say('en', 'missing.smile')}" in texts(step)


def texts(step: Step) -> str:
    """Everything a step says."""
    return "\n".join(getattr(reply, "text", "") for reply in step.replies)
