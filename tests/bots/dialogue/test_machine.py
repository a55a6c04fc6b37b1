"""The table: every state and event, any order of events."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bots.dialogue import buttons as b
from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.handlers.photos import photo_file
from bots.dialogue.limits import Limits
from bots.dialogue.machine import drawing
from bots.dialogue.rules import RULES
from bots.dialogue.screens.choices import GoPressed, StylePicked
from bots.dialogue.screens.desk import Tweaked
from bots.dialogue.screens.gallery import EditUndone
from bots.dialogue.screens.privacy import LanguagePicked
from bots.dialogue.screens.welcome import CONSENT_VERSION, Agreed
from bots.dialogue.session import Photo, Running, State, from_json, to_json
from bots.dialogue.text import LANGUAGES
from jobs.kinds.shoot import Shoot
from jobs.queue.events import FirstPortrait
from tests.conversations import NOW, PLATFORMS, SAMPLES, SESSIONS, advance, photo, portrait, stranger


def sample(kind: type[e.Event]) -> e.Event:
    return SAMPLES.get(kind) or kind()


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("kind", list(RULES), ids=lambda kind: kind.__name__)
def test_every_state_and_event_either_moves_as_the_table_says_or_changes_nothing(
    state: State, kind: type[e.Event]
) -> None:
    session = SESSIONS[state]()
    assert session.state == state
    event = sample(kind)
    targets = RULES[kind].targets.get(state)
    after = advance(session, event, NOW + 60)
    if targets is None:
        assert after.session == session
        assert after.effects == ()
        assert bool(after.replies) == isinstance(event, b.Press), "people are answered, news is passed over in silence"
    else:
        assert after.session.state in {state, *targets}
    assert from_json(to_json(after.session)) == after.session


def test_every_event_is_handled_and_every_row_of_the_table_is_an_event() -> None:
    made = {kind for kind in vars(e).values() if isinstance(kind, type) and issubclass(kind, e.Event)} - {e.Event}
    assert set(RULES) == made | set(b.PRESSES.values())
    assert all(rule.targets for rule in RULES.values())


NUMBERS = st.integers(0, 6) | st.integers(0, 10**9)
SMALL = st.integers(1, 5)
WORDS = st.sampled_from(["office", "founder", "job", "outfit", "navy_suit", "warmer", "backdrop=park", "all", ""])
VERDICTS = st.builds(e.Verdict, SMALL, st.booleans(), st.sampled_from(["blurred", "other_person", "new_word"]))
PORTRAITS = st.builds(portrait, st.integers(1, 40), st.none() | st.floats(0, 110))
FIRSTS = st.builds(FirstPortrait, st.sampled_from(["shoots/1/1.png", "shoots/2/2.png"]), WORDS)
SPECIAL: dict[type[e.Event], st.SearchStrategy[Any]] = {
    e.PhotoSent: st.builds(photo, SMALL, st.sampled_from(["", "a", "b"])),
    e.FirstPortraitCame: st.builds(e.FirstPortraitCame, SMALL, FIRSTS),
    e.GalleryCame: st.builds(e.GalleryCame, SMALL, st.lists(PORTRAITS, max_size=4).map(tuple), SMALL),
    e.PortraitCame: st.builds(e.PortraitCame, SMALL, PORTRAITS),
    e.PhotoLooked: st.builds(e.PhotoLooked, VERDICTS, others=st.lists(VERDICTS, max_size=3).map(tuple)),
    e.JobFailed: st.builds(e.JobFailed, SMALL, WORDS),
    e.JobStopped: st.builds(e.JobStopped, SMALL),
    GoPressed: st.builds(GoPressed, SMALL),
    StylePicked: st.builds(StylePicked, st.sampled_from(["office", "founder", "none"]), st.booleans()),
    Tweaked: st.builds(Tweaked, SMALL, SMALL, st.sampled_from(["warmer", "cooler", "backdrop=park", "none"])),
    e.JobMoved: st.builds(e.JobMoved, SMALL, SMALL, WORDS, st.integers(0, 100)),
    e.Forgotten: st.just(e.Forgotten("{}", (("photos", 2), ("strange", 1)))),
    e.Expired: st.builds(
        e.Expired,
        st.lists(SMALL, max_size=3).map(tuple),
        st.lists(st.integers(1, 40), max_size=3).map(tuple),
        st.sampled_from([(), (("photos", 1), ("strange", 2))]),
    ),
    e.TeamOpened: st.builds(e.TeamOpened, SMALL, st.sampled_from(["c0de", "b0de"]), WORDS),
    e.TeamSheetCame: st.builds(e.TeamSheetCame, SMALL, st.sampled_from(["", "teams/1/2.jpg"]), SMALL),
    LanguagePicked: st.builds(LanguagePicked, st.sampled_from([*LANGUAGES, "xx"])),
    Agreed: st.sampled_from([Agreed(CONSENT_VERSION), Agreed(99)]),
}


def any_of(kind: type[e.Event]) -> st.SearchStrategy[e.Event]:
    by_type = {"int": SMALL | NUMBERS, "str": WORDS | st.text(max_size=9), "bool": st.booleans()}
    fields = {field.name: by_type[str(field.type)] for field in dataclasses.fields(kind) if str(field.type) in by_type}
    return SPECIAL.get(kind, st.builds(kind, **fields))


JOB_EVENTS = [
    e.PhotoLooked,
    e.JobMoved,
    e.FirstPortraitCame,
    e.PreviewCame,
    e.GalleryCame,
    e.PortraitCame,
    e.JobFailed,
    e.JobStopped,
]


def any_event() -> st.SearchStrategy[e.Event]:
    """Any event, those that move things on more often than their share."""
    often = [*JOB_EVENTS, e.PhotoSent, StylePicked, GoPressed, Tweaked, EditUndone]
    return (st.sampled_from(list(RULES)) | st.sampled_from(often)).flatmap(any_of)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(any_event(), max_size=40), st.sampled_from(list(State)), st.sampled_from(list(LANGUAGES)),
    st.sampled_from(list(PLATFORMS)),
)  # fmt: skip
@example([e.PortraitCame(1, portrait(1, None))], State.WAITING, "en", "discord")
@example([e.GalleryCame(1, ())], State.WAITING, "es", "telegram")
@example([e.PhotoLooked(e.Verdict(1, False, "x"), others=(e.Verdict(1, True),))], State.CHOOSING, "en", "discord")
def test_any_sequence_of_events_loses_no_photo_and_raises_nothing(
    events: list[e.Event], start: State, language: str, platform: str
) -> None:
    session = dataclasses.replace(SESSIONS[start](), language=language)
    limits = PLATFORMS[platform]
    fetched = {p.number for p in session.photos}
    dropped: set[int] = set()
    mine = {shown.drawn.file for gallery in session.galleries for shown in gallery.portraits}
    for i, event in enumerate(events):
        if isinstance(event, e.GalleryCame):
            mine |= {p.file for p in event.portraits}
        if isinstance(event, e.PortraitCame | e.FirstPortraitCame):
            mine.add(event.portrait.file)
        if isinstance(event, e.PreviewCame):
            mine.add(event.file)
        if isinstance(event, e.TeamSheetCame):
            mine.add(event.sheet)
        held = {p.number for p in session.photos}
        step = advance(session, event, NOW + i, limits=limits)
        assert from_json(to_json(step.session)) == step.session
        fetched |= {effect.photo for effect in step.effects if isinstance(effect, fx.Fetch)}
        dropped |= {effect.photo for effect in step.effects if isinstance(effect, fx.Discard)}
        if isinstance(event, e.Forgotten) and step.session.photos == ():
            fetched, dropped = set(), set()
        if isinstance(event, e.Expired) and event.counts:
            # A number that no photo has yet drops nothing: the photo that gets it later stays.
            dropped |= set(event.photos) & held
        assert {p.number for p in step.session.photos} == fetched - dropped, "a photo was lost or came from nowhere"
        if not step.session.consent and step.session.state != State.LEAVING:
            assert not any(isinstance(effect, fx.Fetch | fx.Place) for effect in step.effects)
        for effect in step.effects:
            if isinstance(effect, fx.Place) and isinstance(effect.work, Shoot):
                assert set(effect.work.photos) <= {photo_file(number) for number in fetched - dropped}
        for reply in step.replies:
            check_reply(reply, limits, mine, session.nonce, step.session.nonce)
        session = step.session


def check_reply(reply: fx.Reply, limits: Limits, mine: set[str], *nonces: str) -> None:
    """Hold every reply to its platform's limits, and to the person's own pictures."""
    text = getattr(reply, "text", getattr(reply, "caption", ""))
    pictures = getattr(reply, "pictures", ())
    assert len(text) <= (limits.caption if pictures else limits.toast if isinstance(reply, fx.Toast) else limits.text)
    if isinstance(reply, fx.Card):
        assert len(pictures) <= limits.pictures_a_card
    for shown in pictures:
        assert shown.kind == "style" or set(shown.tiles or (shown.name,)) <= set(mine) or isinstance(reply, fx.Files)
        assert len(shown.alt) <= 1024
    rows = getattr(reply, "rows", ())
    buttons = [button for row in rows for button in row]
    blocks = len(rows) + 4 if limits.row_counts else 0
    assert len(buttons) + blocks <= limits.components
    for row in rows:
        assert 1 <= len(row) <= limits.buttons_a_row
    for button in buttons:
        assert 1 <= len(button.label) <= (limits.label or 200)
        assert len(button.data.encode()) <= limits.button_bytes
        pressed = b.decode(button.data)
        assert isinstance(pressed, b.Pressed)
        assert pressed.conversation == "1f"
        assert pressed.nonce in nonces


def test_the_diagram_in_the_documentation_is_drawn_from_the_table() -> None:
    assert "waiting --> browsing: GalleryCame" in drawing()
    assert drawing() in (Path(__file__).parents[3] / "docs" / "telegram.md").read_text("utf-8")


def test_a_running_order_survives_being_saved() -> None:
    session = dataclasses.replace(stranger(), running=Running(1, "shoot", NOW), photos=(Photo(1, "r", "u", "1"),))
    assert from_json(to_json(session)) == session
