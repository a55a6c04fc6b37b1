"""Galleries: leafing, favourites, files, comparing, undo and redo."""

from __future__ import annotations

from dataclasses import replace

from bots.dialogue import effects as fx
from bots.dialogue.context import Context
from bots.dialogue.galleries import Gallery
from bots.dialogue.rules import BUSY, IDLE, handles, when
from bots.dialogue.screens import gallery as screen


def show_gallery(ctx: Context, gallery: Gallery, repost: bool = False) -> None:
    """Show a gallery as it is now, and remember that it is the open one."""
    ctx.session = ctx.session.with_gallery(gallery)
    ctx.change(open_gallery=gallery.number)
    ctx.replies.append(screen.card(ctx.view, gallery, repost))


def found_gallery(ctx: Context, gallery: int, portrait: int = 0) -> Gallery | None:
    """Return the gallery a button is about, None (and say so) when it or its portrait is gone."""
    found = ctx.session.gallery_of(gallery)
    if found is None or (portrait and found.find(portrait) is None):
        ctx.toast("stale.expired")
        return None
    return found


@handles(screen.PageOpened, when(*IDLE, *BUSY))
def _page_opened(ctx: Context, event: screen.PageOpened) -> None:
    gallery = found_gallery(ctx, event.gallery)
    if gallery is not None:
        another = ctx.session.open_gallery != gallery.number
        show_gallery(ctx, gallery.opened(event.at), repost=another)


@handles(screen.Favoured, when(*IDLE, *BUSY))
def _favoured(ctx: Context, event: screen.Favoured) -> None:
    gallery = found_gallery(ctx, event.gallery, event.portrait)
    if gallery is not None:
        show_gallery(ctx, gallery.with_favourite(event.portrait, event.on))


@handles(screen.EditUndone, when(*IDLE, *BUSY))
def _edit_undone(ctx: Context, event: screen.EditUndone) -> None:
    gallery = found_gallery(ctx, event.gallery, event.portrait)
    shown = gallery.find(event.portrait) if gallery is not None else None
    if gallery is None or shown is None:
        return
    if not shown.parent:
        ctx.toast("undo.first")
        return
    show_gallery(ctx, gallery.showing(shown.parent))


@handles(screen.EditRedone, when(*IDLE, *BUSY))
def _edit_redone(ctx: Context, event: screen.EditRedone) -> None:
    gallery = found_gallery(ctx, event.gallery, event.portrait)
    if gallery is None:
        return
    child = gallery.later(event.portrait)
    if child is None:
        ctx.toast("redo.none")
        return
    show_gallery(ctx, gallery.showing(child.number))


@handles(screen.Compared, when(*IDLE, *BUSY))
def _compared(ctx: Context, event: screen.Compared) -> None:
    gallery = found_gallery(ctx, event.gallery, event.portrait)
    if gallery is not None:
        shown = gallery.showing(event.portrait)
        show_gallery(ctx, replace(shown, comparing=event.on and bool(shown.open.parent)))


@handles(screen.FilesAsked, when(*IDLE, *BUSY))
def _files_asked(ctx: Context, event: screen.FilesAsked) -> None:
    gallery = found_gallery(ctx, event.gallery, event.portrait)
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
    smaller = ctx.words("files.smaller", limit=ctx.limits.upload_bytes // 1_000_000)
    ctx.replies.append(fx.Files(pictures, ctx.words("files.caption", n=len(chosen)), smaller))


@handles(screen.PastOpened, when(*IDLE, *BUSY))
def _past_opened(ctx: Context, event: screen.PastOpened) -> None:
    ctx.replies.append(screen.past(ctx.view, event.page, repost=event.page == 0))
