"""Orders under way: where they are, how they end."""

from __future__ import annotations

from dataclasses import replace

from bots.dialogue import buttons as t
from bots.dialogue import effects as r
from bots.dialogue import events as e
from bots.dialogue.context import BROWSING, CHOOSING, COLLECTING, ENHANCING, WAITING, Handlers, Turn
from bots.dialogue.handlers.gallery import show_gallery
from bots.dialogue.screens import cards
from bots.dialogue.screens import gallery as carousel
from bots.dialogue.text import catalogue, said_or

STAGE_S = 3.0  # a progress card is edited at most this often: Telegram floods a bot that edits a chat every second
STAGE_PERCENT = 5
EDIT_QUIET_S = 8.0  # an edit that takes no longer gets no card of its own: the tap was answered already


def _order_moved(turn: Turn, event: e.OrderMoved) -> None:
    old = turn.session.running
    if old is None or old.order != event.order or old.stopping:
        return
    if old.kind != "shoot" and turn.now - old.since < EDIT_QUIET_S:
        return
    new = replace(old, place=event.place, stage=event.stage, percent=max(old.percent, event.percent))
    moved = (new.place, new.stage) != (old.place, old.stage)
    if not moved and abs(new.percent - old.percent) < STAGE_PERCENT:
        return
    if turn.now - old.shown_at < STAGE_S and not (moved and old.stage == "" and old.place == 0):
        return
    new = replace(new, shown_at=turn.now)
    turn.change(running=new)
    turn.replies.append(cards.progress(turn.session, new, event.eta_s))


def _cancel_tapped(turn: Turn, event: t.CancelTapped) -> None:
    running = turn.session.running
    if running is None or running.order != event.order:
        turn.toast("cancel.nothing")
        return
    if running.stopping:
        turn.toast("cancel.already")
        return
    turn.change(running=replace(running, stopping=True))
    turn.orders.append(r.Cancel(running.order))
    assert turn.session.running is not None
    turn.replies.append(cards.progress(turn.session, turn.session.running))


def _cancel_asked(turn: Turn, event: e.CancelAsked) -> None:
    if turn.session.running is not None and turn.session.state in {WAITING, ENHANCING}:
        _cancel_tapped(turn, t.CancelTapped(turn.session.running.order))
    else:
        turn.say("cancel.nothing")


def _order_stopped(turn: Turn, event: e.OrderStopped) -> None:
    _end_order(turn, event.order, "cancel.done")


def _order_failed(turn: Turn, event: e.OrderFailed) -> None:
    _end_order(turn, event.order, f"failed.{event.why}", "failed.other")


def _end_order(turn: Turn, order: int, key: str, otherwise: str = "failed.other") -> None:
    """Close an order that brought no picture: its card says why, and the way back is open."""
    running = turn.session.running
    if running is None or running.order != order:
        return
    back = CHOOSING if running.kind == "shoot" else BROWSING
    turn.change(state=back, running=None)
    turn.replies.append(r.Card(cards.order_slot(running), said_or(turn.session.language, key, otherwise)))
    if back == CHOOSING:
        turn.replies.append(cards.looks(turn.session, turn.menu, turn.now, fresh=True))


def _gallery_came(turn: Turn, event: e.GalleryCame) -> None:
    session, running = turn.session, turn.session.running
    awaited = running is not None and running.order == event.order and running.kind == "shoot"
    if any(gallery.order == event.order for gallery in session.galleries):
        return
    if not event.portraits:
        if awaited:
            _end_order(turn, event.order, "failed.none_like_you")
        return
    gallery = carousel.hang(len(session.galleries) + 1, event.order, turn.now, event.portraits)
    turn.session = session.with_gallery(gallery)
    if awaited:
        turn.change(state=BROWSING, running=None, styles=(), details=())
    if awaited or session.state in {COLLECTING, CHOOSING, BROWSING}:
        turn.change(open_gallery=gallery.number)
    turn.replies.append(carousel.card(turn.session, turn.menu, gallery))
    turn.replies.append(r.Say(_counts(turn, event), under=carousel.slot(gallery)))


def _counts(turn: Turn, event: e.GalleryCame) -> str:
    """Ready; how many were drawn, how many kept, and why the others were not."""
    lines = [turn.words("gallery.ready", n=len(event.portraits))]
    left_out = event.drawn - len(event.portraits)
    if left_out > 0:
        lines.append(turn.words("gallery.left_out", n=left_out, drawn=event.drawn))
        for reason, n in event.dropped:
            known = said_or(turn.session.language, f"dropped.{reason}", "dropped.other")
            lines.append(f"• {known}: {n}")
    key = f"training.{event.training}"
    if event.training in {"helped", "did_not_help"} and (event.gain_percent or -1) >= 0:
        lines.append(turn.words(f"{key}_by", percent=round(event.gain_percent or 0)))
    elif key in catalogue(turn.session.language):
        lines.append(turn.words(key))
    return "\n".join(lines)


def _portrait_came(turn: Turn, event: e.PortraitCame) -> None:
    running = turn.session.running
    if turn.session.state is not ENHANCING or running is None or running.order != event.order:
        return  # an edit's picture, while a sitting is under way or after it was called off
    gallery = turn.session.gallery_of(running.gallery)
    turn.change(state=BROWSING, running=None)
    if gallery is None:
        return
    if running.shown_at != running.since:
        turn.replies.append(r.Card(cards.order_slot(running), turn.words("tweak.done")))
    if running.kind == "avatar":
        picture = r.Picture("shelf", event.portrait.file, turn.words("avatar.alt"))
        turn.replies.append(r.Files((picture,), turn.words("avatar.caption")))
        return
    show_gallery(turn, carousel.add_edit(gallery, running.portrait, running.tweak, event.portrait))


HANDLERS: Handlers = {
    e.OrderMoved: _order_moved,
    t.CancelTapped: _cancel_tapped,
    e.CancelAsked: _cancel_asked,
    e.OrderStopped: _order_stopped,
    e.OrderFailed: _order_failed,
    e.GalleryCame: _gallery_came,
    e.PortraitCame: _portrait_came,
}
