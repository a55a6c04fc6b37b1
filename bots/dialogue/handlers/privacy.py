"""What a person is entitled to, and housekeeping: privacy, export, deletion, language, reports."""

from __future__ import annotations

import zlib
from dataclasses import replace

from bots.dialogue import buttons as b
from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.context import COLLECTING, LEAVING, WELCOME, Context, Handlers, new_session
from bots.dialogue.effects import Toast
from bots.dialogue.screens import cards
from bots.dialogue.text import LANGUAGES, catalogue, said_or


def _help_asked(ctx: Context, event: e.HelpAsked) -> None:
    ctx.say("help")


def _privacy_asked(ctx: Context, event: e.PrivacyAsked) -> None:
    ctx.replies.append(cards.privacy(ctx.session))


def _keep_picked(ctx: Context, event: b.KeepPicked) -> None:
    if event.days not in cards.KEEP_DAYS or not ctx.session.consent:
        ctx.toast("stale.old")
        return
    ctx.change(keep_days=event.days)
    ctx.effects.append(fx.Consent(ctx.session.consent, event.days))
    ctx.toast("privacy.days", n=event.days)
    ctx.replies.append(replace(cards.privacy(ctx.session), repost=False))


def _language_asked(ctx: Context, event: e.LanguageAsked) -> None:
    ctx.replies.append(cards.language(ctx.session))


def _language_picked(ctx: Context, event: b.LanguagePicked) -> None:
    if event.code not in LANGUAGES:
        ctx.toast("stale.old")
        return
    ctx.change(language=event.code)
    ctx.toast("language.changed")
    if ctx.session.state == WELCOME:
        ctx.replies.append(replace(cards.welcome(ctx.session), repost=False))
    else:
        ctx.replies.append(replace(cards.language(ctx.session), repost=False))


def _report_asked(ctx: Context, event: e.ReportAsked) -> None:
    if not event.text.strip():
        ctx.say("report.how")
        return
    ctx.effects.append(fx.Report(event.text.strip()[:1000]))
    ctx.say("report.thanks")


def _export_asked(ctx: Context, event: e.ExportAsked) -> None:
    if not ctx.session.consent:
        ctx.say("export.nothing")
        return
    ctx.effects.append(fx.Export())
    ctx.say("export.working")


def _forget_asked(ctx: Context, event: e.ForgetAsked) -> None:
    if ctx.session.state == LEAVING:
        ctx.say("forget.working")
    else:
        ctx.replies.append(cards.forget(ctx.session))


def _forget_declined(ctx: Context, event: b.ForgetDeclined) -> None:
    ctx.toast("forget.kept")
    ctx.replies.append(fx.Card("forget", ctx.words("forget.kept")))


def _forget_confirmed(ctx: Context, event: b.ForgetConfirmed) -> None:
    if ctx.session.state == LEAVING:
        ctx.toast("forget.working")
        return
    ctx.change(state=LEAVING)
    ctx.effects.append(fx.Forget())
    ctx.replies.append(fx.Card("forget", ctx.words("forget.working")))


def _forgotten(ctx: Context, event: e.Forgotten) -> None:
    """Start anew as a stranger: the new nonce makes every button of before mean nothing."""
    known = [(f"counted.{name}", n) for name, n in event.counts if f"counted.{name}" in catalogue(ctx.session.language)]
    counts = "\n".join(f"• {ctx.words(key, n=n)}" for key, n in known)
    ctx.replies += [
        fx.Sweep(),
        fx.TextFile("receipt.json", event.receipt, ctx.words("forget.receipt", counts=counts)),
    ]
    ctx.session = new_session(ctx.session.conversation, _next_nonce(ctx.session.nonce, ctx.now), ctx.session.language)


def _next_nonce(nonce: str, now: float) -> str:
    return f"{zlib.crc32(f'{nonce}{now}'.encode()) % 36**4:04x}"[-4:]


def _expired(ctx: Context, event: e.Expired) -> None:
    session = ctx.session
    if not session.photos and not session.galleries:
        return
    state = session.state if session.state in {WELCOME, COLLECTING} else COLLECTING
    ctx.change(photos=(), missing=(), of_set=(), galleries=(), open_gallery=0, running=None, last_card="", state=state)
    ctx.say("privacy.expired", n=session.keep_days)


def _stale_button(ctx: Context, event: e.StaleButton) -> None:
    ctx.replies.append(Toast(said_or(ctx.session.language, f"stale.{event.why}", "stale.old"), alert=True))


HANDLERS: Handlers = {
    e.HelpAsked: _help_asked,
    e.PrivacyAsked: _privacy_asked,
    b.KeepPicked: _keep_picked,
    e.LanguageAsked: _language_asked,
    b.LanguagePicked: _language_picked,
    e.ReportAsked: _report_asked,
    e.ExportAsked: _export_asked,
    e.ForgetAsked: _forget_asked,
    b.ForgetDeclined: _forget_declined,
    b.ForgetConfirmed: _forget_confirmed,
    e.Forgotten: _forgotten,
    e.Expired: _expired,
    e.StaleButton: _stale_button,
}
