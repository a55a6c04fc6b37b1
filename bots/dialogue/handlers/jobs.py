"""Jobs under way: where they are, how they end."""

from __future__ import annotations

from dataclasses import replace

from bots.dialogue import effects as fx
from bots.dialogue import events as e
from bots.dialogue.context import Context
from bots.dialogue.galleries import Gallery, new_gallery
from bots.dialogue.handlers.gallery import show_gallery
from bots.dialogue.rules import BROWSING, BUSY, CHOOSING, ENHANCING, EVERYWHERE, IDLE, WAITING, handles, when
from bots.dialogue.screens import choices, gallery, jobs
from bots.dialogue.session import Running

STAGE_PERCENT = 5
NOT_ALIKE = frozenset({"no_face", "several_faces", "not_them", "drifted"})  # why a portrait is not the sitter
EDIT_QUIET_S = 8.0  # an edit that takes no longer gets no card of its own: the press was answered already


@handles(e.JobMoved, when(*BUSY))
def _job_moved(ctx: Context, event: e.JobMoved) -> None:
    """Report progress, at most as often as the platform lets a message be edited."""
    old = ctx.session.running
    if old is None or old.job != event.job or old.stopping:
        return
    if old.kind != "shoot" and ctx.now - old.since < EDIT_QUIET_S:
        return
    new = replace(old, place=event.place, stage=event.stage, percent=max(old.percent, event.percent))
    moved = (new.place, new.stage) != (old.place, old.stage)
    if not moved and abs(new.percent - old.percent) < STAGE_PERCENT:
        return
    first = moved and old.stage == "" and old.place == 0
    if ctx.now - old.shown_at < ctx.limits.edit_interval_s and not first:
        return
    new = replace(new, shown_at=ctx.now)
    ctx.change(running=new)
    ctx.replies.append(jobs.progress(ctx.view, new, event.eta_s))


@handles(e.FirstPortraitCame, when(WAITING))
def _first_portrait_came(ctx: Context, event: e.FirstPortraitCame) -> None:
    """Show the first portrait on the sitting's card, once: an attempt after a killed worker's tells it again."""
    running = ctx.session.running
    if running is None or running.job != event.job or running.stopping or running.first:
        return
    new = replace(running, place=0, first=event.portrait.file, shown_at=ctx.now)
    ctx.change(running=new)
    ctx.replies.append(jobs.progress(ctx.view, new))


@handles(e.PreviewCame, when(ENHANCING))
def _preview_came(ctx: Context, event: e.PreviewCame) -> None:
    """Show an edit small on its gallery, once, until the whole is there."""
    running = ctx.session.running
    if running is None or running.job != event.job or running.kind != "enhance" or running.stopping or running.preview:
        return
    ctx.change(running=replace(running, preview=event.file))
    _show_again(ctx, running)


def _show_again(ctx: Context, running: Running) -> None:
    """Show the gallery an edit is of as it is now, where the edited portrait is what it shows."""
    found = ctx.session.gallery_of(running.gallery)
    if found is not None and found.open.number == running.portrait:
        ctx.replies.append(gallery.card(ctx.view, found))


@handles(jobs.CancelPressed, when(*BUSY))
def _cancel_pressed(ctx: Context, event: jobs.CancelPressed) -> None:
    running = ctx.session.running
    if running is None or running.job != event.job:
        ctx.toast("cancel.nothing")
    elif running.stopping:
        ctx.toast("cancel.already")
    else:
        _cancel(ctx, running)


@handles(e.CancelAsked, when(*EVERYWHERE))
def _cancel_asked(ctx: Context, event: e.CancelAsked) -> None:
    running = ctx.session.running
    if running is None or ctx.session.state not in BUSY:
        ctx.say("cancel.nothing")
    elif running.stopping:
        ctx.say("cancel.already")
    else:
        _cancel(ctx, running)


def _cancel(ctx: Context, running: Running) -> None:
    stopping = replace(running, stopping=True)
    ctx.change(running=stopping)
    ctx.effects.append(fx.Cancel(running.job))
    ctx.replies.append(jobs.progress(ctx.view, stopping))
    if running.preview:
        _show_again(ctx, running)


@handles(e.JobStopped, when(WAITING, to=(CHOOSING,)), when(ENHANCING, to=(BROWSING,)))
def _job_stopped(ctx: Context, event: e.JobStopped) -> None:
    _end_job(ctx, event.job, "cancel.done")


