"""Screens of choosing: the looks, what may be changed about them, and Go."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bots.dialogue.buttons import Press
from bots.dialogue.effects import Button, Card, Picture, Rows
from bots.dialogue.menu import OWN, Look
from bots.dialogue.screens.view import View
from bots.dialogue.session import DAY_S


@dataclass(frozen=True, slots=True)
class LooksOpened(Press):
    """The families, or with one a page of its looks."""

    op: ClassVar[str] = "looks"
    page: int = 0
    family: str = ""


@dataclass(frozen=True, slots=True)
class StylePicked(Press):
    """Carries the wished state, not "toggle": a double press does nothing twice."""

    op: ClassVar[str] = "style"
    style: str
    on: bool


@dataclass(frozen=True, slots=True)
class PurposePicked(Press):
    """What the portraits are for. family: the one that is open."""

    op: ClassVar[str] = "for"
    purpose: str
    family: str = ""


@dataclass(frozen=True, slots=True)
class DetailsOpened(Press):
    """The card of details, or with a name a page of the choices for that one."""

    op: ClassVar[str] = "details"
    name: str = ""
    page: int = 0


@dataclass(frozen=True, slots=True)
class DetailPicked(Press):
    """An empty value means: as the look has it."""

    op: ClassVar[str] = "detail"
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class PhotosOpened(Press):
    """Add photos."""

    op: ClassVar[str] = "photos"


@dataclass(frozen=True, slots=True)
class GoPressed(Press):
    """Starts sitting number `sitting`; a second press on the same button finds it already queued."""

    op: ClassVar[str] = "go"
    sitting: int


def looks(view: View, family: str = "", page: int = 0, repost: bool = False) -> Card:
    """The families, or a page of the looks of one, as pictures; purpose, what is left of the quota, and Go."""
    session, menu = view.session, view.menu
    family = family if family in menu.families else ""
    shown = menu.page(family, page)
    lines = [view.words("looks.ask")]
    if shown:
        picture = sheet(view, shown)
        lines += [
            f"{number}. {style_title(view, look.id)}: {style_pitch(view, look.id)}"
            for number, look in enumerate(shown, start=1)
        ]
        picks = [_style(view, look.id, f"{number} ") for number, look in enumerate(shown, start=1)]
        more = [view.button("families", LooksOpened())]
        if menu.pages(family) > 1:
            more.insert(0, view.button("more_looks", LooksOpened((page + 1) % menu.pages(family), family)))
    else:
        picture = sheet(view, [menu.family(name)[0] for name in menu.families])
        lines += [_shelf(view, number, name) for number, name in enumerate(menu.families, start=1)]
        picks = [_family(view, number, name) for number, name in enumerate(menu.families, start=1)]
        more = []
    chosen = session.purpose or menu.purposes[0]
    purposes = [
        view.choice(view.words(f"purpose.{purpose}"), purpose == chosen, PurposePicked(purpose, family))
        for purpose in menu.purposes
    ]
    rows = [
        *view.in_rows(picks, 2),
        *view.in_rows(more, 2),
        *view.in_rows(purposes, 4),
        (view.button("details", DetailsOpened()), view.button("photos", PhotosOpened())),
    ]
    if session.styles:
        lines += ["", view.words("looks.chosen", styles=", ".join(style_title(view, s) for s in session.styles))]
        lines += [detail_line(view, name, value) for name, value in session.details]
        rows.append((view.button("go", GoPressed(session.jobs + 1), n=len(session.styles) * menu.count),))
    if menu.a_day:
        left = max(0, menu.a_day - len(session.sittings_since(view.now - DAY_S)))
        lines += ["", view.words("looks.quota", n=left, of=menu.a_day)]
    return view.card("looks", lines, tuple(rows), picture, repost=repost)


def sheet(view: View, shown: Sequence[Look]) -> tuple[Picture, ...]:
    """Return one picture of several looks, numbered as their buttons are; none where a look has no preview."""
    tiles = tuple(look.preview for look in shown)
    if not tiles or not all(tiles):
        return ()
    alt = "; ".join(f"{number}: {style_title(view, look.id)}" for number, look in enumerate(shown, start=1))
    if len(tiles) == 1:
        return (Picture("style", tiles[0], alt),)
    return (Picture("style", f"sheet-{zlib.crc32(' '.join(tiles).encode()):08x}.jpg", alt, tiles),)


def _shelf(view: View, number: int, family: str) -> str:
    """1. At work: Office, Boardroom."""
    titles = ", ".join(style_title(view, look.id) for look in view.menu.family(family))
    return f"{number}. {view.named('family', family)}: {titles}"


def _family(view: View, number: int, family: str) -> Button:
    """A button that opens a family; one with a single look picks that look at once."""
    inside = view.menu.family(family)
    title = f"{number} {view.named('family', family)}"
    if len(inside) == 1:
        picked = inside[0].id in view.session.styles
        return view.choice(title, picked, StylePicked(inside[0].id, not picked))
    return view.choice(f"{title} ▸", any(look.id in view.session.styles for look in inside), LooksOpened(0, family))


def _style(view: View, look: str, number: str) -> Button:
    picked = look in view.session.styles
    return view.choice(f"{number}{style_title(view, look)}", picked, StylePicked(look, not picked))


def details(view: View, name: str = "", page: int = 0) -> Card:
    """What may be changed about a look, or the choices for one of these things."""
    offered, chosen = dict(view.menu.details), dict(view.session.details)
    if name not in offered:
        buttons = [view.button(f"detail_{n}", DetailsOpened(n)) for n in offered]
        lines = [view.words("details.ask"), *(detail_line(view, n, chosen.get(n, "")) for n in offered)]
        back: Rows = ((view.button("back", LooksOpened()),),)
        return view.card("looks", lines, (*view.in_rows(buttons, 2), *back))
    now = chosen.get(name, "")
    as_look = view.choice(view.words("detail.as_look"), not now, DetailPicked(name, ""))
    values = [
        view.choice(view.named("value", value), value == now, DetailPicked(name, value)) for value in offered[name]
    ]
    choices = [as_look, *values]
    if name == "outfit" and OWN in offered[name]:  # first where a photo shows presentable clothes, else last
        own = choices.pop(1 + offered[name].index(OWN))
        shown = any("own_clothes" in photo.notes for photo in view.session.photos)
        choices.insert(0 if shown else len(choices), own)
    back = ((view.button("back", DetailsOpened()),),)
    rows = view.paged(choices, 2, page, lambda n: DetailsOpened(name, n), back)
    return view.card("looks", [view.words(f"details.{name}")], (*rows, *back))


def detail_line(view: View, name: str, value: str) -> str:
    """Outfit: navy suit."""
    word = view.named("value", value) if value else view.words("detail.as_look")
    return f"{view.words(f'button.detail_{name}')}: {word}"


def style_title(view: View, style: str) -> str:
    """Return a look's title in the person's language, the pack's own where the catalogue has none."""
    return view.words_or(f"style.{style}.title", "value.other", value=view.menu.look(style).title)


def style_pitch(view: View, style: str) -> str:
    """Return a look's one-line promise in the person's language."""
    return view.words_or(f"style.{style}.pitch", "value.other", value=view.menu.look(style).pitch)
