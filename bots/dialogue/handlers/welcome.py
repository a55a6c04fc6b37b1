"""Coming in: the welcome, consent, and everything that is not a photo or a button."""

from __future__ import annotations

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.context import Context
from bots.dialogue.handlers import teams
from bots.dialogue.handlers.photos import show_photos
from bots.dialogue.rules import BUSY, COLLECTING, EVERYWHERE, IDLE, WELCOME, handles, when
from bots.dialogue.screens import choices, gallery, jobs, photos, welcome
from bots.dialogue.session import State


@handles(e.Started, when(*EVERYWHERE))
def _started(ctx: Context, event: e.Started) -> None:
    kind, _, look = event.payload.partition("_")
    if kind == "team" and look and ctx.session.state in {WELCOME, *IDLE, *BUSY}:
        teams.join(ctx, look)
        return
    if kind == "style" and look in ctx.menu and ctx.session.state in {WELCOME, *IDLE}:
        _pick(ctx, look)
    if ctx.session.state in IDLE and (ctx.session.kept or ctx.session.galleries):
        ctx.replies.append(welcome.home(ctx.view))
        return
    _show_state(ctx)


@handles(e.SittingAsked, when(WELCOME, *IDLE))
def _sitting_asked(ctx: Context, event: e.SittingAsked) -> None:
    """Note the choices; the photos that come with them are events of their own."""
    if event.look in ctx.menu:
        _pick(ctx, event.look)
    elif event.look:
        ctx.toast("looks.off_menu")
    if event.purpose in ctx.menu.purposes:
        ctx.change(purpose=event.purpose)


def _pick(ctx: Context, look: str) -> None:
    if look not in ctx.session.styles and len(ctx.session.styles) < ctx.menu.at_most:
        ctx.change(styles=(*ctx.session.styles, look))
    ctx.say("start.style", style=choices.style_title(ctx.view, look))


@handles(welcome.Agreed, when(WELCOME, to=(COLLECTING,)))
def _agreed(ctx: Context, event: welcome.Agreed) -> None:
    if event.version != welcome.CONSENT_VERSION:
        ctx.say("consent.changed")
        ctx.replies.append(welcome.welcome(ctx.view))
        return
    ctx.change(state=COLLECTING, consent=event.version, consent_at=ctx.now)
    ctx.effects.append(fx.Consent(event.version, ctx.session.keep_days))
    ctx.replies.append(fx.Unbutton("welcome"))
    ctx.say("consent.thanks", n=photos.PHOTOS_WANTED)
    if ctx.session.invited:
        teams.join(ctx, ctx.session.invited)


@handles(welcome.Declined, when(WELCOME))
def _declined(ctx: Context, event: welcome.Declined) -> None:
    ctx.say("consent.declined")


@handles(e.Said, when(*EVERYWHERE))
def _said(ctx: Context, event: e.Said) -> None:
    ctx.say(f"said.{ctx.session.state}")
    _show_state(ctx)


@handles(e.OtherSent, when(*EVERYWHERE))
def _other_sent(ctx: Context, event: e.OtherSent) -> None:
    ctx.replies.append(fx.Say(ctx.view.words_or(f"other.{event.kind}", "other.file")))


@handles(e.Edited, when(*EVERYWHERE))
def _edited(ctx: Context, event: e.Edited) -> None:
    ctx.say("edited")


def _show_state(ctx: Context) -> None:
    """Show again, at the end of the chat, the card one can go on from."""
    session = ctx.session
    match session.state:
        case State.WELCOME:
            ctx.replies.append(welcome.welcome(ctx.view))
        case State.COLLECTING if session.photos:
            show_photos(ctx, session.photos[-1].batch, repost=True)
        case State.COLLECTING:
            ctx.say("photo.none_yet")
        case State.CHOOSING:
            ctx.replies.append(choices.looks(ctx.view, repost=True))
        case state if state in BUSY and session.running is not None:
            ctx.replies.append(jobs.progress(ctx.view, session.running))
        case State.BROWSING if session.gallery is not None:
            ctx.replies.append(gallery.card(ctx.view, session.gallery, repost=True))
        case State.LEAVING:
            ctx.say("forget.working")
