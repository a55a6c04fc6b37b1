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
from bots.dialogue.session import DAY_S, Membership

OF_A_MEMBER = ("outfit", "colour", "angle")  # details that a team leaves to each of its members
Details = tuple[tuple[str, str], ...]
CHOICES_A_PAGE = 9  # of a detail, on one sheet of pictures


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
class SurpriseAsked(Press):
    """Let the studio pick looks; another press picks others."""

    op: ClassVar[str] = "surprise"


@dataclass(frozen=True, slots=True)
class LastAsked(Press):
    """The looks and details of the last sitting."""

    op: ClassVar[str] = "last"


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


@dataclass(frozen=True, slots=True)
class TeamLeft(Press):
    """Leave one's team."""

    op: ClassVar[str] = "tmleave"


def looks(view: View, family: str = "", page: int = 0, repost: bool = False) -> Card:
    """The families, or a page of the looks of one, as pictures; purpose, what is left of the quota, and Go."""
    session = view.session
    if session.membership is not None:
        return _team_look(view, session.membership, repost)
    menu, chosen = view.menu.suited_to(session.purpose), session.purpose or view.menu.purposes[0]
    family = family if family in menu.families else ""
    shown = menu.page(family, page)
    lines = [view.words("looks.ask")]
    if shown:
        picture = sheet([(look.preview, style_title(view, look.id)) for look in shown])
        lines += [
            f"{number}. {style_title(view, look.id)}: {style_pitch(view, look.id)}"
            for number, look in enumerate(shown, start=1)
        ]
        fitting = sum(chosen in look.purposes for look in shown)
        if 0 < fitting < len(shown):
            lines.append(view.words("looks.suited", purpose=view.words(f"purpose.{chosen}"), n=fitting))
        picks = [_style(view, look.id, f"{number} ") for number, look in enumerate(shown, start=1)]
        more = [view.button("families", LooksOpened())]
        if menu.pages(family) > 1:
            more.insert(0, view.button("more_looks", LooksOpened((page + 1) % menu.pages(family), family)))
    else:
        covers = [(name, menu.family(name)[0].preview) for name in menu.families]
        picture = sheet([(preview, view.named("family", name)) for name, preview in covers])
        shelves = [(number, name, menu.family(name)) for number, name in enumerate(menu.families, start=1)]
        lines += [_shelf(view, *shelf) for shelf in shelves]
        picks = [_family(view, *shelf) for shelf in shelves]
        more = [view.button("surprise", SurpriseAsked())]
        if session.last_styles and not session.styles:
            more.append(view.button("as_last_time", LastAsked()))
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


def _team_look(view: View, team: Membership, repost: bool) -> Card:
    """The one look of the person's team, and Go; what they wear is their own choice."""
    look = view.menu.look(team.look)
    lines = [view.words("team.look", look=style_title(view, look.id)), style_pitch(view, look.id)]
    lines += [detail_line(view, name, value) for name, value in (*worn(view.session.details), *team.details)]
    rows = (
        (view.button("go", GoPressed(view.session.jobs + 1), n=view.menu.count),),
        (view.button("details", DetailsOpened()), view.button("photos", PhotosOpened())),
        (view.button("team_leave", TeamLeft()),),
    )
    return view.card("looks", lines, rows, sheet([(look.preview, style_title(view, look.id))]), repost=repost)


def worn(details: Details) -> Details:
    """Return what a member of a team chooses alone: what they wear, and how they turn."""
    return tuple((name, value) for name, value in details if name in OF_A_MEMBER)


def sheet(shown: Sequence[tuple[str, str]]) -> tuple[Picture, ...]:
    """Return one picture of several previews (file, title), numbered as their buttons are; none if one is missing."""
    tiles = tuple(file for file, _ in shown)
    if not tiles or not all(tiles):
        return ()
    alt = "; ".join(f"{number}: {title}" for number, (_, title) in enumerate(shown, start=1))
    if len(tiles) == 1:
        return (Picture("style", tiles[0], alt),)
    return (Picture("style", f"sheet-{zlib.crc32(' '.join(tiles).encode()):08x}.jpg", alt, tiles),)


def _shelf(view: View, number: int, family: str, inside: Sequence[Look]) -> str:
    """1. At work: Office, Boardroom."""
    titles = ", ".join(style_title(view, look.id) for look in inside)
    return f"{number}. {view.named('family', family)}: {titles}"


def _family(view: View, number: int, family: str, inside: Sequence[Look]) -> Button:
    """A button that opens a family; one with a single look picks that look at once."""
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
    if view.session.membership is not None:
        offered = {of: values for of, values in offered.items() if of in OF_A_MEMBER}
    if name not in offered:
        buttons = [view.button(f"detail_{n}", DetailsOpened(n)) for n in offered]
        lines = [view.words("details.ask"), *(detail_line(view, n, chosen.get(n, "")) for n in offered)]
        back: Rows = ((view.button("back", LooksOpened()),),)
        return view.card("looks", lines, (*view.in_rows(buttons, 2), *back))
    values = [value for value in offered[name] if name != "outfit" or value != OWN]
    pages = [values[i : i + CHOICES_A_PAGE] for i in range(0, len(values), CHOICES_A_PAGE)]
    if len(values) < len(offered[name]):  # own clothes: first where a photo shows presentable ones, else last
        first = any("own_clothes" in photo.notes for photo in view.session.photos)
        for row in (values, pages[0 if first else -1]):
            row.insert(0 if first else len(row), OWN)
    back = ((view.button("back", DetailsOpened()),),)
    lines = [view.words(f"details.{name}")]
    as_look = _detail(view, name, "", "")
    if not any(view.menu.tile(name, value) for value in values):
        plain = [as_look, *(_detail(view, name, value, "") for value in values)]
        rows = view.paged(plain, 2, page, lambda n: DetailsOpened(name, n), back)
        return view.card("looks", lines, (*rows, *back))
    shown = pages[page % len(pages)]
    pictured = [value for value in shown if view.menu.tile(name, value)]
    buttons = [
        _detail(view, name, value, f"{pictured.index(value) + 1} " if value in pictured else "") for value in shown
    ]
    more = [as_look]
    if len(pages) > 1:
        more.append(view.button("next_page", DetailsOpened(name, (page + 1) % len(pages))))
    picture = sheet([(view.menu.tile(name, value), view.named("value", value)) for value in pictured])
    return view.card("looks", lines, (*view.in_rows(buttons, 2), *view.in_rows(more, 2), *back), picture)


def _detail(view: View, name: str, value: str, number: str) -> Button:
    """A button that chooses one value of a detail; the empty one is the look's own."""
    label = view.named("value", value) if value else view.words("detail.as_look")
    chosen = dict(view.session.details).get(name, "")
    return view.choice(f"{number}{label}", value == chosen, DetailPicked(name, value))


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
