"""THE DIALOGUE: what happens when. A table, one handler an event, no I/O.

Theory. A conversation is a `Session` in one of seven states. `advance(session, event, now)` looks the event up in
`TRANSITIONS[state]`, then in `ANYWHERE`, and calls its handler, which may move to one of the states named there,
answer with replies and ask for orders. An event that is in neither table is illegal: it changes nothing. A person is
then told kindly what is possible now; news of the studio that nobody waits for is passed over in silence.

Two rules make double taps, old buttons and repeated updates harmless. A button says what shall be, never "toggle".
And everything that starts work carries the number it would get: the second time, that number is taken.

Time comes in as `now` (seconds, UTC), the menu as data; the same events give the same session to the byte.
"""

from __future__ import annotations

from typing import NamedTuple

from bots import browsing, choosing, collecting, rights, waiting, welcoming
from bots import messages as m
from bots.menu import Menu, house
from bots.messages import Event, Order, Reply
from bots.session import Session, State
from bots.turn import BROWSING, CHOOSING, COLLECTING, ENHANCING, LEAVING, WAITING, WELCOME, Handlers, Turn

Targets = tuple[State, ...]

PHOTOS: dict[type[Event], Targets] = {
    m.PhotoSent: (COLLECTING,),
    m.PhotoUndone: (COLLECTING,),
    m.PhotosOpened: (COLLECTING,),
}
CHOICES: dict[type[Event], Targets] = {
    m.LooksOpened: (CHOOSING,),
    m.PreviewsAsked: (CHOOSING,),
    m.StylePicked: (CHOOSING,),
    m.PurposePicked: (CHOOSING,),
    m.DetailsOpened: (CHOOSING,),
    m.DetailPicked: (CHOOSING,),
    m.GoTapped: (WAITING,),
}
STAY: Targets = ()
LOOKING: dict[type[Event], Targets] = {
    m.Turned: STAY,
    m.Favoured: STAY,
    m.TweaksOpened: STAY,
    m.EditUndone: STAY,
    m.EditRedone: STAY,
    m.Compared: STAY,
    m.FilesAsked: STAY,
    m.PastOpened: STAY,
}
EDITS: dict[type[Event], Targets] = {m.Tweaked: (ENHANCING,), m.AvatarAsked: (ENHANCING,)}
VERDICTS: dict[type[Event], Targets] = {m.PhotoLooked: STAY, m.PhotoFailed: STAY}
LATE: dict[type[Event], Targets] = {m.GalleryCame: STAY, m.PortraitCame: STAY}

TRANSITIONS: dict[State, dict[type[Event], Targets]] = {
    WELCOME: {m.Agreed: (COLLECTING,), m.Declined: STAY, m.PhotoSent: STAY},
    COLLECTING: {**PHOTOS, **CHOICES, **LOOKING, **EDITS, **VERDICTS, **LATE},
    CHOOSING: {**PHOTOS, **CHOICES, **LOOKING, **EDITS, **VERDICTS, **LATE},
    WAITING: {
        m.OrderMoved: STAY,
        m.GalleryCame: (BROWSING, CHOOSING),  # CHOOSING when none of the portraits was good enough
        m.PortraitCame: STAY,
        m.OrderFailed: (CHOOSING,),
        m.OrderStopped: (CHOOSING,),
        m.CancelTapped: STAY,
        m.PhotoSent: STAY,  # kept for the next sitting
        **LOOKING,
        **VERDICTS,
    },
    BROWSING: {**PHOTOS, **CHOICES, **LOOKING, **EDITS, **VERDICTS, **LATE},
    ENHANCING: {
        m.OrderMoved: STAY,
        m.PortraitCame: (BROWSING,),
        m.GalleryCame: STAY,
        m.OrderFailed: (BROWSING,),
        m.OrderStopped: (BROWSING,),
        m.CancelTapped: STAY,
        m.PhotoSent: STAY,
        **LOOKING,
        **VERDICTS,
    },
    LEAVING: {m.Forgotten: (WELCOME,)},
}
ANYWHERE: dict[type[Event], Targets] = {
    m.Started: STAY,
    m.Said: STAY,
    m.OtherSent: STAY,
    m.Edited: STAY,
    m.HelpAsked: STAY,
    m.PrivacyAsked: STAY,
    m.LanguageAsked: STAY,
    m.LanguagePicked: STAY,
    m.KeepPicked: STAY,
    m.ReportAsked: STAY,
    m.ExportAsked: STAY,
    m.CancelAsked: STAY,
    m.ForgetAsked: STAY,
    m.ForgetDeclined: STAY,
    m.ForgetConfirmed: (LEAVING,),
    m.StaleTapped: STAY,
    m.Expired: (COLLECTING, WELCOME, CHOOSING),
}


HANDLERS: Handlers = {
    **welcoming.HANDLERS,
    **collecting.HANDLERS,
    **choosing.HANDLERS,
    **waiting.HANDLERS,
    **browsing.HANDLERS,
    **rights.HANDLERS,
}


class Step(NamedTuple):
    """What one event led to."""

    session: Session
    replies: tuple[Reply, ...]
    orders: tuple[Order, ...]


def advance(session: Session, event: Event, now: float, menu: Menu | None = None) -> Step:
    """Handle one event: the next session, what to show, what to order. Pure; never raises for any session and event."""
    targets = TRANSITIONS[session.state].get(type(event), ANYWHERE.get(type(event)))
    turn = Turn(session, now, menu or house())
    if targets is None:
        _refuse(turn, event)
        return Step(session, tuple(turn.replies), ())
    HANDLERS[type(event)](turn, event)
    assert turn.session.state in {session.state, *targets}, f"{type(event).__name__} led to {turn.session.state}"
    return Step(turn.session, tuple(turn.replies), tuple(turn.orders))


def _refuse(turn: Turn, event: Event) -> None:
    """Say what is possible now instead; the studio's own news needs no answer."""
    if isinstance(event, m.Tap):
        turn.toast(f"not_now.{turn.session.state}")


def drawing() -> str:
    """Return the table as a mermaid diagram, so that the documentation cannot be out of date."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for state, events in TRANSITIONS.items():
        for event, targets in events.items():
            for target in targets:
                if target != state:
                    arrows.setdefault((state, target), []).append(event.__name__)
    lines = [f"    {a} --> {b}: {', '.join(sorted(names))}" for (a, b), names in arrows.items()]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {WELCOME}", *lines])


if __name__ == "__main__":
    print(drawing())
