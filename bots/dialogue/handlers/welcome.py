"""Coming in: the welcome, consent, and everything that is not a photo or a button."""

from __future__ import annotations

from dataclasses import replace

from bots.dialogue import buttons as b
from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.context import BROWSING, CHOOSING, COLLECTING, WELCOME, Context, Handlers
from bots.dialogue.handlers.photos import show_photos
from bots.dialogue.screens import cards, gallery
from bots.dialogue.session import State
from bots.dialogue.text import said_or


def _started(ctx: Context, event: e.Started) -> None:
    kind, _, look = event.payload.partition("_")
    wanted = look if kind == "style" and look in ctx.menu else ""
    idle = ctx.session.state in {WELCOME, COLLECTING, CHOOSING, BROWSING}
    if wanted and idle and wanted not in ctx.session.styles and len(ctx.session.styles) < ctx.menu.at_most:
        ctx.change(styles=(*ctx.session.styles, wanted))
    if wanted and idle:
        ctx.say("start.style", style=cards.style_title(ctx.session, ctx.menu, wanted))
    if ctx.session.state in {COLLECTING, CHOOSING, BROWSING} and (ctx.session.kept or ctx.session.galleries):
        ctx.replies.append(cards.home(ctx.session, ctx.menu))
        return
    _show_state(ctx)


def _agreed(ctx: Context, event: b.Agreed) -> None:
    if event.version != cards.CONSENT_VERSION:
        ctx.say("consent.changed")
        ctx.replies.append(cards.welcome(ctx.session))
        return
    ctx.change(state=COLLECTING, consent=event.version, consent_at=ctx.now)
    ctx.effects.append(fx.Consent(event.version, ctx.session.keep_days))
    ctx.replies.append(fx.Unbutton("welcome"))
    ctx.say("consent.thanks", n=cards.PHOTOS_WANTED)


def _declined(ctx: Context, event: b.Declined) -> None:
    ctx.say("consent.declined")


def _said(ctx: Context, event: e.Said) -> None:
    ctx.say(f"said.{ctx.session.state}")
    _show_state(ctx)


def _other_sent(ctx: Context, event: e.OtherSent) -> None:
    ctx.replies.append(fx.Say(said_or(ctx.session.language, f"other.{event.kind}", "other.file")))


def _edited(ctx: Context, event: e.Edited) -> None:
    ctx.say("edited")


def _show_state(ctx: Context) -> None:
    """Show again, at the end of the chat, the card one can go on from."""
    session = ctx.session
    match session.state:
        case State.WELCOME:
            ctx.replies.append(cards.welcome(session))
        case State.COLLECTING if session.photos:
            show_photos(ctx, session.photos[-1].batch, repost=True)
        case State.COLLECTING:
            ctx.say("photo.none_yet")
        case State.CHOOSING:
            ctx.replies.append(cards.looks(session, ctx.menu, ctx.now, repost=True))
        case State.WAITING | State.ENHANCING if session.running is not None:
            ctx.replies.append(cards.progress(session, session.running))
        case State.BROWSING if session.gallery is not None:
            ctx.replies.append(replace(gallery.card(session, ctx.menu, session.gallery), repost=True))
        case State.LEAVING:
            ctx.say("forget.working")


HANDLERS: Handlers = {
    e.Started: _started,
    b.Agreed: _agreed,
    b.Declined: _declined,
    e.Said: _said,
    e.OtherSent: _other_sent,
    e.Edited: _edited,
}
