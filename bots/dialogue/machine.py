"""THE DIALOGUE: what happens when. A table, one handler an event, no I/O.

Theory. A conversation is a `Session` in one of seven states. `advance(session, event, now)` looks the event up in
`TRANSITIONS[state]`, then in `ANYWHERE`, and calls its handler, which may move to one of the states named there,
answer with replies and ask for effects. An event that is in neither table is illegal: it changes nothing. A person is
then told kindly what is possible now; news of the studio that nobody waits for is passed over in silence.

Two rules make double presses, old buttons and repeated updates harmless. A button says what shall be, never "toggle".
And everything that starts work carries the number it would get: the second time, that number is taken.

Time comes in as `now` (seconds, UTC), the menu as data; the same events give the same session to the byte.
"""

from __future__ import annotations

from typing import NamedTuple

from bots.dialogue import buttons as b
from bots.dialogue import events as e
from bots.dialogue.context import (
    BROWSING,
    CHOOSING,
    COLLECTING,
    ENHANCING,
    LEAVING,
    WAITING,
    WELCOME,
    Context,
    Handlers,
)
from bots.dialogue.effects import Effect, Reply
from bots.dialogue.events import Event
from bots.dialogue.handlers import choices, gallery, jobs, photos, privacy, welcome
from bots.dialogue.menu import Menu, default_menu
from bots.dialogue.session import Session, State

Targets = tuple[State, ...]

PHOTOS: dict[type[Event], Targets] = {
    e.PhotoSent: (COLLECTING,),
    b.PhotoUndone: (COLLECTING,),
    b.PhotosOpened: (COLLECTING,),
}
CHOICES: dict[type[Event], Targets] = {
    b.LooksOpened: (CHOOSING,),
    b.PreviewsAsked: (CHOOSING,),
    b.StylePicked: (CHOOSING,),
    b.PurposePicked: (CHOOSING,),
    b.DetailsOpened: (CHOOSING,),
    b.DetailPicked: (CHOOSING,),
    b.GoPressed: (WAITING,),
}
STAY: Targets = ()
LOOKING: dict[type[Event], Targets] = {
    b.PageOpened: STAY,
    b.Favoured: STAY,
    b.TweaksOpened: STAY,
    b.EditUndone: STAY,
    b.EditRedone: STAY,
    b.Compared: STAY,
    b.FilesAsked: STAY,
    b.PastOpened: STAY,
}
EDITS: dict[type[Event], Targets] = {b.Tweaked: (ENHANCING,), b.AvatarAsked: (ENHANCING,)}
VERDICTS: dict[type[Event], Targets] = {e.PhotoLooked: STAY, e.PhotoFailed: STAY}
LATE: dict[type[Event], Targets] = {e.GalleryCame: STAY, e.PortraitCame: STAY}

TRANSITIONS: dict[State, dict[type[Event], Targets]] = {
    WELCOME: {b.Agreed: (COLLECTING,), b.Declined: STAY, e.PhotoSent: STAY},
    COLLECTING: {**PHOTOS, **CHOICES, **LOOKING, **EDITS, **VERDICTS, **LATE},
    CHOOSING: {**PHOTOS, **CHOICES, **LOOKING, **EDITS, **VERDICTS, **LATE},
    WAITING: {
        e.JobMoved: STAY,
        e.GalleryCame: (BROWSING, CHOOSING),  # CHOOSING when none of the portraits was good enough
        e.PortraitCame: STAY,
        e.JobFailed: (CHOOSING,),
        e.JobStopped: (CHOOSING,),
        b.CancelPressed: STAY,
        e.PhotoSent: STAY,  # kept for the next sitting
        **LOOKING,
        **VERDICTS,
    },
    BROWSING: {**PHOTOS, **CHOICES, **LOOKING, **EDITS, **VERDICTS, **LATE},
    ENHANCING: {
        e.JobMoved: STAY,
        e.PortraitCame: (BROWSING,),
        e.GalleryCame: STAY,
        e.JobFailed: (BROWSING,),
        e.JobStopped: (BROWSING,),
        b.CancelPressed: STAY,
        e.PhotoSent: STAY,
        **LOOKING,
        **VERDICTS,
    },
    LEAVING: {e.Forgotten: (WELCOME,)},
}
ANYWHERE: dict[type[Event], Targets] = {
    e.Started: STAY,
    e.Said: STAY,
    e.OtherSent: STAY,
    e.Edited: STAY,
    e.HelpAsked: STAY,
    e.PrivacyAsked: STAY,
    e.LanguageAsked: STAY,
    b.LanguagePicked: STAY,
    b.KeepPicked: STAY,
    e.ReportAsked: STAY,
    e.ExportAsked: STAY,
    e.CancelAsked: STAY,
    e.ForgetAsked: STAY,
    b.ForgetDeclined: STAY,
    b.ForgetConfirmed: (LEAVING,),
    e.StaleButton: STAY,
    e.Expired: (COLLECTING, WELCOME, CHOOSING),
}


HANDLERS: Handlers = {
    **welcome.HANDLERS,
    **photos.HANDLERS,
    **choices.HANDLERS,
    **jobs.HANDLERS,
    **gallery.HANDLERS,
    **privacy.HANDLERS,
}


class Step(NamedTuple):
    """What one event led to."""

    session: Session
    replies: tuple[Reply, ...]
    effects: tuple[Effect, ...]


def advance(session: Session, event: Event, now: float, menu: Menu | None = None) -> Step:
    """Handle one event: the next session, what to show, what to do. Pure; never raises for any session and event."""
    targets = TRANSITIONS[session.state].get(type(event), ANYWHERE.get(type(event)))
    ctx = Context(session, now, menu or default_menu())
    if targets is None:
        _refuse(ctx, event)
        return Step(session, tuple(ctx.replies), ())
    HANDLERS[type(event)](ctx, event)
    assert ctx.session.state in {session.state, *targets}, f"{type(event).__name__} led to {ctx.session.state}"
    return Step(ctx.session, tuple(ctx.replies), tuple(ctx.effects))


def _refuse(ctx: Context, event: Event) -> None:
    """Say what is possible now instead; the studio's own news needs no answer."""
    if isinstance(event, b.Press):
        ctx.toast(f"not_now.{ctx.session.state}")


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
