"""A gallery on screen: which picture, which caption, which buttons. Pure; the session says what is open.

First draws are the pages; an edit hangs below the portrait it was made from and takes its place on the page
until it is undone. Undo and redo walk that tree, nothing is drawn again.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from bots.dialogue.buttons import (
    AvatarAsked,
    Compared,
    EditRedone,
    EditUndone,
    Favoured,
    FilesAsked,
    LooksOpened,
    PageOpened,
    PastOpened,
    Tweaked,
    TweaksOpened,
)
from bots.dialogue.effects import Button, Card, Picture, Rows
from bots.dialogue.menu import Menu
from bots.dialogue.screens.cards import button, data_of, in_rows, style_title
from bots.dialogue.session import Gallery, Session, Shown
from bots.dialogue.text import day, said_or, say
from jobs.queue.events import Pictured

AT_HOME = 1  # the page of edits that shows the plain ones; the others show one edit's values each


def new_gallery(number: int, job: int, made_at: float, drawn: tuple[Pictured, ...]) -> Gallery:
    """Make a gallery of first draws."""
    shown = tuple(Shown(i, portrait) for i, portrait in enumerate(drawn, 1))
    return Gallery(number, job, made_at, shown, tuple(s.number for s in shown))


def add_edit(gallery: Gallery, parent: int, tweak: str, drawn: Pictured) -> Gallery:
    """Hang an edit below its parent and show it; the same portrait twice is one."""
    known = next((s for s in gallery.portraits if s.drawn.id == drawn.id), None)
    if known is not None:
        return show(gallery, known.number)
    number = len(gallery.portraits) + 1
    old = gallery.find(parent)
    edit = Shown(number, drawn, parent, tweak, favourite=old is not None and old.favourite)
    return show(replace(gallery, portraits=(*gallery.portraits, edit)), number)


def show(gallery: Gallery, number: int) -> Gallery:
    """Open the page of a portrait and put that portrait on it."""
    page = gallery.page_of(number)
    current = tuple(number if i == page else n for i, n in enumerate(gallery.current, 1))
    return replace(gallery, at=page, current=current, comparing=False)


def open_page(gallery: Gallery, page: int) -> Gallery:
    """Open a page, round and round."""
    return replace(gallery, at=(page - 1) % len(gallery.current) + 1, comparing=False)


def edited(gallery: Gallery, parent: int, tweak: str) -> Shown | None:
    """Return the edit that was already made from this portrait in this way."""
    return next((s for s in gallery.portraits if s.parent == parent and s.tweak == tweak), None)


def later(gallery: Gallery, number: int) -> Shown | None:
    """Return the newest edit made from this portrait, the one a redo shows."""
    return next((s for s in reversed(gallery.portraits) if s.parent == number), None)


def root(gallery: Gallery, shown: Shown) -> Shown:
    """Return the first draw an edit comes from."""
    while shown.parent and (above := gallery.find(shown.parent)) is not None:
        shown = above
    return shown


def card(session: Session, menu: Menu, gallery: Gallery) -> Card:
    """The gallery as one message: picture, caption, buttons."""
    shown = gallery.open
    seen = root(gallery, shown) if gallery.comparing else shown
    text = caption(session, menu, gallery, seen)
    pictures = (Picture("shelf", seen.drawn.file, text),)
    return Card(slot(gallery), text, _rows(session, menu, gallery, shown), pictures)


def slot(gallery: Gallery) -> str:
    """Return the card a gallery lives on: the placeholder of its sitting."""
    return f"job:{gallery.job}"


def caption(session: Session, menu: Menu, gallery: Gallery, shown: Shown) -> str:
    """2/8 · Office · 93 % of your own baseline; what was edited, and how long it is kept."""
    lang, drawn = session.language, shown.drawn
    likeness = (
        say(lang, "gallery.no_baseline")
        if drawn.percent is None
        else say(lang, "gallery.likeness", percent=round(drawn.percent))
    )
    title = style_title(session, menu, drawn.style)
    lines = [say(lang, "gallery.page", at=gallery.at, of=len(gallery.current), style=title, likeness=likeness)]
    if gallery.comparing:
        lines.append(say(lang, "gallery.before"))
    elif shown.parent:
        lines.append(say(lang, "gallery.edits", edits=", ".join(_edits(session, gallery, shown))))
        cost = _cost(gallery, shown)
        if cost is not None and cost >= 1:
            lines.append(say(lang, "gallery.cost", n=cost))
    if shown.favourite:
        lines.append(say(lang, "gallery.favourite"))
    until = dt.datetime.fromtimestamp(gallery.made_at, dt.UTC) + dt.timedelta(days=session.keep_days)
    lines.append(say(lang, "gallery.made_by_ai", until=day(lang, until.date())))
    return "\n".join(lines)


def tweak_label(session: Session, tweak: str) -> str:
    """Return the word on an edit's button."""
    name, _, value = tweak.partition("=")
    word = said_or(session.language, f"tweak.{name}", "value.other", value=name.replace("_", " "))
    if not value:
        return word
    return f"{word}: {said_or(session.language, f'value.{value}', 'value.other', value=value.replace('_', ' '))}"


