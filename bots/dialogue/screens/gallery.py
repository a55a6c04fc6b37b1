"""Screens of the galleries: which picture, which caption, which buttons; and the list of all there are."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar

from bots.dialogue.buttons import Press
from bots.dialogue.effects import Button, Card, Picture, Rows
from bots.dialogue.galleries import Gallery, Shown
from bots.dialogue.screens import desk
from bots.dialogue.screens.choices import LooksOpened, style_title
from bots.dialogue.screens.desk import TweaksOpened, tweak_label
from bots.dialogue.screens.teams import release
from bots.dialogue.screens.view import View
from bots.dialogue.text import day
from jobs.queue.events import Pictured

COSTLY_POINTS = 5  # of likeness: an edit that takes more says so and offers its undo


@dataclass(frozen=True, slots=True)
class PageOpened(Press):
    """Show portrait `at` of gallery `gallery` (both counted from 1)."""

    op: ClassVar[str] = "turn"
    gallery: int
    at: int


@dataclass(frozen=True, slots=True)
class Favoured(Press):
    """Among the favourites, or no longer."""

    op: ClassVar[str] = "fav"
    gallery: int
    portrait: int
    on: bool


@dataclass(frozen=True, slots=True)
class EditUndone(Press):
    """Show what an edit was made from."""

    op: ClassVar[str] = "undo"
    gallery: int
    portrait: int


@dataclass(frozen=True, slots=True)
class EditRedone(Press):
    """Show the newest edit made from a portrait."""

    op: ClassVar[str] = "redo"
    gallery: int
    portrait: int


@dataclass(frozen=True, slots=True)
class Compared(Press):
    """Show an edit beside, or in place of, its first draw."""

    op: ClassVar[str] = "vs"
    gallery: int
    portrait: int
    on: bool


@dataclass(frozen=True, slots=True)
class FilesAsked(Press):
    """what: `one`, `favourites` or `all`."""

    op: ClassVar[str] = "files"
    gallery: int
    portrait: int
    what: str


@dataclass(frozen=True, slots=True)
class AvatarAsked(Press):
    """Crop a portrait to a square."""

    op: ClassVar[str] = "avatar"
    gallery: int
    portrait: int


@dataclass(frozen=True, slots=True)
class StickerAsked(Press):
    """Cut a drawn portrait out."""

    op: ClassVar[str] = "sticker"
    gallery: int
    portrait: int


@dataclass(frozen=True, slots=True)
class PastOpened(Press):
    """A page of the list of galleries."""

    op: ClassVar[str] = "past"
    page: int = 0


def card(view: View, gallery: Gallery, repost: bool = False) -> Card:
    """The gallery as one message: picture, caption, buttons.

    An edit is compared with its first draw: two pictures where a card may hold them, else both in one.
    """
    shown = gallery.open
    if preview := _preview_of(view, gallery, shown):
        rows = _rows(view, gallery, shown)
        return view.card(slot(gallery), [preview.alt], rows, (preview,), repost=repost, throttled=True)
    first = gallery.root(shown)
    text = caption(view, gallery, shown)
    pictures: tuple[Picture, ...] = (Picture("blob", shown.drawn.file, text),)
    if gallery.comparing and view.limits.pictures_a_card > 1:
        pictures = tuple(Picture("blob", s.drawn.file, text) for s in (first, shown))
    elif gallery.comparing:
        files = (first.drawn.file, shown.drawn.file)
        pictures = (Picture("blob", f"{files[0]}|{files[1]}", text, tiles=files),)
    return view.card(slot(gallery), [text], _rows(view, gallery, shown), pictures, repost=repost)


def _preview_of(view: View, gallery: Gallery, shown: Shown) -> Picture | None:
    """Return the small picture that stands for an edit of this portrait until it is there, with its caption."""
    running = view.session.running
    if running is None or not running.preview or running.stopping or gallery.comparing:
        return None
    if (running.gallery, running.portrait) != (gallery.number, shown.number):
        return None
    lines = [view.words("tweak.preview", tweak=tweak_label(view, running.tweak)), made_by_ai(view, gallery.made_at)]
    return Picture("blob", running.preview, "\n".join(lines))


def slot(gallery: Gallery) -> str:
    """Return the card a gallery lives on: the placeholder of its sitting."""
    return f"job:{gallery.job}"


def caption(view: View, gallery: Gallery, shown: Shown) -> str:
    """2/8 · Office · 93 % of your own baseline; what was edited, and how long it is kept."""
    drawn = shown.drawn
    likeness = (
        view.words("gallery.no_baseline")
        if drawn.percent is None
        else view.words("gallery.likeness", percent=round(drawn.percent))
    )
    title = style_title(view, drawn.style)
    lines = [view.words("gallery.page", at=gallery.at, of=len(gallery.current), style=title, likeness=likeness)]
    if gallery.comparing:
        lines.append(view.words("gallery.side_by_side"))
    elif shown.parent:
        edits = [tweak_label(view, s.tweak) for s in gallery.line(shown)[1:]]
        lines.append(view.words("gallery.edits", edits=", ".join(edits)))
        cost = _cost(gallery.root(shown), shown)
        if shown.drawn.cost is not None and shown.drawn.cost > COSTLY_POINTS:
            lines.append(view.words("gallery.costly", n=round(shown.drawn.cost)))
        elif cost is not None and cost >= 1:
            lines.append(view.words("gallery.cost", n=cost))
        if drawn.document:
            lines.append(document(view, drawn))
    if shown.favourite:
        lines.append(view.words("gallery.favourite"))
    lines.append(made_by_ai(view, gallery.made_at))
    return "\n".join(lines)


def document(view: View, drawn: Pictured) -> str:
    """Say for which document a portrait was measured, and what it does not meet."""
    title = view.named("value", drawn.document)
    if not drawn.wrong:
        return view.words("document.meets", title=title)
    why = ", ".join(view.words_or(f"document.{word}", "dropped.other") for word in drawn.wrong)
    return view.words("document.fails", title=title, why=why)


def made_by_ai(view: View, made_at: float) -> str:
    """Made with AI, and until when it is kept. made_at: seconds since 1970."""
    until = dt.datetime.fromtimestamp(made_at, dt.UTC) + dt.timedelta(days=view.session.keep_days)
    return view.words("gallery.made_by_ai", until=day(view.session.language, until.date()))


def past(view: View, page: int = 0, repost: bool = True) -> Card:
    """Every gallery there is, newest first."""
    galleries = view.session.galleries
    if not galleries:
        return view.card("past", [view.words("past.none")], repost=repost)
    buttons = [view.labelled(_title(view, gallery), PageOpened(gallery.number, gallery.at)) for gallery in galleries]
    rows = view.paged(buttons[::-1], 1, page, PastOpened)
    return view.card("past", [view.words("past.ask")], rows, repost=repost)


def _title(view: View, gallery: Gallery) -> str:
    styles = dict.fromkeys(style_title(view, s.drawn.style) for s in gallery.portraits)
    return view.words("past.set", number=gallery.number, n=len(gallery.current), styles=", ".join(styles))


def _cost(first: Shown, now: Shown) -> int | None:
    """Percent points of likeness that the edits cost, None where there is no baseline."""
    if first.drawn.percent is None or now.drawn.percent is None:
        return None
    return round(first.drawn.percent - now.drawn.percent)


def _rows(view: View, gallery: Gallery, shown: Shown) -> Rows:
    """The pages; then undo, redo and compare; then the edits when they are open, else what can be done with it."""
    pages, walk = _pages(view, gallery), _walk(view, gallery, shown)
    if not gallery.tweak_page:
        return (*pages, *walk, *_offers(view, gallery, shown))
    close: Rows = ((view.button("close_edits", TweaksOpened(gallery.number, shown.number, 0)),),)
    return (*pages, *desk.rows(view, gallery, shown, (*pages, *walk, *close)), *walk, *close)


def _pages(view: View, gallery: Gallery) -> Rows:
    of = len(gallery.current)
    if of == 1:
        return ()
    return (
        (
            view.labelled("◀", PageOpened(gallery.number, (gallery.at - 2) % of + 1)),
            view.labelled(f"{gallery.at}/{of}", PageOpened(gallery.number, gallery.at)),
            view.labelled("▶", PageOpened(gallery.number, gallery.at % of + 1)),
        ),
    )


def _walk(view: View, gallery: Gallery, shown: Shown) -> Rows:
    g, number = gallery.number, shown.number
    walk: list[Button] = []
    if shown.parent:
        walk.append(view.button("undo", EditUndone(g, number)))
    if gallery.later(number) is not None:
        walk.append(view.button("redo", EditRedone(g, number)))
    if shown.parent:
        key = "after" if gallery.comparing else "compare"
        walk.append(view.button(key, Compared(g, number, not gallery.comparing)))
    return (tuple(walk),) if walk else ()


def _offers(view: View, gallery: Gallery, shown: Shown) -> Rows:
    g, number, of = gallery.number, shown.number, len(gallery.current)
    key = "unfavourite" if shown.favourite else "favourite"
    files = [view.button("file", FilesAsked(g, number, "one"))]
    if of > 1:
        files.append(view.button("files", FilesAsked(g, number, "all"), n=of))
    if any(s.favourite for s in gallery.portraits):
        files.append(view.button("favourites", FilesAsked(g, number, "favourites")))
    kept_as = [view.button("avatar", AvatarAsked(g, number))]
    if view.menu.look(shown.drawn.style).drawn:
        kept_as.append(view.button("sticker", StickerAsked(g, number)))
    rows: Rows = (
        (
            view.button("edit", TweaksOpened(g, number, desk.FAMILIES_PAGE)),
            view.button(key, Favoured(g, number, not shown.favourite)),
        ),
        tuple(files),
        (*kept_as, view.button("more", LooksOpened())),
    )
    rows = (*release(view, shown.drawn.id, shown.drawn.style), *rows)
    return (*rows, (view.button("past", PastOpened()),)) if len(view.session.galleries) > 1 else rows
