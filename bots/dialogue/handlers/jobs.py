"""Orders under way: where they are, how they end."""

from __future__ import annotations

from dataclasses import replace

from bots.dialogue import buttons as b
from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.context import BROWSING, CHOOSING, COLLECTING, ENHANCING, WAITING, Context, Handlers
from bots.dialogue.handlers.gallery import show_gallery
from bots.dialogue.screens import cards
from bots.dialogue.screens import gallery as carousel
from bots.dialogue.text import catalogue, said_or

STAGE_S = 3.0  # a progress card is edited at most this often: Telegram floods a bot that edits a chat every second
STAGE_PERCENT = 5
EDIT_QUIET_S = 8.0  # an edit that takes no longer gets no card of its own: the press was answered already


def _job_moved(ctx: Context, event: e.JobMoved) -> None:
    old = ctx.session.running
    if old is None or old.job != event.job or old.stopping:
        return
    if old.kind != "shoot" and ctx.now - old.since < EDIT_QUIET_S:
        return
    new = replace(old, place=event.place, stage=event.stage, percent=max(old.percent, event.percent))
    moved = (new.place, new.stage) != (old.place, old.stage)
    if not moved and abs(new.percent - old.percent) < STAGE_PERCENT:
        return
    if ctx.now - old.shown_at < STAGE_S and not (moved and old.stage == "" and old.place == 0):
        return
    new = replace(new, shown_at=ctx.now)
    ctx.change(running=new)
    ctx.replies.append(cards.progress(ctx.session, new, event.eta_s))


def _cancel_pressed(ctx: Context, event: b.CancelPressed) -> None:
    running = ctx.session.running
    if running is None or running.job != event.job:
        ctx.toast("cancel.nothing")
        return
    if running.stopping:
        ctx.toast("cancel.already")
        return
    ctx.change(running=replace(running, stopping=True))
    ctx.effects.append(fx.Cancel(running.job))
    assert ctx.session.running is not None
    ctx.replies.append(cards.progress(ctx.session, ctx.session.running))


def _cancel_asked(ctx: Context, event: e.CancelAsked) -> None:
    if ctx.session.running is not None and ctx.session.state in {WAITING, ENHANCING}:
        _cancel_pressed(ctx, b.CancelPressed(ctx.session.running.job))
    else:
        ctx.say("cancel.nothing")


def _job_stopped(ctx: Context, event: e.JobStopped) -> None:
    _end_job(ctx, event.job, "cancel.done")


def _job_failed(ctx: Context, event: e.JobFailed) -> None:
    _end_job(ctx, event.job, f"failed.{event.why}", "failed.other")


def _end_job(ctx: Context, job: int, key: str, otherwise: str = "failed.other") -> None:
    """Close a job that brought no picture: its card says why, and the way back is open."""
    running = ctx.session.running
    if running is None or running.job != job:
        return
    back = CHOOSING if running.kind == "shoot" else BROWSING
    ctx.change(state=back, running=None)
    ctx.replies.append(fx.Card(cards.job_slot(running), said_or(ctx.session.language, key, otherwise)))
    if back == CHOOSING:
        ctx.replies.append(cards.looks(ctx.session, ctx.menu, ctx.now, repost=True))


def _gallery_came(ctx: Context, event: e.GalleryCame) -> None:
    session, running = ctx.session, ctx.session.running
    awaited = running is not None and running.job == event.job and running.kind == "shoot"
    if any(gallery.job == event.job for gallery in session.galleries):
        return
    if not event.portraits:
        if awaited:
            _end_job(ctx, event.job, "failed.none_like_you")
        return
    gallery = carousel.new_gallery(len(session.galleries) + 1, event.job, ctx.now, event.portraits)
    ctx.session = session.with_gallery(gallery)
    if awaited:
        ctx.change(state=BROWSING, running=None, styles=(), details=())
    if awaited or session.state in {COLLECTING, CHOOSING, BROWSING}:
        ctx.change(open_gallery=gallery.number)
    ctx.replies.append(carousel.card(ctx.session, ctx.menu, gallery))
    ctx.replies.append(fx.Say(_counts(ctx, event), under=carousel.slot(gallery)))


def _counts(ctx: Context, event: e.GalleryCame) -> str:
    """Ready; how many were drawn, how many kept, and why the others were not."""
    lines = [ctx.words("gallery.ready", n=len(event.portraits))]
    left_out = event.drawn - len(event.portraits)
    if left_out > 0:
        lines.append(ctx.words("gallery.left_out", n=left_out, drawn=event.drawn))
        for reason, n in event.dropped:
            known = said_or(ctx.session.language, f"dropped.{reason}", "dropped.other")
            lines.append(f"• {known}: {n}")
    key = f"training.{event.training}"
    if event.training in {"helped", "did_not_help"} and (event.gain_percent or -1) >= 0:
        lines.append(ctx.words(f"{key}_by", percent=round(event.gain_percent or 0)))
    elif key in catalogue(ctx.session.language):
        lines.append(ctx.words(key))
    return "\n".join(lines)


def _portrait_came(ctx: Context, event: e.PortraitCame) -> None:
    running = ctx.session.running
    if ctx.session.state is not ENHANCING or running is None or running.job != event.job:
        return  # an edit's picture, while a sitting is under way or after it was called off
    gallery = ctx.session.gallery_of(running.gallery)
    ctx.change(state=BROWSING, running=None)
    if gallery is None:
        return
    if running.shown_at != running.since:
        ctx.replies.append(fx.Card(cards.job_slot(running), ctx.words("tweak.done")))
    if running.kind == "avatar":
        picture = fx.Picture("shelf", event.portrait.file, ctx.words("avatar.alt"))
        ctx.replies.append(fx.Files((picture,), ctx.words("avatar.caption")))
        return
    show_gallery(ctx, carousel.add_edit(gallery, running.portrait, running.tweak, event.portrait))


HANDLERS: Handlers = {
    e.JobMoved: _job_moved,
    b.CancelPressed: _cancel_pressed,
    e.CancelAsked: _cancel_asked,
    e.JobStopped: _job_stopped,
    e.JobFailed: _job_failed,
    e.GalleryCame: _gallery_came,
    e.PortraitCame: _portrait_came,
}
