"""What a person is entitled to, and house-keeping: privacy, export, deletion, language, reports."""

from __future__ import annotations

import zlib
from dataclasses import replace

from bots.dialogue import buttons as t
from bots.dialogue import effects as r
from bots.dialogue import events as e
from bots.dialogue.context import COLLECTING, LEAVING, WELCOME, Handlers, Turn, new_session
from bots.dialogue.effects import Toast
from bots.dialogue.screens import cards
from bots.dialogue.text import LANGUAGES, catalogue, said_or


def _help_asked(turn: Turn, event: e.HelpAsked) -> None:
    turn.say("help")


def _privacy_asked(turn: Turn, event: e.PrivacyAsked) -> None:
    turn.replies.append(cards.privacy(turn.session))


def _keep_picked(turn: Turn, event: t.KeepPicked) -> None:
    if event.days not in cards.KEEP_DAYS or not turn.session.consent:
        turn.toast("stale.old")
        return
    turn.change(keep_days=event.days)
    turn.orders.append(r.Consent(turn.session.consent, event.days))
    turn.toast("privacy.days", n=event.days)
    turn.replies.append(replace(cards.privacy(turn.session), fresh=False))


def _language_asked(turn: Turn, event: e.LanguageAsked) -> None:
    turn.replies.append(cards.language(turn.session))


def _language_picked(turn: Turn, event: t.LanguagePicked) -> None:
    if event.code not in LANGUAGES:
        turn.toast("stale.old")
        return
    turn.change(language=event.code)
    turn.toast("language.changed")
    if turn.session.state == WELCOME:
        turn.replies.append(replace(cards.welcome(turn.session), fresh=False))
    else:
        turn.replies.append(replace(cards.language(turn.session), fresh=False))


def _report_asked(turn: Turn, event: e.ReportAsked) -> None:
    if not event.text.strip():
        turn.say("report.how")
        return
    turn.orders.append(r.Report(event.text.strip()[:1000]))
    turn.say("report.thanks")


def _export_asked(turn: Turn, event: e.ExportAsked) -> None:
    if not turn.session.consent:
        turn.say("export.nothing")
        return
    turn.orders.append(r.Export())
    turn.say("export.working")


def _forget_asked(turn: Turn, event: e.ForgetAsked) -> None:
    if turn.session.state == LEAVING:
        turn.say("forget.working")
    else:
        turn.replies.append(cards.forget(turn.session))


def _forget_declined(turn: Turn, event: t.ForgetDeclined) -> None:
    turn.toast("forget.kept")
    turn.replies.append(r.Card("forget", turn.words("forget.kept")))


def _forget_confirmed(turn: Turn, event: t.ForgetConfirmed) -> None:
    if turn.session.state == LEAVING:
        turn.toast("forget.working")
        return
    turn.change(state=LEAVING)
    turn.orders.append(r.Forget())
    turn.replies.append(r.Card("forget", turn.words("forget.working")))


def _forgotten(turn: Turn, event: e.Forgotten) -> None:
    """Start anew as a stranger: the new mark makes every button of before mean nothing."""
    known = [
        (f"counted.{name}", n) for name, n in event.counts if f"counted.{name}" in catalogue(turn.session.language)
    ]
    counts = "\n".join(f"• {turn.words(key, n=n)}" for key, n in known)
    turn.replies += [
        r.Sweep(),
        r.TextFile("receipt.json", event.receipt, turn.words("forget.receipt", counts=counts)),
    ]
    turn.session = new_session(_next_mark(turn.session.mark, turn.now), turn.session.language)


def _next_mark(mark: str, now: float) -> str:
    return f"{zlib.crc32(f'{mark}{now}'.encode()) % 36**4:04x}"[-4:]


def _expired(turn: Turn, event: e.Expired) -> None:
    session = turn.session
    if not session.photos and not session.galleries:
        return
    state = session.state if session.state in {WELCOME, COLLECTING} else COLLECTING
    turn.change(photos=(), missing=(), of_set=(), galleries=(), open_gallery=0, running=None, last_card="", state=state)
    turn.say("privacy.expired", n=session.keep_days)


def _stale_tapped(turn: Turn, event: e.StaleTapped) -> None:
    turn.replies.append(Toast(said_or(turn.session.language, f"stale.{event.why}", "stale.old"), alert=True))


HANDLERS: Handlers = {
    e.HelpAsked: _help_asked,
    e.PrivacyAsked: _privacy_asked,
    t.KeepPicked: _keep_picked,
    e.LanguageAsked: _language_asked,
    t.LanguagePicked: _language_picked,
    e.ReportAsked: _report_asked,
    e.ExportAsked: _export_asked,
    e.ForgetAsked: _forget_asked,
    t.ForgetDeclined: _forget_declined,
    t.ForgetConfirmed: _forget_confirmed,
    e.Forgotten: _forgotten,
    e.Expired: _expired,
    e.StaleTapped: _stale_tapped,
}
