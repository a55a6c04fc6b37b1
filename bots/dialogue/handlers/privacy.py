"""What a person is entitled to, and house-keeping: privacy, export, deletion, language, reports."""

from __future__ import annotations

import zlib

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.context import Context, new_session
from bots.dialogue.rules import BROWSING, CHOOSING, COLLECTING, EVERYWHERE, LEAVING, WELCOME, handles, when
from bots.dialogue.screens import photos as screen
from bots.dialogue.screens import privacy, welcome
from bots.dialogue.text import LANGUAGES, catalogue

REPORT_LETTERS = 1000


@handles(e.HelpAsked, when(*EVERYWHERE))
def _help_asked(ctx: Context, event: e.HelpAsked) -> None:
    ctx.say("help")


@handles(e.PrivacyAsked, when(*EVERYWHERE))
def _privacy_asked(ctx: Context, event: e.PrivacyAsked) -> None:
    ctx.replies.append(privacy.privacy(ctx.view))


@handles(privacy.KeepPicked, when(*EVERYWHERE))
def _keep_picked(ctx: Context, event: privacy.KeepPicked) -> None:
    if event.days not in privacy.KEEP_DAYS or not ctx.session.consent:
        ctx.toast("stale.old")
        return
    ctx.change(keep_days=event.days)
    ctx.effects.append(fx.Consent(ctx.session.consent, event.days))
    ctx.toast("privacy.days", n=event.days)
    ctx.replies.append(privacy.privacy(ctx.view, repost=False))


@handles(e.LanguageAsked, when(*EVERYWHERE))
def _language_asked(ctx: Context, event: e.LanguageAsked) -> None:
    ctx.replies.append(privacy.language(ctx.view))


@handles(privacy.LanguagePicked, when(*EVERYWHERE))
def _language_picked(ctx: Context, event: privacy.LanguagePicked) -> None:
    if event.code not in LANGUAGES:
        ctx.toast("stale.old")
        return
    ctx.change(language=event.code)
    ctx.toast("language.changed")
    welcomed = ctx.session.state != WELCOME
    screen = privacy.language if welcomed else welcome.welcome
    ctx.replies.append(screen(ctx.view, repost=False))


@handles(e.ReportAsked, when(*EVERYWHERE))
def _report_asked(ctx: Context, event: e.ReportAsked) -> None:
    if not event.text.strip():
        ctx.say("report.how")
        return
    ctx.effects.append(fx.Report(event.text.strip()[:REPORT_LETTERS]))
    ctx.say("report.thanks")


@handles(e.ExportAsked, when(*EVERYWHERE))
def _export_asked(ctx: Context, event: e.ExportAsked) -> None:
    if not ctx.session.consent:
        ctx.say("export.nothing")
        return
    ctx.effects.append(fx.Export())
    ctx.say("export.working")


@handles(e.ForgetAsked, when(*EVERYWHERE))
def _forget_asked(ctx: Context, event: e.ForgetAsked) -> None:
    if ctx.session.state == LEAVING:
        ctx.say("forget.working")
    else:
        ctx.replies.append(privacy.forget(ctx.view))


@handles(privacy.ForgetDeclined, when(*EVERYWHERE))
def _forget_declined(ctx: Context, event: privacy.ForgetDeclined) -> None:
    ctx.toast("forget.kept")
    ctx.replies.append(fx.Card("forget", ctx.words("forget.kept")))


@handles(privacy.ForgetConfirmed, when(*EVERYWHERE, to=(LEAVING,)))
def _forget_confirmed(ctx: Context, event: privacy.ForgetConfirmed) -> None:
    if ctx.session.state == LEAVING:
        ctx.toast("forget.working")
        return
    ctx.change(state=LEAVING)
    ctx.effects.append(fx.Forget())
    ctx.replies.append(fx.Card("forget", ctx.words("forget.working")))


@handles(e.Forgotten, when(LEAVING, to=(WELCOME,)))
def _forgotten(ctx: Context, event: e.Forgotten) -> None:
    """Start anew as a stranger: the new nonce makes every button of before mean nothing."""
    counts = _counted(ctx, event.counts)
    ctx.replies += [
        fx.Sweep(),
        fx.TextFile("receipt.json", event.receipt, ctx.words("forget.receipt", counts=counts)),
    ]
    old = ctx.session
    ctx.session = new_session(old.conversation, _next_nonce(old.nonce, ctx.now), old.language)


def _counted(ctx: Context, counts: tuple[tuple[str, int], ...]) -> str:
    """One line a kind of thing that was deleted; kinds that the catalogue does not know are left out."""
    known = catalogue(ctx.session.language)
    lines = [ctx.words(f"counted.{name}", n=n) for name, n in counts if f"counted.{name}" in known]
    return "\n".join(f"• {line}" for line in lines)


def _next_nonce(nonce: str, now: float) -> str:
    return f"{zlib.crc32(f'{nonce}{now}'.encode()) % 16**4:04x}"


@handles(e.Expired, when(*EVERYWHERE), when(CHOOSING, BROWSING, to=(COLLECTING,)))
def _expired(ctx: Context, event: e.Expired) -> None:
    """Drop what is deleted, and only that; say what it was. Where nothing is left to go on with, collect anew."""
    if not event.counts:
        return
    session = ctx.session
    photos = tuple(photo for photo in session.photos if photo.number not in event.photos)
    galleries = tuple(gallery for gallery in session.galleries if not gallery.holds(event.portraits))
    ctx.change(photos=photos, galleries=galleries)
    if ctx.session.gallery is None:
        ctx.change(open_gallery=0)
    if not ctx.session.kept:
        ctx.change(missing=(), of_set=())
    left = {screen.slot(photo.batch) for photo in photos}
    if session.last_card and session.last_card not in left:
        ctx.replies.append(fx.Unbutton(session.last_card))
        ctx.change(last_card="")
    no_choice = session.state == CHOOSING and not ctx.session.kept
    no_gallery = session.state == BROWSING and ctx.session.gallery is None
    if no_choice or no_gallery:
        ctx.change(state=COLLECTING)
    ctx.say("privacy.expired", n=session.keep_days, counts=_counted(ctx, event.counts))


@handles(e.StaleButton, when(*EVERYWHERE))
def _stale_button(ctx: Context, event: e.StaleButton) -> None:
    ctx.replies.append(fx.Toast(ctx.view.words_or(f"stale.{event.why}", "stale.old"), alert=True))
