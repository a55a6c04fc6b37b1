"""Galleries: leafing, favourites, files, and edits with undo and redo."""

from __future__ import annotations

from dataclasses import replace

from bots.dialogue import effects as fx
from bots.dialogue.context import Context
from bots.dialogue.galleries import Gallery
from bots.dialogue.rules import BUSY, ENHANCING, IDLE, handles, when
from bots.dialogue.screens import gallery as screen
from bots.dialogue.session import Running
from jobs.kinds.enhance import Enhance


def show_gallery(ctx: Context, gallery: Gallery, repost: bool = False) -> None:
    """Show a gallery as it is now, and remember that it is the open one."""
    ctx.session = ctx.session.with_gallery(gallery)
    ctx.change(open_gallery=gallery.number)
    ctx.replies.append(screen.card(ctx.view, gallery, repost))


def _found(ctx: Context, gallery: int, portrait: int = 0) -> Gallery | None:
    """Return the gallery a button is about, None (and say so) when it or its portrait is gone."""
    found = ctx.session.gallery_of(gallery)
    if found is None or (portrait and found.find(portrait) is None):
        ctx.toast("stale.expired")
        return None
    return found


@handles(screen.PageOpened, when(*IDLE, *BUSY))
def _page_opened(ctx: Context, event: screen.PageOpened) -> None:
    gallery = _found(ctx, event.gallery)
    if gallery is not None:
        another = ctx.session.open_gallery != gallery.number
        show_gallery(ctx, gallery.opened(event.at), repost=another)


@handles(screen.Favoured, when(*IDLE, *BUSY))
def _favoured(ctx: Context, event: screen.Favoured) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    if gallery is not None:
        show_gallery(ctx, gallery.with_favourite(event.portrait, event.on))


@handles(screen.TweaksOpened, when(*IDLE, *BUSY))
def _tweaks_opened(ctx: Context, event: screen.TweaksOpened) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    if gallery is not None:
        shown = gallery.showing(event.portrait)
        show_gallery(ctx, replace(shown, tweak_page=event.page, tweak_part=event.part))


@handles(screen.EditUndone, when(*IDLE, *BUSY))
def _edit_undone(ctx: Context, event: screen.EditUndone) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    shown = gallery.find(event.portrait) if gallery is not None else None
    if gallery is None or shown is None:
        return
    if not shown.parent:
        ctx.toast("undo.first")
        return
    show_gallery(ctx, gallery.showing(shown.parent))


@handles(screen.EditRedone, when(*IDLE, *BUSY))
def _edit_redone(ctx: Context, event: screen.EditRedone) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    if gallery is None:
        return
    child = gallery.later(event.portrait)
    if child is None:
        ctx.toast("redo.none")
        return
    show_gallery(ctx, gallery.showing(child.number))


@handles(screen.Compared, when(*IDLE, *BUSY))
def _compared(ctx: Context, event: screen.Compared) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    if gallery is not None:
        shown = gallery.showing(event.portrait)
        show_gallery(ctx, replace(shown, comparing=event.on and bool(shown.open.parent)))


@handles(screen.FilesAsked, when(*IDLE, *BUSY))
def _files_asked(ctx: Context, event: screen.FilesAsked) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    if gallery is None:
        return
    one = tuple(s for s in gallery.portraits if s.number == event.portrait)
    on_pages = tuple(s for s in map(gallery.find, gallery.current) if s is not None)
    favourites = tuple(s for s in gallery.portraits if s.favourite)
    chosen = {"one": one, "favourites": favourites, "all": on_pages}.get(event.what, ())
    if not chosen:
        ctx.toast("files.no_favourites")
        return
    alt = screen.made_by_ai(ctx.view, gallery.made_at)
    ctx.toast("files.coming", n=len(chosen))
    pictures = tuple(fx.Picture("blob", shown.drawn.file, alt) for shown in chosen)
    ctx.replies.append(fx.Files(pictures, ctx.words("files.caption", n=len(chosen))))


@handles(screen.PastOpened, when(*IDLE, *BUSY))
def _past_opened(ctx: Context, event: screen.PastOpened) -> None:
    ctx.replies.append(screen.past(ctx.view, event.page, repost=event.page == 0))


@handles(screen.Tweaked, when(*IDLE, to=(ENHANCING,)))
def _tweaked(ctx: Context, event: screen.Tweaked) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    if gallery is None:
        return
    if not ctx.menu.has_tweak(event.tweak):
        ctx.toast("stale.old")
        return
    made = gallery.edited(event.portrait, event.tweak)
    if made is not None:
        show_gallery(ctx, gallery.showing(made.number))
        return
    _enhance(ctx, "enhance", gallery, event.portrait, event.tweak)


@handles(screen.AvatarAsked, when(*IDLE, to=(ENHANCING,)))
def _avatar_asked(ctx: Context, event: screen.AvatarAsked) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    if gallery is not None:
        _enhance(ctx, "avatar", gallery, event.portrait, ctx.menu.avatar)


def _enhance(ctx: Context, kind: str, gallery: Gallery, portrait: int, tweak: str) -> None:
    shown = gallery.find(portrait)
    if shown is None:
        ctx.toast("stale.expired")
        return
    job = ctx.session.jobs + 1
    running = Running(job, kind, ctx.now, tweak, gallery.number, portrait, shown_at=ctx.now)
    ctx.change(state=ENHANCING, jobs=job, running=running)
    ctx.effects.append(fx.Place(job, Enhance(shown.drawn.id, (tweak,))))
    ctx.toast("tweak.working", tweak=screen.tweak_label(ctx.view, tweak))
