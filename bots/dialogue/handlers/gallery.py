"""Galleries: leafing, favourites, files, and edits with undo and redo."""

from __future__ import annotations

from dataclasses import replace

from bots.dialogue import buttons as t
from bots.dialogue import effects as r
from bots.dialogue.context import ENHANCING, Handlers, Turn
from bots.dialogue.screens import cards
from bots.dialogue.screens import gallery as carousel
from bots.dialogue.session import Gallery, Running
from jobs.kinds import orders


def show_gallery(turn: Turn, gallery: Gallery, *, open_it: bool = True) -> None:
    turn.session = turn.session.with_gallery(gallery)
    if open_it:
        turn.change(open_gallery=gallery.number)
    turn.replies.append(carousel.card(turn.session, turn.menu, gallery))


def _found(turn: Turn, gallery: int, portrait: int = 0) -> Gallery | None:
    """Return the gallery a button is about, None (and say so) when it or its portrait is gone."""
    found = turn.session.gallery_of(gallery)
    if found is None or (portrait and found.find(portrait) is None):
        turn.toast("stale.expired")
        return None
    return found


def _turned(turn: Turn, event: t.Turned) -> None:
    gallery = _found(turn, event.gallery)
    if gallery is None:
        return
    fresh = turn.session.open_gallery != gallery.number
    show_gallery(turn, carousel.turn(gallery, event.at))
    if fresh:
        turn.replies[-1] = replace(turn.replies[-1], fresh=True)  # type: ignore[call-arg]


def _favoured(turn: Turn, event: t.Favoured) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is None:
        return
    portraits = tuple(
        replace(shown, favourite=event.on) if shown.number == event.portrait else shown for shown in gallery.portraits
    )
    show_gallery(turn, replace(gallery, portraits=portraits))


def _tweaks_opened(turn: Turn, event: t.TweaksOpened) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is not None:
        shown = carousel.show(gallery, event.portrait)
        show_gallery(turn, replace(shown, tweak_page=event.page))


def _edit_undone(turn: Turn, event: t.EditUndone) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    shown = gallery.find(event.portrait) if gallery is not None else None
    if gallery is None or shown is None:
        return
    if not shown.parent:
        turn.toast("undo.first")
        return
    show_gallery(turn, carousel.show(gallery, shown.parent))


def _edit_redone(turn: Turn, event: t.EditRedone) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is None:
        return
    child = carousel.later(gallery, event.portrait)
    if child is None:
        turn.toast("redo.none")
        return
    show_gallery(turn, carousel.show(gallery, child.number))


def _compared(turn: Turn, event: t.Compared) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is not None:
        shown = carousel.show(gallery, event.portrait)
        show_gallery(turn, replace(shown, comparing=event.on and bool(shown.open.parent)))


def _files_asked(turn: Turn, event: t.FilesAsked) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is None:
        return
    one = tuple(s for s in gallery.portraits if s.number == event.portrait)
    on_pages = tuple(s for s in map(gallery.find, gallery.current) if s is not None)
    favourites = tuple(s for s in gallery.portraits if s.favourite)
    chosen = {"one": one, "favourites": favourites, "all": on_pages}.get(event.what, ())
    if not chosen:
        turn.toast("files.no_favourites")
        return
    pictures = tuple(
        r.Picture("shelf", s.drawn.file, carousel.caption(turn.session, turn.menu, gallery, s).splitlines()[-1])
        for s in chosen
    )
    turn.toast("files.coming", n=len(chosen))
    turn.replies.append(r.Files(pictures, turn.words("files.caption", n=len(chosen))))


def _past_opened(turn: Turn, event: t.PastOpened) -> None:
    turn.replies.append(cards.past(turn.session, turn.menu))


def _tweaked(turn: Turn, event: t.Tweaked) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is None:
        return
    if not turn.menu.has_tweak(event.tweak):
        turn.toast("stale.old")
        return
    made = carousel.edited(gallery, event.portrait, event.tweak)
    if made is not None:
        show_gallery(turn, carousel.show(gallery, made.number))
        return
    _enhance(turn, "enhance", gallery, event.portrait, event.tweak)


def _avatar_asked(turn: Turn, event: t.AvatarAsked) -> None:
    gallery = _found(turn, event.gallery, event.portrait)
    if gallery is not None:
        _enhance(turn, "avatar", gallery, event.portrait, turn.menu.avatar)


def _enhance(turn: Turn, kind: str, gallery: Gallery, portrait: int, tweak: str) -> None:
    shown = gallery.find(portrait)
    assert shown is not None
    order = turn.session.orders + 1
    running = Running(order, kind, turn.now, tweak, gallery.number, portrait, shown_at=turn.now)
    turn.change(state=ENHANCING, orders=order, running=running)
    turn.orders.append(r.Place(order, orders.Enhance(shown.drawn.id, (tweak,))))
    turn.toast("tweak.working", tweak=carousel.tweak_label(turn.session, tweak))


HANDLERS: Handlers = {
    t.Turned: _turned,
    t.Favoured: _favoured,
    t.TweaksOpened: _tweaks_opened,
    t.EditUndone: _edit_undone,
    t.EditRedone: _edit_redone,
    t.Compared: _compared,
    t.FilesAsked: _files_asked,
    t.PastOpened: _past_opened,
    t.Tweaked: _tweaked,
    t.AvatarAsked: _avatar_asked,
}