def _edits(session: Session, gallery: Gallery, shown: Shown) -> list[str]:
    edits: list[str] = []
    while shown.parent and (above := gallery.find(shown.parent)) is not None:
        edits.insert(0, tweak_label(session, shown.tweak))
        shown = above
    return edits


def _cost(gallery: Gallery, shown: Shown) -> int | None:
    first, now = root(gallery, shown).drawn.percent, shown.drawn.percent
    return None if first is None or now is None else round(first - now)


def _rows(session: Session, menu: Menu, gallery: Gallery, shown: Shown) -> Rows:
    g, number = gallery.number, shown.number
    of = len(gallery.current)
    rows: list[tuple[Button, ...]] = []
    if of > 1:
        rows.append(
            (
                Button("◀", data_of(session, PageOpened(g, (gallery.at - 2) % of + 1))),
                Button(f"{gallery.at}/{of}", data_of(session, PageOpened(g, gallery.at))),
                Button("▶", data_of(session, PageOpened(g, gallery.at % of + 1))),
            )
        )
    if gallery.tweak_page:
        rows += _tweak_rows(session, menu, gallery, shown)
    walk: list[Button] = []
    if shown.parent:
        walk.append(button(session, "undo", EditUndone(g, number)))
    if later(gallery, number) is not None:
        walk.append(button(session, "redo", EditRedone(g, number)))
    if shown.parent:
        key = "after" if gallery.comparing else "compare"
        walk.append(button(session, key, Compared(g, number, not gallery.comparing)))
    if walk:
        rows.append(tuple(walk))
    if gallery.tweak_page:
        rows.append((button(session, "close_edits", TweaksOpened(g, number, 0)),))
        return tuple(rows)
    key = "unfavourite" if shown.favourite else "favourite"
    rows.append(
        (
            button(session, "edit", TweaksOpened(g, number, AT_HOME)),
            button(session, key, Favoured(g, number, not shown.favourite)),
        )
    )
    files = [button(session, "file", FilesAsked(g, number, "one"))]
    if of > 1:
        files.append(button(session, "files", FilesAsked(g, number, "all"), n=of))
    if any(s.favourite for s in gallery.portraits):
        files.append(button(session, "favourites", FilesAsked(g, number, "favourites")))
    rows += [
        tuple(files),
        (button(session, "avatar", AvatarAsked(g, number)), button(session, "more", LooksOpened())),
    ]
    if len(session.galleries) > 1:
        rows.append((button(session, "past", PastOpened()),))
    return tuple(rows)


def _tweak_rows(session: Session, menu: Menu, gallery: Gallery, shown: Shown) -> Rows:
    """Page 1: the plain edits, and a way to those with values; page 2 and on: the values of one edit."""
    g, number = gallery.number, shown.number
    offered = menu.tweaks_of(shown.drawn.style)
    valued = [tweak for tweak in offered if tweak[1]]
    if gallery.tweak_page > AT_HOME and gallery.tweak_page - 2 < len(valued):
        name, values = valued[gallery.tweak_page - 2]
        buttons = [
            Button(
                said_or(session.language, f"value.{value}", "value.other", value=value.replace("_", " ")),
                data_of(session, Tweaked(g, number, f"{name}={value}")),
            )
            for value in values
        ]
        back = button(session, "back", TweaksOpened(g, number, AT_HOME))
        return (*in_rows(buttons, 2), (back,))
    buttons = [
        Button(tweak_label(session, name), data_of(session, Tweaked(g, number, name)))
        for name, values in offered
        if not values
    ]
    buttons += [
        Button(
            f"{tweak_label(session, name)} …",
            data_of(session, TweaksOpened(g, number, page)),
        )
        for page, (name, _) in enumerate(valued, 2)
    ]
    return in_rows(buttons, 2)
