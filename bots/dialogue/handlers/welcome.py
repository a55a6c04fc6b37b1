"""Coming in: the welcome, consent, and everything that is not a photo or a button."""

from __future__ import annotations

from dataclasses import replace

from bots.dialogue import buttons as t
from bots.dialogue import effects as r
from bots.dialogue import events as e
from bots.dialogue.context import BROWSING, CHOOSING, COLLECTING, WELCOME, Handlers, Turn
from bots.dialogue.handlers.photos import show_photos
from bots.dialogue.screens import cards, gallery
from bots.dialogue.session import State
from bots.dialogue.text import said_or


def _started(turn: Turn, event: e.Started) -> None:
    kind, _, look = event.payload.partition("_")
    wanted = look if kind == "style" and look in turn.menu else ""
    idle = turn.session.state in {WELCOME, COLLECTING, CHOOSING, BROWSING}
    if wanted and idle and wanted not in turn.session.styles and len(turn.session.styles) < turn.menu.at_most:
        turn.change(styles=(*turn.session.styles, wanted))
    if wanted and idle:
        turn.say("start.style", style=cards.style_title(turn.session, turn.menu, wanted))
    if turn.session.state in {COLLECTING, CHOOSING, BROWSING} and (turn.session.kept or turn.session.galleries):
        turn.replies.append(cards.home(turn.session, turn.menu))
        return
    _show_state(turn)


def _agreed(turn: Turn, event: t.Agreed) -> None:
    if event.version != cards.CONSENT_VERSION:
        turn.say("consent.changed")
        turn.replies.append(cards.welcome(turn.session))
        return
    turn.change(state=COLLECTING, consent=event.version, consent_at=turn.now)
    turn.orders.append(r.Consent(event.version, turn.session.keep_days))
    turn.replies.append(r.Unbutton("welcome"))
    turn.say("consent.thanks", n=cards.PHOTOS_WANTED)


def _declined(turn: Turn, event: t.Declined) -> None:
    turn.say("consent.declined")


def _said(turn: Turn, event: e.Said) -> None:
    turn.say(f"said.{turn.session.state}")
    _show_state(turn)


def _other_sent(turn: Turn, event: e.OtherSent) -> None:
    turn.replies.append(r.Say(said_or(turn.session.language, f"other.{event.kind}", "other.file")))


def _edited(turn: Turn, event: e.Edited) -> None:
    turn.say("edited")


def _show_state(turn: Turn) -> None:
    """Show again, at the end of the chat, the card one can go on from."""
    session = turn.session
    match session.state:
        case State.WELCOME:
            turn.replies.append(cards.welcome(session))
        case State.COLLECTING if session.photos:
            show_photos(turn, session.photos[-1].batch, fresh=True)
        case State.COLLECTING:
            turn.say("photo.none_yet")
        case State.CHOOSING:
            turn.replies.append(cards.looks(session, turn.menu, turn.now, fresh=True))
        case State.WAITING | State.ENHANCING if session.running is not None:
            turn.replies.append(cards.progress(session, session.running))
        case State.BROWSING if session.gallery is not None:
            turn.replies.append(replace(gallery.card(session, turn.menu, session.gallery), fresh=True))
        case State.LEAVING:
            turn.say("forget.working")


HANDLERS: Handlers = {
    e.Started: _started,
    t.Agreed: _agreed,
    t.Declined: _declined,
    e.Said: _said,
    e.OtherSent: _other_sent,
    e.Edited: _edited,
}
