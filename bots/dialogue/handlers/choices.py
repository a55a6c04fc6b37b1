"""Looks, purpose, details, and Go."""

from __future__ import annotations

import zlib

from bots.dialogue import buttons as t
from bots.dialogue import effects as r
from bots.dialogue.context import CHOOSING, WAITING, Handlers, Turn
from bots.dialogue.handlers.photos import photo_file
from bots.dialogue.screens import cards
from bots.dialogue.session import Running
from bots.dialogue.text import duration
from jobs.kinds import orders
from jobs.storage.accounts import DAY_S


def _looks_opened(turn: Turn, event: t.LooksOpened) -> None:
    if not turn.session.kept:
        turn.toast("looks.no_photos")
        return
    first_time = turn.session.state != CHOOSING
    turn.change(state=CHOOSING)
    if first_time and turn.session.last_card:
        turn.replies.append(r.Unbutton(turn.session.last_card))
        turn.change(last_card="")
    pictures = cards.previews(turn.session, turn.menu, event.page) if first_time else None
    if pictures is not None:
        turn.replies.append(pictures)
    turn.replies.append(cards.looks(turn.session, turn.menu, turn.now, event.page % turn.menu.pages, fresh=first_time))


def _previews_asked(turn: Turn, event: t.PreviewsAsked) -> None:
    pictures = cards.previews(turn.session, turn.menu, event.page)
    if pictures is None or not turn.session.kept:
        turn.toast("looks.no_previews")
        return
    turn.change(state=CHOOSING)
    turn.replies += [pictures, cards.looks(turn.session, turn.menu, turn.now, event.page % turn.menu.pages, fresh=True)]


def _style_picked(turn: Turn, event: t.StylePicked) -> None:
    if event.style not in turn.menu:
        turn.toast("looks.off_menu")
        return
    if not turn.session.kept:
        turn.toast("looks.no_photos")
        return
    others = tuple(style for style in turn.session.styles if style != event.style)
    if event.on and len(others) >= turn.menu.at_most:
        turn.toast("looks.enough", n=turn.menu.at_most)
        return
    turn.change(styles=(*others, event.style) if event.on else others, state=CHOOSING)
    place = next(i for i, look in enumerate(turn.menu.looks) if look.id == event.style)
    turn.replies.append(cards.looks(turn.session, turn.menu, turn.now, place // len(turn.menu.page(0))))


def _purpose_picked(turn: Turn, event: t.PurposePicked) -> None:
    if event.purpose not in turn.menu.purposes or not turn.session.kept:
        turn.toast("looks.no_photos")
        return
    turn.change(purpose=event.purpose, state=CHOOSING)
    turn.replies.append(cards.looks(turn.session, turn.menu, turn.now))


def _details_opened(turn: Turn, event: t.DetailsOpened) -> None:
    if not turn.session.kept:
        turn.toast("looks.no_photos")
        return
    turn.change(state=CHOOSING)
    turn.replies.append(cards.details(turn.session, turn.menu, event.name))


def _detail_picked(turn: Turn, event: t.DetailPicked) -> None:
    choices = dict(turn.menu.details).get(event.name, ())
    if not turn.session.kept or (event.value and event.value not in choices):
        turn.toast("looks.off_menu")
        return
    chosen = {name: value for name, value in turn.session.details if name != event.name}
    if event.value:
        chosen[event.name] = event.value
    turn.change(details=tuple(sorted(chosen.items())), state=CHOOSING)
    turn.replies.append(cards.details(turn.session, turn.menu))


def _go(turn: Turn, event: t.GoTapped) -> None:
    session = turn.session
    if event.sitting <= session.orders:
        turn.toast("go.already")
        return
    if not session.kept or not session.styles or event.sitting != session.orders + 1:
        turn.toast("go.not_ready")
        return
    if session.pending:
        turn.toast("go.looking")
        return
    lately = session.sittings_since(turn.now - DAY_S)
    if turn.menu.a_day and len(lately) >= turn.menu.a_day:
        free_in_s = sorted(lately)[-turn.menu.a_day] + DAY_S - turn.now
        turn.toast("go.quota", n=turn.menu.a_day, time=duration(session.language, free_in_s))
        return
    styles = tuple(style for style in session.styles if style in turn.menu)
    running = Running(event.sitting, "shoot", turn.now, shown_at=turn.now)
    turn.change(state=WAITING, orders=event.sitting, running=running)
    shoot = orders.Shoot(
        photos=tuple(photo_file(photo.number) for photo in session.kept),
        styles=styles,
        purpose=session.purpose or turn.menu.purposes[0],
        count=turn.menu.count,
        seed=zlib.crc32(f"{session.mark}{event.sitting}".encode()) & 0x7FFFFFFF,
        details=session.details,
    )
    turn.orders.append(r.Place(event.sitting, shoot))
    turn.replies += [r.Unbutton("looks"), cards.progress(turn.session, running)]


HANDLERS: Handlers = {
    t.LooksOpened: _looks_opened,
    t.PreviewsAsked: _previews_asked,
    t.StylePicked: _style_picked,
    t.PurposePicked: _purpose_picked,
    t.DetailsOpened: _details_opened,
    t.DetailPicked: _detail_picked,
    t.GoTapped: _go,
}