@handles(e.JobFailed, when(WAITING, to=(CHOOSING,)), when(ENHANCING, to=(BROWSING,)))
def _job_failed(ctx: Context, event: e.JobFailed) -> None:
    _end_job(ctx, event.job, f"failed.{event.why}")


def _end_job(ctx: Context, job: int, key: str, **values: object) -> None:
    """Close a job that brought nothing: its card says why, without a picture, and the way back is open."""
    running = ctx.session.running
    if running is None or running.job != job:
        return
    back = CHOOSING if running.kind == "shoot" else BROWSING
    ctx.change(state=back, running=None)
    ctx.replies.append(ctx.view.card(jobs.slot(running), [ctx.view.words_or(key, "failed.other", **values)]))
    if running.preview:
        _show_again(ctx, running)
    if back == CHOOSING:
        ctx.replies.append(choices.looks(ctx.view, repost=True))


@handles(e.GalleryCame, when(*IDLE, ENHANCING), when(WAITING, to=(BROWSING, CHOOSING)))
def _gallery_came(ctx: Context, event: e.GalleryCame) -> None:
    """Show a sitting's portraits; without one of them that was good enough, lead back to the looks."""
    session, running = ctx.session, ctx.session.running
    awaited = running is not None and running.job == event.job and running.kind == "shoot"
    if any(known.job == event.job for known in session.galleries):
        return
    if not event.portraits:
        if awaited:
            why = event.dropped[0][0] if event.dropped else "not_them"
            if why in NOT_ALIKE:
                _end_job(ctx, event.job, "failed.none_like_you")
            else:
                word = ctx.view.words_or(f"dropped.{why}", "dropped.other")
                _end_job(ctx, event.job, "failed.none_good", drawn=event.drawn, why=word)
        return
    number = max((known.number for known in session.galleries), default=0) + 1
    came = new_gallery(number, event.job, ctx.now, event.portraits)
    ctx.session = session.with_gallery(came)
    if awaited:
        ctx.change(state=BROWSING, running=None, styles=(), details=())
    if awaited or session.state in IDLE:
        ctx.change(open_gallery=came.number)
    ctx.replies.append(gallery.card(ctx.view, came))
    ctx.replies.append(fx.Say(jobs.counts(ctx.view, event), under=gallery.slot(came)))


@handles(e.PortraitCame, when(*IDLE, WAITING), when(ENHANCING, to=(BROWSING,)))
def _portrait_came(ctx: Context, event: e.PortraitCame) -> None:
    running = ctx.session.running
    if ctx.session.state is not ENHANCING or running is None or running.job != event.job:
        return  # an edit's picture, while a sitting is under way or after it was called off
    found = _edited_in(ctx, running)
    if found is None:
        return
    if running.kind == "avatar":
        picture = fx.Picture("blob", event.portrait.file, ctx.words("avatar.alt"))
        ctx.replies.append(fx.Files((picture,), ctx.words("avatar.caption")))
        return
    numbers = {shown.drawn.id: shown.number for shown in found.portraits}
    at = found.at
    for made in (event.portrait, *event.others):
        found = found.with_edit(numbers.get(made.parent or 0, running.portrait), running.tweak, made)
    if running.kind == "all":
        found = found.opened(at)
        ctx.toast("tweak.all_done", n=1 + len(event.others), left_out=event.left_out)
    show_gallery(ctx, found)


@handles(e.StickersCame, when(*IDLE, WAITING), when(ENHANCING, to=(BROWSING,)))
def _stickers_came(ctx: Context, event: e.StickersCame) -> None:
    running = ctx.session.running
    if ctx.session.state is not ENHANCING or running is None or running.job != event.job:
        return
    if _edited_in(ctx, running) is None:
        return
    alt = ctx.words("sticker.alt")
    ctx.say(f"sticker.{ctx.limits.stickers[0]}")  # by itself: a sticker has no caption
    ctx.replies.append(fx.Stickers(tuple(fx.Picture("blob", file, alt) for file in event.files)))


def _edited_in(ctx: Context, running: Running) -> Gallery | None:
    """Close a job on a portrait, and the card it reported on; return the portrait's gallery, None where it is gone."""
    found = ctx.session.gallery_of(running.gallery)
    ctx.change(state=BROWSING, running=None)
    if found is not None and (running.stopping or running.shown_at != running.since):
        ctx.replies.append(ctx.view.card(jobs.slot(running), [ctx.words("tweak.done")]))
    return found
