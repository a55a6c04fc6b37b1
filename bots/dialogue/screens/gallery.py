"""Screens of the galleries: which picture, which caption, which buttons; and the list of all there are."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar

from bots.dialogue.buttons import Press
from bots.dialogue.effects import Button, Card, Picture, Rows
from bots.dialogue.galleries import Gallery, Shown
from bots.dialogue.screens.choices import LooksOpened, style_title
from bots.dialogue.screens.view import View
from bots.dialogue.text import day

PLAIN_EDITS = 1  # the page of edits that shows those without a value; each other page shows one edit's values


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
class TweaksOpened(Press):
    """Page 0 closes the rows of edits. part: counted from 0, where a page has more buttons than fit."""

    op: ClassVar[str] = "edit"
    gallery: int
    portrait: int
    page: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class Tweaked(Press):
    """Edit a portrait: `warmer`, `backdrop=park`."""

    op: ClassVar[str] = "tweak"
    gallery: int
    portrait: int
    tweak: str


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
class PastOpened(Press):
    """A page of the list of galleries."""

    op: ClassVar[str] = "past"
    page: int = 0


def card(view: View, gallery: Gallery, repost: bool = False) -> Card:
    """The gallery as one message: picture, caption, buttons. Where a card may hold two, an edit is compared beside."""
    shown = gallery.open
    first = gallery.root(shown)
    beside = gallery.comparing and view.limits.pictures_a_card > 1
    seen = [first, shown] if beside else [first] if gallery.comparing else [shown]
    text = caption(view, gallery, seen[-1], beside)
    pictures = tuple(Picture("blob", s.drawn.file, caption(view, gallery, s, beside)) for s in seen)
    return view.card(slot(gallery), [text], _rows(view, gallery, shown), pictures, repost=repost)


def slot(gallery: Gallery) -> str:
    """Return the card a gallery lives on: the placeholder of its sitting."""
    return f"job:{gallery.job}"


def caption(view: View, gallery: Gallery, shown: Shown, beside: bool = False) -> str:
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
        lines.append(view.words("gallery.side_by_side" if beside else "gallery.before"))
    elif shown.parent:
        edits = [tweak_label(view, s.tweak) for s in gallery.line(shown)[1:]]
        lines.append(view.words("gallery.edits", edits=", ".join(edits)))
        cost = _cost(gallery.root(shown), shown)
        if cost is not None and cost >= 1:
            lines.append(view.words("gallery.cost", n=cost))
    if shown.favourite:
        lines.append(view.words("gallery.favourite"))
    lines.append(made_by_ai(view, gallery.made_at))
    return "\n".join(lines)


def made_by_ai(view: View, made_at: float) -> str:
    """Made with AI, and until when it is kept. made_at: seconds since 1970."""
    until = dt.datetime.fromtimestamp(made_at, dt.UTC) + dt.timedelta(days=view.session.keep_days)
    return view.words("gallery.made_by_ai", until=day(view.session.language, until.date()))


def tweak_label(view: View, tweak: str) -> str:
    """Return the word on an edit's button."""
    name, _, value = tweak.partition("=")
    word = view.named("tweak", name)
    return f"{word}: {view.named('value', value)}" if value else word


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
    return (*pages, *_tweaks(view, gallery, shown, (*pages, *walk, *close)), *walk, *close)


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
    rows: Rows = (
        (
            view.button("edit", TweaksOpened(g, number, PLAIN_EDITS)),
            view.button(key, Favoured(g, number, not shown.favourite)),
        ),
        tuple(files),
        (view.button("avatar", AvatarAsked(g, number)), view.button("more", LooksOpened())),
    )
    return (*rows, (view.button("past", PastOpened()),)) if len(view.session.galleries) > 1 else rows


def _tweaks(view: View, gallery: Gallery, shown: Shown, beside: Rows) -> Rows:
    """Page 1: the plain edits, and a way to those with values; page 2 and on: the values of one edit."""
    g, number, page = gallery.number, shown.number, gallery.tweak_page
    offered = view.menu.tweaks_of(shown.drawn.style)
    valued = [tweak for tweak in offered if tweak[1]]
    back: Rows = ()
    if PLAIN_EDITS < page < PLAIN_EDITS + 1 + len(valued):
        name, values = valued[page - PLAIN_EDITS - 1]
        buttons = [view.labelled(view.named("value", v), Tweaked(g, number, f"{name}={v}")) for v in values]
        back = ((view.button("back", TweaksOpened(g, number, PLAIN_EDITS)),),)
    else:
        buttons = [view.labelled(tweak_label(view, t), Tweaked(g, number, t)) for t, values in offered if not values]
        buttons += [
            view.labelled(f"{tweak_label(view, name)} …", TweaksOpened(g, number, at))
            for at, (name, _) in enumerate(valued, PLAIN_EDITS + 1)
        ]
    part = gallery.tweak_part
    return (*view.paged(buttons, 2, part, lambda n: TweaksOpened(g, number, page, n), (*beside, *back)), *back)
