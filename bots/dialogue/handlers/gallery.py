"""Galleries: leafing, favourites, files, and edits with undo and redo."""

from __future__ import annotations

from dataclasses import replace

from bots.dialogue import buttons as b
from bots.dialogue import effects as fx
from bots.dialogue.context import ENHANCING, Context, Handlers
from bots.dialogue.screens import cards
from bots.dialogue.screens import gallery as carousel
from bots.dialogue.session import Gallery, Running
from jobs.kinds.enhance import Enhance


def show_gallery(ctx: Context, gallery: Gallery, *, open_it: bool = True) -> None:
    ctx.session = ctx.session.with_gallery(gallery)
    if open_it:
        ctx.change(open_gallery=gallery.number)
    ctx.replies.append(carousel.card(ctx.session, ctx.menu, gallery))


def _found(ctx: Context, gallery: int, portrait: int = 0) -> Gallery | None:
    """Return the gallery a button is about, None (and say so) when it or its portrait is gone."""
    found = ctx.session.gallery_of(gallery)
    if found is None or (portrait and found.find(portrait) is None):
        ctx.toast("stale.expired")
        return None
    return found


def _turned(ctx: Context, event: b.PageOpened) -> None:
    gallery = _found(ctx, event.gallery)
    if gallery is None:
        return
    repost = ctx.session.open_gallery != gallery.number
    show_gallery(ctx, carousel.open_page(gallery, event.at))
    if repost:
        ctx.replies[-1] = replace(ctx.replies[-1], repost=True)  # type: ignore[call-arg]


def _favoured(ctx: Context, event: b.Favoured) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    if gallery is None:
        return
    portraits = tuple(
        replace(shown, favourite=event.on) if shown.number == event.portrait else shown for shown in gallery.portraits
    )
    show_gallery(ctx, replace(gallery, portraits=portraits))


def _tweaks_opened(ctx: Context, event: b.TweaksOpened) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    if gallery is not None:
        shown = carousel.show(gallery, event.portrait)
        show_gallery(ctx, replace(shown, tweak_page=event.page))


def _edit_undone(ctx: Context, event: b.EditUndone) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    shown = gallery.find(event.portrait) if gallery is not None else None
    if gallery is None or shown is None:
        return
    if not shown.parent:
        ctx.toast("undo.first")
        return
    show_gallery(ctx, carousel.show(gallery, shown.parent))


def _edit_redone(ctx: Context, event: b.EditRedone) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    if gallery is None:
        return
    child = carousel.later(gallery, event.portrait)
    if child is None:
        ctx.toast("redo.none")
        return
    show_gallery(ctx, carousel.show(gallery, child.number))


def _compared(ctx: Context, event: b.Compared) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    if gallery is not None:
        shown = carousel.show(gallery, event.portrait)
        show_gallery(ctx, replace(shown, comparing=event.on and bool(shown.open.parent)))


def _files_asked(ctx: Context, event: b.FilesAsked) -> None:
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
    pictures = tuple(
        fx.Picture("shelf", s.drawn.file, carousel.caption(ctx.session, ctx.menu, gallery, s).splitlines()[-1])
        for s in chosen
    )
    ctx.toast("files.coming", n=len(chosen))
    ctx.replies.append(fx.Files(pictures, ctx.words("files.caption", n=len(chosen))))


def _past_opened(ctx: Context, event: b.PastOpened) -> None:
    ctx.replies.append(cards.past(ctx.session, ctx.menu))


def _tweaked(ctx: Context, event: b.Tweaked) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    if gallery is None:
        return
    if not ctx.menu.has_tweak(event.tweak):
        ctx.toast("stale.old")
        return
    made = carousel.edited(gallery, event.portrait, event.tweak)
    if made is not None:
        show_gallery(ctx, carousel.show(gallery, made.number))
        return
    _enhance(ctx, "enhance", gallery, event.portrait, event.tweak)


def _avatar_asked(ctx: Context, event: b.AvatarAsked) -> None:
    gallery = _found(ctx, event.gallery, event.portrait)
    if gallery is not None:
        _enhance(ctx, "avatar", gallery, event.portrait, ctx.menu.avatar)


def _enhance(ctx: Context, kind: str, gallery: Gallery, portrait: int, tweak: str) -> None:
    shown = gallery.find(portrait)
    assert shown is not None
    job = ctx.session.jobs + 1
    running = Running(job, kind, ctx.now, tweak, gallery.number, portrait, shown_at=ctx.now)
    ctx.change(state=ENHANCING, jobs=job, running=running)
    ctx.effects.append(fx.Place(job, Enhance(shown.drawn.id, (tweak,))))
    ctx.toast("tweak.working", tweak=carousel.tweak_label(ctx.session, tweak))


HANDLERS: Handlers = {
    b.PageOpened: _turned,
    b.Favoured: _favoured,
    b.TweaksOpened: _tweaks_opened,
    b.EditUndone: _edit_undone,
    b.EditRedone: _edit_redone,
    b.Compared: _compared,
    b.FilesAsked: _files_asked,
    b.PastOpened: _past_opened,
    b.Tweaked: _tweaked,
    b.AvatarAsked: _avatar_asked,
}
