"""What a person is entitled to, and house-keeping: privacy, export, deletion, language, reports."""

from __future__ import annotations

import zlib
from dataclasses import replace

from bots import cards
from bots import messages as m
from bots.messages import Toast
from bots.turn import COLLECTING, LEAVING, WELCOME, Handlers, Turn, new_session
from bots.wording import LANGUAGES, catalogue, said_or


def _help_asked(turn: Turn, event: m.HelpAsked) -> None:
    turn.say("help")


def _privacy_asked(turn: Turn, event: m.PrivacyAsked) -> None:
    turn.replies.append(cards.privacy(turn.session))


def _keep_picked(turn: Turn, event: m.KeepPicked) -> None:
    if event.days not in cards.KEEP_DAYS or not turn.session.consent:
        turn.toast("stale.old")
        return
    turn.change(keep_days=event.days)
    turn.orders.append(m.Consent(turn.session.consent, event.days))
    turn.toast("privacy.days", n=event.days)
    turn.replies.append(replace(cards.privacy(turn.session), fresh=False))


def _language_asked(turn: Turn, event: m.LanguageAsked) -> None:
    turn.replies.append(cards.language(turn.session))


def _language_picked(turn: Turn, event: m.LanguagePicked) -> None:
    if event.code not in LANGUAGES:
        turn.toast("stale.old")
        return
    turn.change(language=event.code)
    turn.toast("language.changed")
    if turn.session.state == WELCOME:
        turn.replies.append(replace(cards.welcome(turn.session), fresh=False))
    else:
        turn.replies.append(replace(cards.language(turn.session), fresh=False))


def _report_asked(turn: Turn, event: m.ReportAsked) -> None:
    if not event.text.strip():
        turn.say("report.how")
        return
    turn.orders.append(m.Report(event.text.strip()[:1000]))
    turn.say("report.thanks")


def _export_asked(turn: Turn, event: m.ExportAsked) -> None:
    if not turn.session.consent:
        turn.say("export.nothing")
        return
    turn.orders.append(m.Export())
    turn.say("export.working")


def _forget_asked(turn: Turn, event: m.ForgetAsked) -> None:
    if turn.session.state == LEAVING:
        turn.say("forget.working")
    else:
        turn.replies.append(cards.forget(turn.session))


def _forget_declined(turn: Turn, event: m.ForgetDeclined) -> None:
    turn.toast("forget.kept")
    turn.replies.append(m.Card("forget", turn.words("forget.kept")))


def _forget_confirmed(turn: Turn, event: m.ForgetConfirmed) -> None:
    if turn.session.state == LEAVING:
        turn.toast("forget.working")
        return
    turn.change(state=LEAVING)
    turn.orders.append(m.Forget())
    turn.replies.append(m.Card("forget", turn.words("forget.working")))


def _forgotten(turn: Turn, event: m.Forgotten) -> None:
    """Start anew as a stranger: the new mark makes every button of before mean nothing."""
    known = [
        (f"counted.{name}", n) for name, n in event.counts if f"counted.{name}" in catalogue(turn.session.language)
    ]
    counts = "\n".join(f"• {turn.words(key, n=n)}" for key, n in known)
    turn.replies += [
        m.Sweep(),
        m.TextFile("receipt.json", event.receipt, turn.words("forget.receipt", counts=counts)),
    ]
    turn.session = new_session(_next_mark(turn.session.mark, turn.now), turn.session.language)


def _next_mark(mark: str, now: float) -> str:
    return f"{zlib.crc32(f'{mark}{now}'.encode()) % 36**4:04x}"[-4:]


def _expired(turn: Turn, event: m.Expired) -> None:
    session = turn.session
    if not session.photos and not session.galleries:
        return
    state = session.state if session.state in {WELCOME, COLLECTING} else COLLECTING
    turn.change(photos=(), missing=(), galleries=(), open_gallery=0, running=None, last_card="", state=state)
    turn.say("privacy.expired", n=session.keep_days)


def _stale_tapped(turn: Turn, event: m.StaleTapped) -> None:
    turn.replies.append(Toast(said_or(turn.session.language, f"stale.{event.why}", "stale.old"), alert=True))


HANDLERS: Handlers = {
    m.HelpAsked: _help_asked,
    m.PrivacyAsked: _privacy_asked,
    m.KeepPicked: _keep_picked,
    m.LanguageAsked: _language_asked,
    m.LanguagePicked: _language_picked,
    m.ReportAsked: _report_asked,
    m.ExportAsked: _export_asked,
    m.ForgetAsked: _forget_asked,
    m.ForgetDeclined: _forget_declined,
    m.ForgetConfirmed: _forget_confirmed,
    m.Forgotten: _forgotten,
    m.Expired: _expired,
    m.StaleTapped: _stale_tapped,
}
